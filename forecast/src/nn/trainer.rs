//! The training loop: epochs of shuffled batches, loss, gradient, a step of the optimiser; validation after each
//! epoch, early stopping with the best weights restored, checkpoints.
//!
//! The order of the windows depends on seed and epoch alone, and every sum has a fixed order, so the same seed gives
//! the same bits for any number of threads, and a run that was killed goes on to them from its checkpoint.

use std::time::{Duration, Instant};

use burn::module::Module;

use super::optimiser::OptimiserKind;
use super::progress::{Control, TrainingEvent};
use super::report::{StopReason, TrainingReport};
use super::run::Run;
use super::schedule::Schedule;
use super::task::Task;
use super::training_state::CheckpointOptions;
use crate::Result;
use crate::model::Cancel;

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
    /// Stops after the first step that ends later; of this run. A schedule that has an end comes to it by then.
    pub(crate) time_limit: Option<Duration>,
    /// Where the state is kept; `None` for nowhere.
    pub(crate) checkpoint: Option<CheckpointOptions<'a>>,
    /// Ends the training.
    pub(crate) cancel: Option<&'a Cancel>,
    /// The clock that the time limit is told by.
    pub(crate) now: fn() -> Instant,
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
            cancel: None,
            now: Instant::now,
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
/// [`Error::BadOption`] with the setting that differs or [`Error::Unreadable`]; [`Error::Cancelled`]; those of the task.
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
    run.check_cancelled()?;
    let TrainOptions { n_epochs, .. } = *options;
    let Run { best, position, clock, .. } = run;
    let report = TrainingReport {
        // Asked to stop by the event of the last epoch, nothing was left to do.
        stopped: match stopped {
            StopReason::Asked if position.epoch >= n_epochs => StopReason::Done,
            _ => stopped,
        },
        n_parameters: network.num_params(),
        seconds: clock.seconds(),
        windows_per_second: clock.windows_per_second(),
        ..position.report
    };
    Ok(Trained { network: best.map_or(network, Module::train), report })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::WindowOrder;
    use crate::nn::task::BatchLoss;
    use burn::module::Param;
    use burn::tensor::{Device, Tensor};

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
            at -= 0.1 * [1.0, 1.0, 0.5][step / 4] * m / (v.sqrt() + 1e-8);
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
                assert_eq!(result.report.losses.len(), 1);
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
