//! Distances between ticks: where their multiples lie on the calendar, and how they are told.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Nanoseconds of a second.
pub(super) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
/// Nanoseconds of a day of 24 hours.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Nanoseconds of the mean Gregorian month.
const MONTH: f64 = 2_629_746.0 * SECOND as f64;

/// The distance between ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nanoseconds on the clock of the wall; days and weeks have 24 hours on it.
    Wall(i64),
    /// Calendar months.
    Months(i32),
    /// Steps of an integer index.
    Count(i64),
}

impl Unit {
    /// Its length in nanoseconds, or in integers; about, for months.
    pub(super) fn length(self) -> f64 {
        match self {
            Unit::Wall(length) | Unit::Count(length) => length as f64,
            Unit::Months(months) => f64::from(months) * MONTH,
        }
    }

    /// The round civil time `i` units after the last one at or before `start`.
    pub(super) fn civil_tick(self, start: DateTime, i: i64) -> Option<DateTime> {
        match self {
            Unit::Wall(length) => {
                let wall = TimeZone::UTC.to_timestamp(start).ok()?.as_nanosecond();
                // 1970 began on a Thursday; weeks are counted from the Monday before.
                let shift = i128::from(3 * DAY);
                let n = (wall + shift).div_euclid(i128::from(length)) + i128::from(i);
                let wall = n * i128::from(length) - shift;
                Some(TimeZone::UTC.to_datetime(Timestamp::from_nanosecond(wall).ok()?))
            }
            Unit::Months(months) => {
                let month = i32::from(start.year()) * 12 + i32::from(start.month()) - 1;
                let back = month.rem_euclid(months) - months * i32::try_from(i).ok()?;
                let first = start.first_of_month().date().to_datetime(Time::midnight());
                first.checked_sub(Span::new().try_months(back).ok()?).ok()
            }
            Unit::Count(_) => None,
        }
    }

    /// What sets a tick apart from its neighbours.
    pub(super) fn label(self, civil: DateTime) -> String {
        let pattern = match self {
            Unit::Months(months) if months % 12 == 0 => "%Y",
            Unit::Months(_) => "%b",
            Unit::Wall(length) if length % DAY == 0 => "%a %-d %b",
            Unit::Wall(length) if length % MINUTE == 0 => "%H:%M",
            Unit::Wall(length) if length % SECOND == 0 => "%H:%M:%S",
            _ => "%H:%M:%S%.f",
        };
        civil.strftime(pattern).to_string()
    }

    /// What neighbours share, told where it begins: the year, or the date below hours.
    pub(super) fn contexts(self, civils: &[DateTime]) -> Vec<Option<String>> {
        let year = |c: &DateTime| c.strftime("%Y").to_string();
        match self {
            Unit::Months(months) if months % 12 == 0 => vec![None; civils.len()],
            Unit::Wall(length) if length % DAY != 0 => {
                let begins = |i: usize| i == 0 || civils[i].date() != civils[i - 1].date();
                let mut told_year = None;
                (0..civils.len())
                    .map(|i| {
                        // Two dates side by side would run into each other: the first day is clear from the second.
                        let crowded = i == 0 && civils.len() > 2 && begins(1);
                        if !begins(i) || crowded {
                            return None;
                        }
                        let again = told_year.replace(civils[i].year()) == Some(civils[i].year());
                        let pattern = if again { "%a %-d %b" } else { "%a %-d %b %Y" };
                        Some(civils[i].strftime(pattern).to_string())
                    })
                    .collect()
            }
            _ => (0..civils.len())
                .map(|i| (i == 0 || civils[i].year() != civils[i - 1].year()).then(|| year(&civils[i])))
                .collect(),
        }
    }
}
