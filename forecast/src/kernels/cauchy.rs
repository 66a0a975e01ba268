//! The kernel of a state space that is diagonal plus rank 1 (S4; Gu et al. 2022, arXiv 2111.00396, algorithm 1).
//!
//! On the roots of unity `w = exp(-i t)`, `t = 2 pi k / L`, the transform of the kernel is, by the identity of Woodbury,
//! `K(w) = 2 [c_00 - (1 + w) c_01 c_10 / (1 + (1 + w) c_11)]` with
//! `c = sum over n of v_n dt / (2 (1 - w) - dt A_n (1 + w))` and `v = C B, C p, p* B, p* p`. This is the form of the paper
//! multiplied out: nothing grows at `w = -1`, where its `2 / (1 + w)` does.
//!
//! With `1 + w = 2 cos(t/2) exp(-i t/2)` and `1 - w = 2 i sin(t/2) exp(-i t/2)`, and both states of a conjugate pair
//! taken together, `K(w) = exp(i t/2) [g_00 - cos(t/2) g_01 g_10 / (1 + cos(t/2) g_11)]`, where
//! `g = sum over n of (x cos + i y sin) / (|l|^2 cos^2 - 4 sin^2 - 4 i Re(l) cos sin)`, `l = dt A_n`,
//! `x = -2 dt Re(v conj(l))`, `y = 4 dt Re(v)`: four sums share one real division. All of it is computed in 64 bits, the
//! states of a channel in turn, so nothing of size (d, N, L) exists.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::cauchy_sums::{self, Grid, Sums, Terms};
use super::complex::Complex;
use super::fused::{Context, Keep, Operation, is_fused};
use super::pool;
use super::register::fuse;

/// The parameters of a state space that is diagonal plus rank 1: `A - p p*`.
#[derive(Debug, Clone)]
pub(crate) struct LowRankStateSpace {
    /// Shape `(d)`.
    pub(crate) log_dt: Tensor<1>,
    /// `ln(-Re A)`, shape `(d, N / 2)`.
    pub(crate) log_a_real: Tensor<2>,
    /// `Im A`, shape `(d, N / 2)`.
    pub(crate) a_imag: Tensor<2>,
    /// Shape `(d, N / 2, 2)`: real and imaginary parts, as `b` and `c`.
    pub(crate) p: Tensor<3>,
    pub(crate) b: Tensor<3>,
    /// `C (I - step^L)`, where `step` is the state matrix in discrete time.
    pub(crate) c: Tensor<3>,
}

/// The first `taken` steps of the kernel whose C is that of `length` steps; shape `(d, taken)`.
pub(crate) fn low_rank_kernel(parameters: LowRankStateSpace, length: usize, taken: usize) -> Tensor<2> {
    let [d, n_states] = parameters.log_a_real.dims();
    if !is_fused(&parameters.log_dt) || d * n_states * taken == 0 {
        return composition(parameters, length, taken);
    }
    let LowRankStateSpace { log_dt, log_a_real, a_imag, p, b, c } = parameters;
    let operation = Cauchy { d, n_states, length, taken };
    fuse(
        [
            log_dt.into_dispatch(),
            log_a_real.into_dispatch(),
            a_imag.into_dispatch(),
            p.into_dispatch(),
            b.into_dispatch(),
            c.into_dispatch(),
        ],
        operation,
    )
}

/// The first form above, state by state and frequency by frequency.
fn composition(parameters: LowRankStateSpace, length: usize, taken: usize) -> Tensor<2> {
    let LowRankStateSpace { log_dt, log_a_real, a_imag, p, b, c } = parameters;
    let options = (&log_dt.device(), log_dt.dtype());
    let n_frequencies = length / 2 + 1;
    let angle = |k: usize| std::f64::consts::TAU * k as f64 / length as f64;
    let row = |f: &dyn Fn(f64) -> f64| {
        let values: Vec<f64> = (0..n_frequencies).map(|k| f(angle(k))).collect();
        Tensor::<3>::from_data(TensorData::new(values, [1, 1, n_frequencies]), options)
    };
    let less = Complex { re: row(&|t| 1.0 - t.cos()), im: row(&f64::sin) }; // 1 - w
    let more = Complex { re: row(&|t| 1.0 + t.cos()), im: row(&|t| -t.sin()) }; // 1 + w
    let dt = log_dt.exp().unsqueeze_dim::<2>(1).unsqueeze_dim::<3>(2); // (d, 1, 1)
    let a = Complex { re: -log_a_real.exp(), im: a_imag }.unsqueeze::<3>();
    let [p, b, c] = [p, b, c].map(|pairs| Complex::from_pairs(pairs).unsqueeze::<3>()); // (d, N / 2, 1)
    // Of a state and of its conjugate.
    let resolvent = |a: Complex<3>| {
        let below = less.clone() * 2.0 - more.clone() * a.scale(dt.clone());
        let one = Complex { re: dt.clone(), im: dt.clone() * 0.0 };
        one / below // (d, N / 2, frequency)
    };
    let (first, second) = (resolvent(a.clone()), resolvent(a.conj()));
    let sum = |v: Complex<3>| {
        let all = v.clone() * first.clone() + v.conj() * second.clone();
        Complex { re: all.re.sum_dim(1), im: all.im.sum_dim(1) } // (d, 1, frequency)
    };
    let (c00, c01) = (sum(c.clone() * b.clone()), sum(c * p.clone()));
    let (c10, c11) = (sum(p.clone().conj() * b), sum(p.clone().conj() * p));
    let correction = more.clone() * c01 * c10 / (more * c11).add_real(1.0);
    let spectrum = (c00 - correction) * 2.0;
    // The transform back, as a product with cosines and sines.
    let entry = |f: &dyn Fn(f64) -> f64| {
        let value = |at: usize| {
            let (k, step) = (at / taken, at % taken);
            // Frequencies between the first and the last one stand for their conjugates too.
            let weight = if k == 0 || 2 * k == length { 1.0 } else { 2.0 };
            weight / length as f64 * f(angle(k * step % length))
        };
        let values: Vec<f64> = (0..n_frequencies * taken).map(value).collect();
        Tensor::<2>::from_data(TensorData::new(values, [n_frequencies, taken]), options)
    };
    let flat = |part: Tensor<3>| part.squeeze_dim::<2>(1); // (d, frequency)
    flat(spectrum.re).matmul(entry(&f64::cos)) - flat(spectrum.im).matmul(entry(&f64::sin))
}

/// The kernel of C itself by one step of the state after the other, in the bilinear rule; shape `(d, length)`.
#[cfg(test)]
pub(crate) fn stepped_kernel(parameters: LowRankStateSpace, length: usize) -> Tensor<2> {
    let LowRankStateSpace { log_dt, log_a_real, a_imag, p, b, c } = parameters;
    let rate = log_dt.exp().recip().unsqueeze_dim::<2>(1) * 2.0; // (d, 1)
    let a = Complex { re: -log_a_real.exp(), im: a_imag }; // (d, N / 2)
    let [p, b, c] = [p, b, c].map(Complex::from_pairs);
    let zero = a.re.clone() * 0.0;
    let rate = Complex { re: zero.clone() + rate, im: zero.clone() };
    let one = Complex { re: zero.clone() + 1.0, im: zero.clone() };
    // (2/dt - A + p p*)^-1 by the identity of Woodbury; `p* x` counts both states of a pair.
    let inverse = one / (rate.clone() - a.clone());
    let seen = |x: Complex<2>| (p.clone().conj() * x).re.sum_dim(1) * 2.0; // (d, 1)
    let below = seen(inverse.clone() * p.clone()) + 1.0;
    let solve = |x: Complex<2>| {
        let x = inverse.clone() * x;
        let share = seen(x.clone()) / below.clone();
        x - inverse.clone() * p.clone().scale(share)
    };
    let mut x = solve(b * 2.0);
    let mut kernel = Vec::new();
    for _ in 0..length {
        kernel.push((c.clone() * x.clone()).re.sum_dim(1) * 2.0);
        let low_rank = p.clone().scale(seen(x.clone()));
        x = solve((rate.clone() + a.clone()) * x - low_rank);
    }
    Tensor::cat(kernel, 1)
}

#[derive(Debug, Clone, Copy)]
struct Cauchy {
    d: usize,
    n_states: usize,
    length: usize,
    taken: usize,
}

/// A channel in 64 bits.
#[derive(Debug, Clone)]
pub(crate) struct LowRankChannel {
    pub(crate) dt: f64,
    pub(crate) a: Vec<Complex64>,
    pub(crate) p: Vec<Complex64>,
    pub(crate) b: Vec<Complex64>,
    /// As it is, or multiplied by `I - step^L`.
    pub(crate) c: Vec<Complex64>,
}

impl LowRankChannel {
    /// What the sums are made of.
    fn terms(&self) -> Vec<Terms> {
        let state = |n: usize| {
            let l = self.a[n] * self.dt;
            let factors = self.factors(n);
            Terms {
                square: l.norm_sqr(),
                real: l.re,
                x: factors.map(|v| -2.0 * self.dt * (v * l.conj()).re),
                y: factors.map(|v| 4.0 * self.dt * v.re),
            }
        };
        (0..self.a.len()).map(state).collect()
    }

    /// `C B, C p, p* B, p* p`.
    fn factors(&self, n: usize) -> [Complex64; 4] {
        let (p, b, c) = (self.p[n], self.b[n], self.c[n]);
        [c * b, c * p, p.conj() * b, p.conj() * p]
    }

    /// The kernel whose C is that of the grid's length, in 64 bits.
    pub(crate) fn kernel(&self, grid: &Grid) -> Vec<f64> {
        let sums = cauchy_sums::forward(grid, &self.terms());
        let spectrum = (0..grid.n_frequencies()).map(|k| grid.at(k).transform(sums.at(k))).collect();
        grid.back(spectrum)
    }

    /// The gradients of `ln dt` and, state by state, of `ln(-Re a)`, `a`'s imaginary part, `p`, `b`, `c`, from that of
    /// the kernel.
    fn gradients(&self, grid: &Grid, gradient: &[f32]) -> (f64, Vec<[f64; 8]>) {
        let terms = self.terms();
        let sums = cauchy_sums::forward(grid, &terms);
        let of_spectrum = grid.gradient(gradient);
        let mut of_sums = Sums::zeros(grid.n_frequencies());
        for (k, of_spectrum) in of_spectrum.iter().enumerate() {
            of_sums.set(k, grid.at(k).transform_gradients(sums.at(k), *of_spectrum));
        }
        let of_terms = cauchy_sums::backward(grid, &terms, &of_sums);
        let mut of_log_dt = 0.0;
        let state = |(n, (terms, of)): (usize, (&Terms, &Terms))| {
            let (a, p, b, c) = (self.a[n], self.p[n], self.b[n], self.c[n]);
            let l = a * self.dt;
            let mut of_l = l * (2.0 * of.square) + of.real;
            let mut of_factors = [Complex64::new(0.0, 0.0); 4];
            for (at, v) in self.factors(n).into_iter().enumerate() {
                of_factors[at] = l * (-2.0 * self.dt * of.x[at]) + 4.0 * self.dt * of.y[at];
                of_l += v * (-2.0 * self.dt * of.x[at]);
                of_log_dt += terms.x[at] * of.x[at] + terms.y[at] * of.y[at];
            }
            of_log_dt += (of_l * l.conj()).re;
            let of_a = of_l * self.dt;
            let [of_cb, of_cp, of_pb, of_pp] = of_factors;
            let of_p = of_cp * c.conj() + of_pb.conj() * b + p * (2.0 * of_pp.re);
            let of_b = of_cb * c.conj() + of_pb * p;
            let of_c = of_cb * b.conj() + of_cp * p.conj();
            [of_a.re * a.re, of_a.im, of_p.re, of_p.im, of_b.re, of_b.im, of_c.re, of_c.im]
        };
        let states = terms.iter().zip(&of_terms).enumerate().map(state).collect();
        (of_log_dt, states)
    }
}

impl Cauchy {
    fn channel(&self, inputs: &[&[f32]; 6], channel: usize) -> LowRankChannel {
        let states = channel * self.n_states..(channel + 1) * self.n_states;
        let pairs = |values: &[f32]| -> Vec<Complex64> {
            let pair = |at: usize| Complex64::new(f64::from(values[2 * at]), f64::from(values[2 * at + 1]));
            states.clone().map(pair).collect()
        };
        let a = |at: usize| Complex64::new(-f64::from(inputs[1][at]).exp(), f64::from(inputs[2][at]));
        LowRankChannel {
            dt: f64::from(inputs[0][channel]).exp(),
            a: states.clone().map(a).collect(),
            p: pairs(inputs[3]),
            b: pairs(inputs[4]),
            c: pairs(inputs[5]),
        }
    }
}

impl Operation<6> for Cauchy {
    fn shape(&self) -> Vec<usize> {
        vec![self.d, self.taken]
    }

    fn forward(&self, inputs: [&[f32]; 6], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let grid = Grid::new(self.length);
        out.par_chunks_mut(self.taken).enumerate().for_each(|(channel, out)| {
            let kernel = self.channel(&inputs, channel).kernel(&grid);
            out.iter_mut().zip(kernel).for_each(|(to, from)| *to = from as f32);
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 6] {
        [true; 6]
    }

    fn backward(&self, context: &mut Context<'_, 6>) -> [Option<Vec<f32>>; 6] {
        let grid = Grid::new(self.length);
        let of_channel = |(channel, gradient): (usize, &[f32])| {
            self.channel(&context.inputs, channel).gradients(&grid, gradient)
        };
        let found: Vec<(f64, Vec<[f64; 8]>)> =
            context.gradient.par_chunks(self.taken).enumerate().map(of_channel).collect();
        let all = |from: usize, n: usize| {
            let mut values = pool::take(self.d * self.n_states * n);
            let states = found.iter().flat_map(|(_, states)| states);
            for (to, state) in values.chunks_mut(n).zip(states) {
                to.iter_mut().zip(&state[from..]).for_each(|(to, from)| *to = *from as f32);
            }
            values
        };
        let of_log_dt = found.iter().map(|(of_log_dt, _)| *of_log_dt as f32).collect();
        [Some(of_log_dt), Some(all(0, 1)), Some(all(1, 1)), Some(all(2, 2)), Some(all(4, 2)), Some(all(6, 2))]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{check_at, draw};
    use super::*;

    #[test]
    fn it_is_what_its_composition_is_at_even_and_odd_lengths() {
        for [d, n, length, taken] in
            [[1, 1, 1, 1], [2, 3, 2, 2], [3, 2, 7, 7], [2, 5, 33, 20], [1, 4, 64, 64]]
        {
            let scaled = |count: usize, seed: u64, centre: f64, width: f64| {
                draw(count, seed).into_iter().map(|x| centre + width * x).collect::<Vec<f64>>()
            };
            let inputs = vec![
                scaled(d, 1, -2.0, 1.0),
                scaled(d * n, 2, -0.7, 0.5),
                scaled(d * n, 3, -8.0, 8.0),
                scaled(d * n * 2, 4, 0.0, 1.5),
                scaled(d * n * 2, 5, 0.5, 1.5),
                scaled(d * n * 2, 6, 0.0, 1.0),
            ];
            let kernel = |x: &[Tensor<1>]| {
                let pairs = |at: usize| x[at].clone().reshape([d, n, 2]);
                let parameters = LowRankStateSpace {
                    log_dt: x[0].clone(),
                    log_a_real: x[1].clone().reshape([d, n]),
                    a_imag: x[2].clone().reshape([d, n]),
                    p: pairs(3),
                    b: pairs(4),
                    c: pairs(5),
                };
                low_rank_kernel(parameters, length, taken).reshape([d * taken])
            };
            check_at(&inputs, 2e-5, kernel);
        }
    }
}
