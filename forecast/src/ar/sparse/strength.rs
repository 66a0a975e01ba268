//! How strong the regulariser is: `lambda` from the expected density of the weights, and its ramp during training.
//!
//! The density `s` is the fraction of lags that are expected to be non-zero: 1 means no penalty, and the smaller it
//! is, the larger `lambda = c (1 / s - 1)` (arXiv 1911.12436, equation 5).

use crate::{Error, Result};

/// `lambda` from the expected density, as two releases of the reference code have it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strength {
    /// `0.02 (1/s - 1)`: the code of the paper.
    Original,
    /// `0.01 noise ((1 + 1e-9) / (s + 1e-9) - 1)`: the later package. The noise is in the units of the series; 1 is
    /// its default, the mean of `|y_t - y_(t-1)|` its estimate.
    Revised {
        /// The standard deviation of the noise.
        noise: f64,
    },
}

impl Strength {
    /// `lambda` for an expected density in `(0, 1]`.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a density outside `(0, 1]`, or a noise that is negative or not finite.
    ///
    /// # Example
    /// ```
    /// use forecast::ar::sparse::Strength;
    ///
    /// assert_eq!(Strength::Original.lambda(1.0)?, 0.0);
    /// assert!((Strength::Original.lambda(0.01)? - 1.98).abs() < 1e-12);
    /// assert!(Strength::Original.lambda(0.0).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn lambda(self, density: f64) -> Result<f64> {
        if !(density > 0.0 && density <= 1.0) {
            let rule = "it must be above 0 and at most 1: the fraction of lags that are expected to matter";
            return Err(Error::option("density", density, rule));
        }
        match self {
            Strength::Original => Ok(0.02 * (1.0 / density - 1.0)),
            Strength::Revised { noise } if noise.is_finite() && noise >= 0.0 => {
                Ok(0.01 * noise * ((1.0 + 1e-9) / (density + 1e-9) - 1.0))
            }
            Strength::Revised { noise } => Err(Error::option("noise", noise, "it must be at least 0")),
        }
    }
}

/// How `lambda` grows while a network is trained by gradient descent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ramp {
    /// `e / delay` in epoch `e`, counted from 0, and 1 from epoch `delay` on: the code of the paper, with a delay of
    /// 10 of its 10 epochs.
    Linear {
        /// Epochs until the full strength.
        delay: usize,
    },
    /// `min(1, 2 progress)^2`, the progress being the share of all steps that are done: the later package.
    Quadratic,
}

impl Ramp {
    /// The share of the full `lambda`, in `[0, 1]`, after a share of `n_epochs` epochs given by `progress` in
    /// `[0, 1]`.
    ///
    /// # Example
    /// ```
    /// use forecast::ar::sparse::Ramp;
    ///
    /// assert_eq!(Ramp::Linear { delay: 10 }.share(0.35, 10), 0.3); // within the fourth epoch
    /// assert_eq!(Ramp::Quadratic.share(0.25, 10), 0.25);
    /// assert_eq!(Ramp::Quadratic.share(0.5, 10), 1.0);
    /// ```
    #[must_use]
    pub fn share(self, progress: f64, n_epochs: usize) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        match self {
            Ramp::Linear { delay: 0 } => 1.0,
            Ramp::Linear { delay } => ((progress * n_epochs as f64).floor() / delay as f64).min(1.0),
            Ramp::Quadratic => (2.0 * progress).min(1.0).powi(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn densities_and_noises_out_of_range_are_named() {
        for density in [0.0, -0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            let error = Strength::Original.lambda(density).unwrap_err().to_string();
            assert!(error.contains("density") && error.contains("above 0 and at most 1"), "{error}");
        }
        let error = Strength::Revised { noise: f64::NAN }.lambda(0.5).unwrap_err().to_string();
        assert!(error.contains("noise"), "{error}");
    }

    #[test]
    fn lambda_falls_as_the_density_grows() {
        for rule in [Strength::Original, Strength::Revised { noise: 2.0 }] {
            let lambdas = [1e-6, 0.003, 0.03, 0.5, 1.0].map(|density| rule.lambda(density).unwrap());
            assert!(lambdas.windows(2).all(|pair| pair[0] > pair[1]), "{lambdas:?}");
            assert!(lambdas[4].abs() < 1e-15);
        }
    }
}
