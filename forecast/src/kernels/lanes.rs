//! Functions of many numbers at once, with the widest registers that the processor has.
//!
//! `exp` follows Cody and Waite: `exp(x) = 2^n exp(r)`, `r = x - n ln 2`. The normal distribution function comes from
//! the rational approximation 7.1.26 of Abramowitz and Stegun (1964), error at most 8e-8.

use pulp::{Arch, Simd, WithSimd};

/// Runs an operation compiled for the processor at hand.
pub(super) fn dispatch<T>(operation: impl WithSimd<Output = T>) -> T {
    Arch::new().dispatch(operation)
}

/// Runs a plain loop compiled for the processor at hand; the loop has to be inlined.
pub(super) fn inlined<T>(operation: impl FnOnce() -> T) -> T {
    Arch::new().dispatch(operation)
}

/// Lanes of a vector of 32-bit numbers, at most 16.
pub(super) fn width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    dispatch(Width)
}

/// `exp` of every lane; 1e-38 below -87.3, where it would be less than the smallest normal number.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let x = simd.min_f32s(splat(88.0), simd.max_f32s(splat(-87.3), x));
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
    let magic = splat(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    let r = simd.mul_add_e_f32s(n, splat(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, splat(2.121_944_4e-4), r);
    // Minimax polynomial of (exp(r) - 1 - r) / r^2 on half a ln 2 around 0 (Cephes, expf).
    let mut p = splat(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = simd.mul_add_e_f32s(p, r, splat(c));
    }
    let p = simd.mul_add_e_f32s(p, simd.mul_f32s(r, r), simd.add_f32s(r, splat(1.0)));
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    simd.mul_f32s(p, simd.transmute_f32s_u32s(power))
}

/// `1 / (1 + exp(-x))` of every lane.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// The normal distribution function and its density.
#[inline(always)]
pub(super) fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let splat = |value| simd.splat_f32s(value);
    let t = simd.mul_f32s(simd.abs_f32s(x), splat(std::f32::consts::FRAC_1_SQRT_2));
    let u = simd.div_f32s(splat(1.0), simd.mul_add_e_f32s(t, splat(0.327_591_1), splat(1.0)));
    // Half of erfc(t), by halved coefficients.
    let mut p = splat(0.530_702_7);
    for c in [-0.726_576, 0.710_706_9, -0.142_248_37, 0.127_414_8] {
        p = simd.mul_add_e_f32s(p, u, splat(c));
    }
    let bell = exp(simd, simd.neg_f32s(simd.mul_f32s(t, t)));
    let tail = simd.mul_f32s(simd.mul_f32s(p, u), bell);
    let is_left = simd.less_than_f32s(x, splat(0.0));
    let below = simd.select_f32s(is_left, tail, simd.sub_f32s(splat(1.0), tail));
    (below, simd.mul_f32s(bell, splat(0.398_942_3)))
}

/// `exp(x) - 1` of every lane, for x at most 0; without cancellation near 0.
#[inline(always)]
pub(super) fn exp_less_one<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    // Taylor's series does between -0.35 and 0: the next term is below 2e-8 of x.
    let mut p = splat(1.984_127e-4);
    for c in [1.388_888_9e-3, 8.333_333e-3, 4.166_666_7e-2, 1.666_666_7e-1, 0.5, 1.0] {
        p = simd.mul_add_e_f32s(p, x, splat(c));
    }
    let is_near = simd.greater_than_f32s(x, splat(-0.35));
    simd.select_f32s(is_near, simd.mul_f32s(p, x), simd.sub_f32s(exp(simd, x), splat(1.0)))
}

/// `out = x y`, element by element.
pub(super) fn multiply(out: &mut [f32], x: &[f32], y: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out = x * y;
            }
        },
    );
}

/// `out += x y`, element by element.
pub(super) fn multiply_add(out: &mut [f32], x: &[f32], y: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out += x * y;
            }
        },
    );
}

/// `out += x`, element by element, for callers that are compiled for the processor already.
#[inline(always)]
pub(super) fn add_inlined(out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += *x;
    }
}

/// `out += x` with `x` over and over again, from its element `first` on.
pub(super) fn add_around(out: &mut [f32], x: &[f32], first: usize) {
    let mut first = first % x.len().max(1);
    let mut rest = out;
    while !rest.is_empty() && !x.is_empty() {
        let x = &x[first..];
        let (part, after) = rest.split_at_mut(x.len().min(rest.len()));
        let x = &x[..part.len()];
        Arch::new().dispatch(
            #[inline(always)]
            || add_inlined(part, x),
        );
        (rest, first) = (after, 0);
    }
}

/// `out += x`, element by element; `x` may be several times as long, and is then added piece by piece.
pub(super) fn add(out: &mut [f32], x: &[f32]) {
    let length = out.len().max(1);
    Arch::new().dispatch(
        #[inline(always)]
        || x.chunks(length).for_each(|x| add_inlined(out, x)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_everywhere_and_lets_missing_numbers_through() {
        struct Exp<'a>(&'a mut [f32]);
        impl WithSimd for Exp<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                for x in self.0.chunks_mut(S::F32_LANES) {
                    simd.partial_store_f32s(x, exp(simd, simd.partial_load_f32s(x)));
                }
            }
        }
        let x: Vec<f32> = (-8_701..8_800).map(|i| i as f32 / 100.0).collect();
        let mut y = x.clone();
        dispatch(Exp(&mut y));
        for (x, y) in x.iter().zip(y) {
            let due = f64::from(*x).exp();
            assert!((f64::from(y) / due - 1.0).abs() < 2e-7, "{x}: {y} for {due}");
        }
        let mut y = [f32::NAN, f32::NEG_INFINITY, -1e30];
        dispatch(Exp(&mut y));
        assert!(y[0].is_nan() && y[1] < 2e-38 && y[2] < 2e-38, "{y:?}");
    }
}
