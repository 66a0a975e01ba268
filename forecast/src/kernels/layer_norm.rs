//! Layer normalisation of a sum: `y = gain (s - mean s) / sqrt(var s + epsilon) + bias`, `s = x + residual`
//! (Ba et al. 2016, arXiv 1607.06450); the variance is that of the population.

use burn::tensor::Tensor;

/// Each row of `x + residual` with mean 0 and variance 1, times `gain`, plus `bias`.
///
/// # Shapes
/// `x`, `residual` and the result `(row, d)`; `gain` and `bias` `(d)`.
pub(crate) fn layer_norm(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    composition(x, residual, gain, bias, epsilon)
}

fn composition(
    x: Tensor<2>,
    residual: Option<Tensor<2>>,
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let sum = match residual {
        Some(residual) => x + residual,
        None => x,
    };
    let centred = sum.clone() - sum.mean_dim(1); // (row, d)
    let variance = centred.clone().square().mean_dim(1); // (row, 1)
    centred / (variance + epsilon).sqrt() * gain.unsqueeze::<2>() + bias.unsqueeze::<2>()
}
