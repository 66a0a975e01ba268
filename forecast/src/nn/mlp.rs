//! Linear layers with ReLU between them: as a network that is trained, and as plain numbers that forecast.
//!
//! `x_(l+1) = max(0, W_l x_l + b_l)`, without the maximum after the last layer.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, ArrayView1};

use crate::data::mix;
use crate::data::random::unit;
use crate::{Error, Result};

/// Layers whose weights can be trained.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    /// The first one sees the input.
    pub(crate) layers: Vec<Linear>,
}

/// A layer in plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    /// Shape `(output, input)`.
    pub(crate) weights: Array2<f64>,
    /// Shape `(output)`.
    pub(crate) biases: Array1<f64>,
}

impl Mlp {
    /// Layers between these widths, the first of which is that of the input. Weights and biases are drawn evenly
    /// from `-1 / sqrt(input)` to `1 / sqrt(input)` (LeCun et al. 1998, as PyTorch has it), by the seed alone.
    pub(crate) fn new(widths: &[usize], seed: u64, device: &Device) -> Self {
        // A stream of its own for each layer.
        let layer = |(at, pair): (usize, &[usize])| {
            let (n_inputs, n_outputs) = (pair[0], pair[1]);
            let bound = 1.0 / (n_inputs as f64).sqrt();
            let stream = mix(mix(seed) ^ at as u64);
            let draw = |i: usize| ((2.0 * unit(stream, i as u64) - 1.0) * bound) as f32;
            let n_weights = n_inputs * n_outputs;
            let tensor = |range: std::ops::Range<usize>| range.map(draw).collect::<Vec<f32>>();
            let weight = TensorData::new(tensor(0..n_weights), [n_inputs, n_outputs]);
            let bias = TensorData::new(tensor(n_weights..n_weights + n_outputs), [n_outputs]);
            Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
        };
        Mlp { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// Shapes: input `(batch, input)`, output `(batch, output)`.
    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len().saturating_sub(1);
        self.layers.iter().enumerate().fold(input, |x, (at, layer)| {
            let x = layer.forward(x);
            if at < last { relu(x) } else { x }
        })
    }

    /// The layers in plain numbers.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub(crate) fn to_layers(&self) -> Result<Vec<Layer>> {
        let layer = |layer: &Linear| {
            let [n_inputs, n_outputs] = layer.weight.val().dims();
            let weights = numbers(layer.weight.val())?;
            let biases =
                layer.bias.as_ref().map_or_else(|| Ok(vec![0.0; n_outputs]), |b| numbers(b.val()))?;
            let weights = Array2::from_shape_vec((n_inputs, n_outputs), weights);
            let weights = weights.map_err(|error| Error::Internal(error.to_string()))?;
            let weights = weights.reversed_axes().as_standard_layout().into_owned();
            Ok(Layer { weights, biases: Array1::from_vec(biases) })
        };
        self.layers.iter().map(layer).collect()
    }
}

/// The numbers of a tensor, row-major.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>> {
    let values = tensor.try_into_vec_as::<f32>().map_err(|error| Error::Internal(error.to_string()))?;
    Ok(values.into_iter().map(f64::from).collect())
}

/// Writes the first outputs of the layers, in 64 bits and always in the same order. Shapes `(input)`, `(output)`;
/// `out` may be shorter than the last layer.
pub(crate) fn forward(layers: &[Layer], input: &[f64], out: &mut [f64]) {
    let Some((last, hidden)) = layers.split_last() else {
        return;
    };
    let mut values = Vec::new();
    for layer in hidden {
        let before = if values.is_empty() { input } else { &values };
        values = (0..layer.biases.len()).map(|at| layer.output(at, before).max(0.0)).collect();
    }
    let before = if hidden.is_empty() { input } else { &values };
    for (at, out) in out.iter_mut().enumerate().take(last.biases.len()) {
        *out = last.output(at, before);
    }
}

impl Layer {
    fn output(&self, at: usize, input: &[f64]) -> f64 {
        self.biases[at] + self.weights.row(at).dot(&ArrayView1::from(input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_forecast_what_the_network_does() {
        let device = Device::flex();
        for widths in [&[5, 3][..], &[7, 11, 2], &[4, 6, 5, 3]] {
            let network = Mlp::new(widths, 3, &device);
            let rows: Vec<f32> = (0..4 * widths[0]).map(|i| ((i * 7) % 11) as f32 / 3.0 - 1.5).collect();
            let input = Tensor::<2>::from_data(TensorData::new(rows.clone(), [4, widths[0]]), &device);
            let expected = numbers(network.forward(input)).unwrap();
            let layers = network.to_layers().unwrap();
            let n_outputs = widths[widths.len() - 1];
            for (row, expected) in rows.chunks(widths[0]).zip(expected.chunks(n_outputs)) {
                let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
                let (mut ours, mut first) = (vec![0.0; n_outputs], [0.0]);
                forward(&layers, &row, &mut ours);
                forward(&layers, &row, &mut first);
                assert_eq!(first[0].to_bits(), ours[0].to_bits());
                assert!(
                    ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5),
                    "{ours:?} {expected:?}"
                );
            }
        }
    }

    #[test]
    fn weights_are_spread_evenly_within_their_bounds_and_differ_between_seeds() {
        let of = |seed| Mlp::new(&[100, 50, 1], seed, &Device::flex()).to_layers().unwrap();
        let layers = of(1);
        assert_eq!((&layers, layers[0].weights.dim(), layers[1].weights.dim()), (&of(1), (50, 100), (1, 50)));
        assert_ne!(layers, of(2));
        let first = layers[0].weights.iter();
        assert!(first.clone().all(|w| w.abs() <= 0.1));
        // The variance of even numbers between -0.1 and 0.1.
        let variance = first.map(|w| w * w).sum::<f64>() / 5_000.0;
        assert!((variance / (0.01 / 3.0) - 1.0).abs() < 0.05, "{variance}");
    }
}
