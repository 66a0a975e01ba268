//! Shadow traffic: copies of forecasts that other revisions compute, compared and never sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forecast_proto::v1;

use super::forecasting::{Asked, answer};
use crate::operation::compute::Compute;
use crate::operation::{Counter, Metrics};
use crate::registry::Loaded;

/// Copies that wait or are computed; more are left out.
const MOST_WAITING: usize = 64;

/// Computes copies at the lowest priority.
#[derive(Debug, Clone)]
pub(super) struct Shadows {
    compute: Compute,
    n_waiting: Arc<AtomicUsize>,
    compared: Counter,
    dropped: Counter,
}

impl Shadows {
    pub(super) fn new(compute: Compute, metrics: &Metrics) -> Self {
        let counter = |outcome| {
            let help = "Copies of forecasts for shadow revisions.";
            metrics.counter("longcast_shadow_forecasts_total", help, &[("outcome", outcome)])
        };
        Shadows {
            compute,
            n_waiting: Arc::default(),
            compared: counter("compared"),
            dropped: counter("dropped"),
        }
    }

    /// Lets each shadow compute what was answered; returns at once.
    pub(super) fn compare(
        &self,
        shadows: Vec<Arc<Loaded>>,
        series: v1::Series,
        asked: &Asked,
        sent: &v1::Forecast,
    ) {
        for shadow in shadows {
            shadow.count_shadow(|figures| figures.n_due += 1);
            if self.n_waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
                self.n_waiting.fetch_sub(1, Ordering::Relaxed);
                shadow.count_shadow(|figures| figures.n_dropped += 1);
                self.dropped.add(1);
                continue;
            }
            let (series, asked, sent) = (series.clone(), asked.clone(), sent.mean.clone());
            let this = self.clone();
            self.compute.aside(move || {
                let most_ahead = asked.options.horizon;
                let computed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    answer(&shadow, series, "series", &asked, most_ahead)
                }));
                this.n_waiting.fetch_sub(1, Ordering::Relaxed);
                match computed {
                    Ok(Ok(forecast)) => {
                        this.compared.add(1);
                        let pairs = forecast.mean.iter().zip(&sent);
                        let difference: f64 = pairs.map(|(shadow, sent)| (shadow - sent).abs()).sum();
                        shadow.count_shadow(|figures| {
                            figures.n_compared += sent.len() as u64;
                            figures.absolute_difference += difference;
                        });
                        tracing::debug!(revision = shadow.revision(), difference, "shadow forecast");
                    }
                    Ok(Err(status)) => {
                        tracing::warn!(revision = shadow.revision(), %status, "a shadow made no forecast");
                    }
                    Err(_) => tracing::error!(revision = shadow.revision(), "a shadow panicked"),
                }
            });
        }
    }
}
