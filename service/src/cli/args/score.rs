//! What can be typed: scores of the past and of the literature.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{FittingArguments, InputArguments};

#[derive(Debug, Args)]
pub(crate) struct BacktestArguments {
    /// The data: CSV, Parquet, Arrow or JSON, long or wide; a file, a quoted pattern, a folder, or - for standard input.
    pub(crate) data: PathBuf,
    /// The models; seasonal-naive always stands beside them.
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',', default_value = "ar")]
    pub(crate) model: Vec<String>,
    /// Steps ahead of each cutoff.
    #[arg(long, alias = "h", default_value_t = 24)]
    pub(crate) horizon: usize,
    /// How many cutoffs; the last one lies one horizon, and the gap, before the end.
    #[arg(long, default_value_t = 10)]
    pub(crate) n_windows: usize,
    /// Steps from one cutoff to the next [default: the horizon].
    #[arg(long)]
    pub(crate) step_size: Option<usize>,
    /// Steps between a cutoff and the first one that is scored.
    #[arg(long, default_value_t = 0)]
    pub(crate) gap: usize,
    /// What models see at a cutoff: all steps before it (expanding), or the last so many.
    #[arg(long, value_name = "expanding|STEPS", default_value = "expanding")]
    pub(crate) training: String,
    /// Fit again at every cutoff (true), never (false), or at every so many.
    #[arg(long, default_value = "false")]
    pub(crate) refit: String,
    /// Prediction intervals, in percent.
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    pub(crate) level: Vec<f64>,
    /// Intervals that learn from every step between the cutoffs, as they do in a stream.
    #[arg(long, requires = "level")]
    pub(crate) adaptive: bool,
    /// The file to write all forecasts to: csv, parquet, arrow or json.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// The file to write the scores to, one row for each series and metric.
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: Option<PathBuf>,
    /// The file to write the scores by step ahead to, one row for each series, metric and step.
    #[arg(long, value_name = "FILE")]
    pub(crate) scores_by_step: Option<PathBuf>,
    /// Leave out series that cannot be fitted or are too short, and write them with their errors to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) errors: Option<PathBuf>,
    /// What the leaderboard ranks by, such as mae, rmsse or winkler-80 [default: mase, or mae where that is not defined].
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    /// Draw forecasts against actuals to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Draw the error by step ahead to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot_horizon: Option<PathBuf>,
    /// Draw the measured against the nominal coverage of the intervals to this PNG file.
    #[arg(long, value_name = "FILE", requires = "level")]
    pub(crate) plot_calibration: Option<PathBuf>,
    /// Draw the best, the median and the worst forecast of the best model to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot_sample: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fitting: FittingArguments,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    pub(crate) protocol: Protocol,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Protocol {
    /// Long horizons: fitted on the training range, scored on every window of the test range, on scaled values.
    #[command(
        after_help = "Example: longcast bench ltsf --data electricity --horizons 24,168\nWith ETTh1.csv at hand: longcast bench ltsf --data ETTh1 --horizons 96,192,336,720 --json rows.json"
    )]
    Ltsf(LtsfArguments),
}

// The flag that is global elsewhere: here `--json` takes a file, as benchmarks are wont to.
#[derive(Debug, Args)]
#[command(arg = clap::Arg::new("json").long("json-stdout").action(clap::ArgAction::SetTrue).help(
    "Results as JSON on standard output; the same as longcast --json bench ltsf"
))]
pub(crate) struct LtsfArguments {
    /// Files, or names such as ETTh1: ETTh1.csv is looked for in the working folder, data and datasets, then
    /// among the bundled data sets.
    #[arg(long, value_name = "DATA,...", value_delimiter = ',', required = true)]
    pub(crate) data: Vec<String>,
    /// The folder to look for named data in, in place of those [default: also that of LONGCAST_DATA].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Steps ahead, each scored on its own windows.
    #[arg(long, value_name = "HORIZON,...", value_delimiter = ',', default_value = "96,192,336,720")]
    pub(crate) horizons: Vec<usize>,
    /// The models; naive, seasonal-naive and window-mean always stand beside them.
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',', default_value = "ar")]
    pub(crate) models: Vec<String>,
    /// M: all channels, S: the target alone; or both.
    #[arg(
        long,
        value_enum,
        value_name = "M,S",
        value_delimiter = ',',
        ignore_case = true,
        default_value = "M"
    )]
    pub(crate) features: Vec<Features>,
    /// The channel of --features S [default: OT, else the last].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,
    /// ett: 12, 4 and 4 months of 30 days; or the shares of training and validation [default: ett for files
    /// named ETTh or ETTm, else 0.7,0.1].
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<String>,
    /// Steps that the models of --models look back; of ar its order [default: each model's own, 336 for
    /// window-mean].
    #[arg(long, visible_aliases = ["input-size", "context-length", "seq-len"])]
    pub(crate) lookback: Option<usize>,
    /// Any other setting of the models, as name=value.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Steps of one season [default: a day].
    #[arg(long)]
    pub(crate) season_length: Option<usize>,
    /// Write the results to this file as JSON, a row for each model and horizon.
    #[arg(id = "rows", long = "json", value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

/// Which channels are forecast, by the literature's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Features {
    /// All channels.
    #[value(name = "M", alias = "multivariate")]
    Multivariate,
    /// The target alone.
    #[value(name = "S", alias = "univariate")]
    Univariate,
}

impl Features {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Features::Multivariate => "M",
            Features::Univariate => "S",
        }
    }
}
