//! A long kernel as a state space of few states: `k_l ~ 2 Re(sum of w_n z_n^l)`.
//!
//! The matrix `H_ij = k_(1+i+j)`, with zeros beyond the kernel, maps past inputs to later outputs; its range is that of
//! the states. The leading part of the range is found by powers of H on a few vectors, H being applied by transforms
//! (Halko et al. 2011, arXiv 0909.4061). That a step shifts the range by one row gives the `z`: balanced truncation
//! (Moore 1981) of a kernel that ends, which is stable. Least squares gives the `w`, on the kernel and on as many lags
//! after it, where it is 0; lag 0 goes into D. What is left is summed up: a bound for every output.

use std::sync::Arc;

use faer::Mat;
use faer::Side;
use faer::linalg::solvers::SolveLstsq;
use rayon::prelude::*;
use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::discretise::Discrete;
use crate::data::mix;
use crate::{Error, Result};

/// A state space for each channel.
#[derive(Debug)]
pub(super) struct Reduced {
    /// Shape `(channel, state)`.
    pub(super) modes: Vec<Discrete>,
    /// D with what was left of lag 0.
    pub(super) skip: Vec<f64>,
    /// The sum over all lags of what the kernels differ, of the worst channel.
    pub(super) error_bound: f64,
}

/// Vectors beyond the order that the range is looked for with.
const SPARE: usize = 8;

/// How often the matrix is applied to its own image.
const POWERS: usize = 3;

/// Directions weaker than this share of the strongest one are noise.
const FAINTEST: f64 = 1e-9;

/// How much weights are held back, by the longest column.
const SLIGHT: f64 = 1e-10;

/// The lags that are fitted, as a multiple of those of the kernel.
const FITTED: usize = 2;

/// States decay at least by this in a step.
const SLOWEST: f64 = 1.0 - 1e-6;

/// Shapes: `kernel` `(channel, lag)`, `skip` `(channel)`; at most `max_order` real states a channel.
///
/// # Errors
/// [`Error::Internal`] if a decomposition fails.
pub(super) fn reduced(kernel: &[f64], skip: &[f64], max_order: usize) -> Result<Reduced> {
    let n_lags = kernel.len() / skip.len().max(1);
    let hankel = Hankel::new(n_lags);
    let found: Result<Vec<Channel>> =
        kernel.par_chunks(n_lags.max(1)).map(|kernel| Channel::new(kernel, &hankel, max_order)).collect();
    let found = found?;
    let n = found.iter().map(|channel| channel.modes.len()).max().unwrap_or(0).max(1);
    let zero = Complex64::new(0.0, 0.0);
    let modes = found.iter().flat_map(|channel| {
        let rest = n - channel.modes.len();
        let none = Discrete { z: zero, w: zero };
        channel.modes.iter().copied().chain(std::iter::repeat_n(none, rest))
    });
    Ok(Reduced {
        modes: modes.collect(),
        skip: skip.iter().zip(&found).map(|(skip, channel)| skip + channel.at_once).collect(),
        error_bound: found.iter().map(|channel| channel.error_bound).fold(0.0, f64::max),
    })
}

struct Channel {
    modes: Vec<Discrete>,
    /// What was left of lag 0.
    at_once: f64,
    error_bound: f64,
}

impl Channel {
    fn new(kernel: &[f64], hankel: &Hankel, max_order: usize) -> Result<Self> {
        let poles = poles(kernel, hankel, max_order)?;
        let n_lags = kernel.len();
        // One column for a real pole, two for a pair.
        let is_real = |z: &Complex64| z.im == 0.0;
        let n_columns: usize = poles.iter().map(|z| if is_real(z) { 1 } else { 2 }).sum();
        let mut modes = Vec::new();
        if n_columns > 0 {
            let n_rows = FITTED * n_lags - 1;
            let mut design = Mat::<f64>::zeros(n_rows + n_columns, n_columns);
            let mut column = 0;
            for z in &poles {
                let mut power = *z;
                for row in 0..n_rows {
                    design[(row, column)] = power.re;
                    if !is_real(z) {
                        design[(row, column + 1)] = -power.im;
                    }
                    power *= z;
                }
                column += if is_real(z) { 1 } else { 2 };
            }
            // Poles may come together; then the smaller of many weights that do equally well are taken.
            let longest = (0..n_columns).map(|column| design.col(column).norm_l2()).fold(0.0, f64::max);
            for column in 0..n_columns {
                design[(n_rows + column, column)] = SLIGHT * longest;
            }
            let value = |row: usize| kernel.get(row + 1).copied().filter(|_| row < n_rows).unwrap_or(0.0);
            let due = Mat::from_fn(n_rows + n_columns, 1, |row, _| value(row));
            let weights = design.qr().solve_lstsq(&due);
            let mut column = 0;
            for z in &poles {
                let im = if is_real(z) { 0.0 } else { weights[(column + 1, 0)] / 2.0 };
                modes.push(Discrete { z: *z, w: Complex64::new(weights[(column, 0)] / 2.0, im) });
                column += if is_real(z) { 1 } else { 2 };
            }
        }
        if modes.iter().any(|mode| !(mode.w.re.is_finite() && mode.w.im.is_finite())) {
            return Err(Error::Internal("a reduced kernel that is not finite".to_string()));
        }
        let mut powers: Vec<Complex64> = modes.iter().map(|mode| mode.w * 2.0).collect();
        let (mut at_once, mut error_bound) = (0.0, 0.0);
        for lag in 0..FITTED * n_lags {
            let k = kernel.get(lag).copied().unwrap_or(0.0);
            let left = k - powers.iter().map(|power| power.re).sum::<f64>();
            if lag == 0 {
                at_once = left
            } else {
                error_bound += left.abs()
            }
            powers.iter_mut().zip(&modes).for_each(|(power, mode)| *power *= mode.z);
        }
        // Beyond what is fitted, where the kernel is 0.
        error_bound +=
            powers.iter().zip(&modes).map(|(power, mode)| power.norm() / (1.0 - mode.z.norm())).sum::<f64>();
        Ok(Channel { modes, at_once, error_bound })
    }
}

/// At most `max_order` numbers, of which one of each conjugate pair is given.
fn poles(kernel: &[f64], hankel: &Hankel, max_order: usize) -> Result<Vec<Complex64>> {
    let m = hankel.m;
    let n_tried = (max_order + SPARE).min(m);
    if n_tried == 0 || kernel.iter().skip(1).all(|k| *k == 0.0) {
        return Ok(Vec::new());
    }
    let spectrum = hankel.spectrum(kernel);
    let draw = |at: u64| (mix(mix(17) ^ at) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
    let mut basis = Mat::from_fn(m, n_tried, |row, column| draw((column * m + row) as u64));
    for _ in 0..POWERS {
        basis = orthogonal(&hankel.apply(&spectrum, &basis));
    }
    let image = hankel.apply(&spectrum, &basis);
    let small = basis.transpose() * &image;
    let small = Mat::from_fn(n_tried, n_tried, |i, j| (small[(i, j)] + small[(j, i)]) / 2.0);
    let internal = |what: &str| Error::Internal(format!("a reduced kernel: {what}"));
    let found = small.self_adjoint_eigen(Side::Lower).map_err(|_| internal("no eigenvalues"))?;
    let mut order: Vec<usize> = (0..n_tried).collect();
    let strength = |at: usize| found.S().column_vector()[at].abs();
    order.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)));
    let strongest = strength(order[0]);
    order.retain(|at| strength(*at) > FAINTEST * strongest);
    order.truncate(max_order);
    let turned = Mat::from_fn(n_tried, order.len(), |row, column| found.U()[(row, order[column])]);
    let range = &basis * turned; // (m, order)
    let (above, below) = (range.subrows(0, m - 1), range.subrows(1, m - 1));
    // The row after the last one is 0.
    let shift = above.transpose() * below;
    let values = shift.eigenvalues().map_err(|_| internal("no poles"))?;
    let pole = |z: &faer::c64| {
        let z = Complex64::new(z.re, z.im);
        if z.norm() > SLOWEST { z * (SLOWEST / z.norm()) } else { z }
    };
    Ok(values.iter().filter(|z| z.im >= 0.0).map(pole).filter(|z| z.norm() > 1e-8).collect())
}

fn orthogonal(columns: &Mat<f64>) -> Mat<f64> {
    columns.qr().compute_thin_Q()
}

/// Products with `H_ij = k_(1+i+j)` of m x m numbers, where m is the number of lags but the first.
struct Hankel {
    m: usize,
    length: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Hankel {
    fn new(n_lags: usize) -> Self {
        let m = n_lags.saturating_sub(1);
        let length = (2 * n_lags).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        Hankel { m, length, forward, inverse }
    }

    fn transform(&self, values: impl Iterator<Item = f64>) -> Vec<Complex64> {
        let mut input = self.forward.make_input_vec();
        input.iter_mut().zip(values).for_each(|(to, from)| *to = from);
        let mut output = self.forward.make_output_vec();
        // Fails only for buffers of other lengths.
        let done = self.forward.process(&mut input, &mut output);
        debug_assert!(done.is_ok());
        output
    }

    fn spectrum(&self, kernel: &[f64]) -> Vec<Complex64> {
        self.transform(kernel.iter().skip(1).copied())
    }

    /// `H` times every column: with a column reversed, a convolution.
    fn apply(&self, spectrum: &[Complex64], columns: &Mat<f64>) -> Mat<f64> {
        let m = self.m;
        let mut out = Mat::zeros(m, columns.ncols());
        let scale = 1.0 / self.length as f64;
        for column in 0..columns.ncols() {
            let mut product = self.transform((0..m).rev().map(|row| columns[(row, column)]));
            product.iter_mut().zip(spectrum).for_each(|(x, y)| *x *= y);
            (product[0].im, product[self.length / 2].im) = (0.0, 0.0);
            let mut values = self.inverse.make_output_vec();
            let done = self.inverse.process(&mut product, &mut values);
            debug_assert!(done.is_ok());
            for row in 0..m {
                out[(row, column)] = values[row + m - 1] * scale;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel_of(modes: &[Discrete], n_lags: usize) -> Vec<f64> {
        let at = |lag: usize| modes.iter().map(|m| 2.0 * (m.w * m.z.powi(lag as i32)).re).sum::<f64>();
        (0..n_lags).map(at).collect()
    }

    #[test]
    fn a_kernel_of_few_states_is_found_again() {
        let mode = |r: f64, angle: f64, re: f64, im: f64| Discrete {
            z: Complex64::from_polar(r, angle),
            w: Complex64::new(re, im),
        };
        let modes = [mode(0.99, 0.3, 1.0, -0.5), mode(0.9, 1.2, -2.0, 0.3), mode(0.95, 0.0, 0.7, 0.0)];
        // Long enough for what lies beyond to be nothing.
        let kernel = kernel_of(&modes, 2000);
        let found = reduced(&kernel, &[0.25], 5).unwrap();
        assert!(found.error_bound < 1e-5, "{}", found.error_bound);
        assert!((found.skip[0] - 0.25).abs() < 1e-6);
        let again = kernel_of(&found.modes, 2000);
        assert!(kernel.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn the_bound_holds_and_more_states_come_closer() {
        let noise = |lag: usize| (mix(lag as u64) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        let kernel: Vec<f64> = (0..300).map(|lag| noise(lag / 30) * 0.98f64.powi(lag as i32)).collect();
        let mut before = f64::INFINITY;
        for order in [2, 16, 64] {
            let found = reduced(&kernel, &[0.0], order).unwrap();
            let n_states: usize = found.modes.iter().map(|m| 1 + usize::from(m.z.im != 0.0)).sum();
            assert!(n_states <= order, "{n_states} {order}");
            let again = kernel_of(&found.modes, 3000);
            let apart: f64 = (1..3000).map(|l| (again[l] - kernel.get(l).unwrap_or(&0.0)).abs()).sum();
            assert!(apart <= found.error_bound * (1.0 + 1e-9), "{apart} {}", found.error_bound);
            assert!(found.error_bound < before, "{order}: {} after {before}", found.error_bound);
            before = found.error_bound;
        }
    }

    #[test]
    fn a_kernel_of_nothing_needs_no_state() {
        let found = reduced(&[0.5, 0.0, 0.0, 0.0], &[1.0], 8).unwrap();
        assert_eq!((found.skip[0], found.error_bound), (1.5, 0.0));
        assert_eq!(reduced(&[0.5], &[1.0], 8).unwrap().skip, [1.5]);
    }
}
