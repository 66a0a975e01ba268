//! Scaled dot-product attention, head by head: `softmax(Q K^T / sqrt d) V` (Vaswani et al. 2017, arXiv 1706.03762,
//! equation 1).
//!
//! Heads are read where they stand; no tensor is transposed. Equations of the backward pass: `heads.rs`.

use burn::tensor::{Bool, Tensor, activation};
use rayon::prelude::*;

use super::dropout::{self, Draws};
use super::fused::{Context, Keep, Operation, is_fused};
use super::heads::{Dropped, Head, HeadGradients};
use super::product::Matrix;
use super::register::fuse;
use super::{Dropout, pool};

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// All of them.
    None,
    /// Those at its own position and before.
    Causal,
}

/// Attention of `n_heads` heads that stand side by side in the last dimension, each of width `d`, scaled by
/// `1 / sqrt(d)`; with dropout of its weights.
///
/// # Shapes
/// `q` and the result `(batch, L_Q, heads * d)`; `k` and `v` `(batch, L_K, heads * d)`.
pub(crate) fn attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    n_heads: usize,
    mask: Mask,
    dropout: Dropout,
) -> Tensor<3> {
    let draws = dropout.draws();
    let shape = AttentionShape::of(&q, &k, n_heads);
    if !is_fused(&q) || shape.is_empty() {
        return composition([q, k, v], n_heads, mask, draws);
    }
    fuse([q.into_dispatch(), k.into_dispatch(), v.into_dispatch()], Attention { shape, mask, draws })
}

fn composition([q, k, v]: [Tensor<3>; 3], n_heads: usize, mask: Mask, draws: Option<Draws>) -> Tensor<3> {
    let [_, n_queries, _] = q.dims();
    let [_, n_keys, _] = k.dims();
    let hidden = match mask {
        Mask::None => None,
        Mask::Causal => Some(Tensor::<2, Bool>::tril_mask([n_queries, n_keys], 0, &q.device())),
    };
    let [q, k, v] = [q, k, v].map(|x| split_heads(x, n_heads));
    let hidden = hidden.map(|hidden| hidden.unsqueeze::<4>()); // (1, 1, L_Q, L_K)
    merge_heads(attend(q, k, v, hidden, draws))
}

/// Attention with the heads apart; `hidden` is true where a query does not see a key.
///
/// Shapes: `q` `(batch, head, query, d)`, `k` and `v` `(batch, head, key, d)`, `hidden` broadcast to
/// `(batch, head, query, key)`.
pub(super) fn attend(
    q: Tensor<4>,
    k: Tensor<4>,
    v: Tensor<4>,
    hidden: Option<Tensor<4, Bool>>,
    draws: Option<Draws>,
) -> Tensor<4> {
    let [n_batch, n_heads, n_queries, d] = q.dims();
    let scores = q.matmul(k.swap_dims(2, 3)) * (1.0 / (d as f64).sqrt()); // (batch, head, query, key)
    let n_keys = scores.dims()[3];
    let scores = match hidden {
        Some(hidden) => {
            scores.mask_fill(hidden.expand([n_batch, n_heads, n_queries, n_keys]), f32::NEG_INFINITY)
        }
        None => scores,
    };
    let weights = activation::softmax(scores, 3);
    let weights = match draws {
        Some(draws) => dropout::composition(weights, draws),
        None => weights,
    };
    weights.matmul(v)
}

/// From `(batch, length, heads * d)` to `(batch, head, length, d)`.
pub(super) fn split_heads(x: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [n_batch, length, width] = x.dims();
    x.reshape([n_batch, length, n_heads, width / n_heads]).swap_dims(1, 2)
}

/// From `(batch, head, length, d)` to `(batch, length, heads * d)`.
pub(super) fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [n_batch, n_heads, length, d] = x.dims();
    x.swap_dims(1, 2).reshape([n_batch, length, n_heads * d])
}

/// Sizes of queries and keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttentionShape {
    pub(super) n_batch: usize,
    pub(super) n_queries: usize,
    pub(super) n_keys: usize,
    pub(super) n_heads: usize,
    /// Width of a head.
    pub(super) d: usize,
}

impl AttentionShape {
    pub(super) fn of(q: &Tensor<3>, k: &Tensor<3>, n_heads: usize) -> Self {
        let ([n_batch, n_queries, width], [_, n_keys, _]) = (q.dims(), k.dims());
        AttentionShape { n_batch, n_queries, n_keys, n_heads, d: width / n_heads.max(1) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.n_batch * self.n_queries * self.n_keys * self.n_heads * self.d == 0
    }

    pub(super) fn width(&self) -> usize {
        self.n_heads * self.d
    }

    /// The rows of a head, where they stand among those of the others; `x` is one of the batch, `(length, width)`.
    pub(super) fn head<'a>(&self, x: &'a [f32], head: usize) -> Matrix<'a> {
        let (width, d) = (self.width(), self.d);
        Matrix { values: &x[head * d..], n_rows: x.len() / width, n_columns: d, strides: [width, 1] }
    }

    /// The rows of every head, to be written at the same time.
    pub(super) fn heads_mut<'a>(&self, x: &'a mut [f32]) -> Vec<Vec<&'a mut [f32]>> {
        let length = x.len() / self.width();
        let mut heads: Vec<Vec<&mut [f32]>> = (0..self.n_heads).map(|_| Vec::with_capacity(length)).collect();
        for row in x.chunks_mut(self.width()) {
            heads.iter_mut().zip(row.chunks_mut(self.d)).for_each(|(head, part)| head.push(part));
        }
        heads
    }
}

/// Copies rows that follow each other to where they belong.
pub(super) fn put(rows: &mut [&mut [f32]], values: &[f32]) {
    if let Some(d) = rows.first().map(|row| row.len()) {
        rows.iter_mut().zip(values.chunks(d)).for_each(|(row, values)| row.copy_from_slice(values));
    }
}

#[derive(Debug)]
struct Attention {
    shape: AttentionShape,
    mask: Mask,
    /// Of the weights, `(batch, head, query, key)`.
    draws: Option<Draws>,
}

impl Attention {
    /// How many keys each query sees.
    fn visible(&self) -> Option<Vec<usize>> {
        let AttentionShape { n_queries, n_keys, .. } = self.shape;
        match self.mask {
            Mask::None => None,
            Mask::Causal => Some((0..n_queries).map(|i| (i + 1).min(n_keys)).collect()),
        }
    }
}

impl Attention {
    /// Which weights of a head are set to 0.
    fn dropped(&self, batch: usize, head: usize) -> Option<Dropped> {
        let AttentionShape { n_queries, n_keys, n_heads, .. } = self.shape;
        let first = (batch * n_heads + head) * n_queries * n_keys;
        self.draws.map(|draws| Dropped { draws, first, n_keys })
    }
}

impl Operation<3> for Attention {
    fn shape(&self) -> Vec<usize> {
        vec![self.shape.n_batch, self.shape.n_queries, self.shape.width()]
    }

    fn forward(&self, [q, k, v]: [&[f32]; 3], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let shape = self.shape;
        let AttentionShape { n_batch, n_queries, n_keys, n_heads, d } = shape;
        let (of_queries, of_keys) = (n_queries * shape.width(), n_keys * shape.width());
        let visible = self.visible();
        let mut log_sums = pool::take(n_batch * n_heads * n_queries); // (batch, head, query)
        let batches = out.par_chunks_mut(of_queries).zip(log_sums.par_chunks_mut(n_heads * n_queries));
        let inputs = q.par_chunks(of_queries).zip(k.par_chunks(of_keys)).zip(v.par_chunks(of_keys));
        batches.zip(inputs).enumerate().for_each(|(batch, ((out, log_sums), ((q, k), v)))| {
            let heads = shape.heads_mut(out).into_par_iter().zip(log_sums.par_chunks_mut(n_queries));
            heads.enumerate().for_each(|(at, (mut rows, log_sums))| {
                let [q, k, v] = [q, k, v].map(|x| shape.head(x, at));
                let mut out = pool::take(n_queries * d);
                let (visible, dropped) = (visible.as_deref(), self.dropped(batch, at));
                Head { q, k, v, visible, dropped }.forward(&mut out, log_sums);
                put(&mut rows, &out);
                pool::give(out);
            });
        });
        vec![log_sums]
    }

    fn reads(&self) -> [bool; 3] {
        [true; 3]
    }

    fn backward(&self, context: &mut Context<'_, 3>) -> [Option<Vec<f32>>; 3] {
        let shape = self.shape;
        let AttentionShape { n_queries, n_keys, n_heads, d, .. } = shape;
        let (of_queries, of_keys) = (n_queries * shape.width(), n_keys * shape.width());
        let visible = self.visible();
        let [q, k, v] = context.inputs;
        let mut gradients = [q, k, v].map(|x| pool::take(x.len()));
        let [dq, dk, dv] = gradients.each_mut();
        let batches = dq.par_chunks_mut(of_queries).zip(dk.par_chunks_mut(of_keys));
        let batches = batches.zip(dv.par_chunks_mut(of_keys));
        let inputs = q.par_chunks(of_queries).zip(k.par_chunks(of_keys)).zip(v.par_chunks(of_keys));
        let given = context.saved[0].par_chunks(n_heads * n_queries);
        let given = given.zip(context.gradient.par_chunks(of_queries));
        let all = batches.zip(inputs).zip(given).enumerate();
        all.for_each(|(batch, ((((dq, dk), dv), ((q, k), v)), (log_sums, dy)))| {
            let [dq, dk, dv] = [dq, dk, dv].map(|x| shape.heads_mut(x).into_par_iter());
            let heads = dq.zip(dk).zip(dv).zip(log_sums.par_chunks(n_queries)).enumerate();
            heads.for_each(|(at, (((mut q_rows, mut k_rows), mut v_rows), log_sums))| {
                let [q, k, v, dy] = [q, k, v, dy].map(|x| shape.head(x, at));
                let mut buffer = pool::take_zeros((n_queries + 2 * n_keys) * d);
                let (dq, rest) = buffer.split_at_mut(n_queries * d);
                let (dk, dv) = rest.split_at_mut(n_keys * d);
                let (visible, dropped) = (visible.as_deref(), self.dropped(batch, at));
                let head = Head { q, k, v, visible, dropped };
                head.backward(dy, log_sums, HeadGradients { q: dq, k: dk, v: dv });
                put(&mut q_rows, dq);
                put(&mut k_rows, dk);
                put(&mut v_rows, dv);
                pool::give(buffer);
            });
        });
        gradients.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_with_and_without_mask_at_any_width() {
        for [n_batch, n_queries, n_keys, n_heads, d] in [
            [1, 1, 1, 1, 1],
            [2, 5, 5, 3, 7],
            [2, 19, 19, 2, 4],
            [1, 37, 37, 3, 8],
            [2, 16, 33, 1, 16],
            [1, 33, 16, 2, 8],
            [1, 150, 140, 1, 5],
            [3, 21, 34, 2, 33],
        ] {
            let width = n_heads * d;
            for (mask, rate) in
                [(Mask::None, 0.0), (Mask::None, 0.3), (Mask::Causal, 0.0), (Mask::Causal, 0.3)]
            {
                check(&[n_queries, n_keys, n_keys].map(|length| n_batch * length * width), |x| {
                    let of = |i: usize, length| x[i].clone().reshape([n_batch, length, width]);
                    let y = attention(
                        of(0, n_queries),
                        of(1, n_keys),
                        of(2, n_keys),
                        n_heads,
                        mask,
                        Dropout { rate, seed: 8 },
                    );
                    y.reshape([n_batch * n_queries * width])
                });
            }
        }
    }
}
