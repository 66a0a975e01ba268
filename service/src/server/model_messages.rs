//! Models and revisions as messages, and pages of them.

use std::collections::BTreeMap;

use forecast_proto::v1;
use prost_types::Timestamp;
use tonic::Status;

use super::reason::Reason;
use super::status::to_rpc_status;
use crate::registry::{Loaded, ModelView, Registry, RevisionState, RevisionView, Traffic};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

pub(super) fn model_message(view: ModelView) -> v1::Model {
    let etag = view.record.etag();
    v1::Model {
        name: view.name,
        labels: view.record.labels.into_iter().collect(),
        aliases: view.record.aliases.into_iter().map(|(alias, traffic)| (alias, split(traffic))).collect(),
        create_time: Some(timestamp(view.record.created_unix_nano)),
        update_time: Some(timestamp(view.record.updated_unix_nano)),
        etag,
        revision_count: i32::try_from(view.n_revisions).unwrap_or(i32::MAX),
    }
}

fn split(traffic: Traffic) -> v1::TrafficSplit {
    let share = |(revision, weight)| v1::TrafficShare { revision, weight };
    v1::TrafficSplit {
        shares: traffic.weights.into_iter().map(share).collect(),
        shadow_revisions: traffic.shadows,
    }
}

/// The traffic of a message; the error names the alias.
pub(super) fn traffic(alias: &str, split: v1::TrafficSplit) -> Result<Traffic, Status> {
    let mut weights = BTreeMap::new();
    for v1::TrafficShare { revision, weight } in split.shares {
        if weights.insert(revision.clone(), weight).is_some() {
            let field = format!("model.aliases[{alias}].shares");
            return Err(Reason::FieldInvalid.at(&field, &format!("revision {revision} is there twice")));
        }
    }
    Ok(Traffic { weights, shadows: split.shadow_revisions })
}

/// A revision; `loaded` says more of it while it is in memory.
pub(super) fn revision_message(view: RevisionView, loaded: Option<&Loaded>) -> v1::ModelRevision {
    use v1::RevisionState as Wire;
    let state = match view.state {
        RevisionState::Stored => Wire::Stored,
        RevisionState::Loading => Wire::Loading,
        RevisionState::WarmingUp => Wire::Warming,
        RevisionState::Serving => Wire::Serving,
        RevisionState::Draining => Wire::Draining,
        RevisionState::Failed => Wire::Failed,
    };
    let error = (view.state == RevisionState::Failed)
        .then(|| to_rpc_status(&Reason::FileCorrupt.status(view.failure.clone(), &[])));
    let is_in_memory = matches!(view.state, RevisionState::Serving | RevisionState::Draining);
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let (record, shadow) = (view.record, view.shadow);
    let header = loaded.map(|loaded| loaded.model.header());
    let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    v1::ModelRevision {
        name: view.name,
        state: state.into(),
        family: record.family,
        online_update: record.online_update,
        artifact_bytes: size(record.artifact_bytes),
        resident_bytes: if is_in_memory { size(record.artifact_bytes) } else { 0 },
        session_state_bytes: if is_in_memory { size(record.state_bytes) } else { 0 },
        sha256: from_hex(&record.sha256),
        training_job: record.training_job,
        max_horizon: small(record.max_horizon),
        create_time: Some(timestamp(record.created_unix_nano)),
        lookback: small(record.lookback),
        step: record.step,
        channels: record.channels,
        series_count: small(record.n_series),
        session_count: small(view.n_sessions),
        metrics: header.map(|header| header.metrics.clone().into_iter().collect()).unwrap_or_default(),
        error,
        shadow_count: size(shadow.n_due),
        shadow_dropped_count: size(shadow.n_dropped),
        shadow_mean_absolute_difference: match shadow.n_compared {
            0 => 0.0,
            n => shadow.absolute_difference / n as f64,
        },
    }
}

/// A revision of a registry, as it is now.
pub(super) fn revision_of(registry: &Registry, view: RevisionView) -> v1::ModelRevision {
    let loaded = registry.resolve(&view.name).ok();
    revision_message(view, loaded.as_deref())
}

/// A part of a list in order, by the key of the last element of the page before.
///
/// # Errors
/// `INVALID_ARGUMENT` for the size and the token.
pub(super) fn page<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    size: i32,
    token: &str,
) -> Result<(Vec<T>, String), Status> {
    let size = match usize::try_from(size) {
        Ok(0) => DEFAULT_PAGE,
        Ok(size) if size <= LARGEST_PAGE => size,
        _ => {
            let rule = format!("it is {size}, but it must be 0 to {LARGEST_PAGE}");
            return Err(Reason::FieldInvalid.at("page_size", &rule));
        }
    };
    let start = match token {
        "" => 0,
        token => {
            let at = items.iter().position(|item| key(item) == token);
            let bad =
                || Reason::FieldInvalid.at("page_token", "it is none of this list, or its element is gone");
            at.ok_or_else(bad)? + 1
        }
    };
    let more = items.len() > start + size;
    let page: Vec<T> = items.into_iter().skip(start).take(size).collect();
    let next = page.last().filter(|_| more).map(&key).unwrap_or_default();
    Ok((page, next))
}

pub(super) fn timestamp(unix_nano: i64) -> Timestamp {
    let nanos = i32::try_from(unix_nano.rem_euclid(1_000_000_000)).unwrap_or(0);
    Timestamp { seconds: unix_nano.div_euclid(1_000_000_000), nanos }
}

pub(super) fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect()
}
