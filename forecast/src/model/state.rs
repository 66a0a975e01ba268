//! Streaming: a state is a value that the caller owns, clones and saves.

use ndarray::{Array2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

use super::family::{feed_start, prime};
use super::forecast::{Forecast, ForecastOptions, Missing};
use super::regressed::{StepCovariates, Tail};
use super::{Beside, Memory, Model};
use crate::data::{Series, TimeIndex};
use crate::{Error, Result};

/// What a model knows of one series: plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    series: String,
    /// From the first step that was fed to the last.
    index: TimeIndex,
    pub(super) memory: Memory,
    /// The covariates that a model looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Tail>,
}

/// Writes the scaled forecast of a family, or of what has its place, after the memory of a slot. Shape
/// `(horizon, channel)`.
pub(super) type MakeForecast<'a> = dyn Fn(usize, &Memory, Beside<'_>, &mut Array2<f64>) + 'a;

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

    /// Bytes of what is remembered of the steps, however many they were; without covariates.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.memory.n_bytes()
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
        self.start_keeping(history, self.kept_steps())
    }

    /// [`Model::start`] with a memory of `kept` steps, after the checks.
    pub(super) fn start_keeping(&self, history: &Series, kept: usize) -> Result<State> {
        let slot = self.slot(history.id())?;
        let scalers = &self.parts.scalers[slot.scale];
        let family = self.parts.family.as_ref();
        let left = match &self.parts.regression {
            Some(regression) => {
                let from = feed_start(history, family.lookback(), kept);
                Some(self.left_of(regression, slot, history, from)?)
            }
            None => None,
        };
        let fed = left.as_ref().map_or(history, |(left, _)| left);
        let inputs = self.parts.inputs.as_ref();
        let told = inputs.map(|inputs| {
            let from = feed_start(history, family.lookback(), family.steps_fed(kept));
            inputs.rows(history.covariates(), from..history.n_steps())
        });
        let (memory, n_fed) = prime(family, slot.family, fed, scalers, kept, told.as_ref());
        let index = fed.tail(n_fed).index().clone();
        let tail = match inputs {
            Some(inputs) => Some(self.tail_of(inputs, history, (n_fed, kept))),
            None => left.map(|(_, tail)| tail),
        };
        Ok(State { series: history.id().to_string(), index, memory, tail })
    }

    /// Takes the next step of a series: one value a channel, NaN where missing. Of a model that looks at covariates those
    /// of the step are what was known ahead of it; others are missing, see [`Model::observe_with`].
    ///
    /// # Errors
    /// [`Error::WrongChannels`] or [`Error::Infinite`]; the state is then as it was.
    pub fn observe(&self, state: &mut State, values: &[f64]) -> Result<()> {
        self.take(state, values, None)
    }

    /// [`Model::observe`] with the covariates of the step, for models that look at some; they count before what was
    /// known ahead.
    ///
    /// # Errors
    /// As [`Model::observe`]; [`Error::BadOption`] if the covariates are not those of the model.
    pub fn observe_with(
        &self,
        state: &mut State,
        values: &[f64],
        covariates: &StepCovariates<'_>,
    ) -> Result<()> {
        self.take(state, values, Some(covariates))
    }

    fn take(&self, state: &mut State, values: &[f64], covariates: Option<&StepCovariates<'_>>) -> Result<()> {
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
        covariates.map_or(Ok(()), |given| self.check_given(given))?;
        let known = match (&self.parts.regression, covariates) {
            (Some(regression), None) => regression.at_once(slot.family, &state.index, state.index.len),
            _ => None,
        };
        let offsets = match &self.parts.regression {
            Some(regression) if known.is_none() => {
                Some(self.next_offset(regression, slot, state, covariates)?)
            }
            _ => None,
        };
        let inputs = match &self.parts.inputs {
            Some(inputs) => Some(self.next_inputs(inputs, state, covariates)?),
            None => None,
        };
        state.index.len += 1;
        let State { memory, index, .. } = state;
        let beside = Beside::new(index, inputs.as_ref());
        let mut take = |scaled: &mut dyn Iterator<Item = f64>| {
            self.parts.family.observe(slot.family, memory, beside, scaled);
        };
        if let Some(known) = known {
            let left = values.iter().zip(known).zip(scalers);
            take(&mut left.map(|((value, known), scaler)| scaler.scale(value - scaler.spread * known)));
        } else if let Some(offsets) = offsets {
            let left = values.iter().zip(&offsets).map(|(value, offset)| value - offset);
            take(&mut left.zip(scalers).map(|(value, scaler)| scaler.scale(value)));
        } else {
            take(&mut values.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value)));
        }
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
        let family = self.parts.family.as_ref();
        if self.header().config.has_own_intervals() {
            return self.forecast_with_own_intervals(state, options);
        }
        self.forecast_by(state, options, &|slot, memory, beside, out| {
            family.forecast(slot, memory, 0, beside, out.view_mut())
        })
    }

    /// The point forecast of the next step, written to `out`, one a channel in the units of the series: what
    /// [`Model::forecast_from`] says of one step, without an allocation unless the model looks at covariates.
    ///
    /// # Errors
    /// As [`Model::forecast_from`]; [`Error::WrongChannels`] if `out` has not one place for each channel.
    pub fn next_step(&self, state: &State, out: &mut [f64]) -> Result<()> {
        let slot = self.slot(&state.series)?;
        self.check_memory(state)?;
        self.check_lookback(state)?;
        let scalers = &self.parts.scalers[slot.scale];
        if out.len() != scalers.len() {
            return Err(Error::WrongChannels {
                series: state.series.clone(),
                found: format!("{} places", out.len()),
                expected: self.header().channels.join(", "),
            });
        }
        let shape = (1, out.len());
        let view =
            ArrayViewMut2::from_shape(shape, out).map_err(|error| Error::Internal(error.to_string()))?;
        let inputs = self.inputs_ahead(state, 1)?;
        let beside = Beside::new(&state.index, inputs.as_ref());
        self.parts.family.forecast(slot.family, &state.memory, 0, beside, view);
        out.iter_mut().zip(scalers).for_each(|(value, scaler)| *value = scaler.unscale(*value));
        if let Some(regression) = &self.parts.regression {
            if let Some(known) = regression.at_once(slot.family, &state.index, state.index.len) {
                let known = known.iter().zip(scalers);
                out.iter_mut()
                    .zip(known)
                    .for_each(|(value, (known, scaler))| *value += scaler.spread * known);
                return Ok(());
            }
            let offsets = self.offsets_ahead(regression, slot, state, 1)?;
            out.iter_mut().zip(&offsets).for_each(|(value, offset)| *value += offset);
        }
        Ok(())
    }

    /// [`Model::forecast_from`] with the scaled forecast of a family, or of what has its place. Shape
    /// `(horizon, channel)`.
    pub(super) fn forecast_by(
        &self,
        state: &State,
        options: &ForecastOptions,
        forecast: &MakeForecast<'_>,
    ) -> Result<Forecast> {
        options.check(self)?;
        let slot = self.slot(&state.series)?;
        self.check_memory(state)?;
        self.check_lookback(state)?;
        let missing = self.missing(&state.memory);
        let mut scaled = Array2::zeros((options.horizon, self.header().channels.len()));
        let inputs = self.inputs_ahead(state, options.horizon)?;
        let beside = Beside::new(&state.index, inputs.as_ref());
        forecast(slot.family, &state.memory, beside, &mut scaled);
        if let Some(regression) = &self.parts.regression {
            let offsets = self.offsets_ahead(regression, slot, state, options.horizon)?;
            for ((mut column, offsets), scaler) in
                scaled.columns_mut().into_iter().zip(offsets.columns()).zip(&self.parts.scalers[slot.scale])
            {
                column.zip_mut_with(&offsets, |value, offset| *value += offset / scaler.spread);
            }
        }
        let recent = |rows: usize| self.recent(slot, &state.memory, beside, rows);
        let index = state.index.future(options.horizon);
        let mut forecast =
            self.finish_forecast(state.series(), slot, index, scaled, &missing, recent, options)?;
        forecast.warnings.extend(self.missing_inputs(state));
        Ok(forecast)
    }

    /// What the last one-step errors of a state say of the errors to come, one scale a channel.
    pub(super) fn scale_of(&self, state: &State) -> Result<Vec<f64>> {
        let inputs = self.inputs_of(state, 0)?;
        let beside = Beside::new(&state.index, inputs.as_ref());
        Ok(self.scale(self.slot(&state.series)?, &state.memory, beside))
    }

    /// What is missing of the last steps.
    fn missing(&self, memory: &Memory) -> Missing {
        let n_steps = memory.n_missing();
        if n_steps == 0 {
            return Missing::default();
        }
        let newest = (0..self.header().channels.len()).map(|channel| memory.newest_missing(channel));
        Missing { n_steps, newest: newest.collect() }
    }

    fn check_lookback(&self, state: &State) -> Result<()> {
        let (steps, lookback) = (state.index.len, self.lookback());
        match steps < lookback {
            true => Err(Error::HistoryTooShort { series: state.series.clone(), steps, lookback }),
            false => Ok(()),
        }
    }

    pub(super) fn check_memory(&self, state: &State) -> Result<()> {
        if self.parts.family.accepts(&state.memory, self.header().channels.len()) {
            return Ok(());
        }
        Err(Error::option("state", &state.series, "it must come from this model"))
    }
}
