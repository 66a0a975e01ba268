//! Evaluation: metrics, conformal intervals, and rolling-origin back-tests that always show seasonal naive.

mod backtest;
pub(crate) mod conformal;
pub mod metrics;
mod scores;
mod table;

pub use backtest::{Backtest, BacktestOptions, Fold, Refit, backtest};
pub use conformal::rearrange;
pub use scores::Scores;
