//! The last step of a convolution over time: `y = sum over j of k_j u_(L-1-j) + D u_(L-1)`.
//!
//! Backward: `du_(L-1-j) = k_j dy` and `dk_j = sum over the batch of u_(L-1-j) dy`.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{lanes, pool};

/// The convolution of every channel with its own kernel, at the last step.
///
/// # Shapes
/// `u` `(batch, L, d)` with L at least 1; `kernel` `(d, L)`; `skip`, `D`, `(d)`; the result `(batch, d)`.
pub(crate) fn last_conv(u: Tensor<3>, kernel: Tensor<2>, skip: Tensor<1>) -> Tensor<2> {
    let [n_batch, length, d] = u.dims();
    if !is_fused(&u) || n_batch * length * d == 0 {
        return composition(u, kernel, skip);
    }
    let inputs = [u.into_dispatch(), kernel.into_dispatch(), skip.into_dispatch()];
    fuse(inputs, LastConvolution { n_batch, length, d })
}

fn composition(u: Tensor<3>, kernel: Tensor<2>, skip: Tensor<1>) -> Tensor<2> {
    let [_, length, _] = u.dims();
    let last = u.clone().narrow(1, length - 1, 1).squeeze_dim::<2>(1); // (batch, d)
    let weights = kernel.swap_dims(0, 1).flip([0]).unsqueeze_dim::<3>(0); // (1, L, d)
    (u * weights).sum_dim(1).squeeze_dim::<2>(1) + last * skip.unsqueeze::<2>()
}

#[derive(Debug)]
struct LastConvolution {
    n_batch: usize,
    length: usize,
    d: usize,
}

/// Steps that are summed in one go.
const STEPS: usize = 512;

impl LastConvolution {
    /// The weight of every step, `(L, d)`.
    fn weights(&self, kernel: &[f32], skip: &[f32]) -> Vec<f32> {
        let (length, d) = (self.length, self.d);
        let mut weights = pool::take(length * d);
        weights.par_chunks_mut(STEPS * d).enumerate().for_each(|(at, rows)| {
            for (step, row) in rows.chunks_mut(d).enumerate() {
                let lag = length - 1 - (at * STEPS + step);
                row.iter_mut().zip(kernel[lag..].iter().step_by(length)).for_each(|(to, from)| *to = *from);
            }
        });
        lanes::add(&mut weights[(length - 1) * d..], skip);
        weights
    }
}

impl Operation<3> for LastConvolution {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_batch, self.d]
    }

    fn forward(&self, [u, kernel, skip]: [&[f32]; 3], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (length, d) = (self.length, self.d);
        let weights = self.weights(kernel, skip);
        out.par_chunks_mut(d).zip(u.par_chunks(length * d)).for_each(|(out, u)| {
            out.fill(0.0);
            // Blocks of steps on their own, then over blocks, which keeps more digits.
            for (u, weights) in u.chunks(STEPS * d).zip(weights.chunks(STEPS * d)) {
                let mut sum = vec![0.0; d];
                lanes::inlined(
                    #[inline(always)]
                    || {
                        for (u, weight) in u.chunks(d).zip(weights.chunks(d)) {
                            for ((sum, u), weight) in sum.iter_mut().zip(u).zip(weight) {
                                *sum += u * weight;
                            }
                        }
                    },
                );
                lanes::add(out, &sum);
            }
        });
        pool::give(weights);
        Vec::new()
    }

    fn reads(&self) -> [bool; 3] {
        [true; 3]
    }

    fn backward(&self, context: &mut Context<'_, 3>) -> [Option<Vec<f32>>; 3] {
        let (length, d) = (self.length, self.d);
        let [u, kernel, skip] = context.inputs;
        let gradient = &context.gradient; // (batch, d)
        let of_u = context.wanted[0].then(|| {
            let weights = self.weights(kernel, skip);
            let mut of_u = pool::take(u.len());
            of_u.par_chunks_mut(length * d).zip(gradient.par_chunks(d)).for_each(|(out, g)| {
                for (out, weight) in out.chunks_mut(d).zip(weights.chunks(d)) {
                    lanes::multiply(out, weight, g);
                }
            });
            pool::give(weights);
            of_u
        });
        let of_skip = context.wanted[2].then(|| {
            let mut of_skip = vec![0.0; d];
            for (u, g) in u.chunks(length * d).zip(gradient.chunks(d)) {
                lanes::multiply_add(&mut of_skip, &u[(length - 1) * d..], g);
            }
            of_skip
        });
        let of_kernel = context.wanted[1].then(|| {
            let mut by_step = pool::take_zeros(length * d);
            by_step.par_chunks_mut(d).enumerate().for_each(|(step, row)| {
                for (u, g) in u.chunks(length * d).zip(gradient.chunks(d)) {
                    lanes::multiply_add(row, &u[step * d..(step + 1) * d], g);
                }
            });
            let mut of_kernel = pool::take(d * length);
            of_kernel.par_chunks_mut(length).enumerate().for_each(|(channel, row)| {
                let steps = by_step[channel..].iter().step_by(d);
                row.iter_mut().rev().zip(steps).for_each(|(to, from)| *to = *from);
            });
            pool::give(by_step);
            of_kernel
        });
        [of_u, of_kernel, of_skip]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{check, draw, numbers};
    use super::super::{TimeOrder, fft_conv};
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn it_is_what_its_composition_is_at_odd_sizes() {
        for [n_batch, length, d] in [[1, 1, 1], [2, 5, 3], [3, 33, 17], [2, 1100, 2]] {
            let conv = |x: &[Tensor<1>]| {
                let u = x[0].clone().reshape([n_batch, length, d]);
                let kernel = x[1].clone().reshape([d, length]);
                last_conv(u, kernel, x[2].clone()).reshape([n_batch * d])
            };
            check(&[n_batch * length * d, d * length, d], conv);
        }
    }

    #[test]
    fn it_is_the_last_step_of_the_whole_convolution() {
        let [n_batch, length, d] = [2, 100, 5];
        let device = Device::flex();
        let data = |n: usize, seed| TensorData::new(draw(n, seed).iter().map(|x| *x as f32).collect(), [n]);
        let tensor = |n, seed| Tensor::<1>::from_data(data(n, seed), &device);
        let u = tensor(n_batch * length * d, 1).reshape([n_batch, length, d]);
        let (kernel, skip) = (tensor(d * length, 2).reshape([d, length]), tensor(d, 3));
        let all = fft_conv(u.clone(), kernel.clone(), Some(skip.clone()), TimeOrder::Causal);
        let due = numbers(all.narrow(1, length - 1, 1));
        for (ours, due) in numbers(last_conv(u, kernel, skip)).into_iter().zip(due) {
            assert!((ours - due).abs() < 1e-5, "{ours} for {due}");
        }
    }
}
