//! Conformal intervals: the errors of windows that the model was not fitted on, and of its last forecasts before
//! a cutoff, one set of scores for each horizon step and channel.
//!
//! A score is an error `y - forecast` over a running scale: the mean absolute one-step error of the last steps
//! before the cutoff, blended with its long-run mean. How much of each is what gave the better intervals on the
//! calibration windows (`running.rs`); where errors do not come in bursts it is the long-run mean alone. So series
//! of different size share one set of scores, and intervals widen when errors grow. With `n` sorted scores, the lower bound with tail `a` is the
//! score of rank `floor(a (n + 1))`, the upper one of rank `ceil((1 - a)(n + 1))`: under exchangeability the
//! interval between them covers at least `1 - 2a` (Vovk et al. 2005; Lei et al. 2018, section 2; both tails
//! apart, so skewed errors give skewed intervals). Series drift, so the scores of the forecasts that were due
//! just before the cutoff weigh more than those of the fit, as far as the history tells them (`mixture.rs`); errors
//! of quiet days are not blown up without bound where the running scale has grown since (`outer.rs`).
//!
//! A band for whole paths is the same for one score a window (`paths.rs`).

mod by_window;
mod lanes;
mod mixture;
mod outer;
mod paths;
mod ranks;
mod rearrange;
mod recency;
mod residuals;
mod running;
mod sort;
mod tracker;

use std::borrow::Cow;

use ndarray::{Array2, Array3};

use crate::{Error, Result};
pub(crate) use by_window::ByWindow;
use mixture::{Mixture, Walk};
pub(crate) use outer::Outer;
pub(crate) use paths::Paths;
pub use rearrange::rearrange;
pub(crate) use recency::{LastErrors, Recency, Recent, SortedRecent};
pub(crate) use residuals::{Residuals, Scored};
pub(crate) use tracker::Tracker;

/// The scores of a fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibration {
    /// Sorted scores, padded with NaN. Shape `(channel, horizon, window)`.
    pub(crate) scores: Array3<f64>,
    /// Long-run mean of the absolute one-step error, in the units of the series; in files of format 1 the mean
    /// absolute error of all steps. Shape `(slot, channel)`.
    pub(crate) spread: Array2<f64>,
    /// As how many errors the long-run mean counts in the running scale of each channel; infinite where the errors
    /// just before a cutoff do not tell how large the next ones are, and in files of format 1.
    pub(crate) long_run_weight: Vec<f64>,
    /// The scores of whole paths; files of format 1 have none.
    pub(crate) paths: Option<Paths>,
    /// How the errors before a cutoff enter; in files of format 1 they do not.
    pub(crate) recency: Option<Recency>,
}

/// Which way a rank is rounded so that coverage is not lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Lower,
    Upper,
}

/// A quantile that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Quantile {
    pub(crate) q: f64,
    pub(crate) side: Side,
    /// What it is called in messages.
    pub(crate) asked: String,
}

/// Sorted scores of one step, or of paths up to one, and channel.
pub(super) struct Sample<'a> {
    training: &'a [f64],
    recent: Cow<'a, [f64]>,
    training_weight: f64,
    /// 2 for bounds with a tail each, 1 for bands.
    n_tails: f64,
}

impl Calibration {
    /// How far quantiles of the distribution around a forecast lie from it. Each of shape `(horizon, channel)`.
    ///
    /// # Errors
    /// [`Error::NotCalibrated`] for the outermost one that the scores do not support.
    pub(crate) fn around(
        &self,
        (horizon, n_channels): (usize, usize),
        recent: &SortedRecent<'_>,
        quantiles: &[Quantile],
    ) -> Result<Vec<Array2<f64>>> {
        let mut around = vec![Array2::zeros((horizon, n_channels)); quantiles.len()];
        // Those of a side are found one after another, from the outermost inwards.
        let mut inwards: Vec<(&Quantile, &mut Array2<f64>)> = quantiles.iter().zip(&mut around).collect();
        inwards.sort_by(|a, b| a.0.tail().total_cmp(&b.0.tail()));
        for channel in 0..n_channels {
            let scale = recent.recent.scale[channel];
            for step in 0..horizon {
                let training = self.scores.slice(ndarray::s![channel, step, ..]);
                let sample = self.sample(training, recent.scores(step, channel).into(), 2.0);
                let mixture = sample.mixture();
                let (mut lower, mut upper) = (mixture.walk(Side::Lower), mixture.walk(Side::Upper));
                for (quantile, around) in &mut inwards {
                    let walk = match quantile.side {
                        Side::Lower => &mut lower,
                        Side::Upper => &mut upper,
                    };
                    let score = sample.score(walk, quantile.q, step, &quantile.asked)?;
                    around[[step, channel]] = score * scale;
                }
            }
        }
        Ok(around)
    }

    /// Lower and upper bounds that hold a whole path of `mean.nrows()` steps with probability `level`, a fraction.
    /// Shapes `(horizon, channel)`.
    ///
    /// # Errors
    /// [`Error::NotCalibrated`] as for single steps, [`Error::BadOption`] for files without scores of paths.
    pub(crate) fn band(
        &self,
        mean: &Array2<f64>,
        recent: &SortedRecent<'_>,
        level: f64,
        asked: &str,
    ) -> Result<(Array2<f64>, Array2<f64>)> {
        let Some(paths) = &self.paths else {
            let rule = "the model was fitted by a version that knew single steps only; fit it again";
            return Err(Error::option("band", "whole-path", rule));
        };
        let (mut lower, mut upper) = (mean.clone(), mean.clone());
        let Some(last) = mean.nrows().checked_sub(1) else { return Ok((lower, upper)) };
        for channel in 0..mean.ncols() {
            let recent = recent.recent;
            let scores = (0..recent.scores.n_windows()).map(|window| {
                let path = recent.scores.path(window, channel);
                paths.score(channel, path.iter().take(last + 1).copied())
            });
            let scores = crate::data::sorted(scores.filter(|score| score.is_finite()).collect());
            let sample = self.sample(paths.scores.slice(ndarray::s![channel, last, ..]), scores.into(), 1.0);
            let mixture = sample.mixture();
            let score =
                sample.score(&mut mixture.walk(Side::Upper), level, last, asked)? * recent.scale[channel];
            for step in 0..=last {
                lower[[step, channel]] -= score * paths.reach[[channel, step, 0]];
                upper[[step, channel]] += score * paths.reach[[channel, step, 1]];
            }
        }
        Ok((lower, upper))
    }

    /// The sorted scores of one step and channel that are numbers.
    pub(crate) fn training_scores(&self, channel: usize, step: usize) -> &[f64] {
        observed(self.scores.slice(ndarray::s![channel, step, ..]))
    }

    fn sample<'a>(
        &self,
        training: ndarray::ArrayView1<'a, f64>,
        recent: Cow<'a, [f64]>,
        n_tails: f64,
    ) -> Sample<'a> {
        let training = observed(training);
        let weight = |recency: &Recency| recency.training_weight(training.len(), recent.len());
        let training_weight = self.recency.as_ref().map_or(1.0, weight);
        Sample { training, recent, training_weight, n_tails }
    }
}

/// Sorted scores without the padding.
fn observed(scores: ndarray::ArrayView1<'_, f64>) -> &[f64] {
    let scores = scores.to_slice().unwrap_or_default();
    &scores[..scores.partition_point(|score| !score.is_nan())]
}

impl Quantile {
    /// The share of scores beyond it, on its side.
    fn tail(&self) -> f64 {
        match self.side {
            Side::Lower => self.q,
            Side::Upper => 1.0 - self.q,
        }
    }
}

impl Sample<'_> {
    fn mixture(&self) -> Mixture<'_> {
        Mixture { training: self.training, training_weight: self.training_weight, recent: &self.recent }
    }

    /// The score of rank `floor` or `ceil` of `q (n + 1)`; of a walk that has not come further.
    fn score(&self, walk: &mut Walk<'_>, q: f64, step: usize, asked: &str) -> Result<f64> {
        let n = self.training.len();
        let rank = q * (n + 1) as f64;
        // Rounding must not turn an exact rank into its neighbour.
        let slack = 1e-9 * rank.max(1.0);
        let rank = match walk.side() {
            Side::Lower => (rank + slack).floor(),
            Side::Upper => (rank - slack).ceil(),
        } as usize;
        if rank >= 1 && rank <= n {
            if self.recent.is_empty() {
                return Ok(self.training[rank - 1]);
            }
            return Ok(walk.quantile(q).unwrap_or(self.training[rank - 1]));
        }
        let tail = q.min(1.0 - q);
        let widest = 100.0 * (1.0 - self.n_tails / (n + 1) as f64);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(residuals: &[f64]) -> Calibration {
        let mut all = Residuals::zeros(residuals.len(), 1, 1);
        all.errors.values_mut().copy_from_slice(residuals);
        Calibration::new(&[all], (1, 1), Recency::new(1), Scored::StepsAndPaths)
    }

    /// One quantile of one step.
    fn quantile(calibration: &Calibration, recent: &Recent, q: f64, side: Side) -> Result<f64> {
        let asked = [Quantile { q, side, asked: "level 95".to_string() }];
        calibration.around((1, 1), &recent.sorted(), &asked).map(|around| around[0][[0, 0]])
    }

    fn nothing_recent(calibration: &Calibration) -> Recent {
        Recent::of_scale(vec![calibration.spread[[0, 0]]])
    }

    #[test]
    fn bounds_are_the_residuals_of_the_conformal_ranks() {
        let residuals: Vec<f64> = (1..=99).rev().map(f64::from).collect();
        let calibration = calibration(&residuals);
        let recent = nothing_recent(&calibration);
        let bound = |q, side| quantile(&calibration, &recent, q, side).unwrap();
        // With n = 99 the rank of q is exactly 100 q.
        assert!((bound(0.1, Side::Lower) - 10.0).abs() < 1e-9);
        assert!((bound(0.9, Side::Upper) - 90.0).abs() < 1e-9);
        assert!((bound(0.025, Side::Lower) - 2.0).abs() < 1e-9);
        assert!((bound(0.975, Side::Upper) - 98.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_windows_say_how_many_are_needed() {
        let few: Vec<f64> = (0..20).map(f64::from).collect();
        let calibration = calibration(&few);
        let recent = nothing_recent(&calibration);
        let message = quantile(&calibration, &recent, 0.025, Side::Lower).unwrap_err().to_string();
        assert!(
            message.contains("level 95 needs 39 calibration windows") && message.contains("has 20"),
            "{message}"
        );
        assert!(message.contains("level 90"), "{message}");
    }

    #[test]
    fn recent_scores_outweigh_those_of_the_fit() {
        let calibration = calibration(&(1..=400).map(|i| f64::from(i) / 100.0).collect::<Vec<_>>());
        let mut scores = ByWindow::zeros(100, 1, 1);
        scores.values_mut().iter_mut().enumerate().for_each(|(i, score)| *score = 10.0 + i as f64 / 100.0);
        let recent = Recent { scores, ..Recent::of_scale(vec![1.0]) };
        let upper = |q| quantile(&calibration, &recent, q, Side::Upper).unwrap();
        // 10 of 111 weigh the scores of the fit, all below the recent ones.
        assert!(upper(0.5) > 10.0 && upper(0.05) < 10.0);
        let none = Recent::of_scale(vec![1.0]);
        let alone = quantile(&calibration, &none, 0.9, Side::Upper).unwrap();
        assert!(alone < 4.0 && upper(0.9) > 10.8, "{alone} {}", upper(0.9));
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
        let recent = nothing_recent(&calibration);
        let lower = quantile(&calibration, &recent, 0.1, Side::Lower).unwrap();
        let upper = quantile(&calibration, &recent, 0.9, Side::Upper).unwrap();
        let inside = (0..20_000).filter(|_| (lower..=upper).contains(&draw())).count();
        let coverage = inside as f64 / 20_000.0;
        // Three standard deviations of the coverage of a calibration set of 499.
        assert!((coverage - 0.8).abs() < 0.055, "{coverage}");
    }
}
