//! Autoregression: each value is a weighted sum of the `p` values before it.
//!
//! `y_(t+h) = b_h + sum_(i=1..p) w_hi y_(t+1-i) + e_(t+h)`, with `b` and `w` the least-squares solution over all
//! complete rows of the training range (conditional least squares: Hamilton, *Time Series Analysis*, section 5.2).
//! The textbook's model fits `h = 1` and follows it recursively; a direct one has coefficients for each step
//! (Marcellino, Stock & Watson, *J. Econometrics* 135, 2006). Windows may be anchored at their last value or mean,
//! coefficients shared by channels, shrunk by a ridge, and averaged over look-backs: all from the same Gram matrix,
//! which is made from the series in O(n log p + p^2), never from a lag matrix (`gram.rs`).
//! Shapes: window `(p)`, weights `(step, p)`, forecast `(horizon)`.

mod anchor;
mod autocorrelation;
mod cholesky;
mod choose;
mod classic;
mod config;
mod correlation;
mod defaults;
mod difference;
mod displaced;
mod fit;
#[cfg(test)]
mod golden;
mod gram;
mod inference;
#[cfg(test)]
mod lag_matrix;
mod list;
mod moments;
pub mod neural;
mod order;
mod penalty;
#[cfg(test)]
mod reference;
mod regressed;
mod resolve;
mod ridge;
pub mod rls;
mod rule;
mod segments;
mod shrink;
mod solve;
pub mod sparse;
mod stability;
mod toeplitz;

pub use anchor::Anchor;
pub use classic::{Classic, ClassicOptions, classic};
pub use config::{ArConfig, Method, Strategy, Trend, Unstable, UseCovariates};
pub(crate) use fit::fit;
pub(crate) use inference::normal_half_width;
pub use order::Criterion;
pub use penalty::PenaltyKind;
pub(crate) use regressed::least_squares;
pub(crate) use rule::{Ar, load};
pub use shrink::{ByValidation, Shrinkage};
