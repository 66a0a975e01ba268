//! Baselines: naive, seasonal naive, drift and window mean. No score is ever printed without one.
//!
//! With `w` the window of the last `L` steps, oldest first, the forecast at step `h >= 1` is
//!
//! | model | forecast | lookback `L` |
//! |---|---|---|
//! | `naive` | `w_L` | 1 |
//! | `seasonal-naive` | `w_(1 + (h - 1) mod L)` | `season_length` |
//! | `drift` | `w_L + h (w_L - w_1) / (L - 1)` | `lookback` |
//! | `window-mean` | `mean(w)` | `lookback` |
//!
//! Definitions as in Hyndman and Athanasopoulos, *Forecasting: Principles and Practice*, section 5.2.

use serde::{Deserialize, Serialize};

use crate::model::LagRule;

/// Settings of `naive`: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaiveConfig {}

/// Settings of `seasonal-naive`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `season_length` | the season of the data | steps of one season | at least 1 |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonalNaiveConfig {
    /// Steps of one season; 1 repeats the last value.
    pub season_length: Option<usize>,
}

/// Settings of `drift`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lookback` | the season, at least 24 | steps that the line goes through | at least 2 |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftConfig {
    /// Steps from the first to the last value of the line.
    pub lookback: Option<usize>,
}

/// Settings of `window-mean`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lookback` | the season of the data | steps of the mean | at least 1 |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowMeanConfig {
    /// Steps that the mean is taken over.
    pub lookback: Option<usize>,
}

/// What a baseline does with its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Repeats it.
    Repeat,
    /// Continues the line through its ends.
    Drift,
    /// Takes its mean.
    Mean,
}

/// A baseline, which has nothing to learn.
#[derive(Debug)]
pub(crate) struct Baseline {
    rule: Rule,
    lookback: usize,
}

impl Baseline {
    pub(crate) fn new(rule: Rule, lookback: usize) -> Self {
        Baseline { rule, lookback }
    }
}

impl LagRule for Baseline {
    fn lookback(&self) -> usize {
        self.lookback
    }

    fn forecast_channel(&self, _slot: usize, _channel: usize, window: &[f64], out: &mut [f64]) {
        let (first, last) = (window[0], window[self.lookback - 1]);
        match self.rule {
            Rule::Repeat if out.len() == 1 => out[0] = first,
            Rule::Repeat => {
                for season in out.chunks_mut(window.len()) {
                    season.copy_from_slice(&window[..season.len()]);
                }
            }
            Rule::Drift => {
                let slope = (last - first) / (self.lookback - 1) as f64;
                for (h, out) in out.iter_mut().enumerate() {
                    *out = last + (h + 1) as f64 * slope;
                }
            }
            Rule::Mean => out.fill(window.iter().sum::<f64>() / self.lookback as f64),
        }
    }

    fn repeats(&self) -> bool {
        self.rule == Rule::Repeat
    }

    fn n_direct_steps(&self) -> usize {
        usize::MAX
    }

    fn coefficients(&self, _slot: usize, _channel: usize, step: usize) -> Option<(f64, Vec<f64>)> {
        let n = self.lookback;
        let mut weights = vec![0.0; n]; // lag 1 first
        match self.rule {
            Rule::Repeat => weights[n - 1 - step % n] = 1.0,
            Rule::Drift => {
                let slope = (step + 1) as f64 / (n - 1) as f64;
                weights[0] += 1.0 + slope;
                weights[n - 1] -= slope;
            }
            Rule::Mean => weights.fill(1.0 / n as f64),
        }
        Some((0.0, weights))
    }
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    fn forecast(rule: Rule, window: &[f64]) -> [f64; 4] {
        let mut out = [0.0; 4];
        Baseline::new(rule, window.len()).forecast_channel(0, 0, window, &mut out);
        out
    }

    #[test]
    fn each_baseline_is_its_formula() {
        assert_eq!(forecast(Rule::Repeat, &[7.0]), [7.0; 4]);
        assert_eq!(forecast(Rule::Repeat, &[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0, 1.0]);
        assert_eq!(forecast(Rule::Drift, &[1.0, 9.0, 5.0]), [7.0, 9.0, 11.0, 13.0]);
        assert_eq!(forecast(Rule::Mean, &[1.0, 2.0, 6.0]), [3.0; 4]);
    }
}
