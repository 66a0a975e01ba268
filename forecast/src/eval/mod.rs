//! Evaluation: metrics, conformal intervals, and rolling-origin back-tests that always show seasonal naive.

mod backtest;
pub(crate) mod conformal;
mod ltsf;
pub mod metrics;
mod scores;
mod table;

pub use backtest::{Backtest, BacktestOptions, Fold, Refit, backtest};
pub use ltsf::{Ltsf, LtsfOptions, LtsfScore};
pub use scores::Scores;
