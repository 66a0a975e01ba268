//! One window in, one forecast out: check, scale, family, unscale, intervals.

use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use super::{Beside, Model, Slot, State};
use crate::data::{InputRows, Panel, Series, TimeIndex};
use crate::eval::conformal::{Quantile, Recent, Side};
use crate::{Error, Result};

/// What to forecast.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | 24 | steps ahead | 1 to 1,000,000; with levels or quantiles at most the calibrated horizon |
/// | `levels` | none | central intervals, in percent | between 0 and 100, both excluded |
/// | `quantiles` | none | quantiles | between 0 and 1, both excluded |
/// | `band` | each step | what an interval covers with its level; quantiles are always those of single steps | |
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastOptions {
    /// Steps ahead.
    pub horizon: usize,
    /// Central prediction intervals, in percent: 80 covers four of five values.
    pub levels: Vec<f64>,
    /// Quantiles, as fractions.
    pub quantiles: Vec<f64>,
    /// What intervals cover.
    pub band: Band,
}

/// What an interval covers with the probability of its level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Band {
    /// The value of each step, taken alone.
    #[default]
    EachStep,
    /// The values of all steps of the horizon at once, for each channel: wider, the more so the longer it is.
    WholePath,
}

/// No forecast is longer than this: it bounds what one request can allocate.
pub(super) const MAX_HORIZON: usize = 1_000_000;

impl Default for ForecastOptions {
    fn default() -> Self {
        ForecastOptions { horizon: 24, levels: Vec::new(), quantiles: Vec::new(), band: Band::EachStep }
    }
}

/// The forecast of one series, in the units of the series.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// The series.
    pub series: String,
    /// The stamps of the forecast steps.
    pub index: TimeIndex,
    /// The channels, in order.
    pub channels: Vec<String>,
    /// The point forecast. Shape `(horizon, channel)`.
    pub mean: Array2<f64>,
    /// One for each level asked for, in that order.
    pub intervals: Vec<Interval>,
    /// One for each quantile asked for, in that order.
    pub quantiles: Vec<QuantilePath>,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// Something that a reader of a forecast should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A word for machines: `MISSING_FILLED`, `COVARIATES_MISSING` or `SERIES_NOT_TRAINED`.
    pub reason: &'static str,
    /// The same in a sentence.
    pub message: String,
}

/// A central prediction interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Nominal coverage in percent.
    pub level: f64,
    /// Lower bounds. Shape `(horizon, channel)`.
    pub lower: Array2<f64>,
    /// Upper bounds. Shape `(horizon, channel)`.
    pub upper: Array2<f64>,
}

/// One quantile of the forecast distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantilePath {
    /// The quantile, a fraction.
    pub level: f64,
    /// Shape `(horizon, channel)`.
    pub values: Array2<f64>,
}

/// What is missing of the last steps of a stream.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Of the lookback, steps with a missing value.
    pub(super) n_steps: usize,
    /// Of each channel, how many of the newest steps are missing.
    pub(super) newest: Vec<usize>,
}

impl Missing {
    /// Steps whose errors are asked for: those of the horizon, and as many more as are missing before it, as far as
    /// the calibration goes.
    fn rows(&self, horizon: usize, calibrated: usize) -> usize {
        let newest = self.newest.iter().copied().max().unwrap_or(0);
        horizon.saturating_add(newest).min(calibrated.max(horizon))
    }
}

impl ForecastOptions {
    /// Checks everything that can be checked without data.
    ///
    /// # Errors
    /// [`Error::BadOption`] or [`Error::NotCalibrated`], naming the field, the value and the fix.
    pub fn check(&self, model: &Model) -> Result<()> {
        if self.horizon == 0 || self.horizon > MAX_HORIZON {
            let rule = format!("it must lie between 1 and {MAX_HORIZON}");
            return Err(Error::option("horizon", self.horizon, rule));
        }
        for level in &self.levels {
            if !(*level > 0.0 && *level < 100.0) {
                return Err(Error::option(
                    "level",
                    level,
                    "it must lie between 0 and 100 percent, both excluded",
                ));
            }
        }
        for quantile in &self.quantiles {
            if !(*quantile > 0.0 && *quantile < 1.0) {
                return Err(Error::option(
                    "quantile",
                    quantile,
                    "it must lie between 0 and 1, both excluded",
                ));
            }
        }
        let calibrated = model.header().horizon;
        let wants_spread = !self.levels.is_empty() || !self.quantiles.is_empty();
        if wants_spread && self.horizon > calibrated {
            return Err(Error::option(
                "horizon",
                self.horizon,
                format!(
                    "the model's intervals are calibrated for {calibrated} steps; ask for no more, leave out levels and quantiles, or fit again with horizon {}",
                    self.horizon
                ),
            ));
        }
        Ok(())
    }
}

impl Model {
    /// Forecasts what follows the end of every series of a panel, in the panel's order.
    ///
    /// Channels are matched by name where there is more than one.
    ///
    /// # Errors
    /// [`Error::BadOption`] and [`Error::NotCalibrated`] for the options; [`Error::WrongStep`],
    /// [`Error::WrongChannels`], [`Error::UnknownSeries`], [`Error::HistoryTooShort`] and
    /// [`Error::AllMissing`] for the first series that they hold for.
    pub fn forecast(&self, panel: &Panel, options: &ForecastOptions) -> Result<Vec<Forecast>> {
        options.check(self)?;
        let panel = self.match_channels(panel)?;
        panel.series().par_iter().map(|series| self.forecast_series(series, options)).collect()
    }

    /// Forecasts what follows the training data, from the history that is stored with the model.
    ///
    /// # Errors
    /// As [`Model::forecast`].
    pub fn forecast_next(&self, options: &ForecastOptions) -> Result<Vec<Forecast>> {
        options.check(self)?;
        self.history().par_iter().map(|series| self.forecast_series(series, options)).collect()
    }

    /// Forecasts what follows the end of one series, whose channels are in the model's order.
    ///
    /// # Errors
    /// As [`Model::forecast`].
    pub fn forecast_series(&self, series: &Series, options: &ForecastOptions) -> Result<Forecast> {
        self.forecast_from(&self.started(series, options)?, options)
    }

    /// [`Model::forecast_series`] of several series, each on its own: to the same bits, and the error of one does not
    /// disturb the others. A network forecasts them in one pass.
    #[must_use]
    pub fn forecast_many(&self, series: &[Series], options: &ForecastOptions) -> Vec<Result<Forecast>> {
        if !self.forecasts_in_batches() {
            return series.par_iter().map(|series| self.forecast_series(series, options)).collect();
        }
        let started = |series| {
            let state = self.started(series, options)?;
            let inputs = self.inputs_ahead(&state, options.horizon)?;
            Ok((state, inputs))
        };
        let started: Vec<Result<(State, Option<InputRows>)>> = series.par_iter().map(started).collect();
        let shape = (options.horizon, self.header().channels.len());
        let (mut memories, mut outs) = (Vec::new(), Vec::new());
        for (state, inputs) in started.iter().flatten() {
            // Whoever has started has a slot.
            if let Ok(slot) = self.slot(state.series()) {
                memories.push((slot.family, &state.memory, Beside::new(state.index(), inputs.as_ref())));
                outs.push(Array2::zeros(shape));
            }
        }
        self.parts.family.forecast_many(&memories, &mut outs);
        drop(memories);
        let mut outs = outs.into_iter();
        started
            .into_iter()
            .map(|state| {
                let (state, _) = state?;
                let scaled = outs.next().unwrap_or_else(|| Array2::from_elem(shape, f64::NAN));
                self.forecast_by(&state, options, &|_, _, _, out| out.assign(&scaled))
            })
            .collect()
    }

    /// The state that a forecast of a series starts from.
    fn started(&self, series: &Series, options: &ForecastOptions) -> Result<State> {
        options.check(self)?;
        self.check_series(series)?;
        let (n_steps, lookback) = (series.n_steps(), self.lookback());
        if n_steps < lookback {
            return Err(Error::HistoryTooShort { series: series.id().to_string(), steps: n_steps, lookback });
        }
        // Errors are looked back for only where something is said of them.
        let is_enough = options.levels.is_empty()
            && options.quantiles.is_empty()
            && self.parts.regression.is_none()
            && self.parts.family.lag_rule().is_some()
            && series.values().slice(s![n_steps - lookback.., ..]).iter().all(|value| !value.is_nan());
        self.start_keeping(series, if is_enough { lookback } else { self.kept_steps() })
    }

    /// About how many products the forecast of a series of so many steps takes; `None` where nobody can tell without a
    /// try, as of a network.
    #[must_use]
    pub fn n_products(&self, n_steps: usize, options: &ForecastOptions) -> Option<usize> {
        let lookback = self.parts.family.lag_rule()?.lookback();
        if self.parts.regression.is_some() {
            return None;
        }
        let n_paths = 2 * options.levels.len() + options.quantiles.len();
        // Forecasts that are made again, and what ranks of their scores take.
        let n_again = match self.header().recency {
            Some(recency) if n_paths > 0 && recency.recall > 0 => {
                n_steps.saturating_sub(lookback).min(recency.recall.saturating_add(options.horizon))
                    / recency.stride
            }
            _ => 0,
        };
        let forecasts = (n_again + 1).checked_mul(options.horizon)?.checked_mul(lookback.max(1))?;
        let ranks = (n_again + n_paths).checked_mul(options.horizon)?.checked_mul(8)?;
        n_steps
            .checked_mul(2)?
            .checked_add(forecasts)?
            .checked_add(ranks)?
            .checked_mul(self.header().channels.len())
    }

    /// The panel with its channels in the model's order.
    pub(super) fn match_channels(&self, panel: &Panel) -> Result<Panel> {
        let expected = &self.header().channels;
        if panel.channels() == expected || (panel.channels().len() == 1 && expected.len() == 1) {
            return Ok(panel.clone());
        }
        panel.select_channels(expected)
    }

    pub(super) fn check_series(&self, series: &Series) -> Result<()> {
        let header = self.header();
        if series.values().ncols() != header.channels.len() {
            return Err(Error::WrongChannels {
                series: series.id().to_string(),
                found: format!("{} columns", series.values().ncols()),
                expected: header.channels.join(", "),
            });
        }
        let (found, expected) = (series.index().frequency(), header.frequency());
        if found != expected {
            return Err(Error::WrongStep {
                series: series.id().to_string(),
                found: found.to_string(),
                expected: expected.to_string(),
            });
        }
        self.check_covariates(series)?;
        let empty = (0..header.channels.len()).find(|channel| series.n_observed(*channel) == 0);
        match empty {
            Some(channel) if series.n_steps() > 0 => Err(Error::AllMissing {
                series: series.id().to_string(),
                place: format!("channel \"{}\"", header.channels[channel]),
                steps: series.n_steps(),
            }),
            _ => Ok(()),
        }
    }

    /// From a scaled forecast to one in the units of the series, with its intervals; `recent` is asked where there
    /// are any.
    #[allow(clippy::too_many_arguments, reason = "the parts of one forecast, from its one caller")]
    pub(super) fn finish_forecast(
        &self,
        series: &str,
        slot: Slot,
        index: TimeIndex,
        mut mean: Array2<f64>, // (horizon, channel), scaled
        missing: &Missing,
        recent: impl FnOnce(usize) -> Recent,
        options: &ForecastOptions,
    ) -> Result<Forecast> {
        for (mut column, scaler) in mean.axis_iter_mut(Axis(1)).zip(&self.parts.scalers[slot.scale]) {
            column.mapv_inplace(|v| scaler.unscale(v));
        }
        if mean.iter().any(|v| !v.is_finite()) {
            let rule = format!(
                "the forecast of series \"{series}\" grows without bound within it; fit with a lower order or ask for fewer steps"
            );
            return Err(Error::option("horizon", options.horizon, rule));
        }
        let (intervals, quantiles) = if options.levels.is_empty() && options.quantiles.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let rows = missing.rows(options.horizon, self.header().horizon);
            self.spread(&mean, &recent(rows), missing, options)?
        };
        let mut warnings = Vec::new();
        if missing.n_steps > 0 {
            let mut message = format!(
                "{} of the last {} steps had a missing value and were filled by the model's own forecast",
                missing.n_steps,
                self.lookback()
            );
            if let Some(newest) = missing.newest.iter().max().filter(|newest| **newest > 0) {
                message += &format!(
                    "; the newest {newest} are among them, so intervals are those of as many steps more"
                );
            }
            warnings.push(Warning { reason: "MISSING_FILLED", message });
        }
        if !self.parts.by_id.contains_key(series) && self.parts.by_id.len() > 1 {
            let message =
                "the series was not in the training data; it is scaled by the mean of those that were";
            warnings.push(Warning { reason: "SERIES_NOT_TRAINED", message: message.to_string() });
        }
        let channels = self.header().channels.clone();
        Ok(Forecast { series: series.to_string(), index, channels, mean, intervals, quantiles, warnings })
    }

    /// The intervals and quantiles around a forecast. One set of scores gives them all, so they do not cross.
    pub(super) fn spread(
        &self,
        mean: &Array2<f64>,
        recent: &Recent,
        missing: &Missing,
        options: &ForecastOptions,
    ) -> Result<(Vec<Interval>, Vec<QuantilePath>)> {
        let calibration = &self.parts.calibration;
        let recent = &recent.sorted();
        let rows = missing.rows(mean.nrows(), self.header().horizon);
        let asked_of = |level: &f64| format!("level {level}");
        let mut quantiles = Vec::new();
        if options.band == Band::EachStep {
            for level in &options.levels {
                let tail = (1.0 - level / 100.0) / 2.0;
                quantiles.push(Quantile { q: tail, side: Side::Lower, asked: asked_of(level) });
                quantiles.push(Quantile { q: 1.0 - tail, side: Side::Upper, asked: asked_of(level) });
            }
        }
        quantiles.extend(options.quantiles.iter().map(|q| {
            let side = if *q < 0.5 { Side::Lower } else { Side::Upper };
            Quantile { q: *q, side, asked: format!("quantile {q}") }
        }));
        let around = calibration.around((rows, mean.ncols()), recent, &quantiles)?;
        let mut paths = around.into_iter().map(|around| {
            if missing.newest.iter().all(|newest| *newest == 0) {
                return mean + &around.slice(s![..mean.nrows(), ..]);
            }
            // Steps are counted from the newest value that is there.
            let at = |(step, channel): (usize, usize)| {
                let newest = missing.newest.get(channel).copied().unwrap_or(0);
                mean[[step, channel]] + around[[(step + newest).min(rows - 1), channel]]
            };
            Array2::from_shape_fn(mean.dim(), at)
        });
        let levels = options.levels.iter();
        let intervals = match options.band {
            Band::WholePath => {
                let band = |level: &f64| {
                    let (lower, upper) = calibration.band(mean, recent, level / 100.0, &asked_of(level))?;
                    Ok(Interval { level: *level, lower, upper })
                };
                levels.map(band).collect::<Result<_>>()?
            }
            // Two of each level come first.
            Band::EachStep => levels
                .map_while(|level| {
                    Some(Interval { level: *level, lower: paths.next()?, upper: paths.next()? })
                })
                .collect(),
        };
        let levels = options.quantiles.iter();
        Ok((
            intervals,
            levels.zip(paths).map(|(level, values)| QuantilePath { level: *level, values }).collect(),
        ))
    }
}
