//! What a network has to do to be a family: forecast windows of scaled values and what the calendar knows of them.

use burn::module::Module;
use burn::tensor::Tensor;

use super::optimiser::ParameterGroup;

/// How a tensor differs from the others in training, by its path in the network: `layers.0.weight`.
pub(crate) type GroupOf = Box<dyn Fn(&str) -> ParameterGroup>;

/// A network that forecasts all channels of a window at once.
pub(crate) trait Network: Module + Sync {
    /// Steps that it sees.
    fn lookback(&self) -> usize;

    /// Steps that it forecasts in one pass.
    fn horizon(&self) -> usize;

    /// The forecast, `(batch, horizon, channel)`.
    fn forward(&self, inputs: Inputs, pass: Pass) -> Tensor<3>;

    /// How its tensors differ from each other in training.
    fn group(&self) -> GroupOf {
        Box::new(|_| ParameterGroup::default())
    }
}

/// Windows that are forecast.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Scaled, 0 where missing, `(batch, lookback, channel)`.
    pub(crate) values: Tensor<3>,
    /// What is known of the steps seen and of those to forecast, `(batch, lookback + horizon, column)`; `None` where
    /// the calendar says nothing.
    pub(crate) known_ahead: Option<Tensor<3>>,
}

impl Inputs {
    /// 1 where a value was observed. One that is exactly 0, the centre of the training range, counts as missing.
    pub(crate) fn observed(&self) -> Tensor<3> {
        self.values.clone().not_equal_elem(0.0).float()
    }
}

/// Whether a network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// A step of a training, from 0, which makes its random numbers differ from those of the others.
    Training {
        /// Counts the batches of all epochs.
        step: u64,
    },
    /// A forecast: nothing is random but what the seed says.
    Evaluation,
}
