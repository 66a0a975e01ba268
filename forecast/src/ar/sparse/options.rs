//! Settings of a path: what is added to the squared error, how strongly, and how exactly it is solved.

use super::problem::Problem;
use super::regulariser::Regulariser;
use super::scalar::{Scalar, strength_of_threshold};
use crate::{Error, Result};

/// What is added to the squared error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// `MSE + lambda R(w)`: AR-Net's objective.
    ArNet(Regulariser),
    /// `MSE / 2 + lambda l1_ratio |w|_1 + lambda (1 - l1_ratio) / 2 |w|_2^2`: the elastic net of Zou and Hastie 2005
    /// with the constants of scikit-learn, whose `alpha` is `lambda`.
    ElasticNet {
        /// In `[0, 1]`: 1 is the lasso, 0 is ridge.
        l1_ratio: f64,
    },
}

/// The strengths to solve for.
#[derive(Debug, Clone, PartialEq)]
pub enum Lambdas {
    /// From the smallest that leaves no lag to where lags enter whose weight is two standard errors, at most 100, so
    /// spaced that the smallest covariance of a lag with the residual that lets it enter falls by a tenth each time.
    Auto,
    /// These, at most 1,000, the largest first. The path begins as `Auto` does, so that the first solution is not a
    /// worse local minimum than one that came down to it.
    Given(Vec<f64>),
}

/// Whether the weights that are left are freed from the penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// Least squares on the lags that are not zero: the regulariser shrinks them by a few percent.
    Support,
    /// The minimiser of the objective as it is.
    None,
}

/// Settings of [`path`](super::path()).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `penalty` | AR-Net's with the paper's constants | what is added to the squared error | |
/// | `lambdas` | `Auto` | its strengths | finite and at least 0 |
/// | `refit` | `Support` | least squares on the lags that are left, or not | |
/// | `tolerance` | 1e-6 | a solution is found once no step moves the fitted values by more, in standard deviations of the target | above 0, below 1 |
/// | `most_lags` | 256 | `Auto` ends before a solution has more lags | at least 1 |
/// | `max_sweeps` | 1,000 | passes over the weights for each strength | 1 to 1,000,000 |
#[derive(Debug, Clone, PartialEq)]
pub struct PathOptions {
    /// What is added to the squared error.
    pub penalty: Penalty,
    /// Its strengths.
    pub lambdas: Lambdas,
    /// Least squares on the lags that are left, or not.
    pub refit: Refit,
    /// Where `Auto` ends.
    pub most_lags: usize,
    /// When a solution is found.
    pub tolerance: f64,
    /// Passes over the weights for each strength.
    pub max_sweeps: usize,
}

impl Default for PathOptions {
    fn default() -> Self {
        PathOptions {
            penalty: Penalty::ArNet(Regulariser::default()),
            lambdas: Lambdas::Auto,
            refit: Refit::Support,
            most_lags: 256,
            tolerance: 1e-6,
            max_sweeps: 1_000,
        }
    }
}

const MOST_GIVEN: usize = 1_000;
const MOST_SWEEPS: usize = 1_000_000;

impl Penalty {
    /// The penalty of one weight, for half of the mean squared error.
    pub(super) fn scalar(&self, problem: &Problem<'_>, lambda: f64) -> Scalar {
        match *self {
            Penalty::ArNet(regulariser) => {
                Scalar::Saturating { regulariser, k: lambda / (2.0 * problem.n_columns() as f64) }
            }
            Penalty::ElasticNet { l1_ratio } => {
                Scalar::Elastic { l1: lambda * l1_ratio, l2: lambda * (1.0 - l1_ratio) }
            }
        }
    }

    /// The `lambda` that keeps a column of this variance out up to a covariance of `threshold` with the residual.
    pub(super) fn lambda_of_threshold(&self, problem: &Problem<'_>, variance: f64, threshold: f64) -> f64 {
        match self {
            _ if threshold <= 0.0 => 0.0,
            Penalty::ArNet(regulariser) => {
                2.0 * problem.n_columns() as f64 * strength_of_threshold(regulariser, variance, threshold)
            }
            Penalty::ElasticNet { l1_ratio } => threshold / l1_ratio,
        }
    }
}

impl PathOptions {
    pub(super) fn check(&self) -> Result<()> {
        match self.penalty {
            Penalty::ArNet(regulariser) => regulariser.check()?,
            Penalty::ElasticNet { l1_ratio } => {
                if !(0.0..=1.0).contains(&l1_ratio) {
                    return Err(Error::option("l1_ratio", l1_ratio, "it must be from 0 to 1"));
                }
                if l1_ratio < 1e-3 && self.lambdas == Lambdas::Auto {
                    let rule = "ridge leaves no lag out; use at least 0.001, or give the lambdas";
                    return Err(Error::option("l1_ratio", l1_ratio, rule));
                }
            }
        }
        if let Lambdas::Given(lambdas) = &self.lambdas {
            if lambdas.is_empty() || lambdas.len() > MOST_GIVEN {
                let rule = format!("there must be 1 to {MOST_GIVEN} of them");
                return Err(Error::option("lambdas", lambdas.len(), rule));
            }
            if let Some(bad) = lambdas.iter().find(|lambda| !(lambda.is_finite() && **lambda >= 0.0)) {
                return Err(Error::option("lambda", bad, "it must be at least 0"));
            }
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::option("tolerance", self.tolerance, "it must be above 0 and below 1"));
        }
        if self.most_lags == 0 {
            return Err(Error::option("most_lags", 0, "it must be at least 1"));
        }
        if !(1..=MOST_SWEEPS).contains(&self.max_sweeps) {
            let rule = format!("it must be from 1 to {MOST_SWEEPS}");
            return Err(Error::option("max_sweeps", self.max_sweeps, rule));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let message = |options: PathOptions| options.check().unwrap_err().to_string();
        let base = PathOptions::default;
        let lambdas = |lambdas: &[f64]| PathOptions { lambdas: Lambdas::Given(lambdas.to_vec()), ..base() };
        let net = |l1_ratio| PathOptions { penalty: Penalty::ElasticNet { l1_ratio }, ..base() };
        assert!(message(lambdas(&[])).contains("lambdas"));
        assert!(message(lambdas(&[0.1; 1_001])).contains("1000"));
        assert!(message(lambdas(&[0.1, -0.5])).contains("-0.5"), "{}", message(lambdas(&[0.1, -0.5])));
        assert!(message(lambdas(&[f64::NAN])).contains("NaN"));
        assert!(message(lambdas(&[f64::INFINITY])).contains("inf"));
        assert!(message(net(1.5)).contains("l1_ratio") && message(net(f64::NAN)).contains("l1_ratio"));
        assert!(message(net(0.0)).contains("ridge"));
        assert!(message(PathOptions { tolerance: 0.0, ..base() }).contains("tolerance"));
        assert!(message(PathOptions { most_lags: 0, ..base() }).contains("most_lags"));
        assert!(message(PathOptions { max_sweeps: 0, ..base() }).contains("max_sweeps"));
        let penalty = Penalty::ArNet(Regulariser { c1: 3.0, c2: 1.0 });
        assert!(message(PathOptions { penalty, ..base() }).contains("c2"));
    }
}
