//! Windows of a lag family on complete stretches of a series: the steps themselves are the window, so no memory
//! has to be fed. The numbers are those of a fed memory, bit for bit.

use ndarray::s;

use super::LagRule;
use super::family::Family;
use crate::data::{Scaler, Series};
use crate::eval::conformal::LastErrors;

/// A series on the scale of a model, ready to be forecast from any complete window.
#[derive(Debug)]
pub(super) struct LagWindows<'a> {
    rule: &'a dyn LagRule,
    slot: usize,
    scalers: &'a [Scaler],
    /// One vector a channel.
    scaled: Vec<Vec<f64>>,
    /// Complete steps in a row up to each step.
    complete: Vec<usize>,
    /// One-step errors in the units of the series, one vector a channel; NaN where the window is not complete.
    errors: Vec<Vec<f64>>,
    horizon: usize,
    /// One-step errors that enter the running scale.
    n_errors: usize,
}

impl<'a> LagWindows<'a> {
    /// Prepares the windows whose cutoffs lie in `cutoffs`; `None` for families that are no lag rules.
    pub(super) fn new(
        family: &'a dyn Family,
        slot: usize,
        series: &Series,
        scalers: &'a [Scaler],
        cutoffs: &[usize],
        (horizon, n_errors): (usize, usize),
    ) -> Option<Self> {
        let rule = family.lag_rule()?;
        let (first, last) = (*cutoffs.first()?, *cutoffs.last()?);
        let values = series.values();
        let scaled: Vec<Vec<f64>> = values
            .columns()
            .into_iter()
            .zip(scalers)
            .map(|(column, scaler)| column.iter().map(|value| scaler.scale(*value)).collect())
            .collect();
        let mut run = 0;
        let mut complete = Vec::with_capacity(values.nrows());
        for row in values.rows() {
            run = if row.iter().any(|value| value.is_nan()) { 0 } else { run + 1 };
            complete.push(run);
        }
        let lookback = rule.lookback();
        let from = first.saturating_sub(n_errors).max(lookback);
        let error = |channel: usize, step: usize| {
            if step < from || complete[step] <= lookback {
                return f64::NAN;
            }
            let mut next = [0.0];
            let steps = &scaled[channel];
            rule.forecast_channel(slot, channel, &steps[step - lookback..step], &mut next);
            (steps[step] - next[0]) * scalers[channel].spread
        };
        let of_channel = |channel: usize| (0..last).map(|step| error(channel, step)).collect();
        let errors = (0..scalers.len()).map(of_channel).collect();
        Some(LagWindows { rule, slot, scalers, scaled, complete, errors, horizon, n_errors })
    }

    /// Writes the errors of the window at a cutoff, shape `(channel, horizon)`, and its last one-step errors, one a
    /// channel; writes nothing and returns `None` if a step that a memory would be fed with is missing.
    pub(super) fn window(
        &self,
        series: &Series,
        cutoff: usize,
        errors: &mut [f64],
        last: &mut [LastErrors],
    ) -> Option<()> {
        let lookback = self.rule.lookback();
        let fed = (lookback + self.n_errors).min(cutoff);
        if cutoff < lookback || cutoff == 0 || self.complete[cutoff - 1] < fed {
            return None;
        }
        let values = series.values();
        let labels = values.slice(s![cutoff..cutoff + self.horizon, ..]);
        let channels =
            errors.chunks_exact_mut(self.horizon).zip(last).zip(labels.columns()).zip(self.scalers);
        for (channel, (((path, last), labels), scaler)) in channels.enumerate() {
            let input = &self.scaled[channel][cutoff - lookback..cutoff];
            self.rule.forecast_channel(self.slot, channel, input, path);
            for (error, label) in path.iter_mut().zip(labels) {
                *error = label - scaler.unscale(*error);
            }
            // The latest first, as a memory has them.
            let errors = self.errors[channel][cutoff - (fed - lookback)..cutoff].iter().rev();
            *last = errors.fold(LastErrors::default(), |last, error| LastErrors {
                sum: last.sum + error.abs(),
                n: last.n + 1,
            });
        }
        Some(())
    }
}
