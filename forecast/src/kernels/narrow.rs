//! Attention of one narrow head: a product of matrices would do more packing than multiplying.
//!
//! Forward, and for the gradient of the queries, each lane is a query, and all keys pass by; for the gradients of
//! keys and values each lane is a key, and all queries pass by. Equations: `heads.rs`.

use pulp::{Simd, WithSimd};

use super::heads::{Head, HeadGradients};
use super::product::Matrix;
use super::{lanes, pool};

/// As [`Head::forward`], if the head is narrow enough.
pub(super) fn forward(head: &Head<'_>, out: &mut [f32], log_sums: &mut [f32]) -> bool {
    match head.q.n_columns {
        4 => forward_of::<4>(head, out, log_sums),
        8 => forward_of::<8>(head, out, log_sums),
        16 => forward_of::<16>(head, out, log_sums),
        _ => return false,
    }
    true
}

/// As [`Head::backward`], if the head is narrow enough; else the gradients come back untouched.
pub(super) fn backward<'a>(
    head: &Head<'_>,
    dy: Matrix<'_>,
    log_sums: &[f32],
    gradients: HeadGradients<'a>,
) -> Option<HeadGradients<'a>> {
    match head.q.n_columns {
        4 => backward_of::<4>(head, dy, log_sums, gradients),
        8 => backward_of::<8>(head, dy, log_sums, gradients),
        16 => backward_of::<16>(head, dy, log_sums, gradients),
        _ => return Some(gradients),
    }
    None
}

fn forward_of<const D: usize>(head: &Head<'_>, out: &mut [f32], log_sums: &mut [f32]) {
    let (q, k, v) = (packed(head.q), packed(head.k), packed(head.v));
    let scores = &mut pool::take(k.len() * MOST_LANES);
    lanes::dispatch(Forward::<D> { q: &q, k: &k, v: &v, visible: head.visible, out, log_sums, scores });
    pool::give(std::mem::take(scores));
}

fn backward_of<const D: usize>(
    head: &Head<'_>,
    dy: Matrix<'_>,
    log_sums: &[f32],
    gradients: HeadGradients<'_>,
) {
    let (q, k, v, dy) = (packed(head.q), packed(head.k), packed(head.v), packed(dy));
    let scores = &mut pool::take(2 * k.len() * MOST_LANES);
    let means = &mut vec![0.0; q.len()];
    let visible = head.visible;
    let (q, k, v, dy) = (&q, &k, &v, &dy);
    lanes::dispatch(Queries::<D> { q, k, v, dy, visible, log_sums, means, gradient: gradients.q, scores });
    lanes::dispatch(Keys::<D> { q, k, v, dy, visible, log_sums, means, dk: gradients.k, dv: gradients.v });
    pool::give(std::mem::take(scores));
}

/// The widest registers there are hold 16 numbers of 32 bits.
const MOST_LANES: usize = 16;

/// Rows of `D` numbers, one after the other.
fn packed<const D: usize>(x: Matrix<'_>) -> Vec<[f32; D]> {
    let row = |at: usize| {
        let mut row = [0.0; D];
        row.copy_from_slice(x.row(at));
        row
    };
    (0..x.n_rows).map(row).collect()
}

/// Some rows side by side: lane i of register c is element c of row i; 0 where there is no row.
#[inline(always)]
fn gather<S: Simd, const D: usize>(simd: S, rows: &[[f32; D]], scale: f32) -> [S::f32s; D] {
    let mut registers = [simd.splat_f32s(0.0); D];
    for (c, register) in registers.iter_mut().enumerate() {
        let mut lanes = [0.0; MOST_LANES];
        for (lane, row) in lanes.iter_mut().zip(rows) {
            *lane = row[c] * scale;
        }
        *register = simd.partial_load_f32s(&lanes[..S::F32_LANES]);
    }
    registers
}

/// The inverse of [`gather`], for as many rows as there are.
#[inline(always)]
fn spread<S: Simd, const D: usize>(simd: S, registers: [S::f32s; D], scale: f32, rows: &mut [f32]) {
    let mut lanes = [[0.0; MOST_LANES]; D];
    for (lanes, register) in lanes.iter_mut().zip(registers) {
        simd.partial_store_f32s(&mut lanes[..S::F32_LANES], register);
    }
    for (i, row) in rows.chunks_exact_mut(D).enumerate() {
        for (x, lanes) in row.iter_mut().zip(&lanes) {
            *x = lanes[i] * scale;
        }
    }
}

/// Some numbers as lanes, 0 where there are none.
#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    simd.partial_load_f32s(&values[..values.len().min(S::F32_LANES)])
}

/// `sum + x y`, with `y` the same in every lane.
#[inline(always)]
fn dot<S: Simd, const D: usize>(simd: S, x: &[S::f32s; D], y: &[f32; D]) -> S::f32s {
    let (mut even, mut odd) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for c in (0..D).step_by(2) {
        even = simd.mul_add_e_f32s(x[c], simd.splat_f32s(y[c]), even);
        odd = simd.mul_add_e_f32s(x[c + 1], simd.splat_f32s(y[c + 1]), odd);
    }
    simd.add_f32s(even, odd)
}

/// `sum += w y`, with `y` the same in every lane.
#[inline(always)]
fn add_scaled<S: Simd, const D: usize>(simd: S, sum: &mut [S::f32s; D], w: S::f32s, y: &[f32; D]) {
    for (sum, y) in sum.iter_mut().zip(y) {
        *sum = simd.mul_add_e_f32s(w, simd.splat_f32s(*y), *sum);
    }
}

/// Keys that at least one of these queries sees, and those that all of them see.
fn seen(visible: Option<&[usize]>, first: usize, n: usize, n_keys: usize) -> (usize, usize) {
    visible.map_or((n_keys, n_keys), |visible| (visible[first + n - 1], visible[first]))
}

/// How many keys each query of a register sees, as lanes.
#[inline(always)]
fn limits<S: Simd>(simd: S, visible: Option<&[usize]>, first: usize) -> S::f32s {
    let mut lanes = [0.0; MOST_LANES];
    if let Some(visible) = visible {
        lanes.iter_mut().zip(&visible[first..]).for_each(|(lane, n)| *lane = *n as f32);
    }
    simd.partial_load_f32s(&lanes[..S::F32_LANES])
}

struct Forward<'a, const D: usize> {
    q: &'a [[f32; D]],
    k: &'a [[f32; D]],
    v: &'a [[f32; D]],
    visible: Option<&'a [usize]>,
    out: &'a mut [f32],
    log_sums: &'a mut [f32],
    scores: &'a mut [f32],
}

impl<const D: usize> WithSimd for Forward<'_, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { q, k, v, visible, out, log_sums, scores } = self;
        let (scores, _) = S::as_mut_simd_f32s(scores);
        let n_lanes = S::F32_LANES;
        let blocks = out.chunks_mut(n_lanes * D).zip(log_sums.chunks_mut(n_lanes));
        for (block, (out, log_sums)) in blocks.enumerate() {
            let first = block * n_lanes;
            let (n_some, n_all) = seen(visible, first, log_sums.len(), k.len());
            let queries = gather(simd, &q[first..], 1.0 / (D as f32).sqrt());
            let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
            for (score, k) in scores.iter_mut().zip(&k[..n_all]) {
                *score = dot(simd, &queries, k);
                largest = simd.max_f32s(largest, *score);
            }
            let limit = limits(simd, visible, first);
            for j in n_all..n_some {
                let is_seen = simd.less_than_f32s(simd.splat_f32s(j as f32), limit);
                let score = dot(simd, &queries, &k[j]);
                scores[j] = simd.select_f32s(is_seen, score, simd.splat_f32s(f32::NEG_INFINITY));
                largest = simd.max_f32s(largest, scores[j]);
            }
            let mut sum = simd.splat_f32s(0.0);
            let mut y = [simd.splat_f32s(0.0); D];
            for (score, v) in scores.iter().zip(&v[..n_some]) {
                let weight = lanes::exp(simd, simd.sub_f32s(*score, largest));
                sum = simd.add_f32s(sum, weight);
                add_scaled(simd, &mut y, weight, v);
            }
            let share = simd.div_f32s(simd.splat_f32s(1.0), sum);
            for y in &mut y {
                *y = simd.mul_f32s(*y, share);
            }
            spread(simd, y, 1.0, out);
            let mut pair = [[0.0; MOST_LANES]; 2];
            for (lanes, register) in pair.iter_mut().zip([largest, sum]) {
                simd.partial_store_f32s(&mut lanes[..n_lanes], register);
            }
            for (i, log_sum) in log_sums.iter_mut().enumerate() {
                *log_sum = pair[0][i] + pair[1][i].ln();
            }
        }
    }
}

/// The gradient of the queries, and the mean slope of each, which the keys need.
struct Queries<'a, const D: usize> {
    q: &'a [[f32; D]],
    k: &'a [[f32; D]],
    v: &'a [[f32; D]],
    dy: &'a [[f32; D]],
    visible: Option<&'a [usize]>,
    log_sums: &'a [f32],
    means: &'a mut [f32],
    gradient: &'a mut [f32],
    scores: &'a mut [f32],
}

impl<const D: usize> WithSimd for Queries<'_, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Queries { q, k, v, dy, visible, log_sums, means, gradient, scores } = self;
        let (scores, _) = S::as_mut_simd_f32s(scores);
        let scale = 1.0 / (D as f32).sqrt();
        let n_lanes = S::F32_LANES;
        let blocks = gradient.chunks_mut(n_lanes * D).zip(means.chunks_mut(n_lanes));
        for (block, (gradient, means)) in blocks.enumerate() {
            let first = block * n_lanes;
            let (n_some, n_all) = seen(visible, first, means.len(), k.len());
            let queries = gather(simd, &q[first..], scale);
            let dy = gather(simd, &dy[first..], 1.0);
            let log_sum = load(simd, &log_sums[first..]);
            let limit = limits(simd, visible, first);
            let mut mean = simd.splat_f32s(0.0);
            for (j, ((pair, k), v)) in scores.chunks_exact_mut(2).zip(&k[..n_some]).zip(v).enumerate() {
                let score = simd.sub_f32s(dot(simd, &queries, k), log_sum);
                let mut weight = lanes::exp(simd, score);
                if j >= n_all {
                    let is_seen = simd.less_than_f32s(simd.splat_f32s(j as f32), limit);
                    weight = simd.select_f32s(is_seen, weight, simd.splat_f32s(0.0));
                }
                pair[0] = weight;
                pair[1] = dot(simd, &dy, v);
                mean = simd.mul_add_e_f32s(weight, pair[1], mean);
            }
            let mut sum = [simd.splat_f32s(0.0); D];
            for (pair, k) in scores.chunks_exact(2).zip(&k[..n_some]) {
                let slope = simd.mul_f32s(pair[0], simd.sub_f32s(pair[1], mean));
                add_scaled(simd, &mut sum, slope, k);
            }
            spread(simd, sum, scale, gradient);
            let mut lanes = [0.0; MOST_LANES];
            simd.partial_store_f32s(&mut lanes[..n_lanes], mean);
            let n = means.len();
            means.copy_from_slice(&lanes[..n]);
        }
    }
}

/// The gradients of keys and values.
struct Keys<'a, const D: usize> {
    q: &'a [[f32; D]],
    k: &'a [[f32; D]],
    v: &'a [[f32; D]],
    dy: &'a [[f32; D]],
    visible: Option<&'a [usize]>,
    log_sums: &'a [f32],
    means: &'a [f32],
    dk: &'a mut [f32],
    dv: &'a mut [f32],
}

impl<const D: usize> WithSimd for Keys<'_, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Keys { q, k, v, dy, visible, log_sums, means, dk, dv } = self;
        let scale = 1.0 / (D as f32).sqrt();
        let n_lanes = S::F32_LANES;
        let mut counted = [0.0; MOST_LANES];
        counted.iter_mut().enumerate().for_each(|(i, lane)| *lane = i as f32);
        let counted = load(simd, &counted[..n_lanes]);
        let blocks = dk.chunks_mut(n_lanes * D).zip(dv.chunks_mut(n_lanes * D));
        for (block, (dk, dv)) in blocks.enumerate() {
            let first = block * n_lanes;
            let keys = gather(simd, &k[first..], scale);
            let values = gather(simd, &v[first..], 1.0);
            let mut sums = [[simd.splat_f32s(0.0); D]; 2];
            // Queries before see none of these keys.
            let start = visible.map_or(0, |visible| visible.partition_point(|n| *n <= first));
            for i in start..q.len() {
                let score = simd.sub_f32s(dot(simd, &keys, &q[i]), simd.splat_f32s(log_sums[i]));
                let mut weight = lanes::exp(simd, score);
                if let Some(visible) = visible
                    && visible[i] < first + n_lanes
                {
                    let n_seen = simd.splat_f32s((visible[i] - first) as f32);
                    let is_seen = simd.less_than_f32s(counted, n_seen);
                    weight = simd.select_f32s(is_seen, weight, simd.splat_f32s(0.0));
                }
                let slope = simd.sub_f32s(dot(simd, &values, &dy[i]), simd.splat_f32s(means[i]));
                add_scaled(simd, &mut sums[0], simd.mul_f32s(weight, slope), &q[i]);
                add_scaled(simd, &mut sums[1], weight, &dy[i]);
            }
            let [k_sum, v_sum] = sums;
            spread(simd, k_sum, scale, dk);
            spread(simd, v_sum, 1.0, dv);
        }
    }
}
