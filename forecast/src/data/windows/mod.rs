//! Windows as views, in an order, in batches; ranges for training, validation and test.

pub(super) mod batch;
pub(super) mod batches;
mod calendar_grids;
mod covariate_inputs;
pub(super) mod exogenous;
pub(super) mod order;
pub(super) mod split;
pub(super) mod window;
pub(super) mod window_scaling;
pub(super) mod window_set;
