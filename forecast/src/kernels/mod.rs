//! Operations that are computed as a whole: each file has one, as a composition of burn's operations for any device
//! and, from tensors on the CPU, as a kernel with its own backward pass.
//!
//! Tensors are of 32 bits. Same input, same bits for any number of threads.

mod activation;
mod attention;
#[cfg(test)]
mod check;
mod circular_conv;
mod dropout;
mod fused;
#[cfg(test)]
mod golden;
mod heads;
mod lanes;
mod layer_norm;
mod linear;
mod max_pool;
mod narrow;
mod pool;
mod prob_sparse;
#[allow(unsafe_code, reason = "the library of products takes pointers")]
mod product;
mod register;
pub(crate) mod rows;
mod sparse;

pub(crate) use activation::{Activation, elu};
pub(crate) use attention::{Mask, attention};
pub(crate) use circular_conv::circular_conv3;
pub(crate) use dropout::dropout;
pub(crate) use layer_norm::layer_norm;
pub(crate) use linear::linear;
pub(crate) use max_pool::max_pool3;
pub(crate) use prob_sparse::{ProbSparse, prob_sparse_attention};
