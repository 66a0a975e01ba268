//! A block: `x + dropout(glu(W dropout(gelu(mix(norm(x)))) + b))`, as in S4's code (`s4block.py`, Gu et al. 2022,
//! arXiv 2111.00396, section 3.4).
//!
//! `glu(a, b) = a sigmoid(b)`. The first dropout, after the mixer, is the same at all steps of a sequence.

use burn::module::Module;
use burn::tensor::Tensor;

use super::layers::{Affine, Norm, Streams};
use super::{Mixer, MixerConfig};
use crate::Result;
use crate::data::mix;
use crate::kernels::{dropout, gelu, glu, tied_dropout};
use crate::nn::Pass;

/// A block.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub(super) norm: Option<Norm>,
    pub(super) mixer: Mixer,
    /// From `d_model` to twice as many.
    pub(super) gate: Affine,
}

/// What a block is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockShape<'a> {
    pub(super) mixer: &'a MixerConfig,
    pub(super) d_model: usize,
    /// Steps of the longest sequence in training.
    pub(super) max_length: usize,
    pub(super) has_norm: bool,
}

/// Dropout of one place while the network learns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drop {
    rate: f64,
    seed: u64,
}

impl Drop {
    /// No dropout of a network that forecasts.
    pub(super) fn new(rate: f64, seed: u64, pass: Pass) -> Self {
        match pass {
            Pass::Training { step } => Drop { rate, seed: mix(mix(seed) ^ mix(step.wrapping_add(1))) },
            Pass::Evaluation => Drop { rate: 0.0, seed },
        }
    }

    /// The same in another place.
    pub(super) fn at(self, place: u64) -> Self {
        Drop { seed: mix(self.seed ^ mix(place.wrapping_add(1))), ..self }
    }

    fn elements<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        dropout(x, self.rate, self.seed)
    }

    /// The same elements of all steps. Shape `(batch, length, d_model)`.
    fn tied(self, x: Tensor<3>) -> Tensor<3> {
        tied_dropout(x, self.rate, self.seed)
    }
}

impl Block {
    /// # Errors
    /// As [`Mixer::new`].
    pub(super) fn new(shape: BlockShape<'_>, streams: &mut Streams<'_>) -> Result<Self> {
        let BlockShape { mixer, d_model, max_length, has_norm } = shape;
        let seed = streams.next();
        Ok(Block {
            norm: has_norm.then(|| Norm::new(d_model, streams.device())),
            mixer: Mixer::new(mixer, d_model, max_length, seed, streams.device())?,
            gate: Affine::new(d_model, 2 * d_model, streams),
        })
    }

    /// Shapes: `x` and the result `(batch, length, d_model)`.
    pub(super) fn forward(&self, x: Tensor<3>, drop: Drop) -> Tensor<3> {
        self.forward_with_mixed(x, drop).0
    }

    /// [`Block::forward`] and what its mixer made of the steps, which is linear in them where nothing is normalised.
    /// Shapes `(batch, length, d_model)`.
    pub(super) fn forward_with_mixed(&self, x: Tensor<3>, drop: Drop) -> (Tensor<3>, Tensor<3>) {
        let shape @ [n_batch, length, d_model] = x.dims();
        let mixed = self.mixer.forward(self.normed(x.clone())); // (batch, length, d_model)
        let shown = drop.at(0).tied(gelu(mixed.clone())).reshape([n_batch * length, d_model]);
        let gated = drop.at(1).elements(glu(self.gate.forward(shown)));
        (x + gated.reshape(shape), mixed)
    }

    /// The last step of [`Block::forward_with_mixed`], from all steps. Shapes `(batch, d_model)`.
    pub(super) fn last(&self, x: Tensor<3>, drop: Drop) -> (Tensor<2>, Tensor<2>) {
        let [n_batch, length, d_model] = x.dims();
        let mixed = self.mixer.last(self.normed(x.clone())); // (batch, d_model)
        let shown = drop.at(0).elements(gelu(mixed.clone()));
        let gated = drop.at(1).elements(glu(self.gate.forward(shown)));
        (x.narrow(1, length - 1, 1).reshape([n_batch, d_model]) + gated, mixed)
    }

    fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}
