//! How a training went.

use serde::{Deserialize, Serialize};

/// How a training went: losses by epoch, which epoch was best, and why it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingReport {
    /// The mean loss of each epoch, the last one up to the time limit, over what it was trained on, each batch before
    /// the step that it led to; without penalties.
    pub losses: Vec<f64>,
    /// The mean loss of validation after each of them; empty without validation.
    pub validation: Vec<f64>,
    /// The learning rate of the last step of each.
    pub learning_rates: Vec<f64>,
    /// The epoch, from 1, whose weights were kept: that with the lowest loss of validation. `None` if they are those
    /// of the last step.
    pub best_epoch: Option<usize>,
    /// Why it ended.
    pub stopped: StopReason,
    /// Steps in all.
    pub n_steps: usize,
    /// Windows trained on, each as often as it was.
    pub n_windows: usize,
    /// Numbers that were trained.
    pub n_parameters: usize,
    /// Seconds in all; of a training that was resumed, those of all its runs up to their last checkpoints.
    pub seconds: f64,
    /// Windows trained on in a second of the last run, without the time of validation.
    pub windows_per_second: f64,
}

/// Why a training ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// All epochs are done.
    #[default]
    Done,
    /// No epoch was better than the best for as many as its patience.
    Patience,
    /// Its time was up.
    TimeLimit,
    /// It was asked to.
    Asked,
}
