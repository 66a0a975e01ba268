//! Convolutions with few taps, summed one tap at a time over rows of channels.

use rayon::prelude::*;

use super::fft_conv::{Convolution, Gradients};
use super::lanes;
use super::pool;

/// Rows that one thread takes at a time.
const ROWS: usize = 256;

pub(super) fn forward(conv: Convolution, u: &[f32], kernel: &[f32], skip: Option<&[f32]>, out: &mut [f32]) {
    let (length, d) = (conv.length, conv.d);
    let taps = taps(conv, kernel);
    for (out, u) in out.chunks_mut(length * d).zip(u.chunks(length * d)) {
        out.par_chunks_mut(ROWS * d).enumerate().for_each(|(at, rows)| {
            let first = at * ROWS;
            lanes::inlined(
                #[inline(always)]
                || {
                    for (t, y) in rows.chunks_mut(d).enumerate() {
                        let t = first + t;
                        match skip {
                            Some(skip) => set_product(y, skip, &u[t * d..(t + 1) * d]),
                            None => y.fill(0.0),
                        }
                        // The lags that lie inside the sequence.
                        let causal = conv.place(t);
                        for (lag, k) in taps.chunks(d).enumerate().take(causal + 1) {
                            let from = conv.place(causal - lag);
                            add_product(y, k, &u[from * d..(from + 1) * d]);
                        }
                    }
                },
            );
        });
    }
    pool::give(taps);
}

pub(super) fn backward(
    conv: Convolution,
    u: &[f32],
    kernel: &[f32],
    skip: Option<&[f32]>,
    gradient: &[f32],
    wanted: [bool; 2],
) -> Gradients {
    let (length, d) = (conv.length, conv.d);
    let of_u = wanted[0].then(|| {
        let taps = taps(conv, kernel);
        let mut of_u = pool::take(u.len());
        for (out, g) in of_u.chunks_mut(length * d).zip(gradient.chunks(length * d)) {
            out.par_chunks_mut(ROWS * d).enumerate().for_each(|(at, rows)| {
                let first = at * ROWS;
                lanes::inlined(
                    #[inline(always)]
                    || {
                        for (s, out) in rows.chunks_mut(d).enumerate() {
                            let s = first + s;
                            match skip {
                                Some(skip) => set_product(out, skip, &g[s * d..(s + 1) * d]),
                                None => out.fill(0.0),
                            }
                            let causal = conv.place(s);
                            for (lag, k) in taps.chunks(d).enumerate().take(length - causal) {
                                let at = conv.place(causal + lag);
                                add_product(out, k, &g[at * d..(at + 1) * d]);
                            }
                        }
                    },
                );
            });
        }
        pool::give(taps);
        of_u
    });
    let of_kernel = wanted[1].then(|| {
        let reach = conv.reach();
        // Blocks of rows on their own, then over blocks: the same order for any number of threads.
        let n_blocks = length.div_ceil(ROWS);
        let sums: Vec<Vec<f32>> = (0..conv.n_batch * n_blocks)
            .into_par_iter()
            .map(|at| {
                let (item, first) = (at / n_blocks, at % n_blocks * ROWS);
                let item = item * length * d..(item + 1) * length * d;
                let (u, g) = (&u[item.clone()], &gradient[item]);
                let mut sums = vec![0.0; reach * d];
                lanes::inlined(
                    #[inline(always)]
                    || {
                        for causal in first..(first + ROWS).min(length) {
                            let t = conv.place(causal);
                            let g = &g[t * d..(t + 1) * d];
                            for (lag, sum) in sums.chunks_mut(d).enumerate().take(causal + 1) {
                                let from = conv.place(causal - lag);
                                add_product(sum, g, &u[from * d..(from + 1) * d]);
                            }
                        }
                    },
                );
                sums
            })
            .collect();
        let mut total = vec![0.0; reach * d];
        sums.iter().for_each(|sums| lanes::add(&mut total, sums));
        let mut of_kernel = pool::take_zeros(d * conv.n_taps);
        for (channel, row) in of_kernel.chunks_mut(conv.n_taps).enumerate() {
            row.iter_mut().zip(total[channel..].iter().step_by(d)).for_each(|(to, from)| *to = *from);
        }
        of_kernel
    });
    Gradients { u: of_u, kernel: of_kernel }
}

/// `sums += sum over rows of x y`, row by row of the width of `sums`.
pub(super) fn sum_products(sums: &mut [f32], x: &[f32], y: &[f32]) {
    let d = sums.len();
    let block = |(x, y): (&[f32], &[f32])| {
        let mut sums = vec![0.0; d];
        lanes::inlined(
            #[inline(always)]
            || x.chunks(d).zip(y.chunks(d)).for_each(|(x, y)| add_product(&mut sums, x, y)),
        );
        sums
    };
    let blocks: Vec<Vec<f32>> = x.par_chunks(ROWS * d).zip(y.par_chunks(ROWS * d)).map(block).collect();
    blocks.iter().for_each(|block| lanes::add(sums, block));
}

/// The taps that matter, `(tap, d)`.
fn taps(conv: Convolution, kernel: &[f32]) -> Vec<f32> {
    let (d, reach) = (conv.d, conv.reach());
    let mut taps = pool::take(reach * d);
    for (lag, row) in taps.chunks_mut(d).enumerate() {
        row.iter_mut().zip(kernel[lag..].iter().step_by(conv.n_taps)).for_each(|(to, from)| *to = *from);
    }
    taps
}

#[inline(always)]
fn set_product(out: &mut [f32], x: &[f32], y: &[f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = x * y;
    }
}

#[inline(always)]
fn add_product(out: &mut [f32], x: &[f32], y: &[f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out += x * y;
    }
}
