//! Windows of a lag family on complete stretches of a series: the steps themselves are the window, so no memory
//! has to be fed. The numbers are those of a fed memory, bit for bit.

use std::borrow::Cow;

use super::LagRule;
use super::family::{Family, has_missing};
use crate::data::{Scaler, Series};
use crate::eval::conformal::LastErrors;

/// A part of a series on the scale of a model, ready to be forecast from any complete window.
#[derive(Debug)]
pub(super) struct LagWindows<'a> {
    rule: &'a dyn LagRule,
    slot: usize,
    scalers: &'a [Scaler],
    /// The step of the series that the part begins at.
    start: usize,
    /// In the units of the series, one array a channel.
    values: Vec<Cow<'a, [f64]>>,
    /// The same on the scale of the model.
    scaled: Vec<Cow<'a, [f64]>>,
    /// Complete steps in a row up to each step.
    complete: Vec<usize>,
    /// One-step errors in the units of the series, one vector a channel; NaN where the window is not complete.
    errors: Vec<Vec<f64>>,
    horizon: usize,
    /// One-step errors that enter the running scale.
    n_errors: usize,
}

impl<'a> LagWindows<'a> {
    /// Prepares the windows at `cutoffs`, in ascending order; `None` for families that are no lag rules.
    pub(super) fn new(
        family: &'a dyn Family,
        slot: usize,
        series: &'a Series,
        scalers: &'a [Scaler],
        cutoffs: &[usize],
        (horizon, n_errors): (usize, usize),
    ) -> Option<Self> {
        let rule = family.lag_rule()?;
        let lookback = rule.lookback();
        let (first, last) = (*cutoffs.first()?, *cutoffs.last()?);
        let start = first.saturating_sub(lookback + n_errors);
        let of_channel = |channel: usize| match series.channel(channel) {
            Some(values) => Cow::Borrowed(&values[start..last + horizon]),
            None => series
                .values()
                .column(channel)
                .iter()
                .skip(start)
                .take(last + horizon - start)
                .copied()
                .collect(),
        };
        let values: Vec<Cow<'a, [f64]>> = (0..scalers.len()).map(of_channel).collect();
        let scaled = |(values, scaler): (&Cow<'a, [f64]>, &Scaler)| match *scaler == Scaler::default() {
            true => values.clone(),
            false => values.iter().map(|value| scaler.scale(*value)).collect(),
        };
        let scaled: Vec<Cow<'a, [f64]>> = values.iter().zip(scalers).map(scaled).collect();
        let last = last - start;
        let mut run = 0;
        let mut up_to = |step: usize| {
            run = if values.iter().any(|column| column[step].is_nan()) { 0 } else { run + 1 };
            run
        };
        let complete: Vec<usize> = match values.iter().any(|column| has_missing(&column[..last])) {
            true => (0..last).map(&mut up_to).collect(),
            false => (1..=last).collect(),
        };
        let from = (first - start).saturating_sub(n_errors).max(lookback);
        let of_channel = |(channel, (steps, scaler)): (usize, (&Cow<'a, [f64]>, &Scaler))| {
            let mut errors = vec![f64::NAN; last];
            if rule.repeats() {
                let before = steps.iter().skip(from - lookback);
                for ((error, step), before) in errors.iter_mut().zip(&steps[..]).skip(from).zip(before) {
                    *error = (step - before) * scaler.spread;
                }
                return errors;
            }
            for step in (from..last).filter(|step| complete[*step] > lookback) {
                let mut next = [0.0];
                rule.forecast_channel(slot, channel, &steps[step - lookback..step], &mut next);
                errors[step] = (steps[step] - next[0]) * scaler.spread;
            }
            errors
        };
        let errors = scaled.iter().zip(scalers).enumerate().map(of_channel).collect();
        Some(LagWindows { rule, slot, scalers, start, values, scaled, complete, errors, horizon, n_errors })
    }

    /// Writes the errors of the window at a cutoff, shape `(channel, horizon)`, and its last one-step errors, one a
    /// channel; writes nothing and returns `None` if a step that a memory would be fed with is missing.
    pub(super) fn window(&self, cutoff: usize, errors: &mut [f64], last: &mut [LastErrors]) -> Option<()> {
        let lookback = self.rule.lookback();
        let fed = (lookback + self.n_errors).min(cutoff);
        let cutoff = cutoff.checked_sub(self.start)?;
        if cutoff < lookback || cutoff == 0 || self.complete[cutoff - 1] < fed {
            return None;
        }
        let channels = errors.chunks_exact_mut(self.horizon).zip(last).zip(&self.values).zip(self.scalers);
        for (channel, (((path, last), values), scaler)) in channels.enumerate() {
            let input = &self.scaled[channel][cutoff - lookback..cutoff];
            let labels = &values[cutoff..cutoff + self.horizon];
            if self.rule.repeats() {
                for (path, labels) in path.chunks_mut(lookback).zip(labels.chunks(lookback)) {
                    for ((error, label), forecast) in path.iter_mut().zip(labels).zip(input) {
                        *error = label - scaler.unscale(*forecast);
                    }
                }
            } else {
                self.rule.forecast_channel(self.slot, channel, input, path);
                for (error, label) in path.iter_mut().zip(labels) {
                    *error = label - scaler.unscale(*error);
                }
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
