//! A linear layer and what follows it: `y = m f(x W + b)`, with the factors `m` of dropout if there is any.
//!
//! Backward, with `g = dy m f'(x W + b)`: `dx = g W^T`, `dW = x^T g`, `db = sum over rows of g`. The forward pass keeps
//! the slopes `m f'`, which take the place of the values before the activation; without one the factors are drawn
//! again. Rows that are added stand for positions and have no gradient.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::dropout::{self, Draws};
use super::fused::{Context, Keep, Operation, is_fused};
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::register::fuse;
use super::{Activation, Dropout, lanes, pool};

/// `f(x weight + bias)`.
///
/// # Shapes
/// `x` `(row, in)`, `weight` `(in, out)`, `bias` `(out)`; the result `(row, out)`.
pub(crate) fn linear(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    linear_dropped(x, weight, bias, activation, Dropout::NONE)
}

/// `f(x weight + bias)` with some elements set to 0, as by [`dropout`](super::dropout). Shapes as of [`linear`].
pub(crate) fn linear_dropped(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
    dropout: Dropout,
) -> Tensor<2> {
    let ([n_rows, n_in], [_, n_out]) = (x.dims(), weight.dims());
    let draws = dropout.draws();
    if !is_fused(&x) || n_rows * n_in * n_out == 0 {
        let y = composition(x, weight, bias, activation);
        return draws.map_or(y.clone(), |draws| dropout::composition(y, draws));
    }
    let operation = Linear { n_rows, n_in, n_out, activation, draws };
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => fuse([x, weight, bias.into_dispatch()], operation),
        None => fuse([x, weight], operation),
    }
}

/// `x weight + bias + rows`, where `rows` begin anew with every sequence of the batch, with dropout; `rows` have no
/// gradient.
///
/// # Shapes
/// As of [`linear`], and `rows` `(length, out)`, where the rows of `x` are a multiple of `length`.
pub(crate) fn linear_at(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    rows: Tensor<2>,
    dropout: Dropout,
) -> Tensor<2> {
    let ([n_rows, n_in], [_, n_out], [length, _]) = (x.dims(), weight.dims(), rows.dims());
    let draws = dropout.draws();
    if !is_fused(&x) || n_rows * n_in * n_out * length == 0 {
        let y = composition(x, weight, Some(bias), Activation::None);
        let rows = rows.detach().repeat_dim(0, n_rows / length.max(1));
        let y = y + rows;
        return draws.map_or(y.clone(), |draws| dropout::composition(y, draws));
    }
    let operation = Linear { n_rows, n_in, n_out, activation: Activation::None, draws };
    fuse([x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), rows.into_dispatch()], operation)
}

fn composition(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<2> {
    let product = x.matmul(weight); // (row, out)
    let sum = match bias {
        Some(bias) => product + bias.unsqueeze::<2>(),
        None => product,
    };
    activation.composition(sum)
}

#[derive(Debug)]
struct Linear {
    n_rows: usize,
    n_in: usize,
    n_out: usize,
    activation: Activation,
    draws: Option<Draws>,
}

/// Elements that one thread takes at a time, about.
const CHUNK: usize = 1 << 15;

/// Rows whose gradients are summed in one go.
const ROWS_OF_A_SUM: usize = 256;

impl<const N: usize> Operation<N> for Linear {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_rows, self.n_out]
    }

    fn forward(&self, inputs: [&[f32]; N], out: &mut [f32], keep: Keep) -> Vec<Vec<f32>> {
        let Linear { n_rows, n_in, n_out, activation, draws } = *self;
        let x = Matrix::rows(inputs[0], n_rows, n_in);
        let weight = Matrix::rows(inputs[1], n_in, n_out);
        product(MatrixMut::rows(out, n_rows, n_out), (x, weight), 1.0, Write::Over, Threads::All);
        let bias = inputs.get(2).copied();
        let chunk = (CHUNK / n_out).max(1) * n_out;
        if keep == Keep::ForBackward && activation != Activation::None {
            let mut slopes = pool::take(out.len());
            let chunks = out.par_chunks_mut(chunk).zip(slopes.par_chunks_mut(chunk));
            chunks.enumerate().for_each(|(at, (z, slopes))| {
                activation.apply_with_slopes(z, bias, slopes);
                if let Some(draws) = draws {
                    draws.multiply_in_place(at * chunk, z);
                    draws.multiply_in_place(at * chunk, slopes);
                }
            });
            return vec![slopes];
        }
        if bias.is_some() || activation != Activation::None || draws.is_some() {
            out.par_chunks_mut(chunk).enumerate().for_each(|(at, z)| {
                activation.apply(z, bias);
                if let Some(rows) = inputs.get(3) {
                    lanes::add_around(z, rows, at * chunk);
                }
                if let Some(draws) = draws {
                    draws.multiply_in_place(at * chunk, z);
                }
            });
        }
        Vec::new()
    }

    fn reads(&self) -> [bool; N] {
        std::array::from_fn(|i| i < 2)
    }

    fn backward(&self, context: &mut Context<'_, N>) -> [Option<Vec<f32>>; N] {
        let Linear { n_rows, n_in, n_out, draws, .. } = *self;
        let mut bias_gradient = (N > 2 && context.wanted[2]).then(|| pool::take_zeros(n_out));
        let dropped = draws.filter(|_| context.saved.is_empty()).map(|draws| {
            let mut dropped = pool::take(context.gradient.len());
            draws.multiply(&mut dropped, &context.gradient);
            dropped
        });
        let scaled = context.saved.first().map(|slopes| {
            let mut scaled = pool::take(slopes.len());
            let rows = ROWS_OF_A_SUM * n_out;
            let chunks = scaled.par_chunks_mut(rows).zip(context.gradient.par_chunks(rows));
            chunks
                .zip(slopes.par_chunks(rows))
                .for_each(|((out, dy), slope)| lanes::multiply(out, dy, slope));
            scaled
        });
        let scaled = scaled.or(dropped);
        let g = scaled.as_deref().unwrap_or(&context.gradient); // (row, out)
        if let Some(gradient) = &mut bias_gradient {
            sum_rows(gradient, g);
        }
        let g = Matrix::rows(g, n_rows, n_out);
        let x_gradient = context.wanted[0].then(|| {
            let mut gradient = pool::take(n_rows * n_in);
            let weight = Matrix::rows(context.inputs[1], n_in, n_out).transposed();
            let out = MatrixMut::rows(&mut gradient, n_rows, n_in);
            product(out, (g, weight), 1.0, Write::Over, Threads::All);
            gradient
        });
        let weight_gradient = context.wanted[1].then(|| {
            let mut gradient = pool::take(n_in * n_out);
            let x = Matrix::rows(context.inputs[0], n_rows, n_in).transposed();
            let out = MatrixMut::rows(&mut gradient, n_in, n_out);
            product(out, (x, g), 1.0, Write::Over, Threads::All);
            gradient
        });
        scaled.into_iter().for_each(pool::give);
        let mut gradients = [x_gradient, weight_gradient, bias_gradient].into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}

/// `out += sum of the rows of x`, first within blocks of rows, then over blocks: the same order for any number of
/// threads.
pub(super) fn sum_rows(out: &mut [f32], x: &[f32]) {
    let width = out.len();
    let sum = |rows: &[f32]| {
        let mut sum = vec![0.0; width];
        lanes::add(&mut sum, rows);
        sum
    };
    let sums: Vec<Vec<f32>> = x.par_chunks(ROWS_OF_A_SUM * width).map(sum).collect();
    sums.iter().for_each(|sum| lanes::add(out, sum));
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn every_activation_with_and_without_bias_is_what_its_composition_is() {
        use Activation::{Elu, Gelu, Relu};
        for activation in [Activation::None, Relu, Gelu, Elu] {
            for [n_rows, n_in, n_out] in [[1, 1, 1], [5, 3, 7], [13, 17, 33], [300, 67, 71]] {
                let linear = |x: &[Tensor<1>]| {
                    let bias = x.get(2).cloned();
                    let (x, weight) = (x[0].clone().reshape([n_rows, n_in]), x[1].clone());
                    linear(x, weight.reshape([n_in, n_out]), bias, activation).reshape([n_rows * n_out])
                };
                check(&[n_rows * n_in, n_in * n_out, n_out], linear);
                check(&[n_rows * n_in, n_in * n_out], linear);
            }
        }
    }

    #[test]
    fn dropout_after_it_is_that_of_an_operation_of_its_own() {
        let dropped = Dropout { rate: 0.3, seed: 9 };
        for activation in [Activation::None, Activation::Gelu] {
            for [n_rows, n_in, n_out] in [[5, 3, 7], [700, 9, 71]] {
                let parts = |x: &[Tensor<1>]| {
                    (
                        x[0].clone().reshape([n_rows, n_in]),
                        x[1].clone().reshape([n_in, n_out]),
                        Some(x[2].clone()),
                    )
                };
                let fused = |x: &[Tensor<1>]| {
                    let (x, weight, bias) = parts(x);
                    linear_dropped(x, weight, bias, activation, dropped).reshape([n_rows * n_out])
                };
                check(&[n_rows * n_in, n_in * n_out, n_out], fused);
                let inputs: Vec<Tensor<1>> = [n_rows * n_in, n_in * n_out, n_out]
                    .into_iter()
                    .map(|n| Tensor::<1>::ones([n], &burn::tensor::Device::flex()))
                    .collect();
                let (x, weight, bias) = parts(&inputs);
                let apart =
                    super::super::dropout(linear(x, weight, bias, activation), dropped.rate, dropped.seed);
                assert_eq!(fused(&inputs).into_data(), apart.reshape([n_rows * n_out]).into_data());
            }
        }
    }

    #[test]
    fn rows_are_added_to_every_sequence() {
        for [n_batch, length, n_in, n_out] in [[1, 1, 2, 3], [3, 5, 2, 7], [40, 96, 3, 33]] {
            let n_rows = n_batch * length;
            for rate in [0.0, 0.2] {
                check(&[n_rows * n_in, n_in * n_out, n_out], |x| {
                    let (rows, weight) = (x[0].clone().reshape([n_rows, n_in]), x[1].clone());
                    let position: Vec<f32> = (0..length * n_out).map(|i| (i % 17) as f32 / 16.0).collect();
                    let position = burn::tensor::TensorData::new(position, [length, n_out]);
                    let position = Tensor::<2>::from_data(position, (&x[0].device(), x[0].dtype()));
                    let dropped = Dropout { rate, seed: 3 };
                    let weight = weight.reshape([n_in, n_out]);
                    linear_at(rows, weight, x[2].clone(), position, dropped).reshape([n_rows * n_out])
                });
            }
        }
    }
}
