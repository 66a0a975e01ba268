//! What families trained by gradient descent share: the training loop, optimisers, schedules of the learning rate,
//! losses, heads, normalisation, layers.
//!
//! Networks are trained in 32 bits through burn on the CPU, and forecast through plain loops: nothing of burn is
//! needed to load or to run one. A family implements `Task` for its network; the loop is `train`.

mod config;
mod family;
mod fit;
mod gradients;
mod mlp;
mod network;
mod optimiser;
pub(crate) mod parameters;
mod progress;
mod report;
mod run;
mod schedule;
mod task;
mod trainer;
mod training_state;

// What the first family beyond `neural-ar` takes up.
#[allow(dead_code)]
mod head;
pub(crate) mod loss;
#[allow(dead_code)]
mod marginal;
#[allow(dead_code)]
mod normaliser;
mod pipeline;

#[cfg(test)]
mod experiments;
#[cfg(test)]
mod resume;

pub use config::TrainingConfig;
pub use head::{HeadKind, PointLoss};
pub use normaliser::Normalisation;
pub(crate) use normaliser::Normaliser;
pub use optimiser::OptimiserKind;
pub use progress::{Control, Progress, TrainingEvent};
pub use report::{StopReason, TrainingReport};
pub use schedule::Schedule;
pub use training_state::Begin;

pub(crate) use family::NeuralFamily;
pub(crate) use fit::fit;
pub(crate) use mlp::{Layer, Mlp, forward};
pub(crate) use network::{Inputs, Network, Pass};
pub(crate) use optimiser::ParameterGroup;
pub(crate) use task::{BatchLoss, Task};
pub(crate) use trainer::{TrainOptions, train};
