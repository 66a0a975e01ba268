//! AR-Net's regulariser: `R(w) = 1/p sum_i r(w_i)`, `r(w) = 2 / (1 + exp(-c1 |w|^(1/c2))) - 1`.
//!
//! It rises steeply at zero and levels off at 1, so that small weights are pulled to zero and large ones are left
//! alone (arXiv 1911.12436, section 3.2; constants from the reference code). In terms of `t = c1 |w|^(1/c2) / 2` it is
//! `r = tanh t`.

use crate::{Error, Result};

/// The constants of the regulariser.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `c1` | 3 | how steeply it rises | above 0 |
/// | `c2` | 3 | how sharp it is at zero | at least 1.5 |
///
/// The defaults are the paper's; later versions of its code use 2 and 2.
///
/// # Example
/// ```
/// use forecast::ar::sparse::Regulariser;
///
/// let paper = Regulariser::default();
/// assert_eq!(paper.value(&[0.0, 0.0]), 0.0);
/// assert!((paper.value(&[0.5]) - 0.83075).abs() < 1e-6); // tanh(1.5 * 0.5^(1/3))
/// assert_eq!(paper.gradient(&[0.0]), [0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regulariser {
    /// How steeply it rises.
    pub c1: f64,
    /// How sharp it is at zero.
    pub c2: f64,
}

impl Default for Regulariser {
    fn default() -> Self {
        Regulariser { c1: 3.0, c2: 3.0 }
    }
}

impl Regulariser {
    /// The mean over the weights, in `[0, 1]`; 0 without weights.
    #[must_use]
    pub fn value(&self, weights: &[f64]) -> f64 {
        let sum: f64 = weights.iter().map(|w| self.of(w.abs())).sum();
        sum / weights.len().max(1) as f64
    }

    /// The gradient of [`value`](Self::value); 0 where a weight is 0, although the slope there has no bound.
    #[must_use]
    pub fn gradient(&self, weights: &[f64]) -> Vec<f64> {
        let p = weights.len() as f64;
        let one = |w: &f64| if *w == 0.0 { 0.0 } else { self.slopes(w.abs()).0.copysign(*w) / p };
        weights.iter().map(one).collect()
    }

    /// `r(w)` of a weight that is not negative.
    pub(super) fn of(&self, w: f64) -> f64 {
        self.t(w).tanh()
    }

    /// `r'` and `r''` at a positive weight; with `t' = t / (c2 w)` they share one root and one `tanh`.
    pub(super) fn slopes(&self, w: f64) -> (f64, f64) {
        let (t, q) = (self.t(w), 1.0 / self.c2);
        let value = t.tanh();
        let slope = (1.0 - value) * (1.0 + value) * t * q / w;
        (slope, slope / w * (q - 1.0 - 2.0 * q * t * value))
    }

    fn t(&self, w: f64) -> f64 {
        let root = match self.c2 {
            3.0 => w.cbrt(),
            2.0 => w.sqrt(),
            c2 => w.powf(1.0 / c2),
        };
        0.5 * self.c1 * root
    }

    /// From 1.5 on, `r'` is convex (see `scalar.rs`), on which the solver relies.
    pub(super) fn check(&self) -> Result<()> {
        if !(self.c1 > 0.0 && self.c1.is_finite()) {
            return Err(Error::option("c1", self.c1, "it must be above 0"));
        }
        if !(self.c2 >= 1.5 && self.c2.is_finite()) {
            return Err(Error::option("c2", self.c2, "it must be at least 1.5"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_and_curvature_are_those_of_finite_differences() {
        for (c1, c2) in [(3.0, 3.0), (2.0, 2.0), (1.0, 1.5), (5.0, 2.5)] {
            let r = Regulariser { c1, c2 };
            for w in [1e-3, 0.04, 0.5, 1.0, 3.0] {
                let (h, ours) = (1e-5 * w, r.slopes(w));
                let slope = (r.of(w + h) - r.of(w - h)) / (2.0 * h);
                let curvature = (r.slopes(w + h).0 - r.slopes(w - h).0) / (2.0 * h);
                assert!((ours.0 / slope - 1.0).abs() < 1e-6, "{c1} {c2} {w}: {ours:?}");
                assert!((ours.1 / curvature - 1.0).abs() < 1e-6, "{c1} {c2} {w}: {ours:?}");
            }
        }
    }

    #[test]
    fn the_value_is_the_formula_of_the_paper() {
        let r = Regulariser::default();
        for w in [-2.0f64, -0.1, 0.0, 1e-9, 0.3, 40.0] {
            let formula = 2.0 / (1.0 + (-3.0 * w.abs().powf(1.0 / 3.0)).exp()) - 1.0;
            assert!((r.value(&[w]) - formula).abs() < 1e-15, "{w}");
        }
    }

    #[test]
    fn constants_out_of_range_are_named() {
        let message = |c1, c2| Regulariser { c1, c2 }.check().unwrap_err().to_string();
        assert!(message(0.0, 3.0).contains("c1"), "{}", message(0.0, 3.0));
        assert!(message(3.0, 1.0).contains("c2"));
        assert!(message(3.0, f64::NAN).contains("c2"));
    }
}
