//! The errors just before a cutoff: a memory makes its last forecasts again and sees how they did.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::{Family, Memory, Model, Slot};
use crate::data::Scaler;
use crate::eval::conformal::{ByWindow, LastErrors, Recency, Recent};

/// Forecasts that are worth a thread to make again.
const FEWEST_A_THREAD: usize = 16;

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
    scalers: &[Scaler],
    most: usize,
) -> Array2<f64> {
    let n = family.recall(memory).min(most);
    let mut errors = Array2::zeros((n, scalers.len()));
    let mut next = Array2::zeros((1, scalers.len()));
    for age in 0..n {
        family.forecast(slot, memory, age + 1, next.view_mut());
        for (channel, scaler) in scalers.iter().enumerate() {
            let error = family.observed(memory, channel, age) - next[[0, channel]];
            errors[[age, channel]] = error * scaler.spread;
        }
    }
    errors
}

/// Sum and number of the absolute errors of the `n` steps before the last `age`, one a channel.
pub(super) fn last_errors(errors: &Array2<f64>, age: usize, n: usize) -> Vec<LastErrors> {
    let rows = age.min(errors.nrows())..(age + n).min(errors.nrows());
    let part: ArrayView2<'_, f64> = errors.slice(ndarray::s![rows, ..]);
    let of_channel = |column: ndarray::ArrayView1<'_, f64>| {
        column.iter().filter(|error| !error.is_nan()).fold(LastErrors::default(), |last, error| LastErrors {
            sum: last.sum + error.abs(),
            n: last.n + 1,
        })
    };
    part.columns().into_iter().map(of_channel).collect()
}

impl Model {
    /// Steps that the memory of a state keeps.
    pub(super) fn kept_steps(&self) -> usize {
        kept_steps(self.lookback(), self.header().horizon, self.header().recency.as_ref())
    }

    /// What scores are multiplied by after a memory, one a channel.
    pub(super) fn scale(&self, slot: Slot, memory: &Memory) -> Vec<f64> {
        let n_steps = self.header().recency.map_or(0, |recency| recency.scale_steps);
        self.scale_at(slot, &self.scale_errors(slot, memory, n_steps), 0)
    }

    /// What is known after a memory of the errors of the first `horizon` steps.
    pub(super) fn recent(&self, slot: Slot, memory: &Memory, horizon: usize) -> Recent {
        let family = self.parts.family.as_ref();
        let scalers = &self.parts.scalers[slot.scale];
        let Some(recency) = self.header().recency else {
            return Recent::of_scale(self.scale(slot, memory));
        };
        let one_step = self.scale_errors(slot, memory, usize::MAX);
        let oldest = family.recall(memory).min(recency.recall + horizon);
        let ages: Vec<usize> = (1..=oldest).step_by(recency.stride).collect();
        let mut scores = ByWindow::zeros(ages.len(), scalers.len(), horizon);
        let shape = (scalers.len(), horizon);
        // The last steps, the latest first. Shape `(channel, age)`.
        let observed: Vec<f64> = (0..scalers.len())
            .flat_map(|channel| (0..oldest).map(move |age| family.observed(memory, channel, age)))
            .collect();
        let now = self.scale_at(slot, &one_step, 0);
        let window = |(age, scores): (&usize, &mut [f64])| {
            let age = *age;
            let then = if one_step.is_empty() { None } else { Some(self.scale_at(slot, &one_step, age)) };
            let scale = then.as_ref().unwrap_or(&now);
            if let Ok(paths) = ArrayViewMut2::from_shape(shape, scores) {
                family.forecast(slot.family, memory, age, paths.reversed_axes());
            }
            for (channel, path) in scores.chunks_exact_mut(horizon).enumerate() {
                let observed = &observed[channel * oldest..(channel + 1) * oldest];
                let (spread, scale) = (scalers[channel].spread, scale[channel]);
                for (step, score) in path.iter_mut().enumerate() {
                    // Each step looks at the outcomes of equally many steps.
                    let is_recalled = step < age && age <= step + recency.recall;
                    let outcome = if is_recalled { observed[age - 1 - step] } else { f64::NAN };
                    *score = (outcome - *score) * spread / scale;
                }
            }
        };
        // Each has its place, whatever the number of threads.
        let window_len = scores.window_len();
        let places = scores.values_mut().par_chunks_exact_mut(window_len);
        ages.par_iter().with_min_len(FEWEST_A_THREAD).zip(places).for_each(window);
        Recent { scale: now, scores, stride: recency.stride }
    }

    /// The one-step errors that running scales are told from; none if no channel's scale depends on them.
    fn scale_errors(&self, slot: Slot, memory: &Memory, most: usize) -> Array2<f64> {
        let scalers = &self.parts.scalers[slot.scale];
        if self.parts.calibration.long_run_weight.iter().all(|weight| weight.is_infinite()) {
            return Array2::zeros((0, scalers.len()));
        }
        one_step_errors(self.parts.family.as_ref(), slot.family, memory, scalers, most)
    }

    /// The running scale as it was `age` steps ago, one a channel.
    fn scale_at(&self, slot: Slot, errors: &Array2<f64>, age: usize) -> Vec<f64> {
        let long_run = self.parts.calibration.spread.row(slot.scale);
        let n_steps = self.header().recency.map_or(0, |recency| recency.scale_steps);
        let weights = &self.parts.calibration.long_run_weight;
        let last = last_errors(errors, age, n_steps).into_iter().zip(weights).zip(long_run);
        last.map(|((last, weight), long_run)| last.scale(*long_run, *weight)).collect()
    }
}
