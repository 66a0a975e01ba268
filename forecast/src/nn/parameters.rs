//! The numbers of a network read out and put back, with the path of each tensor in it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::{Error, Result};

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// Names from the outside in: `layers.0.weight`.
    pub(crate) path: String,
    /// Of any rank.
    pub(crate) shape: Vec<usize>,
    /// Row-major.
    pub(crate) values: Vec<f32>,
}

/// All numbers of a network, running statistics included, in the order that it names them.
///
/// # Errors
/// [`Error::Internal`] if a tensor cannot be read.
pub(crate) fn read<N: Module>(network: &N) -> Result<Vec<Parameter>> {
    let mut reader = Reader { path: Vec::new(), parameters: Ok(Vec::new()) };
    // A network for validation has its running statistics brought up to date.
    network.valid().visit(&mut reader);
    reader.parameters
}

/// The network with these numbers; what it is trained with stays as it was.
///
/// # Errors
/// [`Error::Internal`] with the first tensor whose path or shape is another one.
pub(crate) fn write<N: Module>(network: N, parameters: Vec<Parameter>) -> Result<N> {
    let mut writer = Writer { path: Vec::new(), rest: parameters.into_iter(), failed: None };
    let network = network.map(&mut writer);
    let left = writer.rest.next().map(|parameter| format!("the network has no tensor {}", parameter.path));
    writer.failed.or(left).map_or(Ok(network), |reason| Err(Error::Internal(reason)))
}

struct Reader {
    path: Vec<String>,
    parameters: Result<Vec<Parameter>>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Ok(parameters) = &mut self.parameters else {
            return;
        };
        let (path, value) = (self.path.join("."), param.val());
        let shape = value.dims().to_vec();
        match value.try_into_vec_as::<f32>() {
            Ok(values) => parameters.push(Parameter { path, shape, values }),
            Err(error) => self.parameters = Err(Error::Internal(format!("tensor {path}: {error}"))),
        }
    }
}

struct Writer {
    path: Vec<String>,
    rest: std::vec::IntoIter<Parameter>,
    failed: Option<String>,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, shape) = (self.path.join("."), param.val().dims().to_vec());
        let found = self.rest.next();
        match found.filter(|found| found.path == path && found.shape == shape) {
            Some(found) if self.failed.is_none() => param.map(|value| {
                let is_trained = value.is_require_grad();
                let written = Tensor::from_data(TensorData::new(found.values, shape), &value.device());
                written.set_require_grad(is_trained)
            }),
            Some(_) => param,
            None => {
                self.failed.get_or_insert(format!("there is no tensor {path} of shape {shape:?}"));
                param
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Mlp;
    use burn::tensor::Device;

    #[test]
    fn what_is_read_is_put_into_another_network_and_that_can_be_trained() {
        let device = Device::flex().autodiff();
        let (first, second) = (Mlp::new(&[3, 4, 2], 1, &device), Mlp::new(&[3, 4, 2], 2, &device));
        let numbers = read(&first).unwrap();
        let shapes: Vec<_> = numbers.iter().map(|p| (p.path.as_str(), &p.shape[..])).collect();
        let layers = [
            ("layers.0.weight", &[3, 4][..]),
            ("layers.0.bias", &[4]),
            ("layers.1.weight", &[4, 2]),
            ("layers.1.bias", &[2]),
        ];
        assert_eq!(shapes, layers);
        assert_ne!(read(&second).unwrap(), numbers);
        let second = write(second, numbers.clone()).unwrap();
        assert_eq!(read(&second).unwrap(), numbers);
        let gradients = second.forward(Tensor::ones([1, 3], &device)).sum().backward();
        assert!(second.layers[0].weight.val().grad(&gradients).is_some());
        // Without gradients it stays so.
        assert!(!write(first.valid(), numbers).unwrap().layers[0].weight.val().is_require_grad());
    }

    #[test]
    fn numbers_of_another_network_are_refused_with_the_tensor() {
        let device = Device::flex();
        let network = |widths: &[usize]| Mlp::new(widths, 1, &device);
        let numbers = read(&network(&[3, 4, 2])).unwrap();
        let refused = |widths: &[usize]| write(network(widths), numbers.clone()).unwrap_err().to_string();
        assert!(refused(&[3, 5, 2]).contains("layers.0.weight of shape [3, 5]"));
        assert!(refused(&[3, 4, 2, 2]).contains("layers.2.weight"));
        assert!(refused(&[3, 4]).contains("the network has no tensor layers.1.weight"));
    }
}
