//! What the process takes of its machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::metrics::Gauge;

const EVERY: Duration = Duration::from_millis(500);

/// Bytes of memory that the process holds, looked at twice a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    resident: Arc<AtomicU64>,
}

impl Memory {
    /// Bytes, 0 where the system does not tell.
    pub(crate) fn resident(&self) -> u64 {
        self.resident.load(Ordering::Relaxed)
    }

    /// Looks again and again, as long as the runtime lives.
    pub(crate) async fn watch(self, gauge: Gauge) {
        let mut every = tokio::time::interval(EVERY);
        loop {
            every.tick().await;
            let bytes = resident_bytes();
            self.resident.store(bytes, Ordering::Relaxed);
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

/// The resident set of this process in bytes, 0 where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
