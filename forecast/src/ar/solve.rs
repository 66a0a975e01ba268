//! From statistics to coefficients: one member of a fit.

use std::borrow::Cow;

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
    /// The season towards whose mean in the window the ridge draws; of targets that are each step.
    pub(super) season: Option<usize>,
}

/// How far a ridge draws from the anchor towards the mean of the season.
const SEASON_SHARE: f64 = 0.5;

/// Coefficients of plain windows.
#[derive(Debug)]
pub(super) struct Solved {
    /// Lag 1 first. Shape `(target, lag)`.
    pub(super) weights: Array2<f64>,
    /// Shape `(target)`.
    pub(super) intercepts: Array1<f64>,
    /// Standard errors of the weights of the first target, where they are the solution itself.
    pub(super) errors: Option<Vec<f64>>,
    /// How often each lag is chosen, lag 1 first, where that was asked for.
    pub(super) frequencies: Option<Vec<f64>>,
    /// The share of the mean diagonal that was added to the diagonal, one a look-back.
    pub(super) ridges: Vec<f64>,
}

/// Least squares from the moments of the look-back's lags.
///
/// Plain windows have an intercept. Anchored ones have none: it would be the drift of the training range, which
/// seldom goes on.
///
/// With a criterion, the order that it is smallest at; weights beyond are zero. With supports, one for each target,
/// ascending, the weights of all other lags are zero but for the anchor's.
///
/// # Errors
/// [`Deficient`] if lags are combinations of others and there is no ridge.
pub(super) fn solve(
    moments: &Moments,
    member: &Member,
    criterion: Option<Criterion>,
    supports: Option<&[Vec<usize>]>,
) -> Result<Result<Solved, Deficient>> {
    let anchor = member.anchor.weights(member.lookback);
    let anchored = anchor.as_ref().map(|anchor| moments.anchored(anchor));
    let moments = anchored.as_ref().unwrap_or(moments);
    let (n_lags, n_targets) = moments.cross.dim();
    // Anchored windows have one dimension less; without a ridge, lag 1 is what the others leave.
    let share = member.ridge.unwrap_or(0.0);
    let first = usize::from(anchor.is_some() && share <= 0.0);
    let mut centred = if anchor.is_some() { moments.clone() } else { moments.centred() };
    // A share of all lags, so that it means the same for few of them.
    let ridge = share * centred.gram.diag().slice(s![first..]).mean().unwrap_or(0.0);
    if let (Some(anchor), Some(season)) = (&anchor, member.season) {
        draw_to_season(&mut centred.cross, anchor, season, ridge);
    }
    let is_least_squares = anchor.is_none() && share <= 0.0 && n_targets == 1;
    let mut weights = Array2::zeros((n_targets, n_lags)); // (target, lag)
    let mut errors = None;
    for (targets, kept) in groups(supports, first, n_lags, n_targets) {
        let (gram, cross) = (part(&centred.gram, &kept, &kept), part(&centred.cross, &kept, &targets));
        let factor = match Cholesky::new(&gram, ridge)? {
            Ok(factor) => factor,
            Err(Deficient { rank }) => return Ok(Err(Deficient { rank: rank + first })),
        };
        if is_least_squares {
            let forward = factor.forward(&cross.column(0).to_owned());
            let squared_errors = squared_errors(centred.energy[0], &forward);
            let order =
                criterion.map_or(kept.len(), |criterion| criterion.best(&squared_errors, centred.rows));
            let of_kept =
                standard_errors(squared_errors[order], centred.rows, &factor.inverse_diagonal(order));
            errors = of_kept.map(|of_kept| {
                let mut errors = vec![0.0; n_lags];
                kept.iter().zip(of_kept).for_each(|(lag, error)| errors[*lag] = error);
                errors
            });
            let solved = factor.backward(&forward.as_slice().unwrap_or_default()[..order]);
            kept.iter().zip(&solved).for_each(|(lag, weight)| weights[[0, *lag]] = *weight);
        } else {
            let solved = factor.solve(&cross)?; // (target, kept)
            for (to, from) in targets.iter().zip(solved.rows()) {
                kept.iter().zip(from).for_each(|(lag, weight)| weights[[*to, *lag]] = *weight);
            }
        }
    }
    let intercepts = if anchor.is_some() { Array1::zeros(n_targets) } else { moments.intercepts(&weights) };
    if let Some(anchor) = &anchor {
        add_back(&mut weights, anchor);
    }
    Ok(Ok(Solved { weights, intercepts, errors, frequencies: None, ridges: vec![share] }))
}

/// Has a ridge draw weights half-way towards those of the window's own mean at the same place in the season, less the
/// anchor: with `(G + r I) w = c + r w_0` the least of `|y - Xw|^2 + r |w - w_0|^2`. Lags that are left out take their
/// share of the mean with them. Shape of `cross`: `(lag, target)`, a target each step.
fn draw_to_season(cross: &mut Array2<f64>, anchor: &Array1<f64>, season: usize, ridge: f64) {
    let n_seasons = cross.nrows() / season;
    for (step, mut of_step) in cross.columns_mut().into_iter().enumerate() {
        of_step.scaled_add(-ridge * SEASON_SHARE, anchor);
        // Lag 1 is a step before the first target.
        let nearest = season - 1 - step % season;
        for lag in (nearest..n_seasons * season).step_by(season) {
            of_step[lag] += ridge * SEASON_SHARE / n_seasons as f64;
        }
    }
}

/// Targets that are solved together, with the lags from `first` on that they have: all of them, or each its own.
fn groups(
    supports: Option<&[Vec<usize>]>,
    first: usize,
    n_lags: usize,
    n_targets: usize,
) -> Vec<(Vec<usize>, Vec<usize>)> {
    match supports {
        None => vec![((0..n_targets).collect(), (first..n_lags).collect())],
        Some(supports) => {
            let kept = |lags: &Vec<usize>| lags.iter().copied().filter(|lag| *lag >= first).collect();
            supports.iter().enumerate().map(|(target, lags)| (vec![target], kept(lags))).collect()
        }
    }
}

/// Some rows and columns of a matrix, which is not copied where these are all.
fn part<'a>(matrix: &'a Array2<f64>, rows: &[usize], columns: &[usize]) -> Cow<'a, Array2<f64>> {
    match matrix.dim() == (rows.len(), columns.len()) {
        true => Cow::Borrowed(matrix),
        false => Cow::Owned(Array2::from_shape_fn((rows.len(), columns.len()), |(i, j)| {
            matrix[[rows[i], columns[j]]]
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::gram::lagged_moments;
    use crate::ar::lag_matrix::LagMatrix;

    /// The least of `|y - a - (x - a) w|^2 + r |w - w_0|^2` with rows of the ridge below those of the data.
    #[test]
    fn a_ridge_towards_the_season_is_least_squares_with_rows_that_say_so() {
        let values: Vec<f64> = (0..300u64)
            .map(|t| (t % 7) as f64 + ((t * 7_919) % 101) as f64 / 30.0 + t as f64 / 100.0)
            .collect();
        let (lookback, n_steps, season) = (17, 9, 7);
        // Lags of each step, if not all.
        let some: Vec<Vec<usize>> =
            (0..n_steps).map(|step| (0..lookback).filter(|lag| (lag * 5 + step) % 3 > 0).collect()).collect();
        for (anchor, supports) in
            [(Anchor::Last, None), (Anchor::Mean, None), (Anchor::Last, Some(&some[..]))]
        {
            let is_kept = |step: usize, lag: usize| supports.is_none_or(|of| of[step].contains(&lag));
            let member = Member { lookback, anchor, ridge: Some(0.3), season: Some(season) };
            let moments = lagged_moments(&[&values], lookback, n_steps).unwrap();
            let ours = solve(&moments, &member, None, supports).unwrap().unwrap();
            let windows = LagMatrix::new(&values, lookback, n_steps);
            let u = anchor.weights(lookback).unwrap();
            let anchors = windows.lags.dot(&u);
            let x = &windows.lags - &anchors.view().insert_axis(ndarray::Axis(1));
            let y = &windows.targets - &anchors.view().insert_axis(ndarray::Axis(1));
            let ridge = 0.3 * x.t().dot(&x).diag().mean().unwrap();
            // Of 17 lags, 14 are two whole seasons.
            let mean = |step: usize, lag: usize| match lag < 14 && (lag + 1 + step).is_multiple_of(season) {
                true => 0.5,
                false => 0.0,
            };
            let mut due = Array2::zeros((n_steps, lookback));
            for step in 0..n_steps {
                let lags: Vec<usize> = (0..lookback).filter(|lag| is_kept(step, *lag)).collect();
                let towards = lags.iter().map(|lag| SEASON_SHARE * (mean(step, *lag) - u[*lag]));
                let towards = Array1::from_iter(towards);
                let (x, root) = (x.select(ndarray::Axis(1), &lags), ridge.sqrt());
                let rows = ndarray::concatenate![ndarray::Axis(0), x, root * Array2::<f64>::eye(lags.len())];
                let targets = ndarray::concatenate![ndarray::Axis(0), y.column(step), root * towards];
                let factor = Cholesky::new(&rows.t().dot(&rows), 0.0).unwrap().unwrap();
                let solved = factor.solve(&rows.t().dot(&targets).insert_axis(ndarray::Axis(1))).unwrap();
                lags.iter().zip(solved.row(0)).for_each(|(lag, weight)| due[[step, *lag]] = *weight);
            }
            add_back(&mut due, &u);
            for (ours, due) in ours.weights.iter().zip(&due) {
                assert!((ours - due).abs() < 1e-9, "{anchor:?}: {ours} {due}");
            }
        }
    }
}
