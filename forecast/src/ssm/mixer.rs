//! A layer that mixes the steps of each channel: a convolution when it trains, a recurrence when it streams.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::draws::Draws;
use super::mixer_config::{MixerConfig, MixerKind, check_length};
use super::recurrence::Recurrence;
use super::s4::S4;
use super::s4d::S4d;
use super::sgconv::SgConv;
use crate::kernels::{TimeOrder, fft_conv, last_conv};
use crate::nn::ParameterGroup;
use crate::{Error, Result};

/// The layer, `y = K * u + D u` for each channel.
#[derive(Module, Debug)]
pub(crate) enum Mixer {
    /// A state matrix that is diagonal plus a term of rank 1.
    S4(S4),
    /// A diagonal state matrix.
    S4d(S4d),
    /// A long kernel of several scales.
    SgConv(SgConv),
}

/// How a layer without a state streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StreamingForm {
    /// What the convolution gives. SGConv remembers as many inputs as its kernel is long.
    #[default]
    Exact,
    /// SGConv by a state space of at most so many real states a channel, with the error that
    /// [`Recurrence::error_bound`] says. The others are exact anyway.
    Reduced {
        /// Real numbers of state for each channel.
        max_order: usize,
    },
}

impl Mixer {
    /// A layer of `d_model` channels for sequences of up to `max_length` steps, drawn by the seed alone.
    ///
    /// # Errors
    /// [`Error::BadOption`] for settings out of range and for a length of 0 or beyond the bound.
    pub(crate) fn new(
        config: &MixerConfig,
        d_model: usize,
        max_length: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        config.check("")?;
        check_length("length", max_length)?;
        let mut draws = Draws::new(seed, device);
        Ok(match config.kind {
            MixerKind::S4 => Mixer::S4(S4::new(config, d_model, max_length, &mut draws)?),
            MixerKind::S4d => Mixer::S4d(S4d::new(config, d_model, &mut draws)?),
            MixerKind::SgConv => Mixer::SgConv(SgConv::new(config, d_model, max_length, &mut draws)),
        })
    }

    /// The layer on sequences of any length. Beyond `max_length`, the kernel of S4 is a constant: it has no gradients
    /// there; SGConv's is 0 where it has no scale.
    ///
    /// # Shapes
    /// `u` and the result `(batch, length, d_model)`.
    pub(crate) fn forward(&self, u: Tensor<3>) -> Tensor<3> {
        let [n_batch, length, d] = u.dims();
        if n_batch * length * d == 0 {
            return u;
        }
        let kernel = self.kernel_of(self.n_lags(length));
        let y = fft_conv(u.clone(), kernel, Some(self.skip()), TimeOrder::Causal);
        match self.kernel_ahead(length) {
            Some(kernel) => y + fft_conv(u, kernel, None, TimeOrder::Reversed),
            None => y,
        }
    }

    /// What [`Mixer::forward`] gives at the last step, `(batch, d_model)`.
    pub(crate) fn last(&self, u: Tensor<3>) -> Tensor<2> {
        let [n_batch, length, d] = u.dims();
        if n_batch * length * d == 0 {
            return Tensor::zeros([n_batch, d], &u.device());
        }
        // No step lies ahead of the last one.
        last_conv(u, self.kernel_of(length), self.skip())
    }

    /// The kernel, `(d_model, length)`; of a layer of both directions the one that looks back.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a length of 0 or beyond the bound.
    pub(crate) fn kernel(&self, length: usize) -> Result<Tensor<2>> {
        check_length("length", length)?;
        Ok(self.kernel_of(length))
    }

    fn kernel_of(&self, length: usize) -> Tensor<2> {
        match self {
            Mixer::S4(layer) => layer.kernel(length),
            Mixer::S4d(layer) => layer.kernel(length),
            Mixer::SgConv(layer) => layer.kernel(length),
        }
    }

    /// Lags that weigh something in a sequence of this length.
    fn n_lags(&self, length: usize) -> usize {
        match self {
            Mixer::SgConv(layer) => length.min(layer.length),
            Mixer::S4(_) | Mixer::S4d(_) => length,
        }
    }

    /// The kernel that looks ahead, from lag 0 on, which is 0: its first number is for the next step.
    fn kernel_ahead(&self, length: usize) -> Option<Tensor<2>> {
        if length < 2 {
            // No step lies ahead.
            return None;
        }
        let ahead = match self {
            Mixer::S4(layer) => layer.kernel_ahead(length),
            Mixer::S4d(layer) => layer.kernel_ahead(length),
            Mixer::SgConv(layer) => layer.kernel_ahead(length),
        }?;
        let zeros = Tensor::zeros([ahead.dims()[0], 1], (&ahead.device(), ahead.dtype()));
        Some(Tensor::cat(vec![zeros, ahead.narrow(1, 0, length - 1)], 1))
    }

    /// D, `(d_model)`.
    fn skip(&self) -> Tensor<1> {
        match self {
            Mixer::S4(layer) => layer.skip.val(),
            Mixer::S4d(layer) => layer.skip.val(),
            Mixer::SgConv(layer) => layer.skip.val(),
        }
    }

    /// The layer step by step, in plain numbers.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a layer of both directions, and for a reduced form of no state.
    pub(crate) fn recurrence(&self, form: StreamingForm) -> Result<Recurrence> {
        let is_both = match self {
            Mixer::S4(layer) => layer.c_ahead.is_some(),
            Mixer::S4d(layer) => layer.c_ahead.is_some(),
            Mixer::SgConv(layer) => layer.scales_ahead.is_some(),
        };
        if is_both {
            return Err(Error::BadOption {
                field: "direction".to_string(),
                value: "both".to_string(),
                rule: "a layer that looks ahead has no step by step form; use direction = causal, or forecast from windows".to_string(),
            });
        }
        match self {
            Mixer::S4(layer) => Ok(Recurrence::of_s4(layer)),
            Mixer::S4d(layer) => Ok(Recurrence::of_s4d(layer)),
            Mixer::SgConv(layer) => Recurrence::of_sgconv(layer, form),
        }
    }

    /// How a parameter of a layer is trained, by its path in a network: what a state is made of and the kernels of
    /// SGConv have a learning rate of their own, and A, B and dt do not decay.
    pub(crate) fn group(config: &MixerConfig, path: &str) -> ParameterGroup {
        let rate_share = config.state_rate;
        match path.rsplit('.').next() {
            Some("log_dt" | "log_a_real" | "a_imag" | "b" | "p") => {
                ParameterGroup { rate_share, decay_share: 0.0 }
            }
            Some("scales" | "scales_ahead") => ParameterGroup { rate_share, decay_share: 1.0 },
            _ => ParameterGroup::default(),
        }
    }
}
