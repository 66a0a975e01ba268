//! What is kept of models and revisions beside their files.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use forecast::Model;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{RegistryError, Traffic};

/// Digits of the model's own SHA-256 that name a revision.
const REVISION_DIGITS: usize = 12;

/// An immutable revision, as `revision.json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionRecord {
    /// Its own name: the first digits of the digest that the file states.
    pub id: String,
    /// SHA-256 of the bytes of the file, as `sha256sum` prints it.
    pub sha256: String,
    /// Bytes of the file.
    pub artifact_bytes: u64,
    /// The family.
    pub family: String,
    /// True if a session takes an observation in constant time without reading a window again.
    pub online_update: bool,
    /// The longest horizon that its intervals are calibrated for.
    pub max_horizon: usize,
    /// Steps that a forecast looks back.
    pub lookback: usize,
    /// The step of its data, as text.
    pub step: String,
    /// Its channels, in order.
    pub channels: Vec<String>,
    /// Series that it was fitted on.
    pub n_series: usize,
    /// Bytes of the state of one series, as a session keeps it.
    pub state_bytes: u64,
    /// The training job that made it; empty if none did.
    #[serde(default)]
    pub training_job: String,
    /// When it was added, in nanoseconds since 1970.
    pub created_unix_nano: i64,
}

impl RevisionRecord {
    /// What is to be said of a model and its file.
    pub(super) fn of(model: &Model, bytes: &[u8], training_job: &str) -> Result<Self, RegistryError> {
        let header = model.header();
        let state = match model.history().first() {
            Some(history) => serde_json::to_vec(&model.start(history)?).map_or(0, |state| state.len() as u64),
            None => 0,
        };
        Ok(RevisionRecord {
            id: model.digest()?.chars().take(REVISION_DIGITS).collect(),
            sha256: hex(&Sha256::digest(bytes)),
            artifact_bytes: bytes.len() as u64,
            family: header.config.name().to_string(),
            online_update: model.updates_online(),
            max_horizon: header.horizon,
            lookback: model.lookback(),
            step: header.step.to_string(),
            channels: header.channels.clone(),
            n_series: header.series.len(),
            state_bytes: state,
            training_job: training_job.to_string(),
            created_unix_nano: now(),
        })
    }
}

/// What can be changed of a model, as `model.json` says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// Words of its owners.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Who answers the calls of each alias; `default` stands for the model's plain name.
    #[serde(default)]
    pub aliases: BTreeMap<String, Traffic>,
    /// Revisions that are loaded when the server starts.
    #[serde(default)]
    pub loaded: Vec<String>,
    /// When it was made, in nanoseconds since 1970.
    #[serde(default)]
    pub created_unix_nano: i64,
    /// When it was changed last, in nanoseconds since 1970.
    #[serde(default)]
    pub updated_unix_nano: i64,
    /// Counts the changes.
    #[serde(default)]
    pub version: u64,
}

impl ModelRecord {
    /// What a caller gives back to say which state of the model it has seen.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("v{}", self.version)
    }
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
