//! How a kernel becomes an operation of burn on the CPU, with its own backward pass; `register.rs` has the numbers of
//! inputs.
//!
//! A kernel reads slices and writes a slice; tensors are passed by reference, without copies. Only what an operation
//! asks for is kept until the backward pass.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::pool;

/// A kernel of `N` inputs.
pub(super) trait Operation<const N: usize>: Debug + Send + Sync + 'static {
    /// The shape of the result.
    fn shape(&self) -> Vec<usize>;

    /// Writes all of `out`; what it returns is handed to the backward pass, if there will be one.
    fn forward(&self, inputs: [&[f32]; N], out: &mut [f32], keep: Keep) -> Vec<Vec<f32>>;

    /// Which inputs the backward pass reads.
    fn reads(&self) -> [bool; N];

    /// The gradients of those inputs that are `wanted`, of the inputs' lengths. Inputs that it does not read are
    /// empty.
    fn backward(&self, context: &mut Context<'_, N>) -> [Option<Vec<f32>>; N];
}

/// Whether a backward pass will follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    ForBackward,
}

/// What a backward pass sees.
#[derive(Debug)]
pub(super) struct Context<'a, const N: usize> {
    pub(super) inputs: [&'a [f32]; N],
    /// What the forward pass returned.
    pub(super) saved: &'a [Vec<f32>],
    /// The gradient of the output, whose memory an operation may take for one of its own.
    pub(super) gradient: Vec<f32>,
    pub(super) wanted: [bool; N],
}

/// Whether the kernels are for this tensor: on the CPU, of 32 bits.
pub(super) fn is_fused<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(test)]
    if COMPOSED.get() {
        return false;
    }
    x.dtype() == DType::F32 && x.device() == Device::flex()
}

#[cfg(test)]
thread_local! {
    static COMPOSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Does something on this thread as on a device without kernels.
#[cfg(test)]
pub(crate) fn by_compositions<T>(work: impl FnOnce() -> T) -> T {
    COMPOSED.set(true);
    let done = work();
    COMPOSED.set(false);
    done
}

/// A kernel of any kind.
pub(super) type Shared<const N: usize> = Arc<dyn Operation<N>>;

/// A tensor on the CPU.
pub(super) type Values = FloatTensor<Flex>;

/// Numbers of the longest input whose memory the next operation may get; what one large batch took goes back to the
/// system.
const LONGEST: usize = 1 << 20;

/// The forward pass alone; the next operation may write where inputs were that nothing else holds.
pub(super) fn plain<const N: usize>(inputs: [Values; N], operation: &Shared<N>) -> Values {
    let inputs = inputs.map(|input| input.to_contiguous());
    let (output, saved) = run(&inputs, operation, Keep::Nothing);
    saved.into_iter().for_each(pool::give);
    inputs.into_iter().filter(|input| input.layout().num_elements() <= LONGEST).for_each(reclaim);
    output
}

/// The forward pass, and the backward pass once there are gradients.
pub(super) fn tracked<C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    operation: Shared<N>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    match Step(operation.clone()).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::UnTracked(step) => step.finish(plain(inputs, &operation)),
        OpsKind::Tracked(step) => {
            let (output, saved) = run(&inputs, &operation, Keep::ForBackward);
            let shapes = inputs.each_ref().map(|input| input.layout().shape().to_vec());
            let mut reads = operation.reads().into_iter();
            let inputs = inputs.map(|input| reads.next().unwrap_or(true).then_some(input));
            let state = State { inputs, shapes, saved: Arc::new(Saved(saved)) };
            step.finish(state, output)
        }
    }
}

fn run<const N: usize>(inputs: &[Values; N], operation: &Shared<N>, keep: Keep) -> (Values, Vec<Vec<f32>>) {
    let shape = operation.shape();
    let mut out = pool::take(shape.iter().product());
    let saved = operation.forward(inputs.each_ref().map(slice), &mut out, keep);
    (Values::from_data(TensorData::new(out, shape)), saved)
}

/// Whether the numbers of a tensor are all that its memory holds, in order.
fn is_whole(tensor: &Values) -> bool {
    let n_bytes = tensor.layout().num_elements() * size_of::<f32>();
    tensor.is_contiguous() && tensor.bytes().len() == n_bytes
}

/// The numbers of a contiguous tensor.
fn slice(tensor: &Values) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or(&[])
}

/// Gives the memory of a tensor back if nothing else holds it.
fn reclaim(tensor: Values) {
    if tensor.is_unique() && is_whole(&tensor) {
        into_numbers(tensor).into_iter().for_each(pool::give);
    }
}

/// The numbers of a contiguous tensor; a copy of them if something else holds them.
fn owned(tensor: Values) -> Vec<f32> {
    if tensor.is_unique() && is_whole(&tensor) {
        return into_numbers(tensor).unwrap_or_default();
    }
    let mut numbers = pool::take(slice(&tensor).len());
    numbers.copy_from_slice(slice(&tensor));
    numbers
}

fn into_numbers(tensor: Values) -> Option<Vec<f32>> {
    tensor.into_data().try_into_vec::<f32>().ok()
}

#[derive(Debug)]
struct Step<const N: usize>(Shared<N>);

#[derive(Debug, Clone)]
struct State<const N: usize> {
    inputs: [Option<Values>; N],
    shapes: [Vec<usize>; N],
    saved: Arc<Saved>,
}

/// Buffers that go back to the pool.
#[derive(Debug)]
struct Saved(Vec<Vec<f32>>);

impl Drop for Saved {
    fn drop(&mut self) {
        self.0.drain(..).for_each(pool::give);
    }
}

impl<const N: usize> Backward<Flex, N> for Step<N> {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let State { inputs, shapes, saved } = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let mut context = Context {
            inputs: inputs.each_ref().map(|input| input.as_ref().map_or(&[][..], slice)),
            saved: &saved.0,
            gradient: owned(gradient),
            wanted: ops.parents.each_ref().map(Option::is_some),
        };
        let gradients = self.0.backward(&mut context);
        pool::give(context.gradient);
        drop(saved);
        inputs.into_iter().flatten().for_each(reclaim);
        for ((node, shape), gradient) in ops.parents.into_iter().zip(shapes).zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, Values::from_data(TensorData::new(gradient, shape)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_for_32_bits_on_the_cpu() {
        let device = Device::flex();
        for (device, dtype, fused) in [
            (device.clone(), DType::F32, true),
            (device.clone().autodiff(), DType::F32, true),
            (device.autodiff(), DType::F64, false),
        ] {
            assert_eq!(is_fused(&Tensor::<1>::zeros([3], (&device, dtype))), fused);
        }
    }
}
