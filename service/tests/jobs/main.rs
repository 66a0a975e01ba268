//! Trainings and back-tests as jobs: from the request to the revision, cancelled, killed, resumed.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod backtests;
mod cancel;
mod datasets;
mod exchange;
mod refusals;
mod restarts;
mod trainings;
