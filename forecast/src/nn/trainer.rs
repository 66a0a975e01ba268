//! The training loop: epochs of shuffled batches, loss, gradient, a step of the optimiser; validation after each
//! epoch, early stopping with the best weights restored, checkpoints.
//!
//! The order of the windows depends on seed and epoch alone, and every sum has a fixed order, so the same seed gives
//! the same bits for any number of threads, and a run that was killed goes on to them from its checkpoint.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::gradients::FlatGradients;
use super::optimiser::{Optimiser, OptimiserKind, ParameterGroup, Step};
use super::parameters;
use super::progress::{Clock, Control, Progress, TrainingEvent};
use super::report::{StopReason, TrainingReport};
use super::schedule::Schedule;
use super::training_state::{Begin, CheckpointOptions, Position, TrainingState, load, save};
use crate::data::WindowOrder;
use crate::{Error, Result};

/// What a network is trained on.
///
/// Everything random depends on the order of the epoch (its seed and its number) and the number of the batch, never
/// on the batches before: training may begin in the middle of an epoch.
pub(crate) trait Task<N: Module> {
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

/// How to train.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainOptions<'a> {
    /// Whose network it is, for messages.
    pub(crate) series: &'a str,
    /// Passes over the windows, at most.
    pub(crate) n_epochs: usize,
    /// Epochs in a row without a lower loss of validation than the best, after which training stops; `None` for no
    /// end.
    pub(crate) patience: Option<usize>,
    /// The largest learning rate.
    pub(crate) learning_rate: f64,
    /// How it changes.
    pub(crate) schedule: Schedule,
    /// Who takes the steps.
    pub(crate) optimiser: OptimiserKind,
    /// Decay of the weights.
    pub(crate) weight_decay: f64,
    /// The length that all gradients together are cut down to (Pascanu et al. 2013, arXiv 1211.5063).
    pub(crate) clip: Option<f64>,
    /// Seed of the order of the windows.
    pub(crate) seed: u64,
    /// Stops after the first step that ends later; of this run.
    pub(crate) time_limit: Option<Duration>,
    /// Where the state is kept; `None` for nowhere.
    pub(crate) checkpoint: Option<CheckpointOptions<'a>>,
}

impl Default for TrainOptions<'_> {
    fn default() -> Self {
        TrainOptions {
            series: "",
            n_epochs: 10,
            patience: None,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            optimiser: OptimiserKind::Adam,
            weight_decay: 0.0,
            clip: None,
            seed: 1,
            time_limit: None,
            checkpoint: None,
        }
    }
}

/// A network and how it came about.
#[derive(Debug)]
pub(crate) struct Trained<N> {
    /// With the weights of the best epoch, or of the last step where no epoch was validated.
    pub(crate) network: N,
    /// Losses by epoch, and why it ended.
    pub(crate) report: TrainingReport,
}

/// Trains a network; it has to be on a device with gradients. `watch` is told of every step and every epoch.
///
/// # Errors
/// [`Error::Diverged`] with the first batch whose loss or gradient is not a finite number; of the checkpoint,
/// [`Error::Io`] if it cannot be written (the one before stays), and if a training is resumed
/// [`Error::BadOption`] with the setting that differs or [`Error::Unreadable`]; those of the task.
pub(crate) fn train<N: Module>(
    network: N,
    task: &mut impl Task<N>,
    options: &TrainOptions<'_>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Result<Trained<N>> {
    let (mut run, mut network) = Run::begin(network, task, options)?;
    let stopped = loop {
        if run.position.epoch >= options.n_epochs {
            break StopReason::Done;
        }
        if run.is_out_of_patience() {
            break StopReason::Patience;
        }
        let stopped;
        (network, stopped) = run.epoch(network, task, watch)?;
        if let Some(stopped) = stopped {
            break stopped;
        }
    };
    run.save(&network)?;
    let TrainOptions { n_epochs, .. } = *options;
    let Run { best, position, clock, .. } = run;
    let report = TrainingReport {
        // Stopped by the event of the last epoch, nothing was left to do.
        stopped: if position.epoch >= n_epochs { StopReason::Done } else { stopped },
        n_parameters: network.num_params(),
        seconds: clock.seconds(),
        windows_per_second: clock.windows_per_second(),
        ..position.report
    };
    Ok(Trained { network: best.map_or(network, Module::train), report })
}

/// Between steps, what there is besides the network.
struct Run<'a, N> {
    options: &'a TrainOptions<'a>,
    /// Of the checkpoint: the caller's settings and the trainer's.
    about: BTreeMap<String, String>,
    optimiser: Optimiser,
    /// Without gradients.
    best: Option<N>,
    position: Position,
    clock: Clock,
    n_batches: usize,
    saved: Instant,
    /// Steps since the checkpoint was written.
    n_unsaved: usize,
}

/// Epochs that take less than this share one checkpoint.
const SHORTEST_BETWEEN: Duration = Duration::from_secs(1);

impl<'a, N: Module> Run<'a, N> {
    /// At the start, or where the checkpoint is.
    fn begin(mut network: N, task: &impl Task<N>, options: &'a TrainOptions<'a>) -> Result<(Self, N)> {
        let n_batches = task.n_batches();
        let group = |path: &str| task.group(path);
        let mut optimiser = Optimiser::new(&network, options.optimiser, options.weight_decay, &group);
        let about = about(options, n_batches, task.n_validation_batches());
        let (mut best, mut position) = (None, Position::default());
        if let Some(checkpoint) = options.checkpoint.filter(|checkpoint| checkpoint.begin == Begin::Resume)
            && let Some(state) = load(checkpoint.path, &about, &parameters::read(&network)?)?
        {
            network = parameters::write(network, state.network)?;
            best = state.best.map(|best| parameters::write(network.valid(), best)).transpose()?;
            optimiser.restore(state.moments)?;
            position = state.position;
        }
        let clock = Clock::start(position.report.seconds);
        let saved = Instant::now();
        let run = Run { options, about, optimiser, best, position, clock, n_batches, saved, n_unsaved: 0 };
        Ok((run, network))
    }

    /// What is left of an epoch, and why it is the last one.
    fn epoch(
        &mut self,
        mut network: N,
        task: &mut impl Task<N>,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<(N, Option<StopReason>)> {
        let (epoch, seed) = (self.position.epoch, self.options.seed);
        task.begin_epoch(WindowOrder::Shuffled { seed, epoch: epoch as u64 });
        while self.position.batch_idx < self.n_batches {
            let gradient_norm;
            (network, gradient_norm) = self.step(network, task)?;
            let mut stopped = self.told(watch(&TrainingEvent::Step(self.progress(gradient_norm))));
            if self.options.time_limit.is_some_and(|limit| self.clock.elapsed() >= limit) {
                stopped = stopped.or(Some(StopReason::TimeLimit));
            }
            if stopped.is_some() {
                return Ok((network, stopped));
            }
            if self.options.checkpoint.is_some_and(|checkpoint| self.saved.elapsed() >= checkpoint.every) {
                self.save(&network)?;
            }
        }
        let progress = self.progress(0.0);
        let (validation, is_best) = self.end_epoch(&network, task)?;
        if self.saved.elapsed() >= SHORTEST_BETWEEN {
            self.save(&network)?;
        }
        let event = TrainingEvent::Epoch { progress, validation, is_best };
        Ok((network, self.told(watch(&event))))
    }

    /// One step, and the length of its gradients.
    fn step(&mut self, mut network: N, task: &mut impl Task<N>) -> Result<(N, f64)> {
        let TrainOptions { n_epochs, learning_rate, schedule, clip, .. } = *self.options;
        let Position { epoch, batch_idx, .. } = self.position;
        let at = epoch * self.n_batches + batch_idx;
        let loss = task.loss(&network, batch_idx)?;
        let mut norm = 0.0;
        if loss.weight > 0.0 {
            let mean = self.finite("loss", scalar(&loss.mean)?)?;
            self.position.loss_sum += mean * loss.weight;
            self.position.weight_sum += loss.weight;
            let mut gradients = GradientsParams::from_grads(loss.mean.backward(), &network);
            let n_steps = self.n_batches.saturating_mul(n_epochs);
            task.regularise(&network, &mut gradients, at as f64 / n_steps as f64)?;
            let gradients = FlatGradients::new(&network, gradients)?;
            norm = self.finite("gradient", gradients.norm())?;
            let gradient_share = clip.map_or(1.0, |clip| if norm > clip { clip / norm } else { 1.0 });
            let rate = learning_rate * schedule.share(at, self.n_batches, n_epochs);
            let rate = rate * self.position.plateau.share(schedule);
            network = self.optimiser.step(network, &gradients, Step { rate, gradient_share })?;
            self.position.learning_rate = rate;
            self.position.report.n_steps += 1;
        }
        self.position.report.n_windows += loss.n_rows;
        self.position.batch_idx += 1;
        self.clock.count_step(loss.n_rows);
        self.n_unsaved += 1;
        Ok((network, norm))
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
            let loss = task.validation_loss(&network, batch_idx)?;
            if loss.weight > 0.0 {
                sum += self.finite("validation loss", scalar(&loss.mean)?)? * loss.weight;
                weight += loss.weight;
            }
        }
        Ok((weight > 0.0).then_some(sum / weight))
    }

    fn is_out_of_patience(&self) -> bool {
        let best = self.position.report.best_epoch;
        let since = best.map(|best| self.position.epoch - best);
        self.options.patience.zip(since).is_some_and(|(patience, since)| since >= patience)
    }

    fn told(&self, control: Control) -> Option<StopReason> {
        (control == Control::Stop).then_some(StopReason::Asked)
    }

    fn progress(&self, gradient_norm: f64) -> Progress {
        let Position { epoch, batch_idx, learning_rate, .. } = self.position;
        let (n_epochs, n_batches) = (self.options.n_epochs, self.n_batches);
        let n_left = n_epochs.saturating_mul(n_batches).saturating_sub(epoch * n_batches + batch_idx);
        Progress {
            epoch: epoch + 1,
            n_epochs,
            batch: batch_idx,
            n_batches,
            loss: self.position.loss(),
            learning_rate,
            gradient_norm,
            windows_per_second: self.clock.windows_per_second(),
            seconds_left: self.clock.seconds_left(n_left),
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
    fn save(&mut self, network: &N) -> Result<()> {
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

fn scalar(mean: &Tensor<1>) -> Result<f64> {
    let mean = mean.clone().try_into_scalar::<f32>();
    Ok(f64::from(mean.map_err(|error| Error::Internal(error.to_string()))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::Device;

    /// A number that is drawn to the number of each batch.
    #[derive(Module, Debug)]
    struct Point {
        at: Param<Tensor<1>>,
    }

    struct Numbers {
        targets: Vec<f32>,
        /// Of each batch of validation, the losses after each epoch.
        validation: Vec<&'static [f32]>,
        epochs: Vec<WindowOrder>,
    }

    impl Task<Point> for Numbers {
        fn n_batches(&self) -> usize {
            self.targets.len()
        }

        fn begin_epoch(&mut self, order: WindowOrder) {
            self.epochs.push(order);
        }

        fn loss(&mut self, network: &Point, batch_idx: usize) -> Result<BatchLoss> {
            let target = self.targets[batch_idx];
            let mean = match target == STEEP {
                true => network.at.val().sqrt(),
                false => network.at.val().sub_scalar(target).square(),
            };
            Ok(BatchLoss { mean, weight: 1.0, n_rows: 1 })
        }

        fn n_validation_batches(&self) -> usize {
            self.validation.len()
        }

        /// What it should be after the epoch, whatever the network is: -1 for nothing to validate on.
        fn validation_loss(&mut self, network: &Point, batch_idx: usize) -> Result<BatchLoss> {
            assert!(!network.at.val().is_require_grad());
            let losses = self.validation[batch_idx];
            let loss = losses[self.epochs.len() - 1];
            let mean = network.at.val().mul_scalar(0.0).add_scalar(if loss < 0.0 { 0.0 } else { loss });
            Ok(BatchLoss { mean, weight: if loss < 0.0 { 0.0 } else { batch_idx as f64 + 1.0 }, n_rows: 1 })
        }
    }

    /// The root of 0 is finite, its slope is not.
    const STEEP: f32 = -1e9;

    fn options() -> TrainOptions<'static> {
        TrainOptions {
            series: "load",
            n_epochs: 3,
            learning_rate: 0.1,
            schedule: Schedule::Halving,
            seed: 5,
            ..TrainOptions::default()
        }
    }

    fn point() -> Point {
        Point { at: Param::from_tensor(Tensor::zeros([1], &Device::flex().autodiff())) }
    }

    fn numbers(targets: &[f32], validation: &[&'static [f32]]) -> Numbers {
        Numbers { targets: targets.to_vec(), validation: validation.to_vec(), epochs: Vec::new() }
    }

    fn value(point: &Point) -> f64 {
        f64::from(point.at.val().into_scalar::<f32>())
    }

    fn unwatched(_: &TrainingEvent) -> Control {
        Control::Continue
    }

    fn trained(targets: &[f32]) -> (Result<Trained<Point>>, Vec<WindowOrder>) {
        let mut task = numbers(targets, &[]);
        (train(point(), &mut task, &options(), &mut unwatched), task.epochs)
    }

    /// The recursion of the paper, one number at a time.
    #[test]
    fn steps_are_those_of_adam() {
        let targets = [1.0f32, 3.0, -2.0, 0.5];
        let (result, epochs) = trained(&targets);
        let (mut at, mut mean, mut square) = (0.0, 0.0, 0.0);
        let mut losses = [0.0; 3];
        for step in 0..12 {
            let gradient = 2.0 * (at - f64::from(targets[step % 4]));
            losses[step / 4] += (gradient / 2.0).powi(2) / 4.0;
            mean = 0.9 * mean + 0.1 * gradient;
            square = 0.999 * square + 0.001 * gradient * gradient;
            let n = step as i32 + 1;
            let (m, v) = (mean / (1.0 - 0.9f64.powi(n)), square / (1.0 - 0.999f64.powi(n)));
            at -= 0.1 * 0.5f64.powi(step as i32 / 4) * m / (v.sqrt() + 1e-8);
        }
        let result = result.unwrap();
        let ours = value(&result.network);
        assert!((ours - at).abs() < 1e-5, "{ours} for {at}");
        assert!(result.report.losses.iter().zip(losses).all(|(ours, due)| (ours - due).abs() < 1e-4));
        assert_eq!(epochs, [0, 1, 2].map(|epoch| WindowOrder::Shuffled { seed: 5, epoch }));
    }

    #[test]
    fn a_loss_that_is_no_number_ends_the_training_and_names_the_batch() {
        for bad in [f32::NAN, f32::INFINITY] {
            let message = trained(&[1.0, 2.0, bad, 3.0]).0.unwrap_err().to_string();
            assert!(message.starts_with("series \"load\": the loss of batch 3 in epoch 1 is "), "{message}");
        }
        let message = |mut task: Numbers| {
            train(point(), &mut task, &options(), &mut unwatched).unwrap_err().to_string()
        };
        let gradient = message(numbers(&[0.0, STEEP], &[]));
        assert!(gradient.contains("the gradient of batch 2 in epoch 1 is inf"), "{gradient}");
        let validation = message(numbers(&[1.0, 2.0], &[&[1.0, f32::NAN, 1.0]]));
        assert!(validation.contains("the validation loss of batch 2 in epoch 2 is NaN"), "{validation}");
    }

    #[test]
    fn the_weights_of_the_best_epoch_come_back_and_patience_ends_the_training() {
        let options = TrainOptions { n_epochs: 9, patience: Some(3), ..options() };
        // The weighted mean of two batches; the third has nothing to validate on.
        let validation: [&'static [f32]; 3] =
            [&[3.0, 0.0, 3.0, 0.0, 9.0, 1.0], &[3.0, 3.0, 0.0, 3.0, 9.0, 1.0], &[-1.0; 6]];
        let mut after = Vec::new();
        let mut task = numbers(&[1.0, 3.0], &validation);
        let mut events = Vec::new();
        let mut watch = |event: &TrainingEvent| {
            events.push(*event);
            Control::Continue
        };
        let result = train(point(), &mut task, &options, &mut watch).unwrap();
        for n_epochs in 1..=3 {
            let mut task = numbers(&[1.0, 3.0], &[]);
            let options = TrainOptions { n_epochs, patience: None, ..options };
            after.push(value(&train(point(), &mut task, &options, &mut unwatched).unwrap().network));
        }
        let report = &result.report;
        // Means 3, 2, 1, 2, 9 and 1, which is no better than that of epoch 3.
        assert_eq!((report.best_epoch, report.stopped), (Some(3), StopReason::Patience));
        assert!((value(&result.network) - after[2]).abs() < 1e-12, "{after:?}");
        assert!(result.network.at.val().is_require_grad());
        assert_eq!(
            (report.losses.len(), report.n_steps, report.n_windows, report.n_parameters),
            (6, 12, 12, 1)
        );
        let best: Vec<bool> = events
            .iter()
            .filter_map(|event| match event {
                TrainingEvent::Epoch { is_best, .. } => Some(*is_best),
                TrainingEvent::Step(_) => None,
            })
            .collect();
        assert_eq!(best, [true, true, true, false, false, false]);
        assert_eq!(events.len(), 12 + 6);
        let last = events[16].progress();
        assert_eq!((last.epoch, last.batch, last.n_batches, last.n_epochs), (6, 2, 2, 9));
    }

    #[test]
    fn asked_to_stop_or_out_of_time_it_returns_what_is_best_so_far() {
        for (is_asked, reason) in [(true, StopReason::Asked), (false, StopReason::TimeLimit)] {
            for validation in [&[&[1.0f32, 2.0, 3.0][..]][..], &[]] {
                let mut task = numbers(&[1.0, 3.0, -2.0], validation);
                // Without any time there is one step.
                let time_limit = (!is_asked).then_some(Duration::ZERO);
                let options = TrainOptions { time_limit, ..options() };
                let mut watch = |event: &TrainingEvent| {
                    let is_fifth = event.progress().epoch == 2 && event.progress().batch == 2;
                    if is_fifth { Control::Stop } else { Control::Continue }
                };
                let result = train(point(), &mut task, &options, &mut watch).unwrap();
                let n_steps = if is_asked { 5 } else { 1 };
                assert_eq!((result.report.stopped, result.report.n_steps), (reason, n_steps));
                assert_eq!(result.report.losses.len(), n_steps / 3);
                let n_kept = if is_asked && !validation.is_empty() { 3 } else { n_steps };
                let mut n_steps = 0;
                let mut until = |event: &TrainingEvent| {
                    n_steps += usize::from(matches!(event, TrainingEvent::Step(_)));
                    if n_steps == n_kept { Control::Stop } else { Control::Continue }
                };
                let mut task = numbers(&[1.0, 3.0, -2.0], &[]);
                let due = train(point(), &mut task, &self::options(), &mut until).unwrap();
                assert!((value(&due.network) - value(&result.network)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn gradients_are_cut_down_to_the_clip() {
        // Adam does not see the length of a first gradient; the second shows how long the first was.
        let step = |clip, targets: &[f32]| {
            let options = TrainOptions { clip, n_epochs: 1, ..options() };
            value(&train(point(), &mut numbers(targets, &[]), &options, &mut unwatched).unwrap().network)
        };
        let far = [50.0, 0.5];
        assert!((step(None, &far) - step(Some(1e9), &far)).abs() < 1e-12);
        assert!((step(None, &far) - step(Some(0.5), &far)).abs() > 1e-3);
        // Cut down to what it is anyway.
        assert!((step(Some(100.0), &far) - step(None, &far)).abs() < 1e-12);
    }
}
