//! How the time of exact fits grows with the order and with the length of the series.

use super::fit::Fit;
use super::samples::{N_TRAINING, density, process};
use crate::console;
use crate::error::Result;
use crate::measure::Spread;
use crate::record::Record;

/// The order while the series grows.
const ORDER: usize = 1_000;
const N_RUNS: usize = 3;
/// How much more than `n log n` time may grow between the two longest series: in shorter ones the order's share of it
/// hides the rest.
const MOST_GROWTH: f64 = 1.5;
/// Least squares, and the sparse path from autocorrelations.
const FITS: [Fit; 2] = [Fit::LeastSquares, Fit::SolvedQuick];

/// Fits of growing orders to as many values as the paper, and of one order to growing series.
pub(super) fn growth(is_quick: bool) -> Result<Vec<Record>> {
    let (orders, lengths, order): (&[usize], &[usize], usize) = match is_quick {
        true => (&[100, 400], &[50_000, 100_000], 100),
        false => {
            (&[100, 300, 1_000, 3_000, 10_000], &[100_000, 300_000, 1_000_000, 3_000_000, 10_000_000], ORDER)
        }
    };
    console::note("arnet: growth");
    let mut records = Vec::new();
    let values = process(N_TRAINING, 1)?;
    for order in orders {
        let record = |(fit, time): (Fit, Spread)| {
            Record::new(&format!("{}_by_order_p{order}", fit.name()), "ms", time)
        };
        records.extend(FITS.into_iter().zip(times(&values, *order)?).map(record));
    }
    let mut by_length: [Vec<(f64, f64)>; 2] = Default::default();
    for n in lengths {
        let took = times(&process(*n, 1)?, order)?;
        for ((fit, time), points) in FITS.into_iter().zip(took).zip(&mut by_length) {
            records.push(Record::new(&format!("{}_by_length_n{n}", fit.name()), "ms", time));
            points.push((*n as f64, time.median));
        }
    }
    for (fit, points) in FITS.into_iter().zip(&by_length) {
        if let [.., first, last] = points[..] {
            let name = format!("{}_growth_over_n_log_n", fit.name());
            let record = Record::new(&name, "x", Spread::of([over_n_log_n(first, last)]));
            // Twice the length says nothing of growth.
            records.push(if is_quick { record } else { record.at_most(MOST_GROWTH) });
        }
    }
    Ok(records)
}

/// Milliseconds of [`FITS`], in turn.
fn times(values: &[f64], order: usize) -> Result<[Spread; 2]> {
    let mut took: [Vec<f64>; 2] = Default::default();
    for _ in 0..N_RUNS {
        for (fit, took) in FITS.into_iter().zip(&mut took) {
            took.push(1e3 * fit.of(values, order, density(order))?.seconds);
        }
    }
    Ok(took.map(Spread::of))
}

/// How much more than `n log n` time grows from one length to another.
fn over_n_log_n(first: (f64, f64), last: (f64, f64)) -> f64 {
    let n_log_n = |n: f64| n * n.ln();
    (last.1 / first.1) / (n_log_n(last.0) / n_log_n(first.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_as_n_log_n_has_a_growth_of_one_over_it() {
        let at = |n: f64, power: f64| (n, 3.0 * n.powf(power) * n.ln());
        assert!((over_n_log_n(at(1e5, 1.0), at(1e7, 1.0)) - 1.0).abs() < 1e-12);
        assert!((over_n_log_n(at(1e5, 2.0), at(1e7, 2.0)) - 100.0).abs() < 1e-9);
    }
}
