//! The kernel of a diagonal state space (S4D; Gu et al. 2022, arXiv 2206.11893): `K_l = 2 Re sum over n of w_n z_n^l`.
//!
//! With `A = -exp(log_a_real) + i a_imag` and `dt = exp(log_dt)`, zero-order hold has `z = exp(dt A)` and
//! `w = C (z - 1) / A`, the bilinear rule `z = (1 + dt A / 2) / (1 - dt A / 2)` and `w = C dt / (1 - dt A / 2)`.
//!
//! With `l = b B + j`, `z^l = z^(b B) z^j`: blocks of the kernel are one product of two small matrices, so nothing of
//! size (d, N, L) exists. Both factors are powers in 64 bits, rounded once. Backward is the transposed product with
//! `z^j` and `j z^(j-1)`: nothing is divided by `z`, which the bilinear rule may make 0.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::complex::Complex;
use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::register::fuse;
use crate::ssm::{Discrete, Discretisation, Mode};

/// The parameters of a diagonal state space.
#[derive(Debug, Clone)]
pub(crate) struct DiagonalStateSpace {
    /// Shape `(d)`.
    pub(crate) log_dt: Tensor<1>,
    /// `ln(-Re A)`, shape `(d, N / 2)`.
    pub(crate) log_a_real: Tensor<2>,
    /// `Im A`, shape `(d, N / 2)`.
    pub(crate) a_imag: Tensor<2>,
    /// `C` times `B`, shape `(d, N / 2, 2)`: real and imaginary parts.
    pub(crate) c: Tensor<3>,
}

/// The kernel, shape `(d, length)`; the length is at least 1.
pub(crate) fn diagonal_kernel(
    parameters: DiagonalStateSpace,
    discretisation: Discretisation,
    length: usize,
) -> Tensor<2> {
    let [d, n_states] = parameters.log_a_real.dims();
    if !is_fused(&parameters.log_dt) || d * n_states * length == 0 {
        return composition(parameters, discretisation, length);
    }
    let DiagonalStateSpace { log_dt, log_a_real, a_imag, c } = parameters;
    let operation = Vandermonde { d, n_states, length, discretisation };
    fuse(
        [log_dt.into_dispatch(), log_a_real.into_dispatch(), a_imag.into_dispatch(), c.into_dispatch()],
        operation,
    )
}

/// The sum as it stands.
fn composition(
    DiagonalStateSpace { log_dt, log_a_real, a_imag, c }: DiagonalStateSpace,
    discretisation: Discretisation,
    length: usize,
) -> Tensor<2> {
    let dt = log_dt.exp().unsqueeze_dim::<2>(1); // (d, 1)
    let a = Complex { re: -log_a_real.exp(), im: a_imag }; // (d, N / 2)
    let a_dt = a.clone().scale(dt.clone());
    let c = Complex::from_pairs(c);
    let (log_z, w) = match discretisation {
        Discretisation::Zoh => (a_dt.clone(), c * (a_dt.exp().add_real(-1.0) / a)),
        Discretisation::Bilinear => {
            let less = (a_dt.clone() * -0.5).add_real(1.0);
            let more = (a_dt * 0.5).add_real(1.0);
            ((more / less.clone()).ln(), c.scale(dt) / less)
        }
    };
    let steps: Vec<f64> = (0..length).map(|l| l as f64).collect();
    let steps = TensorData::new(steps, [1, 1, length]);
    let steps = Tensor::<3>::from_data(steps, (&log_z.re.device(), log_z.re.dtype()));
    let powers = log_z.unsqueeze::<3>().scale(steps).exp(); // (d, N / 2, length)
    let sum = (w.unsqueeze::<3>() * powers).re.sum_dim(1); // (d, 1, length)
    sum.squeeze_dim::<2>(1) * 2.0
}

#[derive(Debug, Clone, Copy)]
struct Vandermonde {
    d: usize,
    n_states: usize,
    length: usize,
    discretisation: Discretisation,
}

impl Vandermonde {
    /// Steps of a block: about the root of the length.
    fn block(&self) -> usize {
        let root = (self.length as f64).sqrt();
        (root as usize).next_power_of_two().clamp(16, 1024)
    }

    fn mode(&self, inputs: &[&[f32]; 4], channel: usize, n: usize) -> Mode {
        let at = channel * self.n_states + n;
        Mode {
            dt: f64::from(inputs[0][channel]).exp(),
            a: Complex64::new(-f64::from(inputs[1][at]).exp(), f64::from(inputs[2][at])),
            c: Complex64::new(f64::from(inputs[3][2 * at]), f64::from(inputs[3][2 * at + 1])),
        }
    }

    fn modes(&self, inputs: &[&[f32]; 4], channel: usize) -> Vec<Discrete> {
        (0..self.n_states).map(|n| self.mode(inputs, channel, n).discrete(self.discretisation)).collect()
    }
}

/// Powers of the numbers of a row, real and imaginary parts apart: `(power, 2 n)`.
struct Powers<'a> {
    rows: &'a mut [f32],
    n: usize,
}

impl Powers<'_> {
    /// Row by row what `first` becomes by multiplying with `ratio` again and again, times `scale`.
    fn fill(&mut self, first: &mut [Complex64], ratio: &[Complex64], [re_scale, im_scale]: [f64; 2]) {
        for row in self.rows.chunks_mut(2 * self.n) {
            let (re, im) = row.split_at_mut(self.n);
            for (((re, im), power), ratio) in re.iter_mut().zip(im).zip(&mut *first).zip(ratio) {
                (*re, *im) = ((power.re * re_scale) as f32, (power.im * im_scale) as f32);
                *power *= ratio;
            }
        }
    }
}

/// `2 Re sum of w z^l` for the steps from 0 on.
fn kernel_of(modes: &[Discrete], block: usize, out: &mut [f32]) {
    let n = modes.len();
    let n_blocks = out.len().div_ceil(block);
    let z: Vec<Complex64> = modes.iter().map(|mode| mode.z).collect();
    let mut within = pool::take(block * 2 * n);
    let mut power = vec![Complex64::new(1.0, 0.0); n];
    Powers { rows: &mut within, n }.fill(&mut power, &z, [1.0, 1.0]);
    // `power` is z^B now.
    let mut of_blocks = pool::take(n_blocks * 2 * n);
    let mut first: Vec<Complex64> = modes.iter().map(|mode| mode.w).collect();
    Powers { rows: &mut of_blocks, n }.fill(&mut first, &power, [2.0, -2.0]);
    let n_whole = out.len() / block;
    let (whole, rest) = out.split_at_mut(n_whole * block);
    let within_all = Matrix::rows(&within, block, 2 * n).transposed();
    let factors = (Matrix::rows(&of_blocks[..n_whole * 2 * n], n_whole, 2 * n), within_all);
    product(MatrixMut::rows(whole, n_whole, block), factors, 1.0, Write::Over, Threads::One);
    if !rest.is_empty() {
        let n_rest = rest.len();
        let last = Matrix::rows(&of_blocks[n_whole * 2 * n..], 1, 2 * n);
        let within_rest = Matrix::rows(&within[..n_rest * 2 * n], n_rest, 2 * n).transposed();
        product(MatrixMut::rows(rest, 1, n_rest), (last, within_rest), 1.0, Write::Over, Threads::One);
    }
    pool::give(within);
    pool::give(of_blocks);
}

/// `sum over l of g_l z^l` and `sum over l of l g_l z^(l-1)` for each `z`.
fn moments_of(z: &[Complex64], block: usize, g: &[f32]) -> Vec<[Complex64; 2]> {
    let n = z.len();
    let n_blocks = g.len().div_ceil(block);
    let one = vec![Complex64::new(1.0, 0.0); n];
    // z^j, then j z^(j-1), side by side.
    let mut within = pool::take(block * 4 * n);
    let (mut power, mut before) = (one.clone(), vec![Complex64::new(0.0, 0.0); n]);
    let mut last = one.clone();
    for (j, row) in within.chunks_mut(4 * n).enumerate() {
        let (values, slopes) = row.split_at_mut(2 * n);
        for i in 0..n {
            (values[i], values[n + i]) = (power[i].re as f32, power[i].im as f32);
            let slope = before[i] * j as f64;
            (slopes[i], slopes[n + i]) = (slope.re as f32, slope.im as f32);
        }
        last.copy_from_slice(&power);
        before.copy_from_slice(&power);
        power.iter_mut().zip(z).for_each(|(power, z)| *power *= z);
    }
    // `power` is z^B, `last` z^(B-1).
    let mut sums = pool::take(n_blocks * 4 * n);
    let n_whole = g.len() / block;
    let all = Matrix::rows(&within, block, 4 * n);
    let whole = MatrixMut::rows(&mut sums[..n_whole * 4 * n], n_whole, 4 * n);
    let g_whole = Matrix::rows(&g[..n_whole * block], n_whole, block);
    product(whole, (g_whole, all), 1.0, Write::Over, Threads::One);
    let rest = &g[n_whole * block..];
    if !rest.is_empty() {
        let out = MatrixMut::rows(&mut sums[n_whole * 4 * n..], 1, 4 * n);
        let factors = (
            Matrix::rows(rest, 1, rest.len()),
            Matrix::rows(&within[..rest.len() * 4 * n], rest.len(), 4 * n),
        );
        product(out, factors, 1.0, Write::Over, Threads::One);
    }
    let mut totals = vec![[Complex64::new(0.0, 0.0); 2]; n];
    // z^(b B), and z^(b B - 1) from the second block on.
    let (mut of_block, mut less) = (one, vec![Complex64::new(0.0, 0.0); n]);
    for (b, row) in sums.chunks(4 * n).enumerate() {
        let first = (b * block) as f64;
        for i in 0..n {
            let value = Complex64::new(f64::from(row[i]), f64::from(row[n + i]));
            let slope = Complex64::new(f64::from(row[2 * n + i]), f64::from(row[3 * n + i]));
            totals[i][0] += of_block[i] * value;
            totals[i][1] += of_block[i] * slope + less[i] * value * first;
            less[i] = of_block[i] * last[i];
            of_block[i] *= power[i];
        }
    }
    pool::give(within);
    pool::give(sums);
    totals
}

impl Operation<4> for Vandermonde {
    fn shape(&self) -> Vec<usize> {
        vec![self.d, self.length]
    }

    fn forward(&self, inputs: [&[f32]; 4], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        out.par_chunks_mut(self.length).enumerate().for_each(|(channel, out)| {
            kernel_of(&self.modes(&inputs, channel), self.block(), out);
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 4] {
        [true; 4]
    }

    fn backward(&self, context: &mut Context<'_, 4>) -> [Option<Vec<f32>>; 4] {
        let n = self.n_states;
        let of_channel = |(channel, g): (usize, &[f32])| {
            let modes = self.modes(&context.inputs, channel);
            let z: Vec<Complex64> = modes.iter().map(|mode| mode.z).collect();
            let moments = moments_of(&z, self.block(), g).into_iter().zip(&modes);
            let gradients = moments.enumerate().map(|(at, ([value, slope], discrete))| {
                let of_w = (value * 2.0).conj();
                let of_z = (discrete.w * slope * 2.0).conj();
                self.mode(&context.inputs, channel, at).gradients(self.discretisation, of_z, of_w)
            });
            gradients.collect::<Vec<[f64; 5]>>()
        };
        let found: Vec<Vec<[f64; 5]>> =
            context.gradient.par_chunks(self.length).enumerate().map(of_channel).collect();
        let all = |at: usize| found.iter().flatten().map(move |gradients| gradients[at] as f32).collect();
        let of_dt = found
            .iter()
            .map(|modes| modes.iter().map(|gradients| gradients[0]).sum::<f64>() as f32)
            .collect();
        let of_c = found.iter().flatten().flat_map(|gradients| [gradients[3] as f32, gradients[4] as f32]);
        debug_assert!(found.iter().all(|modes| modes.len() == n));
        [Some(of_dt), Some(all(1)), Some(all(2)), Some(of_c.collect())]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{check_at, draw};
    use super::*;

    /// Numbers such as those of a trained layer, of waves that turn a few times within the length.
    fn inputs(d: usize, n: usize, length: usize) -> Vec<Vec<f64>> {
        let scaled = |count: usize, seed: u64, centre: f64, width: f64| {
            draw(count, seed).into_iter().map(|x| centre + width * x).collect::<Vec<f64>>()
        };
        vec![
            scaled(d, 1, -1.0 - (length as f64).ln(), 1.0),
            scaled(d * n, 2, -0.7, 0.5),
            scaled(d * n, 3, 5.0, 5.0),
            scaled(d * n * 2, 4, 0.0, 1.5),
        ]
    }

    #[test]
    fn it_is_what_its_composition_is_for_both_discretisations_at_odd_sizes() {
        for discretisation in [Discretisation::Zoh, Discretisation::Bilinear] {
            for [d, n, length] in [[1, 1, 1], [3, 2, 7], [2, 5, 33], [5, 3, 64], [2, 4, 300]] {
                let kernel = |x: &[Tensor<1>]| {
                    let parameters = DiagonalStateSpace {
                        log_dt: x[0].clone(),
                        log_a_real: x[1].clone().reshape([d, n]),
                        a_imag: x[2].clone().reshape([d, n]),
                        c: x[3].clone().reshape([d, n, 2]),
                    };
                    diagonal_kernel(parameters, discretisation, length).reshape([d * length])
                };
                check_at(&inputs(d, n, length), 5e-5, kernel);
            }
        }
    }

    #[test]
    fn powers_do_not_drift_over_a_million_steps() {
        let mode = Mode { dt: 1e-3, a: Complex64::new(-0.01, 100.0), c: Complex64::new(1.0, 0.5) };
        for discretisation in [Discretisation::Zoh, Discretisation::Bilinear] {
            let discrete = mode.discrete(discretisation);
            let mut kernel = vec![0.0; 1 << 20];
            kernel_of(&[discrete], 1024, &mut kernel);
            let largest = 2.0 * discrete.w.norm();
            for l in [0, 1, 1023, 1024, 77_777, (1 << 20) - 1] {
                let due = 2.0 * (discrete.w * (discrete.z.ln() * l as f64).exp()).re;
                assert!((f64::from(kernel[l]) - due).abs() < 1e-6 * largest, "{l}: {} for {due}", kernel[l]);
            }
        }
    }

    #[test]
    fn a_bilinear_state_that_forgets_at_once_has_finite_gradients() {
        // dt A = -2 makes z = 0.
        let mode = Mode { dt: 0.1, a: Complex64::new(-20.0, 0.0), c: Complex64::new(1.0, 0.0) };
        let z = mode.discrete(Discretisation::Bilinear).z;
        assert!(z.norm() < 1e-15);
        let [value, slope] = moments_of(&[z], 16, &[3.0, 5.0, 7.0])[0];
        assert!((value.re - 3.0).abs() < 1e-12 && (slope.re - 5.0).abs() < 1e-12, "{value} {slope}");
    }
}
