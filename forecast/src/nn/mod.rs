//! What families trained by gradient descent share: the training loop, optimisers, schedules of the learning rate,
//! losses, heads, normalisation, layers.
//!
//! Networks are trained in 32 bits through burn on the CPU, and forecast through plain loops: nothing of burn is
//! needed to load or to run one. A family implements `Task` for its network; the loop is `train`.

mod config;
mod device;
mod family;
mod fit;
mod gradients;
mod head;
pub(crate) mod list;
pub(crate) mod loss;
mod marginal;
mod mlp;
mod network;
mod normaliser;
mod optimiser;
pub(crate) mod parameters;
mod pipeline;
mod progress;
mod report;
mod run;
mod schedule;
mod steps;
mod task;
mod time_limit;
mod trainer;
mod training_state;

#[cfg(test)]
mod experiments;
#[cfg(test)]
mod resume;

pub use config::TrainingConfig;
pub use device::DeviceKind;
pub use head::{HeadKind, IntervalKind, PointLoss};
pub use normaliser::Normalisation;
pub(crate) use normaliser::{Normaliser, WindowMap};
pub use optimiser::OptimiserKind;
pub use progress::{Control, Progress, TrainingEvent};
pub use report::{StopReason, TrainingReport};
pub use schedule::Schedule;
pub use training_state::Begin;

pub(crate) use family::NeuralFamily;
pub(crate) use fit::fit;
pub(crate) use head::{Head, USUAL_LEVELS};
pub(crate) use marginal::Marginal;
pub(crate) use mlp::{Layer, Mlp, forward};
pub(crate) use network::{GroupOf, Inputs, Network, Pass};
pub(crate) use normaliser::last_observed;
pub(crate) use optimiser::ParameterGroup;
pub(crate) use steps::Steps;
pub(crate) use task::{BatchLoss, Task};
pub(crate) use trainer::{TrainOptions, train};
