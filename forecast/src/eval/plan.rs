//! What a back-test decides before the first fit: seasons, settings, cutoffs, and which series are long enough.

use super::backtest::{BacktestOptions, Refit, TrainingRange};
use crate::data::{self, Panel, Series};
use crate::model::{FitOptions, ForecastOptions, Model, ModelConfig, Shape, check_count};
use crate::{Error, Result};

/// A back-test holds at most this many forecast numbers: 800 MB.
pub(super) const MOST_NUMBERS: usize = 100_000_000;

/// Series by their position in the panel, and what is wrong with them.
pub(super) type Blamed = Vec<(usize, Error)>;

/// The choices of one run.
pub(super) struct Plan<'a> {
    pub(super) panel: &'a Panel,
    pub(super) options: &'a BacktestOptions,
    pub(super) configs: Vec<ModelConfig>,
    /// A model that is fitted already, in place of one of its family.
    pub(super) stored: Option<&'a Model>,
    pub(super) season_length: usize,
    pub(super) step_size: usize,
    /// Steps that a series needs: to fit before the first cutoff, and to score after all of them.
    needed: usize,
    /// Position after the first cutoff of each series.
    pub(super) first_cutoffs: Vec<usize>,
    pub(super) fit: FitOptions,
    pub(super) forecast: ForecastOptions,
}

impl<'a> Plan<'a> {
    /// Makes every choice.
    pub(super) fn new(
        models: &[ModelConfig],
        stored: Option<&'a Model>,
        panel: &'a Panel,
        options: &'a BacktestOptions,
    ) -> Result<Self> {
        let step_size = options.step_size.unwrap_or(options.horizon);
        check_settings(panel, options, step_size)?;
        // From a cutoff to the last step that is scored after it. Each count is at most ten million, so sums and
        // products of two fit.
        let reach = options.gap + options.horizon;
        let span = reach + (options.n_windows - 1) * step_size;
        let first_cutoffs: Vec<usize> =
            panel.series().iter().map(|series| series.n_steps().saturating_sub(span)).collect();
        let season_length = options.fit.season_length.unwrap_or_else(|| {
            let mut ends = first_cutoffs.iter();
            data::season_length(
                &panel.map_in_order(|series| series.slice(0..ends.next().copied().unwrap_or(0))),
            )
        });
        // Settings are told from the series that at least a lookback of one step leaves enough of.
        let trained = first_cutoffs.iter().map(|cutoff| match options.training {
            TrainingRange::Expanding => *cutoff,
            TrainingRange::Sliding(n) => n.min(*cutoff),
        });
        let n_steps = trained.filter(|trained| *trained > reach).min().unwrap_or(0);
        let trained =
            panel.series().iter().zip(&first_cutoffs).map(|(series, cutoff)| series.slice(0..*cutoff));
        let trained: Vec<_> = trained.collect();
        let n_series = panel.series().len();
        let shape = Shape {
            season_length,
            frequency: panel.frequency(),
            n_steps,
            horizon: reach,
            n_series,
            stretches: Shape::stretches(&trained),
            has_gaps: Shape::has_gaps(&trained),
            seed: options.fit.seed,
        };
        let of_stored = stored.map(|model| model.header().config.clone());
        let models: Vec<ModelConfig> = of_stored.into_iter().chain(models.iter().cloned()).collect();
        let configs = with_seasonal_naive(&models);
        let configs = configs.iter().map(|config| config.resolve(&shape)).collect::<Result<Vec<_>>>()?;
        let lookback = configs.iter().map(ModelConfig::lookback).max().unwrap_or(1);
        if let TrainingRange::Sliding(n) = options.training
            && n < lookback + reach
        {
            let rule = format!(
                "lookback {lookback} and the {reach} steps from a cutoff to the last forecast need at least {}",
                lookback + reach
            );
            return Err(Error::option("training", n, rule));
        }
        let plan = Plan {
            panel,
            options,
            configs,
            stored,
            season_length,
            step_size,
            needed: lookback + reach + span,
            first_cutoffs,
            fit: FitOptions {
                horizon: Some(reach),
                season_length: Some(season_length),
                ..options.fit.clone()
            },
            forecast: ForecastOptions {
                horizon: reach,
                levels: options.levels.clone(),
                ..ForecastOptions::default()
            },
        };
        plan.check_size()?;
        Ok(plan)
    }

    /// Windows, series, paths, steps and channels of the forecasts of one model.
    pub(super) fn dim(&self) -> [usize; 5] {
        let n_paths = 1 + 2 * self.options.levels.len();
        let panel = self.panel;
        [self.options.n_windows, panel.series().len(), n_paths, self.options.horizon, panel.channels().len()]
    }

    fn check_size(&self) -> Result<()> {
        let numbers = self.dim().into_iter().try_fold(self.configs.len(), usize::checked_mul);
        if numbers.is_some_and(|numbers| numbers <= MOST_NUMBERS) {
            return Ok(());
        }
        let rule = format!(
            "the forecasts of all windows, series, models and levels are more than the {MOST_NUMBERS} numbers that are held at a time; use fewer"
        );
        Err(Error::option("n_windows", self.options.n_windows, rule))
    }

    /// The series that are too short.
    pub(super) fn too_short(&self) -> Blamed {
        let short = self.panel.series().iter().enumerate().filter(|(_, s)| s.n_steps() < self.needed);
        let error = |series: &Series| Error::TooShortForBacktest {
            series: series.id().to_string(),
            steps: series.n_steps(),
            lookback: self.configs.iter().map(ModelConfig::lookback).max().unwrap_or(1),
            gap: self.options.gap,
            horizon: self.options.horizon,
            n_windows: self.options.n_windows,
            step_size: self.step_size,
            needed: self.needed,
        };
        short.map(|(position, series)| (position, error(series))).collect()
    }

    /// What the models see of a series at a cutoff.
    pub(super) fn history(&self, series: usize, window: usize) -> Series {
        let end = self.first_cutoffs[series] + window * self.step_size;
        let start = match self.options.training {
            TrainingRange::Expanding => 0,
            TrainingRange::Sliding(n) => end.saturating_sub(n),
        };
        self.panel.series()[series].slice(start..end)
    }
}

/// Checks what can be checked without a model.
fn check_settings(panel: &Panel, options: &BacktestOptions, step_size: usize) -> Result<()> {
    if panel.channels().is_empty() {
        return Err(Error::option("channels", 0, "there must be at least one"));
    }
    let every = match options.refit {
        Refit::Never => 1,
        Refit::Every(k) => k,
    };
    let sliding = match options.training {
        TrainingRange::Expanding => 1,
        TrainingRange::Sliding(n) => n,
    };
    for (field, value) in [
        ("horizon", options.horizon),
        ("n_windows", options.n_windows),
        ("step_size", step_size),
        // No gap is a gap too.
        ("gap", options.gap.max(1)),
        ("training", sliding),
        ("refit", every),
    ] {
        check_count(field, value)?;
    }
    Ok(())
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
