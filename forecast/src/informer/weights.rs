//! The parameters of a network as named arrays of numbers: what model files hold, and what weights of other programs
//! are turned into.
//!
//! Names follow the fields, such as `encoders.0.layers.1.attention.query.weight`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::model::{self, Tensors};
use crate::{Error, Result};

/// Numbers with a shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weight {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Weights by name, in the order of their names.
pub(crate) type Weights = BTreeMap<String, Weight>;

/// Why weights are not those of a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WeightMismatch {
    /// The network has one that is not there.
    #[error("tensor {name} of shape {expected:?} is missing")]
    Missing { name: String, expected: Vec<usize> },
    /// There is one that the network does not have.
    #[error("tensor {name} of shape {found:?} is left over")]
    LeftOver { name: String, found: Vec<usize> },
    /// One has another shape.
    #[error("tensor {name} has shape {found:?}, but {expected:?} is due")]
    Shape { name: String, found: Vec<usize>, expected: Vec<usize> },
    /// One holds something that is not a number.
    #[error("tensor {name} holds {value} at {at}")]
    NotFinite { name: String, at: usize, value: String },
}

/// The parameters and running statistics of a network.
///
/// # Errors
/// [`Error::Internal`] only.
pub(crate) fn to_weights<M: Module>(module: &M) -> Result<Weights> {
    let mut reader = Reader { path: Vec::new(), weights: Weights::new(), failure: None };
    module.visit(&mut reader);
    match reader.failure {
        Some(reason) => Err(Error::Internal(reason)),
        None => Ok(reader.weights),
    }
}

/// The network with these parameters and running statistics, each of which it has to have.
///
/// # Errors
/// The first that is missing or of another shape in the order of the network, then the first that is left over.
pub(crate) fn with_weights<M: Module>(module: M, weights: Weights) -> Result<M, WeightMismatch> {
    let mut writer = Writer { path: Vec::new(), weights, failure: None };
    let module = module.map(&mut writer);
    let left_over = writer.weights.pop_first();
    let left_over = left_over.map(|(name, weight)| WeightMismatch::LeftOver { name, found: weight.shape });
    writer.failure.or(left_over).map_or(Ok(module), Err)
}

/// What stands before the names in a model file.
const PREFIX: &str = "network.";

/// The parameters and running statistics as a model file holds them.
pub(crate) fn to_tensors<M: Module>(module: &M) -> Result<Tensors> {
    let tensor = |(name, weight): (String, Weight)| {
        (format!("{PREFIX}{name}"), model::Tensor::single(weight.shape, weight.values))
    };
    Ok(to_weights(module)?.into_iter().map(tensor).collect())
}

/// The network with the tensors of a model file; others that are in it are left alone.
///
/// # Errors
/// [`Error::Internal`] with the first tensor that is missing, left over or of another shape.
pub(crate) fn from_tensors<M: Module>(module: M, tensors: &Tensors) -> Result<M> {
    let weight = |(name, tensor): (&String, &model::Tensor)| {
        let name = name.strip_prefix(PREFIX)?.to_string();
        Some((name, Weight { shape: tensor.shape.clone(), values: tensor.to_singles() }))
    };
    let weights = tensors.iter().filter_map(weight).collect();
    with_weights(module, weights).map_err(|mismatch| Error::Internal(mismatch.to_string()))
}

/// The tensors of the network in a model file, which share their numbers with it.
pub(crate) fn of_network(tensors: &Tensors) -> Tensors {
    let of_network = tensors.iter().filter(|(name, _)| name.starts_with(PREFIX));
    of_network.map(|(name, tensor)| (name.clone(), tensor.as_single())).collect()
}

struct Reader {
    path: Vec<String>,
    weights: Weights,
    failure: Option<String>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        match tensor.try_into_vec_as::<f32>() {
            Ok(values) => {
                self.weights.insert(self.path.join("."), Weight { shape, values });
            }
            Err(error) => self.failure = Some(error.to_string()),
        }
    }
}

struct Writer {
    path: Vec<String>,
    weights: Weights,
    failure: Option<WeightMismatch>,
}

impl Writer {
    fn take(&mut self, expected: &[usize]) -> Result<Vec<f32>, WeightMismatch> {
        let (name, expected) = (self.path.join("."), expected.to_vec());
        let Some(weight) = self.weights.remove(&name) else {
            return Err(WeightMismatch::Missing { name, expected });
        };
        if weight.shape != expected || weight.values.len() != expected.iter().product::<usize>() {
            return Err(WeightMismatch::Shape { name, found: weight.shape, expected });
        }
        match weight.values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(WeightMismatch::NotFinite { name, at, value: weight.values[at].to_string() }),
            None => Ok(weight.values),
        }
    }
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.dims();
        match self.take(&shape) {
            Ok(values) => param.map(|old| {
                let new = Tensor::from_data(TensorData::new(values, shape), &old.device());
                new.set_require_grad(old.is_require_grad())
            }),
            Err(mismatch) => {
                self.failure.get_or_insert(mismatch);
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::Linear;
    use burn::tensor::Device;

    fn layer() -> Linear {
        let param = |values: Vec<f32>| Tensor::<1>::from_data(&values[..], &Device::flex());
        let weight = Param::from_tensor(param(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape([3, 2]));
        Linear { weight, bias: Some(Param::from_tensor(param(vec![7.0, 8.0]))) }
    }

    #[test]
    fn weights_have_the_names_of_their_fields_and_come_back() {
        let weights = to_weights(&layer()).unwrap();
        assert_eq!(weights.keys().collect::<Vec<_>>(), ["bias", "weight"]);
        assert_eq!(
            weights["weight"],
            Weight { shape: vec![3, 2], values: (1..7).map(|x| x as f32).collect() }
        );
        let mut doubled = weights.clone();
        doubled.values_mut().flat_map(|weight| &mut weight.values).for_each(|value| *value *= 2.0);
        assert_eq!(to_weights(&with_weights(layer(), doubled.clone()).unwrap()).unwrap(), doubled);
    }

    #[test]
    fn a_network_comes_back_from_a_model_file_that_holds_more() {
        let mut tensors = to_tensors(&layer()).unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["network.bias", "network.weight"]);
        tensors.insert("scalers".to_string(), model::Tensor::new(vec![1], vec![2.0]));
        let mut other = layer();
        other.bias = other.bias.map(|bias| bias.map(|bias| bias * 0.3));
        let back = from_tensors(other, &tensors).unwrap();
        assert_eq!(to_weights(&back).unwrap(), to_weights(&layer()).unwrap());
        tensors.remove("network.bias");
        let message = from_tensors(layer(), &tensors).unwrap_err().to_string();
        assert!(message.contains("tensor bias of shape [2] is missing"), "{message}");
    }

    #[test]
    fn weights_that_are_not_the_networks_are_named() {
        let refused = |change: &dyn Fn(&mut Weights)| {
            let mut weights = to_weights(&layer()).unwrap();
            change(&mut weights);
            with_weights(layer(), weights).unwrap_err().to_string()
        };
        let missing = refused(&|weights| drop(weights.remove("bias")));
        assert_eq!(missing, "tensor bias of shape [2] is missing");
        let more = Weight { shape: vec![1], values: vec![0.0] };
        let left_over = refused(&|weights| drop(weights.insert("gain".to_string(), more.clone())));
        assert_eq!(left_over, "tensor gain of shape [1] is left over");
        let turned = |weights: &mut Weights| weights.get_mut("weight").unwrap().shape.reverse();
        assert_eq!(refused(&turned), "tensor weight has shape [2, 3], but [3, 2] is due");
        let bad = |weights: &mut Weights| weights.get_mut("weight").unwrap().values[4] = f32::NAN;
        assert_eq!(refused(&bad), "tensor weight holds NaN at 4");
    }
}
