//! Frames into compact rows: a code for the id, a stamp, a number for each target and covariate.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::columns::Parts;
use super::ids::{Ids, Taken};
use super::read::{BadSeries, ReadOptions};
use super::rows::Unsorted;
use crate::data::covariates::CovariateRows;
use crate::data::files::frame::{Added, BadCell, Frame, Kind};
use crate::data::time::civil::{Hint, order_hint};
use crate::data::time::integers::Integers;
use crate::data::time::stamp::{Axis, Stamps, TextStamps};
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// Collects the rows of frames that have the same columns.
#[derive(Debug)]
pub(in crate::data) struct Collector {
    pub(in crate::data) parts: Parts,
    reader: StampReader,
    zone: Option<Zone>,
    force_index: bool,
    /// What integers of the time column are; the first rows that are taken decide.
    integers: Option<Integers>,
    ids: Ids,
    n_rows: usize,
    /// Room is made for so many times the rows of a frame.
    most_ahead: usize,
    stamps: Vec<i64>,
    values: Vec<Vec<f64>>,
    has_infinite: bool,
    pub(in crate::data) covariates: CovariateRows,
    bad_series: BadSeries,
    /// The first bad cell of series, by code; empty unless they are left out.
    bad: BTreeMap<u32, BadCell>,
}

/// How the time column is read; the first frame decides.
#[derive(Debug)]
enum StampReader {
    Text(TextStamps),
    /// Integers in text.
    Digits,
    Integers,
    /// Dates or date-times, and their zone.
    Stamps(Option<String>),
}

/// Room is made for so many times the rows that are there, where all rows are held.
const MOST_AHEAD: usize = 8;
const EXPECTED_INTEGER: &str = "an integer, as in the rows above";
const EXPECTED_STAMP: &str = "a time stamp between the years 1678 and 2262, as in the other rows";
const EXPECTED_ANY: &str = "a time stamp or an integer";

impl Collector {
    /// A collector for frames like the first one, which is not yet added.
    pub(in crate::data) fn new(first: &Frame, parts: Parts, options: &ReadOptions) -> Result<Self> {
        let reader = stamp_reader(first, &parts.time, options)?;
        let values = vec![Vec::new(); parts.targets.len()];
        // A wide file is one series; with one channel it carries the channel's name.
        let ids = match (&parts.id, &parts.targets[..]) {
            (Some(_), _) => Ids::default(),
            (None, [only]) => Ids::of_one(only.clone()),
            (None, _) => Ids::of_one("series".to_string()),
        };
        Ok(Collector {
            parts,
            reader,
            zone: options.zone.clone(),
            force_index: matches!(options.freq, Some(Step::Index(_))),
            integers: None,
            ids,
            n_rows: 0,
            most_ahead: MOST_AHEAD,
            stamps: Vec::new(),
            values,
            has_infinite: false,
            covariates: CovariateRows::new(&options.covariates, options.covariate_schema.as_ref())?,
            bad_series: options.bad_series,
            bad: BTreeMap::new(),
        })
    }

    pub(in crate::data) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Series whose rows are held.
    pub(in crate::data) fn n_series(&self) -> usize {
        self.ids.len()
    }

    /// Rows are taken as they come: no room is made for those that follow.
    pub(in crate::data) fn takes_some_at_a_time(&mut self) {
        self.most_ahead = 0;
    }

    /// Adds the rows of a frame.
    pub(in crate::data) fn push(&mut self, frame: &Frame) -> Result<()> {
        let n_rows = self.n_rows + frame.n_rows();
        if u32::try_from(n_rows).is_err() {
            let rule = "more rows are not read at once; use `longcast batch`, which reads series by series";
            return Err(Error::option("the number of rows", n_rows, rule));
        }
        // A file may be damaged where it says how long it is.
        let n_expected = frame.n_rows() + frame.rows_ahead().min(self.most_ahead * frame.n_rows());
        self.stamps.reserve(n_expected);
        self.values.iter_mut().for_each(|column| column.reserve(n_expected));
        let Collector { parts, reader, stamps, values, ids, .. } = self;
        let (added, read) = rayon::join(
            || {
                match &parts.id {
                    Some(id) => ids.push(&frame.runs(id)?),
                    None => ids.push_one(frame.n_rows()),
                }
                Ok(())
            },
            || read(frame, parts, reader, (stamps, values)),
        );
        added?;
        self.n_rows = n_rows;
        let (no_stamps, numbers) = read?;
        let codes = LazyCell::new(|| self.ids.last_codes(frame.n_rows()));
        // The series is left out, so any stamp will do in place of one that cannot be read.
        for (row, expected) in no_stamps {
            let cell = || frame.bad_cell(&self.parts.time, row, Some(expected));
            leave_out(self.bad_series, &mut self.bad, codes[row], cell)?;
        }
        self.has_infinite |= numbers.has_infinite;
        for (column, row) in numbers.refused {
            let cell = || frame.bad_cell(&self.parts.targets[column], row, None);
            leave_out(self.bad_series, &mut self.bad, codes[row], cell)?;
        }
        self.covariates.push(frame)
    }

    /// All rows that were added; covariates follow the targets.
    pub(in crate::data) fn take_all(&mut self) -> Result<Unsorted> {
        let n_rows = std::mem::take(&mut self.n_rows);
        let ids = self.ids.take_all();
        let bad = std::mem::take(&mut self.bad);
        self.take(ids, n_rows, bad)
    }

    /// The rows of all series but the last, whose rows may go on in the next frame; all at the end of the
    /// input.
    ///
    /// # Errors
    /// [`Error::NotTogether`] if the rows of a series do not stand side by side.
    pub(in crate::data) fn take_complete(&mut self, is_end: bool) -> Result<Unsorted> {
        let first = self.ids.first();
        let ids = self.ids.take_complete(is_end).map_err(|series| Error::NotTogether { series })?;
        let n_rows = ids.1.iter().map(|run| run.1).sum();
        self.n_rows -= n_rows;
        let later = self.bad.split_off(&self.ids.first());
        let bad = std::mem::replace(&mut self.bad, later);
        let bad = bad.into_iter().map(|(code, cell)| (code - first, cell)).collect();
        self.take(ids, n_rows, bad)
    }

    fn take(&mut self, (ids, runs): Taken, n_rows: usize, bad: BTreeMap<u32, BadCell>) -> Result<Unsorted> {
        let covariates = self.covariates.take(n_rows);
        let values =
            self.values.iter_mut().map(|column| take_front(column, n_rows)).chain(covariates).collect();
        let taken = take_front(&mut self.stamps, n_rows);
        let stamps = self.stamps(taken)?;
        Ok(Unsorted { ids, runs, stamps, values, has_infinite: self.has_infinite, bad })
    }

    fn stamps(&mut self, values: Vec<i64>) -> Result<Stamps> {
        let zone = self.zone.clone();
        Ok(match &self.reader {
            StampReader::Text(reader) => Stamps { values, axis: reader.axis() },
            StampReader::Digits | StampReader::Integers => {
                let told = || Integers::of(&values, zone.as_ref(), self.force_index);
                match values.is_empty() {
                    true => Integers::Index.stamps(values, zone)?,
                    false => self.integers.get_or_insert_with(told).stamps(values, zone)?,
                }
            }
            StampReader::Stamps(own) => {
                let zone = match (zone, own) {
                    (Some(zone), _) => zone,
                    (None, Some(name)) => Zone::named(name)?,
                    (None, None) => Zone::Local,
                };
                Stamps { values, axis: Axis::new(zone) }
            }
        })
    }
}

/// Rows of text that are no stamps, and what they should have been.
type NoStamps = Vec<(usize, &'static str)>;

/// Adds the stamps and the targets of a frame.
fn read(
    frame: &Frame,
    parts: &Parts,
    reader: &mut StampReader,
    (stamps, values): (&mut Vec<i64>, &mut [Vec<f64>]),
) -> Result<(NoStamps, Added)> {
    let time = &parts.time;
    let expected = match (&*reader, frame.kind(time)?) {
        (StampReader::Integers, Kind::Integer) => EXPECTED_INTEGER,
        (StampReader::Stamps(zone), Kind::Stamp) => {
            let its_zone = frame.zone(time)?;
            if its_zone != *zone {
                let expected = "a time stamp in the zone of the others";
                return Err(bad_stamp(frame, time, 0, its_zone.unwrap_or_default(), expected).error());
            }
            EXPECTED_STAMP
        }
        _ => {
            let (no_stamps, numbers) = rayon::join(
                || read_stamps(frame, time, reader, stamps),
                || frame.append_all(None, &parts.targets, values),
            );
            return Ok((no_stamps?, numbers?));
        }
    };
    // Side by side, so that a thread takes over each of them.
    let added = frame.append_all(Some((time, stamps)), &parts.targets, values)?;
    match added.no_integer {
        Some(row) => Err(bad_stamp(frame, time, row, String::new(), expected).error()),
        None => Ok((NoStamps::new(), added)),
    }
}

/// Adds stamps that are text, or integers told as other numbers.
fn read_stamps(
    frame: &Frame,
    time: &str,
    reader: &mut StampReader,
    stamps: &mut Vec<i64>,
) -> Result<NoStamps> {
    let bad = |row: usize, value: String, expected| bad_stamp(frame, time, row, value, expected).error();
    let mut refused = Vec::new();
    match (reader, frame.kind(time)?) {
        (StampReader::Text(reader), Kind::Text) => {
            let read =
                |reader: &mut TextStamps, cell: &str| reader.read(Some(cell)).map_err(|cell| cell.expected);
            for (part, rows) in frame.append_read(time, stamps, 0, reader, read)? {
                refused.extend(rows);
                reader.join(&part);
            }
        }
        (StampReader::Digits, Kind::Text) => {
            let read = |(): &mut (), cell: &str| cell.trim().parse().map_err(|_| EXPECTED_INTEGER);
            for ((), rows) in frame.append_read(time, stamps, 0, &(), read)? {
                refused.extend(rows);
            }
        }
        (StampReader::Integers, Kind::Number) => frame
            .append_integers(time, stamps)
            .map_err(|_| not_whole(frame, time))?
            .map_err(|row| bad(row, String::new(), EXPECTED_INTEGER))?,
        (_, kind) => return Err(bad(0, format!("{kind:?}").to_lowercase(), EXPECTED_STAMP)),
    }
    Ok(refused)
}

/// The first `n` of a vector, which keeps the others.
fn take_front<T>(values: &mut Vec<T>, n: usize) -> Vec<T> {
    let rest = values.split_off(n);
    std::mem::replace(values, rest)
}

fn stamp_reader(frame: &Frame, time: &str, options: &ReadOptions) -> Result<StampReader> {
    Ok(match frame.kind(time)? {
        Kind::Text => {
            let first = frame.text(time, 0)?;
            let pattern = options.time_format.as_deref();
            if first.trim().parse::<i64>().is_ok() && pattern.is_none() {
                return Ok(StampReader::Digits);
            }
            let mut sample = vec![first];
            if order_hint(sample[0].trim().as_bytes()) == Hint::Either {
                frame.each_text(time, |_, cell| {
                    sample.push(cell.unwrap_or_default().to_string());
                    Ok(())
                })?;
            }
            let sample = sample.iter().map(String::as_str);
            StampReader::Text(TextStamps::new(options.zone.clone(), pattern, sample)?)
        }
        Kind::Integer => StampReader::Integers,
        Kind::Stamp => StampReader::Stamps(frame.zone(time)?),
        Kind::Number if frame.append_integers(time, &mut Vec::new()).is_ok() => StampReader::Integers,
        Kind::Number => return Err(not_whole(frame, time)),
        Kind::Other => return Err(bad_stamp(frame, time, 0, String::new(), EXPECTED_ANY).error()),
    })
}

/// Names the first number of a time column that is not whole.
fn not_whole(frame: &Frame, time: &str) -> Error {
    let numbers = frame.numbers(time).unwrap_or_default();
    let row = numbers.iter().position(|v| v.fract().abs() > 0.0 || v.is_nan()).unwrap_or(0);
    let value = numbers.get(row).map_or_else(String::new, f64::to_string);
    bad_stamp(frame, time, row, value, EXPECTED_ANY).error()
}

fn bad_stamp(frame: &Frame, time: &str, row: usize, value: String, expected: &'static str) -> BadCell {
    BadCell {
        input: frame.input().to_string(),
        row: frame.row_number(row),
        column: time.to_string(),
        value,
        stamp: Some(expected),
    }
}

/// Keeps the first bad cell of a series that is to be left out; it is an error where reading stops.
fn leave_out(
    how: BadSeries,
    bad: &mut BTreeMap<u32, BadCell>,
    code: u32,
    cell: impl FnOnce() -> Result<BadCell>,
) -> Result<()> {
    if how == BadSeries::Stop {
        return Err(cell()?.error());
    }
    if let Entry::Vacant(first) = bad.entry(code) {
        first.insert(cell()?);
    }
    Ok(())
}
