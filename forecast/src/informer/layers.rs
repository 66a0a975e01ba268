//! Layers with parameters: linear, normalising, convolving, and the two-layer network after each attention.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::config::FeedForwardActivation;
use super::draws::Draws;
use super::pass::{Pass, Site, Sites};
use crate::kernels::{Activation, Dropout, circular_conv3, layer_norm, linear, linear_dropped};

/// The constant of layer norm and batch norm in the reference code.
pub(super) const EPSILON: f64 = 1e-5;

/// `y = x W + b`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    /// Shape `(in, out)`.
    pub(super) weight: Param<Tensor<2>>,
    /// Shape `(out)`.
    pub(super) bias: Param<Tensor<1>>,
}

impl Linear {
    pub(super) fn new(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        Linear { weight: draws.even([n_in, n_out], n_in), bias: draws.even([n_out], n_in) }
    }

    /// Shapes: `x` `(row, in)`, the result `(row, out)`.
    pub(super) fn forward(&self, x: Tensor<2>, activation: Activation) -> Tensor<2> {
        linear(x, self.weight.val(), Some(self.bias.val()), activation)
    }

    /// The same with dropout.
    pub(super) fn forward_dropped(
        &self,
        x: Tensor<2>,
        activation: Activation,
        dropout: Dropout,
    ) -> Tensor<2> {
        linear_dropped(x, self.weight.val(), Some(self.bias.val()), activation, dropout)
    }
}

/// Layer norm.
#[derive(Module, Debug)]
pub(super) struct Norm {
    /// Shape `(d_model)`.
    pub(super) gain: Param<Tensor<1>>,
    /// Shape `(d_model)`.
    pub(super) bias: Param<Tensor<1>>,
}

impl Norm {
    pub(super) fn new(d_model: usize, draws: &mut Draws<'_>) -> Self {
        Norm { gain: draws.constant([d_model], 1.0), bias: draws.constant([d_model], 0.0) }
    }

    /// The norm of `x`, or of `x + residual`; shapes `(row, d_model)`.
    pub(super) fn forward(&self, x: Tensor<2>, residual: Option<Tensor<2>>) -> Tensor<2> {
        layer_norm(x, residual, self.gain.val(), self.bias.val(), EPSILON)
    }
}

/// A convolution of three steps around a circle.
#[derive(Module, Debug)]
pub(super) struct Conv {
    /// Shape `(3 * in, out)`: the previous step, the same, the next.
    pub(super) weight: Param<Tensor<2>>,
    /// Shape `(out)`.
    pub(super) bias: Param<Tensor<1>>,
}

impl Conv {
    pub(super) fn new(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        Conv { weight: draws.even([3 * n_in, n_out], 3 * n_in), bias: draws.even([n_out], 3 * n_in) }
    }

    /// With weights of variance `2 / fan_in`.
    pub(super) fn normal(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        let deviation = (2.0 / (3 * n_in) as f64).sqrt();
        Conv { weight: draws.normal([3 * n_in, n_out], deviation), bias: draws.even([n_out], 3 * n_in) }
    }

    /// Shapes: `x` `(batch, length, in)`, the result `(batch, length, out)`.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        circular_conv3(x, self.weight.val(), Some(self.bias.val()))
    }
}

/// `LN(x + W_2 f(W_1 x + b_1) + b_2)`, with dropout after each layer.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    pub(super) expand: Linear,
    pub(super) contract: Linear,
    pub(super) norm: Norm,
    #[module(skip)]
    activation: FeedForwardActivation,
    #[module(skip)]
    sites: [Site; 2],
}

impl FeedForward {
    pub(super) fn new(
        d_model: usize,
        d_ff: usize,
        activation: FeedForwardActivation,
        draws: &mut Draws<'_>,
        sites: &mut Sites,
    ) -> Self {
        FeedForward {
            expand: Linear::new(d_model, d_ff, draws),
            contract: Linear::new(d_ff, d_model, draws),
            norm: Norm::new(d_model, draws),
            activation,
            sites: [sites.next(), sites.next()],
        }
    }

    /// Shapes: `x` and the result `(row, d_model)`.
    pub(super) fn forward(&self, x: Tensor<2>, pass: &Pass<'_>) -> Tensor<2> {
        let activation = match self.activation {
            FeedForwardActivation::Relu => Activation::Relu,
            FeedForwardActivation::Gelu => Activation::Gelu,
        };
        let [first, second] = self.sites.map(|site| pass.dropout_at(site));
        let y = self.expand.forward_dropped(x.clone(), activation, first); // (row, d_ff)
        let y = self.contract.forward_dropped(y, Activation::None, second); // (row, d_model)
        self.norm.forward(y, Some(x))
    }
}
