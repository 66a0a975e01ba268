//! The program `forecast-bench`: one subcommand a topic, each beside peers measured in the same run.

mod columns;
mod console;
mod environment;
mod error;
mod load;
mod measure;
mod peer;
mod process;
mod record;
mod rival;
mod scratch;
mod topics;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Result;
use record::Record;
use topics::Setting;
use topics::arnet::ArnetArguments;
use topics::informer::InformerArguments;
use topics::ltsf::LtsfArguments;
use topics::service::ServiceArguments;
use topics::ssm::SsmArguments;

/// A topic's measurements.
type Run<'a> = dyn Fn(&Setting) -> Result<Vec<Record>> + 'a;

/// Measures Longcast beside its peers; each topic prints a table.
#[derive(Debug, Parser)]
#[command(
    name = "forecast-bench",
    version,
    after_help = "Example: forecast-bench all --quick --json all.json"
)]
struct Arguments {
    #[command(subcommand)]
    topic: Topic,
    /// Fewer runs of everything.
    #[arg(long, global = true)]
    quick: bool,
    /// Measure Longcast alone: nothing is installed, records have no ratio.
    #[arg(long, global = true)]
    no_peers: bool,
    /// Write the records to this file as well.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw charts into this folder, by topics that have some.
    #[arg(long, global = true, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// The program longcast [default: the one beside forecast-bench].
    #[arg(long, global = true, value_name = "PATH")]
    longcast: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
enum Topic {
    /// The whole process `longcast forecast` with a saved model: wall time and peak memory.
    #[command(after_help = "Example: forecast-bench cold-start --json cold-start.json")]
    ColdStart,
    /// A million windows over a series, and the lag matrix of an autoregression.
    #[command(after_help = "Example: forecast-bench windows --json windows.json")]
    Windows,
    /// A million rows of CSV and of Parquet to a checked panel, beside polars' own read.
    #[command(after_help = "Example: forecast-bench read --json read.json")]
    Read,
    /// Thousands of series by `longcast batch`: time, and peak memory.
    #[command(after_help = "Example: forecast-bench panel --json panel.json")]
    Panel,
    /// Autoregressions: what each way to fit finds in the AR-Net paper's experiments, its time and its memory.
    #[command(
        after_help = "Example: forecast-bench arnet --parts accuracy,known --json arnet.json --plots charts"
    )]
    Arnet(ArnetArguments),
    /// A stream of observations with a forecast after each, and with coefficients that learn.
    #[command(after_help = "Example: forecast-bench stream --json stream.json")]
    Stream,
    /// The tables of the Informer paper: networks trained on ETTh1 and ETTh2, every window scored.
    #[command(
        after_help = "Example: forecast-bench informer --sets ETTh1 --horizons 24 --set d_model=64 --json informer.json"
    )]
    Informer(InformerArguments),
    /// Networks and kernels beside PyTorch: steps of training, forecasts, attention, a cold start.
    #[command(after_help = "Example: forecast-bench kernels --json kernels.json --plots charts")]
    Kernels,
    /// Does work that is asked for on standard input: what `kernels` runs in processes of their own.
    #[command(hide = true)]
    Workload,
    /// Does the work of one layer that is asked for on standard input: what `ssm` runs in processes of their own.
    #[command(hide = true)]
    Layer,
    /// State spaces and global convolutions: layers beside PyTorch, growth with the length, a needle far back, and the
    /// tables of the S4 paper.
    #[command(after_help = "Example: forecast-bench ssm --parts speed,needle --json ssm.json --plots charts")]
    Ssm(SsmArguments),
    /// The literature's long-horizon protocol over all data at hand: autoregressions with their defaults beside naive
    /// forecasts and what is published.
    #[command(after_help = "Example: forecast-bench ltsf --sets ETTh1,ETTh2 --json ltsf.json")]
    Ltsf(LtsfArguments),
    /// The gRPC service under load: calls, sessions, latencies, a restart.
    #[command(after_help = "Example: forecast-bench service --parts calls,sessions --json service.json")]
    Service(ServiceArguments),
    /// The bare server that the service is measured beside.
    #[command(hide = true)]
    Echo,
    /// Reads a file and says how much memory that takes: what `read` runs in a process of its own.
    #[command(hide = true)]
    ReadOnce { file: PathBuf },
    /// Fits a series once: what `arnet` runs in a process of its own.
    #[command(hide = true)]
    ArnetOnce {
        #[arg(long)]
        order: usize,
        file: PathBuf,
    },
    /// Every topic.
    #[command(after_help = "Example: forecast-bench all --quick --json all.json")]
    All,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::note(format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let setting = Setting {
        is_quick: arguments.quick,
        has_peers: !arguments.no_peers,
        longcast: arguments.longcast,
        plots: arguments.plots,
    };
    let informer = |setting: &Setting| match &arguments.topic {
        Topic::Informer(informer) => topics::informer::run(setting, informer),
        _ => topics::informer::run_quick(setting),
    };
    let ssm = |setting: &Setting| match &arguments.topic {
        Topic::Ssm(ssm) => topics::ssm::run(setting, ssm),
        _ => topics::ssm::run_without_data(setting),
    };
    let arnet = |setting: &Setting| match &arguments.topic {
        Topic::Arnet(arnet) => topics::arnet::run(setting, arnet),
        _ => topics::arnet::run(setting, &ArnetArguments::default()),
    };
    let ltsf = |setting: &Setting| match &arguments.topic {
        Topic::Ltsf(ltsf) => topics::ltsf::run(setting, ltsf),
        _ => topics::ltsf::run(setting, &LtsfArguments::default()),
    };
    let service = |setting: &Setting| match &arguments.topic {
        Topic::Service(service) => topics::service::run(setting, service),
        _ => topics::service::run(setting, &ServiceArguments::default()),
    };
    let topics: &[&Run<'_>] = match &arguments.topic {
        Topic::ReadOnce { file } => return topics::read::once(file),
        Topic::ArnetOnce { order, file } => return topics::arnet::once(file, *order),
        Topic::Echo => return load::echo::serve(),
        Topic::Service(_) => &[&service],
        Topic::Workload => return topics::kernels::serve(),
        Topic::Layer => return topics::ssm::serve(),
        Topic::Informer(_) => &[&informer],
        Topic::Kernels => &[&topics::kernels::run],
        Topic::ColdStart => &[&topics::cold_start::run],
        Topic::Windows => &[&topics::windows::run],
        Topic::Read => &[&topics::read::run],
        Topic::Panel => &[&topics::panel::run],
        Topic::Arnet(_) => &[&arnet],
        Topic::Stream => &[&topics::stream::run],
        Topic::Ssm(_) => &[&ssm],
        Topic::Ltsf(_) => &[&ltsf],
        Topic::All => &[
            &topics::cold_start::run,
            &topics::windows::run,
            &topics::read::run,
            &topics::panel::run,
            &arnet,
            &topics::stream::run,
            &ssm,
            &service,
            &topics::kernels::run,
            &informer,
            &ltsf,
        ],
    };
    let mut records = Vec::new();
    for topic in topics {
        let measured = topic(&setting)?;
        // A row for each cell says the same in fewer lines.
        if !matches!(arguments.topic, Topic::Ltsf(_)) {
            console::lines(&record::table(&measured))?;
        }
        records.extend(measured);
    }
    match &arguments.json {
        Some(path) => Ok(forecast::write_atomically(path, record::json(&records)?.as_bytes())?),
        None => Ok(()),
    }
}
