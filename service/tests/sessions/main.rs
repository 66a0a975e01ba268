//! Sessions without a network: whatever happens to streams, disks and processes, the state is that of an undisturbed run.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crashes;
mod damage;
mod random;
mod reference;
mod schedules;
mod stores;
mod world;
