//! A convolution of width 3 around a circle, as in Informer's embedding and distilling (Zhou et al. 2021, arXiv
//! 2012.07436): `y_t = [x_(t-1), x_t, x_(t+1)] W + b`, where the last step comes before the first.
//!
//! The three steps are laid side by side; the rest is a linear layer. Backward: `dx_t` is the sum of the gradients of
//! the three places where `x_t` was laid.

use burn::tensor::{Int, Tensor, TensorData};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::register::fuse;

/// The previous step, the same and the next side by side, around the circle: `(batch, L, in)` becomes
/// `(batch * L, 3 * in)`, rows for a linear layer.
pub(crate) fn taps3(x: Tensor<3>) -> Tensor<2> {
    let [n_batch, length, n_in] = x.dims();
    if is_fused(&x) && n_batch * length * n_in > 0 {
        return fuse([x.into_dispatch()], Taps { n_batch, length, n_in });
    }
    composition(x)
}

fn composition(x: Tensor<3>) -> Tensor<2> {
    let [n_batch, length, n_in] = x.dims();
    let shifted = |by: usize| {
        let steps: Vec<i64> = (0..length).map(|t| ((t + by) % length) as i64).collect();
        x.clone().select(1, Tensor::<1, Int>::from_data(TensorData::new(steps, [length]), &x.device()))
    };
    let taps = vec![shifted(length.max(1) - 1), x.clone(), shifted(1)];
    Tensor::cat(taps, 2).reshape([n_batch * length, 3 * n_in])
}

#[derive(Debug)]
struct Taps {
    n_batch: usize,
    length: usize,
    n_in: usize,
}

impl Operation<1> for Taps {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_batch * self.length, 3 * self.n_in]
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (length, n_in) = (self.length, self.n_in);
        let batches = out.par_chunks_mut(length * 3 * n_in).zip(x.par_chunks(length * n_in));
        batches.for_each(|(out, x)| {
            for (t, taps) in out.chunks_mut(3 * n_in).enumerate() {
                for (tap, at) in taps.chunks_mut(n_in).zip([(t + length - 1) % length, t, (t + 1) % length]) {
                    tap.copy_from_slice(&x[at * n_in..(at + 1) * n_in]);
                }
            }
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [false]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let (length, n_in) = (self.length, self.n_in);
        let mut gradient = pool::take(self.n_batch * length * n_in);
        let taps = context.gradient.par_chunks(length * 3 * n_in);
        gradient.par_chunks_mut(length * n_in).zip(taps).for_each(|(gradient, taps)| {
            for (t, gradient) in gradient.chunks_mut(n_in).enumerate() {
                // Step t was the previous one of t + 1 and the next one of t - 1.
                let places = [((t + 1) % length, 0), (t, 1), ((t + length - 1) % length, 2)];
                let [a, b, c] = places.map(|(row, tap)| &taps[(3 * row + tap) * n_in..][..n_in]);
                for (((out, a), b), c) in gradient.iter_mut().zip(a).zip(b).zip(c) {
                    *out = a + b + c;
                }
            }
        });
        [Some(gradient)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::super::{Activation, linear};
    use super::*;

    fn circular_conv3(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
        let ([n_batch, length, _], [_, n_out]) = (x.dims(), weight.dims());
        linear(taps3(x), weight, bias, Activation::None).reshape([n_batch, length, n_out])
    }

    #[test]
    fn it_is_what_its_composition_is_at_any_length() {
        for [n_batch, length, n_in, n_out] in [[2, 1, 3, 2], [1, 2, 2, 5], [3, 7, 5, 4]] {
            let conv = |x: &[Tensor<1>]| {
                let weight = x[1].clone().reshape([3 * n_in, n_out]);
                let y =
                    circular_conv3(x[0].clone().reshape([n_batch, length, n_in]), weight, x.get(2).cloned());
                y.reshape([n_batch * length * n_out])
            };
            check(&[n_batch * length * n_in, 3 * n_in * n_out, n_out], conv);
            check(&[n_batch * length * n_in, 3 * n_in * n_out], conv);
        }
    }

    #[test]
    fn each_step_sees_the_one_before_and_the_one_after_around_the_circle() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats([1.0, 2.0, 4.0, 8.0], &device).reshape([1, 4, 1]);
        let weight = Tensor::<1>::from_floats([100.0, 10.0, 1.0], &device).reshape([3, 1]);
        let y = super::super::check::numbers(circular_conv3(x, weight, None));
        assert_eq!(y, [812.0, 124.0, 248.0, 481.0]);
    }
}
