//! A trained network: how it forecasts a window, and its tensors.

use ndarray::{Array1, Array2};

use super::config::NeuralArConfig;
use crate::ar::anchor::Anchor;
use crate::ar::stability::unstable_root;
use crate::model::{LagRule, Tensor, Tensors};
use crate::nn::{Layer, forward};
use crate::{Error, Result};

/// A network for every series and channel that has its own.
#[derive(Debug)]
pub(crate) struct NeuralAr {
    /// Inputs are oldest first. Shape `(slot, group)`, row-major; one group where all channels share a network.
    networks: Vec<Vec<Layer>>,
    n_groups: usize,
    /// Subtracted from windows and added to forecasts; none for linear networks, whose weights hold it.
    anchor: Anchor,
}

/// A model from its tensors.
///
/// # Errors
/// [`Error::Internal`] with the tensor whose shape is wrong; the caller knows the file.
pub(crate) fn load(
    config: &NeuralArConfig,
    tensors: &Tensors,
    n_slots: usize,
    n_channels: usize,
) -> Result<NeuralAr> {
    let n_groups = if config.pool_channels == Some(true) { 1 } else { n_channels };
    let n_layers = 1 + config.hidden.as_ref().map_or(0, Vec::len);
    let missing = |name: &str| Error::Internal(format!("tensor {name} is missing"));
    let last = name(n_layers - 1, "biases");
    let n_steps = tensors.get(&last).and_then(|tensor| tensor.shape.last()).copied();
    let n_steps = n_steps.filter(|n| *n > 0).ok_or_else(|| missing(&last))?;
    let get = |name: String, shape: &[usize]| match tensors.get(&name) {
        Some(tensor) if tensor.shape == shape => Ok(tensor.values()),
        Some(tensor) => {
            Err(Error::Internal(format!("tensor {name} has shape {:?} where {shape:?} is due", tensor.shape)))
        }
        None => Err(missing(&name)),
    };
    let mut networks = vec![Vec::with_capacity(n_layers); n_slots * n_groups];
    for (at, pair) in config.widths(n_steps).windows(2).enumerate() {
        let (n_inputs, n_outputs) = (pair[0], pair[1]);
        let weights = get(name(at, "weights"), &[n_slots, n_groups, n_outputs, n_inputs])?;
        let biases = get(name(at, "biases"), &[n_slots, n_groups, n_outputs])?;
        let parts = weights.chunks(n_outputs * n_inputs).zip(biases.chunks(n_outputs));
        for (network, (weights, biases)) in networks.iter_mut().zip(parts) {
            let weights = Array2::from_shape_vec((n_outputs, n_inputs), weights.to_vec());
            let weights = weights.map_err(|error| Error::Internal(error.to_string()))?;
            network.push(Layer { weights, biases: Array1::from_vec(biases.to_vec()) });
        }
    }
    Ok(NeuralAr::new(networks, n_groups, config.anchor.unwrap_or(Anchor::None)))
}

fn name(layer: usize, what: &str) -> String {
    format!("neural_ar.{layer}.{what}")
}

impl NeuralAr {
    /// Networks in the order of series, then groups of channels; all have the same shape.
    pub(super) fn new(networks: Vec<Vec<Layer>>, n_groups: usize, anchor: Anchor) -> Self {
        let is_linear = networks.iter().all(|layers| layers.len() == 1);
        NeuralAr { networks, n_groups, anchor: if is_linear { Anchor::None } else { anchor } }
    }

    fn network(&self, slot: usize, channel: usize) -> Option<&[Layer]> {
        let group = if self.n_groups == 1 { 0 } else { channel };
        if group >= self.n_groups {
            return None;
        }
        self.networks.get(slot * self.n_groups + group).map(Vec::as_slice)
    }

    /// The first steps after a window.
    fn step(&self, layers: &[Layer], window: &[f64], out: &mut [f64]) {
        let anchor = match self.anchor {
            Anchor::None => return forward(layers, window, out),
            Anchor::Last => window[window.len() - 1],
            Anchor::Mean => window.iter().sum::<f64>() / window.len() as f64,
        };
        let input: Vec<f64> = window.iter().map(|x| x - anchor).collect();
        forward(layers, &input, out);
        out.iter_mut().for_each(|y| *y += anchor);
    }
}

impl LagRule for NeuralAr {
    fn lookback(&self) -> usize {
        let first = self.networks.first().and_then(|layers| layers.first());
        first.map_or(1, |layer| layer.weights.ncols())
    }

    fn forecast_channel(&self, slot: usize, channel: usize, window: &[f64], out: &mut [f64]) {
        let Some((layers, last)) = self.network(slot, channel).and_then(|l| Some((l, l.last()?))) else {
            return;
        };
        let n_steps = last.biases.len();
        if out.len() <= n_steps {
            return self.step(layers, window, out);
        }
        // The window slides over its own forecasts, block after block.
        let mut path = Vec::with_capacity(window.len() + out.len());
        path.extend_from_slice(window);
        for block in out.chunks_mut(n_steps) {
            self.step(layers, &path[path.len() - window.len()..], block);
            path.extend_from_slice(block);
        }
    }

    fn tensors(&self) -> Tensors {
        let (n_slots, n_groups) = (self.networks.len() / self.n_groups.max(1), self.n_groups);
        let mut tensors = Tensors::new();
        for at in 0..self.networks.first().map_or(0, Vec::len) {
            let layers = || self.networks.iter().map(|layers| &layers[at]);
            let dims = layers().next().map_or((0, 0), |layer| layer.weights.dim());
            let weights = layers().flat_map(|layer| layer.weights.iter().copied()).collect();
            let biases = layers().flat_map(|layer| layer.biases.iter().copied()).collect();
            let shape = vec![n_slots, n_groups, dims.0, dims.1];
            tensors.insert(name(at, "weights"), Tensor::new(shape, weights));
            let biases = Tensor::new(vec![n_slots, n_groups, dims.0], biases);
            tensors.insert(name(at, "biases"), biases);
        }
        tensors
    }

    fn n_direct_steps(&self) -> usize {
        let last = self.networks.first().and_then(|layers| layers.last());
        last.map_or(1, |layer| layer.biases.len())
    }

    fn coefficients(&self, slot: usize, channel: usize, step: usize) -> Option<(f64, Vec<f64>)> {
        match self.network(slot, channel)? {
            [linear] if step < linear.biases.len() => {
                Some((linear.biases[step], linear.weights.row(step).iter().rev().copied().collect()))
            }
            _ => None,
        }
    }

    fn unstable_root(&self, slot: usize, channel: usize) -> Option<f64> {
        if LagRule::n_direct_steps(self) > 1 {
            return None;
        }
        unstable_root(&LagRule::coefficients(self, slot, channel, 0)?.1)
    }
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    fn layer(n_inputs: usize, weights: &[f64], biases: &[f64]) -> Layer {
        let weights = Array2::from_shape_vec((biases.len(), n_inputs), weights.to_vec()).unwrap();
        Layer { weights, biases: Array1::from_vec(biases.to_vec()) }
    }

    #[test]
    fn one_step_follows_the_recursion_and_several_go_on_block_after_block() {
        // y_t = 1 + 0.5 y_(t-1) - 0.25 y_(t-2).
        let one = NeuralAr::new(vec![vec![layer(2, &[-0.25, 0.5], &[1.0])]], 1, Anchor::None);
        // 1 + y_0 and y_(-1) - y_0.
        let two = NeuralAr::new(vec![vec![layer(2, &[0.0, 1.0, 1.0, -1.0], &[1.0, 0.0])]], 1, Anchor::None);
        for (rule, expected) in [(&one, [4.0, 1.0, 0.5, 1.0, 1.375]), (&two, [9.0, -4.0, -3.0, 13.0, 14.0])] {
            for n in 1..=5 {
                let mut out = vec![0.0; n];
                rule.forecast_channel(0, 0, &[4.0, 8.0], &mut out);
                assert_eq!(out, expected[..n]);
            }
        }
        assert_eq!(LagRule::coefficients(&one, 0, 0, 0), Some((1.0, vec![0.5, -0.25])));
        assert_eq!(LagRule::coefficients(&one, 1, 0, 0), None);
    }

    #[test]
    fn a_linear_recursion_that_grows_is_told_by_its_root() {
        let recursion =
            |weights: &[f64]| NeuralAr::new(vec![vec![layer(2, weights, &[1.0])]], 1, Anchor::None);
        assert_eq!(LagRule::unstable_root(&recursion(&[-0.25, 0.5]), 0, 0), None);
        // y_t = 1.5 y_(t-1): the oldest lag comes first.
        let root = LagRule::unstable_root(&recursion(&[0.0, 1.5]), 0, 0).unwrap();
        assert!((root - 1.5).abs() < 1e-4, "{root}");
        let direct = NeuralAr::new(vec![vec![layer(2, &[0.0, 1.5, 0.0, 2.0], &[0.0, 0.0])]], 1, Anchor::None);
        assert_eq!(LagRule::unstable_root(&direct, 0, 0), None);
    }

    #[test]
    fn networks_with_hidden_layers_subtract_the_anchor_and_add_it() {
        let layers = vec![layer(2, &[1.0, 0.0, -1.0, 0.0], &[0.0, 1.0]), layer(2, &[2.0, 1.0], &[0.5])];
        // Of (4, 8): the last is 8, the window (-4, 0), the hidden layer (0, 5); the mean is 6, (-2, 2), (0, 3).
        for (anchor, expected) in [(Anchor::None, 8.5), (Anchor::Last, 13.5), (Anchor::Mean, 9.5)] {
            let rule = NeuralAr::new(vec![layers.clone()], 1, anchor);
            let mut out = [0.0];
            rule.forecast_channel(0, 0, &[4.0, 8.0], &mut out);
            assert_eq!(out, [expected], "{anchor:?}");
            assert_eq!(LagRule::coefficients(&rule, 0, 0, 0), None);
        }
    }

    #[test]
    fn tensors_are_read_again_and_those_of_another_shape_refused() {
        let networks = (0..4).map(|i| {
            let weights: Vec<f64> = (0..6).map(|w| f64::from(10 * i + w)).collect();
            vec![layer(2, &weights, &[1.0, 2.0, f64::from(i)]), layer(3, &weights, &[0.5, 0.25])]
        });
        let rule = NeuralAr::new(networks.collect(), 2, Anchor::Mean);
        let config = NeuralArConfig {
            order: Some(2),
            hidden: Some(vec![3]),
            anchor: Some(Anchor::Mean),
            ..NeuralArConfig::default()
        };
        let tensors = LagRule::tensors(&rule);
        let again = load(&config, &tensors, 2, 2).unwrap();
        assert_eq!((again.networks, again.n_groups, again.anchor), (rule.networks, 2, Anchor::Mean));
        let other = NeuralArConfig { order: Some(3), ..config.clone() };
        for (config, n_slots, n_channels) in [(&config, 1, 2), (&config, 2, 1), (&other, 2, 2)] {
            let message = load(config, &tensors, n_slots, n_channels).unwrap_err().to_string();
            assert!(message.contains("tensor neural_ar.0.weights has shape"), "{message}");
        }
        let deeper = NeuralArConfig { hidden: Some(vec![3, 3]), ..config };
        assert!(load(&deeper, &tensors, 2, 2).unwrap_err().to_string().contains("is missing"));
    }
}
