//! Layers with parameters: linear, normalising, convolving, and the two-layer network after each attention.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::config::FeedForwardActivation;
use super::draws::Draws;
use super::pass::{Pass, Site, Sites};
use crate::kernels::{
    Activation, Affine, Dropout, Packed, dropout, layer_norm, linear_dropped, linear_packed, taps3,
};

/// The constant of layer norm and batch norm in the reference code.
pub(super) const EPSILON: f64 = 1e-5;

/// `y = x W + b`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    /// Shape `(in, out)`.
    pub(super) weight: Param<Tensor<2>>,
    /// Shape `(out)`.
    pub(super) bias: Param<Tensor<1>>,
    #[module(skip)]
    packed: Option<Packed>,
}

impl Linear {
    pub(super) fn new(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        Linear { weight: draws.even([n_in, n_out], n_in), bias: draws.even([n_out], n_in), packed: None }
    }

    /// Lays out its weights for forecasts; they do not change any more.
    pub(super) fn pack(&mut self) {
        self.packed = Some(pack(&mut self.weight));
    }

    /// Weights and bias, unless they are laid out for forecasts.
    pub(super) fn affine(&self) -> Option<Affine> {
        self.packed.is_none().then(|| (self.weight.val(), self.bias.val()))
    }

    /// Shapes: `x` `(row, in)`, the result `(row, out)`.
    pub(super) fn forward(&self, x: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.forward_dropped(x, activation, Dropout::NONE)
    }

    /// The same with dropout.
    pub(super) fn forward_dropped(
        &self,
        x: Tensor<2>,
        activation: Activation,
        dropout: Dropout,
    ) -> Tensor<2> {
        apply((&self.weight, &self.packed), x, self.bias.val(), activation, dropout)
    }
}

/// Weights laid out for forecasts, in place of those that a training changes.
fn pack(weight: &mut Param<Tensor<2>>) -> Packed {
    let none = Tensor::zeros([0, 0], &weight.device());
    Packed::of(std::mem::replace(weight, Param::from_tensor(none)).into_value())
}

fn apply(
    (weight, packed): (&Param<Tensor<2>>, &Option<Packed>),
    x: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
    dropped: Dropout,
) -> Tensor<2> {
    match packed {
        Some(packed) => dropout(linear_packed(x, packed, bias, activation), dropped.rate, dropped.seed),
        None => linear_dropped(x, weight.val(), Some(bias), activation, dropped),
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
    #[module(skip)]
    packed: Option<Packed>,
}

impl Conv {
    pub(super) fn new(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        Self::of(draws.even([3 * n_in, n_out], 3 * n_in), n_in, n_out, draws)
    }

    /// With weights of variance `2 / fan_in`.
    pub(super) fn normal(n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        let deviation = (2.0 / (3 * n_in) as f64).sqrt();
        Self::of(draws.normal([3 * n_in, n_out], deviation), n_in, n_out, draws)
    }

    fn of(weight: Param<Tensor<2>>, n_in: usize, n_out: usize, draws: &mut Draws<'_>) -> Self {
        Conv { weight, bias: draws.even([n_out], 3 * n_in), packed: None }
    }

    /// Lays out its weights for forecasts; they do not change any more.
    pub(super) fn pack(&mut self) {
        self.packed = Some(pack(&mut self.weight));
    }

    /// Shapes: `x` `(batch, length, in)`, the result `(batch, length, out)`.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [n_batch, length, _] = x.dims();
        let [n_out] = self.bias.val().dims();
        let weights = (&self.weight, &self.packed);
        let y = apply(weights, taps3(x), self.bias.val(), Activation::None, Dropout::NONE);
        y.reshape([n_batch, length, n_out])
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

    pub(super) fn pack(&mut self) {
        self.expand.pack();
        self.contract.pack();
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
