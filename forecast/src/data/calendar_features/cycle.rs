//! Calendar features that come back after some steps: their rows, written once.

use ndarray::{Array2, ArrayView1, Axis};

use super::features::CalendarFeatures;
use super::fourier::Clock;
use super::time_feature::TimeFeatures;
use crate::data::TimeIndex;

/// Numbers that are kept, at most.
const MOST_NUMBERS: usize = 1_000_000;

/// The rows of one cycle on a grid, the same bits as [`CalendarFeatures::fill`] writes.
#[derive(Debug, Clone)]
pub(crate) struct Cycle {
    clock: Clock,
    /// In the unit of phases.
    step: i64,
    /// The phase of the first row, less than a step.
    first: i64,
    /// Shape `(row, column)`.
    rows: Array2<f64>,
}

impl CalendarFeatures {
    /// The rows that come back on this grid; `None` if there are other columns than Fourier terms, or the terms come
    /// back together after no whole number of steps, or a large one.
    pub(crate) fn cycle(&self, index: &TimeIndex) -> Option<Cycle> {
        if self.time != TimeFeatures::None || !self.holidays.is_empty() {
            return None;
        }
        let clocks = self.clocks(index.step).ok()?;
        let (first, others) = clocks.split_first()?;
        let clock = others.iter().try_fold(*first, |all, clock| all.together(*clock))?;
        let (n, step) = clock.steps()?;
        let n_columns = self.n_columns(index.step);
        if n.checked_mul(n_columns)? > MOST_NUMBERS {
            return None;
        }
        let first = clock.phase(index.start, index.civil(index.start)).rem_euclid(step);
        let mut rows = Array2::zeros((n, n_columns));
        for (phase, mut row) in (first..).step_by(usize::try_from(step).ok()?).zip(rows.rows_mut()) {
            let mut cells = row.iter_mut();
            for (term, clock) in self.fourier.iter().zip(&clocks) {
                clock.fill(clock.within(phase), cells.by_ref().take(2 * term.order));
            }
        }
        Some(Cycle { clock, step, first, rows })
    }
}

impl Cycle {
    /// Rows until the first one comes back.
    pub(crate) fn n_rows(&self) -> usize {
        self.rows.nrows()
    }

    /// Which row the step `i` of an index has, which may lie beyond its end; `None` between two rows of this grid.
    pub(crate) fn at(&self, index: &TimeIndex, i: usize) -> Option<usize> {
        let stamp = index.stamp(i);
        let since = self.clock.phase(stamp, index.civil(stamp)) - self.first;
        (since % self.step == 0)
            .then(|| usize::try_from(since / self.step).ok())?
            .filter(|at| *at < self.n_rows())
    }

    /// A row.
    pub(crate) fn row(&self, at: usize) -> ArrayView1<'_, f64> {
        self.rows.index_axis(Axis(0), at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, Zone};

    fn check(terms: &[&str], step: &str, zone: &str, start: &str, n_rows: usize) {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        let start = zone.nanos(start.parse().unwrap()).unwrap();
        let index = TimeIndex::new(start, step.parse().unwrap(), zone, 10);
        let fourier = terms.iter().map(|term| term.parse().unwrap()).collect();
        let features = CalendarFeatures { fourier, ..CalendarFeatures::default() };
        let cycle = features.cycle(&index).unwrap();
        assert_eq!(cycle.n_rows(), n_rows);
        let mut rows = Array2::zeros((3_000, features.n_columns(index.step)));
        features.fill(&index, 0..3_000, rows.view_mut()).unwrap();
        for (i, row) in rows.rows().into_iter().enumerate() {
            let bits = |row: ArrayView1<'_, f64>| row.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(cycle.row(cycle.at(&index, i).unwrap())), bits(row), "{terms:?} {i}");
        }
    }

    #[test]
    fn rows_are_those_that_are_filled_bit_for_bit() {
        check(&["1D:4"], "1h", "UTC", "2024-02-28T05:00:00", 24);
        check(&["1D:4", "7D:3"], "1h", "UTC", "2024-02-28T05:20:00", 168);
        check(&["12h:2", "9h:3"], "30min", "", "1969-12-30T23:10:00", 72);
        // The clock jumps, and the rows with it.
        check(&["1D:12"], "1h", "Europe/Rome", "2024-03-30T12:00:00", 24);
    }

    #[test]
    fn what_does_not_come_back_on_the_grid_has_no_cycle() {
        let index = |start: i64| TimeIndex::new(start, "1h".parse().unwrap(), Zone::default(), 10);
        let terms = |terms: &[&str]| CalendarFeatures {
            fourier: terms.iter().map(|term| term.parse().unwrap()).collect(),
            ..CalendarFeatures::default()
        };
        assert!(terms(&[]).cycle(&index(0)).is_none());
        assert!(terms(&["1D:1", "1y:2"]).cycle(&index(0)).is_none()); // 365.2425 days
        assert!(terms(&["100000h:9"]).cycle(&index(0)).is_none()); // a million rows and more
        let time = CalendarFeatures { time: TimeFeatures::Informer, ..terms(&["1D:1"]) };
        assert!(time.cycle(&index(0)).is_none());
        let cycle = terms(&["1D:1"]).cycle(&index(0)).unwrap();
        assert_eq!((cycle.at(&index(0), 25), cycle.at(&index(60_000_000_000), 1)), (Some(1), None));
        let integers = TimeIndex::new(-3, Step::Index(2), Zone::default(), 10);
        assert_eq!(terms(&["5:2"]).cycle(&integers).unwrap().at(&integers, 6), Some(4));
    }
}
