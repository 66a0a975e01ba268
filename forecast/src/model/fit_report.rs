//! A fitted model, and how it did on what it had not seen.

use super::{Model, Warning};
use crate::nn::TrainingReport;

/// A fitted model and how it did.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The model.
    pub model: Model,
    /// How it did on the validation range.
    pub report: FitReport,
}

/// How a model did on the validation range, before it was fitted on everything.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// Windows that were scored, over all series.
    pub n_windows: usize,
    /// Mean absolute scaled error of the model; NaN where the scale is zero.
    pub mase: f64,
    /// The same for seasonal naive on the same windows.
    pub seasonal_naive_mase: f64,
    /// Mean absolute error of the model, in the units of the series.
    pub mae: f64,
    /// The same for seasonal naive.
    pub seasonal_naive_mae: f64,
    /// What the reader should know of the final coefficients, at most ten of a kind: `UNSTABLE_FIT`, `APPROXIMATED`,
    /// `COVARIATES_UNUSED`.
    pub warnings: Vec<Warning>,
    /// How a network was trained.
    pub training: Option<TrainingReport>,
}

impl FitReport {
    /// Of a model that was not scored.
    pub(super) fn none() -> Self {
        FitReport {
            n_windows: 0,
            mase: f64::NAN,
            seasonal_naive_mase: f64::NAN,
            mae: f64::NAN,
            seasonal_naive_mae: f64::NAN,
            warnings: Vec::new(),
            training: None,
        }
    }
}
