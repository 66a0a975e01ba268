//! What is decided before the first number is fitted: settings, horizon, season, and where ranges begin.

use std::collections::BTreeMap;
use std::ops::Range;

use super::fit_options::FitOptions;
use super::fit_report::FitReport;
use super::header::{Header, Stretch};
use super::{Cancel, ModelConfig, Shape};
use crate::data::{self, Frequency, InputColumns, Panel, Scaling, Series};
use crate::eval::conformal::Recency;
use crate::regression::Regressors;
use crate::{Error, Result};

/// Windows that one series is calibrated on, at most.
const MOST_WINDOWS: usize = 500;
/// Blocks before the validation range that are calibrated on, at most: each costs a fit.
const MOST_BLOCKS: usize = 4;
/// Shares of the steps that the default validation range lies between, and the year that it aims at.
const SMALLEST_VALIDATION: f64 = 0.2;
const LARGEST_VALIDATION: f64 = 0.4;
/// The default horizon lies between these.
const SHORTEST_DEFAULT_HORIZON: usize = 24;
const LONGEST_DEFAULT_HORIZON: usize = 1_440;

/// The choices of one fit.
pub(super) struct Plan {
    pub(super) config: ModelConfig,
    /// How series are scaled; a rule that repeats values takes them as they are, to the last bit.
    pub(super) scaling: Scaling,
    pub(super) horizon: usize,
    pub(super) season_length: usize,
    pub(super) recency: Recency,
    /// What the series are regressed on.
    pub(super) regressors: Option<Regressors>,
    /// The covariates that a network takes, scaled by the training range.
    pub(super) inputs: Option<InputColumns>,
    /// Windows that a range of one series is calibrated on, at most.
    most_windows: usize,
    pub(super) cancel: Cancel,
}

impl Plan {
    pub(super) fn new(config: &ModelConfig, panel: &Panel, options: &FitOptions) -> Result<Self> {
        let season_length = options.season_length.unwrap_or_else(|| data::season_length(panel));
        let shortest = panel.series().iter().map(Series::n_steps).min().unwrap_or(0);
        let frequency = panel.frequency();
        let horizon = options.horizon.unwrap_or_else(|| {
            // Half of the validation range leaves as many windows as steps.
            let fits = validation_steps(shortest, &frequency, options) / 2;
            let seasons = data::usual_seasons(&frequency).into_iter().chain([season_length]);
            let longest = seasons.filter(|season| *season <= LONGEST_DEFAULT_HORIZON).max();
            longest.unwrap_or(0).max(SHORTEST_DEFAULT_HORIZON).min(fits.max(1))
        });
        let trained = panel.series().iter().map(|series| {
            let n = series.n_steps();
            series.slice(0..n.saturating_sub(validation_steps(n, &frequency, options).max(horizon)))
        });
        // What learns nothing has no setting that depends on them.
        let trained: Vec<Series> = if config.learns() { trained.collect() } else { Vec::new() };
        let n_series = panel.series().len();
        let shape = Shape {
            season_length,
            frequency,
            n_steps: shortest,
            horizon,
            n_series,
            stretches: Shape::stretches(&trained),
            has_gaps: Shape::has_gaps(&trained),
            seed: options.seed,
        };
        let config = config.resolve(&shape)?;
        let most_windows = options.calibration_windows.map_or(MOST_WINDOWS, |n| n.div_ceil(1 + MOST_BLOCKS));
        let regressors = regressors(&config, panel, horizon)?;
        let recency = if config.is_trained_once() { Recency::none() } else { Recency::new(season_length) };
        let scaling = if config.repeats() { Scaling::None } else { options.scaling };
        let cancel = options.cancel.clone();
        let mut plan = Plan {
            config,
            scaling,
            horizon,
            season_length,
            recency,
            regressors,
            inputs: None,
            most_windows,
            cancel,
        };
        let schema = panel.covariate_schema();
        if plan.config.takes_inputs() && !schema.is_empty() {
            let training: Vec<Range<usize>> =
                plan.cuts(panel, options)?.into_iter().map(|cut| 0..cut).collect();
            plan.inputs = Some(InputColumns::fit(schema, panel.series(), &training).checked()?);
        }
        Ok(plan)
    }

    /// True if every fit is the same, whatever it is fitted on.
    pub(super) fn fits_alike(&self) -> bool {
        self.config.repeats()
    }

    /// Where the validation range of each series begins.
    pub(super) fn cuts(&self, panel: &Panel, options: &FitOptions) -> Result<Vec<usize>> {
        let lookback = self.config.lookback();
        let frequency = panel.frequency();
        let cut = |series: &Series| {
            let n = series.n_steps();
            if n < lookback + self.horizon {
                return Err(Error::TooShort {
                    series: series.id().to_string(),
                    steps: n,
                    lookback,
                    horizon: self.horizon,
                });
            }
            let validation = validation_steps(n, &frequency, options).max(self.horizon);
            Ok(n.saturating_sub(validation))
        };
        panel.series().iter().map(cut).collect()
    }

    /// The steps before the validation range in blocks, one range a series each: what is fitted without a block
    /// is calibrated on it too, so that intervals know every season of the training data.
    pub(super) fn earlier_blocks(&self, panel: &Panel, cuts: &[usize]) -> Vec<Vec<Range<usize>>> {
        let lengths = || panel.series().iter().map(Series::n_steps).zip(cuts);
        // About as long as the validation range.
        let n_blocks = lengths().map(|(n, cut)| cut.div_ceil((n - cut).max(1))).max().unwrap_or(0);
        let n_blocks = n_blocks.min(MOST_BLOCKS);
        (0..n_blocks)
            .map(|i| cuts.iter().map(|cut| cut * i / n_blocks..cut * (i + 1) / n_blocks).collect())
            .collect()
    }

    /// The cutoffs that a series is calibrated at, labels in `range`: all, or about 500 evenly spaced ones.
    pub(super) fn cutoffs(&self, range: &Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let end = (range.end + 1).saturating_sub(self.horizon);
        // The first window of a short series reaches into the validation range.
        let cut = range.start.max(self.config.lookback()).min(end);
        // A stride that shares no factor with the season visits all of its phases.
        let fewest = (end - cut).div_ceil(self.most_windows).max(1);
        let stride = (fewest..).find(|s| gcd(*s, self.season_length) == 1).unwrap_or(fewest);
        (cut..end).step_by(stride)
    }

    pub(super) fn header(
        &self,
        panel: &Panel,
        options: &FitOptions,
        report: &FitReport,
        history: &[Series],
        fingerprint: String,
    ) -> Header {
        let scores = [
            ("validation_mae", report.mae),
            ("validation_mase", report.mase),
            ("validation_seasonal_naive_mae", report.seasonal_naive_mae),
            ("validation_seasonal_naive_mase", report.seasonal_naive_mase),
            ("validation_windows", report.n_windows as f64),
        ];
        // JSON has no NaN: a score that is not defined is left out.
        let metrics: BTreeMap<String, f64> = scores
            .into_iter()
            .filter(|(_, score)| score.is_finite())
            .map(|(name, score)| (name.to_string(), score))
            .collect();
        Header {
            longcast: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config.clone(),
            scaling: self.scaling,
            step: panel.step(),
            opening: panel.report().opening.clone(),
            zone: panel.series().first().map_or_else(Default::default, |s| s.index().zone.clone()),
            channels: panel.channels().to_vec(),
            series: panel.series().iter().map(|series| series.id().to_string()).collect(),
            season_length: self.season_length,
            horizon: self.horizon,
            unit: options.unit.clone(),
            fingerprint,
            metrics,
            seed: options.seed,
            recency: Some(self.recency),
            regressors: self.regressors.clone(),
            inputs: self.inputs.as_ref().map(|inputs| inputs.schema().clone()),
            golden: None,
            history: history
                .iter()
                .map(|series| {
                    let index = series.index();
                    Stretch { start: index.start, len: index.len, origin: index.origin }
                })
                .collect(),
        }
    }
}

/// What the series of a panel are regressed on.
fn regressors(config: &ModelConfig, panel: &Panel, horizon: usize) -> Result<Option<Regressors>> {
    match (config.regressed(), panel.series().first()) {
        (Some(config), Some(first)) => config.regressors(first.index(), panel.covariate_schema(), horizon),
        _ => Ok(None),
    }
}

/// Steps of the validation range of a series with `n`.
fn validation_steps(n: usize, frequency: &Frequency, options: &FitOptions) -> usize {
    let share = |share: f64| (n as f64 * share).round() as usize;
    match (options.validation, frequency.steps_of_year()) {
        (Some(given), _) => share(given),
        (None, None) => share(SMALLEST_VALIDATION),
        (None, Some(year)) => year.clamp(share(SMALLEST_VALIDATION), share(LARGEST_VALIDATION)),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
