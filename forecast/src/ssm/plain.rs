//! The network in plain numbers, step by step: what streams, and what defines the forecasts of a network that can.
//!
//! A step enters by the embedding, goes through the blocks, each mixer of which carries its own state, and leaves
//! what the head reads: of the last block its input and what its mixer makes of it, since the rest of it is a function
//! of that step alone. Several steps at a time ([`Plain::chunk`]) give the same bits as one after another, since
//! every number is computed by the same operations in the same order.

use super::block::Block;
use super::config::ChannelMixing;
use super::layers::{Affine, EPSILON, Norm};
use super::network::{NetworkShape, Ssm};
use super::{MixerState, Recurrence, StreamingForm};
use crate::kernels::rows;
use crate::nn::{Head, Network};
use crate::{Error, Result};

/// A network that can stream.
#[derive(Debug)]
pub(crate) struct Plain {
    embedding: PlainAffine,
    blocks: Vec<PlainBlock>,
    head: PlainAffine,
    marks_head: Option<PlainAffine>,
    of_value: Head,
    shape: NetworkShape,
    d_model: usize,
    is_mixed: bool,
    /// Whether it is told which values are missing.
    has_mask: bool,
    is_anchored: bool,
    has_own_intervals: bool,
}

/// `y = x W + b`.
#[derive(Debug)]
struct PlainAffine {
    /// Shape `(in, out)`.
    weight: Vec<f32>,
    /// Shape `(out)`.
    bias: Vec<f32>,
}

#[derive(Debug)]
struct PlainBlock {
    norm: Option<PlainNorm>,
    recurrence: Recurrence,
    /// From `d_model` to twice as many.
    gate: PlainAffine,
}

#[derive(Debug)]
struct PlainNorm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

/// Steps that are taken at a time, at most: what they need fits the caches.
pub(super) const CHUNK: usize = 64;

/// Scaled values are cut off here: one that is out of all reason does not make a state infinite for ever.
const LARGEST: f64 = 1e15;

impl Plain {
    /// The numbers of a network.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the setting that keeps a layer from streaming.
    pub(crate) fn new(network: &Ssm, form: StreamingForm) -> Result<Self> {
        let config = network.config();
        let blocks = network.blocks.iter().map(|block| PlainBlock::new(block, form));
        Ok(Plain {
            embedding: PlainAffine::new(&network.embedding)?,
            blocks: blocks.collect::<Result<_>>()?,
            head: PlainAffine::new(&network.head)?,
            marks_head: network.marks_head.as_ref().map(PlainAffine::new).transpose()?,
            of_value: network.head().clone(),
            shape: network.shape(),
            d_model: config.d_model,
            is_mixed: config.channels == ChannelMixing::Mixed,
            has_mask: config.tells_missing(),
            is_anchored: config.is_anchored(),
            has_own_intervals: config.has_own_intervals(),
        })
    }

    pub(super) fn shape(&self) -> NetworkShape {
        self.shape
    }

    /// What its outputs say of a value.
    pub(super) fn head(&self) -> &Head {
        &self.of_value
    }

    /// Whether intervals are those of the head.
    pub(super) fn has_own_intervals(&self) -> bool {
        self.has_own_intervals
    }

    /// Whether it takes steps with missing values as they are.
    pub(super) fn has_mask(&self) -> bool {
        self.has_mask
    }

    /// Sequences of a window: one for each channel, or one for all.
    pub(super) fn n_sequences(&self) -> usize {
        if self.is_mixed { 1 } else { self.shape.n_channels }
    }

    /// Channels of a sequence.
    fn n_values(&self) -> usize {
        if self.is_mixed { self.shape.n_channels } else { 1 }
    }

    /// Numbers that the head reads of one step of one sequence.
    fn width(&self) -> usize {
        2 * self.d_model
    }

    /// Numbers that the head reads of one step.
    pub(super) fn total_width(&self) -> usize {
        self.n_sequences() * self.width()
    }

    /// States that have seen nothing. Shape `(sequence, layer)`.
    pub(super) fn start(&self) -> Vec<MixerState> {
        let of_sequence = || self.blocks.iter().map(|block| block.recurrence.start());
        (0..self.n_sequences()).flat_map(|_| of_sequence()).collect()
    }

    /// Whether saved states fit.
    pub(super) fn accepts(&self, states: &[MixerState]) -> bool {
        let n_layers = self.blocks.len();
        states.len() == self.n_sequences() * n_layers
            && states.chunks(n_layers.max(1)).all(|states| {
                self.blocks.iter().zip(states).all(|(block, state)| block.recurrence.accepts(state))
            })
    }

    /// Of a reduced form, the sum over lags of how far kernels are off, in the worst channel of the worst layer; 0 for
    /// exact ones.
    pub(super) fn error_bound(&self) -> f64 {
        self.blocks.iter().map(|block| block.recurrence.error_bound()).fold(0.0, f64::max)
    }

    /// Numbers of room that a chunk of this many steps takes.
    fn room(&self, n_steps: usize) -> usize {
        n_steps * (self.n_inputs() + 5 * self.d_model)
    }

    /// Inputs that tell of values.
    fn n_told(&self) -> usize {
        if self.has_mask { 2 * self.n_values() } else { self.n_values() }
    }

    /// Inputs of a step seen that stand beside values: marks, then what is known of the past only.
    fn n_beside(&self) -> usize {
        self.shape.n_marks + self.shape.n_past
    }

    fn n_inputs(&self) -> usize {
        self.n_told() + self.n_beside()
    }

    /// Takes steps one after another.
    ///
    /// # Shapes
    /// `values` `(step, channel)`, NaN where missing of a network with a mask, finite of others, and `marks` `(step,
    /// mark and past input)`; at most [`CHUNK`] steps. `outputs`, `(step, sequence, width)`, is what the head reads of
    /// each. `room` grows once.
    pub(super) fn chunk(
        &self,
        states: &mut [MixerState],
        (values, marks): (&[f64], &[f32]),
        outputs: &mut [f32],
        room: &mut Vec<f32>,
    ) {
        let (n_channels, n_beside, d) = (self.shape.n_channels, self.n_beside(), self.d_model);
        let n_steps = values.len() / n_channels;
        let needed = self.room(n_steps);
        if room.len() < needed {
            room.resize(needed, 0.0);
        }
        let (n_values, n_told, n_inputs) = (self.n_values(), self.n_told(), self.n_inputs());
        let n_layers = self.blocks.len();
        for sequence in 0..self.n_sequences() {
            let (inputs, rest) = room.split_at_mut(n_steps * n_inputs);
            let (x, rest) = rest.split_at_mut(n_steps * d);
            let (normed, rest) = rest.split_at_mut(n_steps * d);
            let (mixed, gated) = rest.split_at_mut(n_steps * d);
            for (step, input) in inputs.chunks_exact_mut(n_inputs).enumerate() {
                let values = &values[step * n_channels + sequence * n_values..][..n_values];
                let inputs = input.iter_mut().zip(values);
                inputs.for_each(|(to, from)| *to = from.clamp(-LARGEST, LARGEST) as f32);
                if self.has_mask {
                    let (inputs, observed) = input.split_at_mut(n_values);
                    for (input, observed) in inputs.iter_mut().zip(observed) {
                        *observed = f32::from(!input.is_nan());
                        *input = if input.is_nan() { 0.0 } else { *input };
                    }
                }
                input[n_told..].copy_from_slice(&marks[step * n_beside..][..n_beside]);
            }
            self.embedding.rows(inputs, x);
            let states = &mut states[sequence * n_layers..][..n_layers];
            for (at, (block, state)) in self.blocks.iter().zip(states).enumerate() {
                let u = match &block.norm {
                    Some(norm) => {
                        norm.rows(x, normed);
                        &*normed
                    }
                    None => &*x,
                };
                match n_steps {
                    1 => block.recurrence.step(state, u, mixed),
                    _ => block.recurrence.chunk(state, u, mixed),
                }
                if at + 1 < n_layers {
                    block.gate_rows(x, mixed, &mut gated[..2 * n_steps * d]);
                }
            }
            let outputs = outputs.chunks_exact_mut(self.n_sequences() * 2 * d);
            for ((output, x), mixed) in outputs.zip(x.chunks_exact(d)).zip(mixed.chunks_exact(d)) {
                let output = &mut output[sequence * 2 * d..][..2 * d];
                output[..d].copy_from_slice(x);
                output[d..].copy_from_slice(mixed);
            }
        }
    }

    /// Writes the parameters of the head for the first steps of the forecast that follows a step, all channels.
    ///
    /// # Shapes
    /// `output` `(sequence, width)` and `last` `(channel)` are what the step left behind and its values, `marks` those of
    /// the steps to forecast, `(horizon, mark)`; `out` `(step, channel, parameter)`, no longer than the horizon. `room`
    /// grows once.
    pub(super) fn parameters(
        &self,
        (output, last): (&[f32], &[f64]),
        marks: &[f32],
        out: &mut [f64],
        room: &mut Vec<f32>,
    ) {
        let (n_channels, n_marks, d) = (self.shape.n_channels, self.shape.n_marks, self.d_model);
        let (n_values, n_outputs) = (self.n_values(), self.of_value.n_outputs());
        let (n_of_step, n_steps) = (n_values * n_outputs, out.len() / (n_channels * n_outputs));
        // The head has columns for each step and value, the first steps first.
        let n_columns = n_steps * n_of_step;
        let needed = 5 * d + n_columns + n_of_step;
        if room.len() < needed {
            room.resize(needed, 0.0);
        }
        for (sequence, output) in output.chunks_exact(2 * d).enumerate() {
            // What the mixer made of the step is read as it is, too.
            let (read, rest) = room.split_at_mut(2 * d);
            let (shown, rest) = rest.split_at_mut(d);
            let (gated, rest) = rest.split_at_mut(2 * d);
            let (columns, of_marks) = rest.split_at_mut(n_columns);
            read.copy_from_slice(output);
            shown.copy_from_slice(&output[d..]);
            if let Some(block) = self.blocks.last() {
                block.gate_rows(&mut read[..d], shown, gated);
            }
            self.head.first_columns(read, columns);
            for (step, columns) in columns.chunks_exact_mut(n_of_step).enumerate() {
                if let Some(head) = &self.marks_head {
                    let of_marks = &mut of_marks[..n_of_step];
                    head.rows(&marks[step * n_marks..][..n_marks], of_marks);
                    columns.iter_mut().zip(of_marks).for_each(|(column, of_marks)| *column += *of_marks);
                }
                for (value, outputs) in columns.chunks_exact(n_outputs).enumerate() {
                    let channel = sequence * n_values + value;
                    let anchor = if self.is_anchored { last[channel] } else { 0.0 };
                    let parameters = &mut out[(step * n_channels + channel) * n_outputs..][..n_outputs];
                    self.of_value.plain_parameters(outputs, anchor, parameters);
                }
            }
        }
    }
}

impl PlainBlock {
    fn new(block: &Block, form: StreamingForm) -> Result<Self> {
        Ok(PlainBlock {
            norm: block.norm.as_ref().map(PlainNorm::new).transpose()?,
            recurrence: block.mixer.recurrence(form)?,
            gate: PlainAffine::new(&block.gate)?,
        })
    }

    /// `x += glu(gelu(mixed) W + b)`, row by row; `mixed` becomes its GELU, `gated` is room for twice as much.
    fn gate_rows(&self, x: &mut [f32], mixed: &mut [f32], gated: &mut [f32]) {
        rows::gelu(mixed);
        self.gate.rows(mixed, gated);
        rows::add_glu(x, gated, self.gate.bias.len() / 2);
    }
}

impl PlainAffine {
    fn new(affine: &Affine) -> Result<Self> {
        Ok(PlainAffine { weight: numbers(affine.weight.val())?, bias: numbers(affine.bias.val())? })
    }

    /// Shapes: `x` `(row, in)`, `y` `(row, out)`.
    fn rows(&self, x: &[f32], y: &mut [f32]) {
        rows::affine(x, &self.weight, &self.bias, y);
    }

    /// The first outputs of one row; of the same bits as in [`PlainAffine::rows`].
    fn first_columns(&self, x: &[f32], y: &mut [f32]) {
        rows::affine_columns(x, &self.weight, &self.bias, y);
    }
}

impl PlainNorm {
    fn new(norm: &Norm) -> Result<Self> {
        Ok(PlainNorm { gain: numbers(norm.gain.val())?, bias: numbers(norm.bias.val())? })
    }

    /// Shapes: `x` and `y` `(row, d_model)`.
    fn rows(&self, x: &[f32], y: &mut [f32]) {
        rows::layer_norm(x, &self.gain, &self.bias, EPSILON as f32, y);
    }
}

/// The numbers of a tensor, row-major.
fn numbers<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Internal(error.to_string()))
}
