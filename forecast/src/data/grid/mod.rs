//! Rows onto a regular grid: told from the stamps, one row a step or aggregated.

pub(super) mod aggregate;
pub(super) mod infer;
pub(super) mod regular;
pub(super) mod resample;
