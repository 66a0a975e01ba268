//! The backend extension of burn that carries every kernel, by the number of its inputs.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

use super::fused::{Operation, Shared, Values, plain, tracked};

/// The operation on these tensors, `D` dimensions of them.
pub(super) fn fuse<const D: usize, const N: usize, O: Operation<N>>(
    inputs: [AnyTensor; N],
    operation: O,
) -> Tensor<D>
where
    [AnyTensor; N]: Arity<N>,
{
    Tensor::from_dispatch(inputs.run(Arc::new(operation)))
}

/// A tensor of any number of dimensions.
pub(super) type AnyTensor = FloatTensor<Dispatch>;

/// Numbers of inputs that are registered.
pub(super) trait Arity<const N: usize> {
    fn run(self, operation: Shared<N>) -> AnyTensor;
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait Fused: Backend {
    fn fused1(a: FloatTensor<Self>, operation: Shared<1>) -> FloatTensor<Self>;
    fn fused2(a: FloatTensor<Self>, b: FloatTensor<Self>, operation: Shared<2>) -> FloatTensor<Self>;
    fn fused3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        operation: Shared<3>,
    ) -> FloatTensor<Self>;
    fn fused4(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        operation: Shared<4>,
    ) -> FloatTensor<Self>;
    fn fused5(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        operation: Shared<5>,
    ) -> FloatTensor<Self>;
    fn fused6(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        operation: Shared<6>,
    ) -> FloatTensor<Self>;
    fn fused7(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        g: FloatTensor<Self>,
        operation: Shared<7>,
    ) -> FloatTensor<Self>;
}

impl Arity<1> for [AnyTensor; 1] {
    fn run(self, operation: Shared<1>) -> AnyTensor {
        let [a] = self;
        <Dispatch as Fused>::fused1(a, operation)
    }
}

impl Arity<2> for [AnyTensor; 2] {
    fn run(self, operation: Shared<2>) -> AnyTensor {
        let [a, b] = self;
        <Dispatch as Fused>::fused2(a, b, operation)
    }
}

impl Arity<3> for [AnyTensor; 3] {
    fn run(self, operation: Shared<3>) -> AnyTensor {
        let [a, b, c] = self;
        <Dispatch as Fused>::fused3(a, b, c, operation)
    }
}

impl Arity<4> for [AnyTensor; 4] {
    fn run(self, operation: Shared<4>) -> AnyTensor {
        let [a, b, c, d] = self;
        <Dispatch as Fused>::fused4(a, b, c, d, operation)
    }
}

impl Arity<5> for [AnyTensor; 5] {
    fn run(self, operation: Shared<5>) -> AnyTensor {
        let [a, b, c, d, e] = self;
        <Dispatch as Fused>::fused5(a, b, c, d, e, operation)
    }
}

impl Arity<6> for [AnyTensor; 6] {
    fn run(self, operation: Shared<6>) -> AnyTensor {
        let [a, b, c, d, e, f] = self;
        <Dispatch as Fused>::fused6(a, b, c, d, e, f, operation)
    }
}

impl Arity<7> for [AnyTensor; 7] {
    fn run(self, operation: Shared<7>) -> AnyTensor {
        let [a, b, c, d, e, f, g] = self;
        <Dispatch as Fused>::fused7(a, b, c, d, e, f, g, operation)
    }
}

impl Fused for Flex {
    fn fused1(a: Values, operation: Shared<1>) -> Values {
        plain([a], &operation)
    }

    fn fused2(a: Values, b: Values, operation: Shared<2>) -> Values {
        plain([a, b], &operation)
    }

    fn fused3(a: Values, b: Values, c: Values, operation: Shared<3>) -> Values {
        plain([a, b, c], &operation)
    }

    fn fused4(a: Values, b: Values, c: Values, d: Values, operation: Shared<4>) -> Values {
        plain([a, b, c, d], &operation)
    }

    fn fused5(a: Values, b: Values, c: Values, d: Values, e: Values, operation: Shared<5>) -> Values {
        plain([a, b, c, d, e], &operation)
    }

    fn fused6(
        a: Values,
        b: Values,
        c: Values,
        d: Values,
        e: Values,
        f: Values,
        operation: Shared<6>,
    ) -> Values {
        plain([a, b, c, d, e, f], &operation)
    }

    fn fused7(
        a: Values,
        b: Values,
        c: Values,
        d: Values,
        e: Values,
        f: Values,
        g: Values,
        operation: Shared<7>,
    ) -> Values {
        plain([a, b, c, d, e, f, g], &operation)
    }
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn fused1(a: FloatTensor<Self>, operation: Shared<1>) -> FloatTensor<Self> {
        tracked::<C, 1>([a], operation)
    }

    fn fused2(a: FloatTensor<Self>, b: FloatTensor<Self>, operation: Shared<2>) -> FloatTensor<Self> {
        tracked::<C, 2>([a, b], operation)
    }

    fn fused3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        operation: Shared<3>,
    ) -> FloatTensor<Self> {
        tracked::<C, 3>([a, b, c], operation)
    }

    fn fused4(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        operation: Shared<4>,
    ) -> FloatTensor<Self> {
        tracked::<C, 4>([a, b, c, d], operation)
    }

    fn fused5(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        operation: Shared<5>,
    ) -> FloatTensor<Self> {
        tracked::<C, 5>([a, b, c, d, e], operation)
    }

    fn fused6(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        operation: Shared<6>,
    ) -> FloatTensor<Self> {
        tracked::<C, 6>([a, b, c, d, e, f], operation)
    }

    fn fused7(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        f: FloatTensor<Self>,
        g: FloatTensor<Self>,
        operation: Shared<7>,
    ) -> FloatTensor<Self> {
        tracked::<C, 7>([a, b, c, d, e, f, g], operation)
    }
}
