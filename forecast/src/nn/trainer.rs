//! The training loop: epochs of shuffled batches, loss, gradient, a step of Adam.
//!
//! Adam (Kingma and Ba 2015, arXiv 1412.6980) has the constants 0.9, 0.999 and 1e-8 of its paper. The order of the
//! windows depends on seed and epoch alone, and every sum has a fixed order, so the same seed gives the same bits for
//! any number of threads.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Tensor;

use super::schedule::Schedule;
use crate::data::WindowOrder;
use crate::{Error, Result};

/// What a network is trained on.
pub(crate) trait Task<N: Module> {
    /// Batches of an epoch, at least 1.
    fn n_batches(&self) -> usize;

    /// Begins an epoch whose windows come in this order.
    fn begin_epoch(&mut self, order: WindowOrder);

    /// The loss of a batch of the epoch, by its number from 0.
    fn loss(&mut self, network: &N, batch_idx: usize) -> BatchLoss;

    /// Adds to the gradients what is no part of the loss; `progress` is the share of all steps that are done.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    fn regularise(&self, _network: &N, _gradients: &mut GradientsParams, _progress: f64) -> Result<()> {
        Ok(())
    }
}

/// The mean loss over the windows of a batch.
#[derive(Debug)]
pub(crate) struct BatchLoss {
    /// Shape `(1)`.
    pub(crate) mean: Tensor<1>,
    /// How many windows it is the mean over.
    pub(crate) n_rows: usize,
}

/// How to train.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainOptions<'a> {
    /// Whose network it is, for messages.
    pub(crate) series: &'a str,
    /// Passes over the windows.
    pub(crate) n_epochs: usize,
    /// The largest learning rate.
    pub(crate) learning_rate: f64,
    /// How it changes.
    pub(crate) schedule: Schedule,
    /// Seed of the order of the windows.
    pub(crate) seed: u64,
}

/// A network and how it came about.
#[derive(Debug)]
pub(crate) struct Trained<N> {
    /// After the last step.
    pub(crate) network: N,
    /// The mean loss of each epoch over its windows, each taken before the step that it led to.
    pub(crate) losses: Vec<f64>,
}

/// Trains a network; it has to be on a device with gradients.
///
/// # Errors
/// [`Error::Diverged`] with the first batch whose loss is not a finite number; [`Error::Internal`].
pub(crate) fn train<N: Module>(
    mut network: N,
    task: &mut impl Task<N>,
    options: &TrainOptions<'_>,
) -> Result<Trained<N>> {
    let TrainOptions { series, n_epochs, learning_rate, schedule, seed } = *options;
    let mut optimiser = AdamConfig::new().with_epsilon(1e-8).init();
    let n_batches = task.n_batches();
    let n_steps = n_batches.saturating_mul(n_epochs);
    let mut losses = Vec::with_capacity(n_epochs);
    for epoch in 0..n_epochs {
        task.begin_epoch(WindowOrder::Shuffled { seed, epoch: epoch as u64 });
        let (mut sum, mut n_rows) = (0.0, 0);
        for batch_idx in 0..n_batches {
            let step = epoch * n_batches + batch_idx;
            let loss = task.loss(&network, batch_idx);
            let mean = loss.mean.clone().try_into_scalar::<f32>();
            let mean = f64::from(mean.map_err(|error| Error::Internal(error.to_string()))?);
            if !mean.is_finite() {
                let (epoch, batch) = (epoch + 1, batch_idx + 1);
                return Err(Error::Diverged { series: series.to_string(), loss: mean, epoch, batch });
            }
            (sum, n_rows) = (sum + mean * loss.n_rows as f64, n_rows + loss.n_rows);
            let mut gradients = GradientsParams::from_grads(loss.mean.backward(), &network);
            task.regularise(&network, &mut gradients, step as f64 / n_steps as f64)?;
            let rate = learning_rate * schedule.share(step, n_batches, n_epochs);
            network = optimiser.step(rate, network, gradients);
        }
        losses.push(sum / n_rows.max(1) as f64);
    }
    Ok(Trained { network, losses })
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
        epochs: Vec<WindowOrder>,
    }

    impl Task<Point> for Numbers {
        fn n_batches(&self) -> usize {
            self.targets.len()
        }

        fn begin_epoch(&mut self, order: WindowOrder) {
            self.epochs.push(order);
        }

        fn loss(&mut self, network: &Point, batch_idx: usize) -> BatchLoss {
            let mean = network.at.val().sub_scalar(self.targets[batch_idx]).square();
            BatchLoss { mean, n_rows: 1 }
        }
    }

    const OPTIONS: TrainOptions<'_> = TrainOptions {
        series: "load",
        n_epochs: 3,
        learning_rate: 0.1,
        schedule: Schedule::Halving,
        seed: 5,
    };

    fn trained(targets: &[f32]) -> (Result<Trained<Point>>, Vec<WindowOrder>) {
        let device = Device::flex().autodiff();
        let point = Point { at: Param::from_tensor(Tensor::zeros([1], &device)) };
        let mut task = Numbers { targets: targets.to_vec(), epochs: Vec::new() };
        (train(point, &mut task, &OPTIONS), task.epochs)
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
        let ours = f64::from(result.network.at.val().into_scalar::<f32>());
        assert!((ours - at).abs() < 1e-5, "{ours} for {at}");
        assert!(result.losses.iter().zip(losses).all(|(ours, due)| (ours - due).abs() < 1e-4));
        assert_eq!(epochs, [0, 1, 2].map(|epoch| WindowOrder::Shuffled { seed: 5, epoch }));
    }

    #[test]
    fn a_loss_that_is_no_number_ends_the_training_and_names_the_batch() {
        for bad in [f32::NAN, f32::INFINITY] {
            let message = trained(&[1.0, 2.0, bad, 3.0]).0.unwrap_err().to_string();
            assert!(message.starts_with("series \"load\": the loss of batch 3 in epoch 1 is "), "{message}");
        }
    }
}
