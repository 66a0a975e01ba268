//! Scaled dot-product attention, head by head: `softmax(Q K^T / sqrt d) V` (Vaswani et al. 2017, arXiv 1706.03762,
//! equation 1).

use burn::tensor::{Bool, Tensor, activation};

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// All of them.
    None,
    /// Those at its own position and before.
    Causal,
}

/// Attention of `n_heads` heads that stand side by side in the last dimension, each of width `d`, scaled by
/// `1 / sqrt(d)`.
///
/// # Shapes
/// `q` and the result `(batch, L_Q, heads * d)`; `k` and `v` `(batch, L_K, heads * d)`.
pub(crate) fn attention(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, n_heads: usize, mask: Mask) -> Tensor<3> {
    composition(q, k, v, n_heads, mask)
}

fn composition(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, n_heads: usize, mask: Mask) -> Tensor<3> {
    let [_, n_queries, _] = q.dims();
    let [_, n_keys, _] = k.dims();
    let hidden = match mask {
        Mask::None => None,
        Mask::Causal => Some(Tensor::<2, Bool>::tril_mask([n_queries, n_keys], 0, &q.device())),
    };
    let [q, k, v] = [q, k, v].map(|x| split_heads(x, n_heads));
    let hidden = hidden.map(|hidden| hidden.unsqueeze::<4>()); // (1, 1, L_Q, L_K)
    merge_heads(attend(q, k, v, hidden))
}

/// Attention with the heads apart; `hidden` is true where a query does not see a key.
///
/// Shapes: `q` `(batch, head, query, d)`, `k` and `v` `(batch, head, key, d)`, `hidden` broadcast to
/// `(batch, head, query, key)`.
pub(super) fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, hidden: Option<Tensor<4, Bool>>) -> Tensor<4> {
    let [n_batch, n_heads, n_queries, d] = q.dims();
    let scores = q.matmul(k.swap_dims(2, 3)) * (1.0 / (d as f64).sqrt()); // (batch, head, query, key)
    let n_keys = scores.dims()[3];
    let scores = match hidden {
        Some(hidden) => {
            scores.mask_fill(hidden.expand([n_batch, n_heads, n_queries, n_keys]), f32::NEG_INFINITY)
        }
        None => scores,
    };
    activation::softmax(scores, 3).matmul(v)
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
