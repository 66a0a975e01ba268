//! Holds the layers to numbers made with the code of their papers; `golden/README.md` says how they were made.

use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::blocks::WIDTH;
use super::discretise::{Discretisation, Mode};
use super::hippo::{Legs, NormalPlusLowRank};
use super::low_rank::LowRankStep;
use super::mixer::{Mixer, StreamingForm};
use super::s4::S4;
use super::s4d::S4d;
use super::sgconv::SgConv;
use crate::kernels::{
    Activation, CauchyGrid, LowRankChannel, LowRankStateSpace, gelu, glu, linear, stepped_kernel,
};
use realfft::num_complex::Complex64;

/// One file.
struct Golden<'a> {
    name: String,
    config: Value,
    file: SafeTensors<'a>,
}

/// Calls with every file whose name begins so.
fn each(prefix: &str, check: impl Fn(&Golden<'_>)) {
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("LONGCAST_GOLDEN").map_or(in_tree, PathBuf::from);
    let mut n_files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(".safetensors") {
            n_files += 1;
            println!("{}", path.display());
            let bytes = std::fs::read(&path).unwrap();
            let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
            let config: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["golden"]).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            check(&Golden { name, config: config["config"].clone(), file });
        }
    }
    assert!(n_files > 0, "no {prefix}*.safetensors in {}", folder.display());
}

impl Golden<'_> {
    fn size(&self, key: &str) -> usize {
        usize::try_from(self.config[key].as_u64().unwrap()).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.file.tensor(name).is_ok()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        let tensor = self.file.tensor(name).unwrap();
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F64 => data.chunks(8).map(|x| f64::from_le_bytes(x.try_into().unwrap())).collect(),
            Dtype::F32 => {
                data.chunks(4).map(|x| f64::from(f32::from_le_bytes(x.try_into().unwrap()))).collect()
            }
            other => panic!("{name} is of {other:?}"),
        }
    }

    fn pairs(&self, name: &str) -> Vec<Complex64> {
        self.numbers(name).chunks(2).map(|x| Complex64::new(x[0], x[1])).collect()
    }

    fn parameter<const D: usize>(&self, name: &str, shape: [usize; D], dtype: DType) -> Param<Tensor<D>> {
        param(self.numbers(name), shape, dtype)
    }

    /// `(batch, length, d)` from `(batch, d, length)`.
    fn input(&self, dtype: DType) -> Tensor<3> {
        let shape = [self.size("batch"), self.size("H"), self.size("L")];
        let data = TensorData::new(self.numbers("u"), shape);
        Tensor::<3>::from_data(data, (&Device::flex().autodiff(), dtype)).swap_dims(1, 2)
    }

    /// Every number within `atol + rtol |due|`.
    fn close(&self, what: &str, ours: &[f64], atol: f64, rtol: f64) {
        let due = self.numbers(what);
        assert_eq!(ours.len(), due.len(), "{}, {what}", self.name);
        for (at, (ours, due)) in ours.iter().zip(&due).enumerate() {
            let error = (ours - due).abs();
            assert!(
                error <= atol + rtol * due.abs(),
                "{}, {what}, element {at}: {ours} for {due}, error {error:e}",
                self.name
            );
        }
    }

    /// Every number within this share of the largest one.
    fn close_to_largest(&self, what: &str, ours: &[f64], share: f64) {
        let largest = self.numbers(what).iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        self.close(what, ours, share * largest, 0.0);
    }
}

fn param<const D: usize>(values: Vec<f64>, shape: [usize; D], dtype: DType) -> Param<Tensor<D>> {
    let device = Device::flex().autodiff();
    Param::from_tensor(Tensor::<D>::from_data(TensorData::new(values, shape), (&device, dtype)))
}

fn all<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn gradient<const D: usize>(param: &Param<Tensor<D>>, gradients: &Gradients) -> Vec<f64> {
    all(param.val().grad(gradients).unwrap())
}

/// What is compared by: 32 bits through the kernels, 64 bits through the compositions.
struct Tolerance {
    dtype: DType,
    kernel: f64,
    output: f64,
    gradient: f64,
}

const TOLERANCES: [Tolerance; 2] = [
    Tolerance { dtype: DType::F32, kernel: 5e-6, output: 2e-5, gradient: 3e-4 },
    Tolerance { dtype: DType::F64, kernel: 1e-12, output: 1e-12, gradient: 1e-9 },
];

#[test]
fn hippo_is_that_of_the_reference() {
    each("hippo_", |golden| {
        let n = golden.size("N");
        let (legs, parts) = (Legs::new(n), NormalPlusLowRank::new(n).unwrap());
        let flat = |x: &[Complex64]| x.iter().flat_map(|x| [x.re, x.im]).collect::<Vec<f64>>();
        let a: Vec<f64> = (0..n * n).map(|at| legs.a[(at / n, at % n)]).collect();
        golden.close("A", &a, 0.0, 1e-13);
        golden.close("B", &legs.b, 0.0, 1e-13);
        golden.close("P_real", &legs.p, 0.0, 1e-13);
        golden.close("Lambda", &flat(&parts.lambda), 1e-11, 0.0);
        golden.close("P_canon", &flat(&parts.p), 1e-10, 0.0);
        golden.close("B_canon", &flat(&parts.b), 1e-10, 0.0);
        let v: Vec<Complex64> = (0..n * n / 2).map(|at| parts.v[at % (n / 2)][at / (n / 2)]).collect();
        golden.close("V_canon", &flat(&v), 1e-10, 0.0);
        let absolute = |x: &[Complex64]| x.iter().map(|x| x.norm()).collect::<Vec<f64>>();
        golden.close("P_abs", &absolute(&parts.p), 1e-10, 0.0);
        golden.close("B_abs", &absolute(&parts.b), 1e-10, 0.0);
        let both: Vec<Complex64> = parts.b.iter().zip(&parts.p).map(|(b, p)| b * p.conj()).collect();
        golden.close("BconjP", &flat(&both), 1e-10, 0.0);
    });
}

fn s4d(golden: &Golden<'_>, dtype: DType) -> S4d {
    let (d, half) = (golden.size("H"), golden.size("stored_complex"));
    S4d {
        log_dt: golden.parameter("state.kernel.log_dt", [d], dtype),
        log_a_real: golden.parameter("state.kernel.log_A_real", [d, half], dtype),
        a_imag: golden.parameter("state.kernel.A_imag", [d, half], dtype),
        b: None,
        c: golden.parameter("state.kernel.C", [d, half, 2], dtype),
        c_ahead: None,
        skip: golden.parameter("state.D", [d], dtype),
        rule: Discretisation::Zoh,
    }
}

#[test]
fn s4d_is_that_of_the_reference() {
    each("s4d_", |golden| {
        for Tolerance { dtype, kernel, output, gradient: share } in TOLERANCES {
            let (d, length, n_batch) = (golden.size("H"), golden.size("L"), golden.size("batch"));
            let layer = s4d(golden, dtype);
            let k = layer.kernel(length);
            golden.close("K", &all(k.clone()), kernel, 1e-5 * f64::from(dtype == DType::F32));
            let gradients = (k.clone() * k).mean().backward();
            let compare = |prefix: &str, layer: &S4d, gradients: &Gradients| {
                let of = |name: &str, ours: Vec<f64>| {
                    golden.close_to_largest(&format!("{prefix}{name}"), &ours, share)
                };
                of("kernel.C", gradient(&layer.c, gradients));
                of("kernel.log_dt", gradient(&layer.log_dt, gradients));
                of("kernel.log_A_real", gradient(&layer.log_a_real, gradients));
                of("kernel.A_imag", gradient(&layer.a_imag, gradients));
            };
            compare("grad_K.", &layer, &gradients);
            let weight = golden.parameter("state.output_linear.0.weight", [2 * d, d], dtype);
            let bias = golden.parameter("state.output_linear.0.bias", [2 * d], dtype);
            let mixer = Mixer::S4d(layer);
            let pre = mixer.forward(golden.input(dtype)); // (batch, length, d)
            golden.close("y_pre", &all(pre.clone().swap_dims(1, 2)), output, 0.0);
            let rows = gelu(pre).reshape([n_batch * length, d]);
            let wide = linear(rows, weight.val().transpose(), Some(bias.val()), Activation::None);
            let y = glu(wide).reshape([n_batch, length, d]);
            golden.close("y", &all(y.clone().swap_dims(1, 2)), output, 0.0);
            let gradients = (y.clone() * y).mean().backward();
            let Mixer::S4d(layer) = mixer else { panic!("an S4D layer") };
            compare("grad_y.", &layer, &gradients);
            golden.close_to_largest("grad_y.D", &gradient(&layer.skip, &gradients), share);
            golden.close_to_largest("grad_y.output_linear.0.weight", &gradient(&weight, &gradients), share);
            golden.close_to_largest("grad_y.output_linear.0.bias", &gradient(&bias, &gradients), share);
        }
    });
}

/// Steps of every item, `(batch, d, length)`, and the states after them.
fn stepped(mixer: &Mixer, golden: &Golden<'_>) -> (Vec<f64>, Vec<Vec<f32>>) {
    let recurrence = mixer.recurrence(StreamingForm::Exact).unwrap();
    let (n_batch, d, length) = (golden.size("batch"), golden.size("H"), golden.size("L"));
    let u = golden.numbers("u");
    let mut all = vec![0.0; n_batch * d * length];
    let mut states = Vec::new();
    for item in 0..n_batch {
        let mut state = recurrence.start();
        let mut y = vec![0.0; d];
        for t in 0..length {
            let at = |channel: usize| (item * d + channel) * length + t;
            let u: Vec<f32> = (0..d).map(|channel| u[at(channel)] as f32).collect();
            recurrence.step(&mut state, &u, &mut y);
            (0..d).for_each(|channel| all[at(channel)] = f64::from(y[channel]));
        }
        states.push(state.values);
    }
    (all, states)
}

/// State `n` of a channel.
fn state_of(state: &[f32], half: usize, channel: usize, n: usize) -> Complex64 {
    let part = |part: usize| {
        let row = (channel / WIDTH * half + n) * 2 + part;
        f64::from(state[row * WIDTH + channel % WIDTH])
    };
    Complex64::new(part(0), part(1))
}

#[test]
fn steps_of_s4d_are_those_of_the_reference() {
    each("s4d_", |golden| {
        let layer = s4d(golden, DType::F32);
        let modes = layer.modes();
        let (y, states) = stepped(&Mixer::S4d(layer), golden);
        golden.close("y_recurrent", &y, 2e-5, 0.0);
        let (d, half) = (golden.size("H"), golden.size("stored_complex"));
        let mut ours = Vec::new();
        for state in &states {
            for channel in 0..d {
                for n in 0..half {
                    // Ours has the input's factor in the output.
                    let Mode { dt, a, .. } = modes[channel * half + n];
                    let one = Complex64::new(1.0, 0.0);
                    let input = Mode { dt, a, c: one }.discrete(Discretisation::Zoh).w;
                    let x = state_of(state, half, channel, n) * input;
                    ours.extend([x.re, x.im]);
                }
            }
        }
        golden.close("state_final", &ours, 2e-5, 0.0);
    });
}

fn negated(mut values: Vec<f64>) -> Vec<f64> {
    values.iter_mut().for_each(|x| *x = -*x);
    values
}

fn s4(golden: &Golden<'_>, dtype: DType) -> S4 {
    let (d, half) = (golden.size("H"), golden.size("stored_complex"));
    let pairs = |name: &str| golden.parameter(name, [d, half, 2], dtype);
    S4 {
        log_dt: golden.parameter("raw.inv_dt", [d], dtype),
        log_a_real: golden.parameter("raw.A_real", [d, half], dtype),
        a_imag: param(negated(golden.numbers("raw.A_imag")), [d, half], dtype),
        p: pairs("raw.P"),
        b: pairs("raw.B"),
        c: pairs("raw.C_tilde"),
        c_ahead: None,
        skip: golden.parameter("raw.D", [d], dtype),
        length: golden.size("L"),
    }
}

fn compare_s4(golden: &Golden<'_>, prefix: &str, layer: &S4, gradients: &Gradients, share: f64) {
    let of = |name: &str, ours: Vec<f64>| golden.close_to_largest(&format!("{prefix}{name}"), &ours, share);
    of("inv_dt", gradient(&layer.log_dt, gradients));
    of("A_real", gradient(&layer.log_a_real, gradients));
    of("A_imag", negated(gradient(&layer.a_imag, gradients)));
    of("P", gradient(&layer.p, gradients));
    of("B", gradient(&layer.b, gradients));
    of("C", gradient(&layer.c, gradients));
}

#[test]
fn s4_is_that_of_the_reference() {
    each("s4_", |golden| {
        for Tolerance { dtype, kernel, output, gradient: share } in TOLERANCES {
            let layer = s4(golden, dtype);
            let k = layer.kernel(golden.size("L"));
            golden.close("K", &all(k.clone()), kernel, 0.0);
            let gradients = (k.clone() * k).mean().backward();
            compare_s4(golden, "grad_ctilde.", &layer, &gradients, share);
            let y = Mixer::S4(layer).forward(golden.input(dtype));
            // The reference's own runs are no closer to each other.
            let output = if dtype == DType::F64 { 1e-11 } else { output };
            golden.close("y", &all(y.swap_dims(1, 2)), output, 0.0);
        }
    });
}

#[test]
fn s4_by_its_recurrence_is_that_of_the_reference() {
    each("s4_", |golden| {
        let (d, half, length) = (golden.size("H"), golden.size("stored_complex"), golden.size("L"));
        let mut layer = s4(golden, DType::F64);
        let c = golden.pairs("raw.C");
        let mut kernel = Vec::new();
        for (at, channel) in layer.channels().iter().enumerate() {
            // C comes back from what is trained, and the other way.
            for (ours, due) in channel.c.iter().zip(&c[at * half..]) {
                assert!((ours - due).norm() < 1e-9 * (1.0 + due.norm()), "{}: {ours} for {due}", golden.name);
            }
            let plain = LowRankChannel { c: c[at * half..(at + 1) * half].to_vec(), ..channel.clone() };
            let shortened = LowRankStep::new(&plain).shortened(&plain.c, length);
            kernel.extend(LowRankChannel { c: shortened, ..plain }.kernel(&CauchyGrid::new(length)));
        }
        golden.close("K", &kernel, 1e-12, 0.0);
        // The naive reference: one step of the state after the other, with C itself.
        layer.c = golden.parameter("raw.C", [d, half, 2], DType::F64);
        let parameters = LowRankStateSpace {
            log_dt: layer.log_dt.val(),
            log_a_real: layer.log_a_real.val(),
            a_imag: layer.a_imag.val(),
            p: layer.p.val(),
            b: layer.b.val(),
            c: layer.c.val(),
        };
        let k = stepped_kernel(parameters, length);
        golden.close("K", &all(k.clone()), 1e-12, 0.0);
        let gradients = (k.clone() * k).mean().backward();
        compare_s4(golden, "grad_direct.", &layer, &gradients, 1e-9);
    });
}

#[test]
fn steps_of_s4_are_those_of_the_reference() {
    each("s4_", |golden| {
        let (y, states) = stepped(&Mixer::S4(s4(golden, DType::F32)), golden);
        golden.close("y_recurrent", &y, 2e-5, 0.0);
        let (d, half) = (golden.size("H"), golden.size("stored_complex"));
        let mut ours = Vec::new();
        for state in &states {
            for channel in 0..d {
                let x: Vec<Complex64> = (0..half).map(|n| state_of(state, half, channel, n)).collect();
                ours.extend(x.iter().flat_map(|x| [x.re, x.im]));
                ours.extend(x.iter().flat_map(|x| [x.re, -x.im]));
            }
        }
        golden.close("state_final", &ours, 2e-5, 0.0);
    });
}

/// Whether the kernels were changed once their norm was taken.
fn was_changed(golden: &Golden<'_>) -> bool {
    golden.config["perturb_after_norm"].as_bool().unwrap()
}

fn sgconv(golden: &Golden<'_>, dtype: DType) -> SgConv {
    let (d, width, n_scales) = (golden.size("H"), golden.size("kernel_dim"), golden.size("num_scales"));
    let scales: Vec<Vec<f64>> =
        (0..n_scales).map(|scale| golden.numbers(&format!("state.kernel_list.{scale}"))).collect();
    let channel =
        |at: usize| scales.iter().flat_map(move |scale| scale[at * width..(at + 1) * width].to_vec());
    // The file has the norm in 32 bits; that of the run in 64 bits is the norm of the whole kernel, where that is told.
    let norm = if dtype == DType::F64 && !was_changed(golden) {
        let full = golden.numbers("kernel_full_f64");
        full.chunks(full.len() / d).map(|k| k.iter().map(|k| k * k).sum::<f64>().sqrt()).collect()
    } else {
        golden.numbers("state.kernel_norm")
    };
    SgConv {
        scales: param((0..d).flat_map(channel).collect(), [d, n_scales, width], dtype),
        scales_ahead: None,
        decay: golden.parameter("state.multiplier", [d], dtype),
        norm: param(norm, [d], dtype),
        norm_ahead: None,
        skip: golden.parameter("state.D", [d], dtype),
        length: golden.size("l_max"),
    }
}

#[test]
fn sgconv_is_that_of_the_reference() {
    each("sgconv_", |golden| {
        for (dtype, suffix, kernel, output) in
            [(DType::F32, "", 1e-6, 1e-5), (DType::F64, "_f64", 1e-12, 1e-12)]
        {
            let (d, length, n_batch) = (golden.size("H"), golden.size("L"), golden.size("batch"));
            let (width, n_scales) = (golden.size("kernel_dim"), golden.size("num_scales"));
            // A norm in 32 bits carries no more digits.
            let least = if dtype == DType::F64 && was_changed(golden) { 1e-6 } else { 0.0 };
            let (kernel, output) = (f64::max(kernel, least), f64::max(output, least));
            let layer = sgconv(golden, dtype);
            let k = layer.kernel(length);
            let name = format!("kernel{suffix}");
            golden.close(&name, &all(k.clone()), kernel, 0.0);
            let by_scale = |prefix: &str, layer: &SgConv, gradients: &Gradients| {
                let ours = gradient(&layer.scales, gradients);
                for scale in 0..n_scales {
                    let channel = |at: usize| ours[(at * n_scales + scale) * width..][..width].to_vec();
                    let ours: Vec<f64> = (0..d).flat_map(channel).collect();
                    golden.close(&format!("{prefix}kernel_list.{scale}"), &ours, 1e-6, 1e-4);
                }
            };
            let gradients = (k.clone() * k).mean().backward();
            by_scale("grad_kernel.", &layer, &gradients);
            let weight = golden.parameter("state.output_linear.weight", [d, d], dtype);
            let bias = golden.parameter("state.output_linear.bias", [d], dtype);
            let u = golden.input(dtype).require_grad();
            let mixer = Mixer::SgConv(layer);
            let pre = mixer.forward(u.clone());
            golden.close(&format!("y_pre{suffix}"), &all(pre.clone().swap_dims(1, 2)), output, 0.0);
            let rows = gelu(pre).reshape([n_batch * length, d]);
            let y = linear(rows, weight.val().transpose(), Some(bias.val()), Activation::None);
            let y = y.reshape([n_batch, length, d]);
            golden.close(&format!("y{suffix}"), &all(y.clone().swap_dims(1, 2)), output, 0.0);
            let gradients = (y.clone() * y).mean().backward();
            let Mixer::SgConv(layer) = &mixer else { panic!("an SGConv layer") };
            by_scale("grad_y.", layer, &gradients);
            golden.close("grad_y.D", &gradient(&layer.skip, &gradients), 1e-6, 1e-4);
            golden.close("grad_y.output_linear.weight", &gradient(&weight, &gradients), 1e-6, 1e-4);
            golden.close("grad_y.output_linear.bias", &gradient(&bias, &gradients), 1e-6, 1e-4);
            let of_u = all(u.grad(&gradients).unwrap().swap_dims(1, 2));
            golden.close("grad_y.u", &of_u, 1e-6, 1e-4);
        }
        // Step by step, whole.
        if golden.has("y_pre_f64") {
            let (y, _) = stepped(&Mixer::SgConv(sgconv(golden, DType::F32)), golden);
            golden.close("y_pre_f64", &y, 1e-5, 0.0);
        }
    });
}
