//! ProbSparse attention as a fused operation; `prob_sparse.rs` says what it computes.
//!
//! Backward: the selected queries as in `heads.rs`. A row that is not selected holds the mean of V, so each value gets
//! its gradient over `L_K`; or the sum of V up to its step, so each value gets the gradients of its own and all later
//! steps.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::attention::{AttentionShape, Mask, put};
use super::fused::{Context, Keep, Operation};
use super::heads::{Head, HeadGradients, columns, part};
use super::prob_sparse::{ProbSparse, top_queries};
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::{lanes, pool};

/// The operation; its fields are those of [`ProbSparse`](super::ProbSparse).
#[derive(Debug)]
pub(super) struct Sparse {
    pub(super) shape: AttentionShape,
    samples: Vec<u32>,
    n_samples: usize,
    pub(super) n_top: usize,
    mask: Mask,
}

/// All keys are scored if there are at most this many for each one drawn.
const FEW_KEYS: usize = 12;

impl Sparse {
    /// The operation, where there is a kernel for it.
    pub(super) fn of(shape: AttentionShape, options: &ProbSparse<'_>) -> Option<Self> {
        let ProbSparse { n_samples, mask, .. } = *options;
        let is_square = mask == Mask::None || shape.n_queries == shape.n_keys;
        if shape.is_empty() || n_samples * options.n_top == 0 || !is_square {
            return None;
        }
        let n_top = options.n_top.min(shape.n_queries);
        Some(Sparse { shape, samples: options.samples.to_vec(), n_samples, n_top, mask })
    }

    /// M of every query of a head.
    fn measure(&self, q: Matrix<'_>, k: Matrix<'_>) -> Vec<f32> {
        if k.n_rows <= FEW_KEYS * self.n_samples { self.measure_all(q, k) } else { self.measure_some(q, k) }
    }

    /// By the scores of all keys, which a product of matrices has sooner where there are few of them.
    fn measure_all(&self, q: Matrix<'_>, k: Matrix<'_>) -> Vec<f32> {
        const N_BLOCK: usize = 64;
        let (d, n_keys) = (q.n_columns, k.n_rows);
        let keys = columns(k);
        let keys_matrix = Matrix { values: &keys, n_rows: d, n_columns: n_keys, strides: [n_keys, 1] };
        let mut scores = pool::take(N_BLOCK * n_keys);
        let mut measure = Vec::with_capacity(q.n_rows);
        for (block, samples) in self.samples.chunks(N_BLOCK * self.n_samples).enumerate() {
            let first = block * N_BLOCK;
            let n_queries = N_BLOCK.min(q.n_rows.saturating_sub(first));
            let out = MatrixMut::rows(&mut scores[..n_queries * n_keys], n_queries, n_keys);
            product(out, (part(q, first, n_queries), keys_matrix), 1.0, Write::Over, Threads::One);
            let rows = scores.chunks(n_keys).take(n_queries).zip(samples.chunks(self.n_samples));
            measure.extend(rows.map(|(row, samples)| sparsity(samples, row)));
        }
        [keys, scores].into_iter().for_each(pool::give);
        measure
    }

    /// By the scores of the keys that were drawn.
    fn measure_some(&self, q: Matrix<'_>, k: Matrix<'_>) -> Vec<f32> {
        let d = q.n_columns;
        // Side by side, the keys lie on few pages of memory.
        let mut keys = pool::take(k.n_rows * d);
        for (at, key) in keys.chunks_mut(d).enumerate() {
            key.copy_from_slice(k.row(at));
        }
        let mut measure = vec![0.0; q.n_rows];
        let samples = self.samples.chunks(self.n_samples);
        for (at, (measure, samples)) in measure.iter_mut().zip(samples).enumerate() {
            *measure = lanes::dispatch(Measure { query: q.row(at), keys: &keys, samples });
        }
        pool::give(keys);
        measure
    }

    /// The queries that attend, in ascending order; copies them, `(n_top, d)`, and writes their numbers as bits.
    pub(super) fn choose(
        &self,
        q: Matrix<'_>,
        k: Matrix<'_>,
        queries: &mut [f32],
        top: &mut [f32],
    ) -> Vec<usize> {
        let selected = top_queries(&self.measure(q, k), self.n_top);
        let places = queries.chunks_mut(q.n_columns).zip(top);
        for (query, (values, top)) in selected.iter().zip(places) {
            values.copy_from_slice(q.row(*query));
            *top = f32::from_bits(*query as u32);
        }
        selected
    }

    /// Writes what the selected queries find, `(n_top, d)`, and the logarithms of their sums; `q` are they alone.
    pub(super) fn attend(
        &self,
        [q, k, v]: [Matrix<'_>; 3],
        selected: &[usize],
        attended: &mut [f32],
        log_sums: &mut [f32],
    ) {
        let visible = self.visible(selected);
        Head { q, k, v, visible: visible.as_deref(), dropped: None }.forward(attended, log_sums);
    }

    /// Gradients from that of what the selected queries find, `(n_top, d)`.
    pub(super) fn attend_backward(
        &self,
        [q, k, v]: [Matrix<'_>; 3],
        selected: &[usize],
        slopes: Matrix<'_>,
        log_sums: &[f32],
        to: HeadGradients<'_>,
    ) {
        let visible = self.visible(selected);
        Head { q, k, v, visible: visible.as_deref(), dropped: None }.backward(slopes, log_sums, to);
    }

    /// How many keys each of these queries sees.
    fn visible(&self, selected: &[usize]) -> Option<Vec<usize>> {
        match self.mask {
            Mask::None => None,
            Mask::Causal => Some(selected.iter().map(|query| (query + 1).min(self.shape.n_keys)).collect()),
        }
    }

    /// Writes what the rows of a head have in common.
    pub(super) fn common(&self, v: Matrix<'_>, rows: &mut [&mut [f32]]) {
        let mut sum = vec![0.0; v.n_columns];
        Arch::new().dispatch(
            #[inline(always)]
            || match self.mask {
                Mask::None => {
                    (0..v.n_rows).for_each(|at| lanes::add_inlined(&mut sum, v.row(at)));
                    sum.iter_mut().for_each(|sum| *sum /= v.n_rows as f32);
                    rows.iter_mut().for_each(|row| row.copy_from_slice(&sum));
                }
                Mask::Causal => {
                    for (at, row) in rows.iter_mut().enumerate().take(v.n_rows) {
                        lanes::add_inlined(&mut sum, v.row(at));
                        row.copy_from_slice(&sum);
                    }
                }
            },
        );
    }

    /// Adds the gradient of [`Sparse::common`], from those rows of `dy` that are not selected.
    pub(super) fn common_backward(&self, dy: Matrix<'_>, selected: &[usize], dv: &mut [f32]) {
        let d = dy.n_columns;
        let mut is_selected = vec![false; dy.n_rows];
        selected.iter().for_each(|query| is_selected[*query] = true);
        let mut sum = vec![0.0; d];
        Arch::new().dispatch(
            #[inline(always)]
            || match self.mask {
                Mask::None => {
                    let others = (0..dy.n_rows).filter(|at| !is_selected[*at]);
                    others.for_each(|at| lanes::add_inlined(&mut sum, dy.row(at)));
                    sum.iter_mut().for_each(|sum| *sum /= self.shape.n_keys as f32);
                    dv.chunks_mut(d).for_each(|row| lanes::add_inlined(row, &sum));
                }
                // A value is in the sums of its own and all later steps.
                Mask::Causal => {
                    for (at, row) in dv.chunks_mut(d).enumerate().rev() {
                        if !is_selected[at] {
                            lanes::add_inlined(&mut sum, dy.row(at));
                        }
                        lanes::add_inlined(row, &sum);
                    }
                }
            },
        );
    }
}

/// M of one query, `max_j s_j - (sum_j s_j) / L_K` over the keys drawn.
struct Measure<'a> {
    query: &'a [f32],
    /// `(key, d)`.
    keys: &'a [f32],
    samples: &'a [u32],
}

impl WithSimd for Measure<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let Measure { query, keys, samples } = self;
        let d = query.len();
        let (mut largest, mut sum) = (f32::NEG_INFINITY, 0.0);
        for key in samples {
            let score = dot(simd, query, &keys[*key as usize * d..][..d]);
            (largest, sum) = (largest.max(score), sum + score);
        }
        largest - sum / (keys.len() / d) as f32
    }
}

/// `max_j s_j - (sum_j s_j) / L_K` over the keys drawn, from the scores of all.
fn sparsity(samples: &[u32], scores: &[f32]) -> f32 {
    let (mut largest, mut sum) = (f32::NEG_INFINITY, 0.0);
    for key in samples {
        let score = scores[*key as usize];
        (largest, sum) = (largest.max(score), sum + score);
    }
    largest - sum / scores.len() as f32
}

/// `x . y`, in two registers of running sums.
#[inline(always)]
fn dot<S: Simd>(simd: S, x: &[f32], y: &[f32]) -> f32 {
    let ((x, x_tail), (y, y_tail)) = (S::as_simd_f32s(x), S::as_simd_f32s(y));
    let mut sums = [simd.splat_f32s(0.0); 2];
    let (pairs_x, pairs_y) = (x.as_chunks::<2>(), y.as_chunks::<2>());
    for (x, y) in pairs_x.0.iter().zip(pairs_y.0) {
        sums[0] = simd.mul_add_e_f32s(x[0], y[0], sums[0]);
        sums[1] = simd.mul_add_e_f32s(x[1], y[1], sums[1]);
    }
    if let ([x], [y]) = (pairs_x.1, pairs_y.1) {
        sums[0] = simd.mul_add_e_f32s(*x, *y, sums[0]);
    }
    let mut sum = simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]));
    for (x, y) in x_tail.iter().zip(y_tail) {
        sum += x * y;
    }
    sum
}

/// The numbers of queries that were written as bits.
pub(super) fn numbered(top: &[f32]) -> Vec<usize> {
    top.iter().map(|query| query.to_bits() as usize).collect()
}

/// Some rows, one after the other.
pub(super) fn gathered(x: Matrix<'_>, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|at| x.row(*at)).copied().collect()
}

impl Operation<3> for Sparse {
    fn shape(&self) -> Vec<usize> {
        vec![self.shape.n_batch, self.shape.n_queries, self.shape.width()]
    }

    fn forward(&self, [q, k, v]: [&[f32]; 3], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (shape, n_top) = (self.shape, self.n_top);
        let AttentionShape { n_batch, n_queries, n_keys, n_heads, d } = shape;
        let (of_queries, of_keys) = (n_queries * shape.width(), n_keys * shape.width());
        // (batch, head, n_top): the numbers of the queries, as bits, and the logarithms of their sums.
        let mut top = pool::take(n_batch * n_heads * n_top);
        let mut log_sums = pool::take(n_batch * n_heads * n_top);
        let saved = top.par_chunks_mut(n_heads * n_top).zip(log_sums.par_chunks_mut(n_heads * n_top));
        let inputs = q.par_chunks(of_queries).zip(k.par_chunks(of_keys)).zip(v.par_chunks(of_keys));
        let batches = out.par_chunks_mut(of_queries).zip(saved).zip(inputs);
        batches.for_each(|((out, (top, log_sums)), ((q, k), v))| {
            let saved = top.par_chunks_mut(n_top).zip(log_sums.par_chunks_mut(n_top));
            let heads = shape.heads_mut(out).into_par_iter().zip(saved).enumerate();
            heads.for_each(|(at, (mut rows, (top, log_sums)))| {
                let [q, k, v] = [q, k, v].map(|x| shape.head(x, at));
                let (mut queries, mut attended) = (vec![0.0; n_top * d], vec![0.0; n_top * d]);
                let selected = self.choose(q, k, &mut queries, top);
                self.attend([Matrix::rows(&queries, n_top, d), k, v], &selected, &mut attended, log_sums);
                self.common(v, &mut rows);
                for (query, values) in selected.iter().zip(attended.chunks(d)) {
                    rows[*query].copy_from_slice(values);
                }
            });
        });
        vec![top, log_sums]
    }

    fn reads(&self) -> [bool; 3] {
        [true; 3]
    }

    fn backward(&self, context: &mut Context<'_, 3>) -> [Option<Vec<f32>>; 3] {
        let (shape, n_top) = (self.shape, self.n_top);
        let AttentionShape { n_queries, n_keys, n_heads, d, .. } = shape;
        let (of_queries, of_keys) = (n_queries * shape.width(), n_keys * shape.width());
        let [q, k, v] = context.inputs;
        let mut gradients = [pool::take_zeros(q.len()), pool::take(k.len()), pool::take(v.len())];
        let [dq, dk, dv] = gradients.each_mut();
        let batches = dq.par_chunks_mut(of_queries).zip(dk.par_chunks_mut(of_keys));
        let batches = batches.zip(dv.par_chunks_mut(of_keys));
        let inputs = q.par_chunks(of_queries).zip(k.par_chunks(of_keys)).zip(v.par_chunks(of_keys));
        let saved = context.saved[0].par_chunks(n_heads * n_top);
        let saved = saved.zip(context.saved[1].par_chunks(n_heads * n_top));
        let given = saved.zip(context.gradient.par_chunks(of_queries));
        batches.zip(inputs).zip(given).for_each(|((((dq, dk), dv), ((q, k), v)), ((top, log_sums), dy))| {
            let [dq, dk, dv] = [dq, dk, dv].map(|x| shape.heads_mut(x).into_par_iter());
            let saved = top.par_chunks(n_top).zip(log_sums.par_chunks(n_top));
            let heads = dq.zip(dk).zip(dv).zip(saved).enumerate();
            heads.for_each(|(at, (((mut q_rows, mut k_rows), mut v_rows), (top, log_sums)))| {
                let [q, k, v, dy] = [q, k, v, dy].map(|x| shape.head(x, at));
                let selected = numbered(top);
                let (queries, slopes) = (gathered(q, &selected), gathered(dy, &selected));
                let [queries, slopes] = [&queries, &slopes].map(|x| Matrix::rows(x, n_top, d));
                let mut buffer = pool::take_zeros((n_top + 2 * n_keys) * d);
                let (dq, rest) = buffer.split_at_mut(n_top * d);
                let (dk, dv) = rest.split_at_mut(n_keys * d);
                let to = HeadGradients { q: dq, k: dk, v: dv };
                self.attend_backward([queries, k, v], &selected, slopes, log_sums, to);
                self.common_backward(dy, &selected, dv);
                for (query, values) in selected.iter().zip(dq.chunks(d)) {
                    q_rows[*query].copy_from_slice(values);
                }
                put(&mut k_rows, dk);
                put(&mut v_rows, dv);
                pool::give(buffer);
            });
        });
        gradients.map(Some)
    }
}
