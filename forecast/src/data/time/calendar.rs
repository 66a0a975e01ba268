//! An opening in a zone, cut into slots that can be counted: the grid of a time index with opening times.
//!
//! Slots are numbered through, so that stamps and positions are a matter of arithmetic: a week has so many slots,
//! a day begins with so many of its week. Days that have other than the usual slots, because they are closed or
//! because clocks change while it is open, are kept in a list with the running difference.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::{Date, Time};
use serde::Serialize;

use super::index::Origin;
use super::opening::{Hours, Opening, step_within_days};
use super::step::Step;
use super::zone::Zone;
use crate::Result;

const MINUTE: i128 = 60_000_000_000;
const DAY: i128 = 1440 * MINUTE;
/// Days since 1970 are a Thursday on 0; weeks begin on Monday.
const MONDAY_OFFSET: i64 = 3;
/// No day that a stamp can lie on is further from 1970.
const FURTHEST_DAY: i64 = 110_000;

/// The slots of an [`Opening`] in a zone at a step. Clones share what they hold.
///
/// A fixed step has slots at `open`, `open + step`, ... before `close` of every interval, told by the clocks of the
/// zone at `open` and `close` and by elapsed time between them. A step of a day has one slot an open day, at the
/// time of day of the first stamp.
#[derive(Clone, Serialize)]
#[serde(into = "Opening")]
pub struct Calendar {
    slots: Arc<Slots>,
}

struct Slots {
    opening: Opening,
    zone: Zone,
    /// True if the clocks of the zone change.
    is_uneven: bool,
    /// The step in nanoseconds.
    step: i128,
    /// The intervals of each day from Monday on, and the slots that each has where clocks do not change.
    hours: [Vec<Hours>; 7],
    usual: [Vec<i128>; 7],
    /// Slots of a usual week before each day, and in all of it.
    before: [i128; 8],
    /// Days that have other slots, in order.
    odd: Vec<OddDay>,
}

struct OddDay {
    day: i64,
    /// The number of the first slot at or after the start of the day.
    first: i128,
    /// Slots of each interval.
    counts: Vec<i128>,
    /// How many slots more than usual there were up to the end of the day.
    surplus: i128,
}

impl Calendar {
    /// The slots of an opening.
    ///
    /// # Errors
    /// [`Error::BadOption`](crate::Error::BadOption) if the step does not divide a day.
    pub fn new(opening: &Opening, step: Step, zone: &Zone) -> Result<Self> {
        let step = step_within_days(step)?;
        let hours = opening.intervals(step);
        let step = i128::from(step);
        let slots = |hours: &Hours| count(MINUTE * i128::from(hours.close - hours.open), step);
        let usual = hours.each_ref().map(|day| day.iter().map(slots).collect::<Vec<_>>());
        let mut before = [0; 8];
        for (weekday, counts) in usual.iter().enumerate() {
            before[weekday + 1] = before[weekday] + counts.iter().sum::<i128>();
        }
        let (opening, zone, is_uneven) = (opening.clone(), zone.clone(), zone.has_uneven_days());
        let mut slots = Slots { opening, zone, is_uneven, step, hours, usual, before, odd: Vec::new() };
        slots.odd = slots.odd_days();
        Ok(Calendar { slots: Arc::new(slots) })
    }

    /// The opening that the slots are of.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.slots.opening
    }

    /// True if a stamp lies in an interval that is open, on a slot or not.
    #[must_use]
    pub fn is_open(&self, stamp: i64) -> bool {
        let slots = &self.slots;
        let day = day_of(slots.zone.civil(stamp).date());
        let holds = |(day, hours): (i64, &Hours)| {
            let [open, close] = [hours.open, hours.close].map(|minute| slots.instant(day, minute));
            (open..close).contains(&i128::from(stamp))
        };
        slots.days_around(day).any(|day| {
            slots.counts(day).iter().sum::<i128>() > 0
                && slots.hours[weekday_of(day)].iter().map(|hours| (day, hours)).any(holds)
        })
    }

    /// The slots from a first stamp on.
    pub(in crate::data) fn walk(&self, origin: Origin) -> Walk<'_> {
        let slots = &*self.slots;
        let time = slots.zone.civil(origin.stamp).time();
        let first = slots.number(origin.stamp, time) + origin.steps as i128;
        Walk { slots, time, first }
    }

    /// True if the step is a day.
    pub(in crate::data) fn is_daily(&self) -> bool {
        self.slots.is_daily()
    }
}

/// The slots of a calendar counted from the first stamp of an index.
pub(in crate::data) struct Walk<'a> {
    slots: &'a Slots,
    /// The time of day of daily slots.
    time: Time,
    /// The number of the slot at position 0.
    first: i128,
}

impl Walk<'_> {
    /// The stamp at a position; the last that can be represented beyond the year 2262.
    pub(in crate::data) fn stamp(&self, position: usize) -> i64 {
        self.slots.stamp(self.first + position as i128, self.time).unwrap_or(i64::MAX)
    }

    /// The position of a stamp that is a slot.
    pub(in crate::data) fn position(&self, stamp: i64) -> Option<usize> {
        let number = self.slots.number(stamp, self.time);
        let position = usize::try_from(number - self.first).ok()?;
        (self.slots.stamp(number, self.time) == Some(stamp)).then_some(position)
    }

    /// The position of the last slot at or before a stamp; 0 before the first.
    pub(in crate::data) fn position_before(&self, stamp: i64) -> usize {
        let after = self.slots.number(stamp.saturating_add(1), self.time);
        usize::try_from((after - 1 - self.first).max(0)).unwrap_or(usize::MAX)
    }
}

impl Slots {
    fn is_daily(&self) -> bool {
        self.step == DAY
    }

    /// Closed dates, and those with a change of clocks that gives them other slots than usual.
    fn odd_days(&self) -> Vec<OddDay> {
        let closed: Vec<i64> = self.opening.closed().iter().map(|date| day_of(*date)).collect();
        let mut days = closed.clone();
        for (before, after) in self.zone.clock_changes() {
            // Clocks may go back over midnight.
            let (before, after) = (day_of(before), day_of(after));
            days.extend(before.min(after)..=before.max(after));
        }
        days.sort_unstable();
        days.dedup();
        let mut surplus = 0;
        let mut odd = Vec::new();
        for day in days.into_iter().filter(|day| day.abs() <= FURTHEST_DAY) {
            let usual = &self.usual[weekday_of(day)];
            let counts = match closed.binary_search(&day) {
                Ok(_) => vec![0; usual.len()],
                Err(_) => self.hours[weekday_of(day)].iter().map(|hours| self.elapsed(day, hours)).collect(),
            };
            if counts != *usual {
                let first = self.usually_before(day) + surplus;
                surplus += counts.iter().sum::<i128>() - usual.iter().sum::<i128>();
                odd.push(OddDay { day, first, counts, surplus });
            }
        }
        odd
    }

    /// Slots of an interval on a day, by the time that passes in it.
    fn elapsed(&self, day: i64, hours: &Hours) -> i128 {
        let length = self.instant(day, hours.close) - self.instant(day, hours.open);
        // A day of 25 hours is one day.
        if self.is_daily() { count(length, self.step).min(1) } else { count(length, self.step) }
    }

    /// Slots of each interval of a day.
    fn counts(&self, day: i64) -> &[i128] {
        match self.odd.binary_search_by_key(&day, |odd| odd.day) {
            Ok(at) => &self.odd[at].counts,
            Err(_) => &self.usual[weekday_of(day)],
        }
    }

    /// Slots of usual weeks before a day, counted from the week of 1970.
    fn usually_before(&self, day: i64) -> i128 {
        let week = i128::from((day + MONDAY_OFFSET).div_euclid(7));
        week * self.before[7] + self.before[weekday_of(day)]
    }

    /// The number of the first slot at or after the start of a day.
    fn first_of(&self, day: i64) -> i128 {
        let odd_before = self.odd.partition_point(|odd| odd.day < day);
        self.usually_before(day) + odd_before.checked_sub(1).map_or(0, |last| self.odd[last].surplus)
    }

    /// The number of the first slot at or after a stamp.
    fn number(&self, stamp: i64, time: Time) -> i128 {
        let days = self.days_around(day_of(self.zone.civil(stamp).date()));
        self.first_of(*days.start()) + days.map(|day| self.before_on(day, stamp, time)).sum::<i128>()
    }

    /// A day, and where clocks change also its neighbours: they may have slots told by its date.
    fn days_around(&self, day: i64) -> std::ops::RangeInclusive<i64> {
        if self.is_uneven { day - 1..=day + 1 } else { day..=day }
    }

    /// Slots of a day before a stamp.
    fn before_on(&self, day: i64, stamp: i64, time: Time) -> i128 {
        let counts = self.counts(day);
        if self.is_daily() {
            let count = counts.iter().sum();
            let is_before = count > 0 && self.daily(day, time).is_some_and(|slot| slot < stamp);
            return if is_before { count } else { 0 };
        }
        let before = |(hours, slots): (&Hours, &i128)| {
            count(i128::from(stamp) - self.instant(day, hours.open), self.step).min(*slots)
        };
        self.hours[weekday_of(day)].iter().zip(counts).map(before).sum()
    }

    /// The stamp of a slot; `None` beyond what can be represented.
    fn stamp(&self, number: i128, time: Time) -> Option<i64> {
        let (day, mut rest) = self.day_of_slot(number)?;
        if self.is_daily() {
            return self.daily(day, time);
        }
        for (hours, slots) in self.hours[weekday_of(day)].iter().zip(self.counts(day)) {
            if rest < *slots {
                return i64::try_from(self.instant(day, hours.open) + rest * self.step).ok();
            }
            rest -= slots;
        }
        None
    }

    /// The day of a slot, and how many of its slots come before it.
    fn day_of_slot(&self, number: i128) -> Option<(i64, i128)> {
        let begun = self.odd.partition_point(|odd| odd.first <= number);
        let last = begun.checked_sub(1).map(|last| &self.odd[last]);
        if let Some(odd) = last.filter(|odd| number < odd.first + odd.counts.iter().sum::<i128>()) {
            return Some((odd.day, number - odd.first));
        }
        let usual = number - last.map_or(0, |odd| odd.surplus);
        let rest = usual.rem_euclid(self.before[7]);
        let weekday = self.before[1..].partition_point(|before| *before <= rest);
        let week = i64::try_from(usual.div_euclid(self.before[7])).ok()?;
        let day = week.checked_mul(7)?.checked_add(i64::try_from(weekday).ok()? - MONDAY_OFFSET)?;
        (day.abs() <= FURTHEST_DAY).then_some((day, rest - self.before[weekday]))
    }

    /// The instant of a minute of a day, or the change of clocks that leaves it out.
    fn instant(&self, day: i64, minute: u16) -> i128 {
        let (day, minute) = (day + i64::from(minute / 1440), minute % 1440);
        let (hour, minute) = ((minute / 60) as i8, (minute % 60) as i8);
        self.zone.edge(date_of(day).at(hour, minute, 0, 0))
    }

    /// The stamp of the one slot of a day.
    fn daily(&self, day: i64, time: Time) -> Option<i64> {
        self.zone.nanos(date_of(day).to_datetime(time))
    }
}

/// How many multiples of a step, 0 included, are less than a length.
fn count(length: i128, step: i128) -> i128 {
    if length > 0 { (length - 1) / step + 1 } else { 0 }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn day_of(date: Date) -> i64 {
    date.duration_since(EPOCH).as_hours() / 24
}

/// The date of a day, none of which is much further than [`FURTHEST_DAY`] from 1970.
fn date_of(day: i64) -> Date {
    EPOCH.saturating_add(SignedDuration::from_hours(24 * day.clamp(-2 * FURTHEST_DAY, 2 * FURTHEST_DAY)))
}

/// The day of the week, 0 for Monday.
fn weekday_of(day: i64) -> usize {
    (day + MONDAY_OFFSET).rem_euclid(7) as usize
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.slots, &other.slots);
        Arc::ptr_eq(a, b) || (a.opening == b.opening && a.step == b.step && a.zone == b.zone)
    }
}

impl Eq for Calendar {}

impl From<Calendar> for Opening {
    fn from(calendar: Calendar) -> Self {
        calendar.opening().clone()
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({})", self.opening())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(opening: &str, step: &str, zone: &str) -> Calendar {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        Calendar::new(&opening.parse().unwrap(), step.parse().unwrap(), &zone).unwrap()
    }

    #[test]
    fn only_days_with_other_slots_than_usual_are_kept() {
        let n_odd = |opening: &str, step: &str, zone: &str| calendar(opening, step, zone).slots.odd.len();
        assert_eq!(n_odd("Mon-Fri 09:00-17:00", "1h", ""), 0);
        assert_eq!(n_odd("Mon-Fri; closed 2024-12-25, 2024-12-28", "1D", "UTC"), 1);
        // Rome has changed its clocks on Sunday nights since the war.
        assert_eq!(n_odd("Mon-Fri 09:00-17:00", "1h", "Europe/Rome"), 0);
        assert!(n_odd("Sun 00:00-04:00", "1h", "Europe/Rome") > 400);
        assert_eq!(n_odd("Mon-Sun", "1D", "Europe/Rome"), 0);
        // Samoa left out Friday, 30 December 2011.
        assert_eq!(n_odd("Mon-Fri", "1D", "Pacific/Apia"), 1);
    }

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for day in [-100_000, -1, 0, 1, 19_000, 106_000] {
            assert_eq!(day_of(date_of(day)), day);
        }
        assert_eq!((weekday_of(0), weekday_of(4), weekday_of(-4)), (3, 0, 6));
    }

    #[test]
    fn any_stamp_can_be_asked_for() {
        for (opening, step) in
            [("Mon 09:00-09:01", "1ns"), ("Mon-Sun", "1ns"), ("Wed", "1D"), ("Sat-Sun", "1h")]
        {
            for zone in ["", "America/New_York", "-12:00"] {
                let calendar = calendar(opening, step, zone);
                for stamp in [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX] {
                    let walk = calendar.walk(Origin { stamp, steps: 0 });
                    let first = walk.stamp(0);
                    assert!(first >= stamp && walk.stamp(1) >= first, "{opening} {zone} {stamp}");
                    assert!(first == i64::MAX || walk.position(first) == Some(0), "{opening} {zone} {stamp}");
                    assert_eq!(walk.stamp(usize::MAX), i64::MAX);
                    assert_eq!(walk.position_before(i64::MIN), 0);
                    assert!(calendar.is_open(first) || first == i64::MAX, "{opening} {zone} {stamp}");
                    let far = calendar.walk(Origin { stamp, steps: usize::MAX });
                    assert_eq!((far.stamp(1), far.position(stamp)), (i64::MAX, None));
                }
            }
        }
    }
}
