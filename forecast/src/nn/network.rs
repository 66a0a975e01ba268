//! What a network has to do to be a family: forecast windows of scaled values and what is known beside them.

use burn::module::Module;
use burn::tensor::Tensor;

use super::head::Head;
use super::optimiser::ParameterGroup;
use crate::Result;
use crate::informer::AttentionMap;

/// How a tensor differs from the others in training, by its path in the network: `layers.0.weight`.
pub(crate) type GroupOf = Box<dyn Fn(&str) -> ParameterGroup + Send>;

/// A network that forecasts all channels of a window at once.
pub(crate) trait Network: Module + Sync {
    /// Steps that it sees.
    fn lookback(&self) -> usize;

    /// Steps that it forecasts in one pass.
    fn horizon(&self) -> usize;

    /// The forecast, `(batch, horizon, channel)`.
    fn forward(&self, inputs: Inputs, pass: Pass) -> Tensor<3>;

    /// What its outputs say of a value; a point unless it is said.
    fn head(&self) -> &Head {
        Head::point()
    }

    /// The parameters of its head, `(batch, horizon, channel, parameter)`: what it is trained on.
    fn parameters(&self, inputs: Inputs, pass: Pass) -> Tensor<4> {
        self.forward(inputs, pass).unsqueeze_dim(3)
    }

    /// Whether intervals are those of its head, not of its errors.
    fn has_own_intervals(&self) -> bool {
        false
    }

    /// What its attention layers look at in one window; empty without such layers.
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) only.
    fn attention(&self, _inputs: Inputs) -> Result<Vec<AttentionMap>> {
        Ok(Vec::new())
    }

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
    /// 1 where a value was observed, else 0, of the same shape.
    pub(crate) mask: Tensor<3>,
    /// What is known of the steps seen and of those to forecast, `(batch, lookback + horizon, column)`: what the
    /// calendar says, covariates known ahead, and those that never change; `None` where there is nothing of it.
    pub(crate) known_ahead: Option<Tensor<3>>,
    /// Covariates that are known of the steps seen alone, `(batch, lookback, column)`; `None` where there are none.
    pub(crate) past: Option<Tensor<3>>,
}

impl Inputs {
    /// 1 where a value was observed.
    pub(crate) fn observed(&self) -> Tensor<3> {
        self.mask.clone()
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
