//! What holds for every network that streams: its plain numbers are the network, step by step or many at a time.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Array2;

use super::config::{Anchor, BlockNorm, ChannelMixing, Decoder, SsmConfig};
use super::layers::{Affine, Streams};
use super::network::{NetworkShape, Ssm};
use super::plain::{CHUNK, Plain};
use super::stream::Stream;
use super::{Direction, MixerConfig, MixerKind, StreamingForm};
use crate::data::{CalendarFeatures, InputWidths, Scaler, TimeIndex};
use crate::model::{Family, Memory, Tensors};
use crate::nn::{HeadKind, Inputs, Network, Normalisation, Pass};

const N_MARKS: usize = 3;

fn shape(lookback: usize, n_channels: usize, n_marks: usize) -> NetworkShape {
    NetworkShape { n_channels, n_marks, n_past: 0, lookback, horizon: 5 }
}

fn numbers(n: usize, salt: usize) -> Vec<f32> {
    // None of them is 0, which would count as missing.
    (0..n).map(|i| ((i * i * 31 + 7 * i + salt) % 101) as f32 / 25.0 - 2.005).collect()
}

fn tensor(values: &[f32], shape: [usize; 3]) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

fn mixer(kind: MixerKind) -> MixerConfig {
    MixerConfig { kind, d_state: 8, kernel_dim: 4, dt_min: Some(0.02), ..MixerConfig::default() }
}

fn small(seed: u64) -> SsmConfig {
    SsmConfig { d_model: 6, n_layers: 2, seed, ..SsmConfig::default() }
}

/// A network with a drawn head: one that is not trained forecasts what it is relative to, whatever it sees.
fn drawn(config: &SsmConfig, mixer: &MixerConfig, shape: NetworkShape) -> Ssm {
    let mut network = Ssm::new(config, mixer, shape, &Device::flex()).unwrap();
    let device = Device::flex();
    let mut streams = Streams::new(99, &device);
    let heads = [Some(&mut network.head), network.marks_head.as_mut()];
    for head in heads.into_iter().flatten() {
        let [n_in, n_out] = head.weight.dims();
        *head = Affine::new(n_in, n_out, &mut streams);
    }
    network
}

/// Takes all steps in pieces of `piece`; what the head reads of the last.
fn fed(plain: &Plain, values: &[f64], marks: &[f32], piece: usize) -> Vec<f32> {
    let NetworkShape { n_channels, n_marks, n_past, .. } = plain.shape();
    let n_marks = n_marks + n_past;
    let (mut states, mut room, width) = (plain.start(), Vec::new(), plain.total_width());
    let (mut outputs, mut last) = (vec![0.0; piece * width], Vec::new());
    for (at, values) in values.chunks(piece * n_channels).enumerate() {
        let n = values.len() / n_channels;
        let marks = &marks[at * piece * n_marks..][..n * n_marks];
        plain.chunk(&mut states, (values, marks), &mut outputs[..n * width], &mut room);
        last = outputs[(n - 1) * width..n * width].to_vec();
    }
    last
}

#[test]
fn plain_numbers_forecast_what_the_network_does_step_by_step_and_many_at_a_time() {
    let lookback = 2 * CHUNK + 7;
    for kind in [MixerKind::S4, MixerKind::S4d, MixerKind::SgConv] {
        for (channels, norm, n_marks) in [
            (ChannelMixing::Independent, BlockNorm::None, 0),
            (ChannelMixing::Independent, BlockNorm::Layer, N_MARKS),
            (ChannelMixing::Mixed, BlockNorm::Layer, 0),
            (ChannelMixing::Mixed, BlockNorm::None, N_MARKS),
        ] {
            let config = SsmConfig { channels, norm, ..small(3) };
            let shape = shape(lookback, 2, n_marks);
            let network = drawn(&config, &mixer(kind), shape);
            let (values, marks) = (numbers(2 * lookback, 1), numbers((lookback + 5) * n_marks, 2));
            let inputs = Inputs {
                values: tensor(&values, [1, lookback, 2]),
                mask: Tensor::ones([1, lookback, 2], &Device::flex()),
                known_ahead: (n_marks > 0).then(|| tensor(&marks, [1, lookback + 5, n_marks])),
                past: None,
            };
            let due: Vec<f32> = network.forward(inputs, Pass::Evaluation).into_data().iter::<f32>().collect();
            let plain = Plain::new(&network, StreamingForm::Exact).unwrap();
            let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let last = fed(&plain, &values, &marks, CHUNK);
            for piece in [1, 5] {
                assert_eq!(
                    fed(&plain, &values, &marks, piece),
                    last,
                    "{kind:?}, {channels:?}, {piece} at a time"
                );
            }
            let (mut out, mut room) = (vec![0.0; 10], Vec::new());
            let ahead = &marks[lookback * n_marks..];
            plain.parameters((&last, &values[2 * (lookback - 1)..]), ahead, &mut out, &mut room);
            for (ours, due) in out.iter().zip(&due) {
                let within = 2e-4 * due.abs().max(1.0);
                assert!(
                    (ours - f64::from(*due)).abs() < f64::from(within),
                    "{kind:?}, {channels:?}: {ours} {due}"
                );
            }
            // The first step alone has the same bits.
            let mut first = vec![0.0; 2];
            plain.parameters((&last, &values[2 * (lookback - 1)..]), ahead, &mut first, &mut room);
            assert_eq!(first, out[..2]);
        }
    }
}

const HEADS: [HeadKind; 4] = [HeadKind::Point, HeadKind::Quantiles, HeadKind::Gaussian, HeadKind::StudentT];

#[test]
fn plain_numbers_have_the_parameters_of_every_head() {
    let lookback = CHUNK + 7;
    for head in HEADS {
        for (channels, anchor, n_marks) in [
            (ChannelMixing::Independent, Anchor::LastValue, N_MARKS),
            (ChannelMixing::Mixed, Anchor::LastValue, 0),
            (ChannelMixing::Mixed, Anchor::None, N_MARKS),
        ] {
            let config = SsmConfig { channels, anchor, head, ..small(4) };
            let network = drawn(&config, &mixer(MixerKind::S4d), shape(lookback, 2, n_marks));
            let (values, marks) = (numbers(2 * lookback, 1), numbers((lookback + 5) * n_marks, 2));
            let inputs = Inputs {
                values: tensor(&values, [1, lookback, 2]),
                mask: Tensor::ones([1, lookback, 2], &Device::flex()),
                known_ahead: (n_marks > 0).then(|| tensor(&marks, [1, lookback + 5, n_marks])),
                past: None,
            };
            let parameters = network.parameters(inputs, Pass::Evaluation);
            let n_parameters = Network::head(&network).n_outputs();
            assert_eq!(parameters.dims(), [1, 5, 2, n_parameters]);
            let due: Vec<f32> = parameters.into_data().iter::<f32>().collect();
            let plain = Plain::new(&network, StreamingForm::Exact).unwrap();
            let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let last = fed(&plain, &values, &marks, CHUNK);
            let (mut out, mut room) = (vec![0.0; due.len()], Vec::new());
            let ahead = &marks[lookback * n_marks..];
            plain.parameters((&last, &values[2 * (lookback - 1)..]), ahead, &mut out, &mut room);
            for (ours, due) in out.iter().zip(&due) {
                let (due, told) = (f64::from(*due), format!("{head:?}, {channels:?}: {ours} for {due}"));
                assert!((ours - due).abs() < 2e-4 * due.abs().max(1.0), "{told}");
            }
        }
    }
}

#[test]
fn what_is_known_in_the_past_only_enters_step_by_step_as_it_does_a_window() {
    const LOOKBACK: usize = CHUNK + 7;
    const N_PAST: usize = 2;
    for channels in [ChannelMixing::Independent, ChannelMixing::Mixed] {
        let config = SsmConfig { channels, mask: Some(true), ..small(5) };
        let shape = NetworkShape { n_past: N_PAST, ..shape(LOOKBACK, 2, N_MARKS) };
        let network = drawn(&config, &mixer(MixerKind::S4d), shape);
        let (values, marks) = (numbers(2 * LOOKBACK, 1), numbers((LOOKBACK + 5) * N_MARKS, 2));
        let past = numbers(LOOKBACK * N_PAST, 3);
        let inputs = |past: &[f32]| Inputs {
            values: tensor(&values, [1, LOOKBACK, 2]),
            mask: Tensor::ones([1, LOOKBACK, 2], &Device::flex()),
            known_ahead: Some(tensor(&marks, [1, LOOKBACK + 5, N_MARKS])),
            past: Some(tensor(past, [1, LOOKBACK, N_PAST])),
        };
        let forecast = |past: &[f32]| -> Vec<f32> {
            network.forward(inputs(past), Pass::Evaluation).into_data().iter::<f32>().collect()
        };
        let due = forecast(&past);
        assert_ne!(due, forecast(&numbers(LOOKBACK * N_PAST, 4)));
        let rows = marks.chunks(N_MARKS).zip(past.chunks(N_PAST));
        let told: Vec<f32> = rows.flat_map(|(marks, past)| [marks, past].concat()).collect();
        let plain = Plain::new(&network, StreamingForm::Exact).unwrap();
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        for piece in [1, CHUNK] {
            let last = fed(&plain, &values, &told, piece);
            let (mut out, mut room) = (vec![0.0; due.len()], Vec::new());
            let ahead = &marks[LOOKBACK * N_MARKS..];
            plain.parameters((&last, &values[2 * (LOOKBACK - 1)..]), ahead, &mut out, &mut room);
            for (ours, due) in out.iter().zip(&due) {
                let due = f64::from(*due);
                assert!((ours - due).abs() < 2e-4 * due.abs().max(1.0), "{channels:?}: {ours} for {due}");
            }
        }
    }
}

#[test]
fn a_network_that_is_told_what_is_missing_takes_it_in_a_stream_as_in_a_window() {
    const LOOKBACK: usize = 40;
    for (channels, anchor) in
        [(ChannelMixing::Independent, Anchor::LastValue), (ChannelMixing::Mixed, Anchor::None)]
    {
        for mask in [false, true] {
            let config = SsmConfig { channels, anchor, mask: Some(mask), ..small(8) };
            let network = drawn(&config, &mixer(MixerKind::S4d), shape(LOOKBACK, 2, 0));
            let mut values = numbers(2 * LOOKBACK, 3);
            // Within the window, and of one channel the newest ones.
            let missing = [20, 21, 37, 2 * LOOKBACK - 3, 2 * LOOKBACK - 1];
            missing.iter().for_each(|at| values[*at] = 0.0);
            let observed: Vec<f32> = (0..values.len()).map(|at| f32::from(!missing.contains(&at))).collect();
            let forecast = |observed: &[f32]| -> Vec<f32> {
                let shape = [1, LOOKBACK, 2];
                let inputs = Inputs {
                    values: tensor(&values, shape),
                    mask: tensor(observed, shape),
                    known_ahead: None,
                    past: None,
                };
                network.forward(inputs, Pass::Evaluation).into_data().iter::<f32>().collect()
            };
            let due = forecast(&observed);
            // A 0 in the middle is not what is missing, if the network is told so.
            let mut other = observed.clone();
            other[20] = 1.0;
            assert_eq!(forecast(&other) != due, mask);
            if !mask {
                continue;
            }
            let stream = stream(&network);
            let index = |len| TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), len);
            let scaled = values
                .iter()
                .zip(&observed)
                .map(|(value, observed)| if *observed > 0.0 { f64::from(*value) } else { f64::NAN });
            let scaled = Array2::from_shape_vec((LOOKBACK, 2), scaled.collect()).unwrap();
            let mut memory = stream.start(2, LOOKBACK);
            stream.observe_all(
                0,
                &mut memory,
                (&index(LOOKBACK)).into(),
                scaled.view(),
                &[Scaler::default(); 2],
            );
            let mut stepped = stream.start(2, LOOKBACK);
            for (t, row) in scaled.rows().into_iter().enumerate() {
                stream.observe(0, &mut stepped, (&index(t + 1)).into(), &mut row.iter().copied());
            }
            assert_eq!(stepped, memory);
            assert_eq!((memory.n_missing(), memory.newest_missing(0), memory.newest_missing(1)), (4, 0, 2));
            let mut out = Array2::zeros((5, 2));
            stream.forecast(0, &memory, 0, (&index(LOOKBACK)).into(), out.view_mut());
            for (ours, due) in out.iter().zip(&due) {
                let due = f64::from(*due);
                assert!((ours - due).abs() < 2e-4 * due.abs().max(1.0), "{channels:?}: {ours} for {due}");
            }
        }
    }
}

#[test]
fn a_network_that_is_not_trained_forecasts_what_it_is_relative_to() {
    let network = Ssm::new(&small(1), &mixer(MixerKind::S4d), shape(20, 2, 0), &Device::flex()).unwrap();
    let values = tensor(&numbers(40, 6), [1, 20, 2]);
    let last: Vec<f32> = values.clone().narrow(1, 19, 1).into_data().iter::<f32>().collect();
    let inputs = Inputs { mask: values.ones_like(), values, known_ahead: None, past: None };
    let forecast = network.forward(inputs, Pass::Evaluation).into_data().iter::<f32>().collect::<Vec<_>>();
    assert!(forecast.chunks(2).all(|step| step == last), "{forecast:?} for {last:?}");
}

#[test]
fn a_reduced_global_convolution_says_how_far_off_it_is() {
    let shape = shape(64, 1, 0);
    let network = Ssm::new(&small(5), &mixer(MixerKind::SgConv), shape, &Device::flex()).unwrap();
    let bound = |form| Plain::new(&network, form).unwrap().error_bound();
    assert!(bound(StreamingForm::Exact) < 1e-12);
    let (rough, fine) = (StreamingForm::Reduced { max_order: 2 }, StreamingForm::Reduced { max_order: 64 });
    assert!(bound(fine) <= bound(rough) && bound(rough) > 0.0);
}

#[test]
fn networks_that_read_their_window_forecast_all_steps_of_every_channel() {
    let mask = SsmConfig { decoder: Decoder::Mask, ..small(1) };
    let last = SsmConfig { normalisation: Normalisation::LastValue, ..small(1) };
    let revin =
        SsmConfig { normalisation: Normalisation::RevIn, channels: ChannelMixing::Mixed, ..mask.clone() };
    let both = MixerConfig { direction: Direction::Both, ..mixer(MixerKind::S4d) };
    for (config, mixer) in [
        (mask, mixer(MixerKind::S4)),
        (last, mixer(MixerKind::S4d)),
        (revin, mixer(MixerKind::SgConv)),
        (small(1), both),
    ] {
        let network = drawn(&config, &mixer, shape(20, 2, 0));
        let forecast = |values: &[f32]| {
            let values = tensor(values, [3, 20, 2]);
            let inputs = Inputs { mask: values.ones_like(), values, known_ahead: None, past: None };
            let forecast = network.forward(inputs, Pass::Evaluation);
            assert_eq!(forecast.dims(), [3, 5, 2]);
            forecast.into_data().iter::<f32>().collect::<Vec<_>>()
        };
        let values = numbers(3 * 20 * 2, 4);
        let found = forecast(&values);
        assert!(found.iter().all(|value| value.is_finite()));
        // Every window has its own forecast, and that of another does not change it.
        let mut other = values.clone();
        other[2 * 20 * 2..].iter_mut().for_each(|value| *value += 1.0);
        let changed = forecast(&other);
        // Sequences may share a transform, whose rounding is that of both.
        assert!(
            found[..20].iter().zip(&changed[..20]).all(|(a, b)| (a - b).abs() < 1e-4),
            "{found:?} {changed:?}"
        );
        assert!(found[20..].iter().zip(&changed[20..]).any(|(a, b)| (a - b).abs() > 1e-3));
    }
}

#[test]
fn every_head_has_its_parameters_in_every_form_and_learns_from_all_of_them() {
    let device = Device::flex().autodiff();
    for (decoder, normalisation, channels) in [
        (Decoder::Direct, Normalisation::None, ChannelMixing::Independent),
        (Decoder::Direct, Normalisation::RevIn, ChannelMixing::Mixed),
        (Decoder::Mask, Normalisation::LastValue, ChannelMixing::Independent),
        (Decoder::Mask, Normalisation::RevIn, ChannelMixing::Mixed),
    ] {
        for head in HEADS {
            let config = SsmConfig { decoder, normalisation, channels, head, ..small(2) };
            let network = Ssm::new(&config, &mixer(MixerKind::S4d), shape(20, 2, 0), &device).unwrap();
            let values: Tensor<3> =
                Tensor::from_data(TensorData::new(numbers(3 * 20 * 2, 4), [3, 20, 2]), &device);
            let inputs = Inputs { mask: values.ones_like(), values, known_ahead: None, past: None };
            let parameters = network.parameters(inputs, Pass::Training { step: 0 });
            let told = format!("{decoder:?}, {normalisation:?}, {channels:?}, {head:?}");
            let n_parameters = Network::head(&network).n_outputs();
            assert_eq!(parameters.dims(), [3, 5, 2, n_parameters], "{told}");
            let labels: Tensor<3> =
                Tensor::from_data(TensorData::new(numbers(3 * 5 * 2, 9), [3, 5, 2]), &device);
            let loss = Network::head(&network).loss(parameters, labels.clone(), labels.ones_like()).unwrap();
            // Every column of the head learns: no output is out of its place.
            let gradients = loss.mean.backward();
            let of_bias = network.head.bias.val().grad(&gradients).unwrap().into_data();
            assert!(
                of_bias.iter::<f32>().all(|slope| slope.is_finite() && slope != 0.0),
                "{told}: {of_bias:?}"
            );
        }
    }
}

fn stream(network: &Ssm) -> Stream {
    let plain = Plain::new(network, StreamingForm::Exact).unwrap();
    Stream {
        plain,
        calendar: CalendarFeatures::default(),
        widths: InputWidths::default(),
        tensors: Tensors::new(),
        report: None,
    }
}

#[test]
fn a_million_steps_prime_a_memory_that_stays_small_and_has_the_bits_of_a_stream() {
    const N_STEPS: usize = 1_000_000;
    let config = SsmConfig { d_model: 2, n_layers: 1, ..SsmConfig::default() };
    let network = drawn(&config, &mixer(MixerKind::S4), shape(N_STEPS, 1, 0));
    let stream = stream(&network);
    let index = TimeIndex::new(0, "5min".parse().unwrap(), Default::default(), N_STEPS);
    let values = Array2::from_shape_fn((N_STEPS, 1), |(t, _)| ((t * t) % 97) as f64 / 50.0 - 1.0);
    let fresh = stream.start(1, N_STEPS);
    let mut primed = fresh.clone();
    stream.observe_all(0, &mut primed, (&index).into(), values.view(), &[Scaler::default()]);
    assert!(primed.n_bytes() - fresh.n_bytes() < 16, "{} {}", primed.n_bytes(), fresh.n_bytes());
    // The last steps one by one.
    let (n_before, mut stepped) = (N_STEPS - 1_000, fresh);
    let before = TimeIndex { len: n_before, ..index.clone() };
    let first = values.slice(ndarray::s![..n_before, ..]);
    stream.observe_all(0, &mut stepped, (&before).into(), first, &[Scaler::default()]);
    for t in n_before..N_STEPS {
        let until = TimeIndex { len: t + 1, ..index.clone() };
        stream.observe(0, &mut stepped, (&until).into(), &mut std::iter::once(values[[t, 0]]));
    }
    assert_eq!(stepped, primed);
}

#[test]
fn the_state_of_the_default_network_fits_64_kib() {
    for lookback in [96, 336] {
        let network = Ssm::new(
            &SsmConfig::default(),
            &MixerConfig::default(),
            NetworkShape { horizon: 24, ..shape(lookback, 1, 0) },
            &Device::flex(),
        );
        let n_bytes = stream(&network.unwrap()).start(1, 0).n_bytes();
        assert!(n_bytes <= 65_536, "{n_bytes} bytes with a lookback of {lookback}");
    }
}

#[test]
fn a_missing_value_is_replaced_by_the_networks_own_forecast_of_it_and_counted() {
    let config = SsmConfig { channels: ChannelMixing::Mixed, ..small(7) };
    let network = drawn(&config, &mixer(MixerKind::S4d), shape(9, 2, 0));
    let stream = stream(&network);
    let index = |len| TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), len);
    let forecast = |memory: &Memory, len, n_steps| {
        let mut out = Array2::zeros((n_steps, 2));
        stream.forecast(0, memory, 0, (&index(len)).into(), out.view_mut());
        out
    };
    let mut memory = stream.start(2, 9);
    for t in 0..9 {
        stream.observe(0, &mut memory, (&index(t + 1)).into(), &mut [t as f64 / 5.0, -0.3].into_iter());
    }
    let next = forecast(&memory, 9, 1);
    let mut with = memory.clone();
    stream.observe(0, &mut with, (&index(10)).into(), &mut [next[[0, 0]], 0.7].into_iter());
    let mut without = memory.clone();
    stream.observe(0, &mut without, (&index(10)).into(), &mut [f64::NAN, 0.7].into_iter());
    assert_eq!(forecast(&with, 10, 5), forecast(&without, 10, 5));
    assert_eq!((with.n_missing(), without.n_missing(), without.newest_missing(0)), (0, 1, 1));
    assert!(without.observed(0, 0).is_nan() && !without.observed(1, 0).is_nan());
    // Steps beyond the horizon follow from its own forecasts, and the first of them are the same.
    let long = forecast(&with, 10, 13);
    assert_eq!(long.slice(ndarray::s![..5, ..]), forecast(&with, 10, 5));
    let mut further = with.clone();
    for (t, row) in long.rows().into_iter().enumerate().take(5) {
        stream.observe(0, &mut further, (&index(11 + t)).into(), &mut row.to_vec().into_iter());
    }
    assert_eq!(long.slice(ndarray::s![5..10, ..]), forecast(&further, 15, 5));
}
