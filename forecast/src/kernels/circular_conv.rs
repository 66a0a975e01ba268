//! A convolution of width 3 around a circle, as in Informer's embedding and distilling (Zhou et al. 2021, arXiv
//! 2012.07436): `y_t = [x_(t-1), x_t, x_(t+1)] W + b`, where the last step comes before the first.

use burn::tensor::{Int, Tensor, TensorData};

use super::{Activation, linear};

/// The convolution over time.
///
/// # Shapes
/// `x` `(batch, L, in)`; `weight` `(3 * in, out)`, rows of the previous step first, then of the same, then of the
/// next; `bias` `(out)`; the result `(batch, L, out)`.
pub(crate) fn circular_conv3(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    composition(x, weight, bias)
}

fn composition(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    let [n_batch, length, n_in] = x.dims();
    let n_out = weight.dims()[1];
    let device = x.device();
    let shifted = |by: usize| {
        let steps: Vec<i64> = (0..length).map(|t| ((t + by) % length) as i64).collect();
        x.clone().select(1, Tensor::<1, Int>::from_data(TensorData::new(steps, [length]), &device))
    };
    let taps = Tensor::cat(vec![shifted(length.max(1) - 1), x.clone(), shifted(1)], 2); // (batch, L, 3 * in)
    let rows = taps.reshape([n_batch * length, 3 * n_in]);
    linear(rows, weight, bias, Activation::None).reshape([n_batch, length, n_out])
}
