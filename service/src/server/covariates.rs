//! Covariates of a message: its columns in the order of the model's, categories as codes.

use forecast::data::{Cells, CovariateColumn, CovariateSchema, Covariates, Known, Series};
use forecast_proto::v1;
use ndarray::Array2;
use tonic::Status;
use tonic_types::FieldViolation;

use super::status::{from_error, invalid};

/// The series with the covariates that the model asks for.
///
/// # Errors
/// `INVALID_ARGUMENT` with every field below `path` that breaks a rule.
pub(crate) fn with_covariates(
    series: Series,
    columns: Vec<v1::Covariate>,
    schema: &CovariateSchema,
    path: &str,
    most_ahead: usize,
) -> Result<Series, Status> {
    if columns.is_empty() && schema.is_empty() {
        return Ok(series);
    }
    let mut violations = Vec::new();
    let mut violate = |field: String, rule: String| violations.push(FieldViolation::new(field, rule));
    for (i, column) in columns.iter().enumerate() {
        if !schema.columns().iter().any(|known| known.name == column.name) {
            let names: Vec<&str> = schema.columns().iter().map(|known| known.name.as_str()).collect();
            let rule = match names.is_empty() {
                true => "the model was fitted without covariates; leave them out".to_string(),
                false => format!("\"{}\" is none of the model's columns: {}", column.name, names.join(", ")),
            };
            violate(format!("{path}.covariates[{i}].name"), rule);
        } else if columns[..i].iter().any(|other| other.name == column.name) {
            violate(format!("{path}.covariates[{i}].name"), format!("\"{}\" is there twice", column.name));
        }
    }
    let n_steps = series.n_steps();
    let mut found = Vec::with_capacity(schema.columns().len());
    for known in schema.columns() {
        let Some(i) = columns.iter().position(|column| column.name == known.name) else {
            violate(
                format!("{path}.covariates"),
                format!("the model's column \"{}\" is missing", known.name),
            );
            continue;
        };
        let at = format!("{path}.covariates[{i}]");
        match numbers(known, &columns[i], n_steps, most_ahead, &at) {
            Ok(values) => found.push(values),
            Err((field, rule)) => violate(field, rule),
        }
    }
    if !violations.is_empty() {
        violations.truncate(100);
        return Err(invalid(violations, series.id()));
    }
    let (n_past, n_future) = (schema.of(Known::Past).len(), schema.of(Known::Future).len());
    let n_rows = found[n_past..n_past + n_future].iter().map(Vec::len).max().unwrap_or(0).max(n_steps);
    let past = Array2::from_shape_fn((n_steps, n_past), |(row, column)| found[column][row]);
    // Columns may be known ahead for different times.
    let future = Array2::from_shape_fn((n_rows, n_future), |(row, column)| {
        found[n_past + column].get(row).copied().unwrap_or(f64::NAN)
    });
    let fixed: Vec<f64> = found[n_past + n_future..].iter().map(|values| values[0]).collect();
    let covariates = Covariates::new(schema, series.id(), series.index(), (past, future, fixed));
    let at = format!("{path}.covariates");
    covariates
        .and_then(|covariates| series.with_covariates(covariates))
        .map_err(|error| from_error(&error, &at))
}

/// The values of one column; the error is a field and the rule that it breaks.
fn numbers(
    known: &CovariateColumn,
    column: &v1::Covariate,
    n_steps: usize,
    most_ahead: usize,
    at: &str,
) -> Result<Vec<f64>, (String, String)> {
    if column.known_in_future != (known.known == Known::Future) {
        let is = if known.known == Known::Future { "is" } else { "is not" };
        return Err((format!("{at}.known_in_future"), format!("the model's column {is} known ahead")));
    }
    let (is_categories, field) = match known.vocabulary.is_some() {
        true => (true, format!("{at}.categories")),
        false => (false, format!("{at}.values")),
    };
    let (len, other) = match is_categories {
        true => (column.categories.len(), column.values.len()),
        false => (column.values.len(), column.categories.len()),
    };
    if other > 0 {
        let kind = if is_categories { "of categories" } else { "numeric" };
        return Err((at.to_string(), format!("the model's column is {kind}")));
    }
    let (fewest, most) = match known.known {
        Known::Past => (n_steps, n_steps),
        Known::Future => (n_steps, n_steps.saturating_add(most_ahead)),
        Known::Static => (1, 1),
    };
    if len < fewest || len > most {
        let range = if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
        return Err((field, format!("it has {len} values, but must have {range}")));
    }
    let cells = match is_categories {
        true => Cells::Text(column.categories.clone()),
        false => Cells::Numbers(column.values.clone()),
    };
    known.encode(&cells, "the request").map_err(|error| (field, error.to_string()))
}
