//! What a network is trained on: batches, their losses, and what is added to their gradients.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::optimiser::ParameterGroup;
use crate::data::WindowOrder;
use crate::{Error, Result};

/// What a network is trained on.
///
/// Everything random depends on the order of the epoch (its seed and its number) and the number of the batch, never
/// on the batches before: training may begin in the middle of an epoch.
pub(crate) trait Task<N: Module>: Send {
    /// Batches of an epoch, at least 1.
    fn n_batches(&self) -> usize;

    /// Begins an epoch whose windows come in this order.
    fn begin_epoch(&mut self, order: WindowOrder);

    /// The loss of a batch of the epoch, by its number from 0.
    fn loss(&mut self, network: &N, batch_idx: usize) -> Result<BatchLoss>;

    /// Batches of validation; 0 for none.
    fn n_validation_batches(&self) -> usize {
        0
    }

    /// The loss of a batch of validation, by its number from 0, of a network without gradients, to whose
    /// [`device`](super::device) its inputs have to go.
    ///
    /// # Errors
    /// As [`Task::loss`].
    fn validation_loss(&mut self, _network: &N, _batch_idx: usize) -> Result<BatchLoss> {
        Err(Error::Internal("no validation".to_string()))
    }

    /// Adds to the gradients what is no part of the loss; `progress` is the share of all steps that are done.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    fn regularise(&self, _network: &N, _gradients: &mut GradientsParams, _progress: f64) -> Result<()> {
        Ok(())
    }

    /// How a tensor differs from the others in training, by its path in the network: `layers.0.weight`.
    fn group(&self, _path: &str) -> ParameterGroup {
        ParameterGroup::default()
    }
}

/// The mean loss of a batch.
#[derive(Debug)]
pub(crate) struct BatchLoss {
    /// Shape `(1)`.
    pub(crate) mean: Tensor<1>,
    /// What it counts for in the mean of an epoch: its valid values, or its windows. A batch of weight 0 takes no
    /// step.
    pub(crate) weight: f64,
    /// Its windows.
    pub(crate) n_rows: usize,
}
