//! `windows`: what a window costs, over a million of them, and what the lag matrix of an autoregression costs.
//!
//! Both sides read the first and the last value of input and label of every window and sum them; the series holds
//! whole numbers, so the sums are exact and have to be equal.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use forecast::data::WindowSpec;
use forecast::{Panel, ReadOptions, Series};
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn, resident_bytes};
use crate::peer::{Peer, WINDOWS};
use crate::record::Record;

const N_WINDOWS: usize = 1_000_000;
const WINDOW: WindowSpec = WindowSpec { lookback: 512, horizon: 24, stride: 1 };
/// The order of the lag matrix, on as many steps as the bundled electricity load has.
const LAGS: WindowSpec = WindowSpec { lookback: 168, horizon: 1, stride: 1 };
const LAG_STEPS: usize = 26_304;

#[derive(Debug, Serialize)]
struct Question {
    task: &'static str,
    n_steps: usize,
    lookback: usize,
    horizon: usize,
}

#[derive(Debug, Deserialize)]
struct Work {
    seconds: f64,
    checksum: f64,
    /// Resident memory after less before; `None` where the system does not tell.
    growth_bytes: Option<f64>,
}

/// A task of `peers/windows.py`, and how to name its record and itself.
#[derive(Debug, Clone, Copy)]
struct Rival {
    task: &'static str,
    suffix: &'static str,
    peer: &'static str,
    /// Whether it does the same job, so that it has to be beaten.
    is_like_for_like: bool,
}

const ITERATION_RIVALS: [Rival; 3] = [
    Rival {
        task: "one_view_a_window",
        suffix: "",
        peer: "numpy sliding_window_view, a view each in a loop",
        is_like_for_like: true,
    },
    Rival {
        task: "copies_in_batches",
        suffix: "_vs_copies",
        peer: "numpy, batches of 1,024 copied into one buffer",
        is_like_for_like: true,
    },
    Rival {
        task: "columns_at_once",
        suffix: "_vs_columns",
        peer: "numpy, four columns summed, no window made",
        is_like_for_like: false,
    },
];
const LAG_RIVALS: [Rival; 2] = [
    Rival {
        task: "lag_matrix_by_numpy",
        suffix: "",
        peer: "numpy sliding_window_view, copied",
        is_like_for_like: true,
    },
    Rival {
        task: "lag_matrix_by_statsmodels",
        suffix: "_vs_statsmodels",
        peer: "statsmodels lagmat",
        is_like_for_like: true,
    },
];

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 5 } else { 21 };
    let peer = if setting.has_peers {
        Some(RefCell::new(Peer::start(&Python::with_packages()?, WINDOWS)?))
    } else {
        None
    };
    console::note(format!("windows: {n_runs} runs of each side, in turn"));
    let panel = counting(WINDOW.lookback + N_WINDOWS + WINDOW.horizon - 1)?;
    let series = &panel.series()[0];
    let mut records = iteration(n_runs, series, peer.as_ref())?;
    records.extend(lag_matrix(n_runs, &series.slice(0..LAG_STEPS), peer.as_ref())?);
    Ok(records)
}

/// Iterating over a million windows: time, and growth of the process.
fn iteration(n_runs: usize, series: &Series, peer: Option<&RefCell<Peer>>) -> Result<Vec<Record>> {
    let ours = || work(|| sum_of_ends(series));
    let measured =
        beside(n_runs, Box::new(ours), "the iteration", WINDOW, series.n_steps(), peer, &ITERATION_RIVALS)?;
    let mut records =
        compare("windows_iterate", "ns/window", 1e9 / N_WINDOWS as f64, &measured, &ITERATION_RIVALS);
    let growth = |runs: &[Work]| {
        let mb: Option<Vec<f64>> = runs.iter().map(|run| Some(1e-6 * run.growth_bytes?)).collect();
        mb.map(Spread::of)
    };
    if let Some(ours) = growth(&measured[0]) {
        let record = Record::new("windows_iterate_memory_growth", "MB", ours);
        records.push(match measured.get(1).and_then(|runs| growth(runs)) {
            Some(theirs) => record.beside(ITERATION_RIVALS[0].peer, theirs),
            None => record,
        });
    }
    Ok(records)
}

/// Stacking the windows of the order as the rows of a matrix.
fn lag_matrix(n_runs: usize, series: &Series, peer: Option<&RefCell<Peer>>) -> Result<Vec<Record>> {
    let ours = || work(|| sum_of_corners(series));
    let measured =
        beside(n_runs, Box::new(ours), "the lag matrix", LAGS, series.n_steps(), peer, &LAG_RIVALS)?;
    Ok(compare("windows_lag_matrix_p168", "ms", 1e3, &measured, &LAG_RIVALS))
}

/// A series of whole numbers, 0 to 999 again and again.
fn counting(n_steps: usize) -> Result<Panel> {
    let rows: String = (0..n_steps).map(|step| format!("{step},{}\n", step % 1000)).collect();
    Ok(Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "counting.csv", &ReadOptions::default())?)
}

/// Sums the first and the last value of input and label of all windows.
fn sum_of_ends(series: &Series) -> Result<f64> {
    let WindowSpec { lookback, horizon, .. } = WINDOW;
    let mut sum = 0.0;
    for window in WINDOW.windows(series, lookback..series.n_steps())? {
        // The whole window has to be there, not only the four values that are read.
        let window = black_box(window);
        sum += window.input[[0, 0]]
            + window.input[[lookback - 1, 0]]
            + window.label[[0, 0]]
            + window.label[[horizon - 1, 0]];
    }
    Ok(sum)
}

/// Builds lags and target as an autoregression does, and sums three of their corners.
fn sum_of_corners(series: &Series) -> Result<f64> {
    let order = LAGS.lookback;
    let n_rows = series.n_steps() - order;
    let (mut lags, mut target) = (Vec::with_capacity(n_rows * order), Vec::with_capacity(n_rows));
    for window in LAGS.windows(series, order..series.n_steps())? {
        match window.input.as_slice() {
            Some(row) => lags.extend_from_slice(row),
            None => lags.extend(window.input.iter().copied()),
        }
        target.push(window.label[[0, 0]]);
    }
    let (lags, target) = black_box((lags, target));
    let ends = [lags.first(), lags.last(), target.last()];
    Ok(ends.into_iter().flatten().sum())
}

/// Does some work once, with the clock and an eye on the memory.
fn work(job: impl Fn() -> Result<f64>) -> Result<Work> {
    let before = resident_bytes();
    let start = Instant::now();
    let checksum = job()?;
    let seconds = start.elapsed().as_secs_f64();
    let growth_bytes = resident_bytes().zip(before).map(|(after, before)| after - before);
    Ok(Work { seconds, checksum, growth_bytes })
}

/// Runs ours and, if there is a peer, its rivals in turn; all have to have read the same values.
///
/// # Shapes
/// `(side, run)`, ours first.
fn beside<'a>(
    n_runs: usize,
    ours: Candidate<'a, Work>,
    what: &'static str,
    spec: WindowSpec,
    n_steps: usize,
    peer: Option<&'a RefCell<Peer>>,
    rivals: &'a [Rival],
) -> Result<Vec<Vec<Work>>> {
    let mut sides = vec![ours];
    if let Some(peer) = peer {
        for rival in rivals {
            let question =
                Question { task: rival.task, n_steps, lookback: spec.lookback, horizon: spec.horizon };
            sides.push(Box::new(move || peer.borrow_mut().ask(&question)));
        }
    }
    let measured = in_turn(n_runs, &mut sides)?;
    let checksum = |runs: &[Work]| runs.first().map_or(f64::NAN, |run| run.checksum);
    let ours = checksum(&measured[0]);
    for (rival, runs) in rivals.iter().zip(&measured[1..]) {
        let theirs = checksum(runs);
        if ours.to_bits() != theirs.to_bits() {
            return Err(Error::Differs { what, ours, peer: rival.peer, theirs });
        }
    }
    Ok(measured)
}

/// The records of our time beside each rival's, or alone if none ran.
fn compare(
    name: &str,
    unit: &'static str,
    per_second: f64,
    measured: &[Vec<Work>],
    rivals: &[Rival],
) -> Vec<Record> {
    let time = |runs: &[Work]| Spread::of(runs.iter().map(|run| run.seconds)).times(per_second);
    let ours = time(&measured[0]);
    if measured.len() == 1 {
        return vec![Record::new(name, unit, ours)];
    }
    let record = |(rival, runs): (&Rival, &Vec<Work>)| {
        let record =
            Record::new(&format!("{name}{}", rival.suffix), unit, ours).beside(rival.peer, time(runs));
        if rival.is_like_for_like { record.ratio_at_least(1.0) } else { record }
    };
    rivals.iter().zip(&measured[1..]).map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_a_plain_loop_over_the_series() {
        let panel = counting(2_000).unwrap();
        let at = |step: usize| (step % 1000) as f64;
        let ends = |cutoff: usize| at(cutoff - 512) + at(cutoff - 1) + at(cutoff) + at(cutoff + 23);
        let expected: f64 = (512..=2_000 - 24).map(ends).sum();
        assert_eq!(sum_of_ends(&panel.series()[0]).unwrap(), expected);
        assert_eq!(sum_of_corners(&panel.series()[0]).unwrap(), at(0) + at(1_998) + at(1_999));
    }
}
