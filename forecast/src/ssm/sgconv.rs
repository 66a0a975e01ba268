//! SGConv: a long kernel made of scales, each twice as long and `decay` times as weak as the one before (Li et al. 2022,
//! arXiv 2210.09298).
//!
//! `k = [s_0, s_1, s_2, ...] / Z`, where `s_i = decay^(S-1-i) upsample(w_i)` is stretched `2^max(i-1, 0)` times by linear
//! interpolation. `Z` is the norm of the first kernel of a channel, which stays as it was. A layer for sequences of
//! `length` steps has lags below `length`; those beyond weigh nothing, since nothing would train them.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::draws::Draws;
use super::mixer_config::{Direction, MixerConfig};
use crate::kernels::{ScaledKernel, multi_scale_kernel};

/// The parameters of a layer.
#[derive(Module, Debug)]
pub(crate) struct SgConv {
    /// Shape `(d, scale, kernel_dim)`, nearest lags first.
    pub(crate) scales: Param<Tensor<3>>,
    /// Those of the kernel that looks ahead.
    pub(crate) scales_ahead: Option<Param<Tensor<3>>>,
    /// How much less each scale weighs, shape `(d)`; not trained.
    pub(crate) decay: Param<Tensor<1>>,
    /// `Z`, shape `(d)`; not trained.
    pub(crate) norm: Param<Tensor<1>>,
    /// That of the kernel that looks ahead.
    pub(crate) norm_ahead: Option<Param<Tensor<1>>>,
    /// D, shape `(d)`.
    pub(crate) skip: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) length: usize,
}

/// Scales of `kernel_dim` numbers that cover this many lags.
pub(super) fn n_scales(length: usize, kernel_dim: usize) -> usize {
    let mut n = 1;
    while kernel_dim << (n - 1) < length {
        n += 1;
    }
    n
}

impl SgConv {
    pub(super) fn new(config: &MixerConfig, d: usize, length: usize, draws: &mut Draws<'_>) -> Self {
        let n = n_scales(length, config.kernel_dim);
        let shape = [d, n, config.kernel_dim];
        let decay = vec![config.decay; d];
        let mut scales = || {
            let values = draws.normal(shape.iter().product(), 1.0);
            let values: Vec<f64> = values.into_iter().map(|x| f64::from(x as f32)).collect();
            // Of all scales in full, whatever of them is used.
            let reach = config.kernel_dim << (n - 1);
            let norm = |(channel, decay): (&[f64], &f64)| {
                let kernel = ScaledKernel { n_scales: n, width: config.kernel_dim, length: reach };
                let full = kernel.in_64_bits(channel, &kernel.weights(*decay, 1.0));
                full.iter().map(|k| k * k).sum::<f64>().sqrt()
            };
            let norms: Vec<f64> = values.chunks(n * config.kernel_dim).zip(&decay).map(norm).collect();
            (draws.parameter(&values, shape), draws.constant(&norms, [d]))
        };
        let (scales_first, norm) = scales();
        let (scales_ahead, norm_ahead) = (config.direction == Direction::Both).then(&mut scales).unzip();
        let skip = draws.normal(d, 1.0);
        SgConv {
            scales: scales_first,
            scales_ahead,
            decay: draws.constant(&decay, [d]),
            norm,
            norm_ahead,
            skip: draws.parameter(&skip, [d]),
            length,
        }
    }

    /// The kernel, `(d, length)`.
    pub(super) fn kernel(&self, length: usize) -> Tensor<2> {
        self.kernel_of(&self.scales, &self.norm, length)
    }

    /// The kernel that looks ahead, `(d, length)`.
    pub(super) fn kernel_ahead(&self, length: usize) -> Option<Tensor<2>> {
        let (scales, norm) = (self.scales_ahead.as_ref()?, self.norm_ahead.as_ref()?);
        Some(self.kernel_of(scales, norm, length))
    }

    fn kernel_of(&self, scales: &Param<Tensor<3>>, norm: &Param<Tensor<1>>, length: usize) -> Tensor<2> {
        let reach = length.min(self.length);
        let kernel = multi_scale_kernel(scales.val(), self.decay.val(), norm.val(), reach);
        if reach == length {
            return kernel;
        }
        let zeros = Tensor::zeros([kernel.dims()[0], length - reach], (&kernel.device(), kernel.dtype()));
        Tensor::cat(vec![kernel, zeros], 1)
    }
}
