//! The kernel of SGConv (Li et al. 2022, arXiv 2210.09298): scales side by side, each stretched by linear interpolation,
//! `k = [s_0, s_1, ...]`, `s_i = decay^(S-1-i) / Z upsample(w_i)`, stretched `2^max(i-1, 0)` times.
//!
//! A number of a scale stands in the middle of its stretch; between two middles the kernel is a line, and beyond the
//! first and the last one it is flat. Backward: every number gets the gradients of its lines, weighed as it was.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::register::fuse;

/// The kernel.
///
/// # Shapes
/// `scales` `(d, scale, width)`, nearest lags first; `decay` and `norm`, `Z`, `(d)`, which get no gradient; the result
/// `(d, length)` with a length up to `width 2^(scale - 1)`.
pub(crate) fn multi_scale_kernel(
    scales: Tensor<3>,
    decay: Tensor<1>,
    norm: Tensor<1>,
    length: usize,
) -> Tensor<2> {
    let [d, n_scales, width] = scales.dims();
    let kernel = ScaledKernel { n_scales, width, length };
    if !is_fused(&scales) || d * n_scales * width * length == 0 {
        return composition(scales, decay, norm, kernel);
    }
    fuse([scales.into_dispatch(), decay.into_dispatch(), norm.into_dispatch()], MultiScale { d, kernel })
}

/// By the matrix of all interpolations.
fn composition(scales: Tensor<3>, decay: Tensor<1>, norm: Tensor<1>, kernel: ScaledKernel) -> Tensor<2> {
    let ScaledKernel { n_scales, width, length } = kernel;
    let [d, ..] = scales.dims();
    let options = (&scales.device(), scales.dtype());
    let mut matrix = vec![0.0f64; n_scales * width * length];
    for scale in 0..n_scales {
        let stretch = kernel.stretch(scale);
        for step in 0..width * stretch {
            let lag = kernel.first_lag(scale) + step;
            if lag < length {
                let place = ((step as f64 + 0.5) / stretch as f64 - 0.5).clamp(0.0, (width - 1) as f64);
                let (left, share) = (place.floor(), place - place.floor());
                let right = (left as usize + 1).min(width - 1);
                matrix[(scale * width + left as usize) * length + lag] += 1.0 - share;
                matrix[(scale * width + right) * length + lag] += share;
            }
        }
    }
    let matrix = Tensor::<2>::from_data(TensorData::new(matrix, [n_scales * width, length]), options);
    let powers: Vec<f64> = (0..n_scales).rev().map(|power| power as f64).collect();
    let powers = Tensor::<2>::from_data(TensorData::new(powers, [1, n_scales]), options);
    let decay = decay.detach().unsqueeze_dim::<2>(1).log();
    let weights = (decay * powers).exp() / norm.detach().unsqueeze_dim::<2>(1); // (d, scale)
    let weighed = scales * weights.unsqueeze_dim::<3>(2);
    weighed.reshape([d, n_scales * width]).matmul(matrix)
}

/// The kernel of one channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScaledKernel {
    pub(crate) n_scales: usize,
    pub(crate) width: usize,
    pub(crate) length: usize,
}

impl ScaledKernel {
    /// How many lags a number of a scale stands for.
    fn stretch(self, scale: usize) -> usize {
        1 << scale.saturating_sub(1)
    }

    /// How far the first lag of a line lies behind the number where it begins: half a lag, but for a stretch of one.
    fn middle(self, scale: usize) -> f64 {
        if self.stretch(scale) == 1 { 0.0 } else { 0.5 }
    }

    fn first_lag(self, scale: usize) -> usize {
        if scale == 0 { 0 } else { self.width << (scale - 1) }
    }

    /// What each scale is multiplied by.
    pub(crate) fn weights(self, decay: f64, norm: f64) -> Vec<f64> {
        (0..self.n_scales).rev().map(|power| decay.powi(power as i32) / norm).collect()
    }

    /// The kernel of a channel, `(scale, width)`.
    pub(crate) fn in_64_bits(self, scales: &[f64], weights: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.length];
        self.each_line(|scale, [left, right], lags, shift| {
            let stretch = self.stretch(scale) as f64;
            let [left, right] = [left, right].map(|at| scales[scale * self.width + at] * weights[scale]);
            for (at, k) in out[lags].iter_mut().enumerate() {
                *k = left + (right - left) * ((at + shift) as f64 + self.middle(scale)) / stretch;
            }
        });
        out
    }

    /// Calls with every line: its scale, the numbers at its ends, its lags, and how much of it lies before them. The
    /// flat ends are lines between a number and itself.
    #[inline(always)]
    fn each_line(self, mut line: impl FnMut(usize, [usize; 2], std::ops::Range<usize>, usize)) {
        for scale in 0..self.n_scales {
            let (stretch, first) = (self.stretch(scale), self.first_lag(scale));
            // Lines begin in the middle of a stretch; where it is a single lag, at that lag.
            let half = stretch / 2;
            for at in 0..=self.width {
                let begin = (first + at * stretch + half).saturating_sub(stretch).max(first);
                let end = (first + at * stretch + half).min(first + self.width * stretch).min(self.length);
                let (left, right) = (at.saturating_sub(1), at.min(self.width - 1));
                let whole = (first + at * stretch + half).wrapping_sub(stretch);
                if begin < end {
                    line(scale, [left, right], begin..end, begin.wrapping_sub(whole));
                }
            }
        }
    }
}

#[derive(Debug)]
struct MultiScale {
    d: usize,
    kernel: ScaledKernel,
}

impl MultiScale {
    fn weights(&self, inputs: &[&[f32]; 3], channel: usize) -> Vec<f64> {
        self.kernel.weights(f64::from(inputs[1][channel]), f64::from(inputs[2][channel]))
    }
}

impl Operation<3> for MultiScale {
    fn shape(&self) -> Vec<usize> {
        vec![self.d, self.kernel.length]
    }

    fn forward(&self, inputs: [&[f32]; 3], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let ScaledKernel { n_scales, width, length } = self.kernel;
        let rows = out.par_chunks_mut(length).zip(inputs[0].par_chunks(n_scales * width));
        rows.enumerate().for_each(|(channel, (out, scales))| {
            let weights = self.weights(&inputs, channel);
            self.kernel.each_line(|scale, [left, right], lags, shift| {
                let [left, right] =
                    [left, right].map(|at| (f64::from(scales[scale * width + at]) * weights[scale]) as f32);
                let slope = (right - left) / self.kernel.stretch(scale) as f32;
                let middle = self.kernel.middle(scale) as f32;
                for (at, k) in out[lags].iter_mut().enumerate() {
                    *k = left + slope * ((at + shift) as f32 + middle);
                }
            });
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 3] {
        [false, true, true]
    }

    fn backward(&self, context: &mut Context<'_, 3>) -> [Option<Vec<f32>>; 3] {
        let ScaledKernel { n_scales, width, length } = self.kernel;
        let mut of_scales = pool::take_zeros(self.d * n_scales * width);
        let rows = of_scales.par_chunks_mut(n_scales * width).zip(context.gradient.par_chunks(length));
        rows.enumerate().for_each(|(channel, (out, gradient))| {
            let weights = self.weights(&context.inputs, channel);
            let mut sums = vec![0.0f64; n_scales * width];
            self.kernel.each_line(|scale, [left, right], lags, shift| {
                let (mut total, mut along) = (0.0f64, 0.0f64);
                for (at, g) in gradient[lags].iter().enumerate() {
                    total += f64::from(*g);
                    along += f64::from(*g) * ((at + shift) as f64 + self.kernel.middle(scale));
                }
                let along = along / self.kernel.stretch(scale) as f64;
                sums[scale * width + left] += (total - along) * weights[scale];
                sums[scale * width + right] += along * weights[scale];
            });
            out.iter_mut().zip(sums).for_each(|(to, from)| *to = from as f32);
        });
        [Some(of_scales), None, None]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_at_odd_sizes() {
        for [d, n_scales, width, length] in
            [[1, 1, 2, 2], [2, 3, 5, 20], [3, 4, 4, 27], [1, 6, 3, 96], [2, 2, 7, 9]]
        {
            let decay: Vec<f32> = (0..d).map(|channel| 1.5 + channel as f32 / 4.0).collect();
            let norm: Vec<f32> = (0..d).map(|channel| 2.0 + channel as f32).collect();
            check(&[d * n_scales * width], |x| {
                let device = x[0].device();
                let constant = |values: &[f32]| {
                    let data = TensorData::new(values.to_vec(), [d]);
                    Tensor::<1>::from_data(data, (&device, x[0].dtype()))
                };
                let scales = x[0].clone().reshape([d, n_scales, width]);
                multi_scale_kernel(scales, constant(&decay), constant(&norm), length).reshape([d * length])
            });
        }
    }
}
