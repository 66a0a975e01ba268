//! Whether a recursion with these weights dies out: the step-down test of Schur and Cohn.
//!
//! `y_t = sum_i w_i y_(t-i)` is stable if all roots of `z^p - w_1 z^(p-1) - ... - w_p` lie inside of the unit
//! circle, which holds if and only if all reflection coefficients of the Levinson recursion run backwards are
//! below 1 in size (Kay & Marple, *Proc. IEEE* 69, 1981). O(p^2), no eigenvalue is needed.
//! Weights `w_i g^i` have the roots `g z`, so that the largest root is found by bisection.

/// The recursion is projected to a largest root of this size.
const LARGEST_ROOT: f64 = 0.999;
/// Roots are told apart to this.
const RESOLUTION: f64 = 1e-6;

/// True if a recursion with these weights, lag 1 first, dies out.
pub(super) fn is_stable(weights: &[f64]) -> bool {
    let mut w = weights.to_vec();
    let mut previous = Vec::with_capacity(w.len());
    while let Some(k) = w.pop() {
        let left = 1.0 - k * k;
        if left.is_nan() || left <= 0.0 {
            return false;
        }
        previous.clear();
        previous
            .extend(w.iter().zip(w.iter().rev()).map(|(forward, backward)| (forward + k * backward) / left));
        std::mem::swap(&mut w, &mut previous);
    }
    true
}

/// The size of the largest root where it is 1 or more; `None` if the recursion is stable.
pub(super) fn unstable_root(weights: &[f64]) -> Option<f64> {
    if is_stable(weights) {
        return None;
    }
    // No root is larger than this (Cauchy).
    let largest = 1.0 + weights.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
    let (mut low, mut high) = (1.0, largest);
    while high - low > RESOLUTION * high {
        let middle = f64::midpoint(low, high);
        if is_stable(&shrunk(weights, 1.0 / middle)) { high = middle } else { low = middle }
    }
    Some(high)
}

/// Weights whose roots are `factor` times those of `weights`, lag 1 first.
pub(super) fn shrunk(weights: &[f64], factor: f64) -> Vec<f64> {
    let mut power = 1.0;
    let shrink = |w: &f64| {
        power *= factor;
        w * power
    };
    weights.iter().map(shrink).collect()
}

/// The weights with their roots drawn inside of the unit circle, if they are not there.
pub(super) fn stabilised(weights: &[f64]) -> Option<Vec<f64>> {
    unstable_root(weights).map(|root| shrunk(weights, LARGEST_ROOT / root))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of a recursion with these real roots and pairs `r e^(+-i angle)`.
    fn with_roots(real: &[f64], pairs: &[(f64, f64)]) -> Vec<f64> {
        let mut polynomial = vec![1.0];
        let factors = real.iter().map(|r| vec![1.0, -r]);
        let pairs = pairs.iter().map(|(r, angle)| vec![1.0, -2.0 * r * angle.cos(), r * r]);
        for factor in factors.chain(pairs) {
            let mut product = vec![0.0; polynomial.len() + factor.len() - 1];
            for (i, a) in polynomial.iter().enumerate() {
                for (j, b) in factor.iter().enumerate() {
                    product[i + j] += a * b;
                }
            }
            polynomial = product;
        }
        polynomial[1..].iter().map(|c| -c).collect()
    }

    #[test]
    fn the_largest_root_decides() {
        for (real, pairs, largest) in [
            (vec![0.5], vec![], 0.5),
            (vec![-0.999], vec![(0.99, 1.0)], 0.999),
            (vec![1.001, 0.2], vec![], 1.001),
            (vec![0.3, -0.4], vec![(1.05, 0.7), (0.9, 2.0)], 1.05),
            (vec![], vec![(2.5, 0.1)], 2.5),
        ] {
            let weights = with_roots(&real, &pairs);
            assert_eq!(is_stable(&weights), largest < 1.0, "{largest}");
            match unstable_root(&weights) {
                Some(root) => {
                    assert!((root - largest).abs() < 1e-4, "{root} {largest}");
                    let stable = stabilised(&weights).unwrap();
                    assert!(is_stable(&stable) && stable.len() == weights.len());
                }
                None => assert!(largest < 1.0),
            }
        }
    }

    #[test]
    fn a_unit_root_and_nonsense_are_not_stable() {
        assert!(!is_stable(&[1.0]) && !is_stable(&[0.0, 0.0, 1.0]) && !is_stable(&[f64::NAN]));
        assert!(is_stable(&[]) && is_stable(&[0.0, 0.0]));
    }

    #[test]
    fn shrinking_moves_the_roots() {
        let weights = with_roots(&[0.8, -0.6], &[]);
        let halved = with_roots(&[0.4, -0.3], &[]);
        let ours = shrunk(&weights, 0.5);
        assert!(ours.iter().zip(&halved).all(|(a, b)| (a - b).abs() < 1e-12), "{ours:?} {halved:?}");
    }
}
