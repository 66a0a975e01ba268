//! Sample statistics for the tests of the generators.

/// Returns the sample autocorrelation at `lag` of a process whose mean is `mean`.
///
/// The sum at `lag` has fewer terms than that at 0 and is divided by their number: the usual
/// division by all steps would make a lag of 1000 in 100,000 steps 1 % too small.
pub(super) fn autocorrelation(series: &[f64], mean: f64, lag: usize) -> f64 {
    let covariance = |lag: usize| {
        let products = series.iter().zip(&series[lag..]).map(|(a, b)| (a - mean) * (b - mean));
        products.sum::<f64>() / (series.len() - lag) as f64
    };
    covariance(lag) / covariance(0)
}

/// Returns the standard error of [`autocorrelation`] at `lag` by Bartlett's formula,
/// `1/n sum_m (rho(m + k) + rho(m - k) - 2 rho(m) rho(k))^2` over `m` from 1 until `rho` has died
/// out, where `rho` is the true autocorrelation at lags of 0 and more.
pub(super) fn standard_error(rho: &dyn Fn(usize) -> f64, lag: usize, n_lags: usize, n_steps: usize) -> f64 {
    let term = |m: usize| rho(m + lag) + rho(m.abs_diff(lag)) - 2.0 * rho(m) * rho(lag);
    let sum: f64 = (1..n_lags).map(|m| term(m) * term(m)).sum();
    (sum / n_steps as f64).sqrt()
}
