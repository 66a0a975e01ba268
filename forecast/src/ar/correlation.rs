//! Lagged products of long stretches, summed by fast Fourier transforms of short blocks.
//!
//! `c_k = sum_(s<m) x_s x_(s+k)` for `k < width`. Blocks that overlap by `width` are multiplied in the frequency
//! domain and added there, so that one inverse transform serves all blocks of all stretches: O(n log width).

use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::{Error, Result};

/// A block is this many times as long as what it is correlated with, and at least that long.
const BLOCK_WIDTHS: usize = 4;
const SHORTEST_BLOCK: usize = 512;
/// A transform of `n` numbers costs about as much as this times `n` products.
const PRODUCTS_A_TRANSFORM: usize = 24;

/// Sums of lagged products over any number of stretches.
pub(super) struct Correlation {
    width: usize,
    block: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    /// What was added by transforms.
    spectrum: Vec<Complex64>,
    /// What was added product by product.
    direct: Vec<f64>,
    is_transformed: bool,
    /// Buffers of one block.
    values: Vec<f64>,
    first: Vec<Complex64>,
    second: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Correlation {
    /// Sums of no stretch, for lags below `width`.
    pub(super) fn new(width: usize) -> Self {
        let block = (BLOCK_WIDTHS * width).next_power_of_two().max(SHORTEST_BLOCK);
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(block), planner.plan_fft_inverse(block));
        Correlation {
            width,
            block,
            spectrum: forward.make_output_vec(),
            direct: vec![0.0; width],
            is_transformed: false,
            values: forward.make_input_vec(),
            first: forward.make_output_vec(),
            second: forward.make_output_vec(),
            scratch: forward.make_scratch_vec(),
            forward,
            inverse,
        }
    }

    /// Adds the products of the first `n_first` values with those up to `width - 1` steps later; what lies
    /// beyond the end counts as zero.
    pub(super) fn add(&mut self, values: &[f64], n_first: usize) -> Result<()> {
        let step = self.block + 1 - self.width;
        for start in (0..n_first).step_by(step) {
            let n = step.min(n_first - start);
            let end = values.len().min(start + n + self.width - 1);
            let reach = &values[start..end];
            if n * self.width <= PRODUCTS_A_TRANSFORM * self.block {
                self.add_products(&reach[..n], reach);
            } else {
                self.add_transforms(n, reach)?;
            }
        }
        Ok(())
    }

    /// The sums. Shape `(width)`.
    pub(super) fn finish(mut self) -> Result<Vec<f64>> {
        let mut sums = self.direct;
        if self.is_transformed {
            let mut scratch = self.inverse.make_scratch_vec();
            // Real by construction; rounding may have left something.
            for end in [0, self.block / 2] {
                self.spectrum[end].im = 0.0;
            }
            self.inverse
                .process_with_scratch(&mut self.spectrum, &mut self.values, &mut scratch)
                .map_err(|error| Error::Internal(error.to_string()))?;
            let scale = 1.0 / self.block as f64;
            sums.iter_mut().zip(&self.values).for_each(|(sum, value)| *sum += scale * value);
        }
        Ok(sums)
    }

    fn add_products(&mut self, first: &[f64], reach: &[f64]) {
        for (s, value) in first.iter().enumerate() {
            self.direct.iter_mut().zip(&reach[s..]).for_each(|(sum, later)| *sum += value * later);
        }
    }

    fn add_transforms(&mut self, n_first: usize, reach: &[f64]) -> Result<()> {
        let internal = |error: realfft::FftError| Error::Internal(error.to_string());
        for (n, output) in [(n_first, &mut self.first), (reach.len(), &mut self.second)] {
            self.values[..n].copy_from_slice(&reach[..n]);
            self.values[n..].fill(0.0);
            self.forward
                .process_with_scratch(&mut self.values, output, &mut self.scratch)
                .map_err(internal)?;
        }
        let products = self.first.iter().zip(&self.second);
        self.spectrum.iter_mut().zip(products).for_each(|(sum, (a, b))| *sum += a.conj() * b);
        self.is_transformed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_plain_loops_for_odd_sizes() {
        let value = |i: usize| ((i * i * 31 + 7 * i) % 101) as f64 - 50.0;
        for (width, stretches) in [
            (1, vec![(5, 5), (1, 1)]),
            (7, vec![(900, 900), (3, 2), (41, 35)]),
            (130, vec![(5_003, 4_874), (131, 2), (700, 571), (20, 20)]),
            (600, vec![(9_000, 9_000)]),
        ] {
            let mut correlation = Correlation::new(width);
            let mut expected = vec![0.0; width];
            for (n, n_first) in stretches {
                let values: Vec<f64> = (0..n).map(value).collect();
                correlation.add(&values, n_first).unwrap();
                for (lag, sum) in expected.iter_mut().enumerate() {
                    let product = |s: usize| values.get(s + lag).map_or(0.0, |later| values[s] * later);
                    *sum += (0..n_first).map(product).sum::<f64>();
                }
            }
            let sums = correlation.finish().unwrap();
            for (lag, (sum, expected)) in sums.iter().zip(&expected).enumerate() {
                // Products are below 2,500 and whole.
                assert!((sum - expected).abs() < 1e-6, "width {width}, lag {lag}: {sum} {expected}");
            }
        }
    }
}
