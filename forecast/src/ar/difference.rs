//! Differences: what changes from step to step, or from season to season, in place of what is.
//!
//! `d_t = y_t - y_(t-k)`. A model of the differences is a model of the series with `k` lags more (Box, Jenkins, *Time
//! Series Analysis*, section 4.1): a forecast of step `h` adds the difference that is forecast to the value `k` steps
//! before, which is a lag for `h <= k` and itself a forecast beyond.

use ndarray::{Array1, Array2};

/// The differences of a column over `k` steps; the first `k` have none.
pub(super) fn differences(column: &[f64], k: usize) -> Vec<f64> {
    column.iter().zip(column.iter().skip(k)).map(|(before, value)| value - before).collect()
}

/// Weights and intercepts of the series from those of its differences over `k` steps.
///
/// # Shapes
/// `weights`: `(step, lag)`, lag 1 first; the result has `k` lags more.
pub(super) fn undone(
    weights: &Array2<f64>,
    intercepts: &Array1<f64>,
    k: usize,
) -> (Array2<f64>, Array1<f64>) {
    let (n_steps, n_lags) = weights.dim();
    let mut plain = Array2::zeros((n_steps, n_lags + k));
    let mut constants = intercepts.clone();
    for step in 0..n_steps {
        for (lag, weight) in weights.row(step).iter().enumerate() {
            plain[[step, lag]] += weight;
            plain[[step, lag + k]] -= weight;
        }
        match step.checked_sub(k) {
            None => plain[[step, k - 1 - step]] += 1.0,
            Some(before) => {
                let of_before = plain.row(before).to_owned();
                plain.row_mut(step).scaled_add(1.0, &of_before);
                constants[step] += constants[before];
            }
        }
    }
    (plain, constants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_the_series_forecast_what_those_of_the_differences_do() {
        let values: Vec<f64> = (0..40).map(|t| f64::from(t * t % 17) + 0.5 * f64::from(t)).collect();
        let weights =
            Array2::from_shape_fn((7, 4), |(step, lag)| ((3 * step + 5 * lag) % 7) as f64 / 10.0 - 0.2);
        let intercepts = Array1::from_shape_fn(7, |step| step as f64 / 4.0);
        for k in [1, 3, 10] {
            let changes = differences(&values, k);
            let dot = |weights: ndarray::ArrayView1<'_, f64>, values: &[f64]| -> f64 {
                weights.iter().zip(values.iter().rev()).map(|(weight, value)| weight * value).sum()
            };
            let mut path = values.clone();
            for step in 0..7 {
                let change = intercepts[step] + dot(weights.row(step), &changes);
                path.push(path[path.len() - k] + change);
            }
            let (plain, constants) = undone(&weights, &intercepts, k);
            assert_eq!(plain.dim(), (7, 4 + k));
            for step in 0..7 {
                let forecast = constants[step] + dot(plain.row(step), &values);
                assert!((forecast - path[values.len() + step]).abs() < 1e-9, "{k} {step}");
            }
        }
    }
}
