//! A linear layer and what follows it: `y = f(x W + b)`.
//!
//! Backward, with `g = dy f'(x W + b)`: `dx = g W^T`, `dW = x^T g`, `db = sum over rows of g`. The forward pass keeps
//! the slopes `f'`, which take the place of the values before the activation.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::register::fuse;
use super::{Activation, lanes, pool};

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
    let ([n_rows, n_in], [_, n_out]) = (x.dims(), weight.dims());
    if !is_fused(&x) || n_rows * n_in * n_out == 0 {
        return composition(x, weight, bias, activation);
    }
    let operation = Linear { n_rows, n_in, n_out, activation };
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => fuse([x, weight, bias.into_dispatch()], operation),
        None => fuse([x, weight], operation),
    }
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
        let Linear { n_rows, n_in, n_out, activation } = *self;
        let x = Matrix::rows(inputs[0], n_rows, n_in);
        let weight = Matrix::rows(inputs[1], n_in, n_out);
        product(MatrixMut::rows(out, n_rows, n_out), (x, weight), 1.0, Write::Over, Threads::All);
        let bias = inputs.get(2).copied();
        let chunk = (CHUNK / n_out).max(1) * n_out;
        if keep == Keep::ForBackward && activation != Activation::None {
            let mut slopes = pool::take(out.len());
            let chunks = out.par_chunks_mut(chunk).zip(slopes.par_chunks_mut(chunk));
            chunks.for_each(|(z, slopes)| activation.apply_with_slopes(z, bias, slopes));
            return vec![slopes];
        }
        if bias.is_some() || activation != Activation::None {
            out.par_chunks_mut(chunk).for_each(|z| activation.apply(z, bias));
        }
        Vec::new()
    }

    fn reads(&self) -> [bool; N] {
        std::array::from_fn(|i| i < 2)
    }

    fn backward(&self, context: &Context<'_, N>) -> [Option<Vec<f32>>; N] {
        let Linear { n_rows, n_in, n_out, .. } = *self;
        let mut bias_gradient = (N == 3 && context.wanted[2]).then(|| pool::take_zeros(n_out));
        let scaled = context.saved.first().map(|slopes| {
            let mut scaled = pool::take(slopes.len());
            let rows = ROWS_OF_A_SUM * n_out;
            let chunks = scaled.par_chunks_mut(rows).zip(context.gradient.par_chunks(rows));
            chunks
                .zip(slopes.par_chunks(rows))
                .for_each(|((out, dy), slope)| lanes::multiply(out, dy, slope));
            scaled
        });
        let g = scaled.as_deref().unwrap_or(context.gradient); // (row, out)
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
}
