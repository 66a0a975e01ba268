//! The one path that the library, the program and the service share:
//! fit, forecast, start, observe, forecast from a state, save, load.

mod adaptive;
mod checkpoint;
mod config;
mod family;
mod fit;
mod forecast;
mod header;
mod lag_windows;
mod lags;
mod learning;
mod plan;
mod recent;
mod regressed;
mod state;
mod table;
mod tensor;
mod validate;

use std::collections::HashMap;
use std::sync::Arc;

use crate::data::{Scaler, Series};
use crate::eval::conformal::Calibration;
use crate::regression::Regression;
use crate::{Error, Result};

pub use adaptive::{Adaptive, AdaptiveOptions};
pub use config::ModelConfig;
pub(crate) use config::{Shape, check_count};
pub(crate) use family::{Family, LagRule, Memory, Training, prime};
pub(crate) use fit::Purpose;
pub use fit::{FitOptions, FitReport, Fitted};
pub use forecast::{Band, Forecast, ForecastOptions, Interval, QuantilePath, Warning};
pub use header::{FORMAT_VERSION, Header};
pub use learning::Learner;
pub use regressed::StepCovariates;
pub use state::State;
pub use table::table;
pub(crate) use tensor::{Tensor, Tensors};

/// A fitted model: immutable, cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct Model {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    header: Header,
    family: Box<dyn Family>,
    /// One for each series and channel, and a last one for series that were not seen.
    scalers: Vec<Vec<Scaler>>,
    /// What is taken out of series and put back into forecasts.
    regression: Option<Regression>,
    calibration: Calibration,
    /// The end of each training series, so that a forecast needs no data.
    history: Vec<Series>,
    /// Positions of the training series by id.
    by_id: HashMap<String, usize>,
}

impl Parts {
    fn new(
        header: Header,
        family: Box<dyn Family>,
        scalers: Vec<Vec<Scaler>>,
        regression: Option<Regression>,
        calibration: Calibration,
        history: Vec<Series>,
    ) -> Self {
        let by_id = header.series.iter().enumerate().map(|(at, id)| (id.clone(), at)).collect();
        Parts { header, family, scalers, regression, calibration, history, by_id }
    }
}

/// Where the parameters of a series are.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Index into scalers and spreads.
    scale: usize,
    /// Index that the family knows.
    family: usize,
}

impl Model {
    /// What the model is and what it was fitted on.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.parts.header
    }

    /// Steps that a forecast looks back.
    #[must_use]
    pub fn lookback(&self) -> usize {
        self.parts.family.lookback()
    }

    /// The end of each training series, as stored with the model.
    #[must_use]
    pub fn history(&self) -> &[Series] {
        &self.parts.history
    }

    /// Coefficients of a linear model for a training series and channel, lag 1 first, in the units of the
    /// series, and the intercept; `None` for families without.
    #[must_use]
    pub fn coefficients(&self, series: usize, channel: usize) -> Option<(f64, Vec<f64>)> {
        let slot = self.family_slot(series);
        let (intercept, weights) = self.parts.family.coefficients(slot, channel)?;
        let scaler = self.parts.scalers.get(series)?.get(channel)?;
        // y = center + spread * (b + w . (lags - center) / spread)
        let sum: f64 = weights.iter().sum();
        Some((scaler.center * (1.0 - sum) + scaler.spread * intercept, weights))
    }

    /// Standard errors of [`Model::coefficients`], lag 1 first, in the units of the series; `None` where they are not
    /// known: of other families, direct, anchored and averaged coefficients, and files of older versions.
    #[must_use]
    pub fn standard_errors(&self, series: usize, channel: usize) -> Option<Vec<f64>> {
        self.parts.family.standard_errors(self.family_slot(series), channel)
    }

    /// Confidence intervals of [`Model::coefficients`], lag 1 first: where the weights lie with a probability of
    /// `level` percent, in large samples. `None` where [`Model::standard_errors`] is.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the level does not lie between 0 and 100.
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let mut state = 1u32;
    /// # let mut next = || { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); state >> 16 };
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", next())).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let config = ModelConfig::parse("ar")?.with("order", "2")?;
    /// let model = Model::fit(&config, &panel, &FitOptions::default())?.model;
    /// let (_, weights) = model.coefficients(0, 0).unwrap();
    /// let intervals = model.coefficient_intervals(0, 0, 95.0)?.unwrap();
    /// let errors = model.standard_errors(0, 0).unwrap();
    /// assert!((intervals[1].1 - weights[1] - 1.96 * errors[1]).abs() < 1e-4);
    /// assert!(model.coefficient_intervals(0, 0, 100.0).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn coefficient_intervals(
        &self,
        series: usize,
        channel: usize,
        level: f64,
    ) -> Result<Option<Vec<(f64, f64)>>> {
        if !(level > 0.0 && level < 100.0) {
            return Err(Error::option(
                "level",
                level,
                "it must lie between 0 and 100 percent, both excluded",
            ));
        }
        let width = crate::ar::normal_half_width(level / 100.0);
        let weights = self.coefficients(series, channel).map(|(_, weights)| weights);
        let errors = self.standard_errors(series, channel);
        Ok(weights.zip(errors).map(|(weights, errors)| {
            weights.iter().zip(&errors).map(|(w, e)| (w - width * e, w + width * e)).collect()
        }))
    }

    /// Families that share their parameters have one slot for all series.
    fn family_slot(&self, series: usize) -> usize {
        if self.header().config.is_shared() { 0 } else { series }
    }

    fn slot(&self, series: &str) -> Result<Slot> {
        let ids = &self.header().series;
        match self.parts.by_id.get(series) {
            Some(&known) => Ok(Slot { scale: known, family: self.family_slot(known) }),
            // A model of one series forecasts whatever it is given, on the scale of that series.
            None if ids.len() == 1 => Ok(Slot { scale: 0, family: 0 }),
            None if self.header().config.is_shared() => Ok(Slot { scale: ids.len(), family: 0 }),
            None => {
                let mut known = ids.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
                if ids.len() > 5 {
                    known += &format!(" and {} more", ids.len() - 5);
                }
                Err(Error::UnknownSeries { series: series.to_string(), known })
            }
        }
    }
}
