//! A linear layer and what follows it: `y = f(x W + b)`.

use burn::tensor::Tensor;

use super::Activation;

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
    composition(x, weight, bias, activation)
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
