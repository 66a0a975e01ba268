//! A time index with opening times is what a clock that is watched minute by minute gives.

use std::fmt::Write as _;

use forecast::data::{Opening, Zone};
use forecast::{Step, TimeIndex};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::random::Draws;

const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 1440 * MINUTE;
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Opening times as plain lists: the open and close of each day's intervals in minutes, and closed dates.
#[derive(Debug, Clone, Default)]
struct Plain {
    days: [Vec<(i64, i64)>; 7],
    closed: Vec<Date>,
}

impl Plain {
    /// Up to three intervals on some of the days, at quarters of an hour, a few of them back to back, and some
    /// closed dates.
    fn draw(draws: &mut Draws, around: Date) -> Self {
        let mut plain = Plain::default();
        while plain.days.iter().all(Vec::is_empty) {
            for day in &mut plain.days {
                let n = if draws.chance(65) { draws.between(1, 3) } else { 0 };
                // Nights are where clocks change.
                let latest = if draws.chance(40) { 24 } else { 96 };
                let mut edges: Vec<i64> = (0..2 * n).map(|_| 15 * draws.between(0, latest) as i64).collect();
                edges.sort_unstable();
                *day = edges
                    .chunks(2)
                    .map(|edge| (edge[0], edge[1]))
                    .filter(|(open, close)| open < close)
                    .collect();
            }
        }
        for _ in 0..draws.between(0, 5) {
            plain.closed.push(around.checked_add((draws.between(0, 70) as i64).days()).unwrap());
        }
        plain
    }

    fn text(&self) -> String {
        let mut rules = Vec::new();
        for (name, intervals) in NAMES.iter().zip(&self.days).filter(|(_, intervals)| !intervals.is_empty()) {
            let clock = |minute: &i64| format!("{:02}:{:02}", minute / 60, minute % 60);
            let hours: Vec<_> =
                intervals.iter().map(|(open, close)| format!("{}-{}", clock(open), clock(close))).collect();
            rules.push(format!("{name} {}", hours.join(", ")));
        }
        let mut text = rules.join("; ");
        for (i, date) in self.closed.iter().enumerate() {
            write!(text, "{}{date}", if i == 0 { "; closed " } else { ", " }).unwrap();
        }
        text
    }

    /// The slots of `minutes` between two instants, from watching the clock: an interval opens at the first
    /// minute at or after its open, closes at the first at or after its close, and never opens twice.
    fn watch(&self, zone: &TimeZone, minutes: i64, from: i64, to: i64) -> Vec<i64> {
        let mut slots = Vec::new();
        let mut current: Option<(i64, DateTime)> = None;
        let mut last = (Date::MIN, 0);
        for stamp in (from..to).step_by(usize::try_from(MINUTE).unwrap()) {
            let civil = zone.to_datetime(Timestamp::from_nanosecond(i128::from(stamp)).unwrap());
            current = current.filter(|(_, close)| civil < *close);
            if current.is_none() && !self.closed.contains(&civil.date()) {
                let minute = i64::from(civil.hour()) * 60 + i64::from(civil.minute());
                let weekday = civil.weekday().to_monday_zero_offset() as usize;
                let found =
                    self.days[weekday].iter().position(|(open, close)| (open..close).contains(&&minute));
                if let Some(at) = found.filter(|at| (civil.date(), at + 1) > last) {
                    let close = civil.date().to_datetime(Time::midnight());
                    current = Some((stamp, close.checked_add(self.days[weekday][at].1.minutes()).unwrap()));
                    last = (civil.date(), at + 1);
                }
            }
            if current.is_some_and(|(opened, _)| (stamp - opened) % (minutes * MINUTE) == 0) {
                slots.push(stamp);
            }
        }
        slots
    }
}

fn zone_of(name: &str) -> (Zone, TimeZone) {
    let zone = Zone::try_from(name.to_string()).unwrap();
    let jiff = if name.is_empty() { TimeZone::UTC } else { TimeZone::get(name).unwrap() };
    (zone, jiff)
}

fn nanos(zone: &TimeZone, civil: DateTime) -> i64 {
    i64::try_from(zone.to_timestamp(civil).unwrap().as_nanosecond()).unwrap()
}

/// Holds an index to its stamps, which are `slots`, and to those of its parts.
fn check(index: &TimeIndex, slots: &[i64], draws: &mut Draws, case: &str) {
    assert_eq!(index.stamps().collect::<Vec<_>>(), slots[..index.len], "{case}");
    for (i, slot) in slots.iter().enumerate() {
        assert_eq!((index.stamp(i), index.position(*slot)), (*slot, Some(i)), "{case}");
        assert_eq!(index.position_before(*slot), i, "{case}");
        let Some(next) = slots.get(i + 1) else { continue };
        let inside = draws.between(1, usize::try_from(next - slot - 1).unwrap()) as i64;
        assert_eq!(index.position(slot + inside), None, "{case}, {inside} after {i}");
        assert_eq!(index.position_before(slot + inside), i, "{case}, {inside} after {i}");
    }
    assert_eq!((index.position(slots[0] - 1), index.position_before(slots[0] - 1)), (None, 0), "{case}");
    for _ in 0..5 {
        let start = draws.between(0, index.len - 1);
        let part = index.slice(start..index.len);
        assert_eq!(
            (part.start, part.end(), part.len),
            (slots[start], index.end(), index.len - start),
            "{case}"
        );
        for (i, slot) in slots[start..].iter().enumerate().step_by(7) {
            assert_eq!((part.stamp(i), part.position(*slot)), (*slot, Some(i)), "{case} from {start}");
        }
        let told = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<TimeIndex>(&told).unwrap(), part, "{told}");
    }
    let future: Vec<i64> = index.future(slots.len() - index.len).stamps().collect();
    assert_eq!(future, slots[index.len..], "{case}");
}

/// Zones and dates whose following ten weeks hold a change of clocks: at night, by half an hour (Lord Howe), at
/// midnight (Sao Paulo), back over midnight (St. John's), over a whole day (Apia); or none.
const PLACES: [(&str, &str); 12] = [
    ("", "2023-12-01"),
    ("Europe/Rome", "2024-03-10"),
    ("Europe/Rome", "2024-10-01"),
    ("America/New_York", "2024-02-20"),
    ("America/New_York", "2024-10-10"),
    ("Australia/Lord_Howe", "2024-03-20"),
    ("Australia/Lord_Howe", "2024-09-20"),
    ("America/Sao_Paulo", "2018-10-15"),
    ("America/Sao_Paulo", "2018-02-01"),
    ("America/St_Johns", "2010-10-15"),
    ("America/St_Johns", "2010-03-01"),
    ("Pacific/Apia", "2011-12-10"),
];

#[test]
fn slots_are_what_a_watched_clock_gives() {
    let mut draws = Draws::new(31);
    let mut n_checked = 0;
    for (name, date) in PLACES {
        let (zone, jiff) = zone_of(name);
        let date: Date = date.parse().unwrap();
        let from = nanos(&jiff, date.at(0, 0, 0, 0));
        for _ in 0..12 {
            let plain = Plain::draw(&mut draws, date);
            let minutes = draws.one_of(&[1, 5, 15, 20, 30, 60, 90, 120, 240, 480, 720]);
            let slots = plain.watch(&jiff, minutes, from, from + 70 * DAY);
            let case = format!("{minutes} min, {} in {name:?} from {date}", plain.text());
            let opening: Opening = plain.text().parse().unwrap();
            let len = slots.len().saturating_sub(20).max(1);
            let index = TimeIndex::new(slots[0], Step::Nanos(minutes * MINUTE), zone.clone(), len);
            check(&index.with_opening(&opening).unwrap(), &slots, &mut draws, &case);
            n_checked += slots.len();
        }
    }
    assert!(n_checked > 100_000, "{n_checked}");
}

#[test]
fn days_are_the_open_days_of_a_calendar_at_one_time_of_day() {
    let mut draws = Draws::new(32);
    for (name, date) in PLACES {
        let (zone, jiff) = zone_of(name);
        let date: Date = date.parse().unwrap();
        for time in [Time::midnight(), Time::constant(2, 15, 0, 0), Time::constant(17, 30, 0, 0)] {
            let plain = Plain::draw(&mut draws, date);
            let is_open = |date: &Date| {
                let exists =
                    jiff.to_datetime(jiff.to_timestamp(date.at(12, 0, 0, 0)).unwrap()).date() == *date;
                let weekday = date.weekday().to_monday_zero_offset() as usize;
                exists && !plain.days[weekday].is_empty() && !plain.closed.contains(date)
            };
            let dates = date.series(1.day()).take(800).filter(is_open);
            let slots: Vec<i64> = dates.map(|date| nanos(&jiff, date.to_datetime(time))).collect();
            let step = if zone.has_uneven_days() { Step::Days(1) } else { Step::Nanos(DAY) };
            let index = TimeIndex::new(slots[0], step, zone.clone(), slots.len() - 9);
            let index = index.with_opening(&plain.text().parse().unwrap()).unwrap();
            check(&index, &slots, &mut draws, &format!("{} at {time} in {name:?} from {date}", plain.text()));
        }
    }
}

#[test]
fn business_days_are_weekdays_over_the_ends_of_years() {
    let mut draws = Draws::new(33);
    for (zone, jiff) in ["", "UTC", "Europe/Rome"].map(zone_of) {
        let first: Date = "1999-12-27".parse().unwrap();
        let weekdays = first.series(1.day()).filter(|date| date.weekday().to_monday_zero_offset() < 5);
        let slots: Vec<i64> = weekdays.take(3_000).map(|date| nanos(&jiff, date.at(0, 0, 0, 0))).collect();
        let step = if zone.has_uneven_days() { Step::Days(1) } else { Step::Nanos(DAY) };
        let index =
            TimeIndex::new(slots[0], step, zone, 2_990).with_opening(&Opening::business_days()).unwrap();
        check(&index, &slots, &mut draws, "B");
        assert_eq!(index.format(index.stamp(5))[..10], *"2000-01-03");
    }
}

/// In Rome, clocks went from 02:00 to 03:00 on 2024-03-31 and from 03:00 to 02:00 on 2024-10-27, both Sundays.
#[test]
fn a_night_has_the_hours_that_pass_in_it() {
    let (zone, jiff) = zone_of("Europe/Rome");
    let opening: Opening = "Sat 22:00-24:00; Sun 00:00-04:00".parse().unwrap();
    let hours = |date: &str| {
        let start = nanos(&jiff, date.parse::<Date>().unwrap().at(22, 0, 0, 0));
        let index =
            TimeIndex::new(start, Step::Nanos(60 * MINUTE), zone.clone(), 6).with_opening(&opening).unwrap();
        index.stamps().map(|stamp| index.format(stamp)[11..16].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(hours("2024-03-23"), ["22:00", "23:00", "00:00", "01:00", "02:00", "03:00"]);
    assert_eq!(hours("2024-03-30"), ["22:00", "23:00", "00:00", "01:00", "03:00", "22:00"]);
    assert_eq!(hours("2024-10-26"), ["22:00", "23:00", "00:00", "01:00", "02:00", "02:00"]);
}

#[test]
fn a_start_that_is_no_slot_and_a_step_that_divides_no_day_are_refused() {
    let (zone, jiff) = zone_of("Europe/Rome");
    let refused = |start: &str, step: Step| {
        let index = TimeIndex::new(nanos(&jiff, start.parse().unwrap()), step, zone.clone(), 3);
        index
            .with_opening(&"Mon-Fri 09:00-17:00; closed 2024-01-01".parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    let hour = Step::Nanos(60 * MINUTE);
    let saturday = refused("2024-01-06T09:00:00", hour);
    assert!(saturday.starts_with("start is 2024-01-06T09:00:00+01:00, but it lies outside"), "{saturday}");
    for start in ["2024-01-01T09:00:00", "2024-01-02T08:59:59", "2024-01-02T17:00:00"] {
        assert!(refused(start, hour).contains("outside the opening Mon-Fri 09:00-17:00; closed 2024-01-01"));
    }
    assert!(refused("2024-01-02T09:30:00", hour).contains("not a slot of Mon-Fri"));
    for step in
        [Step::Months(1), Step::Days(7), Step::Nanos(7 * 60 * MINUTE), Step::Index(1), Step::Nanos(2 * DAY)]
    {
        assert!(refused("2024-01-02T09:00:00", step).contains("divide a day"), "{step:?}");
    }
}
