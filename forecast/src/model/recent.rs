//! The errors just before a cutoff: a memory makes its last forecasts again and sees how they did.

use ndarray::{Array2, ArrayViewMut2};
use rayon::prelude::*;

use super::{Beside, Family, LagRule, Memory, Model, Slot};
use crate::data::Scaler;
use crate::eval::conformal::{ByWindow, LastErrors, Outer, Recency, Recent};

/// Forecasts that are worth a thread to make again, and their products in all that are worth several.
const FEWEST_A_THREAD: usize = 16;
const FEWEST_PRODUCTS: usize = 4_000_000;

/// Steps that a memory keeps: the lookback, and those whose errors enter the intervals of a horizon.
pub(super) fn kept_steps(lookback: usize, horizon: usize, recency: Option<&Recency>) -> usize {
    let errors = recency.map_or(0, |recency| recency.recall + recency.scale_steps + horizon);
    lookback.saturating_add(errors)
}

/// Errors of the last one-step forecasts, the latest first, in the units of the series; NaN where a value is
/// missing, no rows for those that the memory does not reach. Shape `(age, channel)`, at most `most` rows.
pub(super) fn one_step_errors(
    family: &dyn Family,
    slot: usize,
    memory: &Memory,
    beside: Beside<'_>,
    scalers: &[Scaler],
    most: usize,
) -> Array2<f64> {
    let n = memory.recall().min(most);
    let mut errors = Array2::zeros((n, scalers.len()));
    if let (Some(rule), Memory::Lags(lags)) = (family.lag_rule(), memory) {
        for (channel, scaler) in scalers.iter().enumerate() {
            let mut errors = errors.column_mut(channel);
            if let Some(steps) = lags.complete(channel).filter(|_| rule.repeats()) {
                let before = steps.iter().rev().skip(rule.lookback());
                for ((error, step), before) in errors.iter_mut().zip(steps.iter().rev()).zip(before) {
                    *error = (step - before) * scaler.spread;
                }
                continue;
            }
            let mut next = [0.0];
            for (age, error) in errors.iter_mut().enumerate() {
                rule.forecast_channel(slot, channel, lags.window(channel, age + 1), &mut next);
                *error = (lags.observed(channel, age) - next[0]) * scaler.spread;
            }
        }
        return errors;
    }
    let mut next = Array2::zeros((1, scalers.len()));
    for age in 0..n {
        family.forecast(slot, memory, age + 1, beside, next.view_mut());
        for (channel, scaler) in scalers.iter().enumerate() {
            let error = memory.observed(channel, age) - next[[0, channel]];
            errors[[age, channel]] = error * scaler.spread;
        }
    }
    errors
}

/// The errors of a season that is repeated, from its step `first` on.
fn errors_of_season(mut path: &mut [f64], mut outcomes: &[f64], season: &[f64], first: usize) {
    let mut rest = &season[first % season.len()..];
    while !path.is_empty() {
        let n = rest.len().min(path.len());
        let (now, after) = path.split_at_mut(n);
        for ((error, outcome), forecast) in now.iter_mut().zip(outcomes).zip(rest) {
            *error = outcome - forecast;
        }
        (path, outcomes, rest) = (after, &outcomes[n..], season);
    }
}

/// Sum and number of the absolute errors of a channel in the `n` steps before the last `age`.
pub(super) fn last_errors(errors: &Array2<f64>, channel: usize, age: usize, n: usize) -> LastErrors {
    let mut last = LastErrors::default();
    for row in age.min(errors.nrows())..(age + n).min(errors.nrows()) {
        let error = errors[[row, channel]];
        if !error.is_nan() {
            last.sum += error.abs();
            last.n += 1;
        }
    }
    last
}

impl Model {
    /// Steps that the memory of a state keeps.
    pub(super) fn kept_steps(&self) -> usize {
        kept_steps(self.lookback(), self.header().horizon, self.header().recency.as_ref())
    }

    /// What scores are multiplied by after a memory, one a channel.
    pub(super) fn scale(&self, slot: Slot, memory: &Memory, beside: Beside<'_>) -> Vec<f64> {
        let n_steps = self.header().recency.map_or(0, |recency| recency.scale_steps);
        let errors = self.scale_errors(slot, memory, beside, n_steps);
        (0..errors.ncols()).map(|channel| self.scale_at(slot, &errors, channel, 0)).collect()
    }

    /// What is known after a memory of the errors of the first `horizon` steps.
    pub(super) fn recent(&self, slot: Slot, memory: &Memory, beside: Beside<'_>, horizon: usize) -> Recent {
        let family = self.parts.family.as_ref();
        let scalers = &self.parts.scalers[slot.scale];
        // A family whose forecasts take long does not make them again.
        let Some(recency) = self.header().recency.filter(|recency| recency.recall > 0) else {
            return Recent::of_scale(self.scale(slot, memory, beside));
        };
        let one_step = self.scale_errors(slot, memory, beside, usize::MAX);
        let oldest = memory.recall().min(recency.recall + horizon);
        let ages: Vec<usize> = (1..=oldest).step_by(recency.stride).collect();
        let mut scores = ByWindow::zeros(ages.len(), scalers.len(), horizon);
        let shape = (scalers.len(), horizon);
        // What each channel's scores are divided by. Shape `(channel, window)`.
        let scale_at = |channel: usize, age: usize| self.scale_at(slot, &one_step, channel, age);
        let scales: Vec<Vec<f64>> = (0..scalers.len())
            .map(|channel| ages.iter().map(|age| scale_at(channel, *age)).collect())
            .collect();
        let complete: Option<Vec<&[f64]>> = match memory {
            Memory::Lags(lags) if family.lag_rule().is_some_and(LagRule::repeats) => {
                (0..scalers.len()).map(|channel| lags.complete(channel)).collect()
            }
            _ => None,
        };
        // Each step looks at the outcomes of equally many steps.
        let known = |age: usize| {
            let first = age.saturating_sub(recency.recall).min(horizon);
            first..age.min(horizon).max(first)
        };
        // The last steps, the latest first. Shape `(channel, age)`.
        let observed: Vec<f64> = match complete {
            Some(_) => Vec::new(),
            None => (0..scalers.len())
                .flat_map(|channel| (0..oldest).map(move |age| memory.observed(channel, age)))
                .collect(),
        };
        let window = |((at, age), scores): ((usize, &usize), &mut [f64])| {
            let (age, known) = (*age, known(*age));
            if complete.is_none()
                && let Ok(paths) = ArrayViewMut2::from_shape(shape, &mut *scores)
            {
                family.forecast(slot.family, memory, age, beside, paths.reversed_axes());
            }
            for (channel, path) in scores.chunks_exact_mut(horizon).enumerate() {
                let (spread, scale) = (scalers[channel].spread, scales[channel][at]);
                path[..known.start].fill(f64::NAN);
                path[known.end..].fill(f64::NAN);
                let path = &mut path[known.clone()];
                if let Some(steps) = &complete {
                    let (before, outcomes) = steps[channel].split_at(steps[channel].len() - age);
                    let season = &before[before.len() - family.lookback()..];
                    errors_of_season(path, &outcomes[known.clone()], season, known.start);
                    path.iter_mut().for_each(|score| *score = *score * spread / scale);
                    continue;
                }
                let observed = &observed[channel * oldest..(channel + 1) * oldest];
                let outcomes = observed[age - known.end..age - known.start].iter().rev();
                for (score, outcome) in path.iter_mut().zip(outcomes) {
                    *score = (outcome - *score) * spread / scale;
                }
            }
        };
        // Each has its place, whatever the number of threads.
        let window_len = scores.window_len();
        let n_products = ages.len().saturating_mul(window_len).saturating_mul(family.lookback());
        if family.lag_rule().is_some() && n_products < FEWEST_PRODUCTS {
            ages.iter().enumerate().zip(scores.values_mut().chunks_exact_mut(window_len)).for_each(window);
        } else {
            let places = scores.values_mut().par_chunks_exact_mut(window_len);
            ages.par_iter().enumerate().with_min_len(FEWEST_A_THREAD).zip(places).for_each(window);
        }
        let scale: Vec<f64> = (0..scalers.len()).map(|channel| scale_at(channel, 0)).collect();
        let ratios =
            scales.iter().zip(&scale).map(|(then, now)| then.iter().map(|then| then / now).collect());
        let outer = Outer::new(&self.parts.calibration, horizon, ratios.collect());
        Recent { scale, scores, outer }
    }

    /// The one-step errors that running scales are told from; none if no channel's scale depends on them.
    fn scale_errors(&self, slot: Slot, memory: &Memory, beside: Beside<'_>, most: usize) -> Array2<f64> {
        let scalers = &self.parts.scalers[slot.scale];
        if self.parts.calibration.long_run_weight.iter().all(|weight| weight.is_infinite()) {
            return Array2::zeros((0, scalers.len()));
        }
        one_step_errors(self.parts.family.as_ref(), slot.family, memory, beside, scalers, most)
    }

    /// The running scale of a channel as it was `age` steps ago.
    fn scale_at(&self, slot: Slot, errors: &Array2<f64>, channel: usize, age: usize) -> f64 {
        let calibration = &self.parts.calibration;
        let n_steps = self.header().recency.map_or(0, |recency| recency.scale_steps);
        let last = last_errors(errors, channel, age, n_steps);
        last.scale(calibration.spread[[slot.scale, channel]], calibration.long_run_weight[channel])
    }
}
