//! What every operation is held to: the kernel gives what the composition gives in 64 bits, its gradients too; those
//! are central differences; and the number of threads changes no bit.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::data::mix;
use crate::data::random::unit;

/// Numbers between -1 and 1.
pub(super) fn draw(n: usize, seed: u64) -> Vec<f64> {
    (0..n as u64).map(|i| 2.0 * unit(mix(seed), i) - 1.0).collect()
}

/// Holds an operation on flat inputs of these lengths, with a flat result, to its composition.
pub(super) fn check(lengths: &[usize], operation: impl Fn(&[Tensor<1>]) -> Tensor<1> + Sync) {
    let inputs: Vec<Vec<f64>> = lengths.iter().enumerate().map(|(i, n)| draw(*n, 100 + i as u64)).collect();
    check_at(&inputs, 2e-5, operation);
}

/// The same with the inputs given, and the tolerance against 64 bits, relative to the largest number.
pub(super) fn check_at(
    inputs: &[Vec<f64>],
    tolerance: f64,
    operation: impl Fn(&[Tensor<1>]) -> Tensor<1> + Sync,
) {
    let (output, gradients) = run(inputs, DType::F32, &operation);
    let (exact_output, exact_gradients) = run(inputs, DType::F64, &operation);
    assert_close("output", &output, &exact_output, tolerance);
    for (i, (ours, exact)) in gradients.iter().zip(&exact_gradients).enumerate() {
        assert_close(&format!("gradient of input {i}"), ours, exact, tolerance);
    }
    // Central differences of the loss, at some elements of each input.
    let loss = |inputs: &[Vec<f64>]| -> f64 {
        let inputs = tensors(inputs, DType::F64, &Device::flex());
        numbers(operation(&inputs)).iter().zip(draw(exact_output.len(), 7)).map(|(y, w)| y * w).sum()
    };
    for (i, exact) in exact_gradients.iter().enumerate() {
        for at in (0..exact.len()).step_by(1 + exact.len() / 12) {
            let step = 1e-5;
            let moved = |by: f64| {
                let mut inputs = inputs.to_vec();
                inputs[i][at] += by;
                loss(&inputs)
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (difference - exact[at]).abs() <= 1e-6 * (1.0 + exact[at].abs()),
                "element {at} of input {i}: {} for {difference}",
                exact[at]
            );
        }
    }
    for n_threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let (again, gradients_again) = pool.install(|| run(inputs, DType::F32, &operation));
        assert!(again == output && gradients_again == gradients, "{n_threads} threads");
    }
    // Without gradients the same numbers.
    let without = numbers(operation(&tensors(inputs, DType::F32, &Device::flex())));
    assert!(without == output, "without gradients");
}

type Numbers = Vec<f64>;

fn run(
    inputs: &[Vec<f64>],
    dtype: DType,
    operation: &impl Fn(&[Tensor<1>]) -> Tensor<1>,
) -> (Numbers, Vec<Numbers>) {
    let device = Device::flex().autodiff();
    let inputs: Vec<Tensor<1>> =
        tensors(inputs, dtype, &device).into_iter().map(Tensor::require_grad).collect();
    let output = operation(&inputs);
    let weights = draw(output.dims()[0], 7);
    let n = weights.len();
    let weights = Tensor::<1>::from_data(TensorData::new(weights, [n]), (&device, dtype));
    let gradients = (output.clone() * weights).sum().backward();
    let gradients = inputs.iter().map(|input| numbers(input.grad(&gradients).unwrap())).collect();
    (numbers(output), gradients)
}

fn tensors(inputs: &[Vec<f64>], dtype: DType, device: &Device) -> Vec<Tensor<1>> {
    let tensor =
        |input: &Vec<f64>| Tensor::from_data(TensorData::new(input.clone(), [input.len()]), (device, dtype));
    inputs.iter().map(tensor).collect()
}

/// The numbers of a tensor.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Every number within this share of the largest one of the reference.
pub(super) fn assert_close(what: &str, ours: &[f64], exact: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), exact.len(), "{what}");
    let largest = exact.iter().fold(1e-3, |largest: f64, x| largest.max(x.abs()));
    for (at, (ours, exact)) in ours.iter().zip(exact).enumerate() {
        let error = (ours - exact).abs() / largest;
        assert!(error <= tolerance, "{what}, element {at}: {ours} for {exact}, error {error:e}");
    }
}
