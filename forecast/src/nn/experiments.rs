//! A small network through all of it: windows of a panel with gaps, batches filled ahead, normalisation, head, masked
//! loss, validation, early stopping.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ndarray::Array2;

use super::head::{Head, HeadKind, PointLoss};
use super::loss::Masked;
use super::mlp::Mlp;
use super::normaliser::{Normalisation, Normaliser};
use super::parameters;
use super::pipeline::{Pipeline, device, tensor};
use super::progress::{Control, TrainingEvent};
use super::schedule::Schedule;
use super::task::{BatchLoss, Task};
use super::trainer::{TrainOptions, Trained, train};
use super::{OptimiserKind, StopReason, TrainingReport};
use crate::data::{Batch, BatchOptions, Scaler, Scaling, TimeIndex, WindowOrder, WindowSet, WindowSpec, mix};
use crate::{Panel, Result, Series};

/// From lookback to horizon, the same for all channels: by one linear map (Zeng et al., AAAI 2023) or by several layers.
#[derive(Module, Debug)]
pub(super) struct Net {
    normaliser: Normaliser,
    layers: Mlp,
    #[module(skip)]
    n_outputs: usize,
}

impl Net {
    pub(super) fn new(kind: Normalisation, head: &Head, hidden: &[usize]) -> Self {
        let (n_outputs, device) = (head.n_outputs(), Device::flex().autodiff());
        let widths = [&[SPEC.lookback], hidden, &[SPEC.horizon * n_outputs]].concat();
        let normaliser = Normaliser::new(kind, N_CHANNELS, &device);
        Net { normaliser, layers: Mlp::new(&widths, 1, &device), n_outputs }
    }

    fn loss(&self, batch: &Batch, head: &Head) -> Result<BatchLoss> {
        let device = device(self);
        let (input, mask) = (tensor(batch.inputs(), &device), tensor(batch.input_mask(), &device));
        let (input, map) = self.normaliser.normalise(input, mask);
        let [n_rows, lookback, n_channels] = input.dims();
        let rows = input.swap_dims(1, 2).reshape([n_rows * n_channels, lookback]);
        let outputs = self.layers.forward(rows);
        let outputs = outputs.reshape([n_rows, n_channels, SPEC.horizon, self.n_outputs]);
        let outputs: Tensor<4> = outputs.swap_dims(1, 2); // (batch, horizon, channel, output)
        let parameters = head.denormalise(head.parameters(outputs), &map);
        let (labels, mask) = (tensor(batch.labels(), &device), tensor(batch.label_mask(), &device));
        let Masked { mean, n_values } = head.loss(parameters, labels, mask)?;
        Ok(BatchLoss { mean, weight: n_values, n_rows })
    }
}

/// Windows to train on and to validate on.
pub(super) struct Windows<'a> {
    training: Pipeline<'a>,
    validation: Pipeline<'a>,
    head: Head,
}

impl Task<Net> for Windows<'_> {
    fn n_batches(&self) -> usize {
        self.training.n_batches()
    }

    fn begin_epoch(&mut self, order: WindowOrder) {
        self.training.begin_epoch(order);
    }

    fn loss(&mut self, network: &Net, batch_idx: usize) -> Result<BatchLoss> {
        let head = &self.head;
        self.training.with(batch_idx, |batch| network.loss(batch, head))
    }

    fn n_validation_batches(&self) -> usize {
        self.validation.n_batches()
    }

    fn validation_loss(&mut self, network: &Net, batch_idx: usize) -> Result<BatchLoss> {
        let head = &self.head;
        self.validation.with(batch_idx, |batch| network.loss(batch, head))
    }
}

pub(super) const SPEC: WindowSpec = WindowSpec { lookback: 36, horizon: 6, stride: 1 };
const N_CHANNELS: usize = 2;
const SEASON: usize = 12;
const N_STEPS: usize = 400;
const N_TRAINING: usize = 300;

/// Two series of two channels: a season that drifts, and noise; every ninth value is missing.
pub(super) fn panel() -> Panel {
    let channels = ["a".to_string(), "b".to_string()];
    let series = (0..2).map(|i| {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), N_STEPS);
        let value = |(t, c): (usize, usize)| {
            let at = (i * N_CHANNELS + c) * N_STEPS + t;
            let noise = (mix(at as u64) >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
            let phase = std::f64::consts::TAU * (t % SEASON) as f64 / SEASON as f64;
            let season = (phase + c as f64).sin() + 0.5 * (2.0 * phase + i as f64).cos();
            let is_missing = mix(at as u64 ^ 0xffff).is_multiple_of(9);
            if is_missing { f64::NAN } else { 50.0 + 0.01 * t as f64 + 10.0 * season + 8.0 * noise }
        };
        Series::new(format!("s{i}"), index, Array2::from_shape_fn((N_STEPS, N_CHANNELS), value), &channels)
            .unwrap()
    });
    let series = series.collect();
    Panel::new(channels.to_vec(), series).unwrap()
}

pub(super) fn scalers(panel: &Panel) -> Vec<Vec<Scaler>> {
    panel.series().iter().map(|series| Scaler::fit(Scaling::Standard, series, 0..N_TRAINING)).collect()
}

pub(super) fn head(kind: HeadKind) -> Head {
    Head::new(kind, PointLoss::Mse, &[0.1, 0.5, 0.9]).unwrap()
}

/// Runs `work` with the windows of the panel.
pub(super) fn with_task<T>(kind: HeadKind, batch_size: usize, work: impl FnOnce(&mut Windows<'_>) -> T) -> T {
    let panel = panel();
    let scalers = scalers(&panel);
    let of = |labels: std::ops::Range<usize>| WindowSet::new(SPEC, &panel, [labels.clone(), labels]).unwrap();
    let (training, validation) = (of(0..N_TRAINING), of(N_TRAINING..N_STEPS));
    let options = BatchOptions { batch_size, scalers: Some(&scalers), ..BatchOptions::default() };
    work(&mut Windows {
        training: Pipeline::new(&training, &options).unwrap(),
        validation: Pipeline::new(&validation, &options).unwrap(),
        head: head(kind),
    })
}

pub(super) fn options() -> TrainOptions<'static> {
    TrainOptions {
        series: "s0 and 1 more",
        n_epochs: 12,
        patience: Some(4),
        learning_rate: 0.01,
        schedule: Schedule::Plateau,
        optimiser: OptimiserKind::AdamW,
        weight_decay: 0.01,
        clip: Some(1.0),
        seed: 3,
        ..TrainOptions::default()
    }
}

pub(super) fn trained(
    kind: HeadKind,
    normalisation: Normalisation,
    options: &TrainOptions<'_>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Trained<Net> {
    let network = Net::new(normalisation, &head(kind), &[]);
    with_task(kind, 32, |task| train(network, task, options, watch)).unwrap()
}

/// All weights as bits.
pub(super) fn bits(network: &Net) -> Vec<u32> {
    let all = parameters::read(network).unwrap();
    all.iter().flat_map(|parameter| parameter.values.iter().map(|value| value.to_bits())).collect()
}

/// The mean squared error of the value one season before, scaled, over the labels of validation.
fn seasonal_naive() -> f64 {
    let panel = panel();
    let (mut sum, mut n) = (0.0, 0.0);
    for (series, scalers) in panel.series().iter().zip(scalers(&panel)) {
        for t in N_TRAINING..N_STEPS {
            for (c, scaler) in scalers.iter().enumerate() {
                let values = series.values();
                let error = scaler.scale(values[[t, c]]) - scaler.scale(values[[t - SEASON, c]]);
                if !error.is_nan() {
                    (sum, n) = (sum + error * error, n + 1.0);
                }
            }
        }
    }
    sum / n
}

#[test]
fn a_linear_network_learns_a_season_with_gaps_better_than_seasonal_naive() {
    for normalisation in [Normalisation::None, Normalisation::LastValue, Normalisation::RevIn] {
        let mut n_events = 0;
        let mut watch = |event: &TrainingEvent| {
            n_events += 1;
            let progress = event.progress();
            assert!(progress.loss.is_finite() && progress.seconds_left >= 0.0);
            Control::Continue
        };
        let TrainingReport { validation, best_epoch, stopped, losses, n_steps, .. } =
            trained(HeadKind::Point, normalisation, &options(), &mut watch).report;
        let best = validation[best_epoch.unwrap() - 1];
        println!("{normalisation:?}: {validation:.4?}, seasonal naive {:.4}", seasonal_naive());
        assert!(best < 0.9 * seasonal_naive(), "{normalisation:?}: {best} for {}", seasonal_naive());
        assert!(validation.iter().all(|loss| *loss >= best));
        assert_eq!(n_events, n_steps + losses.len());
        assert!(stopped == StopReason::Done || losses.len() == best_epoch.unwrap() + 4);
    }
}

#[test]
fn every_head_learns() {
    for kind in [HeadKind::Quantiles, HeadKind::Gaussian, HeadKind::StudentT] {
        let report = trained(kind, Normalisation::RevIn, &options(), &mut |_| Control::Continue).report;
        let (first, last) = (report.losses[0], report.losses[report.losses.len() - 1]);
        println!("{kind:?}: {:.4?}", report.validation);
        assert!(last < first - 0.02, "{kind:?}: {:?}", report.losses);
    }
}

#[test]
fn fifty_steps_give_the_same_bits_on_one_thread_and_on_two() {
    // The second is large enough for products of matrices by several threads.
    for (kind, hidden, batch_size) in [(HeadKind::Point, &[][..], 32), (HeadKind::StudentT, &[256, 64], 512)]
    {
        let of = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let mut n_steps = 0;
            let mut watch = |event: &TrainingEvent| {
                n_steps += usize::from(matches!(event, TrainingEvent::Step(_)));
                if n_steps == 50 { Control::Stop } else { Control::Continue }
            };
            // Without validation the weights are those of the last step.
            let network = pool.install(|| {
                let network = Net::new(Normalisation::RevIn, &head(kind), hidden);
                let options = TrainOptions { n_epochs: 50, ..options() };
                with_task(kind, batch_size, |task| {
                    train(network, &mut Unvalidated(task), &options, &mut watch)
                })
            });
            let trained = network.unwrap();
            assert_eq!((trained.report.n_steps, trained.report.stopped), (50, StopReason::Asked));
            bits(&trained.network)
        };
        assert_eq!(of(1), of(2), "{kind:?}");
    }
}

/// A task without its validation.
struct Unvalidated<'t, 'a>(&'t mut Windows<'a>);

impl Task<Net> for Unvalidated<'_, '_> {
    fn n_batches(&self) -> usize {
        self.0.n_batches()
    }

    fn begin_epoch(&mut self, order: WindowOrder) {
        self.0.begin_epoch(order);
    }

    fn loss(&mut self, network: &Net, batch_idx: usize) -> Result<BatchLoss> {
        self.0.loss(network, batch_idx)
    }
}
