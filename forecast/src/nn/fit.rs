//! From a training range to a trained network: windows of all series in batches, a masked loss, validation.

use std::collections::BTreeMap;
use std::time::Duration;

use burn::tensor::{Device, Tensor};

use super::loss::Masked;
use super::network::{GroupOf, Inputs, Network, Pass};
use super::optimiser::ParameterGroup;
use super::pipeline::{Pipeline, device, tensor};
use super::progress::{Control, TrainingEvent};
use super::task::{BatchLoss, Task};
use super::trainer::{Trained, train};
use super::training_state::CheckpointOptions;
use super::{Begin, TrainingConfig};
use crate::Result;
use crate::data::{
    Batch, BatchOptions, CalendarFeatures, Covariates, Exogenous, Known, Panel, Series, WindowOrder,
    WindowSet, WindowSpec,
};
use crate::model::Training;

/// Checkpoints are written so often within an epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// Trains a network on the windows whose labels lie before the validation of each series, and keeps the weights that
/// do best on those whose labels lie in it.
///
/// # Errors
/// [`Error::TooShort`](crate::Error::TooShort) if no series has a window; those of the training.
pub(crate) fn fit<N: Network>(
    network: N,
    training: &Training<'_>,
    calendar: &CalendarFeatures,
    config: &TrainingConfig,
    about: &BTreeMap<String, String>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Result<Trained<N>> {
    let (schema, scalers) = match training.inputs {
        Some(inputs) => (inputs.schema().clone(), inputs.scalers().to_vec()),
        None => Default::default(),
    };
    // Without the covariates that are not asked for.
    let bare = |series: &Series| match training.inputs {
        Some(_) => Ok(series.clone()),
        None => series.clone().with_covariates(Covariates::none(series.n_steps())),
    };
    let series = training.series.iter().map(bare).collect::<Result<_>>()?;
    let panel = Panel::of(training.channels.to_vec(), schema, series)?;
    let ends = || panel.series().iter().map(Series::n_steps);
    let cuts: Vec<usize> = training.cuts.map_or_else(|| ends().collect(), <[usize]>::to_vec);
    let exogenous = Exogenous::with_scalers(&panel, calendar, scalers)?;
    let spec = WindowSpec {
        lookback: network.lookback(),
        horizon: network.horizon(),
        stride: config.stride.unwrap_or(1),
    };
    let of_training = WindowSet::new(spec, &panel, cuts.iter().map(|cut| 0..*cut))?;
    // Too short a range is no validation.
    let of_validation =
        WindowSet::new(spec, &panel, cuts.iter().zip(ends()).map(|(cut, end)| *cut..end)).ok();
    let is_told =
        [Known::Past, Known::Future, Known::Static].iter().any(|known| exogenous.n_columns(*known) > 0);
    let options = BatchOptions {
        batch_size: config.batch_size.unwrap_or(32),
        exogenous: is_told.then_some(&exogenous),
        ..BatchOptions::default()
    };
    let validation = of_validation.as_ref().map(|windows| Pipeline::new(windows, &options)).transpose()?;
    let mut task = Windows {
        training: Pipeline::new(&of_training, &options)?,
        validation,
        group: network.group(),
        epoch: 0,
    };
    let name = match panel.series() {
        [one] => one.id().to_string(),
        several => format!("{} and {} more", several[0].id(), several.len() - 1),
    };
    let mut options = config.options(&name);
    options.cancel = Some(training.cancel);
    options.checkpoint = training.checkpoint.map(|(path, is_resumed)| CheckpointOptions {
        path,
        every: CHECKPOINT_EVERY,
        begin: if is_resumed { Begin::Resume } else { Begin::Anew },
        about,
    });
    train(network, &mut task, &options, watch)
}

/// The windows of a panel.
struct Windows<'a> {
    training: Pipeline<'a>,
    validation: Option<Pipeline<'a>>,
    group: GroupOf,
    epoch: u64,
}

impl<N: Network> Task<N> for Windows<'_> {
    fn n_batches(&self) -> usize {
        self.training.n_batches()
    }

    fn begin_epoch(&mut self, order: WindowOrder) {
        self.epoch = match order {
            WindowOrder::Shuffled { epoch, .. } => epoch,
            WindowOrder::InTime => 0,
        };
        self.training.begin_epoch(order);
    }

    fn loss(&mut self, network: &N, batch_idx: usize) -> Result<BatchLoss> {
        let step = self.epoch * self.training.n_batches() as u64 + batch_idx as u64;
        self.training.with(batch_idx, |batch| loss(network, batch, Pass::Training { step }))
    }

    fn n_validation_batches(&self) -> usize {
        self.validation.as_ref().map_or(0, Pipeline::n_batches)
    }

    fn validation_loss(&mut self, network: &N, batch_idx: usize) -> Result<BatchLoss> {
        match &mut self.validation {
            Some(validation) => validation.with(batch_idx, |batch| loss(network, batch, Pass::Evaluation)),
            None => Err(crate::Error::Internal("no validation".to_string())),
        }
    }

    fn group(&self, path: &str) -> ParameterGroup {
        (self.group)(path)
    }
}

/// The loss of a batch, as its head has it, over the labels that are there.
fn loss<N: Network>(network: &N, batch: &Batch, pass: Pass) -> Result<BatchLoss> {
    let device: Device = device(network);
    let inputs = Inputs {
        values: tensor(batch.inputs(), &device),
        mask: tensor(batch.input_mask(), &device),
        known_ahead: known(batch, &device),
        past: (batch.past_covariates().dim().2 > 0).then(|| tensor(batch.past_covariates(), &device)),
    };
    let parameters = network.parameters(inputs, pass);
    let (labels, mask) = (tensor(batch.labels(), &device), tensor(batch.label_mask(), &device));
    let Masked { mean, n_values } = network.head().loss(parameters, labels, mask)?;
    Ok(BatchLoss { mean, weight: n_values, n_rows: batch.n_rows() })
}

/// What is known ahead of the steps of a batch, and what never changes as a column that is the same at every step.
fn known(batch: &Batch, device: &Device) -> Option<Tensor<3>> {
    let (ahead, fixed) = (batch.known_ahead(), batch.static_covariates());
    let steps = batch.inputs().dim().1 + batch.labels().dim().1;
    let fixed = (fixed.ncols() > 0).then(|| {
        let [n_rows, n_columns] = [fixed.nrows(), fixed.ncols()];
        tensor::<2, _>(fixed, device).unsqueeze_dim::<3>(1).expand([n_rows, steps, n_columns])
    });
    let ahead = (ahead.dim().2 > 0).then(|| tensor::<3, _>(ahead, device));
    match (ahead, fixed) {
        (Some(ahead), Some(fixed)) => Some(Tensor::cat(vec![ahead, fixed], 2)),
        (ahead, fixed) => ahead.or(fixed),
    }
}
