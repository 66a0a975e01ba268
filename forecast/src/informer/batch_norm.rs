//! Batch norm over all steps of a batch: `y = gain (x - mean) / sqrt(var + epsilon) + bias` (Ioffe and Szegedy 2015,
//! arXiv 1502.03167).
//!
//! While the network learns, mean and variance are those of the batch, and enter running averages with a weight of
//! 0.1; forecasts use the averages, so that a forecast does not depend on what else is in its batch.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
    ParamId,
};
use burn::tensor::{Device, Tensor};

use super::draws::Draws;
use super::layers::EPSILON;
use super::pass::Phase;
use crate::kernels::{Whose, batch_norm, moments};

/// The weight of a batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch norm of each channel.
#[derive(Module, Debug)]
pub(super) struct BatchNorm {
    pub(super) gain: Param<Tensor<1>>,
    pub(super) bias: Param<Tensor<1>>,
    pub(super) mean: Running,
    pub(super) variance: Running,
}

impl BatchNorm {
    pub(super) fn new(d_model: usize, draws: &mut Draws<'_>) -> Self {
        BatchNorm {
            gain: draws.constant([d_model], 1.0),
            bias: draws.constant([d_model], 0.0),
            mean: Running::new(Tensor::zeros([d_model], draws.device())),
            variance: Running::new(Tensor::ones([d_model], draws.device())),
        }
    }

    /// Shapes: `x` and the result `(row, d_model)`.
    pub(super) fn forward(&self, x: Tensor<2>, phase: Phase) -> Tensor<2> {
        let [n_rows, d_model] = x.dims();
        let moments = match phase {
            Phase::Training { .. } => {
                let of_batch = moments(x.clone());
                let row = |at: usize| of_batch.clone().narrow(0, at, 1).reshape([d_model]);
                // The average takes the variance with n - 1; one row has none.
                let unbiased = if n_rows > 1 { n_rows as f64 / (n_rows - 1) as f64 } else { 1.0 };
                self.mean.add(row(0));
                self.variance.add(row(1) * unbiased);
                (of_batch, Whose::Own)
            }
            Phase::Evaluation => {
                (Tensor::stack(vec![self.mean.value(), self.variance.value()], 0), Whose::Given)
            }
        };
        batch_norm(x, moments, self.gain.val(), self.bias.val(), EPSILON)
    }
}

/// A statistic that is updated while the network learns. A clone is a copy with a value of its own, so what is kept
/// of a network does not change as the training goes on.
pub(super) struct Running {
    id: ParamId,
    value: Mutex<Tensor<1>>,
}

impl Running {
    fn new(value: Tensor<1>) -> Self {
        Running::with_id(ParamId::new(), value)
    }

    fn with_id(id: ParamId, value: Tensor<1>) -> Self {
        Running { id, value: Mutex::new(value) }
    }

    fn lock(&self) -> MutexGuard<'_, Tensor<1>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shape `(d_model)`.
    pub(super) fn value(&self) -> Tensor<1> {
        self.lock().clone()
    }

    fn add(&self, of_batch: Tensor<1>) {
        let mut value = self.lock();
        *value = value.clone() * (1.0 - MOMENTUM) + of_batch.detach() * MOMENTUM;
    }

    fn map_value(self, f: impl FnOnce(Tensor<1>) -> Tensor<1>) -> Self {
        Running::with_id(self.id, f(self.value()))
    }
}

impl Clone for Running {
    fn clone(&self) -> Self {
        Running::with_id(self.id, self.value())
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("shape", &self.value().dims()).finish()
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl ModuleDisplay for Running {}

impl ModuleDisplayDefault for Running {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.to_string()).optional()
    }
}

/// It is part of what is saved, but has no gradient.
impl Module for Running {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&Param::initialized(self.id, self.value()));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let mapped = mapper.map_float(Param::initialized(self.id, self.value()));
        Running::with_id(self.id, mapped.into_value().detach().set_require_grad(false))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_value(|value| value.to_device(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        Running::with_id(self.id, self.value().without_autodiff())
    }

    fn train(self) -> Self {
        self.map_value(Tensor::from_inner)
    }
}
