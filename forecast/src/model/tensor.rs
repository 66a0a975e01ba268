//! Named arrays of numbers, as a family hands them to the model file.

use std::collections::BTreeMap;

use ndarray::{Array, Dimension};

/// Numbers with a shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Tensors by name, in the order of their names.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

impl<D: Dimension> From<&Array<f64, D>> for Tensor {
    fn from(array: &Array<f64, D>) -> Self {
        Tensor { shape: array.shape().to_vec(), values: array.iter().copied().collect() }
    }
}
