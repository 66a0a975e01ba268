//! A layer step by step, in plain numbers: what streams.
//!
//! The state of a channel is a few numbers, and a step costs O(N) for each channel; the exact form of SGConv remembers
//! as many inputs as its kernel is long (see `online_conv.rs`). A step allocates nothing once its thread has the room it
//! computes in. Channels are computed side by side in blocks of 16, so a step and a chunk of steps do the same
//! operations in the same order: same bits.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::blocks::{Blocks, Lanes, WIDTH};
use super::diagonal_steps::DiagonalSteps;
use super::low_rank_steps::LowRankSteps;
use super::mixer::StreamingForm;
use super::numbers::numbers;
use super::online_conv::OnlineConvolution;
use super::reduce::reduced;
use super::s4::S4;
use super::s4d::S4d;
use super::sgconv::SgConv;
use crate::{Error, Result};

/// A layer that takes one step after the other.
#[derive(Debug)]
pub(crate) struct Recurrence {
    d_model: usize,
    form: Form,
    error_bound: f64,
}

#[derive(Debug)]
enum Form {
    Diagonal(DiagonalSteps),
    LowRank(LowRankSteps),
    Online(OnlineConvolution),
}

/// What a recurrence remembers. One that comes from outside is checked once, when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawMixerState")]
pub(crate) struct MixerState {
    pub(super) values: Vec<f32>,
    pub(super) n_steps: u64,
}

/// As it is written down.
#[derive(Deserialize)]
struct RawMixerState {
    values: Vec<f32>,
    n_steps: u64,
}

impl TryFrom<RawMixerState> for MixerState {
    type Error = &'static str;

    fn try_from(RawMixerState { values, n_steps }: RawMixerState) -> Result<Self, &'static str> {
        if !values.iter().all(|value| value.is_finite()) {
            return Err("a state has numbers that are not finite");
        }
        if n_steps >= u64::MAX / 2 {
            return Err("a state has seen more steps than there can be");
        }
        Ok(MixerState { values, n_steps })
    }
}

impl MixerState {
    /// Bytes of its numbers.
    pub(crate) fn n_bytes(&self) -> usize {
        self.values.len() * size_of::<f32>() + size_of::<u64>()
    }
}

/// Steps of a chunk that are computed in one go.
const PIECE: usize = 1024;

impl Recurrence {
    pub(super) fn of_s4d(layer: &S4d) -> Self {
        let (modes, skip) = (layer.modes(), numbers(layer.skip.val()));
        let modes: Vec<_> = modes.into_iter().map(|mode| mode.discrete(layer.rule)).collect();
        let form = Form::Diagonal(DiagonalSteps::new(&modes, &skip));
        Recurrence { d_model: skip.len(), form, error_bound: 0.0 }
    }

    pub(super) fn of_s4(layer: &S4) -> Self {
        let skip = numbers(layer.skip.val());
        let form = Form::LowRank(LowRankSteps::new(&layer.channels(), &skip));
        Recurrence { d_model: skip.len(), form, error_bound: 0.0 }
    }

    pub(super) fn of_sgconv(layer: &SgConv, form: StreamingForm) -> Result<Self> {
        let skip = numbers(layer.skip.val());
        let kernel = numbers(layer.kernel(layer.length));
        let d_model = skip.len();
        match form {
            StreamingForm::Exact => {
                let form = Form::Online(OnlineConvolution::new(&kernel, &skip));
                Ok(Recurrence { d_model, form, error_bound: 0.0 })
            }
            StreamingForm::Reduced { max_order: 0 } => Err(Error::BadOption {
                field: "max_order".to_string(),
                value: "0".to_string(),
                rule: "a reduced form needs at least 1 state; use 64, or the exact form".to_string(),
            }),
            StreamingForm::Reduced { max_order } => {
                let found = reduced(&kernel, &skip, max_order)?;
                let form = Form::Diagonal(DiagonalSteps::new(&found.modes, &found.skip));
                Ok(Recurrence { d_model, form, error_bound: found.error_bound })
            }
        }
    }

    /// Channels.
    pub(crate) fn d_model(&self) -> usize {
        self.d_model
    }

    /// Numbers of a state.
    pub(crate) fn n_state(&self) -> usize {
        let n_blocks = self.d_model.div_ceil(WIDTH);
        match &self.form {
            Form::Diagonal(form) => n_blocks * form.n_state(),
            Form::LowRank(form) => n_blocks * form.n_state(),
            Form::Online(form) => form.n_state(),
        }
    }

    /// How far an output can be from that of the layer, for inputs between -1 and 1: the sum over lags of what the
    /// kernels differ, of the worst channel. 0 for exact forms, up to rounding.
    pub(crate) fn error_bound(&self) -> f64 {
        self.error_bound
    }

    /// The state before the first step.
    pub(crate) fn start(&self) -> MixerState {
        MixerState { values: vec![0.0; self.n_state()], n_steps: 0 }
    }

    /// Whether a state has the size of one of this recurrence.
    pub(crate) fn accepts(&self, state: &MixerState) -> bool {
        state.values.len() == self.n_state()
    }

    /// One step. Shapes: `u` and `y` `(d_model)`.
    pub(crate) fn step(&self, state: &mut MixerState, u: &[f32], y: &mut [f32]) {
        match &self.form {
            Form::Diagonal(form) => step_blocks(form, &mut state.values, u, y),
            Form::LowRank(form) => step_blocks(form, &mut state.values, u, y),
            Form::Online(form) => form.step(&mut state.values, state.n_steps, u, y),
        }
        state.n_steps += 1;
    }

    /// Several steps, to the same bits as one after the other. Shapes: `u` and `y` `(step, d_model)`.
    pub(crate) fn chunk(&self, state: &mut MixerState, u: &[f32], y: &mut [f32]) {
        let d = self.d_model;
        match &self.form {
            Form::Diagonal(form) => chunk_blocks(form, &mut state.values, d, u, y),
            Form::LowRank(form) => chunk_blocks(form, &mut state.values, d, u, y),
            Form::Online(form) => {
                for (at, (u, y)) in u.chunks(d).zip(y.chunks_mut(d)).enumerate() {
                    form.step(&mut state.values, state.n_steps + at as u64, u, y);
                }
            }
        }
        state.n_steps += (u.len() / d.max(1)) as u64;
    }
}

/// The channels of a block, 0 beyond the last one.
fn lanes(u: &[f32]) -> Lanes {
    match u.first_chunk::<WIDTH>() {
        Some(whole) => *whole,
        None => {
            let mut lanes = [0.0; WIDTH];
            lanes.iter_mut().zip(u).for_each(|(to, from)| *to = *from);
            lanes
        }
    }
}

fn step_blocks(form: &impl Blocks, state: &mut [f32], u: &[f32], y: &mut [f32]) {
    let blocks = state.chunks_mut(form.n_state().max(1)).zip(u.chunks(WIDTH)).zip(y.chunks_mut(WIDTH));
    for (block, ((state, u), y)) in blocks.enumerate() {
        let found = form.step(block, state, &lanes(u));
        y.copy_from_slice(&found[..y.len()]);
    }
}

fn chunk_blocks(form: &impl Blocks, state: &mut [f32], d: usize, u: &[f32], y: &mut [f32]) {
    if u.len() <= d {
        return step_blocks(form, state, u, y);
    }
    for (u, y) in u.chunks(PIECE * d).zip(y.chunks_mut(PIECE * d)) {
        let n_steps = u.len() / d;
        let mut found = vec![[0.0; WIDTH]; n_steps * d.div_ceil(WIDTH)];
        let blocks = found.par_chunks_mut(n_steps).zip(state.par_chunks_mut(form.n_state().max(1)));
        blocks.enumerate().for_each(|(block, (found, state))| {
            let first = block * WIDTH;
            let last = (first + WIDTH).min(d);
            for (found, u) in found.iter_mut().zip(u.chunks(d)) {
                *found = form.step(block, state, &lanes(&u[first..last]));
            }
        });
        for (step, y) in y.chunks_mut(d).enumerate() {
            for (block, y) in y.chunks_mut(WIDTH).enumerate() {
                y.copy_from_slice(&found[block * n_steps + step][..y.len()]);
            }
        }
    }
}
