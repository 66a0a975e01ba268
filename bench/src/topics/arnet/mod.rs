//! `arnet`: the experiments of the AR-Net paper (arXiv 1911.12436): coefficients found, what forecasts lose by them,
//! and the time and memory that fits take.
//!
//! The series are of the paper's AR(3) process, 125,000 steps, of which the first 100,000 are fitted and the rest
//! forecast one step ahead. Time is that of the fit alone, from an array in memory to coefficients.

mod accuracy;
mod charts;
mod fit;
mod growth;
mod known;
mod memory;
mod peers;
mod samples;
mod times;
mod truth;

use clap::{Args, ValueEnum};

use super::Setting;
use crate::console;
use crate::error::Result;
use crate::record::Record;
use crate::scratch::Scratch;
use peers::Peers;
use samples::Sample;

pub(crate) use memory::once;

/// What to measure.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ArnetArguments {
    /// Parts of the topic [default: all].
    #[arg(long, value_name = "PART,...", value_delimiter = ',')]
    parts: Vec<Part>,
}

/// A part of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What each way to fit finds of the AR(3), and what its forecasts lose.
    Accuracy,
    /// Other processes whose coefficients are known.
    Known,
    /// The time of each way to fit beside its rivals.
    Times,
    /// The most memory that least squares takes, beside its rivals.
    Memory,
    /// How time grows with the order and with the length of the series.
    Growth,
}

const ORDERS: [usize; 5] = [3, 10, 100, 1_000, 3_000];
const N_SEEDS: u64 = 5;

pub(crate) fn run(setting: &Setting, arguments: &ArnetArguments) -> Result<Vec<Record>> {
    let has = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let (orders, n_seeds) = if setting.is_quick { (&ORDERS[1..3], 2) } else { (&ORDERS[..], N_SEEDS) };
    let scratch = Scratch::new("arnet")?;
    let samples = (1..=n_seeds).map(|seed| Sample::new(seed, &scratch)).collect::<Result<Vec<_>>>()?;
    let mut records = Vec::new();
    if has(Part::Accuracy) || has(Part::Times) {
        let peers = Peers::start(setting)?;
        for order in orders {
            if has(Part::Accuracy) {
                records.extend(accuracy::accuracy(*order, &samples, &peers, setting.is_quick)?);
            }
            if has(Part::Times) {
                console::note(format!("arnet: times of {order} lags"));
                records.extend(times::times(*order, &samples[0], &peers, setting.is_quick)?);
            }
        }
    }
    if has(Part::Known) {
        records.extend(known::known(setting.is_quick)?);
    }
    if has(Part::Memory) {
        records.extend(memory::memory(setting, &samples[0], &scratch)?);
    }
    if has(Part::Growth) {
        records.extend(growth::growth(setting.is_quick)?);
    }
    if let Some(folder) = &setting.plots {
        charts::draw(&records, folder)?;
    }
    Ok(records)
}
