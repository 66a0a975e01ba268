//! Settings of jobs and data sets.

use serde::Deserialize;

/// Settings of jobs and data sets.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `parallel` | 1 | jobs that run at a time; all share the background pool | 1 to 16 |
/// | `most_queued` | 100 | jobs that wait; one more is refused with `JOB_QUEUE_FULL` | 1 to 10,000 |
/// | `most_kept` | 1,000 | jobs that are kept, of each kind; the oldest that have ended go first | 1 to 100,000 |
/// | `progress_seconds` | 1 | least time from one event of progress to the next | 0 to 3,600 |
/// | `most_datasets` | 1,000 | data sets that were uploaded | 1 to 100,000 |
/// | `dataset_bytes` | 1 GiB | bytes of one data set | 1 to 1 TiB |
/// | `all_datasets_bytes` | 16 GiB | bytes of all of them | 1 to 16 TiB |
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobsConfig {
    /// Jobs that run at a time.
    pub parallel: usize,
    /// Jobs that wait.
    pub most_queued: usize,
    /// Jobs that are kept, of each kind.
    pub most_kept: usize,
    /// Least seconds from one event of progress to the next.
    pub progress_seconds: f64,
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
            progress_seconds: 1.0,
            most_datasets: 1_000,
            dataset_bytes: 1 << 30,
            all_datasets_bytes: 16 << 30,
        }
    }
}

impl JobsConfig {
    /// Every rule that is broken, as the key and what is wrong with it.
    #[must_use]
    pub fn violations(&self) -> Vec<(&'static str, String)> {
        let mut broken = Vec::new();
        for (key, value, most) in [
            ("parallel", self.parallel as u64, 16),
            ("most_queued", self.most_queued as u64, 10_000),
            ("most_kept", self.most_kept as u64, 100_000),
            ("most_datasets", self.most_datasets as u64, 100_000),
            ("dataset_bytes", self.dataset_bytes, 1 << 40),
            ("all_datasets_bytes", self.all_datasets_bytes, 1 << 44),
        ] {
            if !(1..=most).contains(&value) {
                broken.push((key, format!("it is {value}, but it must be 1 to {most}")));
            }
        }
        if !(0.0..=3_600.0).contains(&self.progress_seconds) {
            let rule = format!("it is {}, but it must be 0 to 3600", self.progress_seconds);
            broken.push(("progress_seconds", rule));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_every_key_has_bounds() {
        assert_eq!(JobsConfig::default().violations(), []);
        let none = JobsConfig {
            parallel: 0,
            most_queued: 0,
            most_kept: 0,
            progress_seconds: -1.0,
            most_datasets: 0,
            dataset_bytes: 0,
            all_datasets_bytes: 0,
        };
        assert_eq!(none.violations().len(), 7);
        assert!(toml::from_str::<JobsConfig>("paralel = 2").unwrap_err().to_string().contains("paralel"));
    }
}
