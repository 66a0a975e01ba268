//! Regression with autoregressive errors: what the calendar and the covariates explain, taken out of a series before it
//! is modelled and put back into its forecasts.
//!
//! `y_t = x_t . beta + u_t`, where `u` is what a family models (Harvey, *The Econometric Analysis of Time Series*,
//! section 6.3; statsmodels and R's `arima` have the same form). A weight of `beta` reads as what one unit of a column
//! adds to the series, whatever the lags do. `beta` is estimated on whitened rows (Cochrane and Orcutt 1949; Prais and
//! Winsten 1954), since errors that follow each other make plain least squares trust chance too much.
//!
//! Shapes: rows `(step, column)`, weights `(slot, channel, column)`.

mod apply;
mod columns;
mod cyclic;
mod solve;
mod table;
mod whiten;

pub(crate) use apply::Regression;
pub(crate) use columns::{Entry, Regressors, Trend};
