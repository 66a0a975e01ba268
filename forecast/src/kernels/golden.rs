//! Holds ProbSparse attention to numbers made with the code of its paper.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use serde_json::Value;

use super::check::{assert_close, numbers};
use super::prob_sparse::composition;
use super::{Mask, ProbSparse, prob_sparse_attention};

/// The files are made with the code of the paper; `golden/README.md` says how, and has the tolerances.
#[test]
fn numbers_are_those_of_the_paper() {
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("LONGCAST_GOLDEN").map_or(in_tree, PathBuf::from);
    let mut n_files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("probsparse_") && name.ends_with(".safetensors") {
            n_files += 1;
            check_golden(&std::fs::read(&path).unwrap(), &name);
        }
    }
    assert!(n_files > 0, "no probsparse_*.safetensors in {}", folder.display());
}

fn check_golden(bytes: &[u8], name: &str) {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let config: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["golden"]).unwrap();
    let config = &config["config"];
    let size = |key: &str| usize::try_from(config[key].as_u64().unwrap()).unwrap();
    let file = SafeTensors::deserialize(bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let bytes = file.tensor(name).unwrap();
        bytes.data().chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect()
    };
    let (n_heads, n_samples, n_top) = (size("n_heads"), size("sample_k"), size("u"));
    let is_masked = config["mask_flag"].as_bool().unwrap();
    let mask = if is_masked { Mask::Causal } else { Mask::None };
    let samples = file.tensor("index_sample").unwrap();
    let samples = samples.data().chunks(8).map(|x| i64::from_le_bytes(x.try_into().unwrap()) as u32);
    let samples: Vec<u32> = samples.collect();
    let options = ProbSparse { n_heads, samples: &samples, n_samples, n_top, mask };
    let device = Device::flex().autodiff();
    let (n_batch, width) = (size("batch"), n_heads * size("d_head"));
    let tensor = |name: &str, length: &str| {
        let data = TensorData::new(floats(name), [n_batch, size(length), width]);
        Tensor::<3>::from_data(data, &device)
    };
    let inputs =
        [("q", "L_Q"), ("k", "L_K"), ("v", "L_K")].map(|(x, length)| tensor(x, length).require_grad());
    let weight = tensor("weight", "L_Q");
    type Attention = fn(Tensor<3>, Tensor<3>, Tensor<3>, &ProbSparse<'_>) -> Tensor<3>;
    let both: [Attention; 2] = [prob_sparse_attention, composition];
    for run in both {
        let [q, k, v] = inputs.clone();
        let output = run(q, k, v, &options);
        let gradients = (output.clone() * weight.clone()).sum().backward();
        let compare = |what: &str, ours: Tensor<3>, tolerance: f64| {
            let due: Vec<f64> = floats(what).into_iter().map(f64::from).collect();
            let largest = due.iter().fold(1e-3, |largest: f64, x| largest.max(x.abs()));
            assert_close(&format!("{name}, {what}"), &numbers(ours), &due, tolerance / largest);
        };
        compare("output", output, 5e-6);
        for (input, what) in inputs.iter().zip(["grad.q", "grad.k", "grad.v"]) {
            compare(what, input.grad(&gradients).unwrap(), 1e-5);
        }
    }
}
