//! A model before it serves: the forecast that its file has recorded comes out of it again.

use forecast::{ForecastOptions, Model};

use super::RegistryError;

/// Forecasts once what the file says comes out, and once what every call needs, so that the first call is no slower
/// than the others.
///
/// # Errors
/// [`RegistryError::Corrupt`] if the model does not give the forecast of its file.
pub(super) fn warm_up(name: &str, model: &Model) -> Result<(), RegistryError> {
    let corrupt = |what: String| RegistryError::Corrupt { what: format!("{name} fails its warm-up: {what}") };
    model.check_golden().map_err(|error| corrupt(error.to_string()))?;
    let horizon = model.header().horizon.min(24);
    if let Some(history) = model.history().first() {
        let options = ForecastOptions { horizon, quantiles: vec![0.5], ..ForecastOptions::default() };
        match model.forecast_series(history, &options) {
            // The median may lie outside of what few windows support, and what is known ahead is not in the file.
            Ok(_) | Err(forecast::Error::NotCalibrated { .. } | forecast::Error::MissingAhead { .. }) => {}
            Err(error) => return Err(corrupt(error.to_string())),
        }
    }
    Ok(())
}
