//! Holds the network to numbers that the reference code made; `forecast/tests/golden/README.md` says which.
//!
//! The weights come through the import, so these are its tests as well. Files and sizes are as in
//! `forecast/tests/golden.rs`: every `informer_*.safetensors` of the folder is compared, whatever its sizes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use safetensors::tensor::SafeTensors;
use serde_json::Value;

use super::attention::Ask;
use super::config::InformerConfig;
use super::import::from_state_dict;
use super::names::Names;
use super::network::Informer;
use super::pass::{Mode, Pass, Sites};
use super::sequence::Sequence;
use super::state_dict::read_state_dict;
use super::weights::{Weight, Weights, to_weights};
use crate::kernels::by_compositions;

/// A golden file.
struct Case {
    path: PathBuf,
    /// Everything but whole numbers.
    tensors: Weights,
    /// Sampled keys of each ProbSparse attention.
    samples: Vec<Vec<u32>>,
    config: InformerConfig,
    horizon: usize,
    tolerance: Value,
}

fn cases() -> Vec<Case> {
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("LONGCAST_GOLDEN").map_or(in_tree, PathBuf::from);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("informer_") && name.ends_with(".safetensors")
    };
    let cases: Vec<Case> = entries.filter(is_wanted).map(Case::read).collect();
    assert!(!cases.is_empty(), "no informer_*.safetensors in {}", folder.display());
    cases
}

/// Every case by the kernels, by their compositions, and on a graphics processor if the tests are built for one.
fn on_every_path(check: impl Fn(&Case, &Device)) {
    for case in cases() {
        check(&case, &Device::flex());
        by_compositions(|| check(&case, &Device::flex()));
        #[cfg(feature = "wgpu")]
        check(&case, &crate::nn::DeviceKind::Wgpu.device().unwrap());
    }
}

impl Case {
    fn read(path: PathBuf) -> Self {
        println!("read {}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let golden: Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["golden"]).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let samples = (0..).map_while(|n| file.tensor(&format!("prob.{n}.index_sample")).ok());
        let samples = samples.map(|view| {
            let (keys, _) = view.data().as_chunks::<8>();
            keys.iter().map(|key| u32::try_from(i64::from_le_bytes(*key)).unwrap()).collect()
        });
        let samples = samples.collect();
        let theirs = &golden["config"];
        let size = |key: &str| theirs[key].as_u64().unwrap();
        let n_decoder_layers = usize::try_from(size("d_layers")).unwrap();
        let depths: Vec<u64> = match &theirs["e_layers"] {
            Value::Array(depths) => depths.iter().map(|depth| depth.as_u64().unwrap()).collect(),
            depth => vec![depth.as_u64().unwrap()],
        };
        let deepest = usize::try_from(*depths.iter().max().unwrap()).unwrap();
        let config = serde_json::json!({
            "lookback": size("seq_len"),
            "label_length": size("label_len"),
            "d_model": size("d_model"),
            "n_heads": size("n_heads"),
            "d_ff": size("d_ff"),
            "encoder_layers": vec![theirs["attn"].as_str().unwrap(); deepest],
            "decoder_layers": vec![theirs["attn"].as_str().unwrap(); n_decoder_layers],
            "stacks": if theirs["e_layers"].is_array() { depths } else { Vec::new() },
            "factor": size("factor"),
            "distil": theirs["distil"],
            "mix": theirs["mix"],
            "dropout": theirs["dropout"],
            "activation": theirs["activation"],
            "embedding": theirs["embed"],
        });
        Case {
            tensors: read_state_dict(&path).unwrap(),
            samples,
            config: serde_json::from_value(config).unwrap(),
            horizon: usize::try_from(size("out_len")).unwrap(),
            tolerance: golden["tolerance"].clone(),
            path,
        }
    }

    /// The tensors whose names begin so, without the beginning.
    fn part(&self, prefix: &str) -> Weights {
        let named = |(name, weight): (&String, &Weight)| {
            Some((name.strip_prefix(prefix)?.to_string(), weight.clone()))
        };
        self.tensors.iter().filter_map(named).collect()
    }

    fn network(&self, device: &Device) -> Informer {
        // Only what shapes cannot tell is given.
        let given = InformerConfig { d_model: 512, d_ff: 2048, stacks: Vec::new(), ..self.config.clone() };
        let given = InformerConfig { encoder_layers: given.encoder_layers[..1].to_vec(), ..given };
        let imported = from_state_dict(self.part("state."), &given, self.horizon, device).unwrap();
        assert_eq!(imported.config, self.config, "{}", self.path.display());
        imported.network
    }

    fn input(&self, name: &str, device: &Device) -> Tensor<3> {
        let Weight { shape, values } = self.tensors[&format!("input.{name}")].clone();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn mode(&self) -> Mode<'_> {
        Mode { samples: Some(&self.samples), ..Mode::evaluation() }
    }

    /// Compares numbers as numpy's `allclose` does.
    fn compare(&self, name: &str, ours: &[f32], kind: &str) {
        let expected = &self.tensors[name].values;
        compare(&format!("{} {name}", self.path.display()), ours, expected, &self.tolerance[kind]);
    }

    fn compare_tensor<const D: usize>(&self, name: &str, ours: Tensor<D>, kind: &str) {
        self.compare(name, &ours.try_into_vec_as::<f32>().unwrap(), kind);
    }
}

fn compare(what: &str, ours: &[f32], expected: &[f32], tolerance: &Value) {
    let bound = |key: &str| tolerance[key].as_f64().unwrap_or(0.0);
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (i, (ours, due)) in ours.iter().zip(expected).enumerate() {
        let (ours, due) = (f64::from(*ours), f64::from(*due));
        let allowed = bound("atol") + bound("rtol") * due.abs();
        assert!((ours - due).abs() <= allowed, "{what}: {ours} for {due} at {i}");
    }
}

#[test]
fn imported_weights_give_the_outputs_of_the_reference() {
    on_every_path(|case, device| {
        let device = device.clone();
        let network = case.network(&device);
        let input = |name| case.input(name, &device);
        let x_enc = input("x_enc");
        let of = |x_dec| {
            network.forward(x_enc.clone(), input("x_mark_enc"), x_dec, input("x_mark_dec"), case.mode())
        };
        case.compare_tensor("output", of(input("x_dec")), "output");
        let packed = case.network(&device).for_forecasts();
        let [marks_enc, x_dec, marks_dec] = ["x_mark_enc", "x_dec", "x_mark_dec"].map(input);
        let of_packed = packed.forward(x_enc.clone(), marks_enc, x_dec, marks_dec, case.mode());
        case.compare_tensor("output", of_packed, "output");
        // Alone, each window has the same forecast: nothing depends on what else is in a batch.
        let n_batch = x_enc.dims()[0];
        let one = |b: usize| {
            let at = |name| input(name).narrow(0, b, 1);
            network.forward(at("x_enc"), at("x_mark_enc"), at("x_dec"), at("x_mark_dec"), case.mode())
        };
        case.compare_tensor("output", Tensor::cat((0..n_batch).map(one).collect(), 0), "output");
        // The start token of the reference is the end of the lookback.
        let (ours, theirs) = (network.decoder_input(&x_enc), input("x_dec"));
        assert_eq!(ours.dims(), theirs.dims());
    });
}

#[test]
fn every_layer_gives_what_that_of_the_reference_does() {
    on_every_path(|case, device| {
        let device = device.clone();
        let network = case.network(&device);
        let pass = Pass::new(network.config(), case.mode());
        let mut due = case.part("inter.");
        let mut check = |name: String, ours: Tensor<2>| {
            due.remove(&name);
            case.compare_tensor(&format!("inter.{name}"), ours, "inter");
        };
        let mut embed =
            |name: &str, embedding: &super::embedding::Embedding, x: Tensor<3>, marks: Tensor<3>| {
                let value = Sequence::new(embedding.value.forward(x.clone())).rows;
                check(format!("{name}.value_embedding"), value);
                check(format!("{name}.temporal_embedding"), embedding.time(marks.clone()).unwrap());
                let embedded = embedding.forward(x, marks, &pass);
                check(name.to_string(), embedded.rows.clone());
                embedded
            };
        let input = |name| case.input(name, &device);
        let embedded =
            embed("enc_embedding", &network.encoder_embedding, input("x_enc"), input("x_mark_enc"));
        let mut x = embed("dec_embedding", &network.decoder_embedding, input("x_dec"), input("x_mark_dec"));
        let is_stack = !network.config().stacks.is_empty();
        for (i, encoder) in network.encoders.iter().enumerate() {
            let prefix = if is_stack { format!("encoder.encoders.{i}") } else { "encoder".to_string() };
            let mut x = embedded.clone().last(encoder.length);
            for (j, layer) in encoder.layers.iter().enumerate() {
                check(
                    format!("{prefix}.attn_layers.{j}.attention"),
                    layer.attention.forward(&x, &x, all(&x), &pass),
                );
                x = layer.forward(x, &pass);
                check(format!("{prefix}.attn_layers.{j}"), x.rows.clone());
                if let Some(distil) = encoder.distils.get(j) {
                    x = distil.forward(&x, &pass);
                    check(format!("{prefix}.conv_layers.{j}"), x.rows.clone());
                }
            }
            check(prefix, encoder.forward(embedded.clone(), &pass).rows);
        }
        let memory = network.encode(embedded, &pass);
        check("encoder".to_string(), memory.rows.clone());
        let length = x.length();
        for (j, layer) in network.decoder.layers.iter().enumerate() {
            let attended = layer.self_attention.forward(&x, &x, all(&x), &pass);
            check(format!("decoder.layers.{j}.self_attention"), attended.clone());
            let normed = x.with(layer.self_norm.forward(attended, Some(x.rows.clone())));
            let crossed = layer.cross_attention.forward(&normed, &memory, all(&normed), &pass);
            check(format!("decoder.layers.{j}.cross_attention"), crossed);
            x = layer.forward(x, &memory, length, &pass);
            check(format!("decoder.layers.{j}"), x.rows.clone());
        }
        check("decoder".to_string(), network.decoder.norm.forward(x.rows, None));
        assert!(due.is_empty(), "{}: not compared: {:?}", case.path.display(), due.keys());
    });
}

/// All steps; nothing is dropped when forecasting.
fn all(x: &Sequence) -> Ask {
    Ask { n_last: x.length(), site: Sites::default().next() }
}

/// Gradients by our names.
struct OfParameters<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for OfParameters<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(self.path.join("."), gradient.try_into_vec_as::<f32>().unwrap());
        }
    }
}

#[test]
fn every_parameter_and_input_has_the_gradient_of_the_reference() {
    on_every_path(|case, device| {
        let device = device.clone().autodiff();
        let network = case.network(&device);
        let input = |name| case.input(name, &device);
        let (x_enc, x_dec) = (input("x_enc").require_grad(), input("x_dec").require_grad());
        let forecast = network.forward(
            x_enc.clone(),
            input("x_mark_enc"),
            x_dec.clone(),
            input("x_mark_dec"),
            case.mode(),
        );
        let loss = (forecast - input("target")).square().mean();
        case.compare_tensor("loss", loss.clone(), "loss");
        let gradients = loss.backward();
        case.compare_tensor("grad_input.x_enc", x_enc.grad(&gradients).unwrap(), "grad");
        case.compare_tensor("grad_input.x_dec", x_dec.grad(&gradients).unwrap(), "grad");
        let mut visitor = OfParameters { gradients: &gradients, path: Vec::new(), found: BTreeMap::new() };
        network.visit(&mut visitor);
        let mut due = case.part("grad.");
        let names = Names::of(&due);
        let weights = to_weights(&network).unwrap();
        for (name, ours) in visitor.found {
            let expected = names.take(&mut due, &name, &weights[&name].shape).unwrap();
            let what = format!("{} gradient of {name}", case.path.display());
            compare(&what, &ours, &expected.values, &case.tolerance["grad"]);
        }
        assert!(due.is_empty(), "{}: not compared: {:?}", case.path.display(), due.keys());
    });
}

#[test]
fn a_pass_of_training_takes_the_statistics_of_the_batch_and_keeps_them() {
    on_every_path(|case, device| {
        let device = device.clone().autodiff();
        let network = case.network(&device);
        let input = |name| case.input(name, &device);
        let before = network.clone();
        let mode = Mode { samples: Some(&case.samples), ..Mode::training(0) };
        let output =
            network.forward(input("x_enc"), input("x_mark_enc"), input("x_dec"), input("x_mark_dec"), mode);
        case.compare_tensor("bn_train.output", output, "output");
        let mut due = case.part("bn_train.");
        due.remove("output");
        let names = Names::of(&due);
        let (now, before) = (to_weights(&network).unwrap(), to_weights(&before).unwrap());
        for (ours, weight) in now {
            let theirs = names.theirs(&ours);
            match due.remove(&theirs) {
                Some(expected) => {
                    compare(&theirs, &weight.values, &expected.values, &case.tolerance["output"]);
                    assert_ne!(before[&ours], weight, "a clone from before has the statistics from before");
                }
                None => assert_eq!(before[&ours], weight, "{ours}"),
            }
        }
        assert!(due.is_empty(), "{}: not compared: {:?}", case.path.display(), due.keys());
    });
}
