//! Multi-head attention: projections, the kind of attention, the merge of its heads.
//!
//! `out = W_o attend(W_q x, W_k m, W_v m)`, all with a bias. The reference code has dropout on the weights of full
//! attention as well; here, as in its ProbSparse attention, only what comes out is dropped.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::AttentionKind;
use super::draws::Draws;
use super::layers::Linear;
use super::pass::{Pass, Site, Sites};
use super::sequence::Sequence;
use crate::kernels::{Activation, Mask, ProbSparse, attention, prob_sparse_attention};

/// Attention of some sequences to others, or to themselves.
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    #[module(skip)]
    options: AttentionOptions,
    /// Which ProbSparse attention of a pass it is.
    sparse_idx: usize,
    #[module(skip)]
    site: Site,
}

/// What an attention layer computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttentionOptions {
    pub(super) kind: AttentionKind,
    pub(super) n_heads: usize,
    pub(super) mask: Mask,
    pub(super) merge: Merge,
}

/// How heads are put side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Each step keeps its own values.
    Plain,
    /// `(head, step, d)` read as `(step, head * d)`, as the reference code does.
    Mixed,
}

impl Attention {
    pub(super) fn new(
        d_model: usize,
        options: AttentionOptions,
        draws: &mut Draws<'_>,
        sites: &mut Sites,
    ) -> Self {
        let mut linear = || Linear::new(d_model, d_model, draws);
        let sparse_idx = match options.kind {
            AttentionKind::Prob => sites.next_sparse(),
            AttentionKind::Full => 0,
        };
        let [query, key, value, output] = [linear(), linear(), linear(), linear()];
        Attention { query, key, value, output, options, sparse_idx, site: sites.next() }
    }

    pub(super) fn kind(&self) -> AttentionKind {
        self.options.kind
    }

    /// What each step of `x` finds in `memory`; shape `(batch * length of x, d_model)`.
    pub(super) fn forward(&self, x: &Sequence, memory: &Sequence, pass: &Pass<'_>) -> Tensor<2> {
        let project = |layer: &Linear, x: &Sequence| {
            x.with(layer.forward(x.rows.clone(), Activation::None)).steps() // (batch, length, heads * d)
        };
        let (q, k, v) = (project(&self.query, x), project(&self.key, memory), project(&self.value, memory));
        let AttentionOptions { n_heads, mask, merge, .. } = self.options;
        let (n_queries, n_keys) = (x.length(), memory.length());
        let n_top = pass.n_selected(n_queries);
        let attended = match self.options.kind {
            AttentionKind::Prob if n_top < n_queries => {
                let (samples, n_samples) = pass.sampled(self.sparse_idx, self.site, n_queries, n_keys);
                prob_sparse_attention(
                    q,
                    k,
                    v,
                    &ProbSparse { n_heads, samples: &samples, n_samples, n_top, mask },
                )
            }
            // Where all queries attend, there is nothing to choose.
            AttentionKind::Prob | AttentionKind::Full => attention(q, k, v, n_heads, mask),
        };
        let attended = match merge {
            Merge::Plain => attended,
            Merge::Mixed => mixed(attended, n_heads),
        };
        self.output.forward(Sequence::new(attended).rows, Activation::None)
    }
}

/// The merge of the reference code; shapes `(batch, length, heads * d)`.
fn mixed(x: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let [n_batch, length, width] = x.dims();
    let heads = x.reshape([n_batch, length, n_heads, width / n_heads]);
    heads.swap_dims(1, 2).reshape([n_batch, length, width])
}
