//! `jobs`: trainings, back-tests, and the data sets that they read.

use super::setting::{Kind, Setting};
use super::values::Values;
use crate::jobs::JobsConfig;

/// The keys of this file, in the order of the documentation.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "jobs.parallel",
        kind: Kind::Count { min: 1, max: 16 },
        default: "1",
        meaning: "trainings and back-tests that run at a time; all share the threads of the lowest priority",
    },
    Setting {
        key: "jobs.queued",
        kind: Kind::Count { min: 1, max: 10_000 },
        default: "100",
        meaning: "jobs that wait",
    },
    Setting {
        key: "jobs.kept",
        kind: Kind::Count { min: 1, max: 100_000 },
        default: "1000",
        meaning: "jobs that are kept, of each kind; the oldest that have ended go first",
    },
    Setting {
        key: "jobs.progress",
        kind: Kind::Time { min_ms: 0, max_ms: 3_600_000 },
        default: "1s",
        meaning: "least time from one event of progress to the next",
    },
    Setting {
        key: "jobs.datasets",
        kind: Kind::Count { min: 1, max: 100_000 },
        default: "1000",
        meaning: "data sets that were uploaded",
    },
    Setting {
        key: "jobs.dataset_bytes",
        kind: Kind::Bytes { min: 1, max: 1 << 40 },
        default: "1 GiB",
        meaning: "one data set",
    },
    Setting {
        key: "jobs.all_dataset_bytes",
        kind: Kind::Bytes { min: 1, max: 1 << 44 },
        default: "16 GiB",
        meaning: "all data sets",
    },
];

/// The settings of jobs.
pub(super) fn of(values: &Values) -> JobsConfig {
    JobsConfig {
        parallel: values.count("jobs.parallel"),
        most_queued: values.count("jobs.queued"),
        most_kept: values.count("jobs.kept"),
        progress_every: values.time("jobs.progress"),
        most_datasets: values.count("jobs.datasets"),
        dataset_bytes: values.number("jobs.dataset_bytes"),
        all_datasets_bytes: values.number("jobs.all_dataset_bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_type() {
        assert_eq!(of(&Values::of(SETTINGS.to_vec())), JobsConfig::default());
    }
}
