//! Sessions between messages and types.

use forecast::data::{Cells, CovariateSchema, Known};
use forecast_proto::v1;
use ndarray::Array2;
use tonic::Status;
use tonic_types::FieldViolation;

use super::convert::to_message;
use super::reason::Reason;
use super::status::invalid;
use crate::session::{
    Batch, Cell, Durability, Emission, Engine, Issued, SessionError, Settings, SlowReader, TimeAction,
    TimePolicy, Trouble,
};

/// Observations as columns; covariates as codes in the order of the model's schema.
///
/// # Errors
/// `INVALID_ARGUMENT` for covariates that are not the model's. Lengths are checked later.
pub(super) fn batch(message: v1::ObservationBatch, schema: &CovariateSchema) -> Result<Batch, Status> {
    let n_rows =
        message.covariates.first().map_or(0, |column| column.values.len().max(column.categories.len()));
    let covariates = match message.covariates.is_empty() {
        true => Vec::new(),
        false => rows(
            &message.covariates,
            schema,
            &[Known::Past, Known::Future],
            n_rows,
            "observations.covariates",
        )?
        .into_iter()
        .collect(),
    };
    Ok(Batch {
        first: message.first_sequence,
        series: message.series_index,
        times: message.time_unix_nano,
        values: message.values,
        covariates,
    })
}

/// What is known ahead. Shape `(step, covariate)`.
///
/// # Errors
/// `INVALID_ARGUMENT` for columns that are not those that the model knows ahead.
pub(super) fn known_ahead(
    columns: &[v1::Covariate],
    schema: &CovariateSchema,
) -> Result<Array2<f64>, Status> {
    let n_rows = columns.first().map_or(0, |column| column.values.len().max(column.categories.len()));
    rows(columns, schema, &[Known::Future], n_rows, "request_forecast.known_ahead")
}

/// Columns as rows of codes, NaN where a column is left out.
fn rows(
    columns: &[v1::Covariate],
    schema: &CovariateSchema,
    kinds: &[Known],
    n_rows: usize,
    path: &str,
) -> Result<Array2<f64>, Status> {
    let wanted: Vec<_> = kinds.iter().flat_map(|known| schema.of(*known)).collect();
    let mut out = Array2::from_elem((n_rows, wanted.len()), f64::NAN);
    for (i, column) in columns.iter().enumerate() {
        let field = format!("{path}[{i}]");
        let Some(at) = wanted.iter().position(|known| known.name == column.name) else {
            let known: Vec<&str> = wanted.iter().map(|known| known.name.as_str()).collect();
            let rule =
                format!("\"{}\" is none of the model's columns here: {}", column.name, known.join(", "));
            return Err(Reason::FieldInvalid.at(&format!("{field}.name"), &rule));
        };
        let cells = match column.categories.is_empty() {
            true => Cells::Numbers(column.values.clone()),
            false => Cells::Text(column.categories.clone()),
        };
        if cells.len() != n_rows {
            let rule = format!("it has {} values, but the first column has {n_rows}", cells.len());
            return Err(Reason::FieldInvalid.at(&field, &rule));
        }
        let codes = wanted[at].encode(&cells, &column.name);
        let codes = codes.map_err(|error| Reason::FieldInvalid.at(&field, &error.to_string()))?;
        out.column_mut(at).iter_mut().zip(codes).for_each(|(out, code)| *out = code);
    }
    Ok(out)
}

/// A forecast for a reader.
pub(super) fn update(issued: &Issued, engine: &Engine) -> v1::ForecastUpdate {
    let made = &issued.made;
    let forecast =
        to_message(&made.forecast, &engine.settings().coverages, &engine.model().revision, made.elapsed);
    v1::ForecastUpdate {
        as_of_sequence: made.as_of,
        conflated_count: issued.n_conflated,
        surprise: made.surprise,
        series_index: u32::try_from(made.series).unwrap_or(u32::MAX),
        fallback: made.fallback.map(|(mase, mase_limit, since_sequence)| v1::Fallback {
            mase,
            mase_limit,
            since_sequence,
        }),
        outcome: Some(v1::forecast_update::Outcome::Result(forecast)),
    }
}

/// Why there is no forecast that was asked for.
pub(super) fn no_update(series: usize, error: SessionError, as_of: u64) -> v1::ForecastUpdate {
    let error = super::forecast_service::to_rpc_status(&error.into());
    v1::ForecastUpdate {
        as_of_sequence: as_of,
        series_index: u32::try_from(series).unwrap_or(u32::MAX),
        outcome: Some(v1::forecast_update::Outcome::Error(error)),
        ..v1::ForecastUpdate::default()
    }
}

/// What was not taken as it is.
pub(super) fn observation_error(trouble: &Trouble, engine: &Engine) -> v1::ObservationError {
    let series = trouble.series.and_then(|at| engine.series().get(at));
    let series_id = series.map(|series| series.id().to_string()).unwrap_or_default();
    let status =
        Reason::from(trouble.refusal).status(trouble.message.clone(), &[("series_id", series_id.clone())]);
    v1::ObservationError {
        sequence: trouble.sequence,
        series_id,
        status: Some(super::forecast_service::to_rpc_status(&status)),
        action: action_message(trouble.action).into(),
        count: trouble.count,
    }
}

fn action_message(action: TimeAction) -> v1::TimeAction {
    match action {
        TimeAction::Reject => v1::TimeAction::Reject,
        TimeAction::Drop => v1::TimeAction::Drop,
        TimeAction::Impute => v1::TimeAction::Impute,
        TimeAction::Reset => v1::TimeAction::Reset,
    }
}

/// A policy, with what it leaves open; `lookback` is the model's.
pub(super) fn policy(
    message: &v1::TimePolicy,
    path: &str,
    lookback: usize,
    violations: &mut Vec<FieldViolation>,
) -> TimePolicy {
    let mut action = |field: &str, value: i32, default: TimeAction, refused: &[TimeAction]| {
        let action = match v1::TimeAction::try_from(value) {
            Ok(v1::TimeAction::Unspecified) => default,
            Ok(v1::TimeAction::Reject) => TimeAction::Reject,
            Ok(v1::TimeAction::Drop) => TimeAction::Drop,
            Ok(v1::TimeAction::Impute) => TimeAction::Impute,
            Ok(v1::TimeAction::Reset) => TimeAction::Reset,
            Err(_) => {
                violations
                    .push(FieldViolation::new(format!("{path}.{field}"), format!("{value} is no action")));
                default
            }
        };
        if refused.contains(&action) {
            let rule = format!("{} cannot be done here", action_message(action).as_str_name());
            violations.push(FieldViolation::new(format!("{path}.{field}"), rule));
        }
        action
    };
    use TimeAction::{Impute, Reject, Reset};
    let policy = TimePolicy {
        late: action("late", message.late, Reject, &[Impute]),
        duplicate: action("duplicate", message.duplicate, Reject, &[Impute, Reset]),
        gap: action("gap", message.gap, Impute, &[]),
        off_grid: action("off_grid", message.off_grid, Reject, &[Impute]),
        max_gap_steps: match message.max_gap_steps {
            0 => lookback.min(MOST_GAP_STEPS),
            n => n as usize,
        },
    };
    if policy.max_gap_steps > MOST_GAP_STEPS {
        let rule = format!("it is {}, but must be at most {MOST_GAP_STEPS}", policy.max_gap_steps);
        violations.push(FieldViolation::new(format!("{path}.max_gap_steps"), rule));
    }
    policy
}

/// Steps that one gap imputes, at most.
const MOST_GAP_STEPS: usize = 100_000;

fn policy_message(policy: &TimePolicy) -> v1::TimePolicy {
    v1::TimePolicy {
        late: action_message(policy.late).into(),
        duplicate: action_message(policy.duplicate).into(),
        gap: action_message(policy.gap).into(),
        off_grid: action_message(policy.off_grid).into(),
        max_gap_steps: u32::try_from(policy.max_gap_steps).unwrap_or(u32::MAX),
    }
}

/// A session as a message.
///
/// # Errors
/// `NOT_FOUND` once it is gone.
pub(super) fn session(cell: &Cell, with_figures: bool) -> Result<v1::Session, Status> {
    let synced = cell.log().map_or(0, |log| log.state().borrow().synced);
    let durable_through = cell.durable_through(synced);
    let (etag, time_left) = (cell.etag()?, cell.time_left());
    let (is_attached, n_watchers, state_bytes) = (cell.is_attached(), cell.n_watchers(), cell.state_bytes());
    let session = cell.look(|engine| {
        let settings = engine.settings();
        let next = engine.next_sequence();
        v1::Session {
            name: settings.name.clone(),
            model_revision: engine.model().revision.clone(),
            series_ids: engine.series().iter().map(|series| series.id().to_string()).collect(),
            spec: Some(spec(settings)),
            emit: Some(emit(settings)),
            durability: durability(settings.durability).into(),
            idle_ttl: Some(duration(settings.idle_ttl_ms)),
            applied_through: next - 1,
            durable_through,
            state_bytes: i64::try_from(state_bytes).unwrap_or(i64::MAX),
            create_time: Some(timestamp(settings.created)),
            expire_time: time_left
                .map(|left| std::time::SystemTime::now().checked_add(left))
                .map_or(None, |time| time.map(prost_types::Timestamp::from)),
            etag,
            epoch: engine.epoch(),
            time_policy: settings.policies.first().map(policy_message),
            series_time_policies: own_policies(settings),
            interval_method: match settings.adaptive {
                true => v1::IntervalMethod::Adaptive.into(),
                false => v1::IntervalMethod::Calibrated.into(),
            },
            fallback: settings.fallback.map(|fallback| v1::FallbackPolicy {
                mase_limit: fallback.mase_limit,
                min_observations: u32::try_from(fallback.min_observations).unwrap_or(u32::MAX),
            }),
            figures: if with_figures { figures(engine) } else { Vec::new() },
            next_sequence: next,
            attached: is_attached,
            watcher_count: i32::try_from(n_watchers).unwrap_or(i32::MAX),
            channels: engine.model().model.header().channels.clone(),
        }
    });
    Ok(session?)
}

/// The policies of series that differ from that of the first one.
fn own_policies(settings: &Settings) -> Vec<v1::SeriesTimePolicy> {
    let Some(first) = settings.policies.first() else { return Vec::new() };
    let others = settings.policies.iter().enumerate().filter(|(_, policy)| *policy != first);
    others
        .map(|(at, policy)| v1::SeriesTimePolicy {
            series_index: u32::try_from(at).unwrap_or(u32::MAX),
            policy: Some(policy_message(policy)),
        })
        .collect()
}

fn figures(engine: &Engine) -> Vec<v1::SeriesFigures> {
    let of_series = |series: &crate::session::SeriesState| {
        let figures = series.figures();
        let coverages = figures.coverages().iter().zip(&engine.settings().coverages);
        v1::SeriesFigures {
            series_id: series.id().to_string(),
            observation_count: figures.n_taken,
            missing_count: figures.n_missing,
            refused_count: figures.n_refused,
            reset_count: figures.n_resets,
            scored_count: figures.n_scored,
            mae: figures.mae(),
            mase: figures.mase(),
            coverages: coverages
                .map(|(coverage, nominal)| v1::CoverageFigure {
                    nominal: *nominal,
                    measured: coverage.measured(),
                    judged_count: coverage.n_judged,
                })
                .collect(),
            fallback: series.fallback().since.is_some(),
            fallback_count: series.fallback().n_times,
            last_time_unix_nano: series.last_stamp(),
        }
    };
    engine.series().iter().map(of_series).collect()
}

fn spec(settings: &Settings) -> v1::ForecastSpec {
    v1::ForecastSpec {
        horizon: i32::try_from(settings.horizon).unwrap_or(i32::MAX),
        quantile_levels: settings.quantiles.clone(),
        interval_coverages: settings.coverages.clone(),
        interval_band: match settings.whole_path {
            true => v1::IntervalBand::WholePath.into(),
            false => v1::IntervalBand::EachStep.into(),
        },
    }
}

fn emit(settings: &Settings) -> v1::EmitPolicy {
    use v1::emit_policy::When;
    v1::EmitPolicy {
        when: Some(match settings.emission {
            Emission::Every(n) => When::EveryObservations(n),
            Emission::Interval(millis) => When::EveryInterval(duration(millis)),
            Emission::OnRequest => When::OnRequest(true),
        }),
        slow_consumer: match settings.slow_reader {
            SlowReader::Conflate => v1::SlowConsumer::Conflate.into(),
            SlowReader::Block => v1::SlowConsumer::Block.into(),
            SlowReader::Disconnect => v1::SlowConsumer::Disconnect.into(),
        },
    }
}

fn durability(durability: Durability) -> v1::Durability {
    match durability {
        Durability::Memory => v1::Durability::Memory,
        Durability::Async => v1::Durability::Async,
        Durability::Sync => v1::Durability::Sync,
    }
}

/// Milliseconds as a message.
pub(super) fn duration(millis: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1000 * 1_000_000).unwrap_or(0),
    }
}

/// A message as milliseconds.
///
/// # Errors
/// `INVALID_ARGUMENT` for negative ones.
pub(super) fn millis(duration: &prost_types::Duration, field: &str) -> Result<u64, FieldViolation> {
    let bad = || FieldViolation::new(field, "it must not be negative, and nanos must lie below a second");
    let seconds = u64::try_from(duration.seconds).map_err(|_| bad())?;
    let nanos = u64::try_from(duration.nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(bad)?;
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

fn timestamp(nanos: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
    }
}

/// Several violations as one status, if there are any.
///
/// # Errors
/// `INVALID_ARGUMENT` with all of them.
pub(super) fn check(violations: Vec<FieldViolation>) -> Result<(), Status> {
    if violations.is_empty() { Ok(()) } else { Err(invalid(violations, "")) }
}
