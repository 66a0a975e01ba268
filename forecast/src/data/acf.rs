//! Autocorrelation with missing values.

/// The sample autocorrelation of `values` (NaN where missing) at `lag`, over the pairs that were both observed.
///
/// 0 if there is no such pair or no variance.
pub(crate) fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let observed = values.iter().filter(|v| !v.is_nan());
    let (sum, n) = observed.clone().fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    let mean = sum / n;
    let variance = observed.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let pairs = values.iter().zip(values.iter().skip(lag)).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (products, n_pairs) =
        pairs.fold((0.0, 0.0), |(sum, n), (a, b)| (sum + (a - mean) * (b - mean), n + 1.0));
    let correlation = products / n_pairs / variance;
    if correlation.is_finite() { correlation } else { 0.0 }
}

/// First differences; NaN where one of the two values is missing.
pub(crate) fn differences(values: &[f64]) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_correlates_with_itself_also_through_gaps() {
        let mut values: Vec<f64> = (0..400).map(|i| f64::from(i % 7)).collect();
        values[13] = f64::NAN;
        values[200..220].fill(f64::NAN);
        assert!((autocorrelation(&values, 7) - 1.0).abs() < 0.01);
        assert!(autocorrelation(&values, 3) < 0.0);
    }

    #[test]
    fn constant_and_empty_series_have_none() {
        assert_eq!(autocorrelation(&[2.0; 9], 1).to_bits(), 0f64.to_bits());
        assert_eq!(autocorrelation(&[f64::NAN; 9], 1).to_bits(), 0f64.to_bits());
    }
}
