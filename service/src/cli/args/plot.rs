//! What can be typed: charts of their own.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InputArguments, SpecArguments};

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
