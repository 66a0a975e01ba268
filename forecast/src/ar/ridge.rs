//! How much ridge: the share that forecasts the end of the training range best.
//!
//! Coefficients are fitted on the moments of the first four fifths of each series and scored on those of the last
//! fifth, for each share of a short list. With weights `w` and intercept `b` the squared error over `n` rows is
//! `y'y - 2 w . X'y + w' X'X w - 2 b (sum y - w . sum x) + n b^2`: no forecast is made.

use ndarray::s;

use super::gram::lagged_moments;
use super::moments::Moments;
use super::segments::complete_runs;
use super::solve::{Member, Solved, solve};
use crate::Result;

/// Shares of the mean diagonal that are tried beside it.
const OTHER_SHARES: [f64; 4] = [1.0, 1e-2, 1e-3, 1e-4];
/// What is taken unless another share does better by this much.
const USUAL_SHARE: f64 = 0.1;
const WORTHWHILE: f64 = 0.01;
/// Steps ahead that are scored, at most, evenly spaced.
const MOST_TARGETS: usize = 48;

/// The moments that a ridge is chosen on.
#[derive(Debug)]
pub(super) struct Trial {
    /// Of the rows whose targets lie in the first four fifths.
    pub(super) fitted: Moments,
    /// Of the rows whose targets lie in the last fifth.
    pub(super) scored: Moments,
    /// Targets are the first step and every `every`-th after it.
    every: usize,
}

impl Trial {
    /// The moments of both parts of every series. Columns are whole series of one channel.
    pub(super) fn new(columns: &[Vec<f64>], order: usize, horizon: usize) -> Result<Self> {
        let cut = |column: &[f64]| column.len() - column.len() / 5;
        let first = columns.iter().flat_map(|column| complete_runs(&column[..cut(column)]));
        let last =
            columns.iter().flat_map(|column| complete_runs(&column[cut(column).saturating_sub(order)..]));
        let every = horizon.div_ceil(MOST_TARGETS);
        let moments = |runs: Vec<&[f64]>| -> Result<Moments> {
            Ok(lagged_moments(&runs, order, horizon)?.every_target(every))
        };
        Ok(Trial { fitted: moments(first.collect())?, scored: moments(last.collect())?, every })
    }

    /// The trial of a shorter look-back.
    pub(super) fn leading(&self, lookback: usize) -> Self {
        let (fitted, scored) = (self.fitted.leading(lookback), self.scored.leading(lookback));
        Trial { fitted, scored, every: self.every }
    }

    /// The share with which some lags, fitted to what other weights say of the first four fifths, forecast the last one
    /// best; the first of the list where there are too few rows.
    pub(super) fn share_of_few(
        &self,
        member: &Member,
        all: &Solved,
        supports: &[Vec<usize>],
        shares: &[f64],
    ) -> Result<f64> {
        let step = isize::try_from(self.every).unwrap_or(isize::MAX);
        let weights = all.weights.slice(s![..;step, ..]).to_owned();
        let intercepts = all.intercepts.slice(s![..;step]).to_owned();
        let fitted = self.fitted.with_targets_of(&weights, &intercepts);
        let supports: Vec<_> = supports.iter().step_by(self.every).cloned().collect();
        let mut best = (f64::INFINITY, shares.first().copied().unwrap_or(0.0));
        for share in shares.iter().copied().filter(|_| self.is_possible()) {
            let member = Member { ridge: Some(share), ..*member };
            let solved = solve(&fitted, &member, None, Some(&supports))?;
            let error = solved.map_or(f64::INFINITY, |solved| squared_error(&self.scored, &solved));
            if error < best.0 {
                best = (error, share);
            }
        }
        Ok(best.1)
    }

    /// True if there are rows to fit and to score.
    pub(super) fn is_possible(&self) -> bool {
        self.fitted.rows > self.fitted.gram.nrows() && self.scored.rows > 0
    }

    /// The squared error on the last fifth of some lags, or all; infinite where they cannot be fitted.
    pub(super) fn error(&self, member: &Member, share: f64, supports: Option<&[Vec<usize>]>) -> Result<f64> {
        // Targets are not each step; where the ridge draws to is left to the fit.
        let member = Member { ridge: Some(share), season: None, ..*member };
        let solved = solve(&self.fitted, &member, None, supports)?;
        Ok(solved.map_or(f64::INFINITY, |solved| squared_error(&self.scored, &solved)))
    }

    /// The share that a look-back, or some of its lags, does best with, and the squared error: 0.1, unless another
    /// one's is lower by a hundredth.
    pub(super) fn best_share(&self, member: &Member, supports: Option<&[Vec<usize>]>) -> Result<(f64, f64)> {
        if !self.is_possible() {
            return Ok((USUAL_SHARE, f64::INFINITY));
        }
        let usual = self.error(member, USUAL_SHARE, supports)?;
        let (mut best, mut to_beat) = ((USUAL_SHARE, usual), usual * (1.0 - WORTHWHILE));
        for share in OTHER_SHARES {
            let error = self.error(member, share, supports)?;
            if error < to_beat {
                (best, to_beat) = ((share, error), error);
            }
        }
        Ok(best)
    }
}

/// The squared error of coefficients over the rows of the moments, all targets together.
pub(super) fn squared_error(moments: &Moments, solved: &Solved) -> f64 {
    let products = solved.weights.dot(&moments.gram); // (target, column)
    let of_target = |target: usize| {
        let (w, b) = (solved.weights.row(target), solved.intercepts[target]);
        let rest = moments.target_sums[target] - w.dot(&moments.column_sums);
        moments.energy[target] - 2.0 * w.dot(&moments.cross.column(target)) + products.row(target).dot(&w)
            - 2.0 * b * rest
            + moments.rows as f64 * b * b
    };
    (0..moments.energy.len()).map(of_target).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::anchor::Anchor;
    use crate::ar::lag_matrix::LagMatrix;
    use forecast_datasets::ArProcess;

    fn noise(n: usize, seed: u64) -> Vec<f64> {
        ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }.generate(n, seed).unwrap()
    }

    #[test]
    fn the_squared_error_is_that_of_forecasts_made_one_by_one() {
        let (train, test) = (noise(300, 1), noise(150, 2));
        for anchor in [Anchor::None, Anchor::Last, Anchor::Mean] {
            let member = Member { lookback: 8, anchor, ridge: Some(0.01), season: None };
            let moments = lagged_moments(&[&train], 8, 3).unwrap();
            let solved = solve(&moments, &member, None, None).unwrap().unwrap();
            let windows = LagMatrix::new(&test, 8, 3);
            let rest = &windows.targets - &windows.lags.dot(&solved.weights.t()) - &solved.intercepts;
            let expected: f64 = rest.iter().map(|error| error * error).sum();
            let ours = squared_error(&lagged_moments(&[&test], 8, 3).unwrap(), &solved);
            assert!((ours - expected).abs() < 1e-9 * expected, "{anchor:?}: {ours} {expected}");
        }
    }

    #[test]
    fn noise_asks_for_more_ridge_than_a_cycle() {
        let member = Member { lookback: 48, anchor: Anchor::Mean, ridge: None, season: None };
        let small = noise(400, 3);
        let cycle: Vec<f64> = (0..400).map(|i| f64::from(i % 24) + 0.01 * small[i as usize]).collect();
        // Nothing but chance: every value is drawn anew.
        let chance: Vec<f64> = (0..400u64).map(|i| ((i * 7_919 + i * i * 104_729) % 1_009) as f64).collect();
        let share =
            |values: Vec<f64>| Trial::new(&[values], 48, 6).unwrap().best_share(&member, None).unwrap().0;
        let (of_cycle, of_chance) = (share(cycle), share(chance));
        assert!(of_cycle < of_chance, "{of_cycle} {of_chance}");
    }

    #[test]
    fn what_is_too_short_to_try_gets_the_usual_share() {
        let member = Member { lookback: 5, anchor: Anchor::Last, ridge: None, season: None };
        let trial = Trial::new(&[noise(12, 4)], 5, 3).unwrap();
        assert!((trial.best_share(&member, None).unwrap().0 - USUAL_SHARE).abs() < 1e-12);
    }
}
