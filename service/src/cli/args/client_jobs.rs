//! What can be typed: trainings, back-tests and data sets of a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is fitted, as a training job takes it.
#[derive(Debug, Args)]
pub(crate) struct JobSpecArguments {
    /// Settings of the model, as name=value.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Share of the steps that intervals are calibrated on.
    #[arg(long, value_name = "SHARE")]
    pub(crate) validation: Option<f64>,
    /// Steps of one season [default: the one that stands out in the data].
    #[arg(long)]
    pub(crate) season_length: Option<i32>,
    /// How series are scaled: standard, robust, min-max or none.
    #[arg(long)]
    pub(crate) scaling: Option<String>,
    /// Seed of every random choice.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Seconds after which a training by gradient stops, with what is best so far; a learning rate that follows a
    /// cosine or one cycle has come down by then.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) time_limit: Option<f64>,
    /// How the file is read, by options of `longcast fit`: id-col, time-col, target-col, freq, open, tz, duplicates,
    /// out-of-order, aggregate, time-format, bad-series, past-col, future-col, static-col or categorical-col, such as
    /// --read time-col=ds
    #[arg(long = "read", value_name = "NAME=VALUE")]
    pub(crate) read: Vec<String>,
    /// Makes the call repeatable: the same text again finds the job that it made.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) request_id: String,
    /// Check the request; start nothing.
    #[arg(long)]
    pub(crate) validate_only: bool,
    /// Do not wait for the end.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// The model that gets the revision: models/load; it is made if there is none.
    pub(crate) model: String,
    /// The data: a file, which is uploaded, or datasets/NAME.
    pub(crate) data: String,
    /// The family: naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer or ssm.
    #[arg(long, default_value = "ar")]
    pub(crate) family: String,
    /// Longest horizon that intervals are calibrated for [default: the longest usual season].
    #[arg(long, alias = "h")]
    pub(crate) horizon: Option<i32>,
    /// Calls that name the model alone go to the revision once it is there.
    #[arg(long = "default")]
    pub(crate) makes_default: bool,
    #[command(flatten)]
    pub(crate) spec: JobSpecArguments,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// The data: a file, which is uploaded, or datasets/NAME.
    pub(crate) data: String,
    /// Families to fit and score; seasonal naive is always beside them.
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',')]
    pub(crate) model: Vec<String>,
    /// A model of the server, scored as it is: models/load, a revision or an alias.
    #[arg(long, value_name = "NAME")]
    pub(crate) stored: Option<String>,
    /// Steps ahead of each cutoff.
    #[arg(long, alias = "h", default_value_t = 24)]
    pub(crate) horizon: i32,
    /// Cutoffs.
    #[arg(long, default_value_t = 10)]
    pub(crate) n_windows: i32,
    /// Steps from one cutoff to the next [default: the horizon].
    #[arg(long)]
    pub(crate) step_size: Option<i32>,
    /// Steps between a cutoff and the first that is scored.
    #[arg(long, default_value_t = 0)]
    pub(crate) gap: i32,
    /// Fit again at every so many cutoffs [default: never].
    #[arg(long, value_name = "N")]
    pub(crate) refit_every: Option<i32>,
    /// Intervals to score, in percent.
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    pub(crate) level: Vec<f64>,
    /// Metrics to answer [default: all].
    #[arg(long, value_name = "METRIC,...", value_delimiter = ',')]
    pub(crate) metric: Vec<String>,
    #[command(flatten)]
    pub(crate) spec: JobSpecArguments,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// trainingJobs/17 or backtestJobs/3.
    pub(crate) job: String,
    /// The number of the last event that you have.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) after: u64,
}

#[derive(Debug, Args)]
pub(crate) struct JobsArguments {
    #[command(subcommand)]
    pub(crate) action: JobsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsAction {
    /// All trainings and back-tests, the newest first.
    List,
    /// One of them.
    Show {
        /// trainingJobs/17 or backtestJobs/3.
        job: String,
    },
    /// Ask one to end.
    Cancel {
        /// trainingJobs/17 or backtestJobs/3.
        job: String,
    },
    /// Remove one that has ended.
    Delete {
        /// trainingJobs/17 or backtestJobs/3.
        job: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DatasetsArguments {
    #[command(subcommand)]
    pub(crate) action: DatasetsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetsAction {
    /// All data sets.
    List,
    /// Send a file.
    Upload {
        /// The file: CSV, Parquet, Arrow or JSON.
        file: PathBuf,
        /// Its name on the server [default: the first part of its SHA-256].
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove one.
    Delete {
        /// datasets/NAME.
        dataset: String,
    },
}
