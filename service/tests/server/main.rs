//! The gRPC server through a real client, over loopback: answers, errors, and how it starts and stops.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod axes;
mod batch;
mod errors;
mod exchange;
mod fields;
mod forecasts;
mod operations;
mod session_client;
mod session_errors;
mod session_faults;
mod sessions;
mod together;
