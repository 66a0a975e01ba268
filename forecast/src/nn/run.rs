//! A training under way: steps, ends of epochs, checkpoints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::gradients::FlatGradients;
use super::optimiser::{Optimiser, Step};
use super::parameters;
use super::progress::{Clock, Control, Progress, TrainingEvent};
use super::report::StopReason;
use super::task::Task;
use super::time_limit::places_ahead;
use super::trainer::TrainOptions;
use super::training_state::{Begin, Position, TrainingState, load, save};
use crate::data::WindowOrder;
use crate::kernels::{Holding, lead};
use crate::model::Cancel;
use crate::{Error, Result};

/// Between steps, what there is besides the network.
pub(super) struct Run<'a, N> {
    options: &'a TrainOptions<'a>,
    /// Of the checkpoint: the caller's settings and the trainer's.
    about: BTreeMap<String, String>,
    optimiser: Optimiser,
    /// The network of the best epoch, without gradients.
    pub(super) best: Option<N>,
    pub(super) position: Position,
    pub(super) clock: Clock,
    n_batches: usize,
    n_validation_batches: usize,
    /// Of the last step.
    gradient_norm: f64,
    saved: Instant,
    /// Steps since the checkpoint was written.
    n_unsaved: usize,
    /// Each step needs the memory of the one before.
    _memory: Holding,
}

/// Epochs that take less than this share one checkpoint.
const SHORTEST_BETWEEN: Duration = Duration::from_secs(1);

impl<'a, N: Module> Run<'a, N> {
    /// At the start, or where the checkpoint is.
    pub(super) fn begin(
        mut network: N,
        task: &impl Task<N>,
        options: &'a TrainOptions<'a>,
    ) -> Result<(Self, N)> {
        let (n_batches, n_validation_batches) = (task.n_batches(), task.n_validation_batches());
        let group = |path: &str| task.group(path);
        let mut optimiser = Optimiser::new(&network, options.optimiser, options.weight_decay, &group);
        let about = about(options, n_batches, n_validation_batches);
        let (mut best, mut position) = (None, Position::default());
        if let Some(checkpoint) = options.checkpoint.filter(|checkpoint| checkpoint.begin == Begin::Resume)
            && let Some(state) = load(checkpoint.path, &about, &parameters::read(&network)?)?
        {
            network = parameters::write(network, state.network)?;
            best = state.best.map(|best| parameters::write(network.valid(), best)).transpose()?;
            optimiser.restore(state.moments)?;
            position = state.position;
        }
        let clock = Clock::start(options.now, position.report.seconds);
        let saved = Instant::now();
        let (gradient_norm, n_unsaved) = (0.0, 0);
        let run = Run {
            options,
            about,
            optimiser,
            best,
            position,
            clock,
            n_batches,
            n_validation_batches,
            gradient_norm,
            saved,
            n_unsaved,
            _memory: Holding::begin(),
        };
        Ok((run, network))
    }

    /// What is left of an epoch, and why it is the last one.
    pub(super) fn epoch(
        &mut self,
        mut network: N,
        task: &mut impl Task<N>,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<(N, Option<StopReason>)> {
        let (epoch, seed) = (self.position.epoch, self.options.seed);
        task.begin_epoch(WindowOrder::Shuffled { seed, epoch: epoch as u64 });
        while self.position.batch_idx < self.n_batches {
            network = lead(|| self.step(network, task))?;
            let mut stopped = asked(watch(&TrainingEvent::Step(self.progress())));
            if self.check_cancelled().is_err() {
                stopped = Some(StopReason::Asked);
            }
            if self.is_out_of_time() && stopped.is_none() {
                stopped = Some(StopReason::TimeLimit);
                self.position.places_ahead = 0.0;
                // What goes on later goes on from here; what is kept today is the best, this part of an epoch among it.
                self.save(&network)?;
                self.end_epoch(&network, task)?;
                self.n_unsaved = 0;
            }
            if stopped.is_some() {
                return Ok((network, stopped));
            }
            if self.options.checkpoint.is_some_and(|checkpoint| self.saved.elapsed() >= checkpoint.every) {
                self.save(&network)?;
            }
        }
        let progress = self.progress();
        let ended = self.end_epoch(&network, task);
        if matches!(ended, Err(Error::Cancelled)) {
            // What goes on later begins with this validation.
            self.save(&network)?;
        }
        let (validation, is_best) = ended?;
        let has_more = self.position.epoch < self.options.n_epochs;
        let stopped = (has_more && self.is_out_of_time()).then_some(StopReason::TimeLimit);
        if stopped.is_some() {
            self.position.places_ahead = 0.0;
        }
        if self.saved.elapsed() >= SHORTEST_BETWEEN {
            self.save(&network)?;
        }
        let event = TrainingEvent::Epoch { progress, validation, is_best };
        Ok((network, asked(watch(&event)).or(stopped)))
    }

    /// The network after one step.
    fn step(&mut self, mut network: N, task: &mut impl Task<N>) -> Result<N> {
        let TrainOptions { n_epochs, learning_rate, schedule, clip, .. } = *self.options;
        let Position { epoch, batch_idx, .. } = self.position;
        let at = epoch * self.n_batches + batch_idx;
        let n_steps = self.n_batches.saturating_mul(n_epochs);
        let loss = task.loss(&network, batch_idx)?;
        if loss.weight > 0.0 {
            let mean = self.finite("loss", scalar(&loss.mean)?)?;
            self.position.loss_sum += mean * loss.weight;
            self.position.weight_sum += loss.weight;
            let mut gradients = GradientsParams::from_grads(loss.mean.backward(), &network);
            task.regularise(&network, &mut gradients, at as f64 / n_steps as f64)?;
            let gradients = FlatGradients::new(&network, gradients)?;
            let norm = self.finite("gradient", gradients.norm())?;
            let gradient_share = clip.map_or(1.0, |clip| if norm > clip { clip / norm } else { 1.0 });
            let ahead = self.position.places_ahead;
            let rate = learning_rate * schedule.share_ahead(at, ahead, self.n_batches, n_epochs);
            let rate = rate * self.position.plateau.share(schedule);
            network = self.optimiser.step(network, &gradients, Step { rate, gradient_share })?;
            (self.position.learning_rate, self.gradient_norm) = (rate, norm);
            self.position.report.n_steps += 1;
        }
        self.position.report.n_windows += loss.n_rows;
        self.position.batch_idx += 1;
        self.clock.count_step(loss.n_rows);
        self.position.places_ahead =
            places_ahead(self.position.places_ahead, at + 1, n_steps, self.n_fitting());
        self.n_unsaved += 1;
        Ok(network)
    }

    /// How many more steps begin before the time limit; `None` without one, and before enough were timed.
    fn n_fitting(&self) -> Option<f64> {
        let limit = self.options.time_limit?;
        let pace = self.clock.pace(limit, self.n_validation_batches)?;
        let n_batches_left = self.n_batches - self.position.batch_idx;
        Some(pace.n_fitting(self.clock.seconds_to(limit), n_batches_left, self.n_batches))
    }

    /// Validates, keeps the best weights, and goes on to the next epoch.
    fn end_epoch(&mut self, network: &N, task: &mut impl Task<N>) -> Result<(Option<f64>, bool)> {
        let mut clock = self.clock;
        let validation = clock.validating(|| self.validate(network, task))?;
        self.clock = clock;
        let position = &mut self.position;
        let loss = position.loss();
        let is_best = validation.is_some_and(|loss| position.best_loss.is_none_or(|best| loss < best));
        if is_best {
            (position.best_loss, position.report.best_epoch) = (validation, Some(position.epoch + 1));
            self.best = Some(network.valid());
        }
        position.plateau.observe(validation.unwrap_or(loss));
        position.report.losses.push(loss);
        position.report.validation.extend(validation);
        position.report.learning_rates.push(position.learning_rate);
        (position.epoch, position.batch_idx) = (position.epoch + 1, 0);
        (position.loss_sum, position.weight_sum) = (0.0, 0.0);
        self.n_unsaved += 1;
        Ok((validation, is_best))
    }

    /// The mean loss of validation, each batch with its weight; `None` if there is nothing to validate on.
    fn validate(&self, network: &N, task: &mut impl Task<N>) -> Result<Option<f64>> {
        let n_batches = task.n_validation_batches();
        if n_batches == 0 {
            return Ok(None);
        }
        let network = network.valid();
        let (mut sum, mut weight) = (0.0, 0.0);
        for batch_idx in 0..n_batches {
            self.check_cancelled()?;
            let loss = task.validation_loss(&network, batch_idx)?;
            if loss.weight > 0.0 {
                sum += self.finite("validation loss", scalar(&loss.mean)?)? * loss.weight;
                weight += loss.weight;
            }
        }
        Ok((weight > 0.0).then_some(sum / weight))
    }

    /// # Errors
    /// [`Error::Cancelled`].
    pub(super) fn check_cancelled(&self) -> Result<()> {
        self.options.cancel.map_or(Ok(()), Cancel::check)
    }

    pub(super) fn is_out_of_patience(&self) -> bool {
        let best = self.position.report.best_epoch;
        let since = best.map(|best| self.position.epoch.saturating_sub(best));
        self.options.patience.zip(since).is_some_and(|(patience, since)| since >= patience)
    }

    fn is_out_of_time(&self) -> bool {
        self.options.time_limit.is_some_and(|limit| self.clock.elapsed() >= limit)
    }

    fn progress(&self) -> Progress {
        let Position { epoch, batch_idx, learning_rate, .. } = self.position;
        let (n_epochs, n_batches) = (self.options.n_epochs, self.n_batches);
        let n_left = n_epochs.saturating_mul(n_batches).saturating_sub(epoch * n_batches + batch_idx);
        let most = self.options.time_limit.map_or(f64::INFINITY, |limit| self.clock.seconds_to(limit));
        Progress {
            epoch: epoch + 1,
            n_epochs,
            batch: batch_idx,
            n_batches,
            loss: self.position.loss(),
            learning_rate,
            gradient_norm: self.gradient_norm,
            windows_per_second: self.clock.windows_per_second(),
            seconds_left: self.clock.seconds_left(n_left).min(most),
        }
    }

    /// The number, or the error that names the batch.
    fn finite(&self, what: &'static str, loss: f64) -> Result<f64> {
        if loss.is_finite() {
            return Ok(loss);
        }
        let (epoch, n_batches) = (self.position.epoch + 1, self.n_batches);
        let batch = (self.position.batch_idx + 1).min(n_batches);
        Err(Error::Diverged { series: self.options.series.to_string(), what, loss, epoch, batch })
    }

    /// Writes the checkpoint, if there is one and it is not up to date.
    pub(super) fn save(&mut self, network: &N) -> Result<()> {
        let Some(checkpoint) = self.options.checkpoint.filter(|_| self.n_unsaved > 0) else {
            return Ok(());
        };
        let mut position = self.position.clone();
        position.report.seconds = self.clock.seconds();
        let state = TrainingState {
            position,
            network: parameters::read(network)?,
            best: self.best.as_ref().map(parameters::read).transpose()?,
            moments: self.optimiser.moments().to_vec(),
        };
        save(&state, checkpoint.path, &self.about)?;
        (self.saved, self.n_unsaved) = (Instant::now(), 0);
        Ok(())
    }
}

impl Position {
    /// The mean loss of the epoch so far.
    fn loss(&self) -> f64 {
        if self.weight_sum > 0.0 { self.loss_sum / self.weight_sum } else { 0.0 }
    }
}

/// Everything that the weights depend on: the settings that a training has to be resumed with.
fn about(
    options: &TrainOptions<'_>,
    n_batches: usize,
    n_validation_batches: usize,
) -> BTreeMap<String, String> {
    let TrainOptions { n_epochs, patience, learning_rate, schedule, .. } = options;
    let TrainOptions { optimiser, weight_decay, clip, seed, .. } = options;
    let given = options.checkpoint.map(|checkpoint| checkpoint.about.clone());
    let own = [
        // Another version may round in another way.
        ("longcast", env!("CARGO_PKG_VERSION").to_string()),
        ("epochs", n_epochs.to_string()),
        ("patience", patience.map_or("none".to_string(), |patience| patience.to_string())),
        ("learning_rate", learning_rate.to_string()),
        ("schedule", format!("{schedule:?}")),
        ("optimiser", format!("{optimiser:?}")),
        ("weight_decay", weight_decay.to_string()),
        ("clip", clip.map_or("none".to_string(), |clip| clip.to_string())),
        ("seed", seed.to_string()),
        ("batches of an epoch", n_batches.to_string()),
        ("batches of validation", n_validation_batches.to_string()),
    ];
    let own = own.map(|(name, value)| (name.to_string(), value));
    given.unwrap_or_default().into_iter().chain(own).collect()
}

fn asked(control: Control) -> Option<StopReason> {
    (control == Control::Stop).then_some(StopReason::Asked)
}

fn scalar(mean: &Tensor<1>) -> Result<f64> {
    let mean = mean.clone().try_into_scalar::<f32>();
    Ok(f64::from(mean.map_err(|error| Error::Internal(error.to_string()))?))
}
