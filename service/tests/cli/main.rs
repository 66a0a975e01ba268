//! The program `longcast` as a user runs it: what every command prints and leaves behind.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod backtests;
mod batch;
mod bench;
mod charts;
mod clean;
mod coef;
mod commands;
mod demo;
mod explain;
mod forms;
mod informer;
mod networks;
mod openings;
mod panels;
mod readme;
mod resume;
mod scores;
mod ssm;
mod streams;
