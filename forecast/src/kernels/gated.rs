//! A gated linear unit (Dauphin et al. 2017, arXiv 1612.08083): `y = a s(b)` where a row is `[a, b]` and
//! `s(x) = 1 / (1 + exp(-x))`.
//!
//! Backward: `da = dy s(b)`, `db = dy a s(b) (1 - s(b))`.

use burn::tensor::{Tensor, activation};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::lanes::sigmoid;
use super::register::fuse;
use super::{lanes, pool};

/// The first half of each row times the sigmoid of the second.
///
/// # Shapes
/// `x` `(row, 2 d)`; the result `(row, d)`.
pub(crate) fn glu(x: Tensor<2>) -> Tensor<2> {
    let [n_rows, width] = x.dims();
    if !is_fused(&x) || n_rows * width == 0 {
        let d = width / 2;
        return x.clone().narrow(1, 0, d) * activation::sigmoid(x.narrow(1, d, d));
    }
    fuse([x.into_dispatch()], Gated { n_rows, d: width / 2 })
}

/// `out = value / (1 + exp(-gate))`, element by element; a number has the same bits wherever it stands.
fn gate(out: &mut [f32], value: &[f32], gate: &[f32]) {
    lanes::dispatch(Gate { out, value, gate });
}

#[derive(Debug)]
struct Gated {
    n_rows: usize,
    d: usize,
}

/// Rows that one thread takes at a time.
const ROWS: usize = 128;

impl Operation<1> for Gated {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_rows, self.d]
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let d = self.d;
        out.par_chunks_mut(ROWS * d).zip(x.par_chunks(ROWS * 2 * d)).for_each(|(out, x)| {
            for (out, x) in out.chunks_mut(d).zip(x.chunks(2 * d)) {
                gate(out, &x[..d], &x[d..]);
            }
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [true]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let d = self.d;
        let [x] = context.inputs;
        let mut gradient = pool::take(x.len());
        let rows = gradient.par_chunks_mut(ROWS * 2 * d).zip(x.par_chunks(ROWS * 2 * d));
        rows.zip(context.gradient.par_chunks(ROWS * d)).for_each(|((out, x), dy)| {
            for ((out, x), dy) in out.chunks_mut(2 * d).zip(x.chunks(2 * d)).zip(dy.chunks(d)) {
                lanes::dispatch(Slopes { out, x, dy });
            }
        });
        [Some(gradient)]
    }
}

struct Gate<'a> {
    out: &'a mut [f32],
    value: &'a [f32],
    gate: &'a [f32],
}

impl WithSimd for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (out, out_tail) = S::as_mut_simd_f32s(self.out);
        let (value, value_tail) = S::as_simd_f32s(self.value);
        let (gate, gate_tail) = S::as_simd_f32s(self.gate);
        for ((out, value), gate) in out.iter_mut().zip(value).zip(gate) {
            *out = simd.mul_f32s(*value, sigmoid(simd, *gate));
        }
        let (value, gate) = (simd.partial_load_f32s(value_tail), simd.partial_load_f32s(gate_tail));
        simd.partial_store_f32s(out_tail, simd.mul_f32s(value, sigmoid(simd, gate)));
    }
}

/// The gradients of the value and of the gate.
#[inline(always)]
fn slopes<S: Simd>(simd: S, value: S::f32s, gate: S::f32s, dy: S::f32s) -> (S::f32s, S::f32s) {
    let open = sigmoid(simd, gate);
    let of_value = simd.mul_f32s(dy, open);
    let closed = simd.sub_f32s(simd.splat_f32s(1.0), open);
    (of_value, simd.mul_f32s(of_value, simd.mul_f32s(value, closed)))
}

/// Of one row.
struct Slopes<'a> {
    out: &'a mut [f32],
    x: &'a [f32],
    dy: &'a [f32],
}

impl WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let d = self.dy.len();
        let (of_value, of_gate) = self.out.split_at_mut(d);
        let (value, gate) = self.x.split_at(d);
        let (of_value, of_value_tail) = S::as_mut_simd_f32s(of_value);
        let (of_gate, of_gate_tail) = S::as_mut_simd_f32s(of_gate);
        let (value, value_tail) = S::as_simd_f32s(value);
        let (gate, gate_tail) = S::as_simd_f32s(gate);
        let (dy, dy_tail) = S::as_simd_f32s(self.dy);
        for i in 0..dy.len() {
            (of_value[i], of_gate[i]) = slopes(simd, value[i], gate[i], dy[i]);
        }
        let (value, gate) = (simd.partial_load_f32s(value_tail), simd.partial_load_f32s(gate_tail));
        let dy = simd.partial_load_f32s(dy_tail);
        let (a, b) = slopes(simd, value, gate, dy);
        simd.partial_store_f32s(of_value_tail, a);
        simd.partial_store_f32s(of_gate_tail, b);
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_at_odd_sizes() {
        for [n_rows, d] in [[1, 1], [3, 7], [300, 17], [5, 64]] {
            check(&[n_rows * 2 * d], |x| glu(x[0].clone().reshape([n_rows, 2 * d])).reshape([n_rows * d]));
        }
    }

    #[test]
    fn a_number_has_the_same_bits_wherever_it_stands() {
        let value: Vec<f32> = (0..40).map(|i| (i as f32 - 20.0) / 3.0).collect();
        let mut all = vec![0.0; 40];
        gate(&mut all, &value, &value);
        for (at, due) in all.iter().enumerate() {
            let mut one = [0.0];
            gate(&mut one, &value[at..=at], &value[at..=at]);
            assert_eq!(one[0].to_bits(), due.to_bits());
        }
    }
}
