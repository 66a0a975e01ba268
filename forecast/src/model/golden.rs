//! A forecast that a model file records of itself, so that whoever loads it can tell that it still computes the same.

use serde::{Deserialize, Serialize};

use super::{ForecastOptions, Model};
use crate::{Error, Result};

/// Steps and channels that are recorded at most.
const MOST_STEPS: usize = 24;
const MOST_CHANNELS: usize = 8;
/// Between kinds of processors and versions, rounding may differ by this share of the largest value.
const TOLERANCE: f64 = 1e-3;

/// The forecast that follows the stored history of the first series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Golden {
    /// The instructions that the program had where it computed the values.
    processor: String,
    /// Time-major, of the first channels. JSON keeps every bit of a double.
    mean: Vec<f64>,
}

impl Model {
    /// Computes what [`Model::check_golden`] will compare; `None` where the first series has too many gaps to be
    /// forecast.
    pub(super) fn golden(&self) -> Option<Golden> {
        let mean = self.golden_mean().ok()?;
        Some(Golden { processor: processor().to_string(), mean })
    }

    /// Whether the model gives the forecast that its file has recorded when it was fitted: bit for bit where the
    /// version of Longcast and the kind of processor are the same, else within a thousandth of the largest value.
    /// Files of earlier versions record none, and pass.
    ///
    /// # Errors
    /// [`Error::Internal`] with the first step that differs.
    pub fn check_golden(&self) -> Result<()> {
        let header = self.header();
        let Some(golden) = &header.golden else { return Ok(()) };
        let found = self.golden_mean()?;
        let is_same_program = header.longcast == env!("CARGO_PKG_VERSION") && golden.processor == processor();
        let largest = golden.mean.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let tolerance = if is_same_program { 0.0 } else { TOLERANCE * largest };
        let differs = |(found, recorded): (&f64, &f64)| {
            found.to_bits() != recorded.to_bits()
                && !((found - recorded).abs() <= tolerance && tolerance > 0.0)
        };
        let n_channels = header.channels.len().min(MOST_CHANNELS);
        if found.len() != golden.mean.len() {
            let text =
                format!("the file records {} values of a forecast, not {}", golden.mean.len(), found.len());
            return Err(Error::Internal(text));
        }
        match found.iter().zip(&golden.mean).position(differs) {
            None => Ok(()),
            Some(at) => Err(Error::Internal(format!(
                "step {} of its recorded forecast is {}, but {} comes out",
                at / n_channels + 1,
                golden.mean[at],
                found[at]
            ))),
        }
    }

    fn golden_mean(&self) -> Result<Vec<f64>> {
        let header = self.header();
        let history = self.history().first();
        let history = history.ok_or_else(|| Error::Internal("the model holds no history".to_string()))?;
        let horizon = header.horizon.min(MOST_STEPS);
        let forecast =
            self.forecast_series(history, &ForecastOptions { horizon, ..ForecastOptions::default() })?;
        let n_channels = header.channels.len().min(MOST_CHANNELS);
        Ok(forecast
            .mean
            .rows()
            .into_iter()
            .flat_map(|row| row.to_vec().into_iter().take(n_channels))
            .collect())
    }
}

/// The widest vectors that the kernels may choose here: with others, sums are rounded in another order.
fn processor() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "x86-64-v4";
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return "x86-64-v3";
        }
    }
    std::env::consts::ARCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitOptions, ModelConfig, Panel, ReadOptions};

    fn fitted() -> Model {
        // With some noise, or the lags would not be independent.
        let value = |i: usize| [3.0, 5.5, 4.25][i % 3] + (i * i % 101) as f64 / 50.0;
        let rows: String = (0..300).map(|i| format!("{i},{}\n", value(i))).collect();
        let panel =
            Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
        let config = ModelConfig::parse("ar").unwrap().with("order", "6").unwrap();
        let options = FitOptions { horizon: Some(12), ..FitOptions::default() };
        Model::fit(&config, &panel, &options).unwrap().model
    }

    #[test]
    fn a_fitted_model_records_its_forecast_and_a_loaded_one_repeats_it() {
        let model = fitted();
        let golden = model.header().golden.clone().unwrap();
        assert_eq!(golden.mean.len(), 12);
        let loaded = Model::from_bytes(&model.to_bytes().unwrap(), std::path::Path::new("t")).unwrap();
        assert_eq!(loaded.header().golden.as_ref(), Some(&golden));
        loaded.check_golden().unwrap();
    }

    #[test]
    fn one_bit_is_told_and_another_processor_may_round() {
        for (processor, factor, is_same) in
            [(processor(), 1.0 + f64::EPSILON, false), ("another", 1.0 + 1e-6, true), ("another", 1.1, false)]
        {
            let model = fitted();
            let mut header = model.header().clone();
            let golden = header.golden.as_mut().unwrap();
            golden.processor = processor.to_string();
            golden.mean[3] *= factor;
            assert_eq!(model.with_header(header).check_golden().is_ok(), is_same, "{processor} {factor}");
        }
    }
}
