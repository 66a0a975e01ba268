//! How well the weights are known.
//!
//! Under independent errors of variance `s^2` the weights `(G + l I)^-1 c` have the covariance
//! `s^2 (M - l M^2)` with `M = (G + l I)^-1` and `G` the centred Gram matrix; without a ridge `s^2 G^-1` (Greene,
//! *Econometric Analysis*, sections 4.4 and 4.8). `s^2` is the squared error over rows less coefficients.

use ndarray::{Array2, ArrayView1};

use super::moments::Moments;

/// Standard errors of the weights of one target, as the weights are ordered; `None` if no row is left over.
///
/// `centred`: what was solved; `inverse`: of its Gram matrix and the ridge.
pub(super) fn standard_errors(
    centred: &Moments,
    inverse: &Array2<f64>, // (column, column)
    ridge: f64,
    weights: ArrayView1<'_, f64>,
    target: usize,
) -> Option<Vec<f64>> {
    let n_columns = inverse.nrows();
    let n_left = centred.rows.checked_sub(n_columns + 1).filter(|left| *left > 0)?;
    let fitted = weights.dot(&centred.gram.dot(&weights)) - 2.0 * weights.dot(&centred.cross.column(target));
    let variance = (centred.energy[target] + fitted).max(0.0) / n_left as f64;
    let error = |(at, row): (usize, ArrayView1<'_, f64>)| {
        let variance = variance * (row[at] - ridge * row.dot(&row));
        variance.max(0.0).sqrt()
    };
    Some(inverse.rows().into_iter().enumerate().map(error).collect())
}
