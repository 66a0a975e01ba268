//! Dropout (Srivastava et al. 2014, JMLR 15): an element is set to 0 with probability `rate`, else divided by
//! `1 - rate`.
//!
//! Whether element `i` is kept depends on the seed and `i` alone, so the backward pass draws again instead of
//! keeping a mask.

use burn::tensor::{Tensor, TensorData};

use crate::data::mix;

/// `x` with some elements set to 0; of the same shape. A rate of 0 or less keeps everything.
///
/// The same seed gives the same elements: draw a new one for each use.
pub(crate) fn dropout<const D: usize>(x: Tensor<D>, rate: f64, seed: u64) -> Tensor<D> {
    if rate > 0.0 { composition(x, rate, seed) } else { x }
}

fn composition<const D: usize>(x: Tensor<D>, rate: f64, seed: u64) -> Tensor<D> {
    let draws = Draws::new(rate, seed);
    let shape = x.dims();
    let mask: Vec<f32> = (0..shape.iter().product()).map(|i| draws.factor(i)).collect();
    let mask = Tensor::<D>::from_data(TensorData::new(mask, shape), (&x.device(), x.dtype()));
    x * mask
}

/// What every element is multiplied by.
#[derive(Debug, Clone, Copy)]
struct Draws {
    key: [u32; 2],
    /// An element is dropped if its draw is below.
    threshold: u32,
    scale: f32,
}

impl Draws {
    fn new(rate: f64, seed: u64) -> Self {
        let key = mix(seed);
        // The cast stops at the largest number; a rate of 1 then drops all but one in 2^32, which 0 times.
        let threshold = (rate * 4_294_967_296.0) as u32;
        let scale = if rate < 1.0 { (1.0 / (1.0 - rate)) as f32 } else { 0.0 };
        Draws { key: [key as u32, (key >> 32) as u32], threshold, scale }
    }

    /// 0 or `1 / (1 - rate)`.
    fn factor(&self, i: usize) -> f32 {
        if self.draw(i as u64) < self.threshold { 0.0 } else { self.scale }
    }

    /// Two rounds of a permutation of 32 bits, so that vectors of them can be computed.
    fn draw(&self, i: u64) -> u32 {
        permute(permute(i as u32 ^ self.key[0]).wrapping_add(self.key[1] ^ (i >> 32) as u32))
    }
}

/// A permutation of the 32-bit numbers with little bias (constants of C. Wellons' hash prospector, "lowbias32").
fn permute(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
