//! What M steps add to the M steps after them: `y_(M+i) = sum over s < M of k_(M+i-s) u_s`, with lags from 1 to `2 M - 1`.
//!
//! In the ring of [`Ring`], the low half of `u * k_high` and the high half of `u * k_low` are the real part of one
//! product: `u (k_high - i k_low)`, where `k_low` has the lags below M and `k_high` the next M.

use std::cell::Cell;
use std::sync::Arc;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::conv_transform::{load, ring, store};
use super::lanes;
use super::ring_transform::{Point, Ring, points, points_ref};

/// The kernels of all channels, transformed for one M.
#[derive(Debug)]
pub(crate) struct MiddleProduct {
    ring: Arc<Ring>,
    d: usize,
    n_lanes: usize,
    /// Of one group of channels after the other.
    spectra: Vec<f32>,
}

/// The fewest steps.
pub(crate) const FEWEST_STEPS: usize = super::ring_transform::FEWEST;

thread_local! {
    // Room that a thread computes in, kept so that a product asks the allocator for nothing.
    static ROOM: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl MiddleProduct {
    /// For `n_steps`, a power of 2 from [`FEWEST_STEPS`] on. Shape of the kernel: `(lag, d)`; lags that are not there
    /// count as 0.
    pub(crate) fn new(kernel: &[f32], d: usize, n_steps: usize) -> Self {
        let (ring, n_lanes) = (ring(n_steps), lanes::width());
        let n_numbers = ring.n_numbers(n_lanes);
        let mut spectra = vec![0.0; n_numbers * d.div_ceil(n_lanes)];
        spectra.par_chunks_mut(n_numbers).enumerate().for_each(|(group, spectrum)| {
            let channels = group * n_lanes..((group + 1) * n_lanes).min(d);
            lanes::dispatch(Spectrum { ring: &ring, kernel, d, channels, spectrum });
        });
        MiddleProduct { ring, d, n_lanes, spectra }
    }

    /// M.
    pub(crate) fn n_steps(&self) -> usize {
        self.ring.n_points()
    }

    /// Numbers of room that a product computes in.
    pub(crate) fn room(&self) -> usize {
        self.d.div_ceil(self.n_lanes) * self.n_steps() * self.n_lanes + self.ring.n_numbers(self.n_lanes)
    }

    /// Adds to `out` what `u` adds to the steps after it; on one core, since a stream is the work of one. `room` is
    /// that of the longest product of the caller, so that a thread asks for it once. Shapes: both `(M, d)`.
    pub(crate) fn add_to(&self, out: &mut [f32], u: &[f32], room: usize) {
        let (n_steps, d, n_lanes) = (self.n_steps(), self.d, self.n_lanes);
        let n_numbers = self.ring.n_numbers(n_lanes);
        let n_groups = d.div_ceil(n_lanes);
        let mut numbers = ROOM.take();
        let needed = room.max(self.room());
        if numbers.len() < needed {
            numbers.resize(needed, 0.0);
        }
        let (buffer, found) = numbers.split_at_mut(n_numbers);
        let found = &mut found[..n_groups * n_steps * n_lanes];
        let groups = found.chunks_mut(n_steps * n_lanes).zip(self.spectra.chunks(n_numbers));
        for (group, (found, spectrum)) in groups.enumerate() {
            let channels = group * n_lanes..((group + 1) * n_lanes).min(d);
            lanes::dispatch(Product { ring: &self.ring, u, d, channels, spectrum, buffer, found });
        }
        for (step, row) in out.chunks_mut(d).enumerate() {
            for (group, out) in row.chunks_mut(n_lanes).enumerate() {
                let found = &found[(group * n_steps + step) * n_lanes..][..n_lanes];
                out.iter_mut().zip(found).for_each(|(to, from)| *to += from);
            }
        }
        ROOM.set(numbers);
    }
}

struct Spectrum<'a> {
    ring: &'a Ring,
    /// `(lag, d)`.
    kernel: &'a [f32],
    d: usize,
    channels: std::ops::Range<usize>,
    spectrum: &'a mut [f32],
}

impl WithSimd for Spectrum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Spectrum { ring, kernel, d, channels, spectrum } = self;
        let n_points = ring.n_points();
        let scale = simd.splat_f32s(1.0 / n_points as f32);
        let mut low = vec![0.0; spectrum.len()];
        let high = points::<S>(spectrum);
        for (points, first) in [(points::<S>(&mut low), 0), (&mut *high, n_points)] {
            ring.forward(
                simd,
                points,
                #[inline(always)]
                |t: usize| match kernel.get((first + t) * d..(first + t + 1) * d) {
                    Some(row) => simd.mul_f32s(scale, load(simd, &row[channels.clone()])),
                    None => simd.splat_f32s(0.0),
                },
            );
        }
        for (high, low) in high.iter_mut().zip(points_ref::<S>(&low)) {
            *high = [simd.add_f32s(high[0], low[1]), simd.sub_f32s(high[1], low[0])];
        }
    }
}

struct Product<'a> {
    ring: &'a Ring,
    u: &'a [f32],
    d: usize,
    channels: std::ops::Range<usize>,
    spectrum: &'a [f32],
    /// Room for a transform.
    buffer: &'a mut [f32],
    /// `(step, lane)`.
    found: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { ring, u, d, channels, spectrum, buffer, found } = self;
        let (work, factor) = (points::<S>(buffer), points_ref::<S>(spectrum));
        ring.forward_multiply_back(
            simd,
            (work, factor),
            #[inline(always)]
            |t: usize| load(simd, &u[t * d..][channels.clone()]),
            #[inline(always)]
            |_: usize, _: &[Point<S>]| (),
            #[inline(always)]
            |t: usize, value: S::f32s| store::<S>(&mut found[t * S::F32_LANES..][..S::F32_LANES], value),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::draw;
    use super::*;

    #[test]
    fn it_is_what_plain_sums_are() {
        for (n_steps, d, n_lags) in [(16, 3, 40), (32, 9, 20), (64, 8, 64), (2048, 2, 3000)] {
            let numbers = |n: usize, seed| draw(n, seed).iter().map(|x| *x as f32).collect::<Vec<f32>>();
            let (kernel, u) = (numbers(n_lags * d, 1), numbers(n_steps * d, 2));
            let mut out = vec![0.5; n_steps * d];
            MiddleProduct::new(&kernel, d, n_steps).add_to(&mut out, &u, 0);
            for i in (0..n_steps).step_by(1 + n_steps / 20) {
                for channel in 0..d {
                    let term = |s: usize| {
                        let k = kernel.get((n_steps + i - s) * d + channel).copied().unwrap_or(0.0);
                        f64::from(k) * f64::from(u[s * d + channel])
                    };
                    let due = 0.5 + (0..n_steps).map(term).sum::<f64>();
                    let ours = f64::from(out[i * d + channel]);
                    assert!(
                        (ours - due).abs() < 1e-5 * (n_steps as f64).sqrt(),
                        "{n_steps} {i}: {ours} for {due}"
                    );
                }
            }
        }
    }
}
