//! Sparse autoregression from second-order statistics: the path of solutions, the choice among them, and how stable
//! it is.
//!
//! AR-Net (Triebe, Laptev, Rajagopal 2019, arXiv 1911.12436) trains `y_t = b + sum_i w_i y_(t-i)` by gradient descent
//! on `MSE + lambda R(w)`, where `R` pulls weights to zero and lets go of large ones. Its loss depends on the data
//! only through their second-order statistics, so [`path`] minimises it from these: a step costs the same for a
//! thousand observations and for a billion, and lags that are left out are exactly zero. The elastic net is solved
//! beside it by the same engine.
//!
//! Columns are lags, lag 1 first. Shapes: Gram matrix `(column, column)`, weights `(column)`.
//!
//! ```
//! use forecast::ar::sparse::{Criterion, PathOptions, Problem, path, select};
//! use ndarray::{Array1, Array2};
//!
//! // Only the second of three columns matters.
//! let x = Array2::from_shape_fn((200, 3), |(t, j)| ((t * (7 + 4 * j)) % 31) as f64);
//! let y = Array1::from_shape_fn(200, |t| 5.0 + 0.5 * x[[t, 1]] + ((t * 5) % 3) as f64);
//! let problem = Problem::from_rows(x.view(), y.view())?;
//! let path = path(&problem, &PathOptions::default())?;
//! let chosen = select(&problem, &path, Criterion::default())?;
//! assert_eq!(chosen.support, [1]);
//! assert!((chosen.weights[1] - 0.5).abs() < 0.01);
//! # Ok::<(), forecast::Error>(())
//! ```

mod descent;
mod forward;
mod lag_rows;
mod newton;
mod options;
mod path;
mod problem;
mod refit;
mod regulariser;
mod scalar;
mod select;
mod stability;
mod strength;

#[cfg(test)]
mod experiments;

pub(super) use forward::forward;
pub use options::{Lambdas, PathOptions, Penalty, Refit};
pub use path::{Solution, path};
pub use problem::Problem;
pub use regulariser::Regulariser;
pub use select::{Criterion, select};
pub use stability::{StabilityOptions, stability};
pub use strength::{Ramp, Strength};
