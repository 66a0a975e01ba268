//! Checks that the generators share; each error names the field and the value.

use crate::DatasetError;

/// Checks one parameter against its range, of which `rule` is the wording.
///
/// # Errors
/// [`DatasetError::Parameter`] if `is_met` is false or the value is not finite.
pub(super) fn parameter(
    field: &str,
    value: f64,
    rule: &'static str,
    is_met: impl Fn(f64) -> bool,
) -> Result<(), DatasetError> {
    if value.is_finite() && is_met(value) {
        return Ok(());
    }
    Err(DatasetError::Parameter { field: field.to_owned(), rule, value })
}

/// Checks that a parameter is finite.
///
/// # Errors
/// [`DatasetError::Parameter`] otherwise.
pub(super) fn finite(field: &str, value: f64) -> Result<(), DatasetError> {
    parameter(field, value, "finite", |_| true)
}

/// Checks that a standard deviation is finite and at least 0.
///
/// # Errors
/// [`DatasetError::Parameter`] otherwise.
pub(super) fn noise_std(value: f64) -> Result<(), DatasetError> {
    parameter("noise_std", value, "finite and at least 0", |value| value >= 0.0)
}

/// Returns an empty series with room for `n_steps` values.
///
/// # Errors
/// [`DatasetError::TooLong`] if memory does not suffice, where plain reservation would abort.
pub(super) fn with_room(n_steps: usize) -> Result<Vec<f64>, DatasetError> {
    let mut series = Vec::new();
    series.try_reserve_exact(n_steps).map_err(|_| DatasetError::TooLong { n_steps })?;
    Ok(series)
}

/// Returns the series if all its values are finite: large finite parameters can still overflow.
///
/// # Errors
/// [`DatasetError::NotFinite`] with the first step that is not.
pub(super) fn finite_series(series: Vec<f64>) -> Result<Vec<f64>, DatasetError> {
    match series.iter().position(|value| !value.is_finite()) {
        None => Ok(series),
        Some(step) => Err(DatasetError::NotFinite { step }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_field_rule_and_value() {
        let message = |result: Result<(), DatasetError>| result.unwrap_err().to_string();
        assert_eq!(message(noise_std(-0.5)), "noise_std must be finite and at least 0, but is -0.5");
        assert_eq!(message(noise_std(f64::NAN)), "noise_std must be finite and at least 0, but is NaN");
        assert_eq!(message(finite("slope", f64::INFINITY)), "slope must be finite, but is inf");
    }

    #[test]
    fn impossible_length_is_an_error() {
        let error = with_room(usize::MAX).unwrap_err();
        assert_eq!(error, DatasetError::TooLong { n_steps: usize::MAX });
    }

    #[test]
    fn first_value_that_is_not_finite_is_named() {
        let error = finite_series(vec![0.0, f64::INFINITY, f64::NAN]).unwrap_err();
        assert_eq!(error, DatasetError::NotFinite { step: 1 });
    }
}
