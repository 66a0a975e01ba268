//! Distilling: halves a sequence between encoder layers, `X_(j+1) = MaxPool(ELU(norm(Conv1d(X_j))))` (equation 5; the
//! norm is in the reference code only).

use burn::module::Module;

use super::batch_norm::BatchNorm;
use super::draws::Draws;
use super::layers::Conv;
use super::pass::Pass;
use super::sequence::Sequence;
use crate::kernels::{elu, max_pool3};

/// A convolution of width 3, batch norm, ELU, and the largest of three steps, every other step.
#[derive(Module, Debug)]
pub(super) struct Distil {
    pub(super) conv: Conv,
    pub(super) norm: BatchNorm,
}

impl Distil {
    pub(super) fn new(d_model: usize, draws: &mut Draws<'_>) -> Self {
        Distil { conv: Conv::new(d_model, d_model, draws), norm: BatchNorm::new(d_model, draws) }
    }

    pub(super) fn pack(&mut self) {
        self.conv.pack();
    }

    /// From length L to `(L - 1) / 2 + 1`, rounded down.
    pub(super) fn forward(&self, x: &Sequence, pass: &Pass<'_>) -> Sequence {
        let convolved = Sequence::new(self.conv.forward(x.steps()));
        let normed = convolved.with(elu(self.norm.forward(convolved.rows.clone(), pass.phase())));
        Sequence::new(max_pool3(normed.steps()))
    }
}
