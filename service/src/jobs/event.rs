//! What happened to a job, and how it stands: what the log of a job holds.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It ended with a result.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It was cancelled before it had a result.
    Cancelled,
}

impl JobState {
    /// True if nothing will happen any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Failed | JobState::Cancelled)
    }
}

/// A job as of one event. Times are nanoseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where it stands.
    pub state: JobState,
    /// The share of the work that is done, from 0 to 1.
    pub progress: f64,
    /// When it was created.
    pub created: u64,
    /// When it last changed.
    pub updated: u64,
    /// When it began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// How often it was begun.
    pub attempts: u32,
    /// Whether someone has asked it to end.
    pub is_cancelled: bool,
    /// Why it failed: an encoded `google.rpc.Status`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<u8>,
    /// The revision that it ended in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Where a training by gradient stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Scores of the model on its validation range, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// What a back-test found, by model, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ModelScores>,
}

impl Snapshot {
    /// A job that was just made.
    #[must_use]
    pub fn queued() -> Self {
        let now = now();
        Snapshot {
            state: JobState::Queued,
            progress: 0.0,
            created: now,
            updated: now,
            started: None,
            ended: None,
            attempts: 0,
            is_cancelled: false,
            error: Vec::new(),
            revision: String::new(),
            training: None,
            metrics: BTreeMap::new(),
            scores: Vec::new(),
        }
    }
}

/// Where a training by gradient stands; as [`forecast::nn::Progress`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub n_epochs: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub n_batches: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Loss of validation after the epoch.
    pub validation: Option<f64>,
    /// Whether no epoch before had a lower one.
    pub is_best: bool,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Length of all gradients of the last step.
    pub gradient_norm: f64,
    /// Windows trained on in a second.
    pub windows_per_second: f64,
    /// Seconds left.
    pub seconds_left: f64,
}

/// Scores of one model, without those that are not defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelScores {
    /// The family.
    pub model: String,
    /// Its scores by metric.
    pub scores: BTreeMap<String, f64>,
    /// Forecasts that were scored.
    pub n_forecasts: u64,
}

/// Scores of one model on one series after one cutoff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// The series and channel, as tables call them.
    pub unique_id: String,
    /// The family.
    pub model: String,
    /// The stamp of the last step that the model saw.
    pub cutoff: i64,
    /// Its scores by metric, without those that are not defined.
    pub scores: BTreeMap<String, f64>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// When.
    pub time: u64,
    /// For people.
    pub message: String,
    /// The job as of this event.
    pub job: Snapshot,
    /// The fold that was scored, if that is what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
}

/// Nanoseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
