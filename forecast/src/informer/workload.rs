//! The network and its layers as `workload.rs` measures them.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::InformerConfig;
use super::draws::Draws;
use super::encoder::EncoderLayer;
use super::network::Informer;
use super::pass::{Mode, Pass, Sites};
use super::sequence::Sequence;
use crate::nn::{self, Inputs, Network};

/// The forecast of some windows, as in a fit or, without a step, as by a model.
///
/// Shapes: values `(batch, lookback, channel)`, marks `(batch, lookback + horizon, mark)`.
pub(crate) fn forecast(network: &Informer, [values, marks]: &[Tensor<3>; 2], step: Option<u64>) -> Tensor<3> {
    let pass = step.map_or(nn::Pass::Evaluation, |step| nn::Pass::Training { step });
    let inputs = Inputs {
        values: values.clone(),
        mask: values.ones_like(),
        known_ahead: Some(marks.clone()),
        past: None,
    };
    Network::forward(network, inputs, pass)
}

/// Encoder layers one after the other, without distilling or norm.
#[derive(Module, Debug)]
pub(crate) struct EncoderLayers {
    layers: Vec<EncoderLayer>,
    #[module(skip)]
    config: InformerConfig,
}

impl EncoderLayers {
    /// The layers of a checked configuration.
    pub(crate) fn new(config: &InformerConfig, device: &Device) -> Self {
        let (mut draws, mut sites) = (Draws::new(config.seed, device), Sites::default());
        let layer = |kind| EncoderLayer::new(kind, config, &mut draws, &mut sites);
        let layers = config.encoder_layers.iter().copied().map(layer).collect();
        EncoderLayers { layers, config: config.clone() }
    }

    /// Shapes: `x` and the result `(batch, length, d_model)`.
    pub(crate) fn forward(&self, x: Tensor<3>, step: u64) -> Tensor<3> {
        let pass = Pass::new(&self.config, Mode::training(step));
        self.layers.iter().fold(Sequence::new(x), |x, layer| layer.forward(x, &pass)).steps()
    }
}
