//! The penalised problem of one weight, solved exactly: `min_w a/2 w^2 - u w + P(w)`.
//!
//! For the regulariser, `P(w) = k r(|w|)`. With `t = c1 w^(1/c2) / 2` and for `w > 0`,
//! `r'' ~ -t^(1 - 2 c2) sech^2 t ((c2 - 1) + 2 t tanh t)`, whose size falls with `t` where
//! `(3 - 2 c2) / t - 2 tanh t < 0`: for every `c2 >= 1.5`, `r'` is convex. So the slope `a w - u + k r'(w)` of the
//! objective, which is infinite at zero, is convex too. It has two roots at most, of which the larger is a minimum;
//! Newton's method from its right, or from anywhere where the slope rises, comes down to it without overshooting. The
//! minimum is there or at zero.

use super::regulariser::Regulariser;

/// A penalty of one weight.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar {
    /// `k r(|w|)`.
    Saturating { regulariser: Regulariser, k: f64 },
    /// `l1 |w| + l2/2 w^2`.
    Elastic { l1: f64, l2: f64 },
}

/// A penalty among columns of known variances: where zero and where a weight is certain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thresholds {
    scalar: Scalar,
    /// At most this: zero, whatever the variance.
    zero: f64,
    /// Above this: not zero, whatever the variance.
    nonzero: f64,
}

/// Newton's steps: five or six from the right end, one or two from the solution of the last sweep.
const MOST_STEPS: usize = 60;
/// Golden section: 0.618^80 of the range is below the precision of the numbers.
const SECTIONS: usize = 80;

impl Thresholds {
    /// The minimiser for a variance `a` in the range, exactly zero or not. `near` is a first guess.
    pub(super) fn minimiser(&self, a: f64, u: f64, near: f64) -> f64 {
        if u.abs() <= self.zero {
            return 0.0;
        }
        match self.scalar {
            Scalar::Elastic { l1, l2 } => ((u.abs() - l1).max(0.0) / (a + l2)).copysign(u),
            Scalar::Saturating { k: 0.0, .. } => u / a,
            Scalar::Saturating { regulariser, k } => {
                let near = if near * u > 0.0 { near.abs() } else { 0.0 };
                let w = positive_minimum(&regulariser, k, a, u.abs(), near);
                let is_below_zero = || a / 2.0 * w * w - u.abs() * w + k * regulariser.of(w) < 0.0;
                if u.abs() > self.nonzero || is_below_zero() { w.copysign(u) } else { 0.0 }
            }
        }
    }
}

impl Thresholds {
    /// `P'` and `P''` at a positive weight.
    pub(super) fn slopes(&self, w: f64) -> (f64, f64) {
        match self.scalar {
            Scalar::Elastic { l1, l2 } => (l1 + l2 * w, l2),
            Scalar::Saturating { regulariser, k } => {
                let (slope, curvature) = regulariser.slopes(w);
                (k * slope, k * curvature)
            }
        }
    }

    /// `P` at a weight that is not negative.
    pub(super) fn value(&self, w: f64) -> f64 {
        match self.scalar {
            Scalar::Elastic { l1, l2 } => l1 * w + l2 / 2.0 * w * w,
            Scalar::Saturating { regulariser, k } => k * regulariser.of(w),
        }
    }
}

impl Scalar {
    /// The penalty among columns whose variances lie between two positive ones.
    pub(super) fn between(self, least: f64, largest: f64) -> Thresholds {
        // Away from where rounding decides.
        let (zero, nonzero) = (self.threshold(least) * (1.0 - 1e-9), self.threshold(largest) * (1.0 + 1e-9));
        Thresholds { scalar: self, zero, nonzero }
    }

    /// The largest `|u|` for which the minimiser is zero; it grows with `a`.
    fn threshold(&self, a: f64) -> f64 {
        match *self {
            Scalar::Elastic { l1, .. } => l1,
            Scalar::Saturating { k: 0.0, .. } => 0.0,
            // Below zero somewhere means u > a w/2 + k r(w) / w there. That is at most sqrt(2 a k), as r <= 1, so
            // it is least for a w below twice that.
            Scalar::Saturating { regulariser, k } => {
                let bound = |w: f64| a * w / 2.0 + k * regulariser.of(w) / w;
                least((2.0 * k / a).sqrt() * 2.0, bound)
            }
        }
    }
}

/// The strength `k` at which the threshold of curvature `a` is `u`, for a regulariser: the inverse of
/// `Scalar::threshold`.
pub(super) fn strength_of_threshold(regulariser: &Regulariser, a: f64, u: f64) -> f64 {
    let gain = |w: f64| -(u * w - a * w * w / 2.0) / regulariser.of(w);
    -least(u / a, gain)
}

/// The minimum over `(0, high]` of a function with one valley, by golden section on a logarithmic scale.
fn least(high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const SHARE: f64 = 0.618_033_988_749_894_8;
    let (mut low, mut high) = ((high * 1e-15).ln(), high.ln());
    let (mut left, mut right) = (high - SHARE * (high - low), low + SHARE * (high - low));
    let (mut at_left, mut at_right) = (f(left.exp()), f(right.exp()));
    for _ in 0..SECTIONS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - SHARE * (high - low);
            at_left = f(left.exp());
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + SHARE * (high - low);
            at_right = f(right.exp());
        }
    }
    at_left.min(at_right)
}

/// The minimum to the right of zero, or 0 if there is none.
fn positive_minimum(regulariser: &Regulariser, k: f64, a: f64, u: f64, near: f64) -> f64 {
    let unpenalised = u / a;
    // From a guess where the slope rises, one step leads to the right of the root; where it falls, the guess is too
    // far left.
    let mut is_guess = near > 0.0 && near < unpenalised;
    let mut w = if is_guess { near } else { unpenalised };
    for _ in 0..MOST_STEPS {
        let (of_penalty, curvature) = regulariser.slopes(w);
        let (slope, curvature) = (a * w - u + k * of_penalty, a + k * curvature);
        if curvature.is_nan() || curvature <= 0.0 {
            if !is_guess {
                return 0.0; // Left of the valley of a slope that is above zero everywhere, or at a weight of zero.
            }
            (w, is_guess) = (unpenalised, false);
            continue;
        }
        is_guess = false;
        let step = slope / curvature;
        w = (w - step).min(unpenalised);
        if w.is_nan() || w <= 0.0 {
            return 0.0;
        }
        if step.abs() <= 1e-7 * w {
            break; // The next one would be of the order of its square.
        }
    }
    w
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "zero is exact, and so are the numbers of the last test")]
mod tests {
    use super::*;

    const REGULARISERS: [Regulariser; 4] = [
        Regulariser { c1: 3.0, c2: 3.0 },
        Regulariser { c1: 2.0, c2: 2.0 },
        Regulariser { c1: 0.7, c2: 1.5 },
        Regulariser { c1: 8.0, c2: 6.0 },
    ];

    fn objective(regulariser: &Regulariser, k: f64, a: f64, u: f64, w: f64) -> f64 {
        a / 2.0 * w * w - u * w + k * regulariser.of(w.abs())
    }

    /// The best of zero and 20,000 weights up to the least-squares solution.
    fn on_a_grid(regulariser: &Regulariser, k: f64, a: f64, u: f64) -> f64 {
        let mut best = (0.0, 0.0);
        for i in 1..=20_000 {
            let w = u / a * f64::from(i) / 20_000.0;
            let value = objective(regulariser, k, a, u, w);
            best = if value < best.1 { (w, value) } else { best };
        }
        best.0
    }

    #[test]
    fn the_minimiser_is_the_best_of_a_grid_and_better() {
        let mut n_zero = 0;
        for regulariser in REGULARISERS {
            for (i, a) in [0.02, 1.0, 30.0].into_iter().enumerate() {
                for k in [1e-6, 1e-3, 0.05, 0.4, 5.0] {
                    for u in [1e-4, 0.02, 0.3, -0.7, 4.0] {
                        let near = [0.0, 0.1, u / a][(i + usize::from(k > 0.1)) % 3];
                        let found = Scalar::Saturating { regulariser, k }
                            .between(a / 2.0, 2.0 * a)
                            .minimiser(a, u, near);
                        let naive = on_a_grid(&regulariser, k, a, u);
                        let case = format!("{regulariser:?} a {a} k {k} u {u}: {found}, grid {naive}");
                        assert!((found - naive).abs() <= u.abs() / a / 1e4, "{case}");
                        let value = |w| objective(&regulariser, k, a, u, w);
                        assert!(value(found) <= value(naive) + 1e-15 * u * u / a, "{case}");
                        n_zero += usize::from(found == 0.0);
                    }
                }
            }
        }
        assert!((60..240).contains(&n_zero), "{n_zero} of 300 are zero");
    }

    #[test]
    fn any_guess_leads_to_the_same_minimiser() {
        for regulariser in REGULARISERS {
            for (k, u) in [(1e-3, 0.3), (0.05, 0.5), (0.05, 0.2), (0.4, 1.2)] {
                let scalar = Scalar::Saturating { regulariser, k }.between(1.0, 1.0);
                let fresh = scalar.minimiser(1.0, u, 0.0);
                for near in [1e-12, 1e-4, 0.03, 0.1, 0.2, 0.5, 0.9, 5.0, -1.0] {
                    let found = scalar.minimiser(1.0, u, near);
                    assert!((found - fresh).abs() < 1e-14, "{regulariser:?} {k} {u} {near}: {found} {fresh}");
                }
            }
        }
    }

    #[test]
    fn zero_ends_at_the_threshold_and_the_strength_is_its_inverse() {
        for regulariser in REGULARISERS {
            for (a, u) in [(1.0, 0.5), (1.0, 0.004), (40.0, 3.0), (0.1, 0.1)] {
                let k = strength_of_threshold(&regulariser, a, u);
                let scalar = Scalar::Saturating { regulariser, k };
                assert!((scalar.threshold(a) / u - 1.0).abs() < 1e-9, "{regulariser:?} {a} {u}");
                assert!(scalar.threshold(1.5 * a) > u);
                let scalar = scalar.between(a, a);
                assert_eq!(scalar.minimiser(a, u * (1.0 - 1e-7), 0.0), 0.0);
                assert!(scalar.minimiser(a, u * (1.0 + 1e-7), 0.0) > 0.0);
            }
        }
    }

    #[test]
    fn the_elastic_net_shrinks_and_cuts() {
        let scalar = Scalar::Elastic { l1: 0.5, l2: 1.0 }.between(1.0, 3.0);
        assert_eq!(
            [-2.0, -0.5, 0.2, 0.5, 3.5].map(|u| scalar.minimiser(2.0, u, 0.0)),
            [-0.5, 0.0, 0.0, 0.0, 1.0]
        );
    }
}
