//! A regular time index: start, step, zone and length instead of a list of stamps.

use jiff::Span;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Walk};
use super::frequency::Frequency;
use super::opening::Opening;
use super::step::Step;
use super::zone::{Zone, format_stamp};
use crate::{Error, Result};

/// A regular grid of stamps: `start`, `start + step`, ...
///
/// Stamps are nanoseconds since 1970 (as if UTC where there is no zone), or plain integers under
/// [`Step::Index`]. With a calendar, the grid is its slots, and what is closed is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct TimeIndex {
    /// The first stamp.
    pub start: i64,
    /// The distance between stamps.
    pub step: Step,
    /// The zone that stamps are told in and calendar steps are counted in.
    pub zone: Zone,
    /// How many stamps there are.
    pub len: usize,
    /// Where a calendar grid was begun, if that cannot be told from `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The opening times that stamps keep to; [`TimeIndex::with_opening`] sets it.
    #[serde(rename = "opening", skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
}

/// A time index as it is stored.
#[derive(Deserialize)]
struct Written {
    start: i64,
    step: Step,
    zone: Zone,
    len: usize,
    #[serde(default)]
    origin: Option<Origin>,
    #[serde(default)]
    opening: Option<Opening>,
}

impl TryFrom<Written> for TimeIndex {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self> {
        let Written { start, step, zone, len, origin, opening } = written;
        let index = TimeIndex { start, step, zone, len, origin, calendar: None };
        match opening {
            Some(opening) => index.with_opening(&opening),
            None => Ok(index),
        }
    }
}

/// The first stamp of the grid that an index is a part of. A month-end series may start on 29 February, which
/// does not say that March goes to the 31st; its origin, 31 January, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The stamp that the grid was begun at.
    pub stamp: i64,
    /// Steps from there to the start of the index.
    pub steps: usize,
}

impl TimeIndex {
    /// The grid of `len` stamps that begins at `start`.
    #[must_use]
    pub fn new(start: i64, step: Step, zone: Zone, len: usize) -> Self {
        TimeIndex { start, step, zone, len, origin: None, calendar: None }
    }

    /// The same start and length on the slots of an opening, in the index's zone.
    ///
    /// A step of less than a day has slots from the start of each interval on; a step of a day has one slot an
    /// open day, at the time of day of the start.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the step does not divide a day or the start is not a slot.
    ///
    /// # Example
    /// ```
    /// use forecast::{TimeIndex, data::{Opening, Zone}};
    /// let friday_at_four = 1_704_470_400_000_000_000;
    /// let index = TimeIndex::new(friday_at_four, "1h".parse()?, Zone::default(), 3);
    /// let index = index.with_opening(&"Mon-Fri 09:00-17:00".parse()?)?;
    /// assert_eq!(index.format(index.stamp(1)), "2024-01-08 09:00:00");
    /// assert_eq!(index.position(friday_at_four + 3_600_000_000_000), None);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn with_opening(self, opening: &Opening) -> Result<Self> {
        let calendar = Calendar::new(opening, self.step, &self.zone)?;
        self.on(&calendar)
    }

    /// The same on the slots of a calendar, as [`TimeIndex::with_opening`].
    pub(crate) fn on(self, calendar: &Calendar) -> Result<Self> {
        let index = TimeIndex { calendar: Some(calendar.clone()), ..self };
        if index.stamp(0) == index.start {
            return Ok(index);
        }
        let opening = calendar.opening().short();
        let rule = if calendar.is_open(index.start) {
            format!("it is not a slot of {opening} at a step of {}", index.step)
        } else {
            format!("it lies outside the opening {opening}")
        };
        Err(Error::option("start", index.format(index.start), rule))
    }

    /// The same on the slots of a calendar, from the first at or after the start on.
    pub(in crate::data) fn beginning_on(self, calendar: &Calendar) -> Self {
        let start = calendar.walk(Origin { stamp: self.start, steps: 0 }).stamp(0);
        TimeIndex { start, calendar: Some(calendar.clone()), ..self }
    }

    /// Step and opening.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        Frequency { step: self.step, opening: self.calendar.clone().map(Opening::from) }
    }

    fn walk(&self) -> Option<Walk<'_>> {
        let origin = self.origin.unwrap_or(Origin { stamp: self.start, steps: 0 });
        self.calendar.as_ref().map(|calendar| calendar.walk(origin))
    }

    /// The same start and step on a grid of month ends, if the start is one; `None` otherwise.
    pub(crate) fn on_month_ends(&self) -> Option<Self> {
        const LONGEST_SEARCH: usize = 12;
        let Step::Months(months) = self.step else { return None };
        let start = self.zone.civil(self.start);
        let with_origin = |steps: usize| {
            let back =
                Span::new().try_months(i64::from(months).checked_mul(i64::try_from(steps).ok()?)?).ok()?;
            let origin = start.checked_sub(back).ok()?.last_of_month();
            let stamp = self.zone.nanos(origin).filter(|_| origin.day() == 31)?;
            Some(TimeIndex { origin: Some(Origin { stamp, steps }), ..self.clone() })
        };
        (1..=LONGEST_SEARCH).filter_map(with_origin).find(|index| index.stamp(0) == self.start)
    }

    /// The stamp at position `i`, which may lie beyond the end: the future continues the grid.
    ///
    /// Saturates at the ends of the representable range (the years 1677 and 2262).
    #[must_use]
    pub fn stamp(&self, i: usize) -> i64 {
        if let Some(walk) = self.walk() {
            return walk.stamp(i);
        }
        match self.step {
            Step::Nanos(step) | Step::Index(step) => {
                self.start.saturating_add(step.saturating_mul(i64::try_from(i).unwrap_or(i64::MAX)))
            }
            Step::Days(days) => {
                self.calendar(i, |steps| Span::new().try_days(steps.checked_mul(days.into())?).ok())
            }
            Step::Months(months) => {
                self.calendar(i, |steps| Span::new().try_months(steps.checked_mul(months.into())?).ok())
            }
        }
    }

    /// The stamp `i` calendar steps after the start, counted from the origin: days that a month does not have
    /// are its last, hours that a day does not have are moved, and neither moves what follows.
    fn calendar(&self, i: usize, span: impl Fn(i64) -> Option<Span>) -> i64 {
        let origin = self.origin.unwrap_or(Origin { stamp: self.start, steps: 0 });
        let steps = origin.steps.checked_add(i).and_then(|steps| i64::try_from(steps).ok());
        steps
            .and_then(span)
            .and_then(|span| self.zone.civil(origin.stamp).checked_add(span).ok())
            .and_then(|civil| self.zone.nanos(civil))
            .unwrap_or(i64::MAX)
    }

    /// The position of `stamp`, if it lies on the grid at or after the start (also beyond the end).
    #[must_use]
    pub fn position(&self, stamp: i64) -> Option<usize> {
        if let Some(walk) = self.walk() {
            return walk.position(stamp);
        }
        let distance = stamp.checked_sub(self.start).filter(|d| *d >= 0)?;
        match self.step {
            Step::Nanos(step) | Step::Index(step) => {
                (step > 0 && distance % step == 0).then(|| usize::try_from(distance / step).ok()).flatten()
            }
            Step::Days(_) | Step::Months(_) => {
                // Calendar steps deviate from their mean by less than one step.
                let guess = usize::try_from(distance.checked_div(self.step.approximate_nanos())?).ok()?;
                (guess.saturating_sub(1)..=guess + 1).find(|i| self.stamp(*i) == stamp)
            }
        }
    }

    /// The position of the last stamp at or before `stamp`, on the grid or not; 0 before the start.
    ///
    /// Calendar steps are counted by their mean length, so the answer may be one off there; slots of an opening
    /// are exact.
    #[must_use]
    pub fn position_before(&self, stamp: i64) -> usize {
        if let Some(walk) = self.walk() {
            return walk.position_before(stamp);
        }
        let step = match self.step {
            Step::Index(step) => step,
            other => other.approximate_nanos(),
        };
        let distance = stamp.saturating_sub(self.start).max(0);
        self.position(stamp).unwrap_or_else(|| usize::try_from(distance / step.max(1)).unwrap_or(usize::MAX))
    }

    /// The last stamp; the start of an empty index.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.stamp(self.len.saturating_sub(1))
    }

    /// The part at `range` of positions, which may reach beyond the end.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let start = self.stamp(range.start);
        let before = self.origin.unwrap_or(Origin { stamp: self.start, steps: 0 });
        let origin = Origin { stamp: before.stamp, steps: before.steps + range.start };
        let is_daily = self.calendar.as_ref().is_some_and(Calendar::is_daily);
        let civil = || (self.zone.civil(origin.stamp), self.zone.civil(start));
        let is_needed = match self.step {
            Step::Nanos(_) | Step::Index(_) if !is_daily => false,
            Step::Months(_) if !is_daily => {
                let (began, begins) = civil();
                began.day() != begins.day() || began.time() != begins.time()
            }
            _ => {
                let (began, begins) = civil();
                began.time() != begins.time()
            }
        };
        TimeIndex { start, len: range.len(), origin: is_needed.then_some(origin), ..self.clone() }
    }

    /// The `horizon` stamps that follow the end.
    #[must_use]
    pub fn future(&self, horizon: usize) -> Self {
        self.slice(self.len..self.len + horizon)
    }

    /// All stamps, oldest first.
    pub fn stamps(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        let walk = self.walk();
        (0..self.len).map(move |i| walk.as_ref().map_or_else(|| self.stamp(i), |walk| walk.stamp(i)))
    }

    /// A stamp as people write it: `2014-12-31 23:00:00`, with the offset where the zone is known,
    /// the integer itself for an integer index.
    ///
    /// # Example
    /// ```
    /// use forecast::{TimeIndex, data::Zone};
    /// let index = TimeIndex::new(0, "1h".parse()?, Zone::default(), 3);
    /// assert_eq!(index.format(index.end()), "1970-01-01 02:00:00");
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn format(&self, stamp: i64) -> String {
        if matches!(self.step, Step::Index(_)) {
            return stamp.to_string();
        }
        format_stamp(stamp, &self.zone)
    }

    /// The civil time of a stamp, `None` for an integer index.
    #[must_use]
    pub fn civil(&self, stamp: i64) -> Option<DateTime> {
        (!matches!(self.step, Step::Index(_))).then(|| self.zone.civil(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(step: Step, zone: &str, start: &str, len: usize) -> TimeIndex {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        let start = zone.nanos(start.parse().unwrap()).unwrap();
        TimeIndex::new(start, step, zone, len)
    }

    #[test]
    fn position_inverts_stamp_for_every_kind_of_step() {
        for (step, zone) in [
            (Step::Nanos(900_000_000_000), ""),
            (Step::Days(1), "Europe/Rome"),
            (Step::Months(1), ""),
            (Step::Months(3), "America/New_York"),
        ] {
            let index = index(step, zone, "2023-10-31T00:00:00", 60);
            for i in [0, 1, 2, 30, 59, 80] {
                assert_eq!(index.position(index.stamp(i)), Some(i), "{step:?} {i}");
                assert_eq!(index.position(index.stamp(i) + 1), None);
                assert!(index.position_before(index.stamp(i) + 1).abs_diff(i) <= 1);
            }
        }
    }

    #[test]
    fn calendar_days_keep_midnight_across_a_clock_change() {
        let index = index(Step::Days(1), "Europe/Rome", "2024-03-30T00:00:00", 3);
        let hours = |i: usize| (index.stamp(i + 1) - index.stamp(i)) / 3_600_000_000_000;
        assert_eq!((hours(0), hours(1)), (24, 23));
        assert_eq!(index.format(index.end()), "2024-04-01T00:00:00+02:00");
    }

    #[test]
    fn month_ends_stay_month_ends_also_in_parts() {
        let index = index(Step::Months(1), "", "2024-01-31T00:00:00", 3);
        let ends: Vec<_> = index.stamps().map(|s| index.format(s)).collect();
        assert_eq!(ends, ["2024-01-31 00:00:00", "2024-02-29 00:00:00", "2024-03-31 00:00:00"]);
        let part = index.slice(1..3);
        assert_eq!((part.end(), part.slice(1..2).stamp(1)), (index.end(), index.stamp(3)));
        assert_eq!(index.position(part.end()), Some(2));
    }

    #[test]
    fn a_month_end_that_is_no_31st_gets_an_origin() {
        let february = index(Step::Months(1), "", "2023-02-28T00:00:00", 3);
        assert_eq!(february.format(february.end()), "2023-04-28 00:00:00");
        let ends = february.on_month_ends().unwrap();
        assert_eq!(ends.format(ends.end()), "2023-04-30 00:00:00");
        assert_eq!(ends.format(ends.stamp(3)), "2023-05-31 00:00:00");
        assert!(index(Step::Months(1), "", "2023-02-27T00:00:00", 3).on_month_ends().is_none());
        assert!(index(Step::Nanos(1), "", "2023-02-28T00:00:00", 3).on_month_ends().is_none());
    }

    #[test]
    fn a_skipped_hour_does_not_move_the_days_that_follow() {
        let index = index(Step::Days(1), "Europe/Rome", "2024-03-30T02:30:00", 4);
        assert_eq!(index.format(index.stamp(1)), "2024-03-31T03:30:00+02:00");
        assert_eq!(index.slice(1..4).stamp(1), index.stamp(2));
        assert_eq!(index.slice(2..4).origin, None);
    }
}
