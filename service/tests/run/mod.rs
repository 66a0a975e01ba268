//! Runs the program `longcast` in folders of its own and reads what it leaves behind.

// Each test crate uses a part of this.
#![allow(dead_code, unused_imports)]

mod folder;
mod picture;
mod program;
mod samples;
mod served;
mod table;

pub(crate) use folder::Folder;
pub(crate) use picture::check_picture;
pub(crate) use program::{LIMIT, Run, command, finish, try_finish};
pub(crate) use samples::{hourly, stamps, wave};
pub(crate) use served::Served;
pub(crate) use table::Table;

/// The bits of every number, so that equal means equal.
pub(crate) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}
