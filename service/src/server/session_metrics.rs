//! Sessions as metrics: what they take, and how their forecasts do, over all of them together.

use std::collections::BTreeMap;

use crate::operation::{Counter, Gauge, Metrics};
use crate::session::Store;

/// Bounds of the rolling MASE that series are counted by.
const MASE_BOUNDS: [(f64, &str); 6] =
    [(0.5, "0.5"), (0.8, "0.8"), (1.0, "1"), (1.5, "1.5"), (2.0, "2"), (f64::INFINITY, "+Inf")];

/// The metrics of sessions.
#[derive(Debug, Clone)]
pub(super) struct SessionMetrics {
    /// Observations that were given, repetitions included.
    pub(super) observations: Counter,
    /// Forecasts that were sent to writers.
    pub(super) updates: Counter,
    sessions: Gauge,
    attached: Gauge,
    state_bytes: Gauge,
    on_fallback: Gauge,
    by_mase: Vec<Gauge>,
    all: Metrics,
}

impl SessionMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let gauge = |name, help| metrics.gauge(name, help, &[]);
        let mase = "Series of sessions whose rolling MASE is at most so much.";
        SessionMetrics {
            observations: metrics.counter(
                "longcast_session_observations_total",
                "Observations that came on streams and in calls, repetitions included.",
                &[],
            ),
            updates: metrics.counter(
                "longcast_session_forecasts_total",
                "Forecasts that were put on streams of writers.",
                &[],
            ),
            sessions: gauge("longcast_sessions", "Sessions."),
            attached: gauge("longcast_sessions_attached", "Sessions that a stream writes to."),
            state_bytes: gauge("longcast_session_state_bytes", "The states of all sessions."),
            on_fallback: gauge(
                "longcast_session_series_on_fallback",
                "Series of sessions that seasonal naive forecasts in place of the model.",
            ),
            by_mase: MASE_BOUNDS
                .iter()
                .map(|(_, le)| metrics.gauge("longcast_session_series_by_mase", mase, &[("le", le)]))
                .collect(),
            all: metrics.clone(),
        }
    }

    /// Looks at every session. Waits for their locks.
    pub(super) fn refresh(&self, store: &Store) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (n_sessions, state_bytes) = store.size();
        let mut by_mase = [0; MASE_BOUNDS.len()];
        let (mut n_attached, mut n_on_fallback) = (0, 0);
        // Judged and held, by nominal coverage.
        let mut coverages: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for cell in store.list("", "", usize::MAX) {
            n_attached += i64::from(cell.is_attached());
            // One that is deleted meanwhile counts no more.
            let _ = cell.look(|engine| {
                for series in engine.series() {
                    let figures = series.figures();
                    n_on_fallback += i64::from(series.fallback().since.is_some());
                    if let Some(mase) = figures.mase() {
                        for (n, (bound, _)) in by_mase.iter_mut().zip(MASE_BOUNDS) {
                            *n += i64::from(mase <= bound);
                        }
                    }
                    for (coverage, nominal) in figures.coverages().iter().zip(&engine.settings().coverages) {
                        if let Some(measured) = coverage.measured() {
                            let judged = coverage.n_judged as f64;
                            let sums = coverages.entry(nominal.to_string()).or_default();
                            *sums = (sums.0 + judged, sums.1 + measured * judged);
                        }
                    }
                }
            });
        }
        self.sessions.set(whole(n_sessions));
        self.attached.set(n_attached);
        self.state_bytes.set(i64::try_from(state_bytes).unwrap_or(i64::MAX));
        self.on_fallback.set(n_on_fallback);
        self.by_mase.iter().zip(by_mase).for_each(|(gauge, n)| gauge.set(n));
        for (nominal, (judged, held)) in coverages {
            let labels = [("coverage", nominal.as_str())];
            let help = "Outcomes that intervals of sessions were judged by.";
            self.all.gauge("longcast_session_intervals_judged", help, &labels).set(judged as i64);
            let help = "Of these, by the live coverage, outcomes inside.";
            self.all.gauge("longcast_session_intervals_held", help, &labels).set(held as i64);
        }
    }
}
