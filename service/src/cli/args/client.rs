//! What can be typed: calls to a running server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::client_admin::{AdminArguments, SessionsArguments};
use super::client_jobs::{
    DatasetsArguments, EvaluateArguments, JobsArguments, TrainArguments, WatchArguments,
};
use super::{InputArguments, SpecArguments};

/// Which server, and who asks.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArguments {
    /// The server: host:port, or a URL with https for TLS.
    #[arg(
        long,
        global = true,
        default_value = "127.0.0.1:50051",
        env = "LONGCAST_ADDRESS",
        value_name = "ADDRESS"
    )]
    pub(crate) address: String,
    /// The token to show; better in the environment than on the command line, which others can see.
    #[arg(long, global = true, env = "LONGCAST_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Certificates (PEM) of those who may have signed the server's; also turns TLS on.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The client's own certificate (PEM), for servers that ask for one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The key (PEM) of that certificate.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Seconds that a connection or a call with one answer may take.
    #[arg(long, global = true, default_value_t = 30.0, value_name = "SECONDS")]
    pub(crate) timeout: f64,
}

#[derive(Debug, Args)]
pub(crate) struct ClientArguments {
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
    #[command(subcommand)]
    pub(crate) call: ClientCall,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCall {
    /// What the server is, and how much it takes.
    #[command(after_help = "Example: longcast client info --address 127.0.0.1:50051")]
    Info,
    /// Forecast the series of a file with a model of the server.
    #[command(
        after_help = "Example: longcast client forecast models/load load.csv --horizon 168 --level 80,95"
    )]
    Forecast(Box<ClientForecastArguments>),
    /// Rows of observations in, forecasts out as they come; goes on by itself after a lost connection.
    #[command(
        after_help = "Example: tail -f meter.csv | longcast client session meter-7 --model models/load --horizon 24 --level 80"
    )]
    Session(Box<SessionArguments>),
    /// Upload data, train a model on the server, and wait for its revision.
    #[command(after_help = "Example: longcast client train models/load load.csv --set order=168 --default")]
    Train(Box<TrainArguments>),
    /// Back-test models on the server.
    #[command(
        after_help = "Example: longcast client evaluate load.csv --model ar,drift --horizon 24 --n-windows 10 --level 80"
    )]
    Evaluate(Box<EvaluateArguments>),
    /// The events of a training or a back-test, until it has ended.
    #[command(after_help = "Example: longcast client watch trainingJobs/17")]
    Watch(WatchArguments),
    /// Trainings and back-tests: list, show, cancel, delete.
    #[command(after_help = "Example: longcast client jobs list")]
    Jobs(JobsArguments),
    /// Data sets on the server: list, upload, delete.
    #[command(after_help = "Example: longcast client datasets upload load.csv --name load-2026")]
    Datasets(DatasetsArguments),
    /// Sessions on the server: list, show, delete.
    #[command(after_help = "Example: longcast client sessions show sessions/meter-7")]
    Sessions(SessionsArguments),
    /// Models on the server: list, import, export, load, unload, point aliases. Changes go to its admin port.
    #[command(
        after_help = "Example: longcast client admin import load load.longcast --default --address 127.0.0.1:50052"
    )]
    Admin(AdminArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ClientForecastArguments {
    /// The model: models/load, models/load/revisions/3f..., models/load@champion.
    pub(crate) model: String,
    /// The history: CSV, Parquet, Arrow or JSON, or - for standard input.
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// The file to write: csv, parquet, arrow or json; CSV on standard output if left out.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SessionArguments {
    /// The session: 1 to 63 letters, digits, dashes, dots or underscores. It is made if there is none.
    pub(crate) session: String,
    /// Rows with a header: a column of time stamps, one of series ids if there are several, and the values; a CSV
    /// file, or - for standard input.
    #[arg(default_value = "-")]
    pub(crate) data: PathBuf,
    /// The model, for a session that is made.
    #[arg(long, default_value = "")]
    pub(crate) model: String,
    /// The series ids of a session that is made [default: one series named like the session].
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub(crate) series: Vec<String>,
    /// The history that a session that is made begins with: CSV, Parquet, Arrow or JSON; its series ids are those of
    /// the session.
    #[arg(long, value_name = "FILE", conflicts_with = "series")]
    pub(crate) history: Option<PathBuf>,
    /// Steps ahead.
    #[arg(long, alias = "h", default_value_t = 1)]
    pub(crate) horizon: usize,
    /// Prediction intervals, in percent.
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    pub(crate) level: Vec<f64>,
    /// Quantiles, as fractions.
    #[arg(long, value_name = "QUANTILE,...", value_delimiter = ',', alias = "quantile")]
    pub(crate) quantiles: Vec<f64>,
    /// A forecast after every so many observations of a series.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) every: u32,
    /// What an acknowledgement promises: sync (on disk), async (on disk a little later) or memory [default: the
    /// server's choice].
    #[arg(long, value_name = "DURABILITY")]
    pub(crate) durability: Option<String>,
    /// Seconds without a row and without a connection after which a session that is made is deleted [default: a day].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) idle_seconds: Option<u32>,
    /// The first row follows what the session has; else the input is the whole stream from its first row, and rows
    /// that the session has are passed over.
    #[arg(long = "continue")]
    pub(crate) continues: bool,
    /// The column with the time stamps [default: ds, timestamp, time or date, else the first].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time_col: Option<String>,
    /// The column with the series id [default: unique_id, item_id or series_id].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id_col: Option<String>,
    /// Rows that are sent together, at most.
    #[arg(long, default_value_t = 512, value_name = "N")]
    pub(crate) batch: usize,
    /// Seconds that a lost connection is tried again.
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    pub(crate) retry_for: f64,
}
