//! What families trained by gradient descent share: the training loop, schedules of the learning rate, layers.
//!
//! Networks are trained in 32 bits through burn on the CPU, and forecast through plain loops: nothing of burn is
//! needed to load or to run one. A family implements `Task` for its network; the loop is `train`.

mod mlp;
#[allow(dead_code, reason = "the trainer is about to use it")]
mod optimiser;
mod schedule;
mod trainer;

pub(crate) use mlp::{Layer, Mlp, forward};
pub use schedule::Schedule;
pub(crate) use trainer::{BatchLoss, Task, TrainOptions, train};
