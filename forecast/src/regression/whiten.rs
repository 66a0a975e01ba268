//! Rows of a regression whose errors follow each other, filtered so that they do not.

/// Coefficients of the filter, at most.
const MOST_LAGS: usize = 48;
/// Steps for each of them, at least.
const STEPS_PER_LAG: usize = 20;

/// The autoregression of complete stretches of errors, lag 1 first, by the recursion of Levinson and Durbin on their
/// autocovariances; always stable. Empty where there is nothing to learn from.
pub(super) fn filter_of(runs: &[&[f64]]) -> Vec<f64> {
    let n: usize = runs.iter().map(|run| run.len()).sum();
    let order = MOST_LAGS.min(n / STEPS_PER_LAG);
    let mean = runs.iter().flat_map(|run| run.iter()).sum::<f64>() / (n as f64).max(1.0);
    let covariance = |lag: usize| -> f64 {
        let of_run = |run: &&[f64]| -> f64 {
            run.iter().zip(run.iter().skip(lag)).map(|(a, b)| (a - mean) * (b - mean)).sum()
        };
        runs.iter().map(of_run).sum()
    };
    let r: Vec<f64> = (0..=order).map(covariance).collect();
    let mut weights: Vec<f64> = Vec::with_capacity(order);
    let mut left = r[0];
    for lag in 1..=order {
        if !(left > 1e-12 * r[0] && left.is_finite()) {
            break;
        }
        let known: f64 = weights.iter().enumerate().map(|(i, w)| w * r[lag - 1 - i]).sum();
        let reflection = (r[lag] - known) / left;
        let reversed: Vec<f64> = weights.iter().rev().copied().collect();
        weights.iter_mut().zip(&reversed).for_each(|(w, v)| *w -= reflection * v);
        weights.push(reflection);
        left *= 1.0 - reflection * reflection;
    }
    weights
}

/// `v_t - sum_i w_i v_(t-i)` for each `t` from the length of the filter on.
pub(super) fn filtered(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let order = weights.len();
    let at = |t: usize| {
        let explained: f64 = weights.iter().zip(values[t - order..t].iter().rev()).map(|(w, v)| w * v).sum();
        values[t] - explained
    };
    (order..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast_datasets::ArProcess;

    #[test]
    fn an_autoregression_is_found_and_filtered_away() {
        let process = ArProcess { coefficients: vec![0.6, 0.0, -0.3], ..ArProcess::default() };
        let values = process.generate(20_000, 3).unwrap();
        let weights = filter_of(&[&values[..9_000], &values[9_000..]]);
        assert_eq!(weights.len(), MOST_LAGS);
        for (found, expected) in weights.iter().zip([0.6, 0.0, -0.3, 0.0]) {
            assert!((found - expected).abs() < 0.03, "{weights:?}");
        }
        let white = filtered(&values, &weights);
        let lag =
            |k: usize| white.iter().zip(&white[k..]).map(|(a, b)| a * b).sum::<f64>() / white.len() as f64;
        assert!((1..6).all(|k| lag(k).abs() < 0.02 * lag(0)));
    }

    #[test]
    fn what_teaches_nothing_has_no_filter() {
        assert!(filter_of(&[]).is_empty());
        assert!(filter_of(&[&[1.0; 500]]).is_empty());
        assert_eq!(filtered(&[1.0, 2.0], &[]), [1.0, 2.0]);
    }
}
