//! The one path that the library, the program and the service share:
//! fit, forecast, start, observe, forecast from a state, save, load.

mod adaptive;
mod beside;
mod calibrate;
mod cancel;
mod checkpoint;
mod coefficients;
mod config;
pub(crate) mod digest;
mod explain;
mod family;
mod fit;
mod fit_family;
mod fit_options;
mod fit_report;
mod forecast;
mod golden;
mod header;
mod inputs;
mod lag_windows;
mod lags;
mod learning;
mod memory;
mod own_intervals;
mod plan;
mod recent;
mod recurrent;
mod regressed;
mod remembered;
mod state;
mod table;
mod tensor;
mod traced;
mod validate;

use std::collections::HashMap;
use std::sync::Arc;

use crate::data::{InputColumns, Scaler, Series};
use crate::eval::conformal::Calibration;
use crate::regression::Regression;
use crate::{Error, Result};

pub use adaptive::{Adaptive, AdaptiveOptions};
pub(crate) use beside::Beside;
pub use cancel::Cancel;
pub use coefficients::{Coefficient, Coefficients};
pub use config::ModelConfig;
pub(crate) use config::{Shape, check_count};
pub use explain::{Contribution, Explanation, ValueOrigin};
pub(crate) use family::{Family, LagRule, LoadShape, Training, prime};
pub use fit_options::FitOptions;
pub(crate) use fit_options::Purpose;
pub use fit_report::{FitReport, Fitted};
pub use forecast::{Band, Forecast, ForecastOptions, Interval, QuantilePath, Warning};
pub use header::{FORMAT_VERSION, Header};
pub(crate) use lags::Lags;
pub use learning::Learner;
pub(crate) use memory::Memory;
pub(crate) use recurrent::{Recurrent, RecurrentShape};
pub use regressed::StepCovariates;
pub use state::State;
pub use table::table;
pub(crate) use table::table_of;
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
    /// The covariates that a network takes.
    inputs: Option<InputColumns>,
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
        (regression, inputs): (Option<Regression>, Option<InputColumns>),
        calibration: Calibration,
        history: Vec<Series>,
    ) -> Self {
        let by_id = header.series.iter().enumerate().map(|(at, id)| (id.clone(), at)).collect();
        Parts { header, family, scalers, regression, inputs, calibration, history, by_id }
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

    /// True if an observation updates a state once and for all, in a time that does not depend on the lookback; false
    /// if each forecast from a state reads its whole window again, as those of networks do.
    #[must_use]
    pub fn updates_online(&self) -> bool {
        self.parts.family.updates_online()
    }

    /// Which setting keeps a model from updating online, with its value and what to use instead; `None` for a model
    /// that does, and for families that never do.
    #[must_use]
    pub fn hinders_online_updates(&self) -> Option<String> {
        match &self.header().config {
            ModelConfig::Ssm(settings) if !self.updates_online() => settings.hinders_streaming(),
            _ => None,
        }
    }

    /// The end of each training series, as stored with the model.
    #[must_use]
    pub fn history(&self) -> &[Series] {
        &self.parts.history
    }

    /// True if several series cost less in one call of [`Model::forecast_many`] than one by one: a network.
    #[must_use]
    pub fn forecasts_in_batches(&self) -> bool {
        self.parts.family.forecasts_in_batches()
    }

    /// The same model with another header, as long as nobody else holds it.
    fn with_header(self, header: Header) -> Self {
        match Arc::try_unwrap(self.parts) {
            Ok(parts) => Model { parts: Arc::new(Parts { header, ..parts }) },
            Err(parts) => Model { parts },
        }
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
