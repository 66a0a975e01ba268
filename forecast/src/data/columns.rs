//! Which column of a table plays which part.

use super::frame::{Frame, Kind};
use super::read::ReadOptions;
use crate::{Error, Result};

/// Names that are taken for the series id, in order of preference.
pub(super) const ID_NAMES: [&str; 3] = ["unique_id", "item_id", "series_id"];
/// Names that are taken for the time stamps.
pub(super) const TIME_NAMES: [&str; 8] =
    ["ds", "timestamp", "date", "datetime", "time", "date_time", "index", "ts"];
/// Names that are taken for the target where other columns of numbers stand beside it.
const TARGET_NAMES: [&str; 3] = ["y", "target", "value"];

/// The parts that columns play.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) id: Option<String>,
    pub(super) time: String,
    pub(super) targets: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Finds id, time and targets by the names that were given, else by convention.
///
/// # Errors
/// [`Error::NoTimeColumn`], [`Error::NoTarget`], [`Error::AmbiguousTarget`], [`Error::NoSuchColumn`] list the
/// columns; [`Error::AllMissing`] and [`Error::BadOption`] name one.
pub(super) fn assign(frame: &Frame, input: &str, options: &ReadOptions) -> Result<Parts> {
    let names = frame.names();
    let listed = || names.join(", ");
    let by_name = |known: &[&str]| {
        let find = |known: &&str| names.iter().find(|name| name.to_lowercase() == **known);
        known.iter().find_map(find).map(|name| (*name).to_string())
    };
    let time = match &options.time_column {
        Some(name) => name.clone(),
        None => by_name(&TIME_NAMES)
            .ok_or_else(|| Error::NoTimeColumn { input: input.to_string(), columns: listed() })?,
    };
    frame.kind(&time)?;
    let id = options.id_column.clone().or_else(|| by_name(&ID_NAMES).filter(|id| *id != time));
    if let Some(id) = &id {
        frame.kind(id)?;
    }

    let mut notes = Vec::new();
    let mut numbers = Vec::new();
    for name in names.iter().filter(|name| **name != time && id.as_deref() != Some(**name)) {
        match contents(frame, name)? {
            Contents::Numbers => numbers.push((*name).to_string()),
            Contents::Nothing => notes.push(format!("column \"{name}\" is empty and not used")),
            Contents::Other => notes.push(format!("column \"{name}\" is not numbers and not used")),
        }
    }
    let conventional = by_name(&TARGET_NAMES).filter(|name| *name != time && id.as_deref() != Some(name));
    let targets = match (&options.target_columns[..], conventional) {
        ([], Some(target)) => vec![target],
        ([], None) if numbers.is_empty() => {
            return Err(Error::NoTarget { input: input.to_string(), columns: listed() });
        }
        ([], None) if id.is_some() && numbers.len() > 1 => {
            return Err(Error::AmbiguousTarget {
                input: input.to_string(),
                id: id.unwrap_or_default(),
                columns: numbers.join(", "),
            });
        }
        ([], None) => numbers.clone(),
        (given, _) => given.to_vec(),
    };
    for (at, target) in targets.iter().enumerate() {
        if targets[..at].contains(target) {
            return Err(Error::option("target-col", target, "each column may be named once"));
        }
        if matches!(contents(frame, target)?, Contents::Nothing) {
            return Err(Error::AllMissing {
                series: input.to_string(),
                place: format!("column \"{target}\""),
                steps: frame.n_rows(),
            });
        }
    }
    notes.retain(|note| !targets.iter().any(|target| note.starts_with(&format!("column \"{target}\""))));
    for unused in numbers.iter().filter(|name| !targets.contains(name)) {
        notes.push(format!("column \"{unused}\" is not a target and not used"));
    }
    Ok(Parts { id, time, targets, notes })
}

/// What a column holds.
enum Contents {
    /// Numbers, or text of which most is: then the rest has to be named, not dropped.
    Numbers,
    /// No cell at all.
    Nothing,
    /// Something else.
    Other,
}

fn contents(frame: &Frame, name: &str) -> Result<Contents> {
    Ok(match frame.kind(name)? {
        Kind::Number | Kind::Integer => Contents::Numbers,
        Kind::Text => match frame.count_numbers(name)? {
            (0, _) => Contents::Nothing,
            (n_cells, n_numbers) if 2 * n_numbers >= n_cells => Contents::Numbers,
            _ => Contents::Other,
        },
        Kind::Stamp | Kind::Other => Contents::Other,
    })
}
