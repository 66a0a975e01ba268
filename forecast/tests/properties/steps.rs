//! The step of a series is told from its stamps, whatever form they come in.

use forecast::data::{Cells, Format, TimeIndex, Zone, encode};
use forecast::{Panel, ReadOptions, Step};

use crate::{grid, stamp_cells};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

fn read(index: &TimeIndex, stamps: Cells, zone: Option<Zone>) -> Panel {
    let values = Cells::Numbers((0..index.len).map(|i| i as f64).collect());
    let csv = encode(&[("ds".to_string(), stamps), ("y".to_string(), values)], Format::Csv).unwrap();
    Panel::read_csv(&csv, "steps.csv", &ReadOptions { zone, ..ReadOptions::default() }).unwrap()
}

/// Reads the stamps of a grid as text and holds the index that was told from them to the grid itself.
fn check(step: Step, zone: &str, start: &str) {
    let index = grid(step, zone, start, 40);
    let cells = stamp_cells(&index, index.stamps().collect());
    let zone = (index.zone != Zone::Local).then(|| index.zone.clone());
    let panel = read(&index, cells, zone);
    assert_eq!(panel.series()[0].index(), &index, "{step} in {:?} from {start}", index.zone);
    assert!(panel.report().step_is_inferred);
}

#[test]
fn fixed_steps_are_told_from_local_stamps() {
    for nanos in [20_000_000, SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, DAY, 7 * DAY] {
        check(Step::Nanos(nanos), "", "2023-12-30T00:00:00");
    }
}

#[test]
fn calendar_steps_are_told_from_local_stamps() {
    for start in ["2023-12-01T00:00:00", "2024-01-31T00:00:00", "2023-11-30T06:30:00", "2024-02-15T00:00:00"]
    {
        for months in [1, 3, 6, 12] {
            check(Step::Months(months), "", start);
        }
    }
}

#[test]
fn steps_are_told_over_clock_changes_in_a_zone() {
    for (zone, start) in [
        ("Europe/Rome", "2024-03-30T00:00:00"),
        ("Europe/Rome", "2024-10-26T00:00:00"),
        ("America/New_York", "2024-03-09T00:00:00"),
        ("America/New_York", "2024-11-02T00:00:00"),
    ] {
        for nanos in [15 * MINUTE, 60 * MINUTE] {
            check(Step::Nanos(nanos), zone, start);
        }
        check(Step::Days(1), zone, start);
        check(Step::Days(7), zone, start);
        check(Step::Months(1), zone, "2024-01-01T00:00:00");
        check(Step::Months(3), zone, "2024-01-01T00:00:00");
    }
}

#[test]
fn days_of_a_zone_without_clock_changes_are_fixed() {
    check(Step::Nanos(DAY), "UTC", "2024-03-30T00:00:00");
    check(Step::Nanos(DAY), "+05:30", "2024-03-30T00:00:00");
}

#[test]
fn an_integer_index_stays_one() {
    for (start, step) in [(0, 1), (-20, 1), (7, 5), (99_999_000, 10)] {
        let index = TimeIndex::new(start, Step::Index(step), Zone::Local, 40);
        let panel = read(&index, Cells::Integers(index.stamps().collect()), None);
        assert_eq!(panel.series()[0].index(), &index);
        assert!(panel.report().notes.is_empty(), "{:?}", panel.report().notes);
    }
}

#[test]
fn epochs_are_told_by_their_size_and_said() {
    for (unit, nanos) in [("s", SECOND), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)] {
        let index = grid(Step::Nanos(5 * MINUTE), "UTC", "2024-03-30T00:00:00", 40);
        let epoch = index.stamps().map(|stamp| stamp / nanos).collect();
        let panel = read(&index, Cells::Integers(epoch), None);
        assert_eq!(panel.series()[0].index(), &index, "{unit}");
        assert_eq!(panel.report().notes, [format!("the time stamps are an epoch in {unit}")]);
    }
}

#[test]
fn a_few_gaps_do_not_hide_the_step() {
    for (step, zone) in
        [(Step::Nanos(15 * MINUTE), ""), (Step::Days(1), "Europe/Rome"), (Step::Months(1), "")]
    {
        let whole = grid(step, zone, "2024-01-01T00:00:00", 40);
        let kept: Vec<i64> = (0..40).filter(|i| ![7, 8, 21].contains(i)).map(|i| whole.stamp(i)).collect();
        let part = TimeIndex { len: kept.len(), ..whole.clone() };
        let zone = (whole.zone != Zone::Local).then(|| whole.zone.clone());
        let panel = read(&part, stamp_cells(&whole, kept), zone);
        assert_eq!(panel.series()[0].index(), &whole);
        assert_eq!(panel.report().counts[0].absent, 3);
    }
}

#[test]
fn a_step_that_is_given_is_not_inferred() {
    let index = grid(Step::Nanos(2 * MINUTE), "", "2024-01-01T00:00:00", 40);
    let csv: String = (0..40).map(|i| format!("{},{i}\n", index.format(index.stamp(i)))).collect();
    let options = ReadOptions { freq: Some(Step::Nanos(MINUTE)), ..ReadOptions::default() };
    let panel = Panel::read_csv(format!("ds,y\n{csv}").as_bytes(), "steps.csv", &options).unwrap();
    assert_eq!((panel.step(), panel.series()[0].n_steps()), (Step::Nanos(MINUTE), 79));
    assert!(!panel.report().step_is_inferred);
}
