//! `longcast client` against `longcast serve`: the service used without writing code.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod calls;
mod pipe;
mod refusals;
