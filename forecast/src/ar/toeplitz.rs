//! Products with sums of Toeplitz matrices by Fourier transforms: none of the matrices is ever made.

use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::{Error, Result};

/// How a triangle counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `L L'`, lower triangular.
    Lower,
    /// `- L L'`.
    LowerLess,
    /// `L' L`.
    Upper,
}

/// `T + scale sum (+- L L' or L' L)` of Toeplitz matrices, each told by its first column.
pub(super) struct Triangles {
    order: usize,
    scale: f64,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    pub(super) symmetric: Option<Vec<Complex64>>,
    triangles: Vec<(Vec<Complex64>, Side)>,
}

impl Triangles {
    pub(super) fn new(order: usize, scale: f64) -> Self {
        let n = (2 * order).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        Triangles { order, scale, forward, inverse, symmetric: None, triangles: Vec::new() }
    }

    pub(super) fn add_symmetric(&mut self, column: &[f64]) -> Result<()> {
        let mut values = self.forward.make_input_vec();
        let n = values.len();
        values[..self.order].copy_from_slice(column);
        for lag in 1..self.order {
            values[n - lag] = column[lag];
        }
        let spectrum = self.spectrum(&values)?;
        self.symmetric = Some(spectrum);
        Ok(())
    }

    pub(super) fn add(&mut self, column: &[f64], side: Side) -> Result<()> {
        let spectrum = self.spectrum(column)?;
        self.triangles.push((spectrum, side));
        Ok(())
    }

    pub(super) fn product(&self, v: &[f64]) -> Result<Vec<f64>> {
        let of_v = self.spectrum(v)?;
        let mut sum = match &self.symmetric {
            Some(symmetric) => symmetric.iter().zip(&of_v).map(|(a, b)| a * b).collect(),
            None => vec![Complex64::default(); of_v.len()],
        };
        for (triangle, side) in &self.triangles {
            let lower = |of: &[Complex64]| triangle.iter().zip(of).map(|(a, b)| a * b).collect::<Vec<_>>();
            let upper =
                |of: &[Complex64]| triangle.iter().zip(of).map(|(a, b)| a.conj() * b).collect::<Vec<_>>();
            let (scale, both) = match side {
                Side::Upper => (self.scale, upper(&self.spectrum(&self.values(lower(&of_v))?)?)),
                Side::Lower => (self.scale, lower(&self.spectrum(&self.values(upper(&of_v))?)?)),
                Side::LowerLess => (-self.scale, lower(&self.spectrum(&self.values(upper(&of_v))?)?)),
            };
            sum.iter_mut().zip(both).for_each(|(sum, value)| *sum += scale * value);
        }
        self.values(sum)
    }

    /// The transform of up to `order` numbers, or of as many as a transform has.
    fn spectrum(&self, values: &[f64]) -> Result<Vec<Complex64>> {
        let mut input = self.forward.make_input_vec();
        input[..values.len()].copy_from_slice(values);
        let mut output = self.forward.make_output_vec();
        self.forward.process(&mut input, &mut output).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(output)
    }

    /// The first `order` numbers of a transform.
    fn values(&self, mut spectrum: Vec<Complex64>) -> Result<Vec<f64>> {
        let mut output = self.inverse.make_output_vec();
        // Real by construction; rounding may have left something.
        for end in [0, spectrum.len() - 1] {
            spectrum[end].im = 0.0;
        }
        self.inverse
            .process(&mut spectrum, &mut output)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let scale = 1.0 / output.len() as f64;
        output.truncate(self.order);
        output.iter_mut().for_each(|value| *value *= scale);
        Ok(output)
    }
}
