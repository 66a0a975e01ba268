//! `windows`: what a window costs, over a million of them, in a batch for training, and in the lag matrix of an
//! autoregression.
//!
//! All sides read the first and the last value of input and label of every window and sum them; the series holds
//! whole numbers, so that the sums are exact and have to be equal.

use std::cell::RefCell;
use std::hint::black_box;

use forecast::data::{Batch, BatchOptions, WindowOrder, WindowSet, WindowSpec};
use forecast::{Panel, ReadOptions, Series};
use serde::Serialize;

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::Result;
use crate::measure::Spread;
use crate::peer::{Peer, WINDOWS};
use crate::record::Record;
use crate::rival::{Contest, Rival, Work};

const N_WINDOWS: usize = 1_000_000;
const WINDOW: WindowSpec = WindowSpec { lookback: 512, horizon: 24, stride: 1 };
/// Windows that are copied at a time; `peers/windows.py` has the same.
const BATCH: usize = 1024;
/// Batches for training, over as many steps and channels as the ETT sets of hours have.
const TRAINING: WindowSpec = WindowSpec { lookback: 512, horizon: 96, stride: 1 };
const TRAINING_STEPS: usize = 17_420;
const TRAINING_CHANNELS: usize = 7;
/// Windows of a batch for training; `peers/windows.py` has the same.
const TRAINING_BATCH: usize = 32;
/// The order of the lag matrix, over as many steps as the bundled electricity load has.
const LAGS: WindowSpec = WindowSpec { lookback: 168, horizon: 1, stride: 1 };
const LAG_STEPS: usize = 26_304;

const ITERATION: [Rival; 3] = [
    Rival {
        record: "windows_iterate",
        task: "one_view_a_window",
        peer: "numpy sliding_window_view, a view of each window in a loop",
        bar: Some(1.0),
    },
    Rival {
        record: "windows_iterate_vs_copies",
        task: "copies_in_batches",
        peer: "numpy sliding_window_view, copied in batches of 1,024",
        bar: Some(1.0),
    },
    // No window is ever made, so this is a floor and not a rival.
    Rival {
        record: "windows_iterate_vs_columns",
        task: "columns_at_once",
        peer: "numpy sliding_window_view, four columns summed",
        bar: None,
    },
];
// A draw: both copy the same bytes as fast as memory takes them.
const BATCHES: [Rival; 1] = [Rival {
    record: "windows_batches",
    task: "copies_in_batches",
    peer: "numpy sliding_window_view, copied in batches of 1,024",
    bar: None,
}];
const TRAINING_BATCHES: [Rival; 2] = [
    Rival {
        record: "windows_training_batches",
        task: "training_batches",
        peer: "numpy sliding_window_view, indexed and cast to float32",
        bar: Some(1.0),
    },
    // It reads half the bytes and makes no masks: a floor.
    Rival {
        record: "windows_training_batches_vs_float32",
        task: "training_batches_of_float32",
        peer: "numpy sliding_window_view of a series of float32, indexed",
        bar: None,
    },
];
const LAG_MATRIX: [Rival; 2] = [
    Rival {
        record: "windows_lag_matrix_p168_vs_statsmodels",
        task: "lag_matrix_by_statsmodels",
        peer: "statsmodels lagmat",
        bar: Some(1.0),
    },
    // numpy asks for huge pages, which is most of the difference.
    Rival {
        record: "windows_lag_matrix_p168_vs_numpy",
        task: "lag_matrix_by_numpy",
        peer: "numpy sliding_window_view, copied",
        bar: None,
    },
];

#[derive(Debug, Serialize)]
struct Shape {
    n_steps: usize,
    n_channels: usize,
    lookback: usize,
    horizon: usize,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 5 } else { 21 };
    let peer = if setting.has_peers {
        Some(RefCell::new(Peer::start(&Python::with_packages()?, WINDOWS)?))
    } else {
        None
    };
    console::note(format!("windows: {n_runs} runs of each side, in turn"));
    let panel = counting(WINDOW.lookback + N_WINDOWS + WINDOW.horizon - 1, 1)?;
    let series = &panel.series()[0];
    let shape = shape(WINDOW, series);
    let each_window =
        Contest { unit: "ns/window", per_second: 1e9 / N_WINDOWS as f64, n_runs, rivals: &ITERATION };

    let iterated = each_window.run(|| sum_of_ends(series), peer.as_ref(), &shape)?;
    let mut records = each_window.records(&iterated);
    records.extend(memory_growth(&iterated));

    let batches = Contest { rivals: &BATCHES, ..each_window };
    let buffer = RefCell::new(Vec::with_capacity(BATCH * (WINDOW.lookback + WINDOW.horizon)));
    let batched = batches.run(|| sum_of_copies(series, &mut buffer.borrow_mut()), peer.as_ref(), &shape)?;
    records.extend(batches.records(&batched));

    records.extend(training_batches(n_runs, peer.as_ref())?);

    let lag_matrix = Contest { unit: "ms", per_second: 1e3, n_runs, rivals: &LAG_MATRIX };
    let series = series.slice(0..LAG_STEPS);
    let stacked = lag_matrix.run(|| sum_of_corners(&series), peer.as_ref(), &self::shape(LAGS, &series))?;
    records.extend(lag_matrix.records(&stacked));
    Ok(records)
}

fn shape(spec: WindowSpec, series: &Series) -> Shape {
    let n_channels = series.values().ncols();
    Shape { n_steps: series.n_steps(), n_channels, lookback: spec.lookback, horizon: spec.horizon }
}

/// A series of whole numbers, 0 to 999 again and again, step by step and in a step channel by channel.
fn counting(n_steps: usize, n_channels: usize) -> Result<Panel> {
    let mut csv = String::from("ds");
    (0..n_channels).for_each(|channel| csv.push_str(&format!(",y{channel}")));
    for step in 0..n_steps {
        csv.push_str(&format!("\n{step}"));
        (0..n_channels)
            .for_each(|channel| csv.push_str(&format!(",{}", (step * n_channels + channel) % 1000)));
    }
    Ok(Panel::read_csv(csv.as_bytes(), "counting.csv", &ReadOptions::default())?)
}

fn training_batches(n_runs: usize, peer: Option<&RefCell<Peer>>) -> Result<Vec<Record>> {
    let panel = counting(TRAINING_STEPS, TRAINING_CHANNELS)?;
    let set = WindowSet::new(TRAINING, &panel, std::iter::once(0..TRAINING_STEPS))?;
    let per_second = 1e9 / set.n_windows() as f64;
    let contest = Contest { unit: "ns/window", per_second, n_runs, rivals: &TRAINING_BATCHES };
    let batch = RefCell::new(Batch::default());
    let shape = shape(TRAINING, &panel.series()[0]);
    let measured = contest.run(|| sum_of_batches(&set, &mut batch.borrow_mut()), peer, &shape)?;
    Ok(contest.records(&measured))
}

/// By how much an iteration made the process grow, ours beside the first rival's.
fn memory_growth(iterated: &[Vec<Work>]) -> Option<Record> {
    let growth = |runs: &Vec<Work>| {
        let mb: Option<Vec<f64>> = runs.iter().map(|run| Some(1e-6 * run.growth_bytes?)).collect();
        mb.map(Spread::of)
    };
    let record = Record::new("windows_iterate_memory_growth", "MB", growth(&iterated[0])?);
    Some(match iterated.get(1).and_then(growth) {
        Some(theirs) => record.beside(ITERATION[0].peer, theirs),
        None => record,
    })
}

/// Sums the first and the last value of input and label of all windows.
fn sum_of_ends(series: &Series) -> Result<f64> {
    let WindowSpec { lookback, horizon, .. } = WINDOW;
    let mut sum = 0.0;
    for window in WINDOW.windows(series, lookback..series.n_steps())? {
        // The whole window has to be there, not only what is read of it.
        let window = black_box(&window);
        sum += window.input[[0, 0]] + window.input[[lookback - 1, 0]];
        sum += window.label[[0, 0]] + window.label[[horizon - 1, 0]];
    }
    Ok(sum)
}

/// The same from batches of windows copied into `buffer`, `(window, lookback + horizon)`.
fn sum_of_copies(series: &Series, buffer: &mut Vec<f64>) -> Result<f64> {
    let WindowSpec { lookback, horizon, .. } = WINDOW;
    let mut windows = WINDOW.windows(series, lookback..series.n_steps())?;
    let mut sum = 0.0;
    while windows.len() > 0 {
        buffer.clear();
        for window in windows.by_ref().take(BATCH) {
            for part in [&window.input, &window.label] {
                match part.as_slice() {
                    Some(values) => buffer.extend_from_slice(values),
                    None => buffer.extend(part.iter().copied()),
                }
            }
        }
        for row in black_box(&*buffer).chunks_exact(lookback + horizon) {
            sum += row[0] + row[lookback - 1] + row[lookback] + row[lookback + horizon - 1];
        }
    }
    Ok(sum)
}

/// One pass over all windows in shuffled batches; the first value of the first channel and the last of the last
/// one are read of every input and label.
fn sum_of_batches(set: &WindowSet<'_>, batch: &mut Batch) -> Result<f64> {
    let (last_input, last_label) = (set.spec().lookback - 1, set.spec().horizon - 1);
    let last_channel = set.panel().channels().len() - 1;
    let order = WindowOrder::Shuffled { seed: 1, epoch: 0 };
    let options = BatchOptions { batch_size: TRAINING_BATCH, order, ..BatchOptions::default() };
    let mut batches = set.batches(&options)?;
    let mut sum = 0.0;
    while batches.fill(batch) {
        let batch = black_box(&*batch);
        let (inputs, labels) = (batch.inputs(), batch.labels());
        for row in 0..batch.n_rows() {
            sum += f64::from(inputs[[row, 0, 0]]) + f64::from(inputs[[row, last_input, last_channel]]);
            sum += f64::from(labels[[row, 0, 0]]) + f64::from(labels[[row, last_label, last_channel]]);
        }
    }
    Ok(sum)
}

/// Stacks the windows of an autoregression as the rows of a matrix, and sums three corners of lags and target.
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
    Ok([lags.first(), lags.last(), target.last()].into_iter().flatten().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_a_plain_loop_over_the_series() {
        let panel = counting(2_700, 1).unwrap();
        let series = &panel.series()[0];
        let at = |step: usize| (step % 1000) as f64;
        let ends = |cutoff: usize| at(cutoff - 512) + at(cutoff - 1) + at(cutoff) + at(cutoff + 23);
        let expected: f64 = (512..=2_700 - 24).map(ends).sum();
        let sums = [sum_of_ends(series).unwrap(), sum_of_copies(series, &mut Vec::new()).unwrap()];
        assert_eq!(sums.map(f64::to_bits), [expected; 2].map(f64::to_bits));
        let corners = at(0) + at(2_698) + at(2_699);
        assert_eq!(sum_of_corners(series).unwrap().to_bits(), corners.to_bits());
    }

    #[test]
    fn shuffled_batches_sum_to_what_a_plain_loop_over_the_series_does() {
        let panel = counting(1_000, 3).unwrap();
        let spec = WindowSpec { lookback: 30, horizon: 5, stride: 1 };
        let set = WindowSet::new(spec, &panel, std::iter::once(0..1_000)).unwrap();
        let at = |step: usize, channel: usize| ((3 * step + channel) % 1000) as f64;
        let ends = |cutoff: usize| at(cutoff - 30, 0) + at(cutoff - 1, 2) + at(cutoff, 0) + at(cutoff + 4, 2);
        let expected: f64 = (30..=995).map(ends).sum();
        assert_eq!(sum_of_batches(&set, &mut Batch::default()).unwrap().to_bits(), expected.to_bits());
    }
}
