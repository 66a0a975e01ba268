//! A time index is a grid: every stamp has its position, and a part of a grid is the same grid.

use forecast::{Step, TimeIndex};

use crate::grid;
use crate::random::Draws;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// Grids of every kind of step. The zones change their clocks at night, at midnight (Sao Paulo), by half an
/// hour (Lord Howe), in the other half of the year (Lord Howe, Sao Paulo), or never.
fn grids() -> Vec<TimeIndex> {
    let mut grids = Vec::new();
    for zone in
        ["", "UTC", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "+05:45"]
    {
        for step in [
            Step::Nanos(1),
            Step::Nanos(20_000_000),
            Step::Nanos(SECOND),
            Step::Nanos(900 * SECOND),
            Step::Nanos(HOUR),
            Step::Nanos(24 * HOUR),
            Step::Days(1),
            Step::Days(7),
            Step::Months(1),
            Step::Months(3),
            Step::Months(12),
        ] {
            for start in ["2016-01-01T00:00:00", "2016-10-01T12:00:00", "2015-12-31T00:00:00"] {
                grids.push(grid(step, zone, start, 400));
            }
        }
    }
    for (start, step) in [(0, 1), (-7, 3), (1_000_000, 1_000)] {
        grids.push(TimeIndex::new(start, Step::Index(step), Default::default(), 400));
    }
    grids
}

#[test]
fn position_inverts_stamp_also_beyond_the_end_and_over_clock_changes() {
    for index in grids() {
        // Stamps end with the year 2262, which yearly grids reach here.
        let representable = (0..500).take_while(|i| index.stamp(*i) < i64::MAX);
        assert!(representable.clone().count() > 200, "{index:?}");
        for i in representable {
            assert_eq!(index.position(index.stamp(i)), Some(i), "{index:?}");
        }
    }
}

#[test]
fn stamps_grow_and_what_lies_between_them_has_no_position() {
    let mut draws = Draws::new(1);
    for index in grids() {
        for i in 0..200 {
            let (here, next) = (index.stamp(i), index.stamp(i + 1));
            assert!(here < next, "{index:?} at {i}");
            if next - here > 1 {
                let inside = draws.between(1, usize::try_from(next - here - 1).unwrap());
                assert_eq!(index.position(here + inside as i64), None, "{index:?} at {i}");
            }
        }
        assert_eq!(index.position(index.start - 1), None, "{index:?}");
    }
}

#[test]
fn a_part_of_a_grid_is_the_same_grid() {
    for index in grids() {
        for start in (0..400).step_by(7) {
            let part = index.slice(start..400);
            assert_eq!((part.len, part.end()), (400 - start, index.end()), "{index:?} from {start}");
            for i in [0, 1, 2, 30] {
                assert_eq!(part.stamp(i), index.stamp(start + i), "{index:?} from {start}");
            }
        }
        let future = index.future(3);
        assert_eq!(future.stamps().collect::<Vec<_>>(), [400, 401, 402].map(|i| index.stamp(i)), "{index:?}");
    }
}

/// In Rome, clocks went from 02:00 to 03:00 on 2024-03-31 and from 03:00 to 02:00 on 2024-10-27.
#[test]
fn days_in_rome_keep_midnight_and_hours_keep_their_length() {
    let lengths = |month: &str| {
        let days = grid(Step::Days(1), "Europe/Rome", &format!("{month}-01T00:00:00"), 31);
        let stamps: Vec<i64> = days.stamps().collect();
        assert!(stamps.iter().all(|stamp| days.format(*stamp).contains("T00:00:00+")), "{month}");
        stamps.windows(2).map(|pair| (pair[1] - pair[0]) / HOUR).collect::<Vec<_>>()
    };
    let (march, october) = (lengths("2024-03"), lengths("2024-10"));
    assert_eq!((march.iter().sum::<i64>(), march[29]), (30 * 24, 24));
    assert_eq!((october.iter().sum::<i64>(), october[26]), (30 * 24 + 1, 25));

    let hours = grid(Step::Nanos(HOUR), "Europe/Rome", "2024-03-31T00:00:00", 4);
    let told: Vec<String> = hours.stamps().map(|stamp| hours.format(stamp)).collect();
    assert_eq!(
        told,
        [
            "2024-03-31T00:00:00+01:00",
            "2024-03-31T01:00:00+01:00",
            "2024-03-31T03:00:00+02:00",
            "2024-03-31T04:00:00+02:00"
        ]
    );
}
