//! What holds for networks of any settings: shapes, finite numbers, repeatable bits.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::config::{AttentionKind, EmbeddingKind, FeedForwardActivation, InformerConfig, SampledKeys};
use super::network::{Informer, Shape};
use super::pass::{Mode, Phase};
use super::weights::to_weights;
use crate::ar::UseCovariates;
use crate::data::mix;
use crate::nn::{self, HeadKind, Inputs, IntervalKind, Network, Normalisation, PointLoss, USUAL_LEVELS};

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
        // The layers are tried; what goes around them has tests of its own.
        normalisation: Normalisation::None,
        head: HeadKind::Point,
        loss: PointLoss::Mse,
        quantiles: USUAL_LEVELS.to_vec(),
        intervals: IntervalKind::Conformal,
        mask: Some(false),
        covariates: UseCovariates::Use,
        samples: [SampledKeys::Seeded, SampledKeys::All][of(23, 2)],
        seed: case,
    };
    let n_marks = match config.embedding {
        EmbeddingKind::TimeF => of(24, 4),
        _ => [0, 4, 5][of(24, 3)],
    };
    let n_channels = 1 + of(25, 3);
    let n_outputs = if of(26, 2) == 0 { 1 } else { n_channels };
    (config, Shape { n_channels, n_marks, n_past: 0, n_outputs, horizon: 1 + of(27, 11) }, 1 + of(28, 3))
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

/// Large enough that its operations are split.
#[test]
fn forecasts_and_gradients_have_the_same_bits_for_any_number_of_threads() {
    let config = InformerConfig {
        lookback: 96,
        label_length: 48,
        d_model: 64,
        n_heads: 4,
        d_ff: 128,
        embedding: EmbeddingKind::Learned,
        ..InformerConfig::default()
    };
    let shape = Shape { n_channels: 3, n_marks: 4, n_past: 0, n_outputs: 3, horizon: 24 };
    let of = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let device = Device::flex().autodiff();
            let network = Informer::new(&config, shape, &device).unwrap();
            let forecast = forecast(&network, 1, 8, Mode::training(0), &device);
            let gradients = forecast.clone().square().mean().backward();
            let of_first = network.encoder_embedding.value.weight.val().grad(&gradients).unwrap();
            let values = |data: TensorData| data.iter::<f32>().map(f32::to_bits).collect::<Vec<_>>();
            [values(forecast.into_data()), values(of_first.into_data())]
        })
    };
    let alone = of(1);
    assert!(of(2) == alone && of(3) == alone);
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
    let shape = Shape { n_channels: 2, n_marks: 3, n_past: 0, n_outputs: 2, horizon: 4 };
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
fn heads_have_as_many_parameters_as_they_need_and_learn_from_what_was_observed() {
    let device = Device::flex().autodiff();
    let shape = Shape { n_channels: 2, n_marks: 3, n_past: 0, n_outputs: 2, horizon: 4 };
    let heads = [HeadKind::Point, HeadKind::Quantiles, HeadKind::Gaussian, HeadKind::StudentT];
    for (head, n_parameters) in heads.into_iter().zip([1, 3, 2, 3]) {
        for mask in [false, true] {
            let config = InformerConfig {
                lookback: 12,
                label_length: 6,
                d_model: 8,
                n_heads: 2,
                d_ff: 8,
                head,
                normalisation: Normalisation::RevIn,
                mask: Some(mask),
                ..InformerConfig::default()
            };
            let network = Informer::new(&config, shape, &device).unwrap();
            let values = random(1, [3, 12, 2], &device);
            let of = |is_missing: bool| {
                let mut observed = vec![1.0_f32; 3 * 12 * 2];
                if is_missing {
                    observed[..7].fill(0.0);
                }
                let observed = Tensor::<3>::from_data(TensorData::new(observed, [3, 12, 2]), &device);
                let known = random(2, [3, 16, 3], &device);
                let inputs =
                    Inputs { values: values.clone(), mask: observed, known_ahead: Some(known), past: None };
                network.parameters(inputs, nn::Pass::Evaluation)
            };
            let parameters = of(false);
            assert_eq!(parameters.dims(), [3, 4, 2, n_parameters], "{head:?}");
            // What is missing counts for nothing in the window's own scale, and is told where the mask is an input.
            assert_ne!(of(true).narrow(0, 0, 1).into_data(), parameters.clone().narrow(0, 0, 1).into_data());
            assert_eq!(of(true).narrow(0, 1, 2).into_data(), parameters.clone().narrow(0, 1, 2).into_data());
            let labels = random(3, [3, 4, 2], &device);
            let loss = Network::head(&network).loss(parameters, labels.clone(), labels.ones_like()).unwrap();
            let gradients = loss.mean.backward();
            let mut visitor = Finite { gradients: &gradients, n_found: 0 };
            network.visit(&mut visitor);
            assert!(visitor.n_found > 30, "{head:?}");
        }
    }
}

#[test]
fn sizes_that_a_network_cannot_have_are_refused() {
    let shape = Shape { n_channels: 1, n_marks: 4, n_past: 0, n_outputs: 1, horizon: 1 };
    let wide = InformerConfig { d_model: 2_048, d_ff: 8, ..InformerConfig::default() };
    let wide = InformerConfig { encoder_layers: vec![AttentionKind::Prob], ..wide };
    let tables = InformerConfig { embedding: EmbeddingKind::Learned, ..InformerConfig::default() };
    for (config, shape, said) in [
        (InformerConfig::default(), Shape { horizon: 0, ..shape }, "horizon is 0"),
        (InformerConfig::default(), Shape { n_channels: 0, ..shape }, "number of channels is 0"),
        (InformerConfig::default(), Shape { n_outputs: 1 << 20, ..shape }, "number of outputs is 1048576"),
        (wide, Shape { n_channels: 65_536, ..shape }, "d_model is 2048, but embeddings of"),
        (tables.clone(), Shape { n_marks: 3, ..shape }, "number of time marks is 3"),
        (tables, Shape { n_marks: 6, ..shape }, "embeddings by tables take none, 4 or 5"),
        (InformerConfig { factor: 0, ..InformerConfig::default() }, shape, "factor is 0"),
    ] {
        let message = Informer::new(&config, shape, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(Mode::training(3).phase, Phase::Training { step: 3 });
}
