//! How far coefficients are from those of the process that made the series, and what that costs a forecast.

/// `100 sum |w - v| / sum (|w| + |v|)` with the coefficients `v` of the process, 0 beyond its last lag: the paper's
/// symmetric total percentage error, from 0 to 100.
pub(super) fn stpe(weights: &[f64], truth: &[f64]) -> f64 {
    let pairs = paired(weights, truth).map(|(w, v)| ((w - v).abs(), w.abs() + v.abs()));
    let (error, scale) = pairs.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    100.0 * error / scale
}

/// Lags that have a weight, however small, which the process does not have.
pub(super) fn false_lags(weights: &[f64], truth: &[f64]) -> usize {
    paired(weights, truth).filter(|(w, v)| *v == 0.0 && *w != 0.0).count()
}

/// Lags of the process that have a weight.
pub(super) fn found_lags(weights: &[f64], truth: &[f64]) -> usize {
    paired(weights, truth).filter(|(w, v)| *v != 0.0 && *w != 0.0).count()
}

/// The mean squared error one step ahead, from `first` on, in the squared units of the series.
pub(super) fn forecast_mse(weights: &[f64], values: &[f64], first: usize) -> f64 {
    let error = |t: usize| {
        let past = values[..t].iter().rev();
        values[t] - weights.iter().zip(past).map(|(weight, value)| weight * value).sum::<f64>()
    };
    (first..values.len()).map(|t| error(t).powi(2)).sum::<f64>() / (values.len() - first) as f64
}

/// Weights beside those of the process, lag by lag, up to the last lag of either.
fn paired(weights: &[f64], truth: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(0.0);
    (0..weights.len().max(truth.len())).map(move |i| (at(weights, i), at(truth, i)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [f64; 3] = [0.2, 0.0, -0.5];

    #[test]
    fn the_measure_of_coefficients_is_its_formula() {
        assert!(stpe(&TRUTH, &TRUTH).abs() < 1e-12);
        // |0.1| and |0.2| of 0.8 and 0.7; then a lag of the process that is not there.
        assert!((stpe(&[0.3, 0.0, -0.5, 0.2], &TRUTH) - 100.0 * 0.3 / 1.7).abs() < 1e-9);
        assert!((stpe(&[0.2], &TRUTH) - 100.0 * 0.5 / 0.9).abs() < 1e-9);
        assert!((stpe(&[0.0, 0.0, 0.0], &TRUTH) - 100.0).abs() < 1e-12);
    }

    #[test]
    fn any_weight_at_a_lag_that_the_process_has_not_is_false() {
        let weights = [0.1, 1e-12, 0.0, 0.3];
        assert_eq!((false_lags(&weights, &TRUTH), found_lags(&weights, &TRUTH)), (2, 1));
        assert_eq!((false_lags(&TRUTH, &TRUTH), found_lags(&TRUTH, &TRUTH)), (0, 2));
    }

    #[test]
    fn forecasts_are_one_step_ahead() {
        // Errors 3 - 0.5 * 2 - 1 = 1 and 1 - 0.5 * 3 - 2 = -2.5.
        assert!((forecast_mse(&[0.5, 1.0], &[1.0, 2.0, 3.0, 1.0], 2) - (1.0 + 6.25) / 2.0).abs() < 1e-12);
    }
}
