//! The forecast of one value at one step: a number, or a distribution with its quantiles.

use std::f64::consts::PI;

/// What a network says of one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Marginal {
    /// A number.
    Point(f64),
    /// Levels, rising, and the quantiles there, which never fall.
    Quantiles {
        /// Between 0 and 1.
        levels: Vec<f64>,
        /// In the units of the series.
        values: Vec<f64>,
    },
    /// A normal distribution.
    Gaussian {
        /// Its mean.
        location: f64,
        /// Its standard deviation.
        scale: f64,
    },
    /// Student's distribution, moved and stretched.
    StudentT {
        /// Its median.
        location: f64,
        /// What the distribution is stretched by.
        scale: f64,
        /// Degrees of freedom.
        freedom: f64,
    },
}

impl Marginal {
    /// The forecast as one number: the location, or the median.
    pub(crate) fn point(&self) -> f64 {
        match self {
            Marginal::Point(value) => *value,
            Marginal::Gaussian { location, .. } | Marginal::StudentT { location, .. } => *location,
            Marginal::Quantiles { levels, values } => median(levels, values),
        }
    }

    /// The quantile of a level between 0 and 1; `None` where the network says nothing of it: of a number, and beyond
    /// the outermost levels. Between two levels quantiles lie on a straight line.
    pub(crate) fn quantile(&self, level: f64) -> Option<f64> {
        if !(level > 0.0 && level < 1.0) {
            return None;
        }
        match self {
            Marginal::Point(_) => None,
            Marginal::Quantiles { levels, values } => between(levels, values, level),
            Marginal::Gaussian { location, scale } => Some(location + scale * normal_quantile(level)),
            Marginal::StudentT { location, scale, freedom } => {
                Some(location + scale * student_quantile(level, *freedom))
            }
        }
    }
}

/// The median of quantiles that never fall; without one among the levels what lies between its neighbours, or the
/// nearest.
pub(super) fn median(levels: &[f64], values: &[f64]) -> f64 {
    let inside = levels.first().zip(levels.last()).map(|(lo, hi)| 0.5f64.clamp(*lo, *hi));
    inside.and_then(|level| between(levels, values, level)).unwrap_or(f64::NAN)
}

fn between(levels: &[f64], values: &[f64], level: f64) -> Option<f64> {
    let after = levels.partition_point(|known| *known < level);
    let (high, above) = levels.get(after).zip(values.get(after))?;
    if *high <= level {
        return Some(*above);
    }
    let (low, below) = after.checked_sub(1).and_then(|before| levels.get(before).zip(values.get(before)))?;
    Some(below + (above - below) * (level - low) / (high - low))
}

/// Where the standard normal distribution reaches `level`.
pub(crate) fn normal_quantile(level: f64) -> f64 {
    quantile(level, normal_tail, |x| (-0.5 * x * x).exp() / (2.0 * PI).sqrt())
}

/// Where Student's distribution with `freedom` degrees of freedom, at least 1, reaches `level`.
pub(crate) fn student_quantile(level: f64, freedom: f64) -> f64 {
    if freedom > 1e7 {
        return normal_quantile(level);
    }
    let step = log_gamma_half_step(0.5 * freedom);
    let density =
        |t: f64| (step - 0.5 * (freedom * PI).ln() - 0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp();
    quantile(level, |t| student_tail(t, freedom, step), density)
}

/// The quantile of a distribution that is symmetric around 0 and falls on both sides, by `tail(x)`, the probability
/// of less than `x` for negative `x`. That is convex, so Newton's steps come down to the root from 0 without a miss.
fn quantile(level: f64, tail: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> f64 {
    const MOST_STEPS: usize = 300;
    let below = level.min(1.0 - level);
    let mut x = 0.0;
    for _ in 0..MOST_STEPS {
        let step = (tail(x) - below) / density(x);
        // Rounding ends the descent, and so does a density of 0.
        if step.is_nan() || step <= 1e-15 * (1.0 - x) {
            break;
        }
        x -= step;
    }
    if level < 0.5 { x } else { -x }
}

/// The probability that a standard normal variable is below `x`, at most 0.
fn normal_tail(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
    if x < -4.0 {
        // Laplace's continued fraction.
        return density / (1..=80).rev().fold(-x, |below, k| -x + f64::from(k) / below);
    }
    // 1/2 + phi(x) (x + x^3 / 3 + x^5 / 15 + ...)
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while term.abs() > 1e-18 {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + density * sum
}

/// The probability that Student's variable is below `t`, at most 0: half of the incomplete beta function
/// `I(freedom / 2, 1 / 2)` at `freedom / (freedom + t^2)`.
fn student_tail(t: f64, freedom: f64, step: f64) -> f64 {
    let (a, b) = (0.5 * freedom, 0.5);
    let (x, rest) = (freedom / (freedom + t * t), t * t / (freedom + t * t));
    // x^a (1 - x)^b / B(a, b)
    let front = (step - 0.5 * PI.ln() - a * (t * t / freedom).ln_1p()).exp() * rest.sqrt();
    if x < (a + 1.0) / (a + b + 2.0) {
        0.5 * front * beta_fraction(x, a, b) / a
    } else {
        0.5 - 0.5 * front * beta_fraction(rest, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), from the top down (Lentz
/// 1976).
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const MOST_TERMS: usize = 1_000;
    let (mut c, mut d, mut value) = (1.0, 0.0, 1.0);
    for k in 1..=MOST_TERMS {
        let m = (k / 2) as f64;
        let numerator = if k % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / (1.0 + numerator * d);
        c = 1.0 + numerator / c;
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    // The fraction is 1 / (1 + d1 / (1 + d2 / ...)).
    1.0 / value
}

/// `ln G(x + 1/2) - ln G(x)`, as in [`loss`](super::loss), from `x + 12` on.
fn log_gamma_half_step(x: f64) -> f64 {
    let down: f64 = (0..12).map(|k| (0.5 / (x + f64::from(k))).ln_1p()).sum();
    let x = x + 12.0;
    let (inverse, square) = (1.0 / x, 1.0 / (x * x));
    let series =
        (((-31.0 / 18_432.0) * square + 17.0 / 14_336.0) * square - 1.0 / 640.0) * square + 1.0 / 192.0;
    0.5 * x.ln() + (series * square - 1.0 / 8.0) * inverse - down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, due: f64, within: f64, case: &str) {
        assert!((found - due).abs() < within * due.abs().max(1.0), "{case}: {found} for {due}");
    }

    #[test]
    fn normal_quantiles_are_those_of_pythons_statistics() {
        let due = [
            (0.001, -3.090_232_306_167_813),
            (0.025, -1.959_963_984_540_053_8),
            (0.1, -1.281_551_565_544_600_8),
            (0.3, -0.524_400_512_708_040_7),
            (0.5, 0.0),
            (0.9, 1.281_551_565_544_600_8),
            (0.999_999, 4.753_424_308_817_089),
        ];
        for (level, due) in due {
            close(normal_quantile(level), due, 1e-10, &format!("{level}"));
        }
    }

    #[test]
    fn student_quantiles_are_those_of_tables_and_of_closed_forms() {
        let table = [
            (0.975, 3.0, 3.182_446_305),
            (0.95, 5.0, 2.015_048_373),
            (0.975, 10.0, 2.228_138_852),
            (0.995, 30.0, 2.749_995_654),
        ];
        for (level, freedom, due) in table {
            close(student_quantile(level, freedom), due, 2e-9, &format!("{level} {freedom}"));
            close(student_quantile(1.0 - level, freedom), -due, 2e-9, &format!("{level} {freedom}"));
        }
        for level in [1e-6, 0.01, 0.2, 0.5, 0.7, 0.999] {
            let cauchy = (PI * (level - 0.5)).tan();
            close(student_quantile(level, 1.0), cauchy, 1e-9, &format!("{level}"));
            let two = (2.0 * level - 1.0) / (2.0 * level * (1.0 - level)).sqrt();
            close(student_quantile(level, 2.0), two, 1e-9, &format!("{level}"));
            // Towards the normal distribution: z + (z^3 + z) / 4v.
            let z = normal_quantile(level);
            close(student_quantile(level, 1e6), z + (z * z * z + z) / 4e6, 1e-9, &format!("{level}"));
            close(student_quantile(level, 1e9), z, 1e-7, &format!("{level}"));
        }
    }

    #[test]
    fn quantiles_between_levels_lie_on_a_line_and_beyond_them_nowhere() {
        let quantiles = Marginal::Quantiles { levels: vec![0.1, 0.4, 0.9], values: vec![1.0, 4.0, 14.0] };
        let of = |level| quantiles.quantile(level);
        for (level, due) in [(0.1, 1.0), (0.2, 2.0), (0.4, 4.0), (0.65, 9.0), (0.9, 14.0)] {
            close(of(level).unwrap(), due, 1e-12, &format!("{level}"));
        }
        assert!([0.05, 0.95, 0.0, 1.0, f64::NAN].into_iter().all(|level| of(level).is_none()));
        close(quantiles.point(), 6.0, 1e-12, "the median");
        let high = Marginal::Quantiles { levels: vec![0.8, 0.9], values: vec![3.0, 5.0] };
        close(high.point(), 3.0, 1e-12, "the nearest");
        assert_eq!(Marginal::Point(3.0).quantile(0.5), None);
        let student = Marginal::StudentT { location: 10.0, scale: 2.0, freedom: 10.0 };
        close(student.quantile(0.975).unwrap(), 10.0 + 2.0 * 2.228_138_852, 1e-9, "student");
        close(student.point(), 10.0, 1e-12, "student");
    }
}
