//! What can be typed. Every command shows an example in its help.

mod lags;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use lags::{CoefArguments, ExplainArguments, LagArguments};

/// Forecasts fine-grained time series: seconds, minutes, hours.
#[derive(Debug, Parser)]
#[command(name = "longcast", version, propagate_version = true, after_help = "Start with: longcast demo")]
pub(crate) struct Arguments {
    /// Results as JSON on standard output, errors as JSON on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The bundled data sets: list them, show where they come from, write them to files.
    #[command(after_help = "Example: longcast data export electricity -o load.csv")]
    Data(DataArguments),
    /// What is in a file: step, gaps, duplicates, missing values, outliers, seasons.
    #[command(after_help = "Example: longcast inspect load.csv --plot missing.png")]
    Inspect(InspectArguments),
    /// Write the data as the models see them: sorted, on their grid, a row for every step, with covariates.
    #[command(
        after_help = "Example: longcast clean load.csv -o clean.parquet --time-features --fourier 1D:4,7D:3"
    )]
    Clean(CleanArguments),
    /// Fit a model and save it.
    #[command(after_help = "Example: longcast fit --model ar --order 168 load.csv -o load.longcast")]
    Fit(FitArguments),
    /// Forecast what follows the training data, or the end of another file.
    #[command(
        after_help = "Example: longcast forecast load.longcast --horizon 168 --level 80,95 -o week.csv --plot week.png"
    )]
    Forecast(ForecastArguments),
    /// What an autoregression has learned: the weight of each lag, and how far back that is.
    #[command(after_help = "Example: longcast coef load.longcast --plot weights.png")]
    Coef(CoefArguments),
    /// Split one forecast into what each past value adds to it.
    #[command(after_help = "Example: longcast explain load.longcast --step 24 -o why.csv --plot why.png")]
    Explain(ExplainArguments),
    /// Forecast from several cutoffs in the past and score against what followed.
    #[command(
        after_help = "Example: longcast backtest load.csv --model ar --horizon 168 --n-windows 24 --level 80,95"
    )]
    Backtest(Box<BacktestArguments>),
    /// Fit and forecast every series of a large panel on its own, in bounded memory; the same call goes on where a run stopped.
    #[command(
        after_help = "Example: longcast batch load.csv --model seasonal-naive,ar --level 80,95 -o all.parquet"
    )]
    Batch(BatchArguments),
    /// Score models by a protocol of the literature.
    #[command(after_help = "Example: longcast bench ltsf --data electricity --horizons 24,168")]
    Bench(BenchArguments),
    /// Draw a chart to a PNG file.
    #[command(after_help = "Example: longcast plot coefficients load.longcast -o lags.png")]
    Plot(PlotArguments),
    /// Answer forecasts over gRPC.
    #[command(after_help = "Example: longcast serve --model load.longcast --port 50051")]
    Serve(ServeArguments),
    /// The main job on bundled data: check, back-test, fit, forecast, draw, serve. Takes less than a minute.
    #[command(after_help = "Example: longcast demo")]
    Demo(DemoArguments),
    /// A completion script for a shell.
    #[command(after_help = "Example: longcast completions bash > /etc/bash_completion.d/longcast")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    #[command(subcommand)]
    pub(crate) action: DataAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// The names of the data sets, a line each.
    #[command(after_help = "Example: longcast data list")]
    List,
    /// Source, licence, columns and known defects of a data set.
    #[command(after_help = "Example: longcast data show electricity")]
    Show {
        /// The data set.
        name: String,
    },
    /// Write a data set as CSV.
    #[command(after_help = "Example: longcast data export electricity -o load.csv")]
    Export {
        /// The data set.
        name: String,
        /// The file to write; standard output if left out.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
}

/// How to read a data file.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// Column with the series id [default: unique_id, item_id or series_id].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id_col: Option<String>,
    /// Column with the time stamps [default: ds, timestamp, date, ...].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time_col: Option<String>,
    /// Columns with the values [default: y, target or value, else every column of numbers].
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) target_col: Vec<String>,
    /// The step, such as 15min, 1h, D, B for business days, MS, or 1 for an integer index [default: inferred].
    #[arg(long)]
    pub(crate) freq: Option<String>,
    /// When the series are open; what is closed is absent, not missing: "Mon-Fri 09:00-17:00; Sat 10:00-14:00;
    /// closed 2024-12-25" [default: always, or as business days if daily rows leave out every weekend].
    #[arg(long, value_name = "TIMES")]
    pub(crate) open: Option<String>,
    /// The zone of stamps without an offset, such as Europe/Rome or UTC.
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Several rows for one stamp: error, mean, sum, first, last, min, max or count.
    #[arg(long, value_name = "POLICY", default_value = "error")]
    pub(crate) duplicates: String,
    /// Rows older than a row before them: sort or error.
    #[arg(long, value_name = "POLICY", default_value = "sort")]
    pub(crate) out_of_order: String,
    /// Resample rows to the step of --freq by their mean, sum, first, last, min, max or count.
    #[arg(long, value_name = "HOW")]
    pub(crate) aggregate: Option<String>,
    /// Covariates whose values are known ahead: prices, plans, a weather forecast.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) future_col: Vec<String>,
    /// Covariates that are known up to the cutoff: measured weather.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) past_col: Vec<String>,
    /// Covariates with one value for a whole series: a region.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) static_col: Vec<String>,
    /// Those among the covariates that hold categories, also such that look like numbers.
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    pub(crate) categorical_col: Vec<String>,
    /// Covariates in a TOML file: under [covariates], a line such as price = "future" for each.
    #[arg(long, value_name = "FILE")]
    pub(crate) covariates: Option<PathBuf>,
    /// What is known ahead from a table of its own: rows after the ends of the series, with the columns of
    /// --future-col.
    #[arg(long, value_name = "FILE")]
    pub(crate) future: Option<PathBuf>,
    /// A series that cannot be used: stop at it, or leave-out and name it.
    #[arg(long, value_name = "POLICY", default_value = "stop")]
    pub(crate) bad_series: String,
    /// The form of time stamps in text, such as "%d.%m.%Y %H:%M" [default: told from the stamps].
    #[arg(long, value_name = "FORM")]
    pub(crate) time_format: Option<String>,
    /// The format of the data [default: told from the name or the first bytes].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) input_format: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The data: CSV, Parquet, Arrow or JSON, long or wide; a file, a quoted pattern, a folder, or - for standard input.
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Draw a map of missing values to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    /// The data: CSV, Parquet, Arrow or JSON, long or wide; a file, a quoted pattern, a folder, or - for standard input.
    pub(crate) data: PathBuf,
    /// The file to write: csv, parquet, arrow or ndjson; CSV on standard output if left out.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Add the time features of the step, such as hour and weekday, from -0.5 to 0.5.
    #[arg(long)]
    pub(crate) time_features: bool,
    /// Add sines and cosines of seasons: a period and how many of each, such as 1D:4.
    #[arg(long, value_name = "PERIOD:ORDER,...", value_delimiter = ',')]
    pub(crate) fourier: Vec<String>,
    /// Add a column of 0 and 1 for each holiday of this table with the columns ds and holiday.
    #[arg(long, value_name = "FILE")]
    pub(crate) holidays: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

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
    /// The model: naive, seasonal-naive, drift, window-mean, ar, ar-net or neural-ar.
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
pub(crate) struct BatchArguments {
    /// The data, rows grouped by series: Parquet is read in pieces, CSV and Arrow IPC file by file.
    #[arg(required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// The models, each with columns of its own: naive, seasonal-naive, drift, window-mean, ar, ar-net or neural-ar.
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

#[derive(Debug, Args)]
pub(crate) struct PlotArguments {
    #[command(subcommand)]
    pub(crate) chart: Chart,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Chart {
    /// The end of the training data and the forecast, with intervals.
    #[command(
        after_help = "Example: longcast plot forecast load.longcast --horizon 168 --level 80,95 -o week.png"
    )]
    Forecast {
        /// The model file.
        model: PathBuf,
        /// The series or channel [default: the first].
        #[arg(long, value_name = "ID")]
        series: Option<String>,
        #[command(flatten)]
        spec: SpecArguments,
        #[command(flatten)]
        target: Target,
    },
    /// The coefficients of an autoregression by lag.
    #[command(after_help = "Example: longcast plot coefficients load.longcast -o lags.png")]
    Coefficients {
        /// The model file.
        model: PathBuf,
        /// The series or channel [default: the first].
        #[arg(long, value_name = "ID")]
        series: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Forecasts against actuals, from a file that `backtest -o` wrote.
    #[command(after_help = "Example: longcast plot backtest backtest.csv -o backtest.png")]
    Backtest {
        /// The file that `backtest -o` wrote.
        table: PathBuf,
        /// The series or channel [default: the first].
        #[arg(long, value_name = "ID")]
        series: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// The error by step ahead of several models, from a file that `backtest -o` wrote.
    #[command(after_help = "Example: longcast plot horizon backtest.csv -o horizon.png")]
    Horizon {
        /// The file that `backtest -o` wrote.
        table: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// The measured against the nominal coverage of intervals, from a file that `backtest -o` wrote.
    #[command(after_help = "Example: longcast plot calibration backtest.csv -o calibration.png")]
    Calibration {
        /// The file that `backtest -o` wrote, with intervals.
        table: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// The best, the median and the worst forecast of the best model, from a file that `backtest -o` wrote.
    #[command(after_help = "Example: longcast plot sample backtest.csv -o sample.png")]
    Sample {
        /// The file that `backtest -o` wrote.
        table: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Where values are missing.
    #[command(after_help = "Example: longcast plot missing load.csv -o missing.png")]
    Missing {
        /// The data.
        data: PathBuf,
        #[command(flatten)]
        input: Box<InputArguments>,
        #[command(flatten)]
        target: Target,
    },
}

impl Chart {
    /// The file to draw to.
    pub(crate) fn path(&self) -> &std::path::Path {
        match self {
            Chart::Forecast { target, .. }
            | Chart::Coefficients { target, .. }
            | Chart::Backtest { target, .. }
            | Chart::Horizon { target, .. }
            | Chart::Calibration { target, .. }
            | Chart::Sample { target, .. }
            | Chart::Missing { target, .. } => &target.output,
        }
    }
}

/// Where to draw.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The PNG file to write.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// A model file; load.longcast is served as models/load. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) model: Vec<PathBuf>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 50051)]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder to write to; made if it is not there.
    #[arg(short, long, value_name = "FOLDER", default_value = "longcast-demo")]
    pub(crate) output: PathBuf,
}
