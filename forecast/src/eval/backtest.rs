//! Rolling-origin back-test: forecast from several cutoffs, score against what followed.

use std::str::FromStr;

use ndarray::Array2;
use rayon::prelude::*;

use super::scores::Scores;
use crate::data::{self, Panel, Series};
use crate::model::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Shape, check_count};
use crate::{Error, Result};

/// A back-test holds at most this many forecast numbers: 800 MB.
const MOST_NUMBERS: usize = 100_000_000;

/// How to back-test.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | 24 | steps ahead of each cutoff | at least 1 |
/// | `n_windows` | 10 | cutoffs, the last one `horizon` before the end | at least 1 |
/// | `step_size` | the horizon | steps from one cutoff to the next | at least 1 |
/// | `refit` | never | when to fit again after the first cutoff | |
/// | `levels` | none | intervals, in percent | between 0 and 100 |
/// | `fit` | defaults | how to fit; its horizon is replaced by ours | |
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestOptions {
    /// Steps ahead of each cutoff.
    pub horizon: usize,
    /// How many cutoffs.
    pub n_windows: usize,
    /// Steps from one cutoff to the next; the horizon if `None`.
    pub step_size: Option<usize>,
    /// When to fit again.
    pub refit: Refit,
    /// Intervals, in percent.
    pub levels: Vec<f64>,
    /// How to fit.
    pub fit: FitOptions,
}

impl Default for BacktestOptions {
    fn default() -> Self {
        BacktestOptions {
            horizon: 24,
            n_windows: 10,
            step_size: None,
            refit: Refit::Never,
            levels: Vec::new(),
            fit: FitOptions::default(),
        }
    }
}

/// When a back-test fits again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// Once, at the first cutoff.
    Never,
    /// At every `k`-th cutoff; 1 is every one.
    Every(usize),
}

impl FromStr for Refit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<usize>()) {
            ("true", _) => Ok(Refit::Every(1)),
            ("false", _) => Ok(Refit::Never),
            (_, Ok(k)) if k > 0 => Ok(Refit::Every(k)),
            _ => Err(Error::option("refit", text, "it must be true, false or a number of windows")),
        }
    }
}

/// One series at one cutoff.
#[derive(Debug, Clone)]
pub struct Fold {
    /// Position of the series in the panel.
    pub series: usize,
    /// The last stamp that the models saw.
    pub cutoff: i64,
    /// What followed. Shape `(horizon, channel)`, NaN where missing.
    pub actual: Array2<f64>,
    /// One forecast a model.
    pub forecasts: Vec<Forecast>,
}

/// All folds of a back-test.
#[derive(Debug, Clone)]
pub struct Backtest {
    /// The models, in the order of every fold; seasonal naive is always among them.
    pub models: Vec<String>,
    /// By series, then by cutoff.
    pub folds: Vec<Fold>,
    /// Steps ahead of each cutoff.
    pub horizon: usize,
    /// Steps of one season, as told from the data before the first cutoff.
    pub season_length: usize,
    /// Intervals, in percent.
    pub levels: Vec<f64>,
    pub(super) panel: Panel,
    pub(super) first_cutoffs: Vec<usize>,
}

/// Runs a rolling-origin back-test of several models, seasonal naive always among them.
///
/// # Errors
/// [`Error::BadOption`], [`Error::TooShortForBacktest`], and those of [`Model::fit`] and [`Model::forecast`].
pub fn backtest(models: &[ModelConfig], panel: &Panel, options: &BacktestOptions) -> Result<Backtest> {
    let step_size = options.step_size.unwrap_or(options.horizon);
    let every = match options.refit {
        Refit::Never => 1,
        Refit::Every(k) => k,
    };
    for (field, value) in [
        ("horizon", options.horizon),
        ("n_windows", options.n_windows),
        ("step_size", step_size),
        ("refit", every),
    ] {
        check_count(field, value)?;
    }
    // Each factor is at most ten million, so the sum fits.
    let span = options.horizon + (options.n_windows - 1) * step_size;
    let first_cutoffs: Vec<usize> =
        panel.series().iter().map(|series| series.n_steps().saturating_sub(span)).collect();
    let before_first = cut(panel, &first_cutoffs);
    let season_length = options.fit.season_length.unwrap_or_else(|| data::season_length(&before_first));
    let shortest = before_first.series().iter().map(Series::n_steps).min().unwrap_or(0);
    let shape = Shape { season_length, step: panel.step(), n_steps: shortest };
    let configs = with_seasonal_naive(models)
        .iter()
        .map(|config| config.resolve(&shape))
        .collect::<Result<Vec<_>>>()?;
    check_lengths(&configs, panel, options, step_size, span)?;

    let numbers = [panel.series().len(), panel.channels().len(), options.n_windows, options.horizon]
        .into_iter()
        .chain([configs.len(), 1 + 2 * options.levels.len()])
        .try_fold(1usize, usize::checked_mul);
    if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
        let rule = format!(
            "the forecasts of all windows, series, models and levels are more than the {MOST_NUMBERS} numbers that are held at a time; use fewer"
        );
        return Err(Error::option("n_windows", options.n_windows, rule));
    }

    let fit = FitOptions {
        horizon: Some(options.horizon),
        season_length: Some(season_length),
        ..options.fit.clone()
    };
    let forecast =
        ForecastOptions { horizon: options.horizon, levels: options.levels.clone(), ..Default::default() };
    let mut fitted: Vec<Model> = Vec::new();
    let mut windows: Vec<Vec<Fold>> = Vec::with_capacity(options.n_windows);
    for window in 0..options.n_windows {
        let cutoffs: Vec<usize> = first_cutoffs.iter().map(|c| c + window * step_size).collect();
        let past = cut(panel, &cutoffs);
        let is_due = match options.refit {
            Refit::Never => window == 0,
            Refit::Every(k) => window % k == 0,
        };
        if is_due {
            fitted = configs
                .iter()
                .map(|config| Ok(Model::fit(config, &past, &fit)?.model))
                .collect::<Result<_>>()?;
        }
        windows.push(folds(&fitted, panel, &past, &cutoffs, &forecast)?);
    }
    let mut folds: Vec<Fold> = windows.into_iter().flatten().collect();
    // Stable: cutoffs of one series stay in order.
    folds.sort_by_key(|fold| fold.series);
    Ok(Backtest {
        models: configs.iter().map(|config| config.name().to_string()).collect(),
        folds,
        horizon: options.horizon,
        season_length,
        levels: options.levels.clone(),
        panel: panel.clone(),
        first_cutoffs,
    })
}

/// Every series cut at its cutoff.
fn cut(panel: &Panel, cutoffs: &[usize]) -> Panel {
    let mut cutoffs = cutoffs.iter();
    panel.map_in_order(|series| series.slice(0..cutoffs.next().copied().unwrap_or(0)))
}

/// Each family once, seasonal naive first if it was not asked for.
fn with_seasonal_naive(models: &[ModelConfig]) -> Vec<ModelConfig> {
    let mut all: Vec<ModelConfig> = Vec::new();
    if !models.iter().any(|model| matches!(model, ModelConfig::SeasonalNaive(_))) {
        all.push(ModelConfig::SeasonalNaive(Default::default()));
    }
    for model in models {
        if !all.iter().any(|known| known.name() == model.name()) {
            all.push(model.clone());
        }
    }
    all
}

fn check_lengths(
    configs: &[ModelConfig],
    panel: &Panel,
    options: &BacktestOptions,
    step_size: usize,
    span: usize,
) -> Result<()> {
    let lookback = configs.iter().map(ModelConfig::lookback).max().unwrap_or(1);
    let needed = lookback + options.horizon + span;
    match panel.series().iter().find(|series| series.n_steps() < needed) {
        Some(series) => Err(Error::TooShortForBacktest {
            series: series.id().to_string(),
            steps: series.n_steps(),
            lookback,
            horizon: options.horizon,
            n_windows: options.n_windows,
            step_size,
            needed,
        }),
        None => Ok(()),
    }
}

/// The forecasts of all models for all series at one cutoff each.
fn folds(
    models: &[Model],
    panel: &Panel,
    past: &Panel,
    cutoffs: &[usize],
    options: &ForecastOptions,
) -> Result<Vec<Fold>> {
    let one = |(at, (series, past)): (usize, (&Series, &Series))| {
        let forecasts =
            models.iter().map(|model| model.forecast_series(past, options)).collect::<Result<Vec<_>>>()?;
        let actual = series.slice(cutoffs[at]..cutoffs[at] + options.horizon).values().to_owned();
        Ok(Fold { series: at, cutoff: past.index().end(), actual, forecasts })
    };
    panel.series().par_iter().zip(past.series()).enumerate().map(one).collect()
}

impl Backtest {
    /// The scores of every model for every series and channel.
    #[must_use]
    pub fn scores(&self) -> Scores {
        Scores::of(self)
    }

    /// The panel that was back-tested.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.panel
    }
}
