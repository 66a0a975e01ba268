//! Whether an autoregressive process forgets its past, by the step-down recursion.
//!
//! From the coefficients of order `p` the recursion of Levinson and Durbin, run backward, computes
//! those of order `p - 1`: `phi'(i) = (phi(i) + phi(p) phi(p - i)) / (1 - phi(p)^2)`. The last
//! coefficient of each order is the partial autocorrelation at that lag. The process is stationary
//! if and only if all of them are inside (-1, 1), the criterion of Schur and Cohn.

use crate::DatasetError;

/// Checks that an autoregression with these coefficients, lag 1 first, is stationary.
///
/// # Errors
/// [`DatasetError::NotStationary`] with the highest lag whose partial autocorrelation is outside.
pub(super) fn check(coefficients: &[f64]) -> Result<(), DatasetError> {
    let mut phi = coefficients.to_vec();
    while let Some(last) = phi.pop() {
        if last.is_nan() || last.abs() >= 1.0 {
            return Err(DatasetError::NotStationary { lag: phi.len() + 1, value: last });
        }
        phi = phi
            .iter()
            .zip(phi.iter().rev())
            .map(|(forward, backward)| (forward + last * backward) / (1.0 - last * last))
            .collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stationary_triangle_of_order_two_is_found_exactly() {
        // An AR(2) is stationary inside |phi2| < 1, phi1 + phi2 < 1, phi2 - phi1 < 1. The grid in
        // 64ths is exact in binary, so that no rounding blurs the edges.
        for first in -160..=160 {
            for second in -80..=80 {
                let phi = [f64::from(first) / 64.0, f64::from(second) / 64.0];
                let is_inside = second > -64 && first + second < 64 && second - first < 64;
                assert_eq!(check(&phi).is_ok(), is_inside, "{phi:?}");
            }
        }
    }

    #[test]
    fn explosive_and_unit_root_processes_are_errors() {
        let message = check(&[0.0, 0.0, 1.5]).unwrap_err().to_string();
        assert!(message.contains("partial autocorrelation at lag 3 is 1.5"), "{message}");
        assert_eq!(check(&[1.0]), Err(DatasetError::NotStationary { lag: 1, value: 1.0 }));
        assert!(check(&[0.5, 0.5]).is_err());
        assert!(check(&[f64::MAX, -f64::MAX, 0.5]).is_err());
    }
}
