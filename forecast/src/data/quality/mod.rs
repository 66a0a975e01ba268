//! What is wrong with the data, and which season stands out.

pub(super) mod covariates;
pub(super) mod gaps;
pub(super) mod report;
pub(super) mod season;
