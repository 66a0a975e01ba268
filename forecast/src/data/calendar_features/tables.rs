//! Calendar parts as whole numbers, for models that look up a vector for each of them: the `fixed` and
//! `learned` embeddings of Informer, and those of S4's forecasting encoder.

use std::ops::Range;

use jiff::civil::DateTime;
use ndarray::ArrayViewMut2;

use super::time_feature::Unit;
use crate::data::TimeIndex;
use crate::{Error, Result, Step};

/// A table of vectors, one for each value of a calendar part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarTable {
    /// Month, 1 to 12; position 0 is never looked up.
    Month,
    /// Day of the month, 1 to 31; position 0 is never looked up.
    Day,
    /// Day of the week, Monday is 0.
    Weekday,
    /// Hour of the day.
    Hour,
    /// Quarter of the hour, 0 to 3.
    QuarterHour,
}

impl CalendarTable {
    /// The tables that Informer uses for a step, in its order: month for months and weeks; day and weekday too
    /// for days; the hour too for hours; the quarter of the hour too below. None for years and an integer index.
    #[must_use]
    pub fn of_step(step: Step) -> &'static [Self] {
        const ALL: [CalendarTable; 5] = [
            CalendarTable::Month,
            CalendarTable::Day,
            CalendarTable::Weekday,
            CalendarTable::Hour,
            CalendarTable::QuarterHour,
        ];
        match Unit::of_step(step) {
            None | Some(Unit::Year) => &[],
            Some(Unit::Month | Unit::Week) => &ALL[..1],
            Some(Unit::Day) => &ALL[..3],
            Some(Unit::Hour) => &ALL[..4],
            Some(Unit::Minute | Unit::Second) => &ALL,
        }
    }

    /// How many vectors the table has.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            CalendarTable::Month => 13,
            CalendarTable::Day => 32,
            CalendarTable::Weekday => 7,
            CalendarTable::Hour => 24,
            CalendarTable::QuarterHour => 4,
        }
    }

    /// The name of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CalendarTable::Month => "month",
            CalendarTable::Day => "day",
            CalendarTable::Weekday => "weekday",
            CalendarTable::Hour => "hour",
            CalendarTable::QuarterHour => "quarter-hour",
        }
    }

    /// Where a civil time is in the table, below [`size`](Self::size).
    #[must_use]
    pub fn position(self, at: DateTime) -> usize {
        let part = match self {
            CalendarTable::Month => at.month(),
            CalendarTable::Day => at.day(),
            CalendarTable::Weekday => at.weekday().to_monday_zero_offset(),
            CalendarTable::Hour => at.hour(),
            CalendarTable::QuarterHour => at.minute() / 15,
        };
        usize::from(part.unsigned_abs())
    }
}

/// Writes the positions of the steps at `range`, which may reach beyond the end of the index, into the tables
/// of its step.
///
/// # Shapes
/// `out`: `(range.len(), CalendarTable::of_step(index.step).len())`.
///
/// # Errors
/// [`Error::Internal`] if `out` has another shape.
///
/// # Example
/// ```
/// use forecast::data::{TimeIndex, calendar_positions};
/// use ndarray::{Array2, array};
/// let index = TimeIndex::new(0, "1h".parse()?, Default::default(), 24); // 1970-01-01 was a Thursday
/// let mut out = Array2::zeros((2, 4));
/// calendar_positions(&index, 23..25, out.view_mut())?;
/// assert_eq!(out, array![[1, 1, 3, 23], [1, 2, 4, 0]]); // month, day, weekday, hour
/// # Ok::<(), forecast::Error>(())
/// ```
pub fn calendar_positions(
    index: &TimeIndex,
    range: Range<usize>,
    mut out: ArrayViewMut2<'_, usize>,
) -> Result<()> {
    let tables = CalendarTable::of_step(index.step);
    if out.dim() != (range.len(), tables.len()) {
        return Err(Error::Internal(format!(
            "calendar positions of {} steps in {} tables do not fit into {:?}",
            range.len(),
            tables.len(),
            out.dim()
        )));
    }
    for (i, mut row) in range.zip(out.rows_mut()) {
        // An integer index has no civil time, and no tables.
        if let Some(at) = index.civil(index.stamp(i)) {
            row.iter_mut().zip(tables).for_each(|(cell, table)| *cell = table.position(at));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Zone;
    use ndarray::Array2;

    #[test]
    fn positions_stay_inside_their_tables_for_ten_years() {
        let zone = Zone::named("Europe/Rome").unwrap();
        let index = TimeIndex::new(1_577_836_800_000_000_000, "445min".parse().unwrap(), zone, 12_000);
        let mut out = Array2::from_elem((12_000, 5), 99);
        calendar_positions(&index, 0..12_000, out.view_mut()).unwrap();
        for (column, table) in out.columns().into_iter().zip(CalendarTable::of_step(index.step)) {
            let first = usize::from(matches!(table, CalendarTable::Month | CalendarTable::Day));
            assert_eq!(column.iter().min(), Some(&first), "{table:?}");
            assert_eq!(column.iter().max(), Some(&(table.size() - 1)), "{table:?}");
        }
        assert!(calendar_positions(&index, 0..3, out.view_mut()).is_err());
    }
}
