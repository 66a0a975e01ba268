//! Named arrays of numbers, as a family hands them to the model file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array, Dimension};
use safetensors::tensor::{Dtype, TensorView};

/// Numbers with a shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    numbers: Numbers,
}

/// Numbers as they stand in the file.
#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    /// Of 32 bits; a copy of a tensor shares them.
    Single(Arc<Vec<f32>>),
    /// Of 64 bits.
    Double(Vec<f64>),
}

/// Tensors by name, in the order of their names.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

impl Tensor {
    /// Numbers of 64 bits.
    pub(crate) fn new(shape: Vec<usize>, values: Vec<f64>) -> Self {
        Tensor { shape, numbers: Numbers::Double(values) }
    }

    /// Numbers of 32 bits, as networks have them: half the size, and the same bits when they come back.
    pub(crate) fn single(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Tensor { shape, numbers: Numbers::Single(Arc::new(values)) }
    }

    /// The numbers in 64 bits.
    pub(crate) fn values(&self) -> Cow<'_, [f64]> {
        match &self.numbers {
            Numbers::Single(values) => values.iter().copied().map(f64::from).collect(),
            Numbers::Double(values) => Cow::Borrowed(values),
        }
    }

    /// The numbers, if they have 64 bits.
    pub(crate) fn doubles(&self) -> Option<&[f64]> {
        match &self.numbers {
            Numbers::Single(_) => None,
            Numbers::Double(values) => Some(values),
        }
    }

    /// The numbers in 32 bits.
    pub(crate) fn to_singles(&self) -> Vec<f32> {
        match &self.numbers {
            Numbers::Single(values) => values.to_vec(),
            Numbers::Double(values) => values.iter().map(|value| *value as f32).collect(),
        }
    }

    /// The tensor in 32 bits; numbers that have no more are shared.
    pub(crate) fn as_single(&self) -> Self {
        match &self.numbers {
            Numbers::Single(_) => self.clone(),
            Numbers::Double(_) => Tensor::single(self.shape.clone(), self.to_singles()),
        }
    }

    /// The numbers as they stand in the file.
    pub(super) fn encode(&self) -> (Dtype, Vec<u8>) {
        match &self.numbers {
            Numbers::Single(values) => {
                (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Numbers::Double(values) => {
                (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
        }
    }

    /// A tensor of a file; `None` if it holds no floating-point numbers of 32 or 64 bits.
    pub(super) fn decode(view: &TensorView<'_>) -> Option<Self> {
        let shape = view.shape().to_vec();
        match view.dtype() {
            Dtype::F32 => {
                let (numbers, _) = view.data().as_chunks::<4>();
                Some(Tensor::single(shape, numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
            }
            Dtype::F64 => {
                let (numbers, _) = view.data().as_chunks::<8>();
                Some(Tensor::new(shape, numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()))
            }
            _ => None,
        }
    }
}

impl<D: Dimension> From<&Array<f64, D>> for Tensor {
    fn from(array: &Array<f64, D>) -> Self {
        Tensor::new(array.shape().to_vec(), array.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_both_precisions_come_back_bit_for_bit() {
        let singles = [0.1_f32, -0.0, f32::MIN_POSITIVE / 8.0, f32::MAX];
        for tensor in [Tensor::single(vec![2, 2], singles.to_vec()), Tensor::new(vec![2], vec![0.1, -1e300])]
        {
            let (dtype, bytes) = tensor.encode();
            let view = TensorView::new(dtype, tensor.shape.clone(), &bytes).unwrap();
            assert_eq!(Tensor::decode(&view), Some(tensor));
        }
        let back = Tensor::single(vec![4], singles.to_vec()).to_singles();
        assert!(back.iter().zip(singles).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(Tensor::decode(&TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap()).is_none());
    }
}
