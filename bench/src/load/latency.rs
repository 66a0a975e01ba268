//! Latencies in a histogram (HDR): three digits of every figure from a microsecond to a minute.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::{Error, Result};

/// The longest latency that is told apart.
const LONGEST_MICROS: u64 = 60_000_000;

/// Latencies.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
}

impl Latencies {
    pub(crate) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, 3);
        Ok(Latencies { histogram: histogram.map_err(|error| Error::Unexpected(error.to_string()))? })
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_MICROS);
        self.histogram.saturating_record(micros.clamp(1, LONGEST_MICROS));
    }

    pub(crate) fn add(&mut self, other: &Latencies) {
        // Both have the same bounds.
        let _ = self.histogram.add(&other.histogram);
    }

    /// How many were recorded.
    pub(crate) fn n(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency that a share of all does not exceed, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.histogram.value_at_quantile(share) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let (mut odd, mut even) = (Latencies::new().unwrap(), Latencies::new().unwrap());
        for ms in 1..=1_000u64 {
            let half = if ms % 2 == 0 { &mut even } else { &mut odd };
            half.record(Duration::from_millis(ms));
        }
        odd.add(&even);
        assert_eq!(odd.n(), 1_000);
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            assert!((odd.quantile_ms(share) / ms - 1.0).abs() < 2e-3, "{share}");
        }
        odd.record(Duration::from_secs(100_000));
        assert!(odd.quantile_ms(1.0) >= 60_000.0);
    }
}
