//! Time stamps as people write them: text with or without an offset, in several orders, and seconds with a fraction.

use jiff::civil::{DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::{DateTimeParser, Pieces, PiecesOffset};
use jiff::tz::{Offset, TimeZone};

use super::civil::{DateOrder, Hint, iso, iso_seconds, numeric, order_hint};
use super::clock::{Clock, NoInstant};
use super::zone::{Zone, format_stamp};
use crate::{Error, Result};

/// Stamps read from one column.
#[derive(Debug, PartialEq)]
pub(crate) struct Stamps {
    /// Nanoseconds since 1970, or plain integers where `is_index`.
    pub(crate) values: Vec<i64>,
    pub(crate) axis: Axis,
}

/// What the stamps of a column mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// The zone to tell them in.
    pub(crate) zone: Zone,
    /// True for an integer index.
    pub(crate) is_index: bool,
    /// True if they are what the clocks of the zone showed, which show an hour twice once a year.
    pub(crate) is_clock: bool,
    /// What the reader assumed, for the report.
    pub(crate) notes: Vec<String>,
}

impl Axis {
    /// Instants, or local stamps where the zone is none.
    pub(crate) fn new(zone: Zone) -> Self {
        Axis { zone, is_index: false, is_clock: false, notes: Vec::new() }
    }

    /// A stamp as people write it.
    pub(crate) fn tell(&self, stamp: i64) -> String {
        if self.is_index { stamp.to_string() } else { format_stamp(stamp, &self.zone) }
    }
}

/// A cell that could not be read.
#[derive(Debug, PartialEq)]
pub(crate) struct BadCell {
    /// The cell's text.
    pub(crate) value: String,
    /// What was expected, with an example.
    pub(crate) expected: &'static str,
}

const EXPECTED_LOCAL: &str = "a time stamp such as 2024-05-31 13:45:00";
const EXPECTED_OFFSET: &str = "a time stamp with an offset such as 2024-05-31T13:45:00+02:00";
const EXPECTED_ANY: &str = "a time stamp such as 2024-05-31, 2024-05-31 13:45:00, 2024-05-31T13:45:00Z or 31/5/2024 13:45; give its form with --time-format, for example \"%d.%m.%y %H:%M\"";
const EXPECTED_ORDER: &str = "a time stamp in the order of the others (day, month and year change places)";
const EXPECTED_PATTERN: &str = "a time stamp of the given --time-format";
const EXPECTED_SECONDS: &str = "an epoch in seconds such as 1717155900.25";
const EXPECTED_RANGE: &str = "a time stamp between the years 1678 and 2262";
const EXPECTED_SHOWN: &str =
    "a time of the given zone, whose clocks are put forward over it; drop the row, or leave out --tz";

/// How the stamps of a column are written.
#[derive(Debug, Clone, PartialEq)]
enum Layout {
    /// ISO 8601 without an offset.
    Local,
    /// ISO 8601 with an offset.
    Offset,
    /// Numbers in an order, such as 31/5/2024.
    Numeric(DateOrder),
    /// Seconds since 1970 with a fraction.
    Seconds,
    /// The user's form.
    Pattern(String),
    /// None that is known.
    Unknown,
}

/// Reads stamps one cell at a time; the first cells decide how they are written.
#[derive(Debug, Clone)]
pub(crate) struct TextStamps {
    zone: Option<Zone>,
    layout: Layout,
    clock: Clock,
    /// The date of the last cell, and its days since 1970: neighbours share it.
    last_date: ([u8; 10], i64),
    first_offset: Option<Offset>,
    offsets_change: bool,
}

static PARSER: DateTimeParser = DateTimeParser::new();

impl TextStamps {
    /// A reader for stamps such as those of `sample`; `zone` is the one that the user named, `pattern` the form.
    ///
    /// # Errors
    /// [`Error::BadOption`] if no date of the sample tells whether day or month comes first.
    pub(crate) fn new<'a>(
        zone: Option<Zone>,
        pattern: Option<&str>,
        sample: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let layout = match pattern {
            Some(pattern) => Layout::Pattern(pattern.to_string()),
            None => layout_of(sample)?,
        };
        let clock = Clock::new(zone.as_ref().unwrap_or(&Zone::Local));
        Ok(TextStamps {
            zone,
            layout,
            clock,
            last_date: ([0; 10], 0),
            first_offset: None,
            offsets_change: false,
        })
    }

    /// The stamp of the next cell.
    pub(crate) fn read(&mut self, cell: Option<&str>) -> Result<i64, BadCell> {
        let text = cell.unwrap_or("").trim();
        let bad = |expected| BadCell { value: text.to_string(), expected };
        match &self.layout {
            Layout::Local => {
                if let Some(civil) = iso_seconds(text.as_bytes(), &mut self.last_date) {
                    return self.clock.instant(civil).map_err(|error| bad(expected_of(error)));
                }
                if let Some((civil, b"")) = iso(text.as_bytes()) {
                    return self.clock.instant(civil).map_err(|error| bad(expected_of(error)));
                }
                let civil = PARSER.parse_datetime(text).map_err(|_| bad(EXPECTED_LOCAL))?;
                self.on_clock(civil).map_err(bad)
            }
            Layout::Numeric(order) => {
                let civil = numeric(text.as_bytes(), *order).ok_or_else(|| bad(EXPECTED_ORDER))?;
                self.clock.instant(civil).map_err(|error| bad(expected_of(error)))
            }
            Layout::Offset => {
                let (civil, offset) = with_offset(text).ok_or_else(|| bad(EXPECTED_OFFSET))?;
                self.at_offset(civil, offset).ok_or_else(|| bad(EXPECTED_RANGE))
            }
            Layout::Seconds => seconds(text).ok_or_else(|| bad(EXPECTED_SECONDS)),
            Layout::Unknown => Err(bad(EXPECTED_ANY)),
            Layout::Pattern(pattern) => {
                let broken = BrokenDownTime::parse(pattern, text).map_err(|_| bad(EXPECTED_PATTERN))?;
                let date = broken.to_date().map_err(|_| bad(EXPECTED_PATTERN))?;
                let time = broken.to_time().unwrap_or(Time::midnight());
                let civil = DateTime::from_parts(date, time);
                match broken.offset() {
                    Some(offset) => {
                        let nanos = Zone::Local.nanos(civil);
                        nanos
                            .and_then(|civil| self.at_offset(civil, offset))
                            .ok_or_else(|| bad(EXPECTED_RANGE))
                    }
                    None => self.on_clock(civil).map_err(bad),
                }
            }
        }
    }

    fn on_clock(&mut self, civil: DateTime) -> Result<i64, &'static str> {
        let civil = Zone::Local.nanos(civil).ok_or(EXPECTED_RANGE)?;
        self.clock.instant(civil).map_err(expected_of)
    }

    fn at_offset(&mut self, civil: i64, offset: Offset) -> Option<i64> {
        self.offsets_change |= *self.first_offset.get_or_insert(offset) != offset;
        civil.checked_sub(i64::from(offset.seconds()) * 1_000_000_000)
    }

    /// Takes over what a copy of this reader saw in later cells.
    pub(crate) fn join(&mut self, later: &Self) {
        self.offsets_change |=
            later.offsets_change || later.first_offset != self.first_offset.or(later.first_offset);
        self.first_offset = self.first_offset.or(later.first_offset);
    }

    /// What the stamps mean, with the zone that they imply where the user named none.
    pub(crate) fn axis(&self) -> Axis {
        let mut axis = Axis::new(match (&self.zone, self.first_offset) {
            (Some(zone), _) => zone.clone(),
            (None, None) if self.layout == Layout::Seconds => Zone::Named(TimeZone::UTC),
            (None, None) => Zone::Local,
            (None, Some(offset)) if !self.offsets_change => Zone::Named(TimeZone::fixed(offset)),
            (None, Some(_)) => Zone::Named(TimeZone::UTC),
        });
        axis.is_clock = self.first_offset.is_none() && axis.zone.has_uneven_days();
        if self.zone.is_none() && self.offsets_change {
            axis.notes.push("the offsets of the stamps change (daylight saving); they are told in UTC, name their zone with --tz".to_string());
        }
        match self.layout {
            Layout::Numeric(DateOrder::DayMonthYear) => {
                axis.notes.push("dates are read as day, month, year".to_string());
            }
            Layout::Numeric(DateOrder::MonthDayYear) => {
                axis.notes.push("dates are read as month, day, year".to_string());
            }
            Layout::Seconds => axis.notes.push("the time stamps are an epoch in s".to_string()),
            _ => {}
        }
        axis
    }
}

fn expected_of(error: NoInstant) -> &'static str {
    match error {
        NoInstant::Skipped => EXPECTED_SHOWN,
        NoInstant::OutOfRange => EXPECTED_RANGE,
    }
}

/// How the first stamp is written; of dates in numbers, as many as it takes to tell their order.
fn layout_of<'a>(mut sample: impl Iterator<Item = &'a str>) -> Result<Layout> {
    let first = sample.next().unwrap_or("").trim();
    if matches!(iso(first.as_bytes()), Some((_, b""))) {
        return Ok(Layout::Local);
    }
    match Pieces::parse(first) {
        Ok(pieces) if pieces.offset().is_some() => return Ok(Layout::Offset),
        Ok(_) => return Ok(Layout::Local),
        Err(_) => {}
    }
    match order_hint(first.as_bytes()) {
        Hint::Order(order) => return Ok(Layout::Numeric(order)),
        Hint::Either => {
            for text in sample {
                if let Hint::Order(order) = order_hint(text.trim().as_bytes()) {
                    return Ok(Layout::Numeric(order));
                }
            }
            let rule = "no stamp tells whether the day or the month comes first; give \"%d/%m/%Y %H:%M\" or \"%m/%d/%Y %H:%M\"";
            return Err(Error::option(
                "--time-format",
                format!("not given, and the first stamp is \"{first}\""),
                rule,
            ));
        }
        Hint::None => {}
    }
    // What is none of these is named with its row when it is read.
    Ok(if seconds(first).is_some() { Layout::Seconds } else { Layout::Unknown })
}

/// A civil time and its offset.
fn with_offset(text: &str) -> Option<(i64, Offset)> {
    if let Some((civil, b"Z")) = iso(text.as_bytes()) {
        return Some((civil, Offset::UTC));
    }
    let pieces = Pieces::parse(text).ok()?;
    let offset = match pieces.offset()? {
        PiecesOffset::Zulu => Offset::UTC,
        PiecesOffset::Numeric(numeric) => numeric.offset(),
        _ => return None,
    };
    let civil = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or(Time::midnight()));
    Some((Zone::Local.nanos(civil)?, offset))
}

/// Seconds with a fraction, exactly, in nanoseconds.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    // Smaller numbers are no time of the last decades.
    let whole: i64 = whole.parse().ok().filter(|seconds| *seconds >= 100_000_000)?;
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10i64.pow(9 - u32::try_from(digits.len()).ok()?);
    let fraction = if digits.is_empty() { 0 } else { digits.parse::<u32>().ok()?.into() };
    whole.checked_mul(1_000_000_000)?.checked_add(fraction * scale)
}

/// Stamps from text, in nanoseconds, and the zone that they are told in.
///
/// # Errors
/// [`Error::BadStamp`] with the first cell that cannot be read.
pub fn parse_stamps(cells: &[String]) -> Result<(Vec<i64>, Zone)> {
    let mut reader = TextStamps::new(None, None, cells.iter().map(String::as_str))?;
    let stamps = cells.iter().enumerate().map(|(row, cell)| {
        reader.read(Some(cell)).map_err(|bad| Error::BadStamp {
            input: "table".to_string(),
            row: row + 1,
            column: "ds".to_string(),
            value: bad.value,
            expected: bad.expected,
        })
    });
    Ok((stamps.collect::<Result<_>>()?, reader.axis().zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str]) -> Result<Stamps, BadCell> {
        let mut reader = TextStamps::new(None, None, cells.iter().copied()).unwrap();
        let values = cells.iter().map(|cell| reader.read(Some(cell))).collect::<Result<_, _>>()?;
        Ok(Stamps { values, axis: reader.axis() })
    }

    #[test]
    fn dates_local_stamps_and_offsets_are_told_apart() {
        assert_eq!(read(&["1970-01-02"]).unwrap().values, [86_400_000_000_000]);
        assert_eq!(read(&["1970-01-01 00:00:01.5"]).unwrap().values, [1_500_000_000]);
        let offset = read(&["1970-01-01T01:00:00+01:00", "1970-01-01T01:00+01:00"]).unwrap();
        assert_eq!(offset.values, [0, 0]);
        assert_eq!(String::from(offset.axis.zone), "+01");
        assert!(offset.axis.notes.is_empty());
        assert_eq!(read(&["1700000000.25"]).unwrap().values, [1_700_000_000_250_000_000]);
    }

    #[test]
    fn changing_offsets_are_told_in_utc_and_said() {
        let stamps = read(&["2022-03-27T01:00:00+01:00", "2022-03-27T03:00:00+02:00"]).unwrap();
        assert_eq!(stamps.values[1] - stamps.values[0], 3_600_000_000_000);
        assert!(stamps.axis.notes[0].contains("--tz"));
    }

    #[test]
    fn the_order_of_day_and_month_is_told_from_the_dates_or_asked_for() {
        let stamps = read(&["1/2/2010 0:00", "1/13/2010 0:00"]).unwrap();
        assert_eq!(stamps.values[1] - stamps.values[0], 11 * 86_400_000_000_000);
        assert!(stamps.axis.notes[0].contains("month, day, year"));
        let error = TextStamps::new(None, None, ["1/2/2010", "1/3/2010"].into_iter()).unwrap_err();
        assert!(error.to_string().contains("%d/%m/%Y"), "{error}");
        let mut reader = TextStamps::new(None, Some("%d/%m/%y"), std::iter::empty()).unwrap();
        assert_eq!(reader.read(Some("02/01/70")), Ok(86_400_000_000_000));
    }

    #[test]
    fn hours_that_clocks_skip_are_named() {
        let zone = Zone::named("Europe/Rome").unwrap();
        let cells = ["2024-03-31 01:30:00", "2024-03-31 02:30:00"];
        let mut reader = TextStamps::new(Some(zone), None, cells.into_iter()).unwrap();
        assert!(reader.read(Some(cells[0])).is_ok());
        assert!(reader.read(Some(cells[1])).unwrap_err().expected.contains("put forward"));
    }

    #[test]
    fn bad_cells_name_their_value() {
        let bad = read(&["2024-01-01 00:00:00", "2024-01-01 25:00:00"]).unwrap_err();
        assert_eq!(bad.value.as_str(), "2024-01-01 25:00:00");
        assert_eq!(read(&["1500-01-01"]).unwrap_err().expected, EXPECTED_RANGE);
        assert_eq!(read(&["2024-01-01T00:00Z", "2024-01-01"]).unwrap_err().expected, EXPECTED_OFFSET);
        assert_eq!(read(&["13/1/2024", "1/13/2024"]).unwrap_err().expected, EXPECTED_ORDER);
    }
}
