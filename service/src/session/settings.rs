//! What a session was created with: plain data that never changes afterwards.

use serde::{Deserialize, Serialize};

/// The choices of whoever created a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `sessions/{s}`.
    pub name: String,
    /// Tells this session from others that had or will have its name.
    pub uid: u64,
    /// `models/{m}/revisions/{r}`.
    pub revision: String,
    /// Steps ahead of a forecast.
    pub horizon: usize,
    /// Central intervals, in percent.
    pub levels: Vec<f64>,
    /// The same as fractions, as they were sent.
    pub coverages: Vec<f64>,
    /// Quantiles, as fractions.
    pub quantiles: Vec<f64>,
    /// Whether intervals hold whole paths.
    pub whole_path: bool,
    /// Whether intervals adapt to every outcome.
    pub adaptive: bool,
    /// When forecasts are due.
    pub emission: Emission,
    /// What happens to readers that are slower than they are.
    pub slow_reader: SlowReader,
    /// What an acknowledgement promises.
    pub durability: super::Durability,
    /// Milliseconds without an observation and a stream after which the session is deleted.
    pub idle_ttl_ms: u64,
    /// What happens to stamps that do not continue their series: one for each series.
    pub policies: Vec<TimePolicy>,
    /// When seasonal naive takes over.
    pub fallback: Option<Fallback>,
    /// Forecasts one step ahead are judged at every so many steps: 1 unless each costs a pass over a window.
    pub scored_every: u64,
    /// What the client calls the request that made it; empty if it does not.
    pub request_id: String,
    /// When it was created, in nanoseconds since 1970.
    pub created: i64,
}

/// When a forecast of a series is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Emission {
    /// After every so many of its observations.
    Every(u32),
    /// After every so many milliseconds.
    Interval(u64),
    /// When it is asked for.
    OnRequest,
}

/// What happens when a reader is slower than the forecasts that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlowReader {
    /// The newest wins.
    Conflate,
    /// The writer waits.
    Block,
    /// The reader is sent away.
    Disconnect,
}

/// What is done with an observation whose stamp does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeAction {
    /// Left out, with an error.
    Reject,
    /// Left out and counted.
    Drop,
    /// The steps before it are missing.
    Impute,
    /// The series starts anew.
    Reset,
}

/// What happens to stamps that do not continue a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimePolicy {
    /// Before the last step.
    pub late: TimeAction,
    /// The last step again.
    pub duplicate: TimeAction,
    /// Steps left out.
    pub gap: TimeAction,
    /// Between two steps.
    pub off_grid: TimeAction,
    /// Steps that are imputed at most.
    pub max_gap_steps: usize,
}

impl Default for TimePolicy {
    fn default() -> Self {
        TimePolicy {
            late: TimeAction::Reject,
            duplicate: TimeAction::Reject,
            gap: TimeAction::Impute,
            off_grid: TimeAction::Reject,
            max_gap_steps: 1,
        }
    }
}

/// When seasonal naive takes over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// Rolling MASE above which it does.
    pub mase_limit: f64,
    /// Scored observations before a series is judged.
    pub min_observations: u64,
}
