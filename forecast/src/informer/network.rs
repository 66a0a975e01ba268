//! The network: `forecast = W decoder(embed(start token, zeros), encoders(embed(lookback))) + b`.
//!
//! One pass gives all steps of the horizon. Shapes: values `(batch, length, channel)`, time marks
//! `(batch, length, mark)`, forecasts `(batch, horizon, output)`. One channel and one output is the univariate model,
//! as many outputs as channels the multivariate one, and one output from several channels many-to-one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::{EmbeddingKind, InformerConfig};
use super::decoder::Decoder;
use super::draws::Draws;
use super::embedding::{CALENDAR, Embedding, EmbeddingShape};
use super::encoder::Encoder;
use super::layers::Linear;
use super::pass::{Mode, Pass, Sites};
use super::sequence::Sequence;
use crate::kernels::Activation;
use crate::nn::{Head, Normalisation, Normaliser};
use crate::{Error, Result};

/// Informer.
#[derive(Module, Debug)]
pub(crate) struct Informer {
    pub(super) encoder_embedding: Embedding,
    pub(super) decoder_embedding: Embedding,
    pub(super) encoders: Vec<Encoder>,
    pub(super) decoder: Decoder,
    pub(super) projection: Linear,
    normaliser: Normaliser,
    #[module(skip)]
    head: Head,
    #[module(skip)]
    config: InformerConfig,
    #[module(skip)]
    shape: Shape,
}

/// What the network takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Channels of the input.
    pub(crate) n_channels: usize,
    /// Time marks of a step; none is a network that does not know the time.
    pub(crate) n_marks: usize,
    /// Columns beside the channels that are known of the steps seen alone.
    pub(crate) n_past: usize,
    /// Channels that are forecast.
    pub(crate) n_outputs: usize,
    /// Steps that are forecast.
    pub(crate) horizon: usize,
}

/// Channels, marks, outputs, and steps of the horizon, at most.
const MOST: usize = 65_536;
/// Numbers that embeddings and the last layer hold, at most.
const MOST_NUMBERS: usize = 1 << 28;

impl Informer {
    /// A network with first weights that follow from the seed alone.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting or a size is out of range.
    pub(crate) fn new(config: &InformerConfig, shape: Shape, device: &Device) -> Result<Self> {
        Self::of(config, shape, Draws::new(config.seed, device))
    }

    /// A network that waits for its weights.
    ///
    /// # Errors
    /// As [`Informer::new`].
    pub(crate) fn empty(config: &InformerConfig, shape: Shape, device: &Device) -> Result<Self> {
        Self::of(config, shape, Draws::none(device))
    }

    fn of(config: &InformerConfig, shape: Shape, mut draws: Draws<'_>) -> Result<Self> {
        let device = draws.device();
        config.check()?;
        shape.check(config)?;
        let head = config.head()?;
        let n_inputs = shape.n_channels * if config.tells_missing() { 2 } else { 1 } + shape.n_past;
        let mut sites = Sites::default();
        let mut embedding = |length| {
            let Shape { n_marks, .. } = shape;
            let shape = EmbeddingShape { n_channels: n_inputs, n_marks, d_model: config.d_model, length };
            Embedding::new(config.embedding, shape, &mut draws, &mut sites)
        };
        let encoder_embedding = embedding(config.lookback);
        let decoder_embedding = embedding(config.label_length + shape.horizon);
        let encoders = config.encoders().into_iter();
        let encoders = encoders.map(|of| Encoder::new(of, config, &mut draws, &mut sites)).collect();
        Ok(Informer {
            encoder_embedding,
            decoder_embedding,
            encoders,
            decoder: Decoder::new(config, &mut draws, &mut sites),
            projection: Linear::new(config.d_model, shape.n_outputs * head.n_outputs(), &mut draws),
            normaliser: Normaliser::new(config.normalisation, shape.n_channels, device),
            head,
            config: config.clone(),
            shape,
        })
    }

    /// The same network with its weights laid out for forecasts: one window takes a quarter less time on one thread. It
    /// cannot learn any more, nor be saved.
    pub(crate) fn for_forecasts(mut self) -> Self {
        self.encoders.iter_mut().for_each(Encoder::pack);
        self.decoder.pack();
        self.projection.pack();
        self
    }

    /// The settings.
    pub(crate) fn config(&self) -> &InformerConfig {
        &self.config
    }

    /// What windows are normalised by, from outside of the layers.
    pub(super) fn normaliser(&self) -> &Normaliser {
        &self.normaliser
    }

    /// What its outputs say of each value.
    pub(super) fn head_of(&self) -> &Head {
        &self.head
    }

    /// What it takes and gives.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// What the last layer puts out, `(batch, horizon, output)`; of a head with several numbers for each output they
    /// stand side by side.
    ///
    /// # Shapes
    /// `x_enc` `(batch, lookback, channel)`, `x_dec` `(batch, label_length + horizon, channel)`, see
    /// [`Informer::decoder_input`]; `marks_enc` and `marks_dec` the time marks of the same steps. With `mask` there are
    /// twice as many channels, the second half 1 where a value was observed; past covariates follow them.
    pub(crate) fn forward(
        &self,
        x_enc: Tensor<3>,
        marks_enc: Tensor<3>,
        x_dec: Tensor<3>,
        marks_dec: Tensor<3>,
        mode: Mode<'_>,
    ) -> Tensor<3> {
        self.run([x_enc, marks_enc, x_dec, marks_dec], &Pass::new(&self.config, mode))
    }

    /// [`Informer::forward`] of values and marks of the encoder, values and marks of the decoder.
    pub(super) fn run(&self, inputs: [Tensor<3>; 4], pass: &Pass<'_>) -> Tensor<3> {
        let [x_enc, marks_enc, x_dec, marks_dec] = inputs;
        let memory = self.encode(self.encoder_embedding.forward(x_enc, marks_enc, pass), pass);
        let x = self.decoder_embedding.forward(x_dec, marks_dec, pass);
        let decoded = self.decoder.forward(x, &memory, self.shape.horizon, pass);
        decoded.with(self.projection.forward(decoded.rows.clone(), Activation::None)).steps()
    }

    /// What the decoder attends to: the encoders' outputs one after the other.
    pub(super) fn encode(&self, embedded: Sequence, pass: &Pass<'_>) -> Sequence {
        if let [only] = &self.encoders[..] {
            return only.forward(embedded, pass);
        }
        let parts = self.encoders.iter().map(|encoder| encoder.forward(embedded.clone(), pass).steps());
        Sequence::new(Tensor::cat(parts.collect(), 1))
    }

    /// What the decoder starts from: the last `label_length` steps of the lookback, then zeros, of shape
    /// `(batch, label_length + horizon, channel)`.
    pub(crate) fn decoder_input(&self, x_enc: &Tensor<3>) -> Tensor<3> {
        let [n_batch, length, n_channels] = x_enc.dims();
        let zeros = Tensor::zeros([n_batch, self.shape.horizon, n_channels], &x_enc.device());
        let label_length = self.config.label_length.min(length);
        match label_length {
            0 => zeros,
            n => Tensor::cat(vec![x_enc.clone().narrow(1, length - n, n), zeros], 1),
        }
    }
}

impl Shape {
    fn check(&self, config: &InformerConfig) -> Result<()> {
        let Shape { n_channels, n_marks, n_past, n_outputs, horizon } = *self;
        let sizes =
            [("horizon", horizon), ("number of channels", n_channels), ("number of outputs", n_outputs)];
        if let Some((field, size)) = sizes.into_iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Err(Error::option(field, size, format!("it must be from 1 to {MOST}")));
        }
        for (field, size) in [("number of time marks", n_marks), ("number of past inputs", n_past)] {
            if size > MOST {
                return Err(Error::option(field, size, format!("it must be at most {MOST}")));
            }
        }
        if config.normalisation != Normalisation::None && n_outputs != n_channels {
            let rule = "it takes as many outputs as channels; use normalisation none";
            return Err(Error::option("number of outputs", n_outputs, rule));
        }
        let InformerConfig { lookback, label_length, d_model, .. } = *config;
        let n_rows = 6 * (n_channels + n_past) + 2 * n_marks + n_outputs + lookback + label_length + horizon;
        if n_rows * d_model > MOST_NUMBERS {
            let rule = format!(
                "embeddings of {n_rows} rows would hold more than {MOST_NUMBERS} numbers; use a smaller one"
            );
            return Err(Error::option("d_model", d_model, rule));
        }
        let (least, most) = (CALENDAR.len() - 1, CALENDAR.len());
        match config.embedding {
            EmbeddingKind::Fixed | EmbeddingKind::Learned
                if n_marks > most || (1..least).contains(&n_marks) =>
            {
                let rule = format!("embeddings by tables take none, {least} or {most}; use timeF");
                Err(Error::option("number of time marks", n_marks, rule))
            }
            _ => Ok(()),
        }
    }
}
