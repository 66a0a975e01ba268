//! ProbSparse self-attention (Zhou et al. 2021, arXiv 2012.07436, section 3.1): only the queries that single out some
//! keys attend; the others get what all values have in common.
//!
//! A query is measured by some keys drawn for it, `M(q) = max_j q.k_j - (sum_j q.k_j) / L_K`. The `n_top` queries
//! with the largest M attend to all keys; the rows of the others are the mean of V, or, with a causal mask, the sum
//! of V up to their own position. Cost: `L_Q n_samples + n_top L_K` products of length d for each head.

use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor, TensorData};

use super::attention::{AttentionShape, Mask, attend, merge_heads, split_heads};
use super::fused::is_fused;
use super::register::fuse;
use super::sparse::Sparse;

/// How ProbSparse attention chooses its queries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbSparse<'a> {
    /// Heads side by side in the last dimension.
    pub(crate) n_heads: usize,
    /// Keys that measure each query, `(L_Q, n_samples)` row by row; one draw for all of a batch and all heads.
    pub(crate) samples: &'a [u32],
    /// Keys drawn for each query, at least 1.
    pub(crate) n_samples: usize,
    /// Queries that attend, at most `L_Q`.
    pub(crate) n_top: usize,
    /// With [`Mask::Causal`] there are as many keys as queries.
    pub(crate) mask: Mask,
}

/// ProbSparse attention; the choice of queries has no gradient.
///
/// # Shapes
/// `q` and the result `(batch, L_Q, heads * d)`; `k` and `v` `(batch, L_K, heads * d)`.
pub(crate) fn prob_sparse_attention(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    options: &ProbSparse<'_>,
) -> Tensor<3> {
    let shape = AttentionShape::of(&q, &k, options.n_heads);
    let Some(operation) = Sparse::of(shape, options).filter(|_| is_fused(&q)) else {
        return composition(q, k, v, options);
    };
    fuse([q.into_dispatch(), k.into_dispatch(), v.into_dispatch()], operation)
}

pub(super) fn composition(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, options: &ProbSparse<'_>) -> Tensor<3> {
    let device = q.device();
    let [q, k, v] = [q, k, v].map(|x| split_heads(x, options.n_heads)); // (batch, head, length, d)
    let measure = measure(q.clone().detach(), k.clone().detach(), options); // (batch, head, L_Q)
    let [n_batch, n_heads, n_queries] = measure.dims();
    let (n_keys, d) = (k.dims()[2], k.dims()[3]);
    let n_top = options.n_top.min(n_queries);
    let measure: Vec<f32> = measure.into_data().iter::<f32>().collect();
    let top = measure.chunks(n_queries.max(1)).flat_map(|measure| top_queries(measure, n_top));
    let top: Vec<i64> = top.map(|query| query as i64).collect();
    let selected = Tensor::<4, Int>::from_data(TensorData::new(top, [n_batch, n_heads, n_top, 1]), &device);
    let hidden = match options.mask {
        Mask::None => None,
        Mask::Causal => Some(is_later(selected.clone(), n_keys, &device)),
    };
    let selected = selected.expand([n_batch, n_heads, n_top, d]);
    let attended = attend(q.gather(2, selected.clone()), k, v.clone(), hidden, None); // (batch, head, n_top, d)
    let shape = [n_batch, n_heads, n_queries, d];
    let common = match options.mask {
        Mask::None => v.mean_dim(2).expand(shape),
        Mask::Causal => v.cumsum(2),
    };
    let nothing = common.clone().detach().zeros_like();
    let ones = attended.clone().detach().ones_like();
    let chosen = nothing.clone().scatter(2, selected.clone(), ones, IndexingUpdateOp::Add);
    let attended = nothing.scatter(2, selected, attended, IndexingUpdateOp::Add);
    merge_heads(common * (chosen.neg() + 1.0) + attended)
}

/// M of every query, `(batch, head, L_Q)`.
fn measure(q: Tensor<4>, k: Tensor<4>, options: &ProbSparse<'_>) -> Tensor<3> {
    let [n_batch, n_heads, n_queries, d] = q.dims();
    let n_keys = k.dims()[2];
    let n_samples = options.n_samples;
    let samples: Vec<i64> = options.samples.iter().map(|key| i64::from(*key)).collect();
    let samples = Tensor::<1, Int>::from_data(TensorData::new(samples, [n_queries * n_samples]), &q.device());
    let keys = k.select(2, samples).reshape([n_batch, n_heads, n_queries, n_samples * d]);
    let keys = keys.reshape([n_batch * n_heads, n_queries, n_samples, d]);
    let q = q.reshape([n_batch * n_heads, n_queries, 1, d]);
    let scores = (keys * q).sum_dim(3).reshape([n_batch, n_heads, n_queries, n_samples]);
    let sparsity = scores.clone().max_dim(3) - scores.sum_dim(3) / n_keys as f64;
    sparsity.reshape([n_batch, n_heads, n_queries])
}

/// The queries with the largest measure, the first ones among equals; in ascending order.
pub(super) fn top_queries(measure: &[f32], n_top: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..measure.len()).collect();
    if n_top < order.len() {
        order.select_nth_unstable_by(n_top, |a, b| measure[*b].total_cmp(&measure[*a]).then(a.cmp(b)));
        order.truncate(n_top);
    }
    order.sort_unstable();
    order
}

/// True where a key comes after a query; `selected` `(batch, head, n_top, 1)`, the result with a dimension of keys.
fn is_later(selected: Tensor<4, Int>, n_keys: usize, device: &Device) -> Tensor<4, Bool> {
    let [n_batch, n_heads, n_top, _] = selected.dims();
    let shape = [n_batch, n_heads, n_top, n_keys];
    let keys = Tensor::<1, Int>::arange(0..n_keys as i64, device).reshape([1, 1, 1, n_keys]);
    keys.expand(shape).greater(selected.expand(shape))
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_with_and_without_mask_at_any_width() {
        for [n_batch, n_queries, n_keys, n_heads, d, n_samples, n_top] in [
            [1, 1, 1, 1, 1, 1, 1],
            [2, 23, 13, 3, 7, 5, 4],
            [2, 40, 40, 2, 8, 6, 9],
            [1, 37, 37, 1, 16, 3, 20],
            [3, 29, 29, 2, 33, 4, 5],
            [1, 12, 12, 2, 4, 40, 12],
            [1, 70, 70, 2, 8, 5, 7],
        ] {
            let width = n_heads * d;
            let draw = |i: usize| (crate::data::mix(i as u64) % n_keys as u64) as u32;
            let samples: Vec<u32> = (0..n_queries * n_samples).map(draw).collect();
            let masks = if n_queries == n_keys { &[Mask::None, Mask::Causal][..] } else { &[Mask::None] };
            for mask in masks {
                let options = ProbSparse { n_heads, samples: &samples, n_samples, n_top, mask: *mask };
                check(&[n_queries, n_keys, n_keys].map(|length| n_batch * length * width), |x| {
                    let of = |i: usize, length| x[i].clone().reshape([n_batch, length, width]);
                    let y = prob_sparse_attention(of(0, n_queries), of(1, n_keys), of(2, n_keys), &options);
                    y.reshape([n_batch * n_queries * width])
                });
            }
        }
    }

    #[test]
    fn among_equals_the_first_queries_are_chosen() {
        assert_eq!(top_queries(&[1.0, 3.0, 3.0, 0.0, 3.0], 2), [1, 2]);
        assert_eq!(top_queries(&[0.0, 0.0, 1.0, 0.0], 3), [0, 1, 2]);
        assert_eq!(top_queries(&[2.0, 1.0], 2), [0, 1]);
    }
}
