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
use crate::{Error, Result};

/// Informer.
#[derive(Module, Debug)]
pub(crate) struct Informer {
    pub(super) encoder_embedding: Embedding,
    pub(super) decoder_embedding: Embedding,
    pub(super) encoders: Vec<Encoder>,
    pub(super) decoder: Decoder,
    pub(super) projection: Linear,
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
    /// Channels that are forecast.
    pub(crate) n_outputs: usize,
    /// Steps that are forecast.
    pub(crate) horizon: usize,
}

/// Channels, marks, outputs, and steps of the horizon, at most.
const MOST: usize = 65_536;

impl Informer {
    /// A network with first weights that follow from the seed alone.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting or a size is out of range.
    pub(crate) fn new(config: &InformerConfig, shape: Shape, device: &Device) -> Result<Self> {
        config.check()?;
        shape.check(config)?;
        let (mut draws, mut sites) = (Draws::new(config.seed, device), Sites::default());
        let mut embedding = |length| {
            let Shape { n_channels, n_marks, .. } = shape;
            let shape = EmbeddingShape { n_channels, n_marks, d_model: config.d_model, length };
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
            projection: Linear::new(config.d_model, shape.n_outputs, &mut draws),
            config: config.clone(),
            shape,
        })
    }

    /// The settings.
    pub(crate) fn config(&self) -> &InformerConfig {
        &self.config
    }

    /// What it takes and gives.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The forecast, `(batch, horizon, output)`.
    ///
    /// # Shapes
    /// `x_enc` `(batch, lookback, channel)`, `x_dec` `(batch, label_length + horizon, channel)`, see
    /// [`Informer::decoder_input`]; `marks_enc` and `marks_dec` the time marks of the same steps.
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
        let Shape { n_channels, n_marks, n_outputs, horizon } = *self;
        let sizes =
            [("horizon", horizon), ("number of channels", n_channels), ("number of outputs", n_outputs)];
        if let Some((field, size)) = sizes.into_iter().find(|(_, size)| !(1..=MOST).contains(size)) {
            return Err(Error::option(field, size, format!("it must be from 1 to {MOST}")));
        }
        let (least, most) = (CALENDAR.len() - 1, CALENDAR.len());
        match config.embedding {
            EmbeddingKind::TimeF if n_marks > MOST => {
                let rule = format!("it must be at most {MOST}");
                Err(Error::option("number of time marks", n_marks, rule))
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::mix;
    use crate::informer::config::{AttentionKind, FeedForwardActivation, SampledKeys};
    use crate::informer::pass::Phase;
    use crate::informer::weights::to_weights;
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::{Gradients, TensorData};

    /// A number below `n` that follows from the case and its place in it.
    fn pick(case: u64, place: u64, n: usize) -> usize {
        (mix(mix(case + 1) ^ place) % n as u64) as usize
    }

    /// Small settings of every kind.
    fn settings(case: u64) -> (InformerConfig, Shape, usize) {
        let of = |place, n| pick(case, place, n);
        let kinds = [AttentionKind::Prob, AttentionKind::Full];
        let n_heads = 1 + of(0, 3);
        let lookback = 1 + of(1, 23);
        let n_layers = 1 + of(2, 3);
        let stacks = match of(3, 3) {
            0 if lookback >= 4 => (0..3).map(|i| n_layers.saturating_sub(i)).collect(),
            _ => Vec::new(),
        };
        let config = InformerConfig {
            lookback,
            label_length: of(4, lookback + 1),
            d_model: n_heads * (1 + of(5, 5)),
            n_heads,
            cross_heads: (of(6, 2) == 0).then_some(1),
            d_ff: 1 + of(7, 9),
            encoder_layers: (0..n_layers).map(|i| kinds[of(8 + i as u64, 2)]).collect(),
            decoder_layers: (0..1 + of(12, 2)).map(|i| kinds[of(13 + i as u64, 2)]).collect(),
            cross_attention: kinds[of(16, 2)],
            stacks,
            factor: 1 + of(17, 3),
            distil: of(18, 3) > 0,
            mix: of(19, 2) == 0,
            dropout: 0.2 * of(20, 2) as f64,
            activation: [FeedForwardActivation::Relu, FeedForwardActivation::Gelu][of(21, 2)],
            embedding: [EmbeddingKind::TimeF, EmbeddingKind::Fixed, EmbeddingKind::Learned][of(22, 3)],
            samples: [SampledKeys::Seeded, SampledKeys::All][of(23, 2)],
            seed: case,
        };
        let n_marks = match config.embedding {
            EmbeddingKind::TimeF => of(24, 4),
            _ => [0, 4, 5][of(24, 3)],
        };
        let n_channels = 1 + of(25, 3);
        let n_outputs = if of(26, 2) == 0 { 1 } else { n_channels };
        (config, Shape { n_channels, n_marks, n_outputs, horizon: 1 + of(27, 11) }, 1 + of(28, 3))
    }

    fn random(case: u64, shape: [usize; 3], device: &Device) -> Tensor<3> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|i| pick(case, 1_000 + i as u64, 2_001) as f32 / 500.0 - 2.0)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn forecast(network: &Informer, case: u64, n_batch: usize, mode: Mode<'_>, device: &Device) -> Tensor<3> {
        let Shape { n_channels, n_marks, horizon, .. } = network.shape();
        let InformerConfig { lookback, label_length, .. } = *network.config();
        let x_enc = random(case, [n_batch, lookback, n_channels], device);
        let marks = |length| random(case, [n_batch, length, n_marks], device);
        let x_dec = network.decoder_input(&x_enc);
        network.forward(x_enc, marks(lookback), x_dec, marks(label_length + horizon), mode)
    }

    struct Finite<'a> {
        gradients: &'a Gradients,
        n_found: usize,
    }

    impl ModuleVisitor for Finite<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.n_found += 1;
                assert!(gradient.into_data().iter::<f32>().all(f32::is_finite));
            }
        }
    }

    #[test]
    fn any_settings_give_finite_forecasts_and_gradients_and_the_same_seed_the_same_bits() {
        for case in 0..60 {
            let (config, shape, n_batch) = settings(case);
            let told = format!("{case}: {config:?} {shape:?} batch {n_batch}");
            let device = Device::flex().autodiff();
            let network = || Informer::new(&config, shape, &device).unwrap();
            for mode in [Mode::training(case), Mode::evaluation()] {
                let (ours, again) = (network(), network());
                let first = forecast(&ours, case, n_batch, mode, &device);
                assert_eq!(first.dims(), [n_batch, shape.horizon, shape.n_outputs], "{told}");
                let bits = |tensor: Tensor<3>| -> Vec<u32> {
                    tensor.into_data().iter::<f32>().map(|value| value.to_bits()).collect()
                };
                let values = bits(first.clone());
                assert!(values.iter().all(|bits| f32::from_bits(*bits).is_finite()), "{told}");
                assert_eq!(values, bits(forecast(&again, case, n_batch, mode, &device)), "{told}");
                assert_eq!(to_weights(&ours).unwrap(), to_weights(&again).unwrap(), "{told}");
                let gradients = first.square().mean().backward();
                let mut visitor = Finite { gradients: &gradients, n_found: 0 };
                ours.visit(&mut visitor);
                assert!(visitor.n_found > 30, "{told}");
            }
        }
    }

    #[test]
    fn a_forecast_ignores_what_comes_after_the_lookback_and_follows_the_marks() {
        let device = Device::flex();
        let config = InformerConfig {
            lookback: 12,
            label_length: 6,
            d_model: 8,
            n_heads: 2,
            d_ff: 8,
            ..InformerConfig::default()
        };
        let shape = Shape { n_channels: 2, n_marks: 3, n_outputs: 2, horizon: 4 };
        let network = Informer::new(&config, shape, &device).unwrap();
        let x_enc = random(1, [1, 12, 2], &device);
        let of = |marks: Tensor<3>| {
            let x_dec = network.decoder_input(&x_enc);
            let marks_enc = random(2, [1, 12, 3], &device);
            network.forward(x_enc.clone(), marks_enc, x_dec, marks, Mode::evaluation()).into_data()
        };
        let input: Vec<f32> = network.decoder_input(&x_enc).into_data().iter().collect();
        let observed: Vec<f32> = x_enc.clone().into_data().iter().collect();
        assert_eq!((&input[..12], &input[12..]), (&observed[12..], &[0.0; 8][..]));
        let marks = random(3, [1, 10, 3], &device);
        assert_eq!(of(marks.clone()), of(marks.clone()));
        assert_ne!(of(marks.clone()), of(marks * 2.0));
    }

    #[test]
    fn sizes_that_a_network_cannot_have_are_refused() {
        let shape = Shape { n_channels: 1, n_marks: 4, n_outputs: 1, horizon: 1 };
        let tables = InformerConfig { embedding: EmbeddingKind::Learned, ..InformerConfig::default() };
        for (config, shape, said) in [
            (InformerConfig::default(), Shape { horizon: 0, ..shape }, "horizon is 0"),
            (InformerConfig::default(), Shape { n_channels: 0, ..shape }, "number of channels is 0"),
            (
                InformerConfig::default(),
                Shape { n_outputs: 1 << 20, ..shape },
                "number of outputs is 1048576",
            ),
            (tables.clone(), Shape { n_marks: 3, ..shape }, "number of time marks is 3"),
            (tables, Shape { n_marks: 6, ..shape }, "embeddings by tables take none, 4 or 5"),
            (InformerConfig { factor: 0, ..InformerConfig::default() }, shape, "factor is 0"),
        ] {
            let message = Informer::new(&config, shape, &Device::flex()).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
        assert_eq!(Mode::training(3).phase, Phase::Training { step: 3 });
    }
}
