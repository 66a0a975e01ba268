//! AR-Net: autoregression trained by gradient descent (Triebe, Laptev, Rajagopal 2019, arXiv 1911.12436).
//!
//! `y_(t+h) = b_h + sum_(i=1..p) w_hi y_(t+1-i)` is one linear layer, trained on mini-batches of windows to minimise
//! `loss + lambda R(w)`, with `R` and `lambda` those of [`sparse`](super::sparse). Hidden layers with ReLU between
//! input and output go beyond the paper. What one linear layer learns, [`sparse`](super::sparse) solves exactly and
//! faster; this is what it is compared with, and what grows into models that have no exact solution.
//!
//! Windows with a missing value are left out. Training is in 32 bits, forecasts are in 64.
//! Shapes: window `(p)`, weights `(step, p)`, forecast `(horizon)`.

mod config;
mod fit;
mod rule;
mod single;
mod windows;

#[cfg(test)]
mod experiments;

pub use config::{Loss, NeuralArConfig, Recipe};
pub(crate) use fit::fit;
pub(crate) use rule::load;
pub use single::{ArNet, train};
