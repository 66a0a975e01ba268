//! S4D: a diagonal state space for each channel (Gu et al. 2022, arXiv 2206.11893).
//!
//! `x' = A x + B u`, `y = Re(C x) + D u` with `N / 2` complex states, of which the conjugates are the rest: as a
//! convolution `y = K * u + D u`, `K_l = 2 Re sum over n of C_n B_n (exp(dt A_n) - 1) / A_n exp(dt A_n l)`.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use realfft::num_complex::Complex64;

use super::discretise::{Discretisation, Mode};
use super::draws::Draws;
use super::hippo::diagonal;
use super::mixer_config::{Direction, MixerConfig};
use super::numbers::{numbers, pairs};
use crate::Result;
use crate::kernels::{DiagonalStateSpace, diagonal_kernel};

/// The parameters of a layer.
#[derive(Module, Debug)]
pub(crate) struct S4d {
    /// Shape `(d)`.
    pub(crate) log_dt: Param<Tensor<1>>,
    /// `ln(-Re A)`, shape `(d, N / 2)`.
    pub(crate) log_a_real: Param<Tensor<2>>,
    /// `Im A`, shape `(d, N / 2)`.
    pub(crate) a_imag: Param<Tensor<2>>,
    /// Shape `(d, N / 2, 2)`; `None` where B is 1.
    pub(crate) b: Option<Param<Tensor<3>>>,
    /// Shape `(d, N / 2, 2)`.
    pub(crate) c: Param<Tensor<3>>,
    /// C of the kernel that looks ahead.
    pub(crate) c_ahead: Option<Param<Tensor<3>>>,
    /// D, shape `(d)`.
    pub(crate) skip: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) rule: Discretisation,
}

impl S4d {
    pub(super) fn new(config: &MixerConfig, d: usize, draws: &mut Draws<'_>) -> Result<Self> {
        let half = config.d_state / 2;
        let (dt_min, dt_max) = config.dt_range();
        let log_dt = draws.even(d, dt_min.ln(), dt_max.ln());
        let first = diagonal(config.first_states(), d, config.d_state)?;
        let log_a_real: Vec<f64> = first.a.iter().map(|a| (-a.re).ln()).collect();
        let a_imag: Vec<f64> = first.a.iter().map(|a| a.im).collect();
        let is_one = first.b.iter().all(|b| *b == Complex64::new(1.0, 0.0));
        let b: Vec<f64> = first.b.iter().flat_map(|b| [b.re, b.im]).collect();
        let shape = [d, half, 2];
        // Complex normal numbers of variance 1.
        let mut c = || {
            let values = draws.normal(2 * d * half, std::f64::consts::FRAC_1_SQRT_2);
            draws.parameter(&values, shape)
        };
        let (c_first, c_ahead) = (c(), (config.direction == Direction::Both).then(&mut c));
        let skip = draws.normal(d, 1.0);
        Ok(S4d {
            log_dt: draws.parameter(&log_dt, [d]),
            log_a_real: draws.parameter(&log_a_real, [d, half]),
            a_imag: draws.parameter(&a_imag, [d, half]),
            b: (!is_one).then(|| draws.parameter(&b, shape)),
            c: c_first,
            c_ahead,
            skip: draws.parameter(&skip, [d]),
            rule: config.rule(),
        })
    }

    /// The kernel, `(d, length)`.
    pub(super) fn kernel(&self, length: usize) -> Tensor<2> {
        self.kernel_of(self.c.val(), length)
    }

    /// The kernel that looks ahead, `(d, length)`.
    pub(super) fn kernel_ahead(&self, length: usize) -> Option<Tensor<2>> {
        self.c_ahead.as_ref().map(|c| self.kernel_of(c.val(), length))
    }

    fn kernel_of(&self, c: Tensor<3>, length: usize) -> Tensor<2> {
        let c = match &self.b {
            Some(b) => multiply(c, b.val()),
            None => c,
        };
        let (log_dt, log_a_real) = (self.log_dt.val(), self.log_a_real.val());
        let parameters = DiagonalStateSpace { log_dt, log_a_real, a_imag: self.a_imag.val(), c };
        diagonal_kernel(parameters, self.rule, length)
    }

    /// The states in continuous time, `(d, N / 2)` row by row.
    pub(super) fn modes(&self) -> Vec<Mode> {
        let log_dt = numbers(self.log_dt.val());
        let (a_real, a_imag) = (numbers(self.log_a_real.val()), numbers(self.a_imag.val()));
        let half = a_real.len() / log_dt.len().max(1);
        let c = pairs(self.c.val());
        let b = self.b.as_ref().map(|b| pairs(b.val()));
        let mode = |at: usize| Mode {
            dt: log_dt[at / half].exp(),
            a: Complex64::new(-a_real[at].exp(), a_imag[at]),
            c: b.as_ref().map_or(c[at], |b| c[at] * b[at]),
        };
        (0..c.len()).map(mode).collect()
    }
}

/// The product of complex numbers, shape `(d, N / 2, 2)`.
fn multiply(x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    let part = |x: &Tensor<3>, at: usize| x.clone().narrow(2, at, 1);
    let (x_re, x_im, y_re, y_im) = (part(&x, 0), part(&x, 1), part(&y, 0), part(&y, 1));
    let re = x_re.clone() * y_re.clone() - x_im.clone() * y_im.clone();
    Tensor::cat(vec![re, x_re * y_im + x_im * y_re], 2)
}
