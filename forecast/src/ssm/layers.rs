//! Layers around the mixers: affine maps and layer norm, with first weights that follow from a seed alone.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::mix;
use crate::data::random::unit;
use crate::kernels::{Activation, layer_norm, linear};

/// The constant of layer norm.
pub(super) const EPSILON: f64 = 1e-5;

/// `y = x W + b`.
#[derive(Module, Debug)]
pub(super) struct Affine {
    /// Shape `(in, out)`.
    pub(super) weight: Param<Tensor<2>>,
    /// Shape `(out)`.
    pub(super) bias: Param<Tensor<1>>,
}

/// Where the first weights of layers come from, a stream for each.
#[derive(Debug)]
pub(super) struct Streams<'a> {
    seed: u64,
    n_drawn: u64,
    device: &'a Device,
}

impl<'a> Streams<'a> {
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Streams { seed: mix(seed), n_drawn: 0, device }
    }

    pub(super) fn device(&self) -> &'a Device {
        self.device
    }

    /// The seed of the next layer.
    pub(super) fn next(&mut self) -> u64 {
        self.n_drawn += 1;
        mix(self.seed ^ self.n_drawn)
    }
}

impl Affine {
    /// Weights and biases drawn evenly from `-1 / sqrt(in)` to `1 / sqrt(in)` (LeCun et al. 1998, as PyTorch has it).
    pub(super) fn new(n_in: usize, n_out: usize, streams: &mut Streams<'_>) -> Self {
        let (stream, bound) = (streams.next(), 1.0 / (n_in.max(1) as f64).sqrt());
        let draw = |i: usize| ((2.0 * unit(stream, i as u64) - 1.0) * bound) as f32;
        let numbers = |range: std::ops::Range<usize>| range.map(draw).collect::<Vec<f32>>();
        let weight = TensorData::new(numbers(0..n_in * n_out), [n_in, n_out]);
        let bias = TensorData::new(numbers(n_in * n_out..(n_in + 1) * n_out), [n_out]);
        Affine {
            weight: Param::from_data(weight, streams.device),
            bias: Param::from_data(bias, streams.device),
        }
    }

    /// A map to 0 everywhere, from which training begins: forecasts start out as what they are relative to.
    pub(super) fn zeros(n_in: usize, n_out: usize, device: &Device) -> Self {
        let zeros = |n: usize| vec![0.0f32; n];
        Affine {
            weight: Param::from_data(TensorData::new(zeros(n_in * n_out), [n_in, n_out]), device),
            bias: Param::from_data(TensorData::new(zeros(n_out), [n_out]), device),
        }
    }

    /// Shapes: `x` `(row, in)`, the result `(row, out)`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.val(), Some(self.bias.val()), Activation::None)
    }

    /// Shapes: `x` `(batch, length, in)`, the result `(batch, length, out)`.
    pub(super) fn forward_steps(&self, x: Tensor<3>) -> Tensor<3> {
        let [n_batch, length, n_in] = x.dims();
        let y = self.forward(x.reshape([n_batch * length, n_in]));
        let n_out = y.dims()[1];
        y.reshape([n_batch, length, n_out])
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
    pub(super) fn new(d_model: usize, device: &Device) -> Self {
        let numbers = |value: f32| TensorData::new(vec![value; d_model], [d_model]);
        Norm { gain: Param::from_data(numbers(1.0), device), bias: Param::from_data(numbers(0.0), device) }
    }

    /// Shapes: `x` and the result `(batch, length, d_model)`.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let shape @ [n_batch, length, d_model] = x.dims();
        let rows = x.reshape([n_batch * length, d_model]);
        layer_norm(rows, None, self.gain.val(), self.bias.val(), EPSILON).reshape(shape)
    }
}
