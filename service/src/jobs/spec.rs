//! From the messages that say how to fit, read and back-test to the options of the library, with every field that
//! breaks a rule.

use std::collections::HashMap;

use forecast::data::{CovariateDeclaration, CovariateFlags, Frequency, Scaling, Zone};
use forecast::eval::{BacktestOptions, Refit};
use forecast::{FitOptions, ReadOptions};
use forecast_proto::v1;
use tonic::Status;
use tonic_types::FieldViolation;

use crate::server::status::invalid;

/// Violations that one answer lists.
const MOST_VIOLATIONS: usize = 100;
/// No count of steps is larger.
const MOST_STEPS: i32 = 10_000_000;
/// Cutoffs of one back-test.
const MOST_WINDOWS: i32 = 10_000;
/// Intervals that one back-test scores.
const MOST_LEVELS: usize = 100;
/// Metrics of points and, by the beginning of their names, of intervals.
const METRICS: [&str; 10] = ["mae", "mse", "rmse", "bias", "mape", "smape", "wape", "mase", "rmsse", "wql"];
const LEVEL_METRICS: [&str; 2] = ["coverage-", "winkler-"];
/// Options of reading.
const MOST_READ_OPTIONS: usize = 100;

/// Fields that break a rule.
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<FieldViolation>);

impl Violations {
    pub(super) fn add(&mut self, field: &str, rule: String) {
        if self.0.len() < MOST_VIOLATIONS {
            self.0.push(FieldViolation::new(field, rule));
        }
    }

    /// # Errors
    /// `INVALID_ARGUMENT` if there are any.
    pub(super) fn into_result(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid(self.0, "")) }
    }

    /// A count of steps, `None` for 0.
    fn count(&mut self, field: String, value: i32, most: i32) -> Option<usize> {
        if !(0..=most).contains(&value) {
            self.add(&field, format!("it is {value}, but it must be 0 to {most}"));
        }
        usize::try_from(value).ok().filter(|value| *value > 0)
    }
}

/// How to fit.
pub(super) fn fit_options(spec: &v1::TrainingSpec, path: &str, broken: &mut Violations) -> FitOptions {
    let at = |field: &str| format!("{path}.{field}");
    let horizon = broken.count(at("horizon"), spec.horizon, MOST_STEPS);
    let season_length = broken.count(at("season_length"), spec.season_length, MOST_STEPS);
    let share = spec.validation_share;
    if !(0.0..1.0).contains(&share) {
        broken.add(&at("validation_share"), format!("it is {share}, but it must lie between 0 and 1"));
    }
    let scaling = match spec.scaling.as_str() {
        "" => Scaling::Standard,
        text => text.parse().unwrap_or_else(|error: forecast::Error| {
            broken.add(&at("scaling"), error.to_string());
            Scaling::Standard
        }),
    };
    FitOptions {
        horizon,
        validation: Some(share).filter(|share| *share > 0.0),
        season_length,
        scaling,
        seed: if spec.seed == 0 { 1 } else { spec.seed },
        ..FitOptions::default()
    }
}

/// How to read a file.
pub(super) fn read_options(spec: &v1::TrainingSpec, path: &str, broken: &mut Violations) -> ReadOptions {
    let path = format!("{path}.read_options");
    if spec.read_options.len() > MOST_READ_OPTIONS {
        let n = spec.read_options.len();
        broken.add(&path, format!("there are {n}, at most {MOST_READ_OPTIONS} may be"));
        return ReadOptions::default();
    }
    match read_options_of(&spec.read_options) {
        Ok(options) => options,
        Err((name, rule)) => {
            broken.add(&format!("{path}[\"{name}\"]"), rule);
            ReadOptions::default()
        }
    }
}

/// The options of `longcast fit` by name, without dashes in front.
fn read_options_of(given: &HashMap<String, String>) -> Result<ReadOptions, (String, String)> {
    let mut options = ReadOptions::default();
    let mut flags = CovariateFlags::default();
    let mut names: Vec<&String> = given.keys().collect();
    names.sort();
    for name in names {
        let value = &given[name];
        let list = || value.split(',').map(|one| one.trim().to_string()).collect::<Vec<String>>();
        let mut set = || -> forecast::Result<bool> {
            match name.as_str() {
                "id-col" => options.id_column = Some(value.clone()),
                "time-col" => options.time_column = Some(value.clone()),
                "target-col" => options.target_columns = list(),
                "freq" => {
                    let Frequency { step, opening } = value.parse()?;
                    options.freq = Some(step);
                    options.opening = opening.or(options.opening.take());
                }
                "open" => options.opening = Some(value.parse()?),
                "tz" => options.zone = Some(Zone::named(value)?),
                "duplicates" => options.duplicates = value.parse()?,
                "out-of-order" => options.out_of_order = value.parse()?,
                "aggregate" => options.aggregate = Some(value.parse()?),
                "time-format" => options.time_format = Some(value.clone()),
                "bad-series" => options.bad_series = value.parse()?,
                "past-col" => flags.past_col = list(),
                "future-col" => flags.future_col = list(),
                "static-col" => flags.static_col = list(),
                "categorical-col" => flags.categorical_col = list(),
                _ => return Ok(false),
            }
            Ok(true)
        };
        match set() {
            Ok(true) => {}
            Ok(false) => {
                let known = "id-col, time-col, target-col, freq, open, tz, duplicates, out-of-order, aggregate, \
                             time-format, bad-series, past-col, future-col, static-col, categorical-col";
                return Err((name.clone(), format!("there is no such option; there are {known}")));
            }
            Err(error) => return Err((name.clone(), error.to_string())),
        }
    }
    options.covariates = CovariateDeclaration::default()
        .with_flags(&flags)
        .map_err(|error| ("past-col".to_string(), error.to_string()))?;
    Ok(options)
}

/// How to back-test; the options of the fit are left at their defaults.
pub(super) fn backtest_options(spec: &v1::BacktestSpec, broken: &mut Violations) -> BacktestOptions {
    let defaults = BacktestOptions::default();
    let horizon = broken.count("spec.horizon".to_string(), spec.horizon, MOST_STEPS);
    if spec.horizon == 0 {
        broken.add("spec.horizon", "it is 0, but it must be at least 1".to_string());
    }
    let n_windows = broken.count("spec.n_windows".to_string(), spec.n_windows, MOST_WINDOWS);
    let step_size = broken.count("spec.step_size".to_string(), spec.step_size, MOST_STEPS);
    let gap = broken.count("spec.gap".to_string(), spec.gap, MOST_STEPS);
    let refit = broken.count("spec.refit_every".to_string(), spec.refit_every, MOST_WINDOWS);
    if spec.interval_coverages.len() > MOST_LEVELS {
        let n = spec.interval_coverages.len();
        broken.add("spec.interval_coverages", format!("there are {n}, at most {MOST_LEVELS} may be"));
    }
    for (at, coverage) in spec.interval_coverages.iter().enumerate() {
        if !(*coverage > 0.0 && *coverage < 1.0) {
            let rule = format!("it is {coverage}, but it must lie between 0 and 1, both excluded");
            broken.add(&format!("spec.interval_coverages[{at}]"), rule);
        }
    }
    for (at, metric) in spec.metrics.iter().enumerate() {
        let is_of_level = LEVEL_METRICS.iter().any(|of| metric.starts_with(of));
        if !METRICS.contains(&metric.as_str()) && !is_of_level {
            let known = METRICS.join(", ");
            let rule = format!(
                "there is no \"{metric}\"; there are {known}, and with intervals coverage-80, winkler-80"
            );
            broken.add(&format!("spec.metrics[{at}]"), rule);
        }
    }
    if spec.models.is_empty() && spec.model.is_empty() {
        broken
            .add("spec.models", "there is no model to evaluate: give one here or in spec.model".to_string());
    }
    BacktestOptions {
        horizon: horizon.unwrap_or(defaults.horizon),
        n_windows: n_windows.unwrap_or(defaults.n_windows),
        step_size,
        gap: gap.unwrap_or(0),
        refit: refit.map_or(Refit::Never, Refit::Every),
        levels: spec.interval_coverages.iter().map(|share| (share * 1e11).round() / 1e9).collect(),
        ..defaults
    }
}
