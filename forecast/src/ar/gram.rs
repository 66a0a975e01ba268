//! The statistics of a lagged regression, straight from the series: the lag matrix is never made.
//!
//! A window of width `w = order + horizon` at `s` is the row `(r_s, ..., r_(s+w-1))` of a stretch in reversed time:
//! targets first, the furthest one at 0, then lag 1, lag 2, and so on. With `m` windows in a stretch,
//!
//! `W[a, b] = sum_(s<m) r_(s+a) r_(s+b)`, so that `W[a+1, b+1] = W[a, b] - r_a r_b + r_(m+a) r_(m+b)`:
//!
//! the first row takes correlations ([`Correlation`]), each other entry two products a stretch (the displacement
//! structure of a lagged Gram matrix: Kailath, Kung & Morf, *J. Math. Anal. Appl.* 68, 1979). Cost
//! O(n log w + w^2) for each stretch, memory O(order (order + horizon)).

use ndarray::Array2;

use super::correlation::Correlation;
use super::moments::Moments;
use crate::Result;

/// Edge of the squares in which the upper triangle is copied to the lower one.
const TILE: usize = 32;

/// The moments of `order` lags and `horizon` targets over all complete windows of stretches without a missing value;
/// shorter stretches have none.
///
/// Numbers far from zero should be shifted first: weights do not change, digits are kept.
pub(super) fn lagged_moments(runs: &[&[f64]], order: usize, horizon: usize) -> Result<Moments> {
    let width = order + horizon;
    let reversed: Vec<Vec<f64>> =
        runs.iter().filter(|run| run.len() >= width).map(|run| run.iter().rev().copied().collect()).collect();
    let n_windows = |stretch: &Vec<f64>| stretch.len() + 1 - width;
    let mut correlation = Correlation::new(width);
    let mut sum = 0.0;
    for stretch in &reversed {
        correlation.add(stretch, n_windows(stretch))?;
        sum += stretch[..n_windows(stretch)].iter().sum::<f64>();
    }
    // Row a of W from its diagonal on.
    let mut row = correlation.finish()?; // (width - a)
    let mut moments = Moments::zeros(order, horizon);
    moments.rows = reversed.iter().map(n_windows).sum();
    // One row a target, so that both are written in the order of memory.
    let mut cross = Array2::zeros((horizon, order));
    for a in 0..width {
        if a < horizon {
            let target = horizon - 1 - a;
            cross.row_mut(target).iter_mut().zip(&row[horizon - a..]).for_each(|(to, value)| *to = *value);
            moments.energy[target] = row[0];
            moments.target_sums[target] = sum;
        } else {
            let lag = a - horizon;
            let to = moments.gram.row_mut(lag);
            to.into_iter().skip(lag).zip(&row).for_each(|(to, value)| *to = *value);
            moments.column_sums[lag] = sum;
        }
        row.truncate(width - a - 1);
        for stretch in &reversed {
            let m = n_windows(stretch);
            if m + a >= stretch.len() {
                continue; // The last row has no successor.
            }
            let (first, last) = (stretch[a], stretch[m + a]);
            sum += last - first;
            let ends = stretch[a..].iter().zip(&stretch[m + a..]);
            row.iter_mut().zip(ends).for_each(|(value, (r, s))| *value += last * s - first * r);
        }
    }
    mirror(&mut moments.gram);
    moments.cross = cross.reversed_axes();
    Ok(moments)
}

/// Copies the upper triangle to the lower one.
fn mirror(matrix: &mut Array2<f64>) {
    let n = matrix.nrows();
    let Some(values) = matrix.as_slice_mut() else { return };
    for top in (0..n).step_by(TILE) {
        for left in (top..n).step_by(TILE) {
            for i in top..(top + TILE).min(n) {
                for j in left.max(i + 1)..(left + TILE).min(n) {
                    values[j * n + i] = values[i * n + j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::lag_matrix::{LagMatrix, assert_close};
    use crate::ar::segments::complete_runs;
    use forecast_datasets::ArProcess;

    fn series(n: usize, missing: &[usize]) -> Vec<f64> {
        let mut values =
            ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }.generate(n, 3).unwrap();
        missing.iter().for_each(|at| values[*at] = f64::NAN);
        values
    }

    #[test]
    fn moments_are_those_of_the_explicit_lag_matrix() {
        for (n, order, horizon, missing) in [
            (50, 1, 1, vec![]),
            (50, 7, 1, vec![20, 21, 43]),
            (47, 5, 4, vec![0, 46]),
            (3_001, 63, 17, vec![1_000]),
            (2_000, 200, 96, vec![5, 700, 1_500]),
            // One row, and none.
            (30, 20, 10, vec![]),
            (30, 20, 11, vec![]),
        ] {
            let values = series(n, &missing);
            let runs: Vec<&[f64]> = complete_runs(&values).collect();
            let ours = lagged_moments(&runs, order, horizon).unwrap();
            let naive = LagMatrix::new(&values, order, horizon).moments();
            // Sums of n products near 1.
            assert_close(&ours, &naive, 1e-11 * n as f64);
        }
    }

    #[test]
    fn a_shift_is_put_back_exactly() {
        let values = series(400, &[100]);
        let far: Vec<f64> = values.iter().map(|value| value + 1_000.0).collect();
        let moments = |values: &[f64]| {
            let runs: Vec<&[f64]> = complete_runs(values).collect();
            lagged_moments(&runs, 9, 2).unwrap()
        };
        assert_close(&moments(&values).shifted(1_000.0), &moments(&far), 1e-5);
    }

    #[test]
    fn stretches_add_up_whatever_series_they_come_from() {
        let (a, b) = (series(300, &[]), series(90, &[60]));
        let runs = |values: &'static [f64]| complete_runs(values).collect::<Vec<_>>();
        let (a, b): (&'static [f64], &'static [f64]) = (a.leak(), b.leak());
        let mut sum = lagged_moments(&runs(a), 12, 3).unwrap();
        sum.add(&lagged_moments(&runs(b), 12, 3).unwrap());
        let all: Vec<&[f64]> = runs(a).into_iter().chain(runs(b)).collect();
        assert_close(&lagged_moments(&all, 12, 3).unwrap(), &sum, 1e-9);
    }
}
