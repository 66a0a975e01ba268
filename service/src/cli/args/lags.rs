//! What can be typed to read a model: its coefficients, and what they make of one forecast.

use std::path::PathBuf;

use clap::Args;

use super::InputArguments;

#[derive(Debug, Args)]
pub(crate) struct CoefArguments {
    /// The model file.
    pub(crate) model: PathBuf,
    /// Confidence intervals of the weights, in percent, where standard errors are known [default: 95].
    #[arg(long)]
    pub(crate) level: Option<f64>,
    #[command(flatten)]
    pub(crate) lags: LagArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The history to forecast from; the end of the training data if left out.
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lags: LagArguments,
    #[command(flatten)]
    pub(crate) input: InputArguments,
}

/// Of which forecast the lags are told, and where to.
#[derive(Debug, Args)]
pub(crate) struct LagArguments {
    /// The series, or its channel [default: the first].
    #[arg(long, value_name = "ID")]
    pub(crate) series: Option<String>,
    /// The channel, where there are several [default: the first].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// The step ahead, from 1.
    #[arg(long, value_name = "H", default_value_t = 1)]
    pub(crate) step: usize,
    /// How many of the largest are told one by one; files and JSON hold all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
    /// The file to write all lags to: csv, parquet, arrow or json.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format, where the extension does not say it.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Draw all lags to this PNG file.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}
