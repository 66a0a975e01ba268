//! What can be typed. Every command shows an example in its help.

mod client;
mod client_admin;
mod client_jobs;
mod data;
mod fit;
mod input;
mod lags;
mod plot;
mod score;
mod serve;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use client::{
    ClientArguments, ClientCall, ClientForecastArguments, ConnectionArguments, SessionArguments,
};
pub(crate) use client_admin::{AdminAction, SessionsAction};
pub(crate) use client_jobs::{
    DatasetsAction, EvaluateArguments, JobSpecArguments, JobsAction, TrainArguments,
};
pub(crate) use data::{DataAction, DataArguments};
pub(crate) use fit::{
    BatchArguments, FitArguments, FittingArguments, ForecastArguments, ImportArguments,
    ImportInformerArguments, ImportedFamily, SpecArguments,
};
pub(crate) use input::{CleanArguments, InputArguments, InspectArguments};
pub(crate) use lags::{CoefArguments, ExplainArguments, LagArguments};
pub(crate) use plot::{Chart, PlotArguments};
pub(crate) use score::{BacktestArguments, BenchArguments, Features, LtsfArguments, Protocol};
pub(crate) use serve::{DemoArguments, ServeArguments};

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
    /// Make a model of weights that another program trained.
    #[command(
        after_help = "Example: longcast import informer checkpoint.pth --data ETTh1.csv --horizon 24 -o etth1.longcast"
    )]
    Import(ImportArguments),
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
    /// Use a running server: forecast, pipe a stream, train, evaluate, administer.
    #[command(after_help = "Example: longcast client forecast models/load load.csv --horizon 24")]
    Client(Box<ClientArguments>),
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

impl Command {
    /// `-o -` is standard output, where results go without `-o`.
    pub(crate) fn with_named_outputs(mut self) -> Self {
        let output = match &mut self {
            Command::Data(DataArguments { action: DataAction::Export { output, .. } }) => output,
            Command::Clean(arguments) => &mut arguments.output,
            Command::Forecast(arguments) => &mut arguments.output,
            _ => return self,
        };
        output.take_if(|path| path.as_os_str() == "-");
        self
    }
}
