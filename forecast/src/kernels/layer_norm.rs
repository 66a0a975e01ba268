//! Layer normalisation of a sum: `y = gain h + bias`, `h = (s - mean s) / sqrt(var s + epsilon)`, `s = x + residual`
//! (Ba et al. 2016, arXiv 1607.06450); the variance is that of the population.
//!
//! Backward, with `g = gain dy`: `ds = (g - mean g - h mean(g h)) / sqrt(var s + epsilon)`, `d gain = sum over rows
//! of dy h`, `d bias = sum over rows of dy`. Kept from the forward pass: mean and reciprocal deviation of each row.

use burn::tensor::Tensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{lanes, pool};

/// Each row of `x + residual` with mean 0 and variance 1, times `gain`, plus `bias`.
///
/// # Shapes
/// `x`, `residual` and the result `(row, d)`; `gain` and `bias` `(d)`.
pub(crate) fn layer_norm(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let [n_rows, d] = x.dims();
    if !is_fused(&x) || n_rows * d == 0 {
        return composition(x, residual, gain, bias, epsilon);
    }
    let operation = LayerNorm { n_rows, d, epsilon: epsilon as f32 };
    let (x, gain, bias) = (x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch());
    match residual {
        Some(residual) => fuse([x, gain, bias, residual.into_dispatch()], operation),
        None => fuse([x, gain, bias], operation),
    }
}

fn composition(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let sum = match residual {
        Some(residual) => x + residual,
        None => x,
    };
    let centred = sum.clone() - sum.mean_dim(1); // (row, d)
    let variance = centred.clone().square().mean_dim(1); // (row, 1)
    centred / (variance + epsilon).sqrt() * gain.unsqueeze::<2>() + bias.unsqueeze::<2>()
}

/// Inputs: x, gain, bias and, of four, the residual.
#[derive(Debug)]
struct LayerNorm {
    n_rows: usize,
    d: usize,
    epsilon: f32,
}

/// Rows that one thread takes at a time, whose gradients are summed in one go.
const ROWS: usize = 128;

impl<const N: usize> Operation<N> for LayerNorm {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_rows, self.d]
    }

    fn forward(&self, inputs: [&[f32]; N], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (d, epsilon) = (self.d, self.epsilon);
        let mut moments = pool::take(2 * self.n_rows); // (row, mean and reciprocal deviation)
        let chunks = out.par_chunks_mut(ROWS * d).zip(moments.par_chunks_mut(2 * ROWS)).enumerate();
        chunks.for_each(|(at, (out, moments))| {
            let x = chunk(inputs[0], at, ROWS * d);
            let residual = inputs.get(3).map(|residual| chunk(residual, at, ROWS * d));
            lanes::dispatch(Forward { out, moments, x, residual, gain: inputs[1], bias: inputs[2], epsilon });
        });
        vec![moments]
    }

    fn reads(&self) -> [bool; N] {
        std::array::from_fn(|i| i != 2)
    }

    fn backward(&self, context: &mut Context<'_, N>) -> [Option<Vec<f32>>; N] {
        let d = self.d;
        let mut x_gradient = pool::take(self.n_rows * d);
        let inputs = context.inputs;
        let chunks = x_gradient.par_chunks_mut(ROWS * d).enumerate();
        let sums: Vec<Vec<f32>> = chunks
            .map(|(at, out)| {
                let mut sums = vec![0.0; 2 * d];
                let (gain_sum, bias_sum) = sums.split_at_mut(d);
                lanes::dispatch(Backward {
                    out,
                    moments: chunk(&context.saved[0], at, 2 * ROWS),
                    x: chunk(inputs[0], at, ROWS * d),
                    residual: inputs.get(3).map(|residual| chunk(residual, at, ROWS * d)),
                    gain: inputs[1],
                    gradient: chunk(&context.gradient, at, ROWS * d),
                    gain_sum,
                    bias_sum,
                });
                sums
            })
            .collect();
        let mut total = vec![0.0; 2 * d];
        sums.iter().for_each(|sums| lanes::add(&mut total, sums));
        let bias_gradient = total.split_off(d);
        let residual_gradient = (N == 4 && context.wanted[3]).then(|| {
            let mut copy = pool::take(x_gradient.len());
            copy.copy_from_slice(&x_gradient);
            copy
        });
        let mut gradients =
            [Some(x_gradient), Some(total), Some(bias_gradient), residual_gradient].into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}

/// The chunk with this number.
fn chunk(x: &[f32], at: usize, length: usize) -> &[f32] {
    &x[at * length..x.len().min((at + 1) * length)]
}

struct Forward<'a> {
    out: &'a mut [f32],
    moments: &'a mut [f32],
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    gain: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { out, moments, x, residual, gain, bias, epsilon } = self;
        let d = gain.len();
        let (gain_head, gain_tail) = S::as_simd_f32s(gain);
        let (bias_head, bias_tail) = S::as_simd_f32s(bias);
        for (at, (out, moments)) in out.chunks_mut(d).zip(moments.chunks_mut(2)).enumerate() {
            let x = &x[at * d..(at + 1) * d];
            let mut sum = 0.0;
            match residual {
                Some(residual) => {
                    let (out_head, out_tail) = S::as_mut_simd_f32s(out);
                    let (x_head, x_tail) = S::as_simd_f32s(x);
                    let (r_head, r_tail) = S::as_simd_f32s(&residual[at * d..(at + 1) * d]);
                    for ((out, x), r) in out_head.iter_mut().zip(x_head).zip(r_head) {
                        *out = simd.add_f32s(*x, *r);
                    }
                    for ((out, x), r) in out_tail.iter_mut().zip(x_tail).zip(r_tail) {
                        *out = x + r;
                    }
                }
                None => out.copy_from_slice(x),
            }
            let (head, tail) = S::as_mut_simd_f32s(out);
            sum += total(simd, head, |_, s| s);
            tail.iter().for_each(|s| sum += s);
            let mean = sum / d as f32;
            let mean_lanes = simd.splat_f32s(mean);
            let mut square = total(simd, head, |simd, s| {
                let centred = simd.sub_f32s(s, mean_lanes);
                simd.mul_f32s(centred, centred)
            });
            tail.iter().for_each(|s| square += (s - mean) * (s - mean));
            let scale = 1.0 / (square / d as f32 + epsilon).sqrt();
            moments.copy_from_slice(&[mean, scale]);
            let scale_lanes = simd.splat_f32s(scale);
            for ((s, gain), bias) in head.iter_mut().zip(gain_head).zip(bias_head) {
                let h = simd.mul_f32s(simd.sub_f32s(*s, mean_lanes), scale_lanes);
                *s = simd.mul_add_e_f32s(h, *gain, *bias);
            }
            for ((s, gain), bias) in tail.iter_mut().zip(gain_tail).zip(bias_tail) {
                *s = (*s - mean) * scale * gain + bias;
            }
        }
    }
}

/// The sum of a function of lanes, in four running sums.
#[inline(always)]
fn total<S: Simd>(simd: S, x: &[S::f32s], f: impl Fn(S, S::f32s) -> S::f32s) -> f32 {
    let mut sums = [simd.splat_f32s(0.0); 4];
    let mut fours = x.chunks_exact(4);
    for four in &mut fours {
        for (sum, x) in sums.iter_mut().zip(four) {
            *sum = simd.add_f32s(*sum, f(simd, *x));
        }
    }
    for (sum, x) in sums.iter_mut().zip(fours.remainder()) {
        *sum = simd.add_f32s(*sum, f(simd, *x));
    }
    let [a, b, c, d] = sums;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

struct Backward<'a> {
    out: &'a mut [f32],
    moments: &'a [f32],
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    gain: &'a [f32],
    gradient: &'a [f32],
    gain_sum: &'a mut [f32],
    bias_sum: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { out, moments, x, residual, gain, gradient, gain_sum, bias_sum } = self;
        let d = gain.len();
        let share = 1.0 / d as f32;
        let (gain_head, gain_tail) = S::as_simd_f32s(gain);
        let (gain_sum, gain_sum_tail) = S::as_mut_simd_f32s(gain_sum);
        let (bias_sum, bias_sum_tail) = S::as_mut_simd_f32s(bias_sum);
        for (at, (out, moments)) in out.chunks_mut(d).zip(moments.chunks(2)).enumerate() {
            let row = at * d..(at + 1) * d;
            let (mean, scale) = (moments[0], moments[1]);
            let (mean_lanes, scale_lanes) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
            let (x, x_tail) = S::as_simd_f32s(&x[row.clone()]);
            let (r, r_tail) = S::as_simd_f32s(residual.map_or(&[], |residual| &residual[row.clone()]));
            let (dy, dy_tail) = S::as_simd_f32s(&gradient[row]);
            let (out, out_tail) = S::as_mut_simd_f32s(out);
            let mut sums = [simd.splat_f32s(0.0); 2];
            // `h` goes into the output for now.
            for i in 0..out.len() {
                let s = if r.is_empty() { x[i] } else { simd.add_f32s(x[i], r[i]) };
                let h = simd.mul_f32s(simd.sub_f32s(s, mean_lanes), scale_lanes);
                let g = simd.mul_f32s(dy[i], gain_head[i]);
                gain_sum[i] = simd.mul_add_e_f32s(dy[i], h, gain_sum[i]);
                bias_sum[i] = simd.add_f32s(dy[i], bias_sum[i]);
                sums = [simd.add_f32s(sums[0], g), simd.mul_add_e_f32s(g, h, sums[1])];
                out[i] = h;
            }
            let (mut g_mean, mut gh_mean) = (simd.reduce_sum_f32s(sums[0]), simd.reduce_sum_f32s(sums[1]));
            for i in 0..out_tail.len() {
                let s = if r_tail.is_empty() { x_tail[i] } else { x_tail[i] + r_tail[i] };
                let (h, g) = ((s - mean) * scale, dy_tail[i] * gain_tail[i]);
                gain_sum_tail[i] += dy_tail[i] * h;
                bias_sum_tail[i] += dy_tail[i];
                (g_mean, gh_mean) = (g_mean + g, gh_mean + g * h);
                out_tail[i] = h;
            }
            (g_mean, gh_mean) = (g_mean * share, gh_mean * share);
            let (g_lanes, gh_lanes) = (simd.splat_f32s(g_mean), simd.splat_f32s(gh_mean));
            for ((out, dy), gain) in out.iter_mut().zip(dy).zip(gain_head) {
                let rest = simd.negate_mul_add_e_f32s(*out, gh_lanes, simd.mul_f32s(*dy, *gain));
                *out = simd.mul_f32s(scale_lanes, simd.sub_f32s(rest, g_lanes));
            }
            for ((out, dy), gain) in out_tail.iter_mut().zip(dy_tail).zip(gain_tail) {
                *out = scale * (dy * gain - *out * gh_mean - g_mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn with_and_without_residual_it_is_what_its_composition_is() {
        for [n_rows, d] in [[1, 2], [7, 5], [3, 16], [5, 67], [300, 33]] {
            let norm = |x: &[Tensor<1>]| {
                let residual = x.get(3).map(|residual| residual.clone().reshape([n_rows, d]));
                let (gain, bias) = (x[1].clone(), x[2].clone());
                layer_norm(x[0].clone().reshape([n_rows, d]), residual, gain, bias, 1e-2)
                    .reshape([n_rows * d])
            };
            check(&[n_rows * d, d, d], norm);
            check(&[n_rows * d, d, d, n_rows * d], norm);
        }
    }
}
