//! What can be typed: models that are fitted and forecast with.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::InputArguments;

/// How to fit.
#[derive(Debug, Args)]
pub(crate) struct FittingArguments {
    /// Number of lags of the textbook's autoregression [default: a direct one, the mean over look-backs of 336 and 720].
    #[arg(long)]
    pub(crate) order: Option<usize>,
    /// Steps that the model looks back: of drift and window-mean; of ar the same as --order.
    #[arg(long, visible_aliases = ["input-size", "context-length", "seq-len"])]
    pub(crate) lookback: Option<usize>,
    /// Steps of one season [default: the one that stands out in the data].
    #[arg(long)]
    pub(crate) season_length: Option<usize>,
    /// Any other setting of the model, as name=value.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Share of the steps that intervals are calibrated on [default: a year, 0.2 to 0.4].
    #[arg(long, value_name = "SHARE")]
    pub(crate) validation: Option<f64>,
    /// Windows of each series that intervals are calibrated on [default: up to 2500; of batch 200].
    #[arg(long, value_name = "N")]
    pub(crate) calibration_windows: Option<usize>,
    /// How series are scaled: standard, robust, min-max or none.
    #[arg(long, default_value = "standard")]
    pub(crate) scaling: String,
    /// Keep the coefficients that were fitted without the validation range.
    #[arg(long)]
    pub(crate) no_refit: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FitArguments {
    /// The data: CSV, Parquet, Arrow or JSON, long or wide; a file, a quoted pattern, a folder, or - for standard input.
    pub(crate) data: PathBuf,
    /// The model: naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer or ssm.
    #[arg(long, default_value = "ar", conflicts_with = "config")]
    pub(crate) model: String,
    /// Settings of the model in a TOML file, with its name under `model`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The file to save the model to.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Longest horizon that intervals are calibrated for [default: the longest usual season, such as a week, from 24 to 1440].
    #[arg(long, alias = "h")]
    pub(crate) horizon: Option<usize>,
    /// Unit of the values, for charts, such as kW.
    #[arg(long, default_value = "")]
    pub(crate) unit: String,
    /// Go on with a training that was interrupted: its state lies in OUTPUT.training until it is done.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Seconds after which a training stops, with what is best so far; a learning rate that follows a cosine or one
    /// cycle has come down by then.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) time_limit: Option<f64>,
    /// Where a network is trained: cpu, or wgpu or cuda if the program was built for them.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Draw the losses of a training to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot_losses: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fitting: FittingArguments,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    #[command(subcommand)]
    pub(crate) family: ImportedFamily,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportedFamily {
    /// A PyTorch state dict of the reference code of Informer, calibrated on your data.
    #[command(
        after_help = "Example: longcast import informer checkpoint.pth --data ETTh1.csv --horizon 24 --config informer.toml -o etth1.longcast"
    )]
    Informer(ImportInformerArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ImportInformerArguments {
    /// The state dict: a .pth or .safetensors file.
    pub(crate) checkpoint: PathBuf,
    /// The data that the model is for: scaled by their training range, as the reference code does.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Settings that leave no trace in a state dict (heads, factor, lookback, label_length, mix, ...) in a TOML file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Steps that the network forecasts.
    #[arg(long, alias = "h")]
    pub(crate) horizon: usize,
    /// The file to save the model to.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) fitting: FittingArguments,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

/// What to forecast.
#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    /// Steps ahead [default: the horizon that the model was calibrated for].
    #[arg(long, alias = "h")]
    pub(crate) horizon: Option<usize>,
    /// Prediction intervals, in percent.
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    pub(crate) level: Vec<f64>,
    /// Quantiles, as fractions.
    #[arg(long, value_name = "QUANTILE,...", value_delimiter = ',', alias = "quantile")]
    pub(crate) quantiles: Vec<f64>,
    /// Intervals hold the whole path of the horizon with their level, not each step alone.
    #[arg(long, requires = "level")]
    pub(crate) joint: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ForecastArguments {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The history to forecast from; the end of the training data if left out.
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// The file to write: csv, parquet, arrow or json; CSV on standard output if left out.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Draw the forecast to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// The series or channel to draw, where there are several [default: the first].
    #[arg(long, value_name = "ID")]
    pub(crate) plot_series: Option<String>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArguments {
    /// The data, rows grouped by series: Parquet is read in pieces, CSV and Arrow IPC file by file.
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// The models, each with columns of its own: naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer or ssm.
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',', default_value = "seasonal-naive")]
    pub(crate) model: Vec<String>,
    /// Steps ahead.
    #[arg(long, alias = "h", default_value_t = 24)]
    pub(crate) horizon: usize,
    /// Prediction intervals, in percent.
    #[arg(long, value_name = "LEVEL,...", value_delimiter = ',')]
    pub(crate) level: Vec<f64>,
    /// Quantiles, as fractions.
    #[arg(long, value_name = "QUANTILE,...", value_delimiter = ',', alias = "quantile")]
    pub(crate) quantiles: Vec<f64>,
    /// The file to write: parquet, arrow or csv. Parts lie in FILE.parts until all are done.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// The CSV file for what failed, if anything does [default: <output without extension>.errors.csv].
    #[arg(long, value_name = "FILE")]
    pub(crate) errors: Option<PathBuf>,
    /// Memory that the run may take, such as 2GiB or 500MB [default: half of the machine's].
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,
    /// Series that are kept together: what a run that is ended computes again at most [default: 1000, less for long horizons].
    #[arg(long, value_name = "N")]
    pub(crate) series_per_part: Option<usize>,
    /// Throw away what an unfinished run left.
    #[arg(long)]
    pub(crate) restart: bool,
    #[command(flatten)]
    pub(crate) fitting: FittingArguments,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}
