//! Complex numbers as pairs of tensors, for the compositions.

use std::ops::{Add, Div, Mul, Sub};

use burn::tensor::Tensor;

/// Real and imaginary parts of the same shape; operations broadcast.
#[derive(Debug, Clone)]
pub(super) struct Complex<const D: usize> {
    pub(super) re: Tensor<D>,
    pub(super) im: Tensor<D>,
}

impl Complex<2> {
    /// From a last axis of real and imaginary part.
    pub(super) fn from_pairs(pairs: Tensor<3>) -> Self {
        let part = |at: usize| pairs.clone().narrow(2, at, 1).squeeze_dim::<2>(2);
        Complex { re: part(0), im: part(1) }
    }

    /// With a last axis of length 1.
    pub(super) fn unsqueeze<const E: usize>(self) -> Complex<E> {
        Complex { re: self.re.unsqueeze_dim::<E>(2), im: self.im.unsqueeze_dim::<E>(2) }
    }
}

impl<const D: usize> Complex<D> {
    pub(super) fn scale(self, by: Tensor<D>) -> Self {
        Complex { re: self.re * by.clone(), im: self.im * by }
    }

    pub(super) fn add_real(self, by: f64) -> Self {
        Complex { re: self.re + by, im: self.im }
    }

    pub(super) fn conj(self) -> Self {
        Complex { re: self.re, im: -self.im }
    }

    pub(super) fn exp(self) -> Self {
        let grown = self.re.exp();
        Complex { re: grown.clone() * self.im.clone().cos(), im: grown * self.im.sin() }
    }

    /// Of numbers off the negative real axis.
    pub(super) fn ln(self) -> Self {
        let square = self.re.clone() * self.re.clone() + self.im.clone() * self.im.clone();
        Complex { re: square.log() * 0.5, im: self.im.atan2(self.re) }
    }
}

impl<const D: usize> Add for Complex<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Complex { re: self.re + other.re, im: self.im + other.im }
    }
}

impl<const D: usize> Sub for Complex<D> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Complex { re: self.re - other.re, im: self.im - other.im }
    }
}

impl<const D: usize> Mul for Complex<D> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Complex {
            re: self.re.clone() * other.re.clone() - self.im.clone() * other.im.clone(),
            im: self.re * other.im + self.im * other.re,
        }
    }
}

impl<const D: usize> Mul<f64> for Complex<D> {
    type Output = Self;

    fn mul(self, by: f64) -> Self {
        Complex { re: self.re * by, im: self.im * by }
    }
}

impl<const D: usize> Div for Complex<D> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let square = other.re.clone() * other.re.clone() + other.im.clone() * other.im.clone();
        let product = self * other.conj();
        Complex { re: product.re / square.clone(), im: product.im / square }
    }
}
