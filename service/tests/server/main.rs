//! The gRPC server through a real client, over loopback: answers, errors, and how it starts and stops.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod access;
mod axes;
mod batch;
mod batching;
mod covariates;
mod deadlines;
mod errors;
mod exchange;
mod fields;
mod forecasts;
mod fuzz;
mod monitor;
mod operations;
mod overload;
mod raw;
mod registry;
mod session_client;
mod session_errors;
mod session_faults;
mod sessions;
mod stopping;
mod streams;
mod tls;
mod together;
