//! Dropout (Srivastava et al. 2014, JMLR 15): an element is set to 0 with probability `rate`, else divided by
//! `1 - rate`.
//!
//! Whether element `i` is kept depends on the seed and `i` alone, so the backward pass draws again instead of
//! keeping a mask.

use burn::tensor::{Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::register::fuse;
use crate::data::mix;

/// Which elements are set to 0.
///
/// The same seed gives the same elements: draw a new one for each use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    /// The share of elements; 0 or less keeps everything.
    pub(crate) rate: f64,
    /// Of the draws.
    pub(crate) seed: u64,
}

impl Dropout {
    /// Everything is kept.
    pub(crate) const NONE: Dropout = Dropout { rate: 0.0, seed: 0 };

    /// The draws; none if everything is kept.
    pub(super) fn draws(self) -> Option<Draws> {
        (self.rate > 0.0).then(|| Draws::new(self.rate, self.seed))
    }
}

/// `x` with some elements set to 0; of the same shape. A rate of 0 or less keeps everything.
///
/// The same seed gives the same elements: draw a new one for each use.
#[allow(dead_code, reason = "what follows a linear layer is dropped by it; other layers take this")]
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, rate: f64, seed: u64) -> Tensor<D> {
    let Some(draws) = (Dropout { rate, seed }).draws() else {
        return x;
    };
    if !is_fused(&x) {
        return composition(x, draws);
    }
    let shape = x.dims().to_vec();
    fuse([x.into_dispatch()], Drop { shape, draws, tied: None })
}

/// `x` with some channels of a sequence set to 0 at all its steps; the element of a channel is drawn as that of a step
/// alone. Shape `(batch, length, d)`.
pub(crate) fn tied_dropout(x: Tensor<3>, rate: f64, seed: u64) -> Tensor<3> {
    let Some(draws) = (Dropout { rate, seed }).draws() else {
        return x;
    };
    let shape @ [n_batch, length, d] = x.dims();
    if !is_fused(&x) {
        let ones = Tensor::<3>::ones([n_batch, 1, d], (&x.device(), x.dtype()));
        return x * composition(ones, draws);
    }
    fuse([x.into_dispatch()], Drop { shape: shape.to_vec(), draws, tied: Some([length, d]) })
}

pub(super) fn composition<const D: usize>(x: Tensor<D>, draws: Draws) -> Tensor<D> {
    let shape = x.dims();
    let mask: Vec<f32> = (0..shape.iter().product()).map(|i| draws.factor(i as u64)).collect();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, shape), (&x.device(), x.dtype()));
    x * mask
}

#[allow(dead_code, reason = "as `dropout`")]
#[derive(Debug)]
struct Drop {
    shape: Vec<usize>,
    draws: Draws,
    /// Steps and channels of a sequence, if they are dropped together.
    tied: Option<[usize; 2]>,
}

impl Drop {
    fn multiply(&self, out: &mut [f32], x: &[f32]) {
        match self.tied {
            Some([length, d]) => self.draws.multiply_tied(out, x, length, d),
            None => self.draws.multiply(out, x),
        }
    }
}

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 15;

impl Operation<1> for Drop {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        self.multiply(out, x);
        Vec::new()
    }

    fn reads(&self) -> [bool; 1] {
        [false]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let mut gradient = pool::take(context.gradient.len());
        self.multiply(&mut gradient, &context.gradient);
        [Some(gradient)]
    }
}

/// What every element is multiplied by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    key: [u32; 2],
    /// An element is dropped if its draw is below.
    threshold: u32,
    scale: f32,
}

impl Draws {
    fn new(rate: f64, seed: u64) -> Self {
        let key = mix(seed);
        // The cast stops at the largest number: at a rate of 1 the few elements that are left are multiplied by 0.
        let threshold = (rate * 4_294_967_296.0) as u32;
        let scale = if rate < 1.0 { (1.0 / (1.0 - rate)) as f32 } else { 0.0 };
        Draws { key: [key as u32, (key >> 32) as u32], threshold, scale }
    }

    /// `out = x factor`, element by element.
    pub(super) fn multiply(self, out: &mut [f32], x: &[f32]) {
        // A chunk never crosses a multiple of 2^32.
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(at, (out, x))| {
            let first = (at * CHUNK) as u64;
            let (low, high) = (first as u32, (first >> 32) as u32);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (i, (out, x)) in out.iter_mut().zip(x).enumerate() {
                        *out = *x * self.factor_at(low.wrapping_add(i as u32), high);
                    }
                },
            );
        });
    }

    /// `out = x factor`, with the same factors at all steps of a sequence.
    fn multiply_tied(self, out: &mut [f32], x: &[f32], length: usize, d: usize) {
        let sequence = (length * d).max(1);
        out.par_chunks_mut(sequence).zip(x.par_chunks(sequence)).enumerate().for_each(|(at, (out, x))| {
            let factors: Vec<f32> = (0..d).map(|channel| self.factor((at * d + channel) as u64)).collect();
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                        for ((out, x), factor) in out.iter_mut().zip(x).zip(&factors) {
                            *out = x * factor;
                        }
                    }
                },
            );
        });
    }

    /// Multiplies elements of which the first has this number.
    pub(super) fn multiply_in_place(self, first: usize, x: &mut [f32]) {
        // The upper half of the numbers changes at multiples of 2^32 alone.
        let below = (1_u64 << 32) - (first as u64 & 0xffff_ffff);
        let (head, tail) = x.split_at_mut(x.len().min(usize::try_from(below).unwrap_or(usize::MAX)));
        let mut first = first as u64;
        for part in [head, tail] {
            let (low, high) = (first as u32, (first >> 32) as u32);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (i, x) in part.iter_mut().enumerate() {
                        *x *= self.factor_at(low.wrapping_add(i as u32), high);
                    }
                },
            );
            first += part.len() as u64;
        }
    }

    /// 0 or `1 / (1 - rate)`.
    fn factor(self, i: u64) -> f32 {
        self.factor_at(i as u32, (i >> 32) as u32)
    }

    /// Two rounds of a permutation of 32 bits, which are computed many at a time.
    #[inline(always)]
    fn factor_at(self, low: u32, high: u32) -> f32 {
        let draw = permute(permute(low ^ self.key[0]).wrapping_add(self.key[1] ^ high));
        if draw < self.threshold { 0.0 } else { self.scale }
    }
}

/// A permutation of the 32-bit numbers with little bias (the constants are those of C. Wellons' hash prospector,
/// "lowbias32").
#[inline(always)]
fn permute(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::super::check::{check, numbers};
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn it_is_what_its_composition_is() {
        check(&[3 * 5 * 7], |x| dropout(x[0].clone().reshape([3, 5, 7]), 0.3, 11).reshape([105]));
        check(&[70_000], |x| dropout(x[0].clone(), 0.05, 12));
        check(&[9], |x| dropout(x[0].clone(), 1.0, 13));
        check(&[3 * 5 * 7], |x| tied_dropout(x[0].clone().reshape([3, 5, 7]), 0.3, 11).reshape([105]));
    }

    #[test]
    fn channels_of_a_sequence_are_dropped_together() {
        let tied = numbers(tied_dropout(Tensor::<3>::ones([2, 4, 50], &Device::flex()), 0.5, 3));
        let alone = numbers(dropout(Tensor::<2>::ones([2, 50], &Device::flex()), 0.5, 3));
        for (at, x) in tied.iter().enumerate() {
            assert_eq!(x.to_bits(), alone[at / 200 * 50 + at % 50].to_bits());
        }
        assert!(tied.contains(&0.0) && tied.contains(&2.0));
    }

    #[test]
    fn the_share_dropped_is_the_rate_and_seeds_and_neighbours_are_independent() {
        let n = 100_000;
        let kept = |seed: u64| -> Vec<f64> {
            let ones = Tensor::<1>::ones([n], &Device::flex());
            numbers(dropout(ones, 0.2, seed)).iter().map(|x| f64::from(u8::from(*x > 0.0))).collect()
        };
        let (a, b) = (kept(1), kept(2));
        let share = |both: &dyn Fn(usize) -> f64| (0..n - 1).map(both).sum::<f64>() / (n - 1) as f64;
        // Five standard errors.
        assert!((share(&|i| a[i]) - 0.8).abs() < 0.0064);
        assert!((share(&|i| a[i] * b[i]) - 0.64).abs() < 0.0076);
        assert!((share(&|i| a[i] * a[i + 1]) - 0.64).abs() < 0.0076);
    }

    #[test]
    fn parts_are_multiplied_as_the_whole_is_beyond_32_bits_too() {
        let draws = Draws::new(0.4, 5);
        for first in [0, 7, (1_usize << 32) - 5, (3_usize << 32) + 1] {
            let mut part = [1.0; 11];
            draws.multiply_in_place(first, &mut part);
            assert!(
                part.iter()
                    .enumerate()
                    .all(|(i, x)| x.to_bits() == draws.factor((first + i) as u64).to_bits())
            );
        }
    }
}
