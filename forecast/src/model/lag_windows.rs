//! Windows of a lag family on complete stretches of a series: the steps themselves are the window, so no memory
//! has to be fed. The numbers are those of a fed memory, bit for bit.

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
    /// In the units of the series, one vector a channel.
    values: Vec<Vec<f64>>,
    /// The same on the scale of the model.
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
        let values: Vec<Vec<f64>> =
            series.values().columns().into_iter().map(|column| column.to_vec()).collect();
        let scaled: Vec<Vec<f64>> = values
            .iter()
            .zip(scalers)
            .map(|(column, scaler)| column.iter().map(|value| scaler.scale(*value)).collect())
            .collect();
        let mut run = 0;
        let complete: Vec<usize> = (0..series.n_steps())
            .map(|step| {
                run = if values.iter().any(|column| column[step].is_nan()) { 0 } else { run + 1 };
                run
            })
            .collect();
        let lookback = rule.lookback();
        let from = first.saturating_sub(n_errors).max(lookback);
        let of_channel = |(channel, (steps, scaler)): (usize, (&Vec<f64>, &Scaler))| {
            let mut errors = vec![f64::NAN; last];
            for step in (from..last).filter(|step| complete[*step] > lookback) {
                let mut next = [0.0];
                rule.forecast_channel(slot, channel, &steps[step - lookback..step], &mut next);
                errors[step] = (steps[step] - next[0]) * scaler.spread;
            }
            errors
        };
        let errors = scaled.iter().zip(scalers).enumerate().map(of_channel).collect();
        Some(LagWindows { rule, slot, scalers, values, scaled, complete, errors, horizon, n_errors })
    }

    /// Writes the errors of the window at a cutoff, shape `(channel, horizon)`, and its last one-step errors, one a
    /// channel; writes nothing and returns `None` if a step that a memory would be fed with is missing.
    pub(super) fn window(&self, cutoff: usize, errors: &mut [f64], last: &mut [LastErrors]) -> Option<()> {
        let lookback = self.rule.lookback();
        let fed = (lookback + self.n_errors).min(cutoff);
        if cutoff < lookback || cutoff == 0 || self.complete[cutoff - 1] < fed {
            return None;
        }
        let channels = errors.chunks_exact_mut(self.horizon).zip(last).zip(&self.values).zip(self.scalers);
        for (channel, (((path, last), values), scaler)) in channels.enumerate() {
            let input = &self.scaled[channel][cutoff - lookback..cutoff];
            self.rule.forecast_channel(self.slot, channel, input, path);
            for (error, label) in path.iter_mut().zip(&values[cutoff..cutoff + self.horizon]) {
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
