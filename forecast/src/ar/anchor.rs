//! Where a window is taken from: its last value or its mean is subtracted from inputs and targets, and added back.
//!
//! A series that wanders is forecast from where it is: `y - a = b + w . (x - a)` with an anchor `a = u . x` of each
//! window. Added back, this is a plain linear forecast whose weights `w + (1 - sum w) u` add up to 1.

use std::str::FromStr;

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

/// What is subtracted from a window and added to its forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// Nothing: forecasts return to the mean of the training range.
    None,
    /// The last value.
    Last,
    /// The mean of the look-back.
    Mean,
}

impl Anchor {
    /// `u` of the anchor `u . x` for a window of `order` lags, lag 1 first; `None` without an anchor.
    pub(super) fn weights(self, order: usize) -> Option<Array1<f64>> {
        match self {
            Anchor::None => None,
            Anchor::Last => Some(Array1::from_shape_fn(order, |lag| if lag == 0 { 1.0 } else { 0.0 })),
            Anchor::Mean => Some(Array1::from_elem(order, 1.0 / order as f64)),
        }
    }
}

/// From weights of anchored windows to those of plain ones. Shape `(target, order)`.
pub(super) fn add_back(weights: &mut Array2<f64>, anchor: &Array1<f64>) {
    for mut row in weights.axis_iter_mut(Axis(0)) {
        let rest = 1.0 - row.sum();
        row.scaled_add(rest, anchor);
    }
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Anchor::None),
            "last" => Ok(Anchor::Last),
            "mean" => Ok(Anchor::Mean),
            _ => Err(format!("\"{text}\" is no anchor; they are none, last, mean")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::gram::lagged_moments;
    use crate::ar::lag_matrix::{LagMatrix, assert_close};

    #[test]
    fn anchored_moments_are_those_of_windows_anchored_one_by_one() {
        let values: Vec<f64> = (0..80).map(|i| f64::from(i * i % 37) + f64::from(i)).collect();
        let plain = lagged_moments(&[&values], 6, 3).unwrap();
        for anchor in [Anchor::Last, Anchor::Mean] {
            let mut windows = LagMatrix::new(&values, 6, 3);
            for (mut lags, mut targets) in windows.lags.rows_mut().into_iter().zip(windows.targets.rows_mut())
            {
                let a = if anchor == Anchor::Last { lags[0] } else { lags.sum() / 6.0 };
                lags -= a;
                targets -= a;
            }
            assert_close(&plain.anchored(&anchor.weights(6).unwrap()), &windows.moments(), 1e-7);
        }
    }

    #[test]
    fn weights_that_are_added_back_forecast_the_same() {
        let window = Array1::from(vec![5.0, 2.0, 9.0, 4.0]);
        let weights = Array2::from_shape_vec((1, 4), vec![0.5, -0.25, 0.0, 1.0]).unwrap();
        for anchor in [Anchor::Last, Anchor::Mean] {
            let u = anchor.weights(4).unwrap();
            let a = u.dot(&window);
            let anchored = a + weights.row(0).dot(&(&window - a));
            let mut plain = weights.clone();
            add_back(&mut plain, &u);
            assert!((plain.row(0).dot(&window) - anchored).abs() < 1e-12);
            assert!((plain.sum() - 1.0).abs() < 1e-12);
        }
        assert!(Anchor::None.weights(4).is_none());
    }
}
