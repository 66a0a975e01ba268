//! The gRPC service under load, client and server on one machine: unary forecasts beside Python's grpcio and a bare
//! tonic echo, observations into sessions, overload, latency at half load and while a training runs, many sessions over a restart.

mod calls;
mod overload;
mod python;
mod streams;
mod work;

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Setting;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::scratch::Scratch;
use work::Work;

/// What to measure.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServiceArguments {
    /// Parts of the topic [default: all].
    #[arg(long, value_name = "PART,...", value_delimiter = ',')]
    parts: Vec<Part>,
}

/// A part of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Unary forecasts: throughput, latency at half of it, alone and while a training runs and models are loaded.
    Calls,
    /// Ten times as many calls as the server can answer.
    Overload,
    /// Observations into sessions.
    Sessions,
    /// Many sessions over a restart.
    Restart,
}

/// How long everything is measured.
struct Pace {
    n_rounds: usize,
    unary: Duration,
    half_load: Duration,
    overload: Duration,
    sessions: Duration,
    n_live: usize,
    /// Observations after which the cost of one is compared with that of the first.
    n_long: u64,
}

pub(crate) fn run(setting: &Setting, arguments: &ServiceArguments) -> Result<Vec<Record>> {
    let has = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let seconds = Duration::from_secs;
    let pace = match setting.is_quick {
        true => Pace {
            n_rounds: 1,
            unary: seconds(1),
            half_load: seconds(2),
            overload: seconds(2),
            sessions: seconds(2),
            n_live: 200,
            n_long: 400_000,
        },
        false => Pace {
            n_rounds: 3,
            unary: seconds(4),
            half_load: seconds(10),
            overload: seconds(30),
            sessions: seconds(60),
            n_live: 10_000,
            n_long: 10_000_000,
        },
    };
    let scratch = Scratch::new("service")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Unexpected(format!("no runtime: {error}")))?;
    let work = Work::new(setting, &scratch, work::SHORT)?;
    let long = Work::new(setting, &scratch, work::LONG)?;
    let mut records = Vec::new();
    if has(Part::Calls) {
        records.extend(runtime.block_on(calls::unary(setting, &pace, &work, &long))?);
    }
    if has(Part::Overload) {
        records.extend(runtime.block_on(overload::overload(&pace, &long))?);
    }
    if has(Part::Sessions) {
        records.extend(runtime.block_on(streams::observations(&pace, &work))?);
    }
    if has(Part::Restart) {
        records.push(runtime.block_on(streams::live_sessions(&pace, &work))?);
    }
    Ok(records)
}
