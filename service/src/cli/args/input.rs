//! What can be typed: data that are read, looked at and put on their grid.

use std::path::PathBuf;

use clap::Args;

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
