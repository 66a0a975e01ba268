//! Operations that are computed as a whole: each file has one, as a composition of burn's operations for any device
//! and, from tensors on the CPU, as a kernel with its own backward pass.
//!
//! Tensors are of 32 bits. Same input, same bits for any number of threads.

mod activation;
mod attention;
mod batch_norm;
mod cauchy;
mod cauchy_sums;
#[cfg(test)]
mod check;
mod circular_conv;
mod complex;
mod conv_direct;
mod conv_transform;
mod dropout;
mod fft_conv;
mod fused;
mod gated;
#[cfg(test)]
mod golden;
mod heads;
mod lanes;
mod last_conv;
mod layer_norm;
mod linear;
mod max_pool;
mod mean_square;
mod middle_product;
mod multi_scale;
mod narrow;
#[allow(unsafe_code, reason = "tiles of a product are written where they belong, by several threads")]
mod packed;
mod pool;
mod prob_sparse;
#[allow(unsafe_code, reason = "the library of products takes pointers")]
mod product;
#[allow(clippy::too_many_arguments, reason = "an operation takes each of its inputs")]
mod register;
mod ring_transform;
pub(crate) mod rows;
mod sparse;
mod sparse_layer;
mod vandermonde;
mod workers;

pub(crate) use activation::{Activation, elu, gelu};
pub(crate) use attention::{Mask, attention};
pub(crate) use batch_norm::{Whose, batch_norm, moments};
#[cfg(test)]
pub(crate) use cauchy::stepped_kernel;
pub(crate) use cauchy::{LowRankChannel, LowRankStateSpace, low_rank_kernel};
pub(crate) use cauchy_sums::Grid as CauchyGrid;
pub(crate) use circular_conv::taps3;
pub(crate) use dropout::Dropout;
pub(crate) use dropout::{dropout, tied_dropout};
pub(crate) use fft_conv::{TimeOrder, fft_conv};
#[cfg(test)]
pub(crate) use fused::by_compositions;
pub(crate) use gated::glu;
pub(crate) use last_conv::last_conv;
pub(crate) use layer_norm::layer_norm;
pub(crate) use linear::{linear, linear_at, linear_dropped};
pub(crate) use max_pool::max_pool3;
pub(crate) use mean_square::mean_square;
pub(crate) use middle_product::{FEWEST_STEPS, MiddleProduct};
pub(crate) use multi_scale::{ScaledKernel, multi_scale_kernel};
pub(crate) use packed::{Packed, linear_packed};
pub(crate) use pool::{Holding, reuse};
pub(crate) use prob_sparse::{ProbSparse, prob_sparse_attention};
pub(crate) use sparse_layer::{Affine, prob_sparse_layer, prob_sparse_queries};
pub(crate) use vandermonde::{DiagonalStateSpace, diagonal_kernel};
pub(crate) use workers::{lead, lead_briefly, on_a_worker};
