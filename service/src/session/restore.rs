//! Finds all sessions again in what a log left behind.

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;

use super::engine::Engine;
use super::medium::Medium;
use super::models::FindModel;
use super::record::{Record, RecordKind};
use super::scan::scan;
use super::snapshot::{decode_settings, decode_state};

/// A session that was found again.
#[derive(Debug)]
pub struct Found {
    /// The session.
    pub engine: Engine,
    /// Where its newest state in the log begins.
    pub position: u64,
    /// Size of that state, in bytes.
    pub state_bytes: u64,
}

/// A session that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its name.
    pub name: String,
    /// Tells it from others of its name.
    pub uid: u64,
    /// Why.
    pub reason: String,
    /// Where what is left of it begins in the log.
    pub position: u64,
}

/// What a log left behind.
#[derive(Debug, Default)]
pub struct Restored {
    /// Sessions that go on where they were.
    pub found: Vec<Found>,
    /// Sessions that cannot be used.
    pub lost: Vec<Lost>,
    /// Where the log ends.
    pub end: u64,
    /// The highest uid that was seen.
    pub last_uid: u64,
}

/// The records of one session, oldest first, each with its position.
type Records<'a> = Vec<(u64, Record<'a>)>;

/// Reads all segments and makes the sessions anew: the last state of each, then what came after it.
///
/// A session whose model is not there, or whose observations have a hole, is told as lost; nothing of it is changed.
///
/// # Errors
/// What the medium says.
pub fn restore(medium: &dyn Medium, models: &dyn FindModel) -> io::Result<Restored> {
    let starts = medium.list()?;
    let segments =
        starts.iter().map(|start| Ok((*start, medium.read(*start)?))).collect::<io::Result<Vec<_>>>()?;
    let mut sessions: BTreeMap<u64, Records<'_>> = BTreeMap::new();
    let mut restored = Restored::default();
    let scans: Vec<_> =
        segments.par_iter().map(|(start, bytes)| (*start, bytes.len(), scan(bytes))).collect();
    for (start, len, scanned) in scans {
        restored.end = restored.end.max(start + len as u64);
        if scanned.n_damaged > 0 {
            tracing::error!(
                segment = start,
                bytes = scanned.n_damaged,
                "a segment of the session log is damaged"
            );
        }
        for (at, record) in scanned.records {
            sessions.entry(record.uid).or_default().push((start + at as u64, record));
        }
    }
    restored.last_uid = sessions.keys().next_back().copied().unwrap_or(0);
    let sessions: Vec<_> = sessions.into_iter().collect();
    let outcomes: Vec<_> =
        sessions.par_iter().filter_map(|(uid, records)| session(*uid, records, models)).collect();
    for outcome in outcomes {
        match outcome {
            Ok(found) => restored.found.push(found),
            Err(lost) => restored.lost.push(lost),
        }
    }
    Ok(restored)
}

/// One session; none if it was deleted.
fn session(uid: u64, records: &Records<'_>, models: &dyn FindModel) -> Option<Result<Found, Lost>> {
    if records.iter().any(|(_, record)| record.kind == RecordKind::Delete) {
        return None;
    }
    let name =
        records.iter().find(|(_, record)| !record.name.is_empty()).map_or("", |(_, record)| record.name);
    let state = records.iter().rfind(|(_, record)| record.kind == RecordKind::State);
    let position = state.or(records.first()).map_or(0, |(position, _)| *position);
    let found = match state {
        Some((_, state)) => replay(state.payload, records, models),
        None => Err("observations of it are in the log, but its state is not".to_string()),
    };
    let state_bytes = state.map_or(0, |(_, state)| state.payload.len() as u64);
    Some(match found {
        Ok(engine) => Ok(Found { engine, position, state_bytes }),
        Err(reason) => Err(Lost { name: name.to_string(), uid, reason, position }),
    })
}

/// The state, then every observation that it does not hold yet.
fn replay(state: &[u8], records: &Records<'_>, models: &dyn FindModel) -> Result<Engine, String> {
    let settings = decode_settings(state)?;
    let model = models
        .find(&settings.revision, &settings.name)
        .map_err(|status| format!("its model cannot be had: {}", status.message()))?;
    let mut engine = decode_state(state, model)?;
    let (n_channels, n_covariates) = engine.shape();
    let mut troubles = Vec::new();
    for (_, record) in records {
        match record.kind {
            RecordKind::Batch => {
                let batch = record.batch().ok_or("a batch of it cannot be read")?;
                let view = batch.view(n_channels, n_covariates).map_err(|error| error.to_string())?;
                if view.last() >= engine.next_sequence() {
                    engine.apply(view, &mut troubles, &mut |_, _| {}).map_err(|_| {
                        let (next, first) = (engine.next_sequence(), view.first);
                        format!("observations {next} to {} are missing from the log", first - 1)
                    })?;
                    troubles.clear();
                }
            }
            RecordKind::Epoch => engine.epoch = engine.epoch.max(record.epoch().unwrap_or(0)),
            RecordKind::State | RecordKind::Delete => {}
        }
    }
    Ok(engine)
}
