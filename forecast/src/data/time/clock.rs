//! From the clock on the wall to instants, in zones whose clocks are put forward and back.

use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::zone::Zone;

const DAY: i64 = 86_400_000_000_000;

/// Converts civil times of one zone; neighbours in time cost an addition.
#[derive(Debug, Clone)]
pub(in crate::data) struct Clock {
    /// `None` where civil times are the instants.
    zone: Option<TimeZone>,
    /// Civil times for which the offset, in nanoseconds, is known.
    known: (Range<i64>, i64),
}

/// A civil time that the clocks of its zone never show.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::data) enum NoInstant {
    /// Clocks are put forward over it.
    Skipped,
    /// Beyond the years 1678 to 2262.
    OutOfRange,
}

impl Clock {
    pub(in crate::data) fn new(zone: &Zone) -> Self {
        let zone = match zone {
            Zone::Local => None,
            Zone::Named(zone) => Some(zone.clone()),
        };
        Clock { zone, known: (0..0, 0) }
    }

    /// The instant of a civil time; of one that the clocks show twice, the earlier.
    pub(in crate::data) fn instant(&mut self, civil: i64) -> Result<i64, NoInstant> {
        let Some(zone) = &self.zone else { return Ok(civil) };
        if !self.known.0.contains(&civil) {
            let (offset, known) = look_up(zone, civil)?;
            self.known = (known, offset);
        }
        civil.checked_sub(self.known.1).ok_or(NoInstant::OutOfRange)
    }
}

/// The offset at a civil time, and the civil times around it that have the same for certain.
fn look_up(zone: &TimeZone, civil: i64) -> Result<(i64, Range<i64>), NoInstant> {
    let offset = match zone.to_ambiguous_timestamp(civil_time(civil)).offset() {
        AmbiguousOffset::Gap { .. } => return Err(NoInstant::Skipped),
        // The clocks showed it first with the offset from before.
        AmbiguousOffset::Fold { before, .. } => return Ok((nanos(before.seconds()), civil..civil)),
        AmbiguousOffset::Unambiguous { offset } => nanos(offset.seconds()),
    };
    let instant = civil.checked_sub(offset).ok_or(NoInstant::OutOfRange)?;
    let stamp = Timestamp::from_nanosecond(i128::from(instant)).map_err(|_| NoInstant::OutOfRange)?;
    let at = |stamp: Timestamp| i64::try_from(stamp.as_nanosecond()).ok();
    let before = zone.preceding(stamp).next().and_then(|change| at(change.timestamp()));
    let after = zone.following(stamp).next().and_then(|change| at(change.timestamp()));
    // A day off either change, no clock is near being put forward or back.
    let from = before.map_or(i64::MIN, |change| change.saturating_add(offset).saturating_add(DAY));
    let to = after.map_or(i64::MAX, |change| change.saturating_add(offset).saturating_sub(DAY));
    Ok((offset, if from <= civil && civil < to { from..to } else { civil..civil }))
}

/// Moves stamps of one series, in the order of the file, that lie in an hour that the clocks showed twice and do
/// not come after the one before them: they belong to the second time.
pub(in crate::data) fn second_time(stamps: &mut [i64], zone: &Zone) {
    let Zone::Named(zone) = zone else { return };
    for at in 1..stamps.len() {
        if stamps[at] > stamps[at - 1] {
            continue;
        }
        let Ok(stamp) = Timestamp::from_nanosecond(i128::from(stamps[at])) else { continue };
        let civil = zone.to_datetime(stamp);
        if let AmbiguousOffset::Fold { before, after } = zone.to_ambiguous_timestamp(civil).offset() {
            let later = stamps[at].saturating_add(nanos(before.seconds() - after.seconds()));
            if zone.to_offset(stamp) == before && later > stamps[at - 1] {
                stamps[at] = later;
            }
        }
    }
}

fn nanos(seconds: i32) -> i64 {
    i64::from(seconds) * 1_000_000_000
}

fn civil_time(nanos: i64) -> DateTime {
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    // Every i64 of nanoseconds lies inside the range of a date-time.
    epoch.checked_add(SignedDuration::from_nanos(nanos)).unwrap_or(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn civil(day: jiff::civil::Date, hour: i8, minute: i8) -> i64 {
        let stamp = TimeZone::UTC.to_timestamp(day.at(hour, minute, 0, 0)).unwrap();
        i64::try_from(stamp.as_nanosecond()).unwrap()
    }

    #[test]
    fn a_year_of_quarter_hours_agrees_with_the_calendar_library() {
        for name in ["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"] {
            let zone = TimeZone::get(name).unwrap();
            let mut clock = Clock::new(&Zone::Named(zone.clone()));
            let start = civil(date(2023, 1, 1), 0, 0);
            for i in 0..4 * 24 * 365 {
                let civil = start + i * 900_000_000_000;
                let expected = match zone.to_ambiguous_timestamp(civil_time(civil)).offset() {
                    AmbiguousOffset::Gap { .. } => Err(NoInstant::Skipped),
                    AmbiguousOffset::Fold { before: offset, .. }
                    | AmbiguousOffset::Unambiguous { offset } => Ok(civil - nanos(offset.seconds())),
                };
                assert_eq!(clock.instant(civil), expected, "{name} {}", civil_time(civil));
            }
        }
    }

    #[test]
    fn the_hour_that_clocks_show_twice_is_read_twice() {
        let zone = Zone::named("Europe/Rome").unwrap();
        let mut clock = Clock::new(&zone);
        let day = date(2024, 10, 27);
        let shown = [(1, 30), (2, 0), (2, 30), (2, 0), (2, 30), (3, 0)];
        let mut stamps: Vec<i64> =
            shown.iter().map(|(h, m)| clock.instant(civil(day, *h, *m)).unwrap()).collect();
        second_time(&mut stamps, &zone);
        assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] == 1_800_000_000_000), "{stamps:?}");
    }
}
