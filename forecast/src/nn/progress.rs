//! What a training tells while it runs, and what it can be told.

use std::time::{Duration, Instant};

/// Something that happened in a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrainingEvent {
    /// A step was taken.
    Step(Progress),
    /// An epoch ended.
    Epoch {
        /// Where the training stands.
        progress: Progress,
        /// The mean loss of validation; `None` if there is none.
        validation: Option<f64>,
        /// True if no epoch so far has a lower loss of validation.
        is_best: bool,
    },
}

/// Where a training stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs in all, if it is not stopped before.
    pub n_epochs: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub n_batches: usize,
    /// The mean loss of the epoch so far.
    pub loss: f64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// The length of all gradients of the last step together, before they are clipped.
    pub gradient_norm: f64,
    /// Windows trained on in a second, without the time of validation.
    pub windows_per_second: f64,
    /// Seconds left if no epoch is left out, at the speed so far.
    pub seconds_left: f64,
}

impl TrainingEvent {
    /// Where the training stands.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        match self {
            TrainingEvent::Step(progress) | TrainingEvent::Epoch { progress, .. } => progress,
        }
    }
}

/// Whether a training goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Control {
    /// It does.
    #[default]
    Continue,
    /// It stops, and what is best so far is its result.
    Stop,
}

/// The time that a training takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    /// Seconds before this run, of a training that is resumed.
    before: f64,
    in_validation: Duration,
    n_steps: usize,
    n_windows: usize,
}

impl Clock {
    pub(super) fn start(before: f64) -> Self {
        let in_validation = Duration::ZERO;
        Clock { started: Instant::now(), before, in_validation, n_steps: 0, n_windows: 0 }
    }

    pub(super) fn count_step(&mut self, n_windows: usize) {
        self.n_steps += 1;
        self.n_windows += n_windows;
    }

    /// What `work` returns; its time is one of validation.
    pub(super) fn validating<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.in_validation += begin.elapsed();
        result
    }

    /// Of this run.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Of all runs.
    pub(super) fn seconds(&self) -> f64 {
        self.before + self.elapsed().as_secs_f64()
    }

    /// Of this run.
    pub(super) fn windows_per_second(&self) -> f64 {
        let seconds = self.elapsed().saturating_sub(self.in_validation).as_secs_f64();
        if seconds > 0.0 { self.n_windows as f64 / seconds } else { 0.0 }
    }

    pub(super) fn seconds_left(&self, n_steps_left: usize) -> f64 {
        self.elapsed().as_secs_f64() / self.n_steps.max(1) as f64 * n_steps_left as f64
    }
}
