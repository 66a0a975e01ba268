//! A convolution over time with a kernel for each channel: `y_t = sum over j of k_j u_(t-j) + D u_t`.
//!
//! Backward, with `g = dy`: `du_s = sum over t of g_t k_(t-s) + D g_s`, `dk_j = sum over t of g_t u_(t-j)`; with time
//! reversed both are causal convolutions again. Long kernels go through transforms of [`Ring`], which cost
//! O(L log L) and need no padding; short ones are summed directly. Channels are convolved side by side, one in each
//! lane of a vector.

use burn::tensor::{Int, Tensor, TensorData};

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{conv_direct, conv_transform, pool};

/// Which way time goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TimeOrder {
    /// A step sees itself and those before it.
    #[default]
    Causal,
    /// A step sees itself and those after it: `y_t = sum over j of k_j u_(t+j) + D u_t`.
    Reversed,
}

/// The convolution of every channel with its own kernel.
///
/// # Shapes
/// `u` `(batch, L, d)`; `kernel` `(d, tap)`, of which the first L taps count; `skip`, `D`, `(d)`; the result
/// `(batch, L, d)`.
pub(crate) fn fft_conv(
    u: Tensor<3>,
    kernel: Tensor<2>,
    skip: Option<Tensor<1>>,
    order: TimeOrder,
) -> Tensor<3> {
    let [n_batch, length, d] = u.dims();
    let n_taps = kernel.dims()[1];
    if !is_fused(&u) || n_batch * length * d * n_taps == 0 {
        return composition(u, kernel, skip, order);
    }
    let operation = Convolution { n_batch, length, d, n_taps, order };
    let (u, kernel) = (u.into_dispatch(), kernel.into_dispatch());
    match skip {
        Some(skip) => fuse([u, kernel, skip.into_dispatch()], operation),
        None => fuse([u, kernel], operation),
    }
}

/// The sum as it stands, by a matrix of L x L for each channel.
fn composition(u: Tensor<3>, kernel: Tensor<2>, skip: Option<Tensor<1>>, order: TimeOrder) -> Tensor<3> {
    let [_, length, d] = u.dims();
    let n_taps = kernel.dims()[1];
    let zeros = Tensor::<2>::zeros([d, 1], (&kernel.device(), kernel.dtype()));
    let padded = Tensor::cat(vec![kernel, zeros], 1); // (d, tap + 1)
    let tap = |at: usize| {
        let (t, s) = (at / length, at % length);
        let lag = if order == TimeOrder::Causal { t.checked_sub(s) } else { s.checked_sub(t) };
        lag.filter(|lag| *lag < n_taps).unwrap_or(n_taps) as i64
    };
    let taps: Vec<i64> = (0..length * length).map(tap).collect();
    let taps = Tensor::<1, Int>::from_data(TensorData::new(taps, [length * length]), &u.device());
    let matrix = padded.select(1, taps).reshape([d, length, length]); // (d, t, s)
    let y = matrix.matmul(u.clone().permute([2, 1, 0])).permute([2, 1, 0]); // (batch, t, d)
    match skip {
        Some(skip) => y + u * skip.unsqueeze::<3>(),
        None => y,
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) n_batch: usize,
    pub(super) length: usize,
    pub(super) d: usize,
    pub(super) n_taps: usize,
    pub(super) order: TimeOrder,
}

/// Up to this many taps are summed directly.
const DIRECT_TAPS: usize = 24;

impl Convolution {
    /// Where step `t` of the causal order lies.
    #[inline(always)]
    pub(super) fn place(self, t: usize) -> usize {
        if self.order == TimeOrder::Causal { t } else { self.length - 1 - t }
    }

    /// Taps that matter.
    pub(super) fn reach(self) -> usize {
        self.n_taps.min(self.length)
    }

    fn is_direct(self) -> bool {
        self.reach() <= DIRECT_TAPS
    }
}

/// What a backward pass gives.
#[derive(Debug, Default)]
pub(super) struct Gradients {
    pub(super) u: Option<Vec<f32>>,
    pub(super) kernel: Option<Vec<f32>>,
}

impl<const N: usize> Operation<N> for Convolution {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_batch, self.length, self.d]
    }

    fn forward(&self, inputs: [&[f32]; N], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let skip = inputs.get(2).copied();
        if self.is_direct() {
            conv_direct::forward(*self, inputs[0], inputs[1], skip, out);
        } else {
            conv_transform::forward(*self, inputs[0], inputs[1], skip, out);
        }
        Vec::new()
    }

    fn reads(&self) -> [bool; N] {
        [true; N]
    }

    fn backward(&self, context: &mut Context<'_, N>) -> [Option<Vec<f32>>; N] {
        let (u, kernel) = (context.inputs[0], context.inputs[1]);
        let skip = context.inputs.get(2).copied();
        let of_skip = (N == 3 && context.wanted[2]).then(|| {
            let mut sums = pool::take_zeros(self.d);
            conv_direct::sum_products(&mut sums, &context.gradient, u);
            sums
        });
        let wanted = [context.wanted[0], context.wanted[1]];
        let Gradients { u: of_u, kernel: of_kernel } = if self.is_direct() {
            conv_direct::backward(*self, u, kernel, skip, &context.gradient, wanted)
        } else {
            conv_transform::backward(*self, u, kernel, skip, std::mem::take(&mut context.gradient), wanted)
        };
        let mut gradients = [of_u, of_kernel, of_skip].into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    fn check_size([n_batch, length, d, n_taps]: [usize; 4]) {
        for order in [TimeOrder::Causal, TimeOrder::Reversed] {
            let conv = |x: &[Tensor<1>]| {
                let u = x[0].clone().reshape([n_batch, length, d]);
                let kernel = x[1].clone().reshape([d, n_taps]);
                fft_conv(u, kernel, x.get(2).cloned(), order).reshape([n_batch * length * d])
            };
            check(&[n_batch * length * d, d * n_taps, d], conv);
            check(&[n_batch * length * d, d * n_taps], conv);
        }
    }

    #[test]
    fn it_is_what_its_composition_is_for_short_kernels_and_sequences() {
        for size in [[1, 1, 1, 1], [2, 5, 3, 2], [3, 40, 17, 7], [1, 9, 8, 30]] {
            check_size(size);
        }
    }

    #[test]
    fn it_is_what_its_composition_is_by_transforms_at_odd_sizes() {
        for size in [[2, 33, 3, 33], [3, 67, 19, 67], [1, 130, 9, 41], [1, 29, 5, 64], [1, 330, 2, 27]] {
            check_size(size);
        }
    }
}
