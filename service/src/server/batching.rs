//! Micro-batches for networks: series that arrive together are forecast in one pass, and nobody waits longer than a
//! set time for others. Each series keeps its own answer: an answer belongs to its place in the pass.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forecast::{Band, Forecast, ForecastOptions, Series};
use tokio::sync::oneshot;
use tonic::Status;

use super::status::{from_error, internal};
use crate::operation::compute::Compute;
use crate::operation::{Counter, Metrics};
use crate::registry::Loaded;

type Outcome = Result<(Forecast, Duration), Status>;

/// Collects series for networks.
#[derive(Debug, Clone)]
pub(super) struct Batching {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    compute: Compute,
    most: usize,
    delay: Duration,
    waiting: Mutex<HashMap<Key, Vec<Waiting>>>,
    passes: Counter,
    series: Counter,
}

/// What series of one pass have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    revision: String,
    /// The model in memory: after a reload it is another one.
    address: usize,
    horizon: usize,
    levels: Vec<u64>,
    quantiles: Vec<u64>,
    is_whole_path: bool,
}

#[derive(Debug)]
struct Waiting {
    series: Series,
    path: String,
    send: oneshot::Sender<Outcome>,
}

impl Batching {
    pub(super) fn new(compute: Compute, most: usize, delay: Duration, metrics: &Metrics) -> Self {
        let passes = metrics.counter("longcast_passes_total", "Passes of networks over micro-batches.", &[]);
        let series = metrics.counter("longcast_pass_series_total", "Series in these passes.", &[]);
        Batching {
            inner: Arc::new(Inner { compute, most, delay, waiting: Mutex::default(), passes, series }),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.inner.most > 1
    }

    /// Forecasts a series together with others that want the same of the same model. Returns the time of the pass.
    ///
    /// # Errors
    /// Those of the model for this series alone; `UNAVAILABLE`, `INTERNAL`.
    pub(super) async fn forecast(
        &self,
        loaded: &Arc<Loaded>,
        series: Series,
        options: &ForecastOptions,
        path: &str,
    ) -> Outcome {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
        let key = Key {
            revision: loaded.revision().to_string(),
            address: Arc::as_ptr(loaded).addr(),
            horizon: options.horizon,
            levels: bits(&options.levels),
            quantiles: bits(&options.quantiles),
            is_whole_path: options.band == Band::WholePath,
        };
        let (send, receive) = oneshot::channel();
        let waiting = Waiting { series, path: path.to_string(), send };
        let (is_first, full) = self.join(&key, waiting);
        if let Some(full) = full {
            self.start(loaded, full, options);
        } else if is_first {
            let (this, loaded, options) = (self.clone(), Arc::clone(loaded), options.clone());
            tokio::spawn(async move {
                tokio::time::sleep(this.inner.delay).await;
                if let Some(batch) = this.take(&key) {
                    this.start(&loaded, batch, &options);
                }
            });
        }
        receive.await.unwrap_or_else(|_| Err(internal("a micro-batch was dropped")))
    }

    /// Whether the series is the first of its batch, and the batch if it is full now.
    fn join(&self, key: &Key, waiting: Waiting) -> (bool, Option<Vec<Waiting>>) {
        let mut all = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = all.entry(key.clone()).or_default();
        batch.push(waiting);
        if batch.len() >= self.inner.most {
            return (false, all.remove(key));
        }
        (batch.len() == 1, None)
    }

    fn take(&self, key: &Key) -> Option<Vec<Waiting>> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Computes a batch; whoever has gone meanwhile is left out.
    fn start(&self, loaded: &Arc<Loaded>, batch: Vec<Waiting>, options: &ForecastOptions) {
        let (inner, loaded, options) = (Arc::clone(&self.inner), Arc::clone(loaded), options.clone());
        tokio::spawn(async move {
            let batch: Vec<Waiting> = batch.into_iter().filter(|waiting| !waiting.send.is_closed()).collect();
            if batch.is_empty() {
                return;
            }
            inner.passes.add(1);
            inner.series.add(batch.len() as u64);
            let (histories, rest): (Vec<Series>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.series, (waiting.path, waiting.send))).unzip();
            let cost = Arc::clone(loaded.cost());
            let computed = inner.compute.run(&cost, move || {
                let start = Instant::now();
                let forecasts = loaded.model.forecast_many(&histories, &options);
                Ok((forecasts, start.elapsed()))
            });
            match computed.await {
                Ok((forecasts, took)) => {
                    for (forecast, (path, send)) in forecasts.into_iter().zip(rest) {
                        let forecast = forecast.map(|forecast| (forecast, took));
                        // Nobody to tell if the caller has gone meanwhile.
                        let _ = send.send(forecast.map_err(|error| from_error(&error, &path)));
                    }
                }
                Err(status) => rest.into_iter().for_each(|(_, send)| {
                    let _ = send.send(Err(status.clone()));
                }),
            }
        });
    }
}
