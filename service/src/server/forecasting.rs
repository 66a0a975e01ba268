//! One forecast, wherever it was asked for: by a call, a batch, a stream or a session.

use std::sync::Arc;
use std::time::Instant;

use forecast::{Forecast, ForecastOptions, Model};
use forecast_proto::v1;
use tonic::Status;

use super::batching::Batching;
use super::convert::{history, options, to_message};
use super::shadow::Shadows;
use super::status::from_error;
use crate::operation::compute::{Compute, SHORT};
use crate::operation::{Limits, Metrics};
use crate::registry::{Loaded, Registry, Routed};

/// Makes forecasts: short ones where their call is, others on threads of their own.
#[derive(Debug, Clone)]
pub(crate) struct Forecaster {
    pub(crate) registry: Registry,
    pub(crate) limits: Arc<Limits>,
    compute: Compute,
    batching: Batching,
    shadows: Shadows,
}

/// Where a short forecast is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Short {
    /// Where its call is: by a call that asks for no other.
    Here,
    /// On the threads for forecasts, like any other.
    Elsewhere,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) options: ForecastOptions,
    /// Interval coverages as they were sent.
    pub(crate) coverages: Vec<f64>,
}

impl Asked {
    /// What a request asks for, checked without a model.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with every field of `spec` that breaks a rule.
    pub(crate) fn of(spec: Option<v1::ForecastSpec>, limits: &Limits) -> Result<Self, Status> {
        let options = options(spec.as_ref(), limits)?;
        Ok(Asked { options, coverages: spec.unwrap_or_default().interval_coverages })
    }

    /// Whether a model can do it.
    ///
    /// # Errors
    /// Those of [`ForecastOptions::check`].
    pub(crate) fn check(&self, loaded: &Loaded) -> Result<(), Status> {
        self.options.check(&loaded.model).map_err(|error| from_error(&error, "series"))
    }
}

impl Forecaster {
    pub(crate) fn new(registry: Registry, limits: Arc<Limits>, compute: Compute, metrics: &Metrics) -> Self {
        let batching = Batching::new(compute.clone(), limits.pass_series, limits.pass_delay, metrics);
        let shadows = Shadows::new(compute.clone(), metrics);
        Forecaster { registry, limits, compute, batching, shadows }
    }

    /// Forecasts one series with whoever answers for it.
    ///
    /// # Errors
    /// Those of the conversion and of the model, with fields below `path`; `UNAVAILABLE`, `INTERNAL`.
    pub(crate) async fn forecast(
        &self,
        routed: Routed,
        series: v1::Series,
        path: String,
        asked: Asked,
        short: Short,
    ) -> Result<v1::Forecast, Status> {
        let came = (short == Short::Here).then(Instant::now);
        let Routed { loaded, shadows } = routed;
        let copy = (!shadows.is_empty()).then(|| series.clone());
        let answer = if loaded.model.forecasts_in_batches() && self.batching.is_on() {
            self.in_a_batch(&loaded, series, path, &asked).await
        } else {
            self.alone(&loaded, series, path, asked.clone(), came).await
        }?;
        if let Some(copy) = copy {
            self.shadows.compare(shadows, copy, &asked, &answer);
        }
        Ok(answer)
    }

    /// The straight path: converted, forecast and converted back in one piece of work, where the call is if that is
    /// shorter than a way to other threads and back.
    async fn alone(
        &self,
        loaded: &Arc<Loaded>,
        series: v1::Series,
        path: String,
        asked: Asked,
        came: Option<Instant>,
    ) -> Result<v1::Forecast, Status> {
        let most_ahead = self.limits.horizon;
        let came = came.filter(|_| is_short(&loaded.model, &series, &asked.options));
        // One kind of work has one cost, wherever it is done: a thread that was held up once makes short work look long,
        // until it is seen to be short elsewhere.
        let cost = if came.is_some() { loaded.short_cost() } else { loaded.cost() };
        if let Some(came) = came.filter(|_| cost.is_short()) {
            return self.compute.here(cost, came, || answer(loaded, series, &path, &asked, most_ahead));
        }
        let cost = Arc::clone(cost);
        let loaded = Arc::clone(loaded);
        self.compute.run(&cost, move || answer(&loaded, series, &path, &asked, most_ahead)).await
    }

    /// Networks forecast several series in one pass.
    async fn in_a_batch(
        &self,
        loaded: &Arc<Loaded>,
        series: v1::Series,
        path: String,
        asked: &Asked,
    ) -> Result<v1::Forecast, Status> {
        let history = history(series, &path, &loaded.model, self.limits.horizon)?;
        let (forecast, took) = self.batching.forecast(loaded, history, &asked.options, &path).await?;
        Ok(to_message(&forecast, &asked.coverages, loaded.revision(), took))
    }
}

/// Whether a forecast is known to be short: of complete steps side by side, since each one that is missing takes a
/// forecast of its own.
fn is_short(model: &Model, series: &v1::Series, options: &ForecastOptions) -> bool {
    let axis = series.axis.as_ref().and_then(|axis| axis.axis.as_ref());
    let n_steps = series.values.len() / model.header().channels.len().max(1);
    matches!(axis, Some(v1::time_axis::Axis::Regular(_)))
        && model.n_products(n_steps, options).is_some_and(|n| n <= SHORT)
        && series.values.iter().all(|value| value.is_finite())
}

/// A forecast of one series, as it is computed alone.
pub(super) fn answer(
    loaded: &Loaded,
    series: v1::Series,
    path: &str,
    asked: &Asked,
    most_ahead: usize,
) -> Result<v1::Forecast, Status> {
    let start = Instant::now();
    let series = history(series, path, &loaded.model, most_ahead)?;
    let forecast: Forecast =
        loaded.model.forecast_series(&series, &asked.options).map_err(|error| from_error(&error, path))?;
    Ok(to_message(&forecast, &asked.coverages, loaded.revision(), start.elapsed()))
}
