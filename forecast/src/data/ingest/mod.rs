//! From frames to a panel: which column is what, compact rows, sorted by series and stamp.

pub(super) mod collect;
pub(super) mod columns;
mod ids;
pub(super) mod read;
pub(super) mod rows;
pub(super) mod stream;
