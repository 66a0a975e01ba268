//! The mean of squares, `sum of x^2 / n`, in one pass; its gradient is `2 x / n`.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{lanes, pool};

/// Elements that are summed together; sums of these are added in order, so that threads change no bit.
const CHUNK: usize = 1 << 14;

/// The mean of the squares of all elements. Shape: any; the result `(1)`.
pub(crate) fn mean_square<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let n = x.dims().iter().product();
    if !is_fused(&x) || n == 0 {
        return x.square().mean();
    }
    fuse([x.into_dispatch()], MeanSquare { n })
}

#[derive(Debug)]
struct MeanSquare {
    n: usize,
}

impl Operation<1> for MeanSquare {
    fn shape(&self) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let sums: Vec<f64> = x.par_chunks(CHUNK).map(sum_of_squares).collect();
        out[0] = (sums.iter().sum::<f64>() / self.n as f64) as f32;
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [true]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let factor = (2.0 * f64::from(context.gradient[0]) / self.n as f64) as f32;
        let mut gradient = pool::take(self.n);
        let chunks = gradient.par_chunks_mut(CHUNK).zip(context.inputs[0].par_chunks(CHUNK));
        chunks.for_each(|(gradient, x)| {
            lanes::inlined(
                #[inline(always)]
                || gradient.iter_mut().zip(x).for_each(|(gradient, x)| *gradient = factor * x),
            );
        });
        [Some(gradient)]
    }
}

/// Of lanes side by side, then of these.
fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0f32; 32];
    lanes::inlined(
        #[inline(always)]
        || {
            let (whole, rest) = x.as_chunks::<32>();
            for x in whole {
                sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x * x);
            }
            sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += x * x);
        },
    );
    sums.iter().map(|sum| f64::from(*sum)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_at_odd_sizes() {
        for n in [1, 31, 32, 100, CHUNK + 33] {
            check(&[n], |x| mean_square(x[0].clone()));
        }
    }
}
