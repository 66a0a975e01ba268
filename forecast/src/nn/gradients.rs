//! The gradients of a network as plain numbers, and their length.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;

use crate::kernels;
use crate::{Error, Result};

/// One entry for each tensor of a network, in its order; `None` for those that have no part in the loss.
#[derive(Debug)]
pub(crate) struct FlatGradients {
    pub(super) of_tensors: Vec<Option<TensorData>>,
}

impl FlatGradients {
    /// The gradients of a network, taken out of those that burn found: nothing is copied.
    ///
    /// # Errors
    /// [`Error::Internal`] if one is not in 32 bits.
    pub(crate) fn new<N: Module>(network: &N, gradients: GradientsParams) -> Result<Self> {
        let mut taker = Taker { gradients, taken: Vec::new() };
        network.visit(&mut taker);
        let taken = taker.taken.into_iter().map(Option::transpose);
        Ok(FlatGradients { of_tensors: taken.collect::<Result<_, String>>().map_err(Error::Internal)? })
    }

    /// The Euclidean length of all gradients together; no number if one of them is none.
    pub(crate) fn norm(&self) -> f64 {
        let slices = self.of_tensors.iter().flatten().filter_map(|data| data.as_slice::<f32>().ok());
        slices.map(sum_of_squares).sum::<f64>().sqrt()
    }
}

/// Their memory is used again by the next step.
impl Drop for FlatGradients {
    fn drop(&mut self) {
        for data in self.of_tensors.drain(..).flatten() {
            kernels::reuse(data);
        }
    }
}

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 16;

/// In chunks of a fixed size, and so the same for any number of threads.
fn sum_of_squares(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(chunk_of_squares).collect();
    sums.into_iter().sum()
}

/// In the order of the numbers modulo eight.
fn chunk_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (eights, rest) = values.as_chunks::<8>();
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for eight in eights {
                for (sum, value) in sums.iter_mut().zip(eight) {
                    *sum += f64::from(*value) * f64::from(*value);
                }
            }
        },
    );
    let rest = rest.iter().map(|value| f64::from(*value).powi(2));
    sums.into_iter().chain(rest).sum()
}

struct Taker {
    gradients: GradientsParams,
    taken: Vec<Option<Result<TensorData, String>>>,
}

impl ModuleVisitor for Taker {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.remove::<D>(param.id);
        let read = |gradient: Tensor<D>| gradient.try_into_data_as::<f32>().map_err(|e| e.to_string());
        self.taken.push(gradient.map(read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Mlp;
    use burn::tensor::Device;

    #[test]
    fn the_norm_is_that_of_all_numbers_and_none_where_one_is_none() {
        let device = Device::flex().autodiff();
        let network = Mlp::new(&[5, 3], 1, &device);
        let of = |input: [f32; 5]| {
            let input = Tensor::<2>::from_data(TensorData::new(input.to_vec(), [1, 5]), &device);
            let gradients = network.forward(input).sum().backward();
            FlatGradients::new(&network, GradientsParams::from_grads(gradients, &network)).unwrap()
        };
        // Three outputs: a weight's gradient is its input, a bias' is 1.
        let flat = of([1.0, -2.0, 3.0, 0.5, 0.0]);
        assert!((flat.norm() - (3.0f64 * (1.0 + 4.0 + 9.0 + 0.25) + 3.0).sqrt()).abs() < 1e-12);
        assert!(of([1.0, f32::NAN, 0.0, 0.0, 0.0]).norm().is_nan());
        // Squares that 32 bits do not hold.
        assert!((of([1e30, 0.0, 0.0, 0.0, 0.0]).norm() / 1e30 - 3.0f64.sqrt()).abs() < 1e-6);
    }
}
