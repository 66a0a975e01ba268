//! The choice of ticks along time and along integers.

use jiff::civil::DateTime;

use super::frame::Tick;
use super::time_unit::{DAY, SECOND, Unit};
use super::value_axis::grouped;
use crate::Step;
use crate::data::{TimeIndex, Zone};

/// Lengths of time that people count in, in seconds.
pub(super) const ROUND_SECONDS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800,
];
/// Lengths of time that fill the gaps between the round ones; taken only where no round one fits.
const ODD_SPANS: [i64; 2] = [3 * DAY, 14 * DAY];
const ROUND_MONTHS: [i32; 11] = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200];

/// Ticks from `from` to `to` after the integer `origin`.
pub(super) fn integer_ticks(origin: i64, from: f64, to: f64) -> Vec<Tick> {
    let units = (0..19).flat_map(|k| [1, 2, 5].map(|m| Unit::Count(m * 10i64.pow(k))));
    let Unit::Count(unit) = best_unit(units, to - from, 1.0) else {
        return Vec::new();
    };
    let start = (i128::from(origin) + from as i128).div_euclid(i128::from(unit));
    (0..16)
        .map(|i| (start + i) * i128::from(unit))
        .map(|value| ((value - i128::from(origin)) as f64, value))
        .filter(|(at, _)| (from..=to).contains(at))
        .map(|(at, value)| Tick { at, label: grouped(value as f64, 0), context: None })
        .collect()
}

/// Ticks from `from` to `to` nanoseconds after the instant `origin`, not closer than `width`.
pub(super) fn time_ticks(origin: i64, from: f64, to: f64, width: f64, zone: &Zone) -> Vec<Tick> {
    let small = (0..9).flat_map(|k| [1, 2, 5].map(|m| Unit::Wall(m * 10i64.pow(k))));
    let units = small
        .chain(ROUND_SECONDS.map(|s| s * SECOND).into_iter().chain(ODD_SPANS).map(Unit::Wall))
        .chain(ROUND_MONTHS.map(Unit::Months));
    let unit = best_unit(units, to - from, width);
    let civil = |stamp: i64| {
        let index = TimeIndex::new(stamp, Step::Nanos(1), zone.clone(), 1);
        index.civil(stamp).unwrap_or_default()
    };
    let start = i64::try_from(i128::from(origin) + from as i128);
    let start = civil(start.unwrap_or(origin));
    let mut stamps: Vec<i64> = (0..18)
        .filter_map(|i| unit.civil_tick(start, i).and_then(|civil| zone.nanos(civil)))
        .filter(|stamp| (from..=to).contains(&((i128::from(*stamp) - i128::from(origin)) as f64)))
        .collect();
    // A civil time that a clock change skips falls on the next tick.
    stamps.dedup();
    let civils: Vec<DateTime> = stamps.iter().map(|stamp| civil(*stamp)).collect();
    let contexts = unit.contexts(&civils);
    stamps
        .iter()
        .zip(&civils)
        .zip(contexts)
        .map(|((stamp, civil), context)| Tick {
            at: (i128::from(*stamp) - i128::from(origin)) as f64,
            label: unit.label(*civil),
            context,
        })
        .collect()
}

/// The unit with a good number of ticks in `range`, at least `width` long where one is.
fn best_unit(units: impl Iterator<Item = Unit>, range: f64, width: f64) -> Unit {
    let cost = |unit: &Unit| {
        let length = unit.length();
        let count = range / length;
        let odd = matches!(unit, Unit::Wall(length) if ODD_SPANS.contains(length));
        // Weeks are the best division of a few weeks, even if there are only four.
        let bounds = if (3.99..=9.5).contains(&count) { 0.0 } else { 4.0 };
        // Between two stamps there is nothing to look up, but half a month is no tick for months.
        let between = if length < width * 0.9 { 100.0 } else { 0.0 };
        (count / 7.0).ln().abs() + if odd { 0.5 } else { 0.0 } + bounds + between
    };
    units.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(Unit::Wall(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::time_axis::{TimeAxis, WholeSteps};

    fn axis(step: &str, zone: &str, start: &str, len: usize) -> TimeAxis {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        let start = zone.nanos(start.parse().unwrap()).unwrap();
        let step = Step::try_from(step.to_string()).unwrap();
        TimeAxis::new(&[&TimeIndex::new(start, step, zone, len)], WholeSteps::No).unwrap()
    }

    /// The stamp at a position, found by the map from stamps to positions.
    fn stamp(axis: &TimeAxis, at: f64) -> i64 {
        at as i64 - axis.at(0) as i64
    }

    fn labels(axis: &TimeAxis) -> Vec<String> {
        let text = |t: &Tick| match &t.context {
            Some(context) => format!("{} | {context}", t.label),
            None => t.label.clone(),
        };
        axis.axis.ticks.iter().map(text).collect()
    }

    #[test]
    fn a_few_weeks_are_divided_by_days_and_four_weeks_by_mondays() {
        let ticks = labels(&axis("1h", "", "2014-12-08T00:00:00", 21 * 24));
        assert_eq!(ticks[..2], ["Tue 9 Dec | 2014", "Fri 12 Dec"]);
        assert_eq!(ticks.len(), 7);
        let ticks = labels(&axis("1h", "", "2014-12-03T00:00:00", 29 * 24));
        assert_eq!(ticks, ["Mon 8 Dec | 2014", "Mon 15 Dec", "Mon 22 Dec", "Mon 29 Dec"]);
    }

    #[test]
    fn hours_tell_the_date_where_it_changes_and_the_year_once() {
        let ticks = labels(&axis("10min", "", "2016-02-28T11:00:00", 180));
        assert_eq!(ticks[0], "12:00 | Sun 28 Feb 2016");
        assert_eq!(ticks[2], "00:00 | Mon 29 Feb");
    }

    #[test]
    fn months_and_years() {
        let ticks = labels(&axis("1D", "", "2012-01-01T00:00:00", 1096));
        assert_eq!(ticks, ["Jan | 2012", "Jul", "Jan | 2013", "Jul", "Jan | 2014", "Jul"]);
        let ticks = labels(&axis("1mo", "", "1949-01-01T00:00:00", 144));
        assert_eq!(ticks, ["1950", "1952", "1954", "1956", "1958", "1960"]);
    }

    #[test]
    fn daily_ticks_lie_on_midnights_across_a_clock_change() {
        for (zone, start) in
            [("Europe/Rome", "2024-03-28T07:00:00"), ("America/New_York", "2024-10-31T05:00:00")]
        {
            let axis = axis("1h", zone, start, 7 * 24);
            let index =
                TimeIndex::new(stamp(&axis, 0.0), Step::Nanos(1), zone.to_string().try_into().unwrap(), 1);
            assert_eq!(axis.axis.ticks.len(), 7);
            for tick in &axis.axis.ticks {
                let civil = index.civil(stamp(&axis, tick.at)).unwrap();
                assert_eq!(civil.time(), jiff::civil::Time::midnight(), "{civil}");
            }
        }
    }

    #[test]
    fn every_range_has_four_to_ten_ticks_with_distinct_labels() {
        for step in
            ["1ns", "250us", "20ms", "1s", "7s", "1min", "15min", "1h", "1D", "1civil_day", "1mo", "1q", "1y"]
        {
            for len in [12, 24, 50, 96, 100, 168, 250] {
                for zone in ["", "Europe/Rome", "+05:30"] {
                    let axis = axis(step, zone, "2011-10-27T13:37:11", len);
                    let ticks = &axis.axis.ticks;
                    assert!((4..=10).contains(&ticks.len()), "{step} x {len}: {:?}", labels(&axis));
                    let mut context = String::new();
                    let mut seen = Vec::new();
                    for tick in ticks {
                        context = tick.context.clone().unwrap_or(context);
                        seen.push(format!("{} {context}", tick.label));
                        assert!(tick.at >= axis.axis.lo && tick.at <= axis.axis.hi);
                    }
                    seen.sort();
                    seen.dedup();
                    assert_eq!(seen.len(), ticks.len(), "{step} x {len}: {:?}", labels(&axis));
                }
            }
        }
    }
}
