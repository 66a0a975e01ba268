//! From a table to a panel: which column is what, and rows sorted into regular series.

use std::borrow::Cow;
use std::collections::HashMap;

use super::columns::{ID_NAMES, Parts, TIME_NAMES, assign};
use super::duplicates::Duplicates;
use super::format::Format;
use super::frame::{Frame, Kind};
use super::panel::{Panel, ReadReport};
use super::regular::{Regular, Rows, infer_step, regularise};
use super::stamp::{self, Stamps, TextStamps};
use super::step::Step;
use super::time::Zone;
use crate::{Error, Result};

/// Steps of a series from which its own step can be told.
const FEWEST_TO_TELL: usize = 4;

/// How to read a file into a [`Panel`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `id_column` | `unique_id`, `item_id` or `series_id` | series id of a long frame |
/// | `time_column` | `ds`, `timestamp`, `date`, ... | time stamps |
/// | `target_columns` | `y`, `target`, `value`, else every column of numbers | the channels |
/// | `freq` | inferred | the step |
/// | `zone` | none, or the offset of the stamps | zone of local stamps and of calendar steps |
/// | `duplicates` | error | several rows for one stamp |
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The column with the series id of a long frame.
    pub id_column: Option<String>,
    /// The column with the time stamps.
    pub time_column: Option<String>,
    /// The columns with the values, one a channel.
    pub target_columns: Vec<String>,
    /// The step; inferred if `None`.
    pub freq: Option<Step>,
    /// The zone that stamps without an offset are in, and that all are told in.
    pub zone: Option<Zone>,
    /// What to do with several rows for one stamp.
    pub duplicates: Duplicates,
}

impl ReadOptions {
    /// True for columns that hold ids or stamps, whose digits have to be kept.
    pub(crate) fn is_key(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        let given = [&self.id_column, &self.time_column];
        given.into_iter().flatten().any(|column| column == name)
            || ID_NAMES.contains(&lower.as_str())
            || TIME_NAMES.contains(&lower.as_str())
    }
}

/// Reads the bytes of a file into a checked, regular panel.
pub(crate) fn panel(bytes: &[u8], input: &str, format: Format, options: &ReadOptions) -> Result<Panel> {
    panel_of(Frame::read(bytes, input, format, &|name| options.is_key(name))?, input, options)
}

/// Turns a table into a checked, regular panel.
pub(crate) fn panel_of(frame: Frame, input: &str, options: &ReadOptions) -> Result<Panel> {
    let mut parts = assign(&frame, input, options)?;
    let stamps = stamps(&frame, &parts.time, input, options)?;
    parts.notes.extend(stamps.note.clone());

    let (ids, groups) = group(&frame, &parts)?;
    let values: Vec<Vec<f64>> =
        parts.targets.iter().map(|name| frame.numbers(name)).collect::<Result<_>>()?;
    drop(frame);

    let mut rows: Vec<Rows> = ids.into_iter().zip(groups).map(|(id, rows)| Rows::new(id, rows)).collect();
    rows.iter_mut().for_each(|rows| rows.sort(&stamps.values));
    if options.duplicates == Duplicates::Error {
        rows.iter().try_for_each(|rows| rows.check_distinct(&stamps))?;
    }
    let step = match options.freq {
        Some(step) if !step.is_positive() => {
            return Err(Error::option("freq", step, "it must be positive"));
        }
        Some(step) => on_calendar(step, &stamps),
        None => infer_step(&rows, &stamps)?,
    };
    let n_rows = stamps.values.len();
    let mut report = ReadReport { n_rows, notes: parts.notes, ..ReadReport::default() };
    let series = rows
        .iter()
        .map(|rows| {
            let regular = regularise(rows, &stamps, &values, step, &parts.targets, options)?;
            if options.freq.is_none() {
                check_step(&regular, step)?;
            }
            report.add(regular.counts);
            Ok(regular.series)
        })
        .collect::<Result<Vec<_>>>()?;
    report.step = step;
    report.step_is_inferred = options.freq.is_none();
    Panel::from_parts(parts.targets, series, report)
}

/// A series that never has two neighbouring steps is not on the panel's step but on one of its own.
fn check_step(regular: &Regular, step: Step) -> Result<()> {
    let filled = regular.series.n_steps() - regular.counts.absent;
    if filled < FEWEST_TO_TELL || regular.closest <= 1 {
        return Ok(());
    }
    Err(Error::MixedSteps {
        series: regular.series.id().to_string(),
        found: step.times(regular.closest).unwrap_or(step).to_string(),
        expected: step.to_string(),
    })
}

/// A day in a zone with daylight saving is a calendar day; an index counts in integers.
fn on_calendar(step: Step, stamps: &Stamps) -> Step {
    const DAY: i64 = 86_400_000_000_000;
    match step {
        Step::Nanos(nanos) if nanos % DAY == 0 && stamps.zone.has_uneven_days() => {
            i32::try_from(nanos / DAY).map_or(step, Step::Days)
        }
        other => other,
    }
}

fn stamps(frame: &Frame, time: &str, input: &str, options: &ReadOptions) -> Result<Stamps> {
    let bad_stamp = |row: usize, value: String, expected| Error::BadStamp {
        input: input.to_string(),
        row: row + 1,
        column: time.to_string(),
        value,
        expected,
    };
    let whole = |cells: Vec<Option<i64>>, expected| {
        let missing = cells.iter().position(Option::is_none);
        match missing {
            Some(row) => Err(bad_stamp(row, String::new(), expected)),
            None => Ok(cells.into_iter().flatten().collect::<Vec<i64>>()),
        }
    };
    match frame.kind(time)? {
        Kind::Text if first_is_integer(frame, time)? => {
            let mut values = Vec::with_capacity(frame.n_rows());
            frame.each_text(time, |row, cell| {
                let cell = cell.unwrap_or_default().trim();
                let bad = |_| bad_stamp(row, cell.to_string(), "an integer, as in the rows above");
                values.push(cell.parse().map_err(bad)?);
                Ok(())
            })?;
            let force_index = matches!(options.freq, Some(Step::Index(_)));
            Ok(stamp::from_integers(values, options.zone.clone(), force_index))
        }
        Kind::Text => {
            let mut stamps = TextStamps::new(options.zone.clone(), frame.n_rows());
            frame.each_text(time, |_, cell| {
                stamps.push(cell).map_err(|bad| bad_stamp(bad.row, bad.value, bad.expected))
            })?;
            Ok(stamps.finish())
        }
        Kind::Integer => {
            let values = whole(frame.integers(time)?, "an integer, as in the rows above")?;
            let force_index = matches!(options.freq, Some(Step::Index(_)));
            Ok(stamp::from_integers(values, options.zone.clone(), force_index))
        }
        Kind::Stamp => {
            let (cells, zone) = frame.stamps(time)?;
            let values = whole(cells, "a time stamp, as in the rows above")?;
            let zone = match (&options.zone, zone) {
                (Some(zone), _) => zone.clone(),
                (None, Some(name)) => Zone::named(&name)?,
                (None, None) => Zone::Local,
            };
            Ok(Stamps { values, zone, is_index: false, note: None })
        }
        Kind::Number | Kind::Other => {
            let value = frame.numbers(time).ok().and_then(|numbers| numbers.first().copied());
            let value = value.map_or_else(String::new, |value| value.to_string());
            Err(bad_stamp(0, value, "a time stamp or an integer"))
        }
    }
}

/// Integers in a text file are told by the first cell.
fn first_is_integer(frame: &Frame, time: &str) -> Result<bool> {
    let mut first = None;
    frame.each_text(time, |row, cell| {
        if row == 0 {
            first = cell.map(|cell| cell.trim().parse::<i64>().is_ok());
        }
        Ok(())
    })?;
    Ok(first.unwrap_or(false))
}

/// The ids in order of appearance, and the rows of each.
fn group(frame: &Frame, parts: &Parts) -> Result<(Vec<String>, Vec<Vec<usize>>)> {
    let Some(id) = &parts.id else {
        // A wide file is one series; with one channel it carries the channel's name.
        let name = if let [only] = &parts.targets[..] { only.clone() } else { "series".to_string() };
        return Ok((vec![name], vec![(0..frame.n_rows()).collect()]));
    };
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut ids: Vec<String> = Vec::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut last = 0;
    frame.each_text(id, |row, cell| {
        let cell: Cow<'_, str> = cell.unwrap_or("").into();
        if ids.get(last).is_none_or(|id| *id != cell) {
            last = *known.entry(cell.clone().into_owned()).or_insert_with(|| {
                ids.push(cell.into_owned());
                groups.push(Vec::new());
                ids.len() - 1
            });
        }
        groups[last].push(row);
        Ok(())
    })?;
    Ok((ids, groups))
}
