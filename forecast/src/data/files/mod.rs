//! Tables in and out of files: which files, some rows at a time, cells of a kind.

pub(super) mod arrow;
pub(super) mod cells;
pub(super) mod chunks;
pub(super) mod csv;
pub(super) mod format;
pub(super) mod frame;
pub(super) mod json;
pub(super) mod parquet;
pub(super) mod source;
pub(super) mod text;
