//! What a model file says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ModelConfig;
use super::digest::hex;
use super::golden::Golden;
use crate::data::{CovariateSchema, Frequency, Opening, Origin, Panel, Scaling, Step, Zone, label};
use crate::eval::conformal::Recency;
use crate::regression::Regressors;
use crate::{Error, Result};

/// The version of the file format that this program writes; it reads this and every earlier one.
pub const FORMAT_VERSION: u64 = 6;

/// Bytes of values that go into the digest together.
const HASHED_AT_A_TIME: usize = 1 << 14;

/// What a model is and what it was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of Longcast that wrote the file.
    pub longcast: String,
    /// The family with every open choice made.
    pub config: ModelConfig,
    /// How series were scaled.
    pub scaling: Scaling,
    /// The step of the training data.
    pub step: Step,
    /// The opening times that the training data keeps to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// The zone that stamps are told in.
    pub zone: Zone,
    /// The channels, in order.
    pub channels: Vec<String>,
    /// The training series, in order.
    pub series: Vec<String>,
    /// The season of the data, in steps.
    pub season_length: usize,
    /// The longest horizon that intervals were calibrated for.
    pub horizon: usize,
    /// The unit of the values, for charts; empty if not known.
    #[serde(default)]
    pub unit: String,
    /// SHA-256 of ids, stamps and values of the training data.
    pub fingerprint: String,
    /// Scores on the validation range, by name, with seasonal naive's beside them.
    pub metrics: BTreeMap<String, f64>,
    /// The seed of every random choice.
    pub seed: u64,
    /// How the errors before a cutoff enter its intervals; files of format 1 have no such rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recency: Option<Recency>,
    /// What series are regressed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) regressors: Option<Regressors>,
    /// The covariates that a network takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inputs: Option<CovariateSchema>,
    /// A forecast that the model repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) golden: Option<Golden>,
    /// Where each stored history begins, and how many steps it has.
    pub(super) history: Vec<Stretch>,
}

impl Header {
    /// Step and opening of the training data.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        Frequency { step: self.step, opening: self.opening.clone() }
    }

    /// How a channel of a series is called in tables of `n_series` series: by the series, the channel, or both.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no such channel.
    pub fn label(&self, series: &str, n_series: usize, channel: usize) -> Result<String> {
        let n = self.channels.len();
        if channel >= n {
            return Err(Error::option("channel", channel, format!("the model has {n}, counted from 0")));
        }
        Ok(label(series, &self.channels, n_series, channel))
    }
}

/// A stretch of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) start: i64,
    pub(super) len: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

/// [`fingerprint`] of a panel and its covariates.
pub(super) fn fingerprint_with_covariates(panel: &Panel) -> Result<String> {
    let schema = serde_json::to_string(panel.covariate_schema());
    let mut hash = Sha256::new();
    hash.update(fingerprint(panel));
    hash.update(schema.map_err(|error| Error::Internal(error.to_string()))?);
    for series in panel.series() {
        let covariates = series.covariates();
        hash.update((covariates.n_ahead() as u64).to_le_bytes());
        let (past, future) = (covariates.past(), covariates.future());
        for value in past.iter().chain(future.iter()).chain(covariates.static_values()) {
            hash.update(value.to_bits().to_le_bytes());
        }
    }
    Ok(hex(&hash.finalize()))
}

/// SHA-256 over channels, step, opening, zones, ids, stamps and the bits of every value; lengths come before what they
/// measure, so that no two panels read the same.
pub(super) fn fingerprint(panel: &Panel) -> String {
    fn text(hash: &mut Sha256, text: &str) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let mut hash = Sha256::new();
    hash.update((panel.channels().len() as u64).to_le_bytes());
    panel.channels().iter().for_each(|channel| text(&mut hash, channel));
    text(&mut hash, &String::from(panel.step()));
    if let Some(opening) = &panel.report().opening {
        text(&mut hash, &opening.to_string());
    }
    let mut bytes = Vec::new();
    for series in panel.series() {
        text(&mut hash, series.id());
        text(&mut hash, &String::from(series.index().zone.clone()));
        hash.update(series.index().start.to_le_bytes());
        hash.update((series.n_steps() as u64).to_le_bytes());
        bytes.clear();
        for value in series.values() {
            bytes.extend(value.to_bits().to_le_bytes());
            if bytes.len() >= HASHED_AT_A_TIME {
                hash.update(&bytes);
                bytes.clear();
            }
        }
        hash.update(&bytes);
    }
    hex(&hash.finalize())
}
