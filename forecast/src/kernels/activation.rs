//! What follows a linear layer, element by element.

use burn::tensor::{Tensor, activation};

/// A function of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x`.
    None,
    /// `max(0, x)`.
    Relu,
    /// `x Phi(x) = x (1 + erf(x / sqrt 2)) / 2`, exactly (Hendrycks and Gimpel 2016, arXiv 1606.08415).
    Gelu,
    /// `x` where it is positive, else `exp(x) - 1` (Clevert et al. 2016, arXiv 1511.07289).
    Elu,
}

/// `x` where it is positive, else `exp(x) - 1`; the same shape.
pub(crate) fn elu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Activation::Elu.composition(x)
}

impl Activation {
    /// The function by burn's operations.
    pub(super) fn composition<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::None => x,
            Activation::Relu => activation::relu(x),
            Activation::Gelu => activation::gelu(x),
            Activation::Elu => activation::elu(x, 1.0),
        }
    }
}
