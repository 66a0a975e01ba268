//! One series: fitted and forecast by every model, through the same path as everything else.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::choices::Choices;
use super::{BatchOptions, MemoryLimit};
use crate::data::{CovariateSchema, Panel, Series, SeriesOutcome};
use crate::model::Purpose;
use crate::nn::Control;
use crate::{Error, FitOptions, Forecast, Model, ModelConfig, Result};

/// Windows that one series is calibrated on, about.
const WINDOWS: usize = 500;
/// Matrices of a number for each two lags that a fit holds at a time, at most: the moments, their leading part,
/// anchored and centred, the factor, and as many of a trial that chooses the ridge.
const GRAMS: usize = 8;
/// Matrices of a number for each lag and step ahead: cross moments beside each of them, and the coefficients.
const COEFFICIENTS: usize = 12;

/// A row of the errors file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// The series.
    pub(super) unique_id: String,
    /// The model; empty if the series could not be read.
    pub(super) model: String,
    /// What went wrong and what to do.
    pub(super) error: String,
}

/// What became of one series.
#[derive(Debug)]
pub(super) struct Outcome {
    /// One for each model, in their order; `None` where it failed.
    pub(super) forecasts: Vec<Option<Forecast>>,
    pub(super) failures: Vec<Failure>,
}

/// What is the same for all series.
pub(super) struct Work<'a> {
    options: &'a BatchOptions,
    models: &'a [ModelConfig],
    channels: &'a [String],
    schema: &'a CovariateSchema,
    fit: FitOptions,
    memory: MemoryLimit,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        options: &'a BatchOptions,
        choices: &'a Choices,
        (channels, schema): (&'a [String], &'a CovariateSchema),
    ) -> Self {
        let fit = FitOptions {
            horizon: Some(options.forecast.horizon),
            season_length: Some(choices.season_length),
            ..options.fit.clone()
        };
        Work { options, models: &choices.models, channels, schema, fit, memory: options.memory_limit }
    }

    /// Forecasts a shard in parallel, as many series at a time as the memory allows; `done` is called after
    /// each. Results are in the order of the shard.
    ///
    /// # Errors
    /// [`Error::BadOption`] if one series needs more memory than there is; everything else that goes wrong with
    /// a series is told in its outcome.
    pub(super) fn shard(&self, shard: &[SeriesOutcome], done: &(dyn Fn() + Sync)) -> Result<Vec<Outcome>> {
        let n_at_a_time = self.n_at_a_time(shard)?;
        let next = AtomicUsize::new(0);
        let work = |_| {
            let mut mine = Vec::new();
            while let Some((at, series)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                shard.get(at).map(|series| (at, series))
            } {
                mine.push((at, self.one(series)));
                done();
            }
            mine
        };
        let mut outcomes: Vec<(usize, Outcome)> =
            (0..n_at_a_time).into_par_iter().with_max_len(1).flat_map_iter(work).collect();
        outcomes.sort_unstable_by_key(|(at, _)| *at);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn one(&self, series: &SeriesOutcome) -> Outcome {
        let id = &series.id;
        let failure = |model: &str, error: &Error| Failure {
            unique_id: id.clone(),
            model: model.to_string(),
            error: error.to_string(),
        };
        let series = match &series.series {
            Ok(series) => series,
            Err(error) => return Outcome { forecasts: Vec::new(), failures: vec![failure("", error)] },
        };
        let mut failures = Vec::new();
        let forecasts = self.models.iter().map(|model| {
            self.forecast(model, series).map_err(|error| failures.push(failure(model.name(), &error))).ok()
        });
        let forecasts = forecasts.collect();
        Outcome { forecasts, failures }
    }

    fn forecast(&self, model: &ModelConfig, series: &Series) -> Result<Forecast> {
        let panel = Panel::of(self.channels.to_vec(), self.schema.clone(), vec![series.clone()])?;
        let purpose = Purpose::of(&self.options.forecast);
        let fitted = Model::fit_for(model, &panel, &self.fit, purpose, &mut |_| Control::Continue)?;
        fitted.model.forecast_series(series, &self.options.forecast)
    }

    /// How many series of a shard may be fitted at a time.
    fn n_at_a_time(&self, shard: &[SeriesOutcome]) -> Result<usize> {
        let needs = shard.iter().filter_map(|one| one.series.as_ref().ok());
        let Some((most, series)) =
            needs.map(|series| (self.bytes(series), series)).max_by_key(|(bytes, _)| *bytes)
        else {
            return Ok(1);
        };
        let share = self.memory.share();
        if most > share {
            let rule = format!(
                "fitting series \"{}\" of {} steps needs about {} MiB, of which it leaves {}; raise it with --memory-limit",
                series.id(),
                series.n_steps(),
                most.div_ceil(1 << 20),
                share >> 20
            );
            return Err(Error::option("memory limit", self.memory, rule));
        }
        let n_threads = rayon::current_num_threads().min(shard.len());
        Ok(usize::try_from(share / most.max(1)).unwrap_or(usize::MAX).clamp(1, n_threads.max(1)))
    }

    /// What fitting a series takes, about: copies of it, its residuals, and for each channel of an autoregression
    /// its second-order statistics with the copies that the solver makes, and coefficients for each step ahead.
    fn bytes(&self, series: &Series) -> u64 {
        let (n_steps, n_channels) = series.values().dim();
        let horizon = self.options.forecast.horizon;
        let residuals = n_steps.min(WINDOWS).saturating_mul(horizon).saturating_mul(3 * n_channels);
        let lags = self.models.iter().filter(|model| model.learns()).map(ModelConfig::lookback);
        let lags = lags.max().unwrap_or(0);
        let statistics = lags.saturating_mul(lags).saturating_mul(GRAMS * n_channels);
        let coefficients = lags.saturating_mul(horizon).saturating_mul(COEFFICIENTS * n_channels);
        let numbers = (6 * n_steps).saturating_mul(n_channels).saturating_add(residuals);
        let numbers = numbers.saturating_add(statistics).saturating_add(coefficients);
        (numbers as u64).saturating_mul(8)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::TimeIndex;

    fn bytes(model: &str, settings: &BTreeMap<&str, &str>, n_steps: usize, n_channels: usize) -> u64 {
        let mut config = ModelConfig::parse(model).unwrap();
        for (key, value) in settings {
            config = config.with(key, value).unwrap();
        }
        let options = BatchOptions { models: vec![config.clone()], ..BatchOptions::default() };
        let channels: Vec<String> = (0..n_channels).map(|channel| channel.to_string()).collect();
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n_steps);
        let series =
            Series::new("s", index, ndarray::Array2::zeros((n_steps, n_channels)), &channels).unwrap();
        let (models, fit) = (std::slice::from_ref(&config), FitOptions::default());
        let schema = &CovariateSchema::default();
        Work { options: &options, models, channels: &channels, schema, fit, memory: options.memory_limit }
            .bytes(&series)
    }

    #[test]
    fn an_autoregression_counts_its_second_order_statistics_and_no_row_for_each_step() {
        let ar = BTreeMap::from([("order", "720")]);
        let beside = |n_steps, n_channels| {
            bytes("ar", &ar, n_steps, n_channels) - bytes("naive", &BTreeMap::new(), n_steps, n_channels)
        };
        // As much for a long series as for a short one, and at least the statistics of each channel.
        assert_eq!(beside(1_000, 1), beside(100_000, 1));
        assert_eq!(beside(1_000, 3), 3 * beside(1_000, 1));
        assert!(beside(1_000, 1) >= 720 * 720 * 8);
        // A lag matrix alone would take ten times as much.
        assert!(bytes("ar", &ar, 1_000_000, 1) < 1_000_000 * 720 * 8 / 10);
    }
}
