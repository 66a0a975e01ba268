//! The autocorrelation method: weights from the autocovariances alone (Yule & Walker), by Levinson's recursion.
//!
//! `r_k = sum_t y_t y_(t+k)`, what lies beyond the ends counted as zero; `sum_j r_|i-j| w_j = r_i` for `i = 1..p`
//! (Levinson, 1946; Durbin, 1960). O(n log p + p^2), and always stable; biased near the ends, so that it agrees
//! with least squares as the series grows.

use super::correlation::Correlation;
use crate::Result;

/// Weights of one order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct YuleWalker {
    /// Lag 1 first. Shape `(order)`.
    pub(super) weights: Vec<f64>,
    /// The sum of squares that each order leaves, from order 0. Shape `(order + 1)`.
    pub(super) squared_errors: Vec<f64>,
}

/// Sums of lagged products of stretches without a missing value, lags 0 to `order`; the stretches should have mean
/// zero.
pub(super) fn autocovariances(runs: &[&[f64]], order: usize) -> Result<Vec<f64>> {
    let mut correlation = Correlation::new(order + 1);
    for run in runs {
        correlation.add(run, run.len())?;
    }
    correlation.finish()
}

impl YuleWalker {
    /// The solution for autocovariances of lags 0 to the order; `None` if a step leaves nothing to explain.
    pub(super) fn solve(autocovariances: &[f64]) -> Option<Self> {
        let mut left = *autocovariances.first()?;
        let order = autocovariances.len() - 1;
        let mut weights: Vec<f64> = Vec::with_capacity(order);
        let mut squared_errors = vec![left];
        for m in 0..order {
            if left.is_nan() || left <= f64::EPSILON * autocovariances[0] {
                return None;
            }
            let explained: f64 = dot_reversed(&weights, &autocovariances[1..=m]);
            let k = (autocovariances[m + 1] - explained) / left;
            reflect(&mut weights, k);
            weights.push(k);
            left *= 1.0 - k * k;
            squared_errors.push(left);
        }
        Some(YuleWalker { weights, squared_errors })
    }
}

/// `sum_i a_i b_(n-1-i)`.
fn dot_reversed(a: &[f64], b: &[f64]) -> f64 {
    // Four sums, because one waits for itself at every step.
    let mut sums = [0.0; 4];
    let n = a.len() / 4 * 4;
    let rest = b.len() - n;
    for (a, b) in a[..n].chunks_exact(4).zip(b[rest..].rchunks_exact(4)) {
        for i in 0..4 {
            sums[i] += a[i] * b[3 - i];
        }
    }
    let last: f64 = a[n..].iter().zip(b[..rest].iter().rev()).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + last
}

/// `w_i - k w_(m-1-i)` for all `i`.
fn reflect(weights: &mut [f64], k: f64) {
    let (front, back) = weights.split_at_mut(weights.len() / 2);
    let is_odd = back.len() > front.len();
    for (a, b) in front.iter_mut().zip(back.iter_mut().rev()) {
        (*a, *b) = (*a - k * *b, *b - k * *a);
    }
    if let (true, Some(middle)) = (is_odd, back.first_mut()) {
        *middle -= k * *middle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::cholesky::Cholesky;
    use crate::ar::stability::is_stable;
    use forecast_datasets::ArProcess;
    use ndarray::Array2;

    #[test]
    fn weights_solve_the_equations_of_yule_and_walker() {
        let values = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }
            .generate(700, 2)
            .unwrap();
        for order in [1, 2, 5, 8, 41, 130] {
            let r = autocovariances(&[&values[..300], &values[320..]], order).unwrap();
            let solved = YuleWalker::solve(&r).unwrap();
            let gram = Array2::from_shape_fn((order, order), |(i, j)| r[i.abs_diff(j)]);
            let cross = Array2::from_shape_fn((order, 1), |(i, _)| r[i + 1]);
            let expected = Cholesky::new(&gram, 0.0).unwrap().unwrap().solve(&cross).unwrap();
            for (ours, expected) in solved.weights.iter().zip(&expected) {
                assert!((ours - expected).abs() < 1e-10, "{order}: {ours} {expected}");
            }
            let left = r[0] - expected.row(0).dot(&cross.column(0));
            assert!((solved.squared_errors[order] - left).abs() < 1e-9 * r[0]);
            assert!(is_stable(&solved.weights));
        }
    }

    #[test]
    fn the_weights_of_a_long_process_are_found_and_a_constant_has_none() {
        let process = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() };
        let values = process.generate(100_000, 4).unwrap();
        let solved = YuleWalker::solve(&autocovariances(&[&values], 3).unwrap()).unwrap();
        for (ours, expected) in solved.weights.iter().zip([0.2, 0.3, -0.5]) {
            assert!((ours - expected).abs() < 0.01, "{ours} {expected}");
        }
        assert_eq!(YuleWalker::solve(&[0.0, 0.0]), None);
        assert_eq!(YuleWalker::solve(&[1.0, f64::NAN, 0.0]), None);
    }
}
