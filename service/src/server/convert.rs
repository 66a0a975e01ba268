//! Between messages and the types of the library: what comes out of here is valid.

use forecast::data::{Frequency, Opening, Zone};
use forecast::{Band, Forecast, ForecastOptions, Model, Series, Step, TimeIndex};
use forecast_proto::v1;
use ndarray::Array2;
use tonic::Status;
use tonic_types::FieldViolation;

use super::covariates::with_covariates;
use super::status::invalid;
use crate::operation::Limits;

/// Violations that one answer lists.
const MOST_VIOLATIONS: usize = 100;
const DAY: i64 = 86_400_000_000_000;

/// What a request asks for.
///
/// # Errors
/// `INVALID_ARGUMENT` with every field of `spec` that breaks a rule.
pub(crate) fn options(spec: Option<&v1::ForecastSpec>, limits: &Limits) -> Result<ForecastOptions, Status> {
    let Some(spec) = spec else {
        return Err(invalid(vec![FieldViolation::new("spec", "it is required")], ""));
    };
    let mut violations = Vec::new();
    let mut violate = |field: String, rule: String| violations.push(FieldViolation::new(field, rule));
    let horizon = usize::try_from(spec.horizon).unwrap_or(0);
    if horizon == 0 || horizon > limits.horizon {
        let rule = format!("it is {}, but it must be 1 to {}", spec.horizon, limits.horizon);
        violate("spec.horizon".to_string(), rule);
    }
    let band = match v1::IntervalBand::try_from(spec.interval_band) {
        Ok(v1::IntervalBand::Unspecified | v1::IntervalBand::EachStep) => Band::EachStep,
        Ok(v1::IntervalBand::WholePath) => Band::WholePath,
        Err(_) => {
            violate("spec.interval_band".to_string(), format!("{} is no band", spec.interval_band));
            Band::EachStep
        }
    };
    for (field, values) in
        [("quantile_levels", &spec.quantile_levels), ("interval_coverages", &spec.interval_coverages)]
    {
        for (i, value) in values.iter().enumerate().take(MOST_VIOLATIONS) {
            if !(*value > 0.0 && *value < 1.0) {
                let rule = format!("it is {value}, but it must lie between 0 and 1, both excluded");
                violate(format!("spec.{field}[{i}]"), rule);
            }
        }
    }
    let n_paths = spec.quantile_levels.len() + spec.interval_coverages.len();
    if n_paths > limits.paths {
        let rule =
            format!("{n_paths} quantiles and intervals are asked for, at most {} may be", limits.paths);
        violate("spec".to_string(), rule);
    }
    if !violations.is_empty() {
        violations.truncate(MOST_VIOLATIONS);
        return Err(invalid(violations, ""));
    }
    Ok(ForecastOptions {
        horizon,
        // Percent, without the rounding noise of the product: 0.55 is 55, not 55.00000000000001.
        levels: spec.interval_coverages.iter().map(|c| (c * 1e11).round() / 1e9).collect(),
        quantiles: spec.quantile_levels.clone(),
        band,
    })
}

/// The history of a request, for a model with these channels and this frequency.
///
/// # Errors
/// `INVALID_ARGUMENT` with every field below `path` that breaks a rule.
pub fn from_message(
    message: v1::Series,
    path: &str,
    channels: &[String],
    model_frequency: &Frequency,
) -> Result<Series, Status> {
    let mut violations = Vec::new();
    for (i, value) in message.values.iter().enumerate() {
        if value.is_infinite() && violations.len() < MOST_VIOLATIONS {
            let rule = format!("it is {value}, but values must be finite, or NaN where missing");
            violations.push(FieldViolation::new(format!("{path}.values[{i}]"), rule));
        }
    }
    let n_channels = channels.len();
    if !message.values.len().is_multiple_of(n_channels) || message.values.is_empty() {
        let rule = format!(
            "it has {} values, but must have a positive multiple of the model's {n_channels} channels ({})",
            message.values.len(),
            channels.join(", ")
        );
        violations.push(FieldViolation::new(format!("{path}.values"), rule));
    }
    let n_steps = message.values.len() / n_channels;
    let index = index(message.axis.as_ref(), path, n_steps, model_frequency);
    let index = index.map_err(|violation| violations.push(violation));
    let (true, Ok(index)) = (violations.is_empty(), index) else {
        return Err(invalid(violations, &message.series_id));
    };
    let values = Array2::from_shape_vec((n_steps, n_channels), message.values)
        .map_err(|error| super::status::internal(&error.to_string()))?;
    Series::new(message.series_id, index, values, channels)
        .map_err(|error| super::status::from_error(&error, path))
}

/// The history of a request for a model, with the covariates that it asks for.
///
/// # Errors
/// `INVALID_ARGUMENT` with every field below `path` that breaks a rule.
pub(crate) fn history(
    mut message: v1::Series,
    path: &str,
    model: &Model,
    most_ahead: usize,
) -> Result<Series, Status> {
    let covariates = std::mem::take(&mut message.covariates);
    let header = model.header();
    let series = from_message(message, path, &header.channels, &header.frequency())?;
    with_covariates(series, covariates, &model.covariate_schema(), path, most_ahead)
}

/// The index of an axis, for a model of this frequency.
pub(super) fn index(
    axis: Option<&v1::TimeAxis>,
    path: &str,
    len: usize,
    model_frequency: &Frequency,
) -> Result<TimeIndex, FieldViolation> {
    let model_step = model_frequency.step;
    let bad = |field: &str, rule: String| FieldViolation::new(format!("{path}.axis{field}"), rule);
    let Some(v1::time_axis::Axis::Regular(regular)) = axis.and_then(|axis| axis.axis.as_ref()) else {
        return Err(bad("", "it is required, with a regular axis".to_string()));
    };
    let zone = match regular.time_zone.as_str() {
        "" => Zone::Local,
        name => Zone::named(name).map_err(|error| bad(".regular.time_zone", error.to_string()))?,
    };
    let step = match regular.step {
        Some(v1::regular_axis::Step::StepNano(nanos)) if nanos < 1 => {
            return Err(bad(".regular.step_nano", format!("it is {nanos}, but it must be at least 1")));
        }
        // An integer index travels as if its unit were a nanosecond.
        Some(v1::regular_axis::Step::StepNano(nanos)) => match model_step {
            Step::Index(_) => Step::Index(nanos),
            _ => Step::Nanos(nanos),
        },
        Some(v1::regular_axis::Step::CalendarStep(unit)) => {
            calendar_step(unit, regular.step_count, &zone, model_step)
                .map_err(|rule| bad(".regular.calendar_step", rule))?
        }
        None => return Err(bad(".regular.step", "it is required".to_string())),
    };
    if step != model_step {
        let rule = format!("the step is {step}, but the model was fitted on steps of {model_step}");
        return Err(bad(".regular.step", rule));
    }
    let opening = match regular.opening.as_str() {
        "" => None,
        text => Some(text.parse::<Opening>().map_err(|error| bad(".regular.opening", error.to_string()))?),
    };
    if opening != model_frequency.opening {
        let rule = format!(
            "the steps are {}, but the model was fitted on {model_frequency}",
            Frequency { step, opening }
        );
        return Err(bad(".regular.opening", rule));
    }
    let index = TimeIndex::new(regular.start_unix_nano, step, zone, len);
    match &model_frequency.opening {
        Some(opening) => {
            index.with_opening(opening).map_err(|error| bad(".regular.start_unix_nano", error.to_string()))
        }
        None => Ok(index),
    }
}

fn calendar_step(unit: i32, count: i32, zone: &Zone, model_step: Step) -> Result<Step, String> {
    if count < 0 {
        return Err(format!("step_count is {count}, but it must be at least 1"));
    }
    let count = count.max(1);
    let too_long = || format!("{count} of these units are too long a step");
    let days = |n: i32| match model_step {
        // A day has 24 hours wherever clocks do not change.
        Step::Nanos(_) if !zone.has_uneven_days() => {
            i64::from(n).checked_mul(DAY).map(Step::Nanos).ok_or_else(too_long)
        }
        _ => Ok(Step::Days(n)),
    };
    let times = |n: i32| count.checked_mul(n).ok_or_else(too_long);
    match v1::CalendarStep::try_from(unit) {
        Ok(v1::CalendarStep::Day) => days(count),
        Ok(v1::CalendarStep::Week) => days(times(7)?),
        Ok(v1::CalendarStep::Month) => times(1).map(Step::Months),
        Ok(v1::CalendarStep::Quarter) => times(3).map(Step::Months),
        Ok(v1::CalendarStep::Year) => times(12).map(Step::Months),
        Ok(v1::CalendarStep::Unspecified) | Err(_) => Err(format!("{unit} is not a calendar unit")),
    }
}

fn axis(index: &TimeIndex) -> v1::TimeAxis {
    use v1::regular_axis::Step as Wire;
    let (step, step_count) = match index.step {
        Step::Nanos(nanos) | Step::Index(nanos) => (Wire::StepNano(nanos), 0),
        Step::Days(days) => (Wire::CalendarStep(v1::CalendarStep::Day.into()), days),
        Step::Months(months) => (Wire::CalendarStep(v1::CalendarStep::Month.into()), months),
    };
    let regular = v1::RegularAxis {
        start_unix_nano: index.start,
        step: Some(step),
        time_zone: index.zone.clone().into(),
        step_count,
        opening: index.frequency().opening.map(String::from).unwrap_or_default(),
    };
    v1::TimeAxis { axis: Some(v1::time_axis::Axis::Regular(regular)) }
}

/// A series as a message, for clients.
#[must_use]
pub fn to_series_message(series: &Series) -> v1::Series {
    v1::Series {
        series_id: series.id().to_string(),
        axis: Some(axis(series.index())),
        values: series.values().iter().copied().collect(),
        covariates: Vec::new(),
    }
}

/// A forecast as a message; `coverages` are those that were asked for, in the order of its intervals.
#[must_use]
pub fn to_message(
    forecast: &Forecast,
    coverages: &[f64],
    revision: &str,
    elapsed: std::time::Duration,
) -> v1::Forecast {
    let flat = |values: &Array2<f64>| values.iter().copied().collect::<Vec<f64>>();
    v1::Forecast {
        series_id: forecast.series.clone(),
        axis: Some(axis(&forecast.index)),
        mean: flat(&forecast.mean),
        quantiles: forecast
            .quantiles
            .iter()
            .map(|path| v1::QuantilePath { level: path.level, values: flat(&path.values) })
            .collect(),
        intervals: forecast
            .intervals
            .iter()
            .zip(coverages)
            .map(|(interval, coverage)| v1::Interval {
                coverage: *coverage,
                lower: flat(&interval.lower),
                upper: flat(&interval.upper),
            })
            .collect(),
        model_revision: revision.to_string(),
        warnings: forecast
            .warnings
            .iter()
            .map(|warning| v1::Warning {
                reason: warning.reason.to_string(),
                message: warning.message.clone(),
            })
            .collect(),
        compute_duration: Some(prost_types::Duration {
            seconds: i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(elapsed.subsec_nanos()).unwrap_or(0),
        }),
        channels: forecast.channels.clone(),
    }
}
