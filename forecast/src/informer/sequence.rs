//! Activations of a batch of sequences as one matrix, a row for each step, so that no layer has to reshape them.

use burn::tensor::Tensor;

/// Sequences of one length.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    /// Shape `(batch * length, d_model)`.
    pub(super) rows: Tensor<2>,
    /// How many sequences there are, at least 1.
    pub(super) n_batch: usize,
}

impl Sequence {
    /// From steps of shape `(batch, length, d_model)`.
    pub(super) fn new(steps: Tensor<3>) -> Self {
        let [n_batch, length, d_model] = steps.dims();
        Sequence { rows: steps.reshape([n_batch * length, d_model]), n_batch }
    }

    /// The same sequences with other activations.
    pub(super) fn with(&self, rows: Tensor<2>) -> Self {
        Sequence { rows, n_batch: self.n_batch }
    }

    pub(super) fn length(&self) -> usize {
        self.rows.dims()[0] / self.n_batch.max(1)
    }

    /// Shape `(batch, length, d_model)`.
    pub(super) fn steps(&self) -> Tensor<3> {
        let [n_rows, d_model] = self.rows.dims();
        self.rows.clone().reshape([self.n_batch, n_rows / self.n_batch.max(1), d_model])
    }

    /// The last steps of each sequence, all if there are no more.
    pub(super) fn last(self, n: usize) -> Self {
        let length = self.length();
        if n >= length {
            return self;
        }
        Sequence::new(self.steps().narrow(1, length - n, n))
    }
}
