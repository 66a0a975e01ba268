//! Settings of recursive least squares.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::RecursiveLeastSquares;
use crate::{Error, Result};

/// Settings of [`RecursiveLeastSquares`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `forgetting` | 1 | weight of an observation for each step that it is old; `1 / (1 - forgetting)` steps are remembered | `k / (k + 1)` to 1 for `k` inputs, above 0: as many steps as coefficients |
/// | `prior` | 1e-3 | how firmly coefficients are held where they start: as by observations whose squares sum to this, in the units of the series squared | 1e-12 to 1e12 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlsOptions {
    /// Weight of an observation for each step that it is old.
    pub forgetting: f64,
    /// How firmly coefficients are held where they start.
    pub prior: f64,
}

impl Default for RlsOptions {
    fn default() -> Self {
        RlsOptions { forgetting: 1.0, prior: 1e-3 }
    }
}

impl RlsOptions {
    pub(super) fn check(&self, n_coefficients: usize) -> Result<()> {
        // Then what a coefficient loses of its prior between two turns is three quarters at most.
        let least = 1.0 - 1.0 / n_coefficients as f64;
        if !(self.forgetting > 0.0 && (least..=1.0).contains(&self.forgetting)) {
            let rule = format!(
                "it must be above 0 and from {least} to 1, to remember as many steps as coefficients"
            );
            return Err(Error::option("forgetting", self.forgetting, rule));
        }
        if !(1e-12..=1e12).contains(&self.prior) {
            return Err(Error::option("prior", self.prior, "it must be from 1e-12 to 1e12"));
        }
        Ok(())
    }
}
