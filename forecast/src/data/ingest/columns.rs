//! Which column of a table plays which part.

use std::collections::HashSet;

use super::read::ReadOptions;
use crate::data::files::frame::{Frame, Kind};
use crate::{Error, Result};

/// Names that are taken for the series id, in order of preference.
const ID_NAMES: [&str; 3] = ["unique_id", "item_id", "series_id"];
/// Names that are taken for the time stamps.
const TIME_NAMES: [&str; 8] = ["ds", "timestamp", "date", "datetime", "time", "date_time", "index", "ts"];
/// Names that are taken for the target where other columns of numbers stand beside it.
const TARGET_NAMES: [&str; 3] = ["y", "target", "value"];

/// The parts that columns play.
#[derive(Debug)]
pub(in crate::data) struct Parts {
    pub(in crate::data) id: Option<String>,
    pub(in crate::data) time: String,
    pub(in crate::data) targets: Vec<String>,
    /// True if the targets are all columns of numbers: then those without any value are left out.
    pub(in crate::data) targets_are_told: bool,
    /// The declared covariates.
    pub(in crate::data) covariates: Vec<String>,
    pub(in crate::data) notes: Vec<String>,
}

/// Finds id, time and targets by the names that were given, else by convention.
///
/// # Errors
/// [`Error::NoTimeColumn`], [`Error::NoTarget`], [`Error::AmbiguousTarget`], [`Error::NoSuchColumn`] list the
/// columns; [`Error::BadOption`] names one.
pub(in crate::data) fn assign(frame: &Frame, input: &str, options: &ReadOptions) -> Result<Parts> {
    let Parts { id, time, covariates, .. } = keys(frame, input, options)?;
    let names = frame.names();
    let listed = || names.join(", ");
    let mut other = Vec::new();
    let mut numbers = Vec::new();
    let mut empty = Vec::new();
    let is_free = |name: &str| {
        name != time && id.as_deref() != Some(name) && !covariates.iter().any(|covariate| covariate == name)
    };
    for name in names.iter().filter(|name| is_free(name)) {
        match contents(frame, name)? {
            Contents::Numbers => numbers.push((*name).to_string()),
            // There may be numbers further down.
            Contents::Nothing => {
                numbers.push((*name).to_string());
                empty.push((*name).to_string());
            }
            Contents::Other => other.push(*name),
        }
    }
    let find = |known: &&str| names.iter().find(|name| name.to_lowercase() == **known && is_free(name));
    let conventional = TARGET_NAMES.iter().find_map(find).map(|name| (*name).to_string());
    let targets = match (&options.target_columns[..], conventional) {
        ([], Some(target)) => vec![target],
        ([], None) if numbers.len() == empty.len() => {
            return Err(Error::NoTarget { input: input.to_string(), columns: listed() });
        }
        ([], None) if id.is_some() && numbers.len() == empty.len() + 1 => {
            numbers.iter().filter(|name| !empty.contains(name)).cloned().collect()
        }
        ([], None) if id.is_some() => {
            return Err(Error::AmbiguousTarget {
                input: input.to_string(),
                id: id.unwrap_or_default(),
                columns: numbers.join(", "),
            });
        }
        ([], None) => numbers.clone(),
        (given, _) => given.to_vec(),
    };
    let mut distinct = HashSet::new();
    for target in &targets {
        if !distinct.insert(target.as_str()) {
            return Err(Error::option("target-col", target, "each column may be named once"));
        }
        frame.kind(target)?;
    }
    let other = other.into_iter().filter(|name| !distinct.contains(name));
    let mut notes: Vec<String> =
        other.map(|name| format!("column \"{name}\" is not numbers and not used")).collect();
    let empty: HashSet<&String> = empty.iter().collect();
    for unused in numbers.iter().filter(|name| !distinct.contains(name.as_str())) {
        let why = if empty.contains(unused) { "is empty" } else { "is not a target" };
        notes.push(format!("column \"{unused}\" {why} and not used"));
    }
    let targets_are_told = options.target_columns.is_empty() && targets == numbers;
    Ok(Parts { id, time, targets, targets_are_told, covariates, notes })
}

/// The same of a table without targets.
///
/// # Errors
/// [`Error::NoTimeColumn`], [`Error::NoSuchColumn`], and [`Error::BadOption`] for a covariate that plays another part.
pub(in crate::data) fn keys(frame: &Frame, input: &str, options: &ReadOptions) -> Result<Parts> {
    let names = frame.names();
    let by_name = |known: &[&str]| {
        let find = |known: &&str| names.iter().find(|name| name.to_lowercase() == **known);
        known.iter().find_map(find).map(|name| (*name).to_string())
    };
    let time = match &options.time_column {
        Some(name) => name.clone(),
        None => by_name(&TIME_NAMES)
            .ok_or_else(|| Error::NoTimeColumn { input: input.to_string(), columns: names.join(", ") })?,
    };
    frame.kind(&time)?;
    let id = options.id_column.clone().or_else(|| by_name(&ID_NAMES).filter(|id| *id != time));
    if let Some(id) = &id {
        frame.kind(id)?;
    }

    let covariates = options.covariate_names();
    for name in &covariates {
        frame.kind(name)?;
        check_is_free(name, &time, id.as_deref(), &options.target_columns)?;
    }
    Ok(Parts { id, time, targets: Vec::new(), targets_are_told: false, covariates, notes: Vec::new() })
}

/// Refuses a covariate that plays another part too.
fn check_is_free(covariate: &str, time: &str, id: Option<&str>, targets: &[String]) -> Result<()> {
    let part = match covariate {
        name if name == time => "the time column; name another one with --time-col",
        name if Some(name) == id => "the id column; name another one with --id-col",
        name if targets.iter().any(|target| target == name) => "a target; leave it out of one of the two",
        _ => return Ok(()),
    };
    Err(Error::option("covariate", format!("\"{covariate}\""), format!("it is {part}")))
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
        Kind::Number | Kind::Integer if frame.is_empty(name)? => Contents::Nothing,
        Kind::Number | Kind::Integer => Contents::Numbers,
        Kind::Text => match frame.has_numbers(name)? {
            None => Contents::Nothing,
            Some(true) => Contents::Numbers,
            Some(false) => Contents::Other,
        },
        Kind::Stamp | Kind::Other => Contents::Other,
    })
}
