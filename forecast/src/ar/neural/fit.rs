//! Training: a network for each series and channel, or for all together, from its complete windows.

use burn::nn::loss::{HuberLossConfig, MseLoss, Reduction};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Axis;
use rayon::prelude::*;

use super::config::{Loss, NeuralArConfig};
use super::rule::NeuralAr;
use super::windows::Lagged;
use crate::ar::anchor::{Anchor, add_back};
use crate::ar::segments::complete_runs;
use crate::ar::sparse::{Ramp, Regulariser};
use crate::data::{Series, WindowOrder};
use crate::model::{Cancel, Training};
use crate::nn::{BatchLoss, Control, Layer, Mlp, Schedule, Task, TrainOptions, train};
use crate::{Error, Result};

/// A network for each series, or for all together, and each channel, or for all together.
///
/// # Errors
/// [`Error::TooFewRows`] where no window is complete, [`Error::Diverged`]; each with the series.
pub(crate) fn fit(config: &NeuralArConfig, training: &Training<'_>) -> Result<NeuralAr> {
    let n_channels = training.channels.len();
    let n_groups = if config.pool_channels == Some(true) { 1 } else { n_channels };
    let n_slots = if config.pooled { 1 } else { training.series.len() };
    let n_steps = config.n_steps(training.horizon);
    let networks = (0..n_slots * n_groups)
        .into_par_iter()
        .map(|i| {
            let (slot, group) = (i / n_groups, i % n_groups);
            let series = if config.pooled { training.series } else { &training.series[slot..=slot] };
            let channels = if n_groups == 1 { 0..n_channels } else { group..group + 1 };
            let columns = series.iter().flat_map(|one| channels.clone().map(move |channel| (one, channel)));
            let columns: Vec<_> =
                columns.map(|(one, channel)| one.values().column(channel).to_vec()).collect();
            Ok(learn(config, &name(series), &columns, n_steps, training.cancel)?.layers)
        })
        .collect::<Result<_>>()?;
    Ok(NeuralAr::new(networks, n_groups, config.anchor.unwrap_or(Anchor::None)))
}

/// A network in plain numbers, and how it came about.
pub(super) struct Learned {
    /// One linear layer has its anchor in its weights; with hidden layers it is still to be subtracted and added.
    pub(super) layers: Vec<Layer>,
    /// The mean loss of each epoch, without the regulariser.
    pub(super) losses: Vec<f64>,
}

/// Trains a resolved configuration on some columns, missing values NaN.
///
/// # Errors
/// As [`fit`]; [`Error::Cancelled`].
pub(super) fn learn(
    config: &NeuralArConfig,
    series: &str,
    columns: &[Vec<f64>],
    n_steps: usize,
    cancel: &Cancel,
) -> Result<Learned> {
    let order = config.order.unwrap_or(1);
    let anchor = config.anchor.unwrap_or(Anchor::None);
    let windows = Lagged::new(columns, order, n_steps, anchor);
    if windows.n_windows() == 0 {
        let runs = columns.iter().flat_map(|column| complete_runs(column));
        let longest = runs.map(<[f64]>::len).max().unwrap_or(0).saturating_sub(n_steps);
        return Err(Error::TooFewRows { series: series.to_string(), rows: 0, order, longest });
    }
    let device = Device::flex().autodiff();
    let seed = config.seed.unwrap_or(1);
    let network = Mlp::new(&config.widths(n_steps), seed, &device);
    let (batch_size, n_epochs) = (config.batch_size.unwrap_or(32), config.epochs.unwrap_or(1));
    let mut task = Windows {
        windows,
        batch_size,
        n_epochs,
        loss: config.loss,
        penalty: config.regularisation()?,
        device,
    };
    let options = TrainOptions {
        series,
        n_epochs,
        learning_rate: config.learning_rate.unwrap_or(0.003),
        schedule: config.schedule.unwrap_or(Schedule::Constant),
        seed,
        cancel: Some(cancel),
        ..TrainOptions::default()
    };
    let trained = train(network, &mut task, &options, &mut |_| Control::Continue)?;
    let mut layers = trained.network.to_layers()?;
    if let ([linear], Some(u)) = (&mut layers[..], anchor.weights(order)) {
        // The anchor counts from lag 1, the window from the oldest.
        let mut weights = linear.weights.clone();
        weights.invert_axis(Axis(1));
        add_back(&mut weights, &u);
        weights.invert_axis(Axis(1));
        linear.weights = weights;
    }
    Ok(Learned { layers, losses: trained.report.losses })
}

/// What the series are called in messages.
fn name(series: &[Series]) -> String {
    match series {
        [one] => one.id().to_string(),
        several => format!("{} and {} more", several[0].id(), several.len() - 1),
    }
}

/// Windows to train a network on.
struct Windows {
    windows: Lagged,
    batch_size: usize,
    n_epochs: usize,
    loss: Loss,
    penalty: Option<(Regulariser, f64, Ramp)>,
    device: Device,
}

/// The slope of the regulariser has no bound at zero, and 32 bits do not hold its square: smaller weights have the
/// slope of this one.
const SMALLEST_WEIGHT: f64 = 1e-9;

impl Task<Mlp> for Windows {
    fn n_batches(&self) -> usize {
        self.windows.n_windows().div_ceil(self.batch_size)
    }

    fn begin_epoch(&mut self, order: WindowOrder) {
        self.windows.arrange(order);
    }

    fn loss(&mut self, network: &Mlp, batch_idx: usize) -> Result<BatchLoss> {
        let begin = batch_idx * self.batch_size;
        let end = self.windows.n_windows().min(begin + self.batch_size);
        let [lags, targets] = self.windows.batch(begin..end, &self.device);
        let forecasts = network.forward(lags); // (batch, step)
        let mean = match self.loss {
            Loss::Mse => MseLoss::new().forward(forecasts, targets, Reduction::Mean),
            Loss::Huber => HuberLossConfig::new(1.0).init().forward(forecasts, targets, Reduction::Mean),
        };
        Ok(BatchLoss { mean, weight: (end - begin) as f64, n_rows: end - begin })
    }

    /// `d (lambda R) / d w`, written down rather than traced: fewer operations, and 0 where a weight is.
    fn regularise(&self, network: &Mlp, gradients: &mut GradientsParams, progress: f64) -> Result<()> {
        let Some(((regulariser, lambda, ramp), layer)) = self.penalty.zip(network.layers.first()) else {
            return Ok(());
        };
        let strength = lambda * ramp.share(progress, self.n_epochs);
        if strength <= 0.0 {
            return Ok(());
        }
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let weights = layer.weight.val().inner();
        let dims = weights.dims();
        let weights = weights.try_into_vec_as::<f32>().map_err(|error| internal(&error))?;
        let away = |w: f32| match f64::from(w) {
            0.0 => 0.0,
            w => w.abs().max(SMALLEST_WEIGHT).copysign(w),
        };
        let weights: Vec<f64> = weights.into_iter().map(away).collect();
        let slopes: Vec<f32> =
            regulariser.gradient(&weights).iter().map(|slope| (strength * slope) as f32).collect();
        let of_loss =
            gradients.remove::<2>(layer.weight.id).ok_or_else(|| internal(&"a weight has no gradient"))?;
        let slopes = Tensor::from_data(TensorData::new(slopes, dims), &of_loss.device());
        gradients.register(layer.weight.id, of_loss + slopes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regulariser_adds_its_slope_at_each_weight() {
        let values: Vec<f64> = (0..40).map(|i| f64::from((i * i) % 13) / 4.0 - 1.5).collect();
        let penalty = Some((Regulariser { c1: 2.0, c2: 2.0 }, 0.4, Ramp::Quadratic));
        let device = Device::flex().autodiff();
        let mut task = Windows {
            windows: Lagged::new(&[values], 3, 2, Anchor::None),
            batch_size: 8,
            n_epochs: 10,
            loss: Loss::Huber,
            penalty,
            device: device.clone(),
        };
        let network = Mlp::new(&[3, 2], 4, &device);
        let gradient = |task: &mut Windows, progress| {
            let loss = task.loss(&network, 1).unwrap().mean;
            let mut gradients = GradientsParams::from_grads(loss.backward(), &network);
            task.regularise(&network, &mut gradients, progress).unwrap();
            gradients.get::<2>(network.layers[0].weight.id).unwrap().try_into_vec_as::<f32>().unwrap()
        };
        let plain = gradient(&mut task, 0.0);
        let weights: Vec<f64> =
            network.layers[0].weight.val().inner().into_data().iter::<f32>().map(f64::from).collect();
        // A quarter of the steps have a quarter of lambda, all of them the whole.
        for (progress, strength) in [(0.25, 0.1), (1.0, 0.4)] {
            let added = gradient(&mut task, progress);
            for (i, w) in weights.iter().enumerate() {
                let of = |w: f64| {
                    let mut all = weights.clone();
                    all[i] = w;
                    strength * Regulariser { c1: 2.0, c2: 2.0 }.value(&all)
                };
                let slope = (of(w + 1e-6) - of(w - 1e-6)) / 2e-6;
                assert!(
                    (f64::from(added[i] - plain[i]) - slope).abs() < 1e-5,
                    "{i}: {added:?} {plain:?} {slope}"
                );
            }
        }
    }
}
