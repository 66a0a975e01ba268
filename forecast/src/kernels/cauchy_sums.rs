//! The four sums of a state space that is diagonal plus rank 1, on half the roots of unity, and their gradients.
//!
//! `g = sum over n of (x_n cos + i y_n sin) / D_n`, `D_n = |l|^2 cos^2 - 4 sin^2 - 4 i Re(l) cos sin`; a vector holds
//! neighbouring frequencies. See `cauchy.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use pulp::{Simd, WithSimd};
use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::lanes;

/// What the sums have of one state; of gradients, the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terms {
    /// `|l|^2`.
    pub(super) square: f64,
    /// `Re(l)`.
    pub(super) real: f64,
    pub(super) x: [f64; 4],
    pub(super) y: [f64; 4],
}

/// The frequencies of a length, with the transforms.
pub(crate) struct Grid {
    length: usize,
    /// Of half the angle, followed by ones up to a whole vector.
    cos: Vec<f64>,
    /// Of half the angle, followed by zeros.
    sin: Vec<f64>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

/// Numbers of the widest vector.
const WIDEST: usize = 8;

impl Grid {
    /// Of at least one step.
    pub(crate) fn new(length: usize) -> Self {
        static PLANNER: Mutex<Option<RealFftPlanner<f64>>> = Mutex::new(None);
        let mut planner = PLANNER.lock().unwrap_or_else(PoisonError::into_inner);
        let planner = planner.get_or_insert_with(RealFftPlanner::new);
        let n = length / 2 + 1;
        let padded = n.next_multiple_of(WIDEST);
        let (mut cos, mut sin) = (vec![1.0; padded], vec![0.0; padded]);
        for k in 0..n {
            (sin[k], cos[k]) = (std::f64::consts::PI * k as f64 / length as f64).sin_cos();
        }
        if length.is_multiple_of(2) {
            cos[length / 2] = 0.0;
        }
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        Grid { length, cos, sin, forward, inverse }
    }

    pub(super) fn n_frequencies(&self) -> usize {
        self.length / 2 + 1
    }

    pub(super) fn at(&self, k: usize) -> Frequency {
        Frequency { cos: self.cos[k], sin: self.sin[k] }
    }

    /// The sequence of this transform.
    pub(super) fn back(&self, mut spectrum: Vec<Complex64>) -> Vec<f64> {
        // Real by construction; rounding may have left something.
        spectrum[0].im = 0.0;
        if self.length.is_multiple_of(2) {
            spectrum[self.length / 2].im = 0.0;
        }
        let mut out = self.inverse.make_output_vec();
        // Fails only for buffers of other lengths.
        let done = self.inverse.process(&mut spectrum, &mut out);
        debug_assert!(done.is_ok());
        let scale = 1.0 / self.length as f64;
        out.iter_mut().for_each(|x| *x *= scale);
        out
    }

    /// The gradient of the transform from that of the first steps of the sequence.
    pub(super) fn gradient(&self, gradient: &[f32]) -> Vec<Complex64> {
        let mut values = self.forward.make_input_vec();
        values.iter_mut().zip(gradient).for_each(|(to, from)| *to = f64::from(*from));
        let mut spectrum = self.forward.make_output_vec();
        let done = self.forward.process(&mut values, &mut spectrum);
        debug_assert!(done.is_ok());
        let scale = 1.0 / self.length as f64;
        for (k, x) in spectrum.iter_mut().enumerate() {
            // Frequencies between the first and the last one stand for their conjugates too.
            *x *= if k == 0 || 2 * k == self.length { scale } else { 2.0 * scale };
        }
        spectrum
    }
}

/// Half the angle of a root of unity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frequency {
    cos: f64,
    sin: f64,
}

impl Frequency {
    fn turn(self) -> Complex64 {
        Complex64::new(self.cos, self.sin)
    }

    /// `exp(i t/2) [g_00 - cos g_01 g_10 / (1 + cos g_11)]`.
    pub(super) fn transform(self, [g00, g01, g10, g11]: [Complex64; 4]) -> Complex64 {
        self.turn() * (g00 - g01 * g10 / (g11 * self.cos + 1.0) * self.cos)
    }

    /// The gradients of the sums from that of the transform.
    pub(super) fn transform_gradients(
        self,
        [_, g01, g10, g11]: [Complex64; 4],
        of_transform: Complex64,
    ) -> [Complex64; 4] {
        let of_bracket = of_transform * self.turn().conj();
        let below = g11 * self.cos + 1.0;
        let (left, right) = (g01 / below, g10 / below);
        let of_product = -of_bracket * self.cos;
        let of_g11 = -of_product * (left * right).conj() * self.cos;
        [of_bracket, of_product * right.conj(), of_product * left.conj(), of_g11]
    }
}

/// Four complex numbers for each frequency, in eight rows: real and imaginary part of one sum after the other.
#[derive(Debug)]
pub(super) struct Sums {
    values: Vec<f64>,
    width: usize,
}

impl Sums {
    pub(super) fn zeros(n_frequencies: usize) -> Self {
        let width = n_frequencies.next_multiple_of(WIDEST);
        Sums { values: vec![0.0; 8 * width], width }
    }

    pub(super) fn at(&self, k: usize) -> [Complex64; 4] {
        let part = |row: usize| self.values[row * self.width + k];
        [0, 1, 2, 3].map(|at| Complex64::new(part(2 * at), part(2 * at + 1)))
    }

    pub(super) fn set(&mut self, k: usize, sums: [Complex64; 4]) {
        for (at, sum) in sums.into_iter().enumerate() {
            self.values[2 * at * self.width + k] = sum.re;
            self.values[(2 * at + 1) * self.width + k] = sum.im;
        }
    }
}

/// The four sums at every frequency.
pub(super) fn forward(grid: &Grid, terms: &[Terms]) -> Sums {
    let mut sums = Sums::zeros(grid.n_frequencies());
    lanes::dispatch(Forward { grid, terms, sums: &mut sums });
    sums
}

/// The gradients of the terms from those of the sums.
pub(super) fn backward(grid: &Grid, terms: &[Terms], of_sums: &Sums) -> Vec<Terms> {
    let mut of_terms = vec![Terms::default(); terms.len()];
    lanes::dispatch(Backward { grid, terms, of_sums, of_terms: &mut of_terms });
    of_terms
}

/// `1 / D`, as `[p, r]` of `p - i r`.
#[inline(always)]
fn reciprocal<S: Simd>(simd: S, square: f64, real: f64, cos: S::f64s, sin: S::f64s) -> [S::f64s; 2] {
    let splat = |x: f64| simd.splat_f64s(x);
    let sin_square = simd.mul_f64s(splat(4.0), simd.mul_f64s(sin, sin));
    let cos_square = simd.mul_f64s(cos, cos);
    let d = simd.sub_f64s(simd.mul_f64s(splat(square), cos_square), sin_square);
    let e = simd.mul_f64s(splat(-4.0 * real), simd.mul_f64s(cos, sin));
    let norm = simd.mul_add_e_f64s(d, d, simd.mul_f64s(e, e));
    let inverse = simd.div_f64s(splat(1.0), norm);
    [simd.mul_f64s(d, inverse), simd.mul_f64s(e, inverse)]
}

struct Forward<'a> {
    grid: &'a Grid,
    terms: &'a [Terms],
    sums: &'a mut Sums,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { grid, terms, sums } = self;
        let (cos, sin) = (S::as_simd_f64s(&grid.cos).0, S::as_simd_f64s(&grid.sin).0);
        let width = sums.width / S::F64_LANES;
        let out = S::as_mut_simd_f64s(&mut sums.values).0;
        for (k, (cos, sin)) in cos.iter().zip(sin).enumerate() {
            let (cos, sin) = (*cos, *sin);
            let mut totals = [[simd.splat_f64s(0.0); 2]; 4];
            for state in terms {
                let [p, r] = reciprocal(simd, state.square, state.real, cos, sin);
                let (cos_p, cos_r) = (simd.mul_f64s(cos, p), simd.mul_f64s(cos, r));
                let (sin_p, sin_r) = (simd.mul_f64s(sin, p), simd.mul_f64s(sin, r));
                for (total, (x, y)) in totals.iter_mut().zip(state.x.iter().zip(&state.y)) {
                    let (x, y) = (simd.splat_f64s(*x), simd.splat_f64s(*y));
                    total[0] = simd.mul_add_e_f64s(x, cos_p, simd.mul_add_e_f64s(y, sin_r, total[0]));
                    total[1] = simd.mul_add_e_f64s(y, sin_p, simd.negate_mul_add_e_f64s(x, cos_r, total[1]));
                }
            }
            for (row, value) in totals.as_flattened().iter().enumerate() {
                out[row * width + k] = *value;
            }
        }
    }
}

struct Backward<'a> {
    grid: &'a Grid,
    terms: &'a [Terms],
    of_sums: &'a Sums,
    of_terms: &'a mut [Terms],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { grid, terms, of_sums, of_terms } = self;
        let (cos, sin) = (S::as_simd_f64s(&grid.cos).0, S::as_simd_f64s(&grid.sin).0);
        let width = of_sums.width / S::F64_LANES;
        let of_sums = S::as_simd_f64s(&of_sums.values).0;
        for (state, out) in terms.iter().zip(of_terms) {
            let zero = simd.splat_f64s(0.0);
            let (mut of_x, mut of_y, mut of_square, mut of_real) = ([zero; 4], [zero; 4], zero, zero);
            for (k, (cos, sin)) in cos.iter().zip(sin).enumerate() {
                let (cos, sin) = (*cos, *sin);
                let [p, r] = reciprocal(simd, state.square, state.real, cos, sin);
                let (cos_p, cos_r) = (simd.mul_f64s(cos, p), simd.mul_f64s(cos, r));
                let (sin_p, sin_r) = (simd.mul_f64s(sin, p), simd.mul_f64s(sin, r));
                // sum of the gradient times the conjugate of `x cos + i y sin`, in parts.
                let mut parts = [zero; 4];
                for at in 0..4 {
                    let [re, im] = [of_sums[2 * at * width + k], of_sums[(2 * at + 1) * width + k]];
                    of_x[at] =
                        simd.mul_add_e_f64s(re, cos_p, simd.negate_mul_add_e_f64s(im, cos_r, of_x[at]));
                    of_y[at] = simd.mul_add_e_f64s(re, sin_r, simd.mul_add_e_f64s(im, sin_p, of_y[at]));
                    let (x, y) = (simd.splat_f64s(state.x[at]), simd.splat_f64s(state.y[at]));
                    parts[0] = simd.mul_add_e_f64s(re, x, parts[0]);
                    parts[1] = simd.mul_add_e_f64s(im, y, parts[1]);
                    parts[2] = simd.mul_add_e_f64s(im, x, parts[2]);
                    parts[3] = simd.mul_add_e_f64s(re, y, parts[3]);
                }
                let re = simd.mul_add_e_f64s(cos, parts[0], simd.mul_f64s(sin, parts[1]));
                let im = simd.negate_mul_add_e_f64s(sin, parts[3], simd.mul_f64s(cos, parts[2]));
                // Minus the square of the conjugate of 1 / D.
                let square_re = simd.sub_f64s(simd.mul_f64s(r, r), simd.mul_f64s(p, p));
                let square_im = simd.mul_f64s(simd.splat_f64s(-2.0), simd.mul_f64s(p, r));
                let of_d = simd.negate_mul_add_e_f64s(square_im, im, simd.mul_f64s(square_re, re));
                let of_e = simd.mul_add_e_f64s(square_im, re, simd.mul_f64s(square_re, im));
                of_square = simd.mul_add_e_f64s(simd.mul_f64s(cos, cos), of_d, of_square);
                of_real = simd.mul_add_e_f64s(simd.mul_f64s(cos, sin), of_e, of_real);
            }
            let sum = |x: S::f64s| simd.reduce_sum_f64s(x);
            *out = Terms {
                square: sum(of_square),
                real: -4.0 * sum(of_real),
                x: of_x.map(sum),
                y: of_y.map(sum),
            };
        }
    }
}
