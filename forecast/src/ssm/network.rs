//! The network: `forecast = W [stack(embed(window)), mixed] + b`, relative to the last value or what else a window is
//! normalised by. `mixed` is what the last mixer makes of its input, before any curve: with it a forecast has a part that
//! is linear in the window. W begins at 0, so that training begins at what forecasts are relative to.
//!
//! With a head of more than a point, as many outputs of each value are what its parameters come from, and what a forecast
//! is relative to moves its quantiles or its location.
//!
//! Values (with `mask` also whether each was observed), time features and covariates of each step enter by an affine map; a
//! stack of
//! blocks mixes the steps. The *direct* decoder maps the last state to all steps of the horizon; the *mask* decoder lets
//! the window be followed by as many unknown steps (value 0, flag 1) and maps the state of each to its forecast (Gu et
//! al. 2022, arXiv 2111.00396, section 4.4).
//!
//! Shapes: windows `(batch, lookback, channel)`, forecasts `(batch, horizon, channel)`. Independent channels are
//! sequences of their own, `(batch * channel, lookback, d_model)`.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::block::{Block, BlockShape, Drop};
use super::config::{BlockNorm, ChannelMixing, Decoder, SsmConfig};
use super::layers::{Affine, Streams};
use super::{Mixer, MixerConfig};
use crate::nn::{
    GroupOf, Head, HeadKind, Inputs, Network, Normaliser, ParameterGroup, Pass, WindowMap, last_observed,
};
use crate::{Error, Result};

/// The forecaster.
#[derive(Module, Debug)]
pub(crate) struct Ssm {
    pub(super) embedding: Affine,
    pub(super) blocks: Vec<Block>,
    pub(super) head: Affine,
    /// From what is known of a step to forecast to what it adds.
    pub(super) marks_head: Option<Affine>,
    normaliser: Normaliser,
    #[module(skip)]
    of_value: Head,
    #[module(skip)]
    config: SsmConfig,
    #[module(skip)]
    mixer: MixerConfig,
    #[module(skip)]
    shape: NetworkShape,
}

/// What the network takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetworkShape {
    pub(crate) n_channels: usize,
    /// Time features of a step, and covariates known ahead; 0 for none.
    pub(crate) n_marks: usize,
    /// Covariates known of the steps seen alone; 0 for none.
    pub(crate) n_past: usize,
    /// Steps seen.
    pub(crate) lookback: usize,
    /// Steps that are forecast.
    pub(crate) horizon: usize,
}

/// Channels, time features, and steps of the horizon, at most.
const MOST: usize = 65_536;

impl Ssm {
    /// A network with first weights that follow from the seed alone.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting or a size is out of range.
    pub(crate) fn new(
        config: &SsmConfig,
        mixer: &MixerConfig,
        shape: NetworkShape,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        shape.check()?;
        let NetworkShape { n_channels, n_marks, n_past, lookback, horizon } = shape;
        let d_model = config.d_model;
        let is_mixed = config.channels == ChannelMixing::Mixed;
        let of_value = config.head()?;
        let n_values = if is_mixed { n_channels } else { 1 };
        // Of each step, value by value.
        let n_of_step = n_values * of_value.n_outputs();
        let is_masked = config.decoder == Decoder::Mask;
        let n_told = if config.tells_missing() { 2 * n_values } else { n_values };
        let n_inputs = n_told + n_marks + n_past + usize::from(is_masked);
        let n_outputs = if is_masked { n_of_step } else { n_of_step * horizon };
        config.check_size(n_inputs, n_outputs)?;
        let mut streams = Streams::new(config.seed, device);
        let embedding = Affine::new(n_inputs, d_model, &mut streams);
        let max_length = lookback + if is_masked { horizon } else { 0 };
        let block = BlockShape { mixer, d_model, max_length, has_norm: config.norm == BlockNorm::Layer };
        let blocks = (0..config.n_layers).map(|_| Block::new(block, &mut streams));
        let blocks = blocks.collect::<Result<Vec<_>>>()?;
        let head = Affine::zeros(2 * d_model, n_outputs, device);
        let has_marks = n_marks > 0 && !is_masked;
        Ok(Ssm {
            embedding,
            blocks,
            head,
            marks_head: has_marks.then(|| Affine::zeros(n_marks, n_of_step, device)),
            normaliser: Normaliser::new(config.normalisation, n_channels, device),
            of_value,
            config: config.clone(),
            mixer: mixer.clone(),
            shape,
        })
    }

    pub(super) fn config(&self) -> &SsmConfig {
        &self.config
    }

    pub(super) fn shape(&self) -> NetworkShape {
        self.shape
    }

    fn is_mixed(&self) -> bool {
        self.config.channels == ChannelMixing::Mixed
    }

    /// Values as sequences: `(batch, length, channel)` becomes `(sequence, length, value)`.
    fn sequences(&self, values: Tensor<3>) -> Tensor<3> {
        if self.is_mixed() {
            return values;
        }
        let [n_batch, length, n_channels] = values.dims();
        values.swap_dims(1, 2).reshape([n_batch * n_channels, length, 1])
    }

    /// `(batch, length, column)`, the same for all channels of a window, as `(sequence, length, column)`.
    fn for_sequences(&self, columns: Tensor<3>) -> Tensor<3> {
        let n_channels = self.shape.n_channels;
        if self.is_mixed() || n_channels == 1 {
            return columns;
        }
        let [n_batch, length, n_columns] = columns.dims();
        let each = columns.unsqueeze_dim::<4>(1).expand([n_batch, n_channels, length, n_columns]);
        each.reshape([n_batch * n_channels, length, n_columns])
    }

    /// Outputs `(sequence, horizon, value * output)` channel by channel, `(batch, horizon, channel, output)`.
    fn by_channel(&self, outputs: Tensor<3>) -> Tensor<4> {
        let NetworkShape { n_channels, horizon, .. } = self.shape;
        let n_outputs = self.of_value.n_outputs();
        let n_sequences = outputs.dims()[0];
        if self.is_mixed() {
            return outputs.reshape([n_sequences, horizon, n_channels, n_outputs]);
        }
        let n_batch = n_sequences / n_channels.max(1);
        outputs.reshape([n_batch, n_channels, horizon, n_outputs]).swap_dims(1, 2)
    }

    /// All steps of the horizon from the last state. Shape `(sequence, horizon, value * output)`.
    fn direct(&self, inputs: Tensor<3>, drop: Drop) -> Tensor<3> {
        let n_sequences = inputs.dims()[0];
        let mut x = self.embedding.forward_steps(inputs); // (sequence, lookback, d_model)
        let (last, mixed) = match self.blocks.split_last() {
            Some((last, others)) => {
                for (at, block) in others.iter().enumerate() {
                    x = block.forward(x, drop.at(2 * at as u64));
                }
                last.last(x, drop.at(2 * others.len() as u64))
            }
            // There is a block at least.
            None => {
                let [n, length, d_model] = x.dims();
                let last = x.narrow(1, length - 1, 1).reshape([n, d_model]);
                (last.clone(), last)
            }
        };
        let n_values = if self.is_mixed() { self.shape.n_channels } else { 1 };
        let outputs = self.head.forward(Tensor::cat(vec![last, mixed], 1));
        outputs.reshape([n_sequences, self.shape.horizon, n_values * self.of_value.n_outputs()])
    }

    /// Each step of the horizon from its own state. Shape `(sequence, horizon, value * output)`.
    fn masked(&self, inputs: Tensor<3>, drop: Drop) -> Tensor<3> {
        let NetworkShape { lookback, horizon, .. } = self.shape;
        let embedded = self.embedding.forward_steps(inputs);
        let blocks = self.blocks.iter().enumerate();
        let (x, mixed) = blocks.fold((embedded.clone(), embedded), |(x, _), (at, block)| {
            block.forward_with_mixed(x, drop.at(2 * at as u64))
        });
        let both = [x, mixed].map(|steps| steps.narrow(1, lookback, horizon));
        self.head.forward_steps(Tensor::cat(both.to_vec(), 2))
    }
}

impl Network for Ssm {
    fn lookback(&self) -> usize {
        self.shape.lookback
    }

    fn horizon(&self) -> usize {
        self.shape.horizon
    }

    fn forward(&self, inputs: Inputs, pass: Pass) -> Tensor<3> {
        // Of a distribution its location, of quantiles the one in the middle.
        let at = match self.config.head {
            HeadKind::Quantiles => (self.of_value.n_outputs() - 1) / 2,
            HeadKind::Point | HeadKind::Gaussian | HeadKind::StudentT => 0,
        };
        self.parameters(inputs, pass).narrow(3, at, 1).squeeze_dim(3)
    }

    fn head(&self) -> &Head {
        &self.of_value
    }

    fn has_own_intervals(&self) -> bool {
        self.config.has_own_intervals()
    }

    fn parameters(&self, inputs: Inputs, pass: Pass) -> Tensor<4> {
        let NetworkShape { n_marks, n_past, lookback, horizon, .. } = self.shape;
        let mask = inputs.observed();
        let Inputs { values, known_ahead, past, .. } = inputs;
        let anchor =
            self.config.is_anchored().then(|| last_observed(values.clone() * mask.clone(), mask.clone()));
        let (values, map) = self.normaliser.normalise(values, mask.clone());
        let known = known_ahead.filter(|_| n_marks > 0); // (batch, lookback + horizon, mark)
        let past = past.filter(|_| n_past > 0).map(|past| self.for_sequences(past)); // (sequence, lookback, column)
        let drop = Drop::new(self.config.dropout, self.config.seed, pass);
        let observed = self.config.tells_missing().then(|| self.sequences(mask));
        let sequences = beside(self.sequences(values), observed);
        let outputs = match self.config.decoder {
            Decoder::Direct => {
                let seen = known.clone().map(|known| self.for_sequences(known.narrow(1, 0, lookback)));
                self.direct(beside(beside(sequences, seen), past), drop)
            }
            Decoder::Mask => {
                // Steps to come were not observed either.
                let [n, _, n_told] = sequences.dims();
                let device = sequences.device();
                let steps = Tensor::cat(vec![sequences, Tensor::zeros([n, horizon, n_told], &device)], 1);
                let flags = [(lookback, 0.0), (horizon, 1.0)]
                    .map(|(length, flag)| Tensor::full([n, length, 1], flag, &device));
                let steps = beside(steps, Some(Tensor::cat(flags.to_vec(), 1)));
                let steps = beside(steps, known.clone().map(|known| self.for_sequences(known)));
                // Nothing of the past is known of steps to come.
                let past = past.map(|past| {
                    let [n, _, n_past] = past.dims();
                    Tensor::cat(vec![past, Tensor::zeros([n, horizon, n_past], &device)], 1)
                });
                self.masked(beside(steps, past), drop)
            }
        };
        let outputs = match (&self.marks_head, known) {
            (Some(head), Some(known)) => {
                outputs + self.for_sequences(head.forward_steps(known.narrow(1, lookback, horizon)))
            }
            _ => outputs,
        };
        let parameters = self.of_value.parameters(self.by_channel(outputs));
        // Windows that have an anchor are not normalised.
        let map = anchor.map_or(map, WindowMap::offset);
        self.of_value.denormalise(parameters, &map)
    }

    fn group(&self) -> GroupOf {
        let mixer = self.mixer.clone();
        Box::new(move |path: &str| -> ParameterGroup { Mixer::group(&mixer, path) })
    }
}

/// Columns beside others, step by step.
fn beside(steps: Tensor<3>, more: Option<Tensor<3>>) -> Tensor<3> {
    match more {
        Some(more) => Tensor::cat(vec![steps, more], 2),
        None => steps,
    }
}

impl NetworkShape {
    fn check(self) -> Result<()> {
        let NetworkShape { n_channels, n_marks, n_past, horizon, .. } = self;
        for (field, size, least) in [
            ("horizon", horizon, 1),
            ("number of channels", n_channels, 1),
            ("number of time features", n_marks, 0),
            ("number of past inputs", n_past, 0),
        ] {
            if !(least..=MOST).contains(&size) {
                return Err(Error::option(field, size, format!("it must be from {least} to {MOST}")));
            }
        }
        Ok(())
    }
}
