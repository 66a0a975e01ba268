//! S4: a state space that is diagonal plus rank 1 for each channel (Gu et al. 2022, arXiv 2111.00396).
//!
//! `x' = (A - p p*) x + B u`, `y = Re(C x) + D u` with the bilinear rule. What is trained is `C (I - step^L)` for the
//! length L of training, as in the paper, so that the kernel of L steps needs no powers of the state matrix. Shorter
//! kernels are its beginning; longer ones, and the recurrence, are made from C itself, which does not depend on a
//! length.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::draws::Draws;
use super::hippo::NormalPlusLowRank;
use super::low_rank::LowRankStep;
use super::mixer_config::{Direction, MixerConfig};
use super::numbers::{numbers, pairs};
use crate::Result;
use crate::kernels::{CauchyGrid, LowRankChannel, LowRankStateSpace, low_rank_kernel};

/// The parameters of a layer.
#[derive(Module, Debug)]
pub(crate) struct S4 {
    /// Shape `(d)`.
    pub(crate) log_dt: Param<Tensor<1>>,
    /// `ln(-Re A)`, shape `(d, N / 2)`.
    pub(crate) log_a_real: Param<Tensor<2>>,
    /// `Im A`, shape `(d, N / 2)`.
    pub(crate) a_imag: Param<Tensor<2>>,
    /// Shape `(d, N / 2, 2)`.
    pub(crate) p: Param<Tensor<3>>,
    /// Shape `(d, N / 2, 2)`.
    pub(crate) b: Param<Tensor<3>>,
    /// `C (I - step^L)`, shape `(d, N / 2, 2)`.
    pub(crate) c: Param<Tensor<3>>,
    /// That of the kernel that looks ahead.
    pub(crate) c_ahead: Option<Param<Tensor<3>>>,
    /// D, shape `(d)`.
    pub(crate) skip: Param<Tensor<1>>,
    /// L.
    #[module(skip)]
    pub(crate) length: usize,
}

impl S4 {
    pub(super) fn new(config: &MixerConfig, d: usize, length: usize, draws: &mut Draws<'_>) -> Result<Self> {
        let half = config.d_state / 2;
        let (dt_min, dt_max) = config.dt_range();
        let log_dt = draws.even(d, dt_min.ln(), dt_max.ln());
        let parts = NormalPlusLowRank::new(config.d_state)?;
        let of_all = |values: Vec<f64>| values.repeat(d);
        let flat = |values: &[Complex64]| values.iter().flat_map(|x| [x.re, x.im]).collect::<Vec<f64>>();
        let shape = [d, half, 2];
        // Complex normal numbers of variance 1.
        let mut c = || {
            let values = draws.normal(2 * d * half, std::f64::consts::FRAC_1_SQRT_2);
            let channels = values.par_chunks(2 * half).zip(&log_dt);
            let shortened = channels.map(|(values, log_dt)| {
                let c: Vec<Complex64> = values.chunks(2).map(|c| Complex64::new(c[0], c[1])).collect();
                let (a, p, b) = (parts.lambda.clone(), parts.p.clone(), parts.b.clone());
                let channel = LowRankChannel { dt: log_dt.exp(), a, p, b, c: Vec::new() };
                flat(&LowRankStep::new(&channel).shortened(&c, length))
            });
            let shortened: Vec<f64> = shortened.flatten_iter().collect();
            draws.parameter(&shortened, shape)
        };
        let (c_first, c_ahead) = (c(), (config.direction == Direction::Both).then(&mut c));
        let skip = draws.normal(d, 1.0);
        Ok(S4 {
            log_dt: draws.parameter(&log_dt, [d]),
            log_a_real: draws
                .parameter(&of_all(parts.lambda.iter().map(|a| (-a.re).ln()).collect()), [d, half]),
            a_imag: draws.parameter(&of_all(parts.lambda.iter().map(|a| a.im).collect()), [d, half]),
            p: draws.parameter(&of_all(flat(&parts.p)), shape),
            b: draws.parameter(&of_all(flat(&parts.b)), shape),
            c: c_first,
            c_ahead,
            skip: draws.parameter(&skip, [d]),
            length,
        })
    }

    /// The kernel, `(d, length)`; beyond the length of training it is a constant.
    pub(super) fn kernel(&self, length: usize) -> Tensor<2> {
        self.kernel_of(&self.c, length)
    }

    /// The kernel that looks ahead, `(d, length)`.
    pub(super) fn kernel_ahead(&self, length: usize) -> Option<Tensor<2>> {
        self.c_ahead.as_ref().map(|c| self.kernel_of(c, length))
    }

    fn kernel_of(&self, c: &Param<Tensor<3>>, length: usize) -> Tensor<2> {
        if length > self.length {
            return self.longer_kernel(c, length);
        }
        let parameters = LowRankStateSpace {
            log_dt: self.log_dt.val(),
            log_a_real: self.log_a_real.val(),
            a_imag: self.a_imag.val(),
            p: self.p.val(),
            b: self.b.val(),
            c: c.val(),
        };
        low_rank_kernel(parameters, self.length, length)
    }

    fn longer_kernel(&self, c: &Param<Tensor<3>>, length: usize) -> Tensor<2> {
        let grid = CauchyGrid::new(length);
        let of_channel = |channel: LowRankChannel| -> Vec<f32> {
            let c = LowRankStep::new(&channel).shortened(&channel.c, length);
            let kernel = LowRankChannel { c, ..channel }.kernel(&grid);
            kernel.into_iter().map(|k| k as f32).collect()
        };
        let channels = self.channels_of(c);
        let d = channels.len();
        let kernel: Vec<f32> = channels.into_par_iter().map(of_channel).flatten_iter().collect();
        Tensor::from_data(TensorData::new(kernel, [d, length]), &c.val().device())
    }

    /// Each channel, with C itself.
    pub(super) fn channels(&self) -> Vec<LowRankChannel> {
        self.channels_of(&self.c)
    }

    fn channels_of(&self, c: &Param<Tensor<3>>) -> Vec<LowRankChannel> {
        let log_dt = numbers(self.log_dt.val());
        let (a_real, a_imag) = (numbers(self.log_a_real.val()), numbers(self.a_imag.val()));
        let [p, b, c] = [&self.p, &self.b, c].map(|param| pairs(param.val()));
        let half = a_real.len() / log_dt.len().max(1);
        let of_channel = |at: usize| {
            let states = at * half..(at + 1) * half;
            let a = states.clone().map(|n| Complex64::new(-a_real[n].exp(), a_imag[n])).collect();
            let [p, b, c] = [&p, &b, &c].map(|values| values[states.clone()].to_vec());
            let channel = LowRankChannel { dt: log_dt[at].exp(), a, p, b, c };
            let c = LowRankStep::new(&channel).lengthened(&channel.c, self.length);
            LowRankChannel { c, ..channel }
        };
        (0..log_dt.len()).into_par_iter().map(of_channel).collect()
    }
}
