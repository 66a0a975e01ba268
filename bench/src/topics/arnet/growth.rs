//! How the time of exact fits grows with the order and with the length of the series.

use std::time::Instant;

use forecast::ar::sparse::{Criterion, PathOptions, Problem, path, select};
use forecast::ar::{ClassicOptions, classic};

use super::{N_TRAINING, series_of};
use crate::error::Result;
use crate::measure::Spread;
use crate::record::Record;

/// The order while the series grows.
const ORDER: usize = 1_000;
const N_RUNS: usize = 3;

/// Fits of growing orders to as many values as the paper, and of one order to growing series.
pub(super) fn growth(is_quick: bool) -> Result<Vec<Record>> {
    let (orders, lengths): (&[usize], &[usize]) = match is_quick {
        true => (&[100, 400], &[50_000, 100_000]),
        false => (&[100, 300, 1_000, 3_000, 10_000], &[100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]),
    };
    let mut records = Vec::new();
    let values = series_of(N_TRAINING, 1)?;
    for order in orders {
        records.extend(times(&values, *order, &format!("by_order_p{order}"))?);
    }
    let order = if is_quick { 100 } else { ORDER };
    for n in lengths {
        records.extend(times(&series_of(*n, 1)?, order, &format!("by_length_n{n}"))?);
    }
    Ok(records)
}

/// Least squares, and the sparse path from autocorrelations.
fn times(values: &[f64], order: usize, name: &str) -> Result<[Record; 2]> {
    let (mut dense, mut sparse) = (Vec::new(), Vec::new());
    for _ in 0..N_RUNS {
        let start = Instant::now();
        let options = ClassicOptions::default();
        std::hint::black_box(classic(values, order, options)?);
        dense.push(1e3 * start.elapsed().as_secs_f64());
        let start = Instant::now();
        let problem = Problem::from_autocorrelations(values, order)?;
        let path = path(&problem, &PathOptions::default())?;
        std::hint::black_box(select(&problem, &path, Criterion::default())?);
        sparse.push(1e3 * start.elapsed().as_secs_f64());
    }
    Ok([
        Record::new(&format!("classic_ar_{name}"), "ms", Spread::of(dense)),
        Record::new(&format!("autocorrelation_arnet_{name}"), "ms", Spread::of(sparse)),
    ])
}
