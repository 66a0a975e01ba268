//! Split-conformal intervals: the residuals of windows that the model was not fitted on, one set for each
//! horizon step and channel.
//!
//! A residual `r = y - forecast` is divided by the series' own mean absolute residual, so that series of
//! different size share one set of scores. With `n` sorted scores, the lower bound with tail `a` is the score
//! of rank `floor(a (n + 1))`, the upper one of rank `ceil((1 - a)(n + 1))`: under exchangeability the interval
//! between them covers at least `1 - 2a` (Vovk et al. 2005; Lei et al. 2018, section 2; both tails apart, so
//! skewed errors give skewed intervals).

use ndarray::{Array2, Array3};

use crate::{Error, Result};

/// More scores than this for one step and channel are thinned to as many of their quantiles.
const MOST_SCORES: usize = 999;

/// The scores of a fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibration {
    /// Sorted scores, padded with NaN. Shape `(channel, horizon, window)`.
    pub(crate) scores: Array3<f64>,
    /// Mean absolute residual, in the units of the series. Shape `(slot, channel)`.
    pub(crate) spread: Array2<f64>,
}

/// Which way a rank is rounded so that coverage is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Lower,
    Upper,
}

/// Residuals of one series, in its units.
#[derive(Debug)]
pub(crate) struct Residuals {
    /// One `(horizon, channel)` a window, NaN where the label is missing.
    pub(crate) windows: Vec<Array2<f64>>,
}

impl Residuals {
    /// Mean absolute residual of a channel; 1 if it has none or all are zero.
    fn spread(&self, channel: usize) -> f64 {
        let residuals = self.windows.iter().flat_map(|window| window.column(channel).to_vec());
        let (sum, n) =
            residuals.filter(|r| !r.is_nan()).fold((0.0, 0.0), |(sum, n), r| (sum + r.abs(), n + 1.0));
        let spread: f64 = sum / n;
        if spread.is_normal() { spread } else { 1.0 }
    }
}

impl Calibration {
    /// Pools the residuals of all series; the last slot, for unseen series, gets the mean spread.
    pub(crate) fn new(residuals: &[Residuals], horizon: usize, n_channels: usize) -> Self {
        let n_series = residuals.len();
        let mut spread = Array2::zeros((n_series + 1, n_channels));
        for channel in 0..n_channels {
            for (slot, series) in residuals.iter().enumerate() {
                spread[[slot, channel]] = series.spread(channel);
                spread[[n_series, channel]] += spread[[slot, channel]] / n_series as f64;
            }
        }
        let scores_at = |channel: usize, step: usize| {
            let scores = residuals.iter().enumerate().flat_map(|(slot, series)| {
                let spread = spread[[slot, channel]];
                series.windows.iter().map(move |window| window[[step, channel]] / spread)
            });
            thin(crate::data::sorted(scores.filter(|score| !score.is_nan()).collect()))
        };
        let all: Vec<Vec<f64>> =
            (0..n_channels * horizon).map(|i| scores_at(i / horizon, i % horizon)).collect();
        let most = all.iter().map(Vec::len).max().unwrap_or(0);
        let scores = Array3::from_shape_fn((n_channels, horizon, most), |(channel, step, i)| {
            all[channel * horizon + step].get(i).copied().unwrap_or(f64::NAN)
        });
        Calibration { scores, spread }
    }

    /// The quantile `q` of the distribution around a forecast; `asked` names it in messages.
    /// Shapes `(horizon, channel)`.
    pub(crate) fn path(
        &self,
        slot: usize,
        mean: &Array2<f64>,
        q: f64,
        side: Side,
        asked: &str,
    ) -> Result<Array2<f64>> {
        let mut path = mean.clone();
        for ((step, channel), value) in path.indexed_iter_mut() {
            *value += self.score(channel, step, q, side, asked)? * self.spread[[slot, channel]];
        }
        Ok(path)
    }

    /// The score of rank `floor` or `ceil` of `q (n + 1)`.
    fn score(&self, channel: usize, step: usize, q: f64, side: Side, asked: &str) -> Result<f64> {
        let scores = self.scores.slice(ndarray::s![channel, step, ..]);
        let n = scores.as_slice().map_or(0, |scores| scores.partition_point(|score| !score.is_nan()));
        let rank = q * (n + 1) as f64;
        // Rounding must not turn an exact rank into its neighbour.
        let slack = 1e-9 * rank.max(1.0);
        let rank = match side {
            Side::Lower => (rank + slack).floor(),
            Side::Upper => (rank - slack).ceil(),
        } as usize;
        if rank >= 1 && rank <= n {
            return Ok(scores[rank - 1]);
        }
        let tail = q.min(1.0 - q);
        let widest = 100.0 * (1.0 - 2.0 / (n + 1) as f64);
        let fix = if n < 3 {
            "fit on a longer series, with a shorter horizon or a larger share for validation".to_string()
        } else {
            format!(
                "the widest interval that they allow is level {:.0}; fit on a longer series or with a shorter horizon for more",
                (widest + 1e-9).floor().max(1.0)
            )
        };
        Err(Error::NotCalibrated {
            asked: asked.to_string(),
            needed: (1.0 / tail - 1.0 - 1e-9).ceil() as usize,
            step: step + 1,
            available: n,
            fix,
        })
    }
}

/// At most [`MOST_SCORES`] of sorted scores: those at evenly spaced ranks.
fn thin(scores: Vec<f64>) -> Vec<f64> {
    let n = scores.len();
    if n <= MOST_SCORES {
        return scores;
    }
    (1..=MOST_SCORES).map(|i| scores[i * (n + 1) / (MOST_SCORES + 1) - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(residuals: &[f64]) -> Calibration {
        let windows = residuals.iter().map(|r| Array2::from_elem((1, 1), *r)).collect();
        Calibration::new(&[Residuals { windows }], 1, 1)
    }

    #[test]
    fn bounds_are_the_residuals_of_the_conformal_ranks() {
        let residuals: Vec<f64> = (1..=99).rev().map(f64::from).collect();
        let calibration = calibration(&residuals);
        let mean = Array2::zeros((1, 1));
        let bound = |q, side| calibration.path(0, &mean, q, side, "x").unwrap()[[0, 0]];
        // With n = 99 the rank of q is exactly 100 q.
        assert!((bound(0.1, Side::Lower) - 10.0).abs() < 1e-9);
        assert!((bound(0.9, Side::Upper) - 90.0).abs() < 1e-9);
        assert!((bound(0.025, Side::Lower) - 2.0).abs() < 1e-9);
        assert!((bound(0.975, Side::Upper) - 98.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_windows_say_how_many_are_needed() {
        let few: Vec<f64> = (0..20).map(f64::from).collect();
        let error =
            calibration(&few).path(0, &Array2::zeros((1, 1)), 0.025, Side::Lower, "level 95").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("level 95 needs 39 calibration windows") && message.contains("has 20"),
            "{message}"
        );
        assert!(message.contains("level 90"), "{message}");
    }

    #[test]
    fn thinning_keeps_quantiles() {
        let thinned = thin((0..50_000).map(f64::from).collect());
        assert_eq!(thinned.len(), MOST_SCORES);
        assert!((thinned[499] - 25_000.0).abs() < 30.0);
    }

    #[test]
    fn coverage_on_new_draws_is_the_level() {
        // Skewed scores from a fixed multiplicative generator; the bounds are held against fresh ones.
        let mut state = 7u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let u = ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            -u.ln()
        };
        let residuals: Vec<f64> = (0..499).map(|_| draw()).collect();
        let calibration = calibration(&residuals);
        let mean = Array2::zeros((1, 1));
        let lower = calibration.path(0, &mean, 0.1, Side::Lower, "x").unwrap()[[0, 0]];
        let upper = calibration.path(0, &mean, 0.9, Side::Upper, "x").unwrap()[[0, 0]];
        let inside = (0..20_000).filter(|_| (lower..=upper).contains(&draw())).count();
        let coverage = inside as f64 / 20_000.0;
        // Three standard deviations of the coverage of a calibration set of 499.
        assert!((coverage - 0.8).abs() < 0.055, "{coverage}");
    }
}
