//! What a training tells while it runs, and what it can be told.

use std::time::{Duration, Instant};

use super::time_limit::{FEWEST_TIMED, Pace, shortest_timed};

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
    /// Seconds left if no epoch is left out, at the speed so far; at most those to the time limit.
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
    now: fn() -> Instant,
    started: Instant,
    /// Seconds before this run, of a training that is resumed.
    before: f64,
    in_validation: Duration,
    n_validations: u32,
    /// The time of the first step, which sets up what the others find.
    first_step: Duration,
    n_steps: usize,
    n_windows: usize,
}

/// What validation takes of the time of training on as many batches, until it is known: the backward pass, twice the
/// forward pass, is left out.
const VALIDATION_SHARE: f64 = 1.0 / 3.0;

impl Clock {
    pub(super) fn start(now: fn() -> Instant, before: f64) -> Self {
        Clock {
            now,
            started: now(),
            before,
            in_validation: Duration::ZERO,
            n_validations: 0,
            first_step: Duration::ZERO,
            n_steps: 0,
            n_windows: 0,
        }
    }

    pub(super) fn count_step(&mut self, n_windows: usize) {
        self.n_steps += 1;
        self.n_windows += n_windows;
        if self.n_steps == 1 {
            self.first_step = self.in_training();
        }
    }

    /// What `work` returns; its time is one of validation.
    pub(super) fn validating<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = (self.now)();
        let result = work();
        self.in_validation += (self.now)().saturating_duration_since(begin);
        self.n_validations += 1;
        result
    }

    /// Of this run.
    pub(super) fn elapsed(&self) -> Duration {
        (self.now)().saturating_duration_since(self.started)
    }

    fn in_training(&self) -> Duration {
        self.elapsed().saturating_sub(self.in_validation)
    }

    /// How long a step and a pass of validation take; `None` before enough steps were timed for a limit.
    pub(super) fn pace(&self, limit: Duration, n_validation_batches: usize) -> Option<Pace> {
        if self.n_steps < FEWEST_TIMED || self.elapsed() < shortest_timed(limit) {
            return None;
        }
        let timed = self.in_training().saturating_sub(self.first_step).as_secs_f64();
        let step = timed / (self.n_steps - 1) as f64;
        let validation = match self.n_validations {
            0 => VALIDATION_SHARE * step * n_validation_batches as f64,
            n_passes => self.in_validation.as_secs_f64() / f64::from(n_passes),
        };
        Some(Pace { step, validation })
    }

    /// Until this run has taken so long; 0 if it has.
    pub(super) fn seconds_to(&self, limit: Duration) -> f64 {
        limit.saturating_sub(self.elapsed()).as_secs_f64()
    }

    /// Of all runs.
    pub(super) fn seconds(&self) -> f64 {
        self.before + self.elapsed().as_secs_f64()
    }

    /// Of this run.
    pub(super) fn windows_per_second(&self) -> f64 {
        let seconds = self.in_training().as_secs_f64();
        if seconds > 0.0 { self.n_windows as f64 / seconds } else { 0.0 }
    }

    pub(super) fn seconds_left(&self, n_steps_left: usize) -> f64 {
        self.elapsed().as_secs_f64() / self.n_steps.max(1) as f64 * n_steps_left as f64
    }
}
