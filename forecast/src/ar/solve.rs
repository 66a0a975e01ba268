//! From statistics to coefficients: one member of a fit.

use ndarray::{Array1, Array2, s};

use super::anchor::{Anchor, add_back};
use super::cholesky::{Cholesky, Deficient};
use super::inference::standard_errors;
use super::moments::Moments;
use super::order::{Criterion, squared_errors};
use crate::Result;

/// How one look-back is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Member {
    pub(super) lookback: usize,
    pub(super) anchor: Anchor,
    /// Share of the mean diagonal of the Gram matrix, about its means or anchors, that is added to the diagonal;
    /// an open choice counts as none.
    pub(super) ridge: Option<f64>,
}

/// Coefficients of plain windows.
#[derive(Debug)]
pub(super) struct Solved {
    /// Lag 1 first. Shape `(target, lag)`.
    pub(super) weights: Array2<f64>,
    /// Shape `(target)`.
    pub(super) intercepts: Array1<f64>,
    /// Standard errors of the weights of the first target, where they are the solution itself.
    pub(super) errors: Option<Vec<f64>>,
}

/// Least squares from the moments of the look-back's lags.
///
/// Plain windows have an intercept. Anchored ones have none: it would be the drift of the training range, which
/// seldom goes on.
///
/// With a criterion, the order that it is smallest at; weights beyond are zero.
///
/// # Errors
/// [`Deficient`] if lags are combinations of others and there is no ridge.
pub(super) fn solve(
    moments: &Moments,
    member: &Member,
    criterion: Option<Criterion>,
) -> Result<Result<Solved, Deficient>> {
    let anchor = member.anchor.weights(member.lookback);
    let anchored = anchor.as_ref().map(|anchor| moments.anchored(anchor));
    let moments = anchored.as_ref().unwrap_or(moments);
    let (n_lags, n_targets) = moments.cross.dim();
    // Anchored windows have one dimension less; without a ridge, lag 1 is what the others leave.
    let share = member.ridge.unwrap_or(0.0);
    let first = usize::from(anchor.is_some() && share <= 0.0);
    let mut centred = if anchor.is_some() { moments.clone() } else { moments.centred() };
    if first > 0 {
        centred.gram = centred.gram.slice(s![1.., 1..]).to_owned();
        centred.cross = centred.cross.slice(s![1.., ..]).to_owned();
    }
    let ridge = share * centred.mean_diagonal();
    let factor = match Cholesky::new(&centred.gram, ridge)? {
        Ok(factor) => factor,
        Err(Deficient { rank }) => return Ok(Err(Deficient { rank: rank + first })),
    };
    let mut weights = Array2::zeros((n_targets, n_lags)); // (target, lag)
    let mut errors = None;
    let is_least_squares = anchor.is_none() && share <= 0.0 && n_targets == 1;
    if is_least_squares {
        let forward = factor.forward(&centred.cross.column(0).to_owned());
        let squared_errors = squared_errors(centred.energy[0], &forward);
        let order = criterion.map_or(n_lags, |criterion| criterion.best(&squared_errors, centred.rows));
        errors = standard_errors(squared_errors[order], centred.rows, &factor.inverse_diagonal(order));
        errors.iter_mut().for_each(|errors| errors.resize(n_lags, 0.0));
        let solved = factor.backward(&forward.as_slice().unwrap_or_default()[..order]);
        weights.row_mut(0).iter_mut().zip(&solved).for_each(|(to, weight)| *to = *weight);
    } else {
        weights.slice_mut(s![.., first..]).assign(&factor.solve(&centred.cross)?);
    }
    let intercepts = if anchor.is_some() { Array1::zeros(n_targets) } else { moments.intercepts(&weights) };
    if let Some(anchor) = &anchor {
        add_back(&mut weights, anchor);
    }
    Ok(Ok(Solved { weights, intercepts, errors }))
}
