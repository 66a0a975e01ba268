//! The largest of three neighbouring steps, every other step: `y_t = max(x_(2t-1), x_(2t), x_(2t+1))`.
//!
//! Backward: the gradient goes to the first of the three that is the largest.

use burn::tensor::Tensor;
use burn::tensor::module::max_pool1d;
use burn::tensor::ops::MaxPoolOptions;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::register::fuse;

/// Max pooling over time: width 3, stride 2, padding 1.
///
/// # Shapes
/// `x` `(batch, L, d)` with L at least 1; the result `(batch, (L - 1) / 2 + 1, d)`.
pub(crate) fn max_pool3(x: Tensor<3>) -> Tensor<3> {
    let [n_batch, length, d] = x.dims();
    if !is_fused(&x) || n_batch * length * d == 0 {
        return composition(x);
    }
    fuse([x.into_dispatch()], MaxPool { n_batch, length, d })
}

fn composition(x: Tensor<3>) -> Tensor<3> {
    let options = MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]);
    max_pool1d(x.swap_dims(1, 2), options).swap_dims(1, 2)
}

#[derive(Debug)]
struct MaxPool {
    n_batch: usize,
    length: usize,
    d: usize,
}

impl MaxPool {
    fn pooled(&self) -> usize {
        (self.length - 1) / 2 + 1
    }

    /// The steps that step t of the result looks at; at the borders one of them twice, which changes nothing.
    fn steps(&self, t: usize) -> [usize; 3] {
        [(2 * t).saturating_sub(1), 2 * t, (2 * t + 1).min(self.length - 1)]
    }
}

impl Operation<1> for MaxPool {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_batch, self.pooled(), self.d]
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let d = self.d;
        let batches = out.par_chunks_mut(self.pooled() * d).zip(x.par_chunks(self.length * d));
        batches.for_each(|(out, x)| {
            for (t, out) in out.chunks_mut(d).enumerate() {
                let [a, b, c] = self.steps(t).map(|step| &x[step * d..(step + 1) * d]);
                for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
                    let larger = if b > a { *b } else { *a };
                    *out = if *c > larger { *c } else { larger };
                }
            }
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [true]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let (length, d) = (self.length, self.d);
        let [x] = context.inputs;
        let mut gradient = pool::take_zeros(x.len());
        let batches = gradient.par_chunks_mut(length * d).zip(x.par_chunks(length * d));
        batches.zip(context.gradient.par_chunks(self.pooled() * d)).for_each(|((gradient, x), dy)| {
            for (t, dy) in dy.chunks(d).enumerate() {
                let [a, b, c] = self.steps(t);
                for (i, dy) in dy.iter().enumerate() {
                    let first = if x[b * d + i] > x[a * d + i] { b } else { a };
                    let first = if x[c * d + i] > x[first * d + i] { c } else { first };
                    gradient[first * d + i] += dy;
                }
            }
        });
        [Some(gradient)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_at_any_length() {
        for [n_batch, length, d] in [[1, 1, 1], [2, 2, 3], [1, 3, 2], [3, 8, 5], [2, 9, 17]] {
            let pool = |x: &[Tensor<1>]| {
                let y = max_pool3(x[0].clone().reshape([n_batch, length, d]));
                assert_eq!(y.dims(), [n_batch, (length - 1) / 2 + 1, d]);
                y.reshape([n_batch * ((length - 1) / 2 + 1) * d])
            };
            check(&[n_batch * length * d], pool);
        }
    }
}
