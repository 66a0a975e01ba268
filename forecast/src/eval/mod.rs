//! Evaluation: metrics, conformal intervals, and rolling-origin back-tests that always show seasonal naive.

mod backtest;
mod bootstrap;
pub(crate) mod conformal;
mod fold;
mod leaderboard;
mod losses;
mod ltsf;
pub mod metrics;
mod paired;
mod plan;
mod rolling;
mod scores;
mod step_scores;
mod table;

pub use backtest::{
    Backtest, BacktestOptions, FailedSeries, Intervals, OnError, Refit, TrainingRange, backtest,
    backtest_fitted, backtest_watched,
};
pub use conformal::rearrange;
pub use fold::{BacktestEvent, FoldScores};
pub use leaderboard::{Leaderboard, LeaderboardOptions, Standing, Verdict, WinsOver};
pub use ltsf::{Ltsf, LtsfModel, LtsfOptions, LtsfScore};
pub use scores::{Score, Scores};
pub use step_scores::StepScores;
