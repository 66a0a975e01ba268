//! What is claimed of all layers: convolution equals recurrence, threads and chunks change no bit, nothing drifts, bad
//! input has its message.

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use realfft::num_complex::Complex64;

use super::discretise::Discretisation;
use super::mixer::{Mixer, StreamingForm};
use super::mixer_config::{Direction, MAX_KERNEL, MixerConfig, MixerKind, StateInit};
use super::recurrence::{MixerState, Recurrence};
use super::s4d::S4d;
use crate::data::mix;

const KINDS: [MixerKind; 3] = [MixerKind::S4, MixerKind::S4d, MixerKind::SgConv];

fn config(kind: MixerKind) -> MixerConfig {
    MixerConfig { kind, ..MixerConfig::default() }
}

fn mixer(config: &MixerConfig, d: usize, length: usize) -> Mixer {
    Mixer::new(config, d, length, 5, &Device::flex()).unwrap()
}

/// Numbers between -1 and 1.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    (0..n as u64).map(|i| (mix(mix(seed) ^ i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

/// By the convolution. Shapes `(step, d)`.
fn convolved(mixer: &Mixer, u: &[f32], d: usize) -> Vec<f32> {
    let length = u.len() / d;
    let u = Tensor::<3>::from_data(TensorData::new(u.to_vec(), [1, length, d]), &Device::flex());
    mixer.forward(u).try_into_vec_as::<f32>().unwrap()
}

fn chunked(recurrence: &Recurrence, u: &[f32]) -> (Vec<f32>, MixerState) {
    let (mut state, mut y) = (recurrence.start(), vec![0.0; u.len()]);
    recurrence.chunk(&mut state, u, &mut y);
    (y, state)
}

/// The largest difference as a share of the largest number.
fn apart(x: &[f32], y: &[f32]) -> f64 {
    let largest = y.iter().fold(0.0f32, |largest, y| largest.max(y.abs()));
    let difference = x.iter().zip(y).fold(0.0f32, |largest, (x, y)| largest.max((x - y).abs()));
    f64::from(difference / largest)
}

#[test]
fn convolution_equals_recurrence_at_every_length_also_beyond_that_of_training() {
    let bilinear = MixerConfig { discretisation: Some(Discretisation::Bilinear), ..config(MixerKind::S4d) };
    let inits = [StateInit::Legs, StateInit::Lin, StateInit::Inv, StateInit::Real];
    let inits = inits.map(|init| MixerConfig { init: Some(init), ..config(MixerKind::S4d) });
    let configs = KINDS.map(config).into_iter().chain([bilinear]).chain(inits);
    for config in configs {
        for length in [16, 33, 64, 1024, 16_384] {
            let d = 3;
            let mixer = mixer(&config, d, length);
            let recurrence = mixer.recurrence(StreamingForm::Exact).unwrap();
            for n_steps in [length, length + length / 3] {
                let u = numbers(n_steps * d, 9);
                let apart = apart(&chunked(&recurrence, &u).0, &convolved(&mixer, &u, d));
                assert!(apart < 1e-4, "{config:?}, {n_steps} of {length}: {apart:e}");
            }
        }
    }
}

fn in_64_bits<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    let values: Vec<f64> = param.val().into_data().iter::<f64>().collect();
    let data = TensorData::new(values, param.dims());
    Param::from_tensor(Tensor::from_data(data, (&Device::flex(), DType::F64)))
}

#[test]
fn convolution_equals_recurrence_in_64_bits_by_both_rules() {
    for rule in [Discretisation::Zoh, Discretisation::Bilinear] {
        let d = 2;
        let config = MixerConfig { discretisation: Some(rule), ..config(MixerKind::S4d) };
        let Mixer::S4d(layer) = mixer(&config, d, 16) else { panic!("an S4D layer") };
        let layer = S4d {
            log_dt: in_64_bits(&layer.log_dt),
            log_a_real: in_64_bits(&layer.log_a_real),
            a_imag: in_64_bits(&layer.a_imag),
            b: layer.b.as_ref().map(in_64_bits),
            c: in_64_bits(&layer.c),
            c_ahead: None,
            skip: in_64_bits(&layer.skip),
            rule,
        };
        let modes: Vec<_> = layer.modes().into_iter().map(|mode| mode.discrete(rule)).collect();
        let n = modes.len() / d;
        for length in [16, 33, 64, 1024, 16_384] {
            let kernel: Vec<f64> = layer.kernel(length).into_data().iter::<f64>().collect(); // (d, length)
            let u: Vec<f64> = numbers(length, 9).into_iter().map(f64::from).collect();
            for channel in 0..d {
                let modes = &modes[channel * n..(channel + 1) * n];
                let mut x = vec![Complex64::new(0.0, 0.0); n];
                let mut y = Vec::new();
                for u in &u {
                    x.iter_mut().zip(modes).for_each(|(x, mode)| *x = mode.z * *x + u);
                    y.push(x.iter().zip(modes).map(|(x, mode)| 2.0 * (mode.w * x).re).sum::<f64>());
                }
                let largest = y.iter().fold(0.0, |largest: f64, y| largest.max(y.abs()));
                let kernel = &kernel[channel * length..(channel + 1) * length];
                for t in (0..length).step_by(1 + length / 50).chain([length - 1]) {
                    let sum: f64 = (0..=t).map(|lag| kernel[lag] * u[t - lag]).sum();
                    let error = (sum - y[t]).abs() / largest;
                    assert!(error < 1e-9, "{rule:?}, step {t} of {length}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn steps_chunks_and_threads_give_the_same_bits() {
    for kind in KINDS {
        for (d, n_steps) in [(1, 7), (19, 100), (40, 1500)] {
            let recurrence = mixer(&config(kind), d, 64).recurrence(StreamingForm::Exact).unwrap();
            let u = numbers(n_steps * d, 3);
            let (mut state, mut y) = (recurrence.start(), vec![0.0; u.len()]);
            for (u, y) in u.chunks(d).zip(y.chunks_mut(d)) {
                recurrence.step(&mut state, u, y);
            }
            for n_threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let (again, after) = pool.install(|| chunked(&recurrence, &u));
                assert!(again == y && after == state, "{kind:?} {d} {n_threads}");
            }
            // In two parts, the state written down in between.
            let cut = n_steps / 3 * d;
            let (mut first, middle) = chunked(&recurrence, &u[..cut]);
            let text = serde_json::to_string(&middle).unwrap();
            let mut middle: MixerState = serde_json::from_str(&text).unwrap();
            assert!(recurrence.accepts(&middle));
            let mut second = vec![0.0; u.len() - cut];
            recurrence.chunk(&mut middle, &u[cut..], &mut second);
            first.extend(second);
            assert!(first == y && middle == state, "{kind:?} {d}");
        }
    }
}

#[test]
fn ten_million_steps_do_not_drift() {
    let d = 16;
    for kind in [MixerKind::S4d, MixerKind::S4] {
        // States that forget slowly drift most.
        let config = MixerConfig { d_state: 8, dt_min: Some(1e-3), dt_max: Some(2e-3), ..config(kind) };
        let recurrence = mixer(&config, d, 64).recurrence(StreamingForm::Exact).unwrap();
        let n_piece = 20_000;
        let u = numbers(n_piece * d, 4);
        let (mut state, mut y) = (recurrence.start(), vec![0.0; u.len()]);
        for _ in 0..500 {
            recurrence.chunk(&mut state, &u, &mut y);
        }
        // All that is remembered lies in the last 20,000 steps and those before, which were the same.
        let (mut fresh, mut due) = (recurrence.start(), vec![0.0; u.len()]);
        for _ in 0..2 {
            recurrence.chunk(&mut fresh, &u, &mut due);
        }
        assert_eq!(state.n_steps, 10_000_000);
        assert!(apart(&y, &due) < 1e-5, "{kind:?}: {:e}", apart(&y, &due));
    }
}

#[test]
fn a_reduced_form_stays_within_its_bound() {
    let d = 4;
    let mixer = mixer(&config(MixerKind::SgConv), d, 200);
    let exact = mixer.recurrence(StreamingForm::Exact).unwrap();
    assert!(exact.error_bound() <= 0.0);
    let u = numbers(600 * d, 8);
    let due = chunked(&exact, &u).0;
    for max_order in [8, 64] {
        let reduced = mixer.recurrence(StreamingForm::Reduced { max_order }).unwrap();
        let y = chunked(&reduced, &u).0;
        let largest = y.iter().zip(&due).fold(0.0f32, |largest, (x, y)| largest.max((x - y).abs()));
        assert!(f64::from(largest) <= reduced.error_bound() + 1e-4, "{largest} {}", reduced.error_bound());
        assert!(reduced.n_state() <= 2 * max_order * 16);
    }
    let message = mixer.recurrence(StreamingForm::Reduced { max_order: 0 }).unwrap_err().to_string();
    assert!(message.contains("max_order is 0, but a reduced form needs at least 1 state"), "{message}");
}

#[test]
fn a_layer_of_both_directions_looks_ahead_and_has_no_steps() {
    for kind in KINDS {
        let (d, length) = (2, 33);
        let config = MixerConfig { direction: Direction::Both, ..config(kind) };
        let both = mixer(&config, d, length);
        let message = both.recurrence(StreamingForm::Exact).unwrap_err().to_string();
        assert!(
            message.contains("direction is both, but a layer that looks ahead has no step by step form"),
            "{message}"
        );
        // An input at one step reaches all others.
        let mut u = vec![0.0; length * d];
        u[10 * d] = 1.0;
        let y = convolved(&both, &u, d);
        let back = both.kernel(length).unwrap().try_into_vec_as::<f32>().unwrap();
        assert!((y[12 * d] - back[2]).abs() < 1e-5, "{kind:?}");
        assert!(y[9 * d] != 0.0 && y[0] != 0.0, "{kind:?}");
        // Of one step, none lies ahead.
        let one = mixer(&config, d, 1);
        let skip = one.kernel(1).unwrap().try_into_vec_as::<f32>().unwrap();
        assert!(convolved(&one, &[0.0, 1.0], d)[0] == 0.0 && skip.len() == d, "{kind:?}");
    }
}

#[test]
fn bad_lengths_and_settings_have_their_message() {
    let new = |config: &MixerConfig, length| Mixer::new(config, 2, length, 0, &Device::flex());
    for kind in KINDS {
        let message = new(&config(kind), 0).unwrap_err().to_string();
        assert!(message.contains("length is 0, but a kernel has 1 to 2097152 steps"), "{message}");
        assert!(new(&config(kind), MAX_KERNEL + 1).is_err());
        let layer = new(&config(kind), 8).unwrap();
        assert!(layer.kernel(0).is_err() && layer.kernel(MAX_KERNEL + 1).is_err());
    }
    let odd = MixerConfig { d_state: 9, ..MixerConfig::default() };
    assert!(new(&odd, 8).unwrap_err().to_string().contains("d_state is 9"));
}

#[test]
fn a_layer_follows_from_its_seed() {
    for kind in KINDS {
        let u = numbers(40 * 3, 1);
        let of = |seed| {
            let mixer = Mixer::new(&config(kind), 3, 40, seed, &Device::flex()).unwrap();
            convolved(&mixer, &u, 3)
        };
        assert!(of(1) == of(1) && of(1) != of(2), "{kind:?}");
    }
}

#[test]
fn the_last_step_alone_is_the_last_of_all() {
    for kind in KINDS {
        let (d, length) = (3, 50);
        let mixer = mixer(&config(kind), d, length);
        let u = numbers(length * d, 2);
        let due = convolved(&mixer, &u, d);
        let u = Tensor::<3>::from_data(TensorData::new(u, [1, length, d]), &Device::flex());
        let last = mixer.last(u).try_into_vec_as::<f32>().unwrap();
        assert!(apart(&last, &due[(length - 1) * d..]) < 1e-5, "{kind:?}");
    }
}
