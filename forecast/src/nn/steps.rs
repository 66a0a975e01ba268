//! A training step by step, without the loop around it: for measuring.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::gradients::FlatGradients;
use super::loss::mse;
use super::optimiser::{Optimiser, OptimiserKind, ParameterGroup, Step};
use crate::kernels::Holding;
use crate::{Error, Result};

/// The learning rate of Informer's code.
const RATE: f64 = 1e-4;

/// A network and its optimiser, Adam.
#[derive(Debug)]
pub(crate) struct Steps<N> {
    /// None once a step has failed.
    network: Option<N>,
    optimiser: Optimiser,
    n_steps: u64,
    _memory: Holding,
}

impl<N: Module> Steps<N> {
    /// Of a network on a device with gradients.
    pub(crate) fn new(network: N) -> Self {
        let group = |_: &str| ParameterGroup::default();
        let optimiser = Optimiser::new(&network, OptimiserKind::Adam, 0.0, &group);
        Steps { network: Some(network), optimiser, n_steps: 0, _memory: Holding::begin() }
    }

    /// One step; returns the mean squared error before it. `forward` is told how many steps there were, and returns
    /// forecast and label.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub(crate) fn step(&mut self, forward: impl FnOnce(&N, u64) -> (Tensor<3>, Tensor<3>)) -> Result<f64> {
        let internal = |reason: String| Error::Internal(reason);
        let network =
            self.network.take().ok_or_else(|| internal("a training that has failed".to_string()))?;
        let (forecast, label) = forward(&network, self.n_steps);
        let mask = label.ones_like();
        let loss = mse(forecast, label, mask)?.mean;
        let value = loss.clone().try_into_scalar::<f32>().map_err(|error| internal(error.to_string()))?;
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let gradients = FlatGradients::new(&network, gradients)?;
        if !gradients.norm().is_finite() {
            return Err(internal("a gradient that is no number".to_string()));
        }
        let step = Step { rate: RATE, gradient_share: 1.0 };
        self.network = Some(self.optimiser.step(network, &gradients, step)?);
        self.n_steps += 1;
        Ok(f64::from(value))
    }
}
