//! Settings of jobs and data sets.

use std::time::Duration;

/// Settings of jobs and data sets; the configuration's `jobs` section has their ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// Jobs that run at a time; all share the pool of trainings.
    pub parallel: usize,
    /// Jobs that wait; one more is refused with `JOB_QUEUE_FULL`.
    pub most_queued: usize,
    /// Jobs that are kept, of each kind; the oldest that have ended go first.
    pub most_kept: usize,
    /// Least time from one event of progress to the next.
    pub progress_every: Duration,
    /// Data sets that were uploaded.
    pub most_datasets: usize,
    /// Bytes of one data set.
    pub dataset_bytes: u64,
    /// Bytes of all data sets.
    pub all_datasets_bytes: u64,
}

impl Default for JobsConfig {
    fn default() -> Self {
        JobsConfig {
            parallel: 1,
            most_queued: 100,
            most_kept: 1_000,
            progress_every: Duration::from_secs(1),
            most_datasets: 1_000,
            dataset_bytes: 1 << 30,
            all_datasets_bytes: 16 << 30,
        }
    }
}
