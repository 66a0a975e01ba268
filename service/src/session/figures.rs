//! How well the forecasts of one series do: rolling errors one step ahead, and the share of outcomes inside intervals.
//!
//! Weights are exponential: `mae_t = (err_t + d err_(t-1) + d^2 err_(t-2) + ...) / (1 + d + d^2 + ...)`, where `d` halves
//! within 128 steps, so that memory and cost do not depend on how long a stream is.

use serde::{Deserialize, Serialize};

/// Halves a weight within 128 steps: 2^(-1/128).
const ERROR_DECAY: f64 = 0.994_599_423_483_633_2;
/// Halves a weight within 1,024 outcomes: 2^(-1/1024).
const COVERAGE_DECAY: f64 = 0.999_323_327_502_650_7;

/// Rolling figures of one series: plain data, a part of the state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Steps that were taken, imputed ones included.
    pub n_taken: u64,
    /// Of these, missing ones.
    pub n_missing: u64,
    /// Observations that were left out.
    pub n_refused: u64,
    /// Times that the series began anew.
    pub n_resets: u64,
    /// Steps whose forecast was judged.
    pub n_scored: u64,
    /// How far the newest value lay from its forecast, by the rolling mean absolute error before it.
    pub surprise: Option<f64>,
    /// One a channel.
    errors: Vec<Errors>,
    /// One a level.
    coverages: Vec<Coverage>,
}

/// Decayed sums of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Errors {
    weight: f64,
    model: f64,
    /// Sums over the steps where seasonal naive is known too.
    beside: f64,
    naive: f64,
}

/// Decayed counts of one level.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Coverage {
    weight: f64,
    held: f64,
    /// Outcomes that were judged.
    pub n_judged: u64,
}

impl Coverage {
    /// The share of outcomes inside; none before the first.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.held / self.weight)
    }
}

impl Figures {
    pub(super) fn new(n_channels: usize, n_levels: usize) -> Self {
        Figures {
            errors: vec![Errors::default(); n_channels],
            coverages: vec![Coverage::default(); n_levels],
            ..Figures::default()
        }
    }

    /// Scores one step: outcomes, the model's forecasts and seasonal naive's, one a channel, NaN where not known.
    pub(super) fn score(&mut self, values: &[f64], forecasts: &[f64], naive: &[f64]) {
        let (mut is_scored, mut surprise) = (false, 0.0_f64);
        for ((errors, value), (forecast, naive)) in
            self.errors.iter_mut().zip(values).zip(forecasts.iter().zip(naive))
        {
            let error = (value - forecast).abs();
            if !error.is_finite() {
                continue;
            }
            is_scored = true;
            if errors.weight > 0.0 && errors.model > 0.0 {
                surprise = surprise.max(error * errors.weight / errors.model);
            } else if errors.weight > 0.0 && error == 0.0 {
                surprise = surprise.max(1.0);
            } else {
                surprise = f64::INFINITY;
            }
            errors.weight = errors.weight * ERROR_DECAY + 1.0;
            errors.model = errors.model * ERROR_DECAY + error;
            let beside = (value - naive).abs();
            if beside.is_finite() {
                errors.beside = errors.beside * ERROR_DECAY + error;
                errors.naive = errors.naive * ERROR_DECAY + beside;
            }
        }
        self.n_scored += u64::from(is_scored);
        self.surprise = (is_scored && surprise.is_finite()).then_some(surprise);
    }

    /// Counts whether an interval held its outcome.
    pub(super) fn judge(&mut self, level: usize, is_inside: bool) {
        if let Some(coverage) = self.coverages.get_mut(level) {
            coverage.weight = coverage.weight * COVERAGE_DECAY + 1.0;
            coverage.held = coverage.held * COVERAGE_DECAY + f64::from(u8::from(is_inside));
            coverage.n_judged += 1;
        }
    }

    /// Mean absolute error one step ahead, over the channels; none before the first.
    #[must_use]
    pub fn mae(&self) -> Option<f64> {
        mean(self.errors.iter().filter(|e| e.weight > 0.0).map(|e| e.model / e.weight))
    }

    /// The error of the model by that of seasonal naive, over the channels; none before the first season is over, or
    /// while seasonal naive has made no error.
    #[must_use]
    pub fn mase(&self) -> Option<f64> {
        mean(self.errors.iter().filter(|e| e.naive > 0.0).map(|e| e.beside / e.naive))
    }

    /// One for each level.
    #[must_use]
    pub fn coverages(&self) -> &[Coverage] {
        &self.coverages
    }

    pub(super) fn is_sound(&self, n_channels: usize, n_levels: usize) -> bool {
        self.errors.len() == n_channels && self.coverages.len() == n_levels
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    (n > 0.0).then(|| sum / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, over all steps.
    fn weighted(errors: &[f64], decay: f64) -> f64 {
        let weight = |age: usize| decay.powi(i32::try_from(age).unwrap());
        let n = errors.len();
        let sum: f64 = errors.iter().enumerate().map(|(i, e)| e * weight(n - 1 - i)).sum();
        sum / (0..n).map(weight).sum::<f64>()
    }

    #[test]
    fn constants_halve_as_they_say() {
        assert!((ERROR_DECAY.powi(128) - 0.5).abs() < 1e-12);
        assert!((COVERAGE_DECAY.powi(1024) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn rolling_errors_are_those_of_the_definition() {
        let mut figures = Figures::new(1, 0);
        let value = |i: usize| (i as f64 * 0.7).sin() * 10.0;
        let (mut model, mut naive) = (Vec::new(), Vec::new());
        for i in 0..700 {
            let forecast = value(i) + (i % 7) as f64 - 3.0;
            let before = if i < 24 { f64::NAN } else { value(i - 24) };
            figures.score(&[value(i)], &[forecast], &[before]);
            model.push((value(i) - forecast).abs());
            if i >= 24 {
                naive.push((value(i) - before).abs());
            }
        }
        let mae = weighted(&model, ERROR_DECAY);
        assert!((figures.mae().unwrap() - mae).abs() < 1e-10 * mae);
        let mase = weighted(&model[24..], ERROR_DECAY) / weighted(&naive, ERROR_DECAY);
        assert!((figures.mase().unwrap() - mase).abs() < 1e-10 * mase);
        assert_eq!(figures.n_scored, 700);
    }

    #[test]
    fn missing_values_are_not_scored_and_a_surprise_is_told_by_the_errors_before() {
        let mut figures = Figures::new(2, 1);
        assert_eq!((figures.mae(), figures.mase()), (None, None));
        figures.score(&[1.0, f64::NAN], &[2.0, 1.0], &[f64::NAN, 0.0]);
        assert_eq!((figures.mae(), figures.mase(), figures.surprise), (Some(1.0), None, None));
        figures.score(&[5.0, f64::NAN], &[2.0, 1.0], &[f64::NAN, 0.0]);
        assert_eq!(figures.surprise, Some(3.0));
        figures.score(&[f64::NAN, f64::NAN], &[2.0, 1.0], &[1.0, 0.0]);
        assert_eq!((figures.n_scored, figures.surprise), (2, None));
    }

    #[test]
    fn coverage_is_the_share_of_outcomes_inside() {
        let mut figures = Figures::new(1, 2);
        for i in 0..10_000 {
            figures.judge(1, i % 10 != 0);
        }
        let [first, second] = figures.coverages() else { panic!() };
        assert_eq!((first.measured(), first.n_judged, second.n_judged), (None, 0, 10_000));
        assert!((second.measured().unwrap() - 0.9).abs() < 0.01);
    }
}
