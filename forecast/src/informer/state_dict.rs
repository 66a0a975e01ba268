//! Reads the tensors of a checkpoint, a PyTorch state dict in a `.pth` or `.safetensors` file, as plain numbers.

use std::path::Path;

use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors};

use super::weights::{Weight, Weights};
use crate::{Error, Result, file};

/// No checkpoint is larger than this.
const MAX_FILE: u64 = 4 << 30;
const FORMAT: &str = "a PyTorch checkpoint";

/// The tensors of 32 or 64 bits by name; whole numbers, which count batches, are left out.
///
/// # Errors
/// [`Error::Io`], or [`Error::Unreadable`] with what is wrong, such as a tensor of another type.
pub(crate) fn read_state_dict(path: &Path) -> Result<Weights> {
    let length = path.metadata().map_or(0, |metadata| metadata.len());
    if length > MAX_FILE {
        let reason = format!("it has {length} bytes, more than the limit of {MAX_FILE}");
        return Err(unreadable(path, reason));
    }
    let is_safetensors =
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
    let weights = if is_safetensors { read_safetensors(path)? } else { read_pickle(path)? };
    // Networks that were trained on several devices have a name of their own in front.
    match weights.keys().all(|name| name.starts_with("module.")) {
        true => Ok(weights
            .into_iter()
            .map(|(name, weight)| (name["module.".len()..].to_string(), weight))
            .collect()),
        false => Ok(weights),
    }
}

/// That a checkpoint cannot be used, and why.
pub(super) fn unreadable(path: &Path, reason: String) -> Error {
    Error::Unreadable { input: path.display().to_string(), format: FORMAT, reason }
}

fn read_safetensors(path: &Path) -> Result<Weights> {
    let bytes = file::read(path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(path, error.to_string()))?;
    let weight = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let values = match view.dtype() {
            Dtype::F32 => singles(view.data()),
            Dtype::F64 => doubles(view.data()),
            Dtype::I64 => return None,
            other => return Some(Err(of_type(path, name, &other))),
        };
        Some(Ok((name.to_string(), Weight { shape: view.shape().to_vec(), values })))
    };
    tensors.iter().filter_map(weight).collect()
}

fn read_pickle(path: &Path) -> Result<Weights> {
    // The reader's own errors do not say that a file is not there.
    let io = |source| Error::Io { action: "cannot read", path: path.to_path_buf(), source };
    std::fs::File::open(path).map_err(io)?;
    let reader = PytorchReader::new(path).map_err(|error| unreadable(path, error.to_string()))?;
    let weight = |tensor: &pytorch_reader::Tensor| {
        let numbers = match tensor.dtype() {
            DType::F32 => singles,
            DType::F64 => doubles,
            DType::I64 => return None,
            other => return Some(Err(of_type(path, &tensor.name, &other))),
        };
        let bytes = tensor.read().map_err(|error| unreadable(path, error.to_string()));
        let weight = |bytes: Vec<u8>| Weight { shape: tensor.shape().to_vec(), values: numbers(&bytes) };
        Some(bytes.map(|bytes| (tensor.name.clone(), weight(bytes))))
    };
    reader.tensors().values().filter_map(weight).collect()
}

fn of_type(path: &Path, name: &str, found: &dyn std::fmt::Debug) -> Error {
    unreadable(path, format!("tensor {name} is of type {found:?}, where F32 or F64 is due"))
}

fn singles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn doubles(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()
}
