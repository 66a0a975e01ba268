//! Sessions between messages and types.

use forecast::data::{Cells, CovariateSchema, Known};
use forecast_proto::v1;
use ndarray::Array2;
use tonic::Status;
use tonic_types::FieldViolation;

use super::convert::to_message;
use super::reason::Reason;
use super::session_policy::action_message;
use super::status::invalid;
use crate::session::{Batch, Engine, Issued, SessionError, Trouble};

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
        let n_cells = column.values.len().max(column.categories.len());
        if n_cells != n_rows {
            let rule = format!("it has {n_cells} values, but the first column has {n_rows}");
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
    let error = super::status::to_rpc_status(&error.into());
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
        status: Some(super::status::to_rpc_status(&status)),
        action: action_message(trouble.action).into(),
        count: trouble.count,
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

/// Several violations as one status, if there are any.
///
/// # Errors
/// `INVALID_ARGUMENT` with all of them.
pub(super) fn check(violations: Vec<FieldViolation>) -> Result<(), Status> {
    if violations.is_empty() { Ok(()) } else { Err(invalid(violations, "")) }
}
