//! What follows a linear layer, element by element; each function with its slope.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::tensor::{Tensor, activation};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::register::fuse;
use super::{lanes, pool};

/// A function of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x`.
    None,
    /// `max(0, x)`.
    Relu,
    /// `x Phi(x) = x (1 + erf(x / sqrt 2)) / 2`, exactly (Hendrycks and Gimpel 2016, arXiv 1606.08415).
    Gelu,
    /// `x` where it is positive, else `exp(x) - 1` (Clevert et al. 2016, arXiv 1511.07289).
    Elu,
}

/// `x` where it is positive, else `exp(x) - 1`; the same shape.
pub(crate) fn elu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    elementwise(x, Activation::Elu)
}

/// `x (1 + erf(x / sqrt 2)) / 2`; the same shape.
pub(crate) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    elementwise(x, Activation::Gelu)
}

fn elementwise<const D: usize>(x: Tensor<D>, function: Activation) -> Tensor<D> {
    if !is_fused(&x) {
        return function.composition(x);
    }
    let shape = x.dims().to_vec();
    fuse([x.into_dispatch()], Elementwise { shape, function })
}

impl Activation {
    /// The function by burn's operations.
    pub(super) fn composition<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::None => x,
            Activation::Relu => activation::relu(x),
            // burn's own has the slope of an approximation on graphics processors.
            Activation::Gelu => x.clone() * ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
            Activation::Elu => activation::elu(x, 1.0),
        }
    }

    /// `z = f(z + bias)` on rows as long as the bias, if there is one.
    pub(crate) fn apply(self, z: &mut [f32], bias: Option<&[f32]>) {
        match self {
            Activation::None => values(z, bias, Identity),
            Activation::Relu => values(z, bias, Relu),
            Activation::Gelu => values(z, bias, Gelu),
            Activation::Elu => values(z, bias, Elu),
        }
    }

    /// The same, with `slopes = f'(z + bias)`.
    pub(super) fn apply_with_slopes(self, z: &mut [f32], bias: Option<&[f32]>, slopes: &mut [f32]) {
        match self {
            Activation::None => values_and_slopes(z, bias, slopes, Identity),
            Activation::Relu => values_and_slopes(z, bias, slopes, Relu),
            Activation::Gelu => values_and_slopes(z, bias, slopes, Gelu),
            Activation::Elu => values_and_slopes(z, bias, slopes, Elu),
        }
    }
}

/// A function and its slope, lane by lane.
trait Function: Copy {
    fn at<S: Simd>(self, simd: S, z: S::f32s) -> (S::f32s, S::f32s);
}

#[derive(Clone, Copy)]
struct Identity;

#[derive(Clone, Copy)]
struct Relu;

#[derive(Clone, Copy)]
struct Gelu;

#[derive(Clone, Copy)]
struct Elu;

impl Function for Identity {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, z: S::f32s) -> (S::f32s, S::f32s) {
        (z, simd.splat_f32s(1.0))
    }
}

impl Function for Relu {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, z: S::f32s) -> (S::f32s, S::f32s) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let is_right = simd.greater_than_f32s(z, zero);
        (simd.select_f32s(is_right, z, zero), simd.select_f32s(is_right, one, zero))
    }
}

impl Function for Gelu {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, z: S::f32s) -> (S::f32s, S::f32s) {
        let (below, density) = lanes::normal(simd, z);
        (simd.mul_f32s(z, below), simd.mul_add_e_f32s(z, density, below))
    }
}

impl Function for Elu {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, z: S::f32s) -> (S::f32s, S::f32s) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let is_right = simd.greater_than_f32s(z, zero);
        let power = lanes::exp(simd, simd.min_f32s(z, zero));
        let left = lanes::exp_less_one(simd, simd.min_f32s(z, zero));
        (simd.select_f32s(is_right, z, left), simd.select_f32s(is_right, one, power))
    }
}

fn values(z: &mut [f32], bias: Option<&[f32]>, f: impl Function) {
    struct Rows<'a, F>(&'a mut [f32], Option<&'a [f32]>, F);
    impl<F: Function> WithSimd for Rows<'_, F> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Rows(z, bias, f) = self;
            let zeros = [];
            let width = bias.map_or(z.len(), <[f32]>::len).max(1);
            let (bias, bias_tail) = S::as_simd_f32s(bias.unwrap_or(&zeros));
            let bias_tail = simd.partial_load_f32s(bias_tail);
            for row in z.chunks_mut(width) {
                let (head, tail) = S::as_mut_simd_f32s(row);
                if bias.is_empty() {
                    head.iter_mut().for_each(|z| *z = f.at(simd, *z).0);
                }
                for (z, bias) in head.iter_mut().zip(bias) {
                    *z = f.at(simd, simd.add_f32s(*z, *bias)).0;
                }
                let z = simd.add_f32s(simd.partial_load_f32s(tail), bias_tail);
                simd.partial_store_f32s(tail, f.at(simd, z).0);
            }
        }
    }
    lanes::dispatch(Rows(z, bias, f));
}

fn values_and_slopes(z: &mut [f32], bias: Option<&[f32]>, slopes: &mut [f32], f: impl Function) {
    struct Rows<'a, F>(&'a mut [f32], Option<&'a [f32]>, &'a mut [f32], F);
    impl<F: Function> WithSimd for Rows<'_, F> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Rows(z, bias, slopes, f) = self;
            let zeros = [];
            let width = bias.map_or(z.len(), <[f32]>::len).max(1);
            let (bias, bias_tail) = S::as_simd_f32s(bias.unwrap_or(&zeros));
            let bias_tail = simd.partial_load_f32s(bias_tail);
            for (row, slopes) in z.chunks_mut(width).zip(slopes.chunks_mut(width)) {
                let (head, tail) = S::as_mut_simd_f32s(row);
                let (slopes, slopes_tail) = S::as_mut_simd_f32s(slopes);
                if bias.is_empty() {
                    for (z, slope) in head.iter_mut().zip(slopes.iter_mut()) {
                        (*z, *slope) = f.at(simd, *z);
                    }
                }
                for ((z, bias), slope) in head.iter_mut().zip(bias).zip(slopes) {
                    (*z, *slope) = f.at(simd, simd.add_f32s(*z, *bias));
                }
                let z = simd.add_f32s(simd.partial_load_f32s(tail), bias_tail);
                let (z, slope) = f.at(simd, z);
                simd.partial_store_f32s(tail, z);
                simd.partial_store_f32s(slopes_tail, slope);
            }
        }
    }
    lanes::dispatch(Rows(z, bias, slopes, f));
}

#[derive(Debug)]
struct Elementwise {
    shape: Vec<usize>,
    function: Activation,
}

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 15;

impl Operation<1> for Elementwise {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, [x]: [&[f32]; 1], out: &mut [f32], keep: Keep) -> Vec<Vec<f32>> {
        let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        if keep == Keep::Nothing {
            chunks.for_each(|(out, x)| {
                out.copy_from_slice(x);
                self.function.apply(out, None);
            });
            return Vec::new();
        }
        let mut slopes = pool::take(x.len());
        chunks.zip(slopes.par_chunks_mut(CHUNK)).for_each(|((out, x), slopes)| {
            out.copy_from_slice(x);
            self.function.apply_with_slopes(out, None, slopes);
        });
        vec![slopes]
    }

    fn reads(&self) -> [bool; 1] {
        [false]
    }

    fn backward(&self, context: &mut Context<'_, 1>) -> [Option<Vec<f32>>; 1] {
        let slopes = &context.saved[0];
        let mut gradient = pool::take(slopes.len());
        let chunks = gradient.par_chunks_mut(CHUNK).zip(context.gradient.par_chunks(CHUNK));
        chunks.zip(slopes.par_chunks(CHUNK)).for_each(|((out, dy), slope)| lanes::multiply(out, dy, slope));
        [Some(gradient)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{check, check_at};
    use super::*;

    #[test]
    fn elu_is_what_its_composition_is() {
        check(&[3 * 7 * 5], |x| elu(x[0].clone().reshape([3, 7, 5])).reshape([105]));
        let wide = (0..200).map(|i| (f64::from(i) - 100.3) / 4.0).collect::<Vec<_>>();
        check_at(&[wide], 2e-7, |x| elu(x[0].clone()));
    }

    #[test]
    fn gelu_is_what_its_composition_is() {
        check(&[3 * 7 * 5], |x| gelu(x[0].clone().reshape([3, 7, 5])).reshape([105]));
    }

    #[test]
    fn gelu_is_close_everywhere() {
        let x: Vec<f32> = (-9_000..9_000).map(|i| i as f32 / 1_000.0).collect();
        let (mut value, mut slope) = (x.clone(), vec![0.0; x.len()]);
        Activation::Gelu.apply_with_slopes(&mut value, None, &mut slope);
        let mut alone = x.clone();
        Activation::Gelu.apply(&mut alone, None);
        assert_eq!(alone, value);
        let device = burn::tensor::Device::flex();
        let exact = burn::tensor::TensorData::from(&x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()[..]);
        let exact = Tensor::<1>::from_data(exact, (&device, burn::tensor::DType::F64));
        let exact = super::super::check::numbers(activation::gelu(exact));
        for ((x, value), exact) in x.iter().zip(&value).zip(&exact) {
            assert!(
                (f64::from(*value) - exact).abs() < 4e-7 * (1.0 + x.abs() as f64),
                "{x}: {value} {exact}"
            );
        }
    }
}
