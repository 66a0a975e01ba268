//! The numbers of a tensor, in 64 bits.

use burn::tensor::Tensor;
use realfft::num_complex::Complex64;

/// Row-major.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Those of a last axis of real and imaginary part.
pub(super) fn pairs<const D: usize>(tensor: Tensor<D>) -> Vec<Complex64> {
    numbers(tensor).chunks_exact(2).map(|pair| Complex64::new(pair[0], pair[1])).collect()
}
