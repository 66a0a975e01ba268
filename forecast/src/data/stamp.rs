//! Time stamps as people write them: text with or without an offset, and epochs.

use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::{DateTimeParser, Pieces, PiecesOffset};
use jiff::tz::{Offset, TimeZone};

use super::time::{Zone, format_stamp};
use crate::Error;

/// Stamps read from one column.
#[derive(Debug, PartialEq)]
pub(crate) struct Stamps {
    /// Nanoseconds since 1970, or plain integers where `is_index`.
    pub(crate) values: Vec<i64>,
    /// The zone to tell them in.
    pub(crate) zone: Zone,
    /// True for an integer index.
    pub(crate) is_index: bool,
    /// What the reader assumed, for the report.
    pub(crate) note: Option<String>,
}

impl Stamps {
    /// A stamp as people write it.
    pub(crate) fn tell(&self, stamp: i64) -> String {
        if self.is_index { stamp.to_string() } else { format_stamp(stamp, &self.zone) }
    }
}

/// The first cell that could not be read.
#[derive(Debug, PartialEq)]
pub(crate) struct BadCell {
    /// Position of the cell, from 0.
    pub(crate) row: usize,
    /// The cell's text.
    pub(crate) value: String,
    /// What was expected, with an example.
    pub(crate) expected: &'static str,
}

const EXPECTED_LOCAL: &str = "a time stamp such as 2024-05-31 13:45:00";
const EXPECTED_OFFSET: &str = "a time stamp with an offset such as 2024-05-31T13:45:00+02:00";
const EXPECTED_ANY: &str = "a time stamp such as 2024-05-31, 2024-05-31 13:45:00 or 2024-05-31T13:45:00Z";
const EXPECTED_RANGE: &str = "a time stamp between the years 1678 and 2262";

/// Reads stamps one cell at a time; the first cell decides between local and offset stamps.
#[derive(Debug)]
pub(crate) struct TextStamps {
    zone: Option<Zone>,
    has_offset: Option<bool>,
    first_offset: Option<Offset>,
    offsets_change: bool,
    values: Vec<i64>,
}

static PARSER: DateTimeParser = DateTimeParser::new();

impl TextStamps {
    /// Starts on a column of `n_rows` cells; `zone` is the one that the user named.
    pub(crate) fn new(zone: Option<Zone>, n_rows: usize) -> Self {
        TextStamps {
            zone,
            has_offset: None,
            first_offset: None,
            offsets_change: false,
            values: Vec::with_capacity(n_rows),
        }
    }

    /// Reads the next cell.
    pub(crate) fn push(&mut self, cell: Option<&str>) -> Result<(), BadCell> {
        let text = cell.unwrap_or("").trim();
        let bad = |expected| BadCell { row: self.values.len(), value: text.to_string(), expected };
        let has_offset = match self.has_offset {
            Some(known) => known,
            None => {
                let pieces = Pieces::parse(text).map_err(|_| bad(EXPECTED_ANY))?;
                *self.has_offset.insert(pieces.offset().is_some())
            }
        };
        let nanos = if has_offset {
            let pieces = Pieces::parse(text).map_err(|_| bad(EXPECTED_OFFSET))?;
            let offset = match pieces.offset() {
                Some(PiecesOffset::Zulu) => Offset::UTC,
                Some(PiecesOffset::Numeric(numeric)) => numeric.offset(),
                _ => return Err(bad(EXPECTED_OFFSET)),
            };
            self.offsets_change |= *self.first_offset.get_or_insert(offset) != offset;
            let civil = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or(Time::midnight()));
            offset.to_timestamp(civil).ok().and_then(|t| i64::try_from(t.as_nanosecond()).ok())
        } else {
            let civil = PARSER.parse_datetime(text).map_err(|_| bad(EXPECTED_LOCAL))?;
            self.zone.as_ref().unwrap_or(&Zone::Local).nanos(civil)
        };
        self.values.push(nanos.ok_or(BadCell {
            row: self.values.len(),
            value: text.to_string(),
            expected: EXPECTED_RANGE,
        })?);
        Ok(())
    }

    /// The stamps, and the zone that they imply where the user named none.
    pub(crate) fn finish(self) -> Stamps {
        let mut note = None;
        let zone = match (self.zone, self.first_offset) {
            (Some(zone), _) => zone,
            (None, None) => Zone::Local,
            (None, Some(offset)) if !self.offsets_change => Zone::Named(TimeZone::fixed(offset)),
            (None, Some(_)) => {
                note = Some(
                    "the offsets of the stamps change (daylight saving); they are told in UTC, name their zone with --tz".to_string(),
                );
                Zone::Named(TimeZone::UTC)
            }
        };
        Stamps { values: self.values, zone, is_index: false, note }
    }
}

/// Stamps from text, in nanoseconds, and the zone that they are told in.
///
/// # Errors
/// [`Error::BadStamp`] with the first cell that cannot be read.
pub fn parse_stamps(cells: &[String]) -> Result<(Vec<i64>, Zone), Error> {
    let mut stamps = TextStamps::new(None, cells.len());
    for cell in cells {
        stamps.push(Some(cell)).map_err(|bad| Error::BadStamp {
            input: "table".to_string(),
            row: bad.row + 1,
            column: "ds".to_string(),
            value: bad.value,
            expected: bad.expected,
        })?;
    }
    let stamps = stamps.finish();
    Ok((stamps.values, stamps.zone))
}

/// Integers as an epoch in s, ms, us or ns, told by their size, or as a plain index below 10^8.
pub(crate) fn from_integers(values: Vec<i64>, zone: Option<Zone>, force_index: bool) -> Stamps {
    let smallest = values.iter().copied().min().unwrap_or(0);
    let (unit, factor) = match smallest {
        _ if force_index => ("", 0),
        100_000_000_000_000_000.. => ("ns", 1),
        100_000_000_000_000.. => ("us", 1_000),
        100_000_000_000.. => ("ms", 1_000_000),
        100_000_000.. => ("s", 1_000_000_000),
        _ => ("", 0),
    };
    let exact = factor > 0 && values.iter().all(|v| v.checked_mul(factor).is_some());
    if !exact {
        return Stamps { values, zone: Zone::Local, is_index: true, note: None };
    }
    Stamps {
        values: values.into_iter().map(|v| v * factor).collect(),
        zone: zone.unwrap_or(Zone::Named(TimeZone::UTC)),
        is_index: false,
        note: Some(format!("the time stamps are an epoch in {unit}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<Stamps, BadCell> {
        let mut stamps = TextStamps::new(None, cells.len());
        cells.iter().try_for_each(|cell| stamps.push(Some(cell)))?;
        Ok(stamps.finish())
    }

    #[test]
    fn dates_local_stamps_and_offsets_are_told_apart() {
        assert_eq!(read(&["1970-01-02"]).unwrap().values, [86_400_000_000_000]);
        assert_eq!(read(&["1970-01-01 00:00:01.5"]).unwrap().values, [1_500_000_000]);
        let offset = read(&["1970-01-01T01:00:00+01:00", "1970-01-01T01:00+01:00"]).unwrap();
        assert_eq!(offset.values, [0, 0]);
        assert_eq!(String::from(offset.zone), "+01");
        assert!(offset.note.is_none());
    }

    #[test]
    fn changing_offsets_are_told_in_utc_and_said() {
        let stamps = read(&["2022-03-27T01:00:00+01:00", "2022-03-27T03:00:00+02:00"]).unwrap();
        assert_eq!(stamps.values[1] - stamps.values[0], 3_600_000_000_000);
        assert!(stamps.note.unwrap().contains("--tz"));
    }

    #[test]
    fn bad_cells_name_row_and_value() {
        let bad = read(&["2024-01-01 00:00:00", "2024-01-01 25:00:00"]).unwrap_err();
        assert_eq!((bad.row, bad.value.as_str()), (1, "2024-01-01 25:00:00"));
        assert_eq!(read(&["yesterday"]).unwrap_err().expected, EXPECTED_ANY);
        assert_eq!(read(&["1500-01-01"]).unwrap_err().expected, EXPECTED_RANGE);
        assert_eq!(read(&["2024-01-01T00:00Z", "2024-01-01"]).unwrap_err().expected, EXPECTED_OFFSET);
    }

    #[test]
    fn integers_are_epochs_by_size_or_an_index() {
        let ms = from_integers(vec![1_700_000_000_000, 1_700_000_060_000], None, false);
        assert_eq!(ms.values[1] - ms.values[0], 60_000_000_000);
        assert!(!ms.is_index);
        assert!(from_integers(vec![1, 2, 3], None, false).is_index);
        assert!(from_integers(vec![1_700_000_000], None, true).is_index);
    }
}
