//! Multi-head attention: projections, the kind of attention, the merge of its heads.
//!
//! `out = W_o attend(W_q x, W_k m, W_v m)`, all with a bias. Dropout is on what comes out and, as in the reference code,
//! on the weights of full attention; its ProbSparse attention has none there.

use std::borrow::Cow;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::config::AttentionKind;
use super::draws::Draws;
use super::layers::Linear;
use super::pass::{Pass, Site, Sites};
use super::sequence::Sequence;
use crate::kernels::{
    Activation, Dropout, Mask, ProbSparse, attention, prob_sparse_attention, prob_sparse_layer,
    prob_sparse_queries,
};

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

/// What is asked of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// The last steps, as many as these.
    pub(super) n_last: usize,
    /// Where dropout draws its numbers.
    pub(super) site: Site,
}

/// What a ProbSparse layer draws in a pass.
struct SparseDraws<'a> {
    /// `(L_Q, n_samples)` row by row.
    samples: Cow<'a, [u32]>,
    n_samples: usize,
    n_top: usize,
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

    pub(super) fn pack(&mut self) {
        for layer in [&mut self.query, &mut self.key, &mut self.value, &mut self.output] {
            layer.pack();
        }
    }

    pub(super) fn kind(&self) -> AttentionKind {
        self.options.kind
    }

    /// What the last steps of `x` find in `memory`, with dropout; shape `(batch * steps asked for, d_model)`.
    ///
    /// Of a ProbSparse layer all steps count where queries are chosen, so `x` has more than are asked for.
    pub(super) fn forward(&self, x: &Sequence, memory: &Sequence, ask: Ask, pass: &Pass<'_>) -> Tensor<2> {
        let project = |layer: &Linear, x: &Sequence| {
            x.with(layer.forward(x.rows.clone(), Activation::None)).steps() // (batch, length, heads * d)
        };
        let [k, v] = [&self.key, &self.value].map(|layer| project(layer, memory));
        let draws = self.draws(x.length(), memory.length(), pass);
        let bare = self.query.affine().zip(self.output.affine()).filter(|_| pass.watched().is_none());
        let attended = match (&draws, bare) {
            (Some(draws), Some((query, output))) => {
                let options = self.sparse(draws);
                if self.options.merge == Merge::Plain && ask.n_last == x.length() {
                    let dropout = pass.dropout_at(ask.site);
                    return prob_sparse_layer(x.rows.clone(), query, [k, v], output, dropout, &options);
                }
                prob_sparse_queries(x.rows.clone(), query, [k, v], &options)
            }
            _ => {
                let q = project(&self.query, x);
                if let Some(watched) = pass.watched() {
                    watched.borrow_mut().push(self.weights(&q, &k, draws.as_ref(), pass));
                }
                self.attend([q, k, v], draws.as_ref(), pass)
            }
        };
        let attended = match self.options.merge {
            Merge::Plain => attended,
            Merge::Mixed => mixed(attended, self.options.n_heads),
        };
        let attended = Sequence::new(attended).last(ask.n_last);
        self.output.forward_dropped(attended.rows, Activation::None, pass.dropout_at(ask.site))
    }

    /// What a ProbSparse layer draws; nothing where all queries attend and there is nothing to choose.
    fn draws<'a>(&self, n_queries: usize, n_keys: usize, pass: &Pass<'a>) -> Option<SparseDraws<'a>> {
        let n_top = pass.n_selected(n_queries);
        if self.options.kind == AttentionKind::Full || n_top >= n_queries {
            return None;
        }
        let (samples, n_samples) = pass.sampled(self.sparse_idx, self.site, n_queries, n_keys);
        Some(SparseDraws { samples, n_samples, n_top })
    }

    fn sparse<'a>(&self, draws: &'a SparseDraws<'_>) -> ProbSparse<'a> {
        let AttentionOptions { n_heads, mask, .. } = self.options;
        let SparseDraws { samples, n_samples, n_top } = draws;
        ProbSparse { n_heads, samples, n_samples: *n_samples, n_top: *n_top, mask }
    }

    /// Shapes: `q` and the result `(batch, L_Q, heads * d)`, `k` and `v` `(batch, L_K, heads * d)`.
    fn attend(
        &self,
        [q, k, v]: [Tensor<3>; 3],
        draws: Option<&SparseDraws<'_>>,
        pass: &Pass<'_>,
    ) -> Tensor<3> {
        let AttentionOptions { kind, n_heads, mask, .. } = self.options;
        let dropout = match kind {
            AttentionKind::Full => pass.dropout_at(self.site),
            AttentionKind::Prob => Dropout::NONE,
        };
        match draws {
            Some(draws) => prob_sparse_attention(q, k, v, &self.sparse(draws)),
            None => attention(q, k, v, n_heads, mask, dropout),
        }
    }

    /// What each value counts for, `(head, query, key)`, of the first sequence: what the layer makes of values that
    /// are 1 at one key each, d keys at a time. Rows of queries that do not attend are `1 / L_K`, or with a mask 1 up
    /// to their own position.
    fn weights(
        &self,
        q: &Tensor<3>,
        k: &Tensor<3>,
        draws: Option<&SparseDraws<'_>>,
        pass: &Pass<'_>,
    ) -> Tensor<3> {
        let n_heads = self.options.n_heads;
        let [q, k] = [q, k].map(|x| x.clone().narrow(0, 0, 1));
        let [_, n_keys, width] = k.dims();
        let (d, n_queries) = (width / n_heads, q.dims()[1]);
        let some = |first: usize| {
            let mut v = vec![0.0_f32; n_keys * width];
            for key in first..n_keys.min(first + d) {
                (0..n_heads).for_each(|head| v[key * width + head * d + key - first] = 1.0);
            }
            let v = Tensor::from_data(TensorData::new(v, [1, n_keys, width]), &k.device());
            let rows = self.attend([q.clone(), k.clone(), v], draws, pass);
            rows.reshape([n_queries, n_heads, d]).swap_dims(0, 1) // (head, query, d keys)
        };
        Tensor::cat((0..n_keys).step_by(d).map(some).collect(), 2).narrow(2, 0, n_keys)
    }
}

/// The merge of the reference code; shapes `(batch, length, heads * d)`.
fn mixed(x: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let [n_batch, length, width] = x.dims();
    let heads = x.reshape([n_batch, length, n_heads, width / n_heads]);
    heads.swap_dims(1, 2).reshape([n_batch, length, width])
}
