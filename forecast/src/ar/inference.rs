//! How well the weights are known.
//!
//! Under independent errors of variance `s^2` the weights have the covariance `s^2 G^-1`, with `G` the centred Gram
//! matrix (Greene, *Econometric Analysis*, sections 4.4 and 4.8). `s^2` is the squared error over rows less
//! coefficients.

/// Standard errors of weights from the diagonal of `G^-1`, in its order; `None` if no row is left over.
pub(super) fn standard_errors(
    squared_error: f64,
    n_rows: usize,
    inverse_diagonal: &[f64],
) -> Option<Vec<f64>> {
    let n_left = n_rows.checked_sub(inverse_diagonal.len() + 1).filter(|left| *left > 0)?;
    let variance = squared_error / n_left as f64;
    Some(inverse_diagonal.iter().map(|square| (variance * square).sqrt()).collect())
}

/// How many standard errors to each side hold the share `coverage` of a normal distribution; `coverage` lies between
/// 0 and 1, both excluded.
pub(crate) fn normal_half_width(coverage: f64) -> f64 {
    let (mut low, mut high) = (0.0, 9.0);
    // Halved until nothing is left to halve.
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if within(middle) < coverage { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The share of a normal distribution within `z` standard deviations: `2 phi(z) (z + z^3/3 + z^5/(3 5) + ...)`
/// (Marsaglia, *J. Statistical Software* 11, 2004).
fn within(z: f64) -> f64 {
    let (mut sum, mut term, mut odd) = (0.0, z, 1.0);
    while term > f64::EPSILON * sum {
        sum += term;
        odd += 2.0;
        term *= z * z / odd;
    }
    2.0 * sum * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_widths_are_those_of_the_tables() {
        for (coverage, width) in
            [(0.5, 0.674_489_750_2), (0.8, 1.281_551_565_5), (0.95, 1.959_963_984_5), (0.99, 2.575_829_303_5)]
        {
            assert!((normal_half_width(coverage) - width).abs() < 1e-9, "{coverage}");
        }
        assert!(normal_half_width(1e-9) < 1e-8 && normal_half_width(1.0 - 1e-15) > 7.0);
    }
}
