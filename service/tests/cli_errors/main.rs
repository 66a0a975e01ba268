//! What the program says when it cannot do what was asked, and that it leaves nothing behind.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod batch;
mod bench;
mod calls;
mod data;
mod interrupts;
mod models;
mod outputs;
mod refusal;
