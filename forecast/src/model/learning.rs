//! Coefficients that follow a stream: recursive least squares on the lags of a fitted recursion.

use serde::{Deserialize, Serialize};

use super::{Forecast, ForecastOptions, Model, State};
use crate::ar::rls::{RecursiveLeastSquares, RlsOptions};
use crate::{Error, Result};

/// Coefficients of one series that learn from each of its steps: plain data.
///
/// They start as the model's and return to them where the stream tells nothing. What follows is least squares on the
/// steps learnt from, the older the less, and a prior that holds each coefficient where it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learner {
    series: String,
    /// Of each channel, the lags that have a weight, ascending; 0 is lag 1.
    lags: Vec<Vec<usize>>,
    /// One a channel; inputs are the values at its lags.
    models: Vec<RecursiveLeastSquares>,
    /// Inputs on their way, as many as the most lags.
    #[serde(skip)]
    inputs: Vec<f64>,
}

impl Learner {
    /// The series that this learns from.
    #[must_use]
    pub fn series(&self) -> &str {
        &self.series
    }

    fn is_sound(&self, n_channels: usize, lookback: usize) -> bool {
        self.lags.len() == n_channels
            && self.models.len() == n_channels
            && self.lags.iter().flatten().all(|lag| *lag < lookback)
            && self
                .lags
                .iter()
                .zip(&self.models)
                .all(|(lags, model)| model.coefficients().len() == lags.len() + 1)
    }
}

impl Model {
    /// Coefficients that follow the stream that `state` is at; the prior of the options is in the units of the model,
    /// on whose scale the training range has a variance of about 1, so that it counts steps.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the model is no recursion (`ar` and `ar-net` with strategy = recursive), or for the
    /// options.
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
    /// use forecast::ar::rls::RlsOptions;
    /// # let noise = |i: u32| f64::from((i % 997) * (i % 991) * 7 % 101) / 10.0;
    /// # let mut y = vec![0.0; 400];
    /// # for i in 1..400 { y[i] = 0.2 * y[i - 1] + noise(i as u32); }
    /// # let rows: String = y.iter().enumerate().map(|(i, y)| format!("{i},{y}\n")).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// # let config = ModelConfig::parse("ar")?.with("order", "1")?;
    /// # let model = Model::fit(&config, &panel, &FitOptions { horizon: Some(1), ..FitOptions::default() })?.model;
    /// let mut state = model.start(&panel.series()[0])?;
    /// let options = RlsOptions { forgetting: 0.99, prior: 1.0 };
    /// let mut learner = model.start_learning(&state, &options)?;
    /// let mut value = 5.0;
    /// for step in 0..1_000u32 {
    ///     value = 0.9 * value + noise(step); // no longer 0.2
    ///     model.observe(&mut state, &[value])?;
    ///     model.learn(&mut learner, &state)?; // once after each observation
    /// }
    /// let (_, weights) = model.learned_coefficients(&learner, 0)?;
    /// assert!((weights[0] - 0.9).abs() < 0.1);
    /// let next = model.learned_forecast(&learner, &state, 1)?;
    /// assert!((next.mean[[0, 0]] - (0.9 * value + 5.0)).abs() < 2.0);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn start_learning(&self, state: &State, options: &RlsOptions) -> Result<Learner> {
        let slot = self.slot(state.series())?;
        self.check_memory(state)?;
        let family = self.parts.family.as_ref();
        let n_channels = self.header().channels.len();
        let (mut lags, mut models) = (Vec::with_capacity(n_channels), Vec::with_capacity(n_channels));
        for channel in 0..n_channels {
            let known = family.coefficients(slot.family, channel, 0).filter(|_| family.n_direct_steps() == 1);
            let (intercept, weights) = known.ok_or_else(|| {
                let rule = "only recursions learn from a stream: ar and ar-net with strategy = recursive";
                Error::option("model", self.header().config.name(), rule)
            })?;
            let used: Vec<usize> = (0..weights.len()).filter(|lag| weights[*lag] != 0.0).collect();
            let start: Vec<f64> =
                std::iter::once(intercept).chain(used.iter().map(|lag| weights[*lag])).collect();
            models.push(RecursiveLeastSquares::at(&start, *options)?);
            lags.push(used);
        }
        let inputs = vec![0.0; lags.iter().map(Vec::len).max().unwrap_or(0)];
        Ok(Learner { series: state.series().to_string(), lags, models, inputs })
    }

    /// Learns from the last step of a state, in O(k^2) for `k` lags, without an allocation; nothing from a step whose
    /// value is missing, nor before the state has seen a lookback.
    ///
    /// # Errors
    /// [`Error::BadOption`] if learner and state are not of one series and model.
    pub fn learn(&self, learner: &mut Learner, state: &State) -> Result<()> {
        self.check_learner(learner, state)?;
        let Some(memory) = state.memory.lags().filter(|memory| memory.recall() > 0) else {
            return Ok(());
        };
        let most = learner.lags.iter().map(Vec::len).max().unwrap_or(0);
        learner.inputs.resize(most, 0.0);
        for (channel, (lags, model)) in learner.lags.iter().zip(&mut learner.models).enumerate() {
            let window = memory.window(channel, 1);
            let inputs = &mut learner.inputs[..lags.len()];
            for (input, lag) in inputs.iter_mut().zip(lags) {
                *input = window[window.len() - 1 - lag];
            }
            model.update(inputs, memory.observed(channel, 0));
        }
        Ok(())
    }

    /// The point forecast with the coefficients that were learnt.
    ///
    /// # Errors
    /// As [`Model::forecast_from`], and [`Error::BadOption`] if learner and state are not of one series and model.
    pub fn learned_forecast(&self, learner: &Learner, state: &State, horizon: usize) -> Result<Forecast> {
        self.check_learner(learner, state)?;
        let options = ForecastOptions { horizon, ..ForecastOptions::default() };
        self.forecast_by(state, &options, &|_, memory, _, out| {
            let Some(memory) = memory.lags() else { return };
            for (channel, (lags, model)) in learner.lags.iter().zip(&learner.models).enumerate() {
                let mut path = memory.window(channel, 0).to_vec();
                let [intercept, weights @ ..] = model.coefficients() else { continue };
                for out in out.column_mut(channel) {
                    let end = path.len() - 1;
                    let sum: f64 =
                        lags.iter().zip(weights).map(|(lag, weight)| weight * path[end - lag]).sum();
                    *out = intercept + sum;
                    path.push(*out);
                }
            }
        })
    }

    /// The coefficients that were learnt, in the units of the series: intercept and weights, lag 1 first.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a learner of another model, or a channel that is not there.
    pub fn learned_coefficients(&self, learner: &Learner, channel: usize) -> Result<(f64, Vec<f64>)> {
        let slot = self.slot(&learner.series)?;
        let n_channels = self.header().channels.len();
        if !learner.is_sound(n_channels, self.lookback()) || channel >= n_channels {
            return Err(Error::option("channel", channel, format!("the model has {n_channels} of them")));
        }
        let mut weights = vec![0.0; self.lookback()];
        let found = learner.models[channel].coefficients();
        learner.lags[channel].iter().zip(&found[1..]).for_each(|(lag, weight)| weights[*lag] = *weight);
        let scaler = self.parts.scalers[slot.scale][channel];
        let sum: f64 = weights.iter().sum();
        Ok((scaler.center * (1.0 - sum) + scaler.spread * found[0], weights))
    }

    fn check_learner(&self, learner: &Learner, state: &State) -> Result<()> {
        self.check_memory(state)?;
        let is_one = learner.series == state.series();
        if is_one && learner.is_sound(self.header().channels.len(), self.lookback()) {
            return Ok(());
        }
        Err(Error::option(
            "learner",
            &learner.series,
            "it must come from this model and the series of the state",
        ))
    }
}
