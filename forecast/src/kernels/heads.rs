//! Attention of one head, forward and backward, by products of matrices: some queries at a time, so that memory is
//! linear in the length.
//!
//! Forward, for a block of queries: `S = Q K^T / sqrt d`, `P = softmax S`, `Y = P V`; kept is `l = log sum exp S` of
//! each row. Backward (Dao et al. 2022, arXiv 2205.14135, algorithm 4): `P = exp(S - l)`, `dV += P^T dY`,
//! `dP = dY V^T`, `dS = P (dP - sum P dP)`, `dQ = dS K / sqrt d`, `dK += dS^T Q / sqrt d`. With dropout of weights,
//! of factors `m`: `Y = (m P) V`, `dV += (m P)^T dY`, `dP = m (dY V^T)`.

use pulp::{Simd, WithSimd};

use super::dropout::Draws;
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::{lanes, narrow, pool};

/// Queries, keys and values of a head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) q: Matrix<'a>, // (query, d)
    pub(super) k: Matrix<'a>, // (key, d)
    pub(super) v: Matrix<'a>, // (key, d)
    /// How many keys each query sees, at least 1 and never less than the query before; all of them if nothing is
    /// said.
    pub(super) visible: Option<&'a [usize]>,
    pub(super) dropped: Option<Dropped>,
}

/// Which weights of a head are set to 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropped {
    pub(super) draws: Draws,
    /// The number of the first query's weight of the first key.
    pub(super) first: usize,
    /// Keys of a query, seen or not.
    pub(super) n_keys: usize,
}

impl Dropped {
    /// Multiplies weights, or what depends on them, `(query, n_columns)`.
    fn multiply(&self, rows: &mut [f32], n_columns: usize) {
        for (query, row) in rows.chunks_mut(n_columns).enumerate() {
            self.draws.multiply_in_place(self.first + query * self.n_keys, row);
        }
    }
}

/// Gradients of a head, each row after row.
#[derive(Debug)]
pub(super) struct HeadGradients<'a> {
    pub(super) q: &'a mut [f32], // (query, d)
    pub(super) k: &'a mut [f32], // (key, d), zero before
    pub(super) v: &'a mut [f32], // (key, d), zero before
}

/// Scores that are held at a time.
const N_SCORES: usize = 1 << 20;

impl<'a> Head<'a> {
    /// Writes the result `(query, d)` and the logarithm of each query's sum.
    pub(super) fn forward(&self, out: &mut [f32], log_sums: &mut [f32]) {
        if self.dropped.is_none() && narrow::forward(self, out, log_sums) {
            return;
        }
        let d = self.q.n_columns;
        let scale = 1.0 / (d as f32).sqrt();
        let n_block = self.block();
        let mut scores = pool::take(n_block * self.k.n_rows);
        let keys = columns(self.k);
        for first in (0..self.q.n_rows).step_by(n_block) {
            let block = self.queries(first, n_block);
            let (n_queries, n_keys) = (block.q.n_rows, block.k.n_rows);
            let scores = &mut scores[..n_queries * n_keys];
            block.products(block.q, &keys, self.k.n_rows, scale, scores);
            let log_sums = &mut log_sums[first..first + n_queries];
            lanes::dispatch(Softmax { scores, n_keys, visible: block.visible, log_sums });
            if let Some(dropped) = block.dropped {
                dropped.multiply(scores, n_keys);
            }
            let out = MatrixMut::rows(&mut out[first * d..(first + n_queries) * d], n_queries, d);
            let weights = Matrix::rows(scores, n_queries, n_keys);
            product(out, (weights, block.v), 1.0, Write::Over, Threads::One);
        }
        [scores, keys].into_iter().for_each(pool::give);
    }

    /// Writes the gradients; `dy` `(query, d)` is that of the result.
    pub(super) fn backward(&self, dy: Matrix<'_>, log_sums: &[f32], gradients: HeadGradients<'_>) {
        let gradients = match self.dropped {
            None => narrow::backward(self, dy, log_sums, gradients),
            Some(_) => Some(gradients),
        };
        let Some(gradients) = gradients else {
            return;
        };
        let d = self.q.n_columns;
        let scale = 1.0 / (d as f32).sqrt();
        let n_block = self.block();
        let mut buffer = pool::take(2 * n_block * self.k.n_rows);
        let (keys, values) = (columns(self.k), columns(self.v));
        for first in (0..self.q.n_rows).step_by(n_block) {
            let block = self.queries(first, n_block);
            let (n_queries, n_keys) = (block.q.n_rows, block.k.n_rows);
            let dy = part(dy, first, n_queries);
            let (weights, slopes) = buffer.split_at_mut(n_queries * n_keys);
            let slopes = &mut slopes[..n_queries * n_keys];
            block.products(block.q, &keys, self.k.n_rows, scale, weights);
            block.products(dy, &values, self.k.n_rows, 1.0, slopes);
            if let Some(dropped) = block.dropped {
                dropped.multiply(slopes, n_keys);
            }
            let log_sums = &log_sums[first..first + n_queries];
            lanes::dispatch(Slopes { weights, slopes, n_keys, visible: block.visible, log_sums });
            if let Some(dropped) = block.dropped {
                dropped.multiply(weights, n_keys);
            }
            let weights = Matrix::rows(weights, n_queries, n_keys);
            let slopes = Matrix::rows(slopes, n_queries, n_keys);
            let v = MatrixMut::rows(&mut gradients.v[..n_keys * d], n_keys, d);
            product(v, (weights.transposed(), dy), 1.0, Write::Add, Threads::One);
            let k = MatrixMut::rows(&mut gradients.k[..n_keys * d], n_keys, d);
            product(k, (slopes.transposed(), block.q), scale, Write::Add, Threads::One);
            let q = MatrixMut::rows(&mut gradients.q[first * d..(first + n_queries) * d], n_queries, d);
            product(q, (slopes, block.k), scale, Write::Over, Threads::One);
        }
        [buffer, keys, values].into_iter().for_each(pool::give);
    }

    fn block(&self) -> usize {
        (N_SCORES / self.k.n_rows.max(1)).clamp(16, 128).min(self.q.n_rows.max(1))
    }

    /// Some queries, with the keys that they see.
    fn queries(&self, first: usize, n_block: usize) -> Head<'a> {
        let n_queries = n_block.min(self.q.n_rows - first);
        let visible = self.visible.map(|visible| &visible[first..first + n_queries]);
        let n_keys = visible.and_then(|visible| visible.last().copied()).unwrap_or(self.k.n_rows);
        let (k, v) = (part(self.k, 0, n_keys), part(self.v, 0, n_keys));
        let dropped =
            self.dropped.map(|dropped| Dropped { first: dropped.first + first * dropped.n_keys, ..dropped });
        Head { q: part(self.q, first, n_queries), k, v, visible, dropped }
    }

    /// The products of rows, one for each query, with the keys or values that the queries see; those are given as
    /// `columns`.
    fn products(&self, rows: Matrix<'_>, columns: &[f32], n_columns: usize, scale: f32, out: &mut [f32]) {
        let (n_queries, n_keys, d) = (self.q.n_rows, self.k.n_rows, self.q.n_columns);
        let columns = Matrix { values: columns, n_rows: d, n_columns: n_keys, strides: [n_columns, 1] };
        let out = MatrixMut::rows(out, n_queries, n_keys);
        product(out, (rows, columns), scale, Write::Over, Threads::One);
    }
}

/// A matrix column by column: copied once, it is read without gaps for every block of queries.
pub(super) fn columns(x: Matrix<'_>) -> Vec<f32> {
    let (n_rows, n_columns) = (x.n_rows, x.n_columns);
    let mut columns = pool::take(n_rows * n_columns);
    for first in (0..n_rows).step_by(16) {
        let rows = first..n_rows.min(first + 16);
        for column in 0..n_columns {
            for row in rows.clone() {
                columns[column * n_rows + row] = x.values[row * x.strides[0] + column * x.strides[1]];
            }
        }
    }
    columns
}

/// Some rows of a matrix.
pub(super) fn part(x: Matrix<'_>, first: usize, n_rows: usize) -> Matrix<'_> {
    let start = (first * x.strides[0]).min(x.values.len());
    Matrix { values: &x.values[start..], n_rows, ..x }
}

/// Scores become weights, row by row.
struct Softmax<'a> {
    scores: &'a mut [f32],
    n_keys: usize,
    visible: Option<&'a [usize]>,
    log_sums: &'a mut [f32],
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Softmax { scores, n_keys, visible, log_sums } = self;
        for (at, (row, log_sum)) in scores.chunks_mut(n_keys).zip(log_sums).enumerate() {
            let (row, hidden) = row.split_at_mut(visible.map_or(n_keys, |visible| visible[at]));
            hidden.fill(0.0);
            let lowest = simd.splat_f32s(f32::NEG_INFINITY);
            let (head, tail) = S::as_mut_simd_f32s(row);
            let largest = head.iter().fold(lowest, |largest, x| simd.max_f32s(largest, *x));
            let largest = tail.iter().fold(simd.reduce_max_f32s(largest), |largest, x| largest.max(*x));
            let largest_lanes = simd.splat_f32s(largest);
            let mut sum = simd.splat_f32s(0.0);
            for x in head.iter_mut() {
                *x = lanes::exp(simd, simd.sub_f32s(*x, largest_lanes));
                sum = simd.add_f32s(sum, *x);
            }
            let x = simd.sub_f32s(simd.partial_load_f32s(tail), largest_lanes);
            simd.partial_store_f32s(tail, lanes::exp(simd, x));
            let sum = tail.iter().fold(simd.reduce_sum_f32s(sum), |sum, x| sum + x);
            *log_sum = largest + sum.ln();
            let share = 1.0 / sum;
            let share_lanes = simd.splat_f32s(share);
            head.iter_mut().for_each(|x| *x = simd.mul_f32s(*x, share_lanes));
            tail.iter_mut().for_each(|x| *x *= share);
        }
    }
}

/// Scores become weights, and gradients of weights become those of scores, row by row.
struct Slopes<'a> {
    weights: &'a mut [f32],
    slopes: &'a mut [f32],
    n_keys: usize,
    visible: Option<&'a [usize]>,
    log_sums: &'a [f32],
}

impl WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Slopes { weights, slopes, n_keys, visible, log_sums } = self;
        let rows = weights.chunks_mut(n_keys).zip(slopes.chunks_mut(n_keys)).zip(log_sums);
        for (at, ((weights, slopes), log_sum)) in rows.enumerate() {
            let n_visible = visible.map_or(n_keys, |visible| visible[at]);
            let (weights, hidden_weights) = weights.split_at_mut(n_visible);
            let (slopes, hidden_slopes) = slopes.split_at_mut(n_visible);
            hidden_weights.fill(0.0);
            hidden_slopes.fill(0.0);
            let log_sum = simd.splat_f32s(*log_sum);
            let (weights, weights_tail) = S::as_mut_simd_f32s(weights);
            let (slopes, slopes_tail) = S::as_mut_simd_f32s(slopes);
            let mut mean = simd.splat_f32s(0.0);
            for (weight, slope) in weights.iter_mut().zip(slopes.iter()) {
                *weight = lanes::exp(simd, simd.sub_f32s(*weight, log_sum));
                mean = simd.mul_add_e_f32s(*weight, *slope, mean);
            }
            let weight = simd.sub_f32s(simd.partial_load_f32s(weights_tail), log_sum);
            simd.partial_store_f32s(weights_tail, lanes::exp(simd, weight));
            let mut mean = simd.reduce_sum_f32s(mean);
            for (weight, slope) in weights_tail.iter().zip(slopes_tail.iter()) {
                mean += weight * slope;
            }
            let mean_lanes = simd.splat_f32s(mean);
            for (weight, slope) in weights.iter().zip(slopes) {
                *slope = simd.mul_f32s(*weight, simd.sub_f32s(*slope, mean_lanes));
            }
            for (weight, slope) in weights_tail.iter().zip(slopes_tail) {
                *slope = weight * (*slope - mean);
            }
        }
    }
}
