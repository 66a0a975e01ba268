//! Logarithm and sine from exactly rounded operations only.
//!
//! IEEE 754 fixes the result of `+ - * /` to the bit, but not that of `ln` and `sin`: `f64::ln`
//! and `f64::sin` call the system's mathematical library, and libraries differ in the last bit.
//! An error of a few units in the last place does no harm to test data; the same bits on every
//! machine are worth more.

use std::f64::consts::{LN_2, SQRT_2, TAU};

/// Returns the natural logarithm of a positive, normal number.
///
/// With `x = m 2^e`, `m` in `[1/sqrt 2, sqrt 2]` and `s = (m - 1) / (m + 1)`:
/// `ln x = e ln 2 + 2 (s + s^3/3 + s^5/5 + ..)`, where `|s| < 0.172`, so that twelve terms leave
/// a relative remainder below 1e-19.
pub(super) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as f64 - 1023.0;
    let mut m = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if m > SQRT_2 {
        m *= 0.5;
        exponent += 1.0;
    }
    let s = (m - 1.0) / (m + 1.0);
    let mut sum = 0.0;
    for n in (0..12).rev() {
        sum = sum * s * s + 1.0 / f64::from(2 * n + 1);
    }
    exponent * LN_2 + 2.0 * s * sum
}

/// Returns `sin(2 pi turns)`; `turns` is finite.
///
/// The argument is reduced to a quarter turn either side of 0, which is exact, and the Taylor
/// series is summed to the 21st power, which leaves a remainder below 1e-17.
pub(super) fn sin_turns(turns: f64) -> f64 {
    // In (-1, 1), then in [-1/2, 1/2], then in [-1/4, 1/4] by sin(pi - x) = sin(x).
    let mut r = turns % 1.0;
    if r > 0.5 {
        r -= 1.0;
    } else if r < -0.5 {
        r += 1.0;
    }
    if r > 0.25 {
        r = 0.5 - r;
    } else if r < -0.25 {
        r = -0.5 - r;
    }
    let x = TAU * r;
    let mut sum = 1.0;
    for n in (1..=10).rev() {
        sum = 1.0 - sum * x * x / f64::from(2 * n * (2 * n + 1));
    }
    x * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_agrees_with_the_library() {
        let check = |x: f64| {
            let error = (ln(x) - x.ln()).abs();
            assert!(error <= 4.0 * f64::EPSILON * x.ln().abs(), "ln({x}) is off by {error}");
        };
        (1..=100_000).for_each(|n| check(f64::from(n) / 100_000.0));
        let edges = [f64::MIN_POSITIVE, 1e-30, SQRT_2, 0.5f64.sqrt(), 12345.678, f64::MAX];
        edges.into_iter().for_each(check);
    }

    #[test]
    fn sine_agrees_with_the_library() {
        for n in -40_000..=40_000 {
            let turns = f64::from(n) / 16_000.0;
            let error = (sin_turns(turns) - (TAU * turns).sin()).abs();
            // The library's argument is itself rounded, by up to 2 pi 2.5 eps.
            assert!(error < 2e-15, "sin_turns({turns}) is off by {error}");
        }
    }

    #[test]
    fn sine_repeats_exactly_with_each_turn() {
        for n in 0..64 {
            let turns = f64::from(n) / 64.0;
            assert_eq!(sin_turns(turns).to_bits(), sin_turns(turns + 1024.0).to_bits());
        }
        let quarters = [0.0, 0.25, 0.5, 0.75].map(sin_turns);
        assert_eq!(quarters.map(|value| value.round() as i32), [0, 1, 0, -1]);
    }
}
