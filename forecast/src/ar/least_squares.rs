//! Least squares with an intercept through `linfa-linear` (Householder QR).

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;

use super::design::Design;
use crate::{Error, Result};

/// Weights in the order of the design's columns, and the intercept.
///
/// # Errors
/// [`Error::Singular`] if the solver finds no unique solution.
pub(super) fn solve(design: Design) -> Result<(Vec<f64>, f64)> {
    let order = design.lags.ncols();
    let singular = |reason: String| Error::Singular { series: design.name.clone(), order, reason };
    let data = DatasetBase::new(design.lags, design.target);
    let fitted = LinearRegression::new().fit(&data).map_err(|error| singular(error.to_string()))?;
    let (weights, intercept) = (fitted.params().to_vec(), fitted.intercept());
    if !weights.iter().all(|w| w.is_finite()) || !intercept.is_finite() {
        return Err(singular("columns are linearly dependent".to_string()));
    }
    Ok((weights, intercept))
}
