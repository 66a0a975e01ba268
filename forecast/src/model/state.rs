//! Streaming: a state is a value that the caller owns, clones and saves.

use serde::{Deserialize, Serialize};

use super::family::prime;
use super::forecast::{Forecast, ForecastOptions};
use super::{Memory, Model};
use crate::data::{Series, TimeIndex};
use crate::{Error, Result};

/// What a model knows of one series: plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    series: String,
    /// From the first step that was fed to the last.
    index: TimeIndex,
    pub(super) memory: Memory,
}

impl State {
    /// The series that this is the state of.
    #[must_use]
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The stamps of all steps that were observed.
    #[must_use]
    pub fn index(&self) -> &TimeIndex {
        &self.index
    }
}

impl Model {
    /// The state after a history, which may be empty: then it is fresh and begins at the start of its index.
    ///
    /// Only as much of the history is fed as a forecast can depend on: the last stretch that begins with
    /// `lookback` complete steps and holds those whose errors enter the intervals.
    ///
    /// # Errors
    /// [`Error::WrongStep`], [`Error::WrongChannels`], [`Error::UnknownSeries`].
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", [3.0, 5.0, 4.0][i % 3])).collect();
    /// # let csv = format!("ds,y\n{rows}");
    /// # let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default())?;
    /// # let config = ModelConfig::parse("seasonal-naive")?.with("season_length", "3")?;
    /// # let fit = FitOptions { horizon: Some(1), ..FitOptions::default() };
    /// # let model = Model::fit(&config, &panel, &fit)?.model;
    /// let mut state = model.start(&panel.series()[0])?;
    /// model.observe(&mut state, &[3.0])?;
    /// let next = model.forecast_from(&state, &ForecastOptions { horizon: 1, ..Default::default() })?;
    /// assert_eq!(next.mean[[0, 0]], 5.0);
    /// assert!(model.observe(&mut state, &[f64::INFINITY]).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn start(&self, history: &Series) -> Result<State> {
        self.check_series(history)?;
        let slot = self.slot(history.id())?;
        let scalers = &self.parts.scalers[slot.scale];
        let kept = self.kept_steps();
        let (memory, n_fed) = prime(self.parts.family.as_ref(), slot.family, history, scalers, kept);
        let fed = history.tail(n_fed);
        Ok(State { series: history.id().to_string(), index: fed.index().clone(), memory })
    }

    /// Takes the next step of a series: one value a channel, NaN where missing.
    ///
    /// # Errors
    /// [`Error::WrongChannels`] or [`Error::Infinite`]; the state is then as it was.
    pub fn observe(&self, state: &mut State, values: &[f64]) -> Result<()> {
        let slot = self.slot(&state.series)?;
        let scalers = &self.parts.scalers[slot.scale];
        self.check_memory(state)?;
        if values.len() != scalers.len() {
            return Err(Error::WrongChannels {
                series: state.series.clone(),
                found: format!("{} values", values.len()),
                expected: self.header().channels.join(", "),
            });
        }
        if let Some(channel) = values.iter().position(|v| v.is_infinite()) {
            return Err(Error::Infinite {
                series: state.series.clone(),
                channel: self.header().channels[channel].clone(),
                stamp: state.index.format(state.index.stamp(state.index.len)),
            });
        }
        let mut scaled = values.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value));
        self.parts.family.observe(slot.family, &mut state.memory, &mut scaled);
        state.index.len += 1;
        Ok(())
    }

    /// The forecast that follows the last observed step.
    ///
    /// After exactly `lookback` observations from a fresh state it equals [`Model::forecast`] on that window.
    ///
    /// # Errors
    /// [`Error::HistoryTooShort`] before `lookback` observations; missing ones count, and are told in the
    /// warnings of the forecast. For the options, the errors of [`Model::forecast`] for the options.
    pub fn forecast_from(&self, state: &State, options: &ForecastOptions) -> Result<Forecast> {
        options.check(self)?;
        let slot = self.slot(&state.series)?;
        self.check_memory(state)?;
        let lookback = self.lookback();
        if state.index.len < lookback {
            return Err(Error::HistoryTooShort {
                series: state.series.clone(),
                steps: state.index.len,
                lookback,
            });
        }
        let n_missing = self.parts.family.n_missing(&state.memory);
        let mut scaled = ndarray::Array2::zeros((options.horizon, self.header().channels.len()));
        self.parts.family.forecast(slot.family, &state.memory, 0, scaled.view_mut());
        let recent = || self.recent(slot, &state.memory, options.horizon);
        let index = state.index.future(options.horizon);
        self.finish_forecast(state.series(), slot, index, scaled, n_missing, recent, options)
    }

    /// What the last one-step errors of a state say of the errors to come, one scale a channel.
    pub(super) fn scale_of(&self, state: &State) -> Result<Vec<f64>> {
        Ok(self.scale(self.slot(&state.series)?, &state.memory))
    }

    fn check_memory(&self, state: &State) -> Result<()> {
        if self.parts.family.accepts(&state.memory, self.header().channels.len()) {
            return Ok(());
        }
        Err(Error::option("state", &state.series, "it must come from this model"))
    }
}
