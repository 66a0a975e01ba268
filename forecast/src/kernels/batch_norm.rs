//! Batch norm by moments of each column: `y = gain h + bias`, `h = (x - mean) / sqrt(var + epsilon)` with mean and
//! population variance (Ioffe and Szegedy 2015, arXiv 1502.03167).
//!
//! Backward, with `g = dy`: `d bias = sum g`, `d gain = sum g h`, and by the batch's own moments `dx = gain (g - mean g -
//! h mean(g h)) / sqrt(var + epsilon)`, by others `dx = gain g / sqrt(var + epsilon)`; sums and means over rows.

use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{lanes, pool};

/// Mean and population variance of each column, without gradient. Shapes: `x` `(row, d)` with at least one row, the
/// result `(2, d)`.
pub(crate) fn moments(x: Tensor<2>) -> Tensor<2> {
    let x = x.detach();
    let [n_rows, d] = x.dims();
    if is_fused(&x) && n_rows * d > 0 {
        return fuse([x.into_dispatch()], Moments { n_rows, d });
    }
    let mean = x.clone().mean_dim(0); // (1, d)
    let variance = (x - mean.clone()).square().mean_dim(0);
    Tensor::cat(vec![mean, variance], 0)
}

/// Whose moments rows are normed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Their own, through which their gradient goes.
    Own,
    /// Others, such as running averages.
    Given,
}

/// The batch norm of `x`; `moments` have no gradient of their own.
///
/// # Shapes
/// `x` and the result `(row, d)`; `moments` `(2, d)`; `gain` and `bias` `(d)`.
pub(crate) fn batch_norm(
    x: Tensor<2>,
    (moments, whose): (Tensor<2>, Whose),
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let [n_rows, d] = x.dims();
    if is_fused(&x) && n_rows * d > 0 {
        let operation = BatchNorm { n_rows, d, epsilon: epsilon as f32, whose };
        let inputs = [x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch(), moments.into_dispatch()];
        return fuse(inputs, operation);
    }
    let (mean, variance) = match whose {
        Whose::Own => {
            let mean = x.clone().mean_dim(0);
            (mean.clone(), (x.clone() - mean).square().mean_dim(0))
        }
        Whose::Given => (moments.clone().narrow(0, 0, 1).detach(), moments.narrow(0, 1, 1).detach()),
    };
    (x - mean) / (variance + epsilon).sqrt() * gain.unsqueeze::<2>() + bias.unsqueeze::<2>()
}

/// Rows that one thread takes at a time, whose sums are taken in one go.
const ROWS: usize = 256;

#[derive(Debug)]
struct Moments {
    n_rows: usize,
    d: usize,
}

impl Moments {
    /// The mean over rows of a function of each element and its column.
    fn mean(&self, x: &[f32], of: impl Fn(f32, usize) -> f32 + Sync) -> Vec<f32> {
        let sum = |rows: &[f32]| {
            let mut sum = vec![0.0_f32; self.d];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for row in rows.chunks_exact(self.d) {
                        for (column, (sum, x)) in sum.iter_mut().zip(row).enumerate() {
                            *sum += of(*x, column);
                        }
                    }
                },
            );
            sum
        };
        let sums: Vec<Vec<f32>> = x.par_chunks(ROWS * self.d).map(sum).collect();
        let mut total = vec![0.0_f64; self.d];
        for sum in sums {
            total.iter_mut().zip(sum).for_each(|(total, sum)| *total += f64::from(sum));
        }
        total.into_iter().map(|total| (total / self.n_rows as f64) as f32).collect()
    }
}

impl Operation<1> for Moments {
    fn shape(&self) -> Vec<usize> {
        vec![2, self.d]
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (mean, variance) = out.split_at_mut(self.d);
        mean.copy_from_slice(&self.mean(x, |x, _| x));
        variance.copy_from_slice(&self.mean(x, |x, column| (x - mean[column]) * (x - mean[column])));
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [false]
    }

    fn backward(&self, _context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        [None]
    }
}

/// Inputs: x, gain, bias, moments.
#[derive(Debug)]
struct BatchNorm {
    n_rows: usize,
    d: usize,
    epsilon: f32,
    whose: Whose,
}

impl BatchNorm {
    /// What `x - mean` is multiplied by in each column, without the gain.
    fn scales(&self, moments: &[f32]) -> Vec<f32> {
        moments[self.d..].iter().map(|variance| 1.0 / (variance + self.epsilon).sqrt()).collect()
    }
}

impl Operation<4> for BatchNorm {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_rows, self.d]
    }

    fn forward(&self, [x, gain, bias, moments]: [&[f32]; 4], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let d = self.d;
        let factors: Vec<f32> =
            self.scales(moments).iter().zip(gain).map(|(scale, gain)| scale * gain).collect();
        let normed = |out: &mut [f32], x: &[f32]| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                        let columns = factors.iter().zip(moments).zip(bias);
                        for ((out, x), ((factor, mean), bias)) in out.iter_mut().zip(x).zip(columns) {
                            *out = (x - mean) * factor + bias;
                        }
                    }
                },
            );
        };
        out.par_chunks_mut(ROWS * d).zip(x.par_chunks(ROWS * d)).for_each(|(out, x)| normed(out, x));
        Vec::new()
    }

    fn reads(&self) -> [bool; 4] {
        [true, true, false, true]
    }

    fn backward(&self, context: &mut Context<'_, 4>) -> [Option<Vec<f32>>; 4] {
        let d = self.d;
        let [x, gain, _, moments] = context.inputs;
        let (mean, scales) = (&moments[..d], self.scales(moments));
        let chunks = context.gradient.par_chunks(ROWS * d).zip(x.par_chunks(ROWS * d));
        let sums: Vec<Vec<f32>> = chunks
            .map(|(g, x)| {
                let mut sums = vec![0.0_f32; 2 * d];
                let (of_gain, of_bias) = sums.split_at_mut(d);
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for (g, x) in g.chunks_exact(d).zip(x.chunks_exact(d)) {
                            let columns = of_gain.iter_mut().zip(of_bias.iter_mut()).zip(mean);
                            for ((g, x), ((of_gain, of_bias), mean)) in g.iter().zip(x).zip(columns) {
                                *of_gain += g * (x - mean);
                                *of_bias += g;
                            }
                        }
                    },
                );
                sums
            })
            .collect();
        let mut total = vec![0.0; 2 * d];
        sums.iter().for_each(|sums| lanes::add(&mut total, sums));
        let bias_gradient = total.split_off(d);
        let gain_gradient: Vec<f32> = total.iter().zip(&scales).map(|(sum, scale)| sum * scale).collect();
        // By moments of others a value moves nothing but itself.
        let share = if self.whose == Whose::Own { 1.0 / self.n_rows as f32 } else { 0.0 };
        let means: Vec<f32> = bias_gradient.iter().map(|sum| sum * share).collect();
        // h mean(g h) = (x - mean) tilt
        let tilts: Vec<f32> =
            gain_gradient.iter().zip(&scales).map(|(sum, scale)| sum * share * scale).collect();
        let factors: Vec<f32> = scales.iter().zip(gain).map(|(scale, gain)| scale * gain).collect();
        let mut gradient = pool::take(x.len());
        let chunks = gradient.par_chunks_mut(ROWS * d).zip(context.gradient.par_chunks(ROWS * d));
        chunks.zip(x.par_chunks(ROWS * d)).for_each(|((out, g), x)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let rows = out.chunks_exact_mut(d).zip(g.chunks_exact(d)).zip(x.chunks_exact(d));
                    for ((out, g), x) in rows {
                        let columns = mean.iter().zip(&means).zip(tilts.iter().zip(&factors));
                        let elements = out.iter_mut().zip(g).zip(x).zip(columns);
                        for (((out, g), x), ((mean, mean_g), (tilt, factor))) in elements {
                            *out = (g - mean_g - (x - mean) * tilt) * factor;
                        }
                    }
                },
            );
        });
        [Some(gradient), Some(gain_gradient), Some(bias_gradient), None]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{assert_close, check_at, draw, numbers};
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn it_is_what_its_composition_is_by_own_moments_and_by_others() {
        for whose in [Whose::Own, Whose::Given] {
            for [n_rows, d] in [[2, 1], [5, 3], [300, 7], [700, 33]] {
                let inputs: Vec<Vec<f64>> = [n_rows * d, d, d]
                    .into_iter()
                    .enumerate()
                    .map(|(i, n)| draw(n, 50 + i as u64).into_iter().map(|x| 3.0 * x + 0.5).collect())
                    .collect();
                let given: Vec<f64> = draw(2 * d, 60).into_iter().map(|x| 1.5 + x).collect();
                check_at(&inputs, 5e-5, |x| {
                    let rows = x[0].clone().reshape([n_rows, d]);
                    let others = TensorData::new(given.clone(), [2, d]);
                    let of_rows = match whose {
                        Whose::Own => moments(rows.clone()),
                        Whose::Given => Tensor::from_data(others, (&rows.device(), rows.dtype())),
                    };
                    let y = batch_norm(rows, (of_rows, whose), x[1].clone(), x[2].clone(), 1e-5);
                    y.reshape([n_rows * d])
                });
            }
        }
    }

    #[test]
    fn moments_are_those_of_the_definition() {
        let (n_rows, d) = (613, 5);
        let values: Vec<f32> = draw(n_rows * d, 4).into_iter().map(|x| (7.0 + x) as f32).collect();
        let x = Tensor::<2>::from_data(TensorData::new(values.clone(), [n_rows, d]), &Device::flex());
        let column = |c: usize| values.iter().skip(c).step_by(d).map(|x| f64::from(*x));
        let means: Vec<f64> = (0..d).map(|c| column(c).sum::<f64>() / n_rows as f64).collect();
        let variance = |c: usize| column(c).map(|x| (x - means[c]).powi(2)).sum::<f64>() / n_rows as f64;
        let variances: Vec<f64> = (0..d).map(variance).collect();
        let ours = numbers(moments(x));
        assert_close("means", &ours[..d], &means, 1e-6);
        assert_close("variances", &ours[d..], &variances, 1e-5);
    }
}
