//! The largest of three neighbouring steps, every other step: `y_t = max(x_(2t-1), x_(2t), x_(2t+1))`.

use burn::tensor::Tensor;
use burn::tensor::module::max_pool1d;
use burn::tensor::ops::MaxPoolOptions;

/// Max pooling over time: width 3, stride 2, padding 1.
///
/// # Shapes
/// `x` `(batch, L, d)` with L at least 1; the result `(batch, (L - 1) / 2 + 1, d)`.
pub(crate) fn max_pool3(x: Tensor<3>) -> Tensor<3> {
    composition(x)
}

fn composition(x: Tensor<3>) -> Tensor<3> {
    let options = MaxPoolOptions::new([3]).with_stride([2]).with_padding([1]);
    max_pool1d(x.swap_dims(1, 2), options).swap_dims(1, 2)
}
