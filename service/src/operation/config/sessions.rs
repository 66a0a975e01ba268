//! The section of sessions, with the table of its keys.

use super::setting::{Kind, Setting};
use super::values::Values;
use crate::session::{Limits, LogOptions, MAX_ROWS, StoreOptions};

/// The keys of this file, in the order of the documentation.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "sessions.count",
        kind: Kind::Count { min: 0, max: 10_000_000 },
        default: "20000",
        meaning: "sessions",
    },
    Setting {
        key: "sessions.series",
        kind: Kind::Count { min: 1, max: 1_000_000 },
        default: "10000",
        meaning: "series of one session",
    },
    Setting {
        key: "sessions.state_bytes",
        kind: Kind::Bytes { min: 1 << 20, max: 1 << 44 },
        default: "2 GiB",
        meaning: "the states of all sessions together",
    },
    Setting {
        key: "sessions.watchers",
        kind: Kind::Count { min: 0, max: 10_000 },
        default: "16",
        meaning: "streams that watch one session",
    },
    Setting {
        key: "sessions.batch",
        kind: Kind::Count { min: 1, max: MAX_ROWS as u64 },
        default: "50000",
        meaning: "observations of one batch",
    },
    Setting {
        key: "sessions.unacked",
        kind: Kind::Count { min: 1, max: 1_000_000_000 },
        default: "1000000",
        meaning: "observations that a client should have on their way beyond what is durable, told to it",
    },
    Setting {
        key: "sessions.idle",
        kind: Kind::Time { min_ms: 1000, max_ms: 10 * 365 * 86_400_000 },
        default: "30d",
        meaning: "the longest idle time that a session may ask for before it expires",
    },
    Setting {
        key: "sessions.sync_interval",
        kind: Kind::Time { min_ms: 1, max_ms: 60_000 },
        default: "200ms",
        meaning: "the longest time until what ASYNC has acknowledged is on disk",
    },
    Setting {
        key: "sessions.segment_bytes",
        kind: Kind::Bytes { min: 1 << 16, max: 1 << 34 },
        default: "64 MiB",
        meaning: "one file of the log",
    },
    Setting {
        key: "sessions.snapshot_every",
        kind: Kind::Count { min: 1, max: 1_000_000_000_000 },
        default: "100000",
        meaning: "observations of a session after which its state is written to the log again, at the earliest",
    },
];

/// What these keys say.
pub(super) fn options(values: &Values) -> StoreOptions {
    StoreOptions {
        limits: Limits {
            max_sessions: values.count("sessions.count"),
            max_series: values.count("sessions.series"),
            max_state_bytes: values.number("sessions.state_bytes"),
            max_watchers: values.count("sessions.watchers"),
            max_batch: values.count("sessions.batch"),
            max_unacked: values.count("sessions.unacked"),
            max_idle_ttl: values.time("sessions.idle"),
        },
        log: LogOptions {
            segment_bytes: values.number("sessions.segment_bytes"),
            sync_interval: values.time("sessions.sync_interval"),
        },
        snapshot_every: values.number("sessions.snapshot_every"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_keys_are_those_of_the_library() {
        let got = options(&Values::of(SETTINGS.to_vec()));
        let wanted = StoreOptions::default();
        assert_eq!(got.limits, wanted.limits);
        assert_eq!(
            (got.log.segment_bytes, got.snapshot_every),
            (wanted.log.segment_bytes, wanted.snapshot_every)
        );
        assert_eq!(got.log.sync_interval, wanted.log.sync_interval);
    }
}
