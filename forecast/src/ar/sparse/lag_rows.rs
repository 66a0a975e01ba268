//! Sums of products of the lags of a series, a row at a time when it is asked for.
//!
//! As in `gram.rs`, an entry follows from the one before it on its diagonal: with `W` the sums of products of the lags
//! and the target over `m` windows of a stretch `r` in reversed time,
//! `W[a+1, b+1] = W[a, b] - r_a r_b + r_(m+a) r_(m+b)`, so that a row follows from the row above it, moved one column
//! to the right. Rows are walked once, of which every [`STRIDE`]th is kept; sparse paths read few of the others.
//! Cost O(n log p + p^2) for each stretch with memory O(p^2 / STRIDE), and O(STRIDE p) for a row.

use std::sync::OnceLock;

use pulp::Arch;

use crate::Result;
use crate::ar::correlation::Correlation;

/// From one kept row to the next.
const STRIDE: usize = 64;

/// Rows of the Gram matrix of `order` lags.
#[derive(Debug)]
pub(super) struct LagRows {
    order: usize,
    /// In reversed time, with the number of windows.
    stretches: Vec<(Vec<f64>, usize)>,
    /// Every [`STRIDE`]th row.
    kept: Vec<Vec<f64>>,
    made: Vec<OnceLock<Vec<f64>>>,
}

/// What a problem needs besides the rows.
#[derive(Debug)]
pub(super) struct LagSums {
    /// Of each lag with the target.
    pub(super) cross: Vec<f64>, // (order)
    /// Of each lag with itself.
    pub(super) squares: Vec<f64>, // (order)
    pub(super) sums: Vec<f64>, // (order)
    pub(super) energy: f64,
    pub(super) target_sum: f64,
    pub(super) n_rows: usize,
}

impl LagRows {
    /// The rows over all complete windows of stretches without a missing value; shorter stretches have none.
    pub(super) fn new(runs: &[&[f64]], order: usize) -> Result<(LagRows, LagSums)> {
        let long = runs.iter().filter(|run| run.len() > order);
        let stretches: Vec<(Vec<f64>, usize)> =
            long.map(|run| (run.iter().rev().copied().collect(), run.len() - order)).collect();
        let mut correlation = Correlation::new(order + 1);
        let mut sum = 0.0;
        for (stretch, n_windows) in &stretches {
            correlation.add(stretch, *n_windows)?;
            sum += stretch[..*n_windows].iter().sum::<f64>();
        }
        let with_target = correlation.finish()?; // (order + 1)
        let mut sums = Vec::with_capacity(order + 1);
        let mut squares = Vec::with_capacity(order + 1);
        let mut square = with_target[0];
        for lag in 0..=order {
            sums.push(sum);
            squares.push(square);
            for (stretch, n_windows) in &stretches {
                let (first, last) = (stretch[lag], stretch.get(n_windows + lag).copied().unwrap_or(0.0));
                sum += last - first;
                square += last * last - first * first;
            }
        }
        let statistics = LagSums {
            cross: with_target[1..].to_vec(),
            energy: with_target[0],
            target_sum: sums.remove(0),
            squares: squares.split_off(1),
            sums,
            n_rows: stretches.iter().map(|(_, n_windows)| n_windows).sum(),
        };
        // Row 0 follows from that of the target.
        let mut first = with_target;
        first.truncate(order);
        for (stretch, m) in &stretches {
            let (r_0, s_0) = (stretch[0], stretch[*m]);
            let ends = stretch.iter().zip(&stretch[*m..]);
            first.iter_mut().zip(ends).for_each(|(value, (r, s))| *value += s_0 * s - r_0 * r);
        }
        let made = (0..order).map(|_| OnceLock::new()).collect();
        let mut rows = LagRows { order, stretches, kept: vec![first], made };
        for at in (0..order.saturating_sub(STRIDE)).step_by(STRIDE) {
            let next = rows.walk(&rows.kept[at / STRIDE], at, STRIDE);
            rows.kept.push(next);
        }
        Ok((rows, statistics))
    }

    /// Shape `(order)`.
    pub(super) fn row(&self, at: usize) -> &[f64] {
        let (kept, n_steps) = (&self.kept[at / STRIDE], at % STRIDE);
        match n_steps {
            0 => kept,
            n_steps => self.made[at].get_or_init(|| self.walk(kept, at - n_steps, n_steps)),
        }
    }

    /// The row `n_steps` below row `at`.
    fn walk(&self, row: &[f64], at: usize, n_steps: usize) -> Vec<f64> {
        // A row begins with the entry of row 0 in its column.
        let entering = self.kept[0][at + 1..=at + n_steps].iter().rev();
        let mut cells: Vec<f64> = entering.chain(row).copied().collect();
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for step in 1..=n_steps {
                    let row = &mut cells[n_steps - step + 1..][..self.order - 1];
                    for (stretch, m) in &self.stretches {
                        let (r, s) = (&stretch[1..self.order], &stretch[m + 1..m + self.order]);
                        let (first, last) = (stretch[at + step], stretch[m + at + step]);
                        for ((value, r), s) in row.iter_mut().zip(r).zip(s) {
                            *value += last * s - first * r;
                        }
                    }
                }
            },
        );
        cells.truncate(self.order);
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::gram::lagged_moments;
    use forecast_datasets::ArProcess;

    #[test]
    fn rows_are_those_of_the_whole_matrix_in_any_order() {
        let process = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() };
        let values = process.generate(1_200, 5).unwrap();
        let gapped = [&values[..500], &values[520..530], &values[600..]];
        for order in [1, 2, 7, 63, 64, 65, 129, 200] {
            for runs in [&gapped[..], &gapped[..1]] {
                let whole = lagged_moments(runs, order, 1).unwrap();
                let (rows, sums) = LagRows::new(runs, order).unwrap();
                for at in (0..order).rev() {
                    assert_eq!(rows.row(at), whole.gram.row(at).to_vec(), "{order} {at}");
                }
                assert_eq!(sums.cross, whole.cross.column(0).to_vec());
                assert_eq!(sums.squares, whole.gram.diag().to_vec());
                assert_eq!(sums.sums, whole.column_sums.to_vec());
                assert_eq!((sums.energy, sums.target_sum), (whole.energy[0], whole.target_sums[0]));
                assert_eq!(sums.n_rows, whole.rows);
            }
        }
    }
}
