//! Columns as numbers and integers: several together, some rows of each at a time.

use std::ops::Range;

use polars::prelude::{DataFrame, DataType, Series, TimeUnit};
use rayon::prelude::*;

use super::{Frame, Kind, cast, internal};
use crate::Result;
use crate::data::files::text::present;

/// Numbers that are copied and looked at together.
const NUMBERS_AT_HAND: usize = 1 << 12;
/// Columns that one thread reads at a time, at most.
const COLUMNS_A_TIME: usize = 32;

/// What was found when columns were added.
#[derive(Debug, Default)]
pub(in crate::data) struct Added {
    /// Cells of text that are no numbers, each by its column and row.
    pub(in crate::data) refused: Vec<(usize, usize)>,
    /// False if no number is infinite.
    pub(in crate::data) has_infinite: bool,
    /// The first row without an integer, of a column of integers, which is of no use then.
    pub(in crate::data) no_integer: Option<usize>,
}

/// Where the cells of a typed column are added.
enum Typed<'a> {
    Numbers(&'a mut Vec<f64>),
    Integers(&'a mut Vec<i64>),
}

impl Typed<'_> {
    /// Adds some rows, of which the first is row `start` of the frame.
    fn add(&mut self, cells: &Series, start: usize) -> Result<Added> {
        let mut added = Added::default();
        match self {
            Typed::Numbers(numbers) => added.has_infinite = append_f64(cells, numbers)?,
            Typed::Integers(integers) => {
                added.no_integer = append_i64(cells, integers)?.map(|row| start + row);
            }
        }
        Ok(added)
    }
}

impl Added {
    /// With what was found after it, or beside it.
    fn and(self, more: Self) -> Self {
        Added {
            refused: [self.refused, more.refused].concat(),
            has_infinite: self.has_infinite | more.has_infinite,
            no_integer: self.no_integer.or(more.no_integer),
        }
    }
}

impl Frame {
    /// Adds typed columns to those that they stand beside, in parallel.
    fn append_typed(&self, mut columns: Vec<(&str, Typed<'_>)>) -> Result<Added> {
        let (ranges, n_threads) = (self.ranges(), rayon::current_num_threads());
        let n_columns = (columns.len() / n_threads).clamp(1, COLUMNS_A_TIME);
        let n_tasks = columns.len().div_ceil(n_columns);
        let ranges: Vec<&[Range<usize>]> = ranges.chunks((n_threads / n_tasks.max(1)).max(1)).collect();
        let append = |columns: &mut [(&str, Typed<'_>)]| self.append_some(columns, &ranges);
        // Of several errors it is that of the first column, not of time.
        let added: Vec<Result<Added>> = columns.par_chunks_mut(n_columns).map(append).collect();
        added.into_iter().try_fold(Added::default(), |all, added| Ok(all.and(added?)))
    }

    /// Adds some columns, some ranges of rows at a time: what was read is taken over while it is at hand, and those after
    /// it are read meanwhile if a thread has nothing else to do.
    fn append_some(&self, columns: &mut [(&str, Typed<'_>)], ranges: &[&[Range<usize>]]) -> Result<Added> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let load = |ranges: &[Range<usize>]| {
            let loaded = ranges.par_iter().map(|rows| self.load(&names, rows.clone()));
            let loaded: Vec<Result<DataFrame>> = loaded.collect();
            loaded.into_iter().collect::<Result<Vec<DataFrame>>>()
        };
        let mut append = |loaded: &[DataFrame], ranges: &[Range<usize>]| {
            let mut all = Added::default();
            for (table, rows) in loaded.iter().zip(ranges) {
                for (name, typed) in &mut *columns {
                    let cells = table.column(name).map_err(internal)?;
                    all = all.and(typed.add(cells.as_materialized_series(), rows.start)?);
                }
            }
            Ok(all)
        };
        let Some(first) = ranges.first() else { return Ok(Added::default()) };
        let (mut all, mut loaded) = (Added::default(), load(first)?);
        for pair in ranges.windows(2) {
            let (added, next) = rayon::join(|| append(&loaded, pair[0]), || load(pair[1]));
            all = all.and(added?);
            if all.no_integer.is_some() {
                return Ok(all);
            }
            loaded = next?;
        }
        let last = append(&loaded, ranges[ranges.len() - 1])?;
        Ok(all.and(last))
    }

    /// Adds a column as numbers, NaN where a cell is empty; text is parsed.
    pub(crate) fn append_numbers(&self, name: &str, numbers: &mut Vec<f64>) -> Result<()> {
        let added = self.append_all(None, &[name.to_string()], std::slice::from_mut(numbers))?;
        match added.refused.first() {
            Some((_, row)) => Err(self.bad_cell(name, *row, None)?.error()),
            None => Ok(()),
        }
    }

    /// Adds columns as numbers, NaN where a cell is empty or is none, and a typed column as integers as
    /// [`Frame::append_integers`] does.
    pub(in crate::data) fn append_all(
        &self,
        integers: Option<(&str, &mut Vec<i64>)>,
        names: &[String],
        columns: &mut [Vec<f64>],
    ) -> Result<Added> {
        let mut added = Added::default();
        let mut typed: Vec<(&str, Typed<'_>)> =
            integers.into_iter().map(|(name, column)| (name, Typed::Integers(column))).collect();
        for (at, (name, column)) in names.iter().zip(columns).enumerate() {
            if self.kind(name)? != Kind::Text {
                typed.push((name, Typed::Numbers(column)));
                continue;
            }
            let read = |has_infinite: &mut bool, cell: &str| {
                number(cell).inspect(|number| *has_infinite |= number.is_infinite()).ok_or(())
            };
            for (has_infinite, rows) in self.append_read(name, column, f64::NAN, &false, read)? {
                added.has_infinite |= has_infinite;
                added.refused.extend(rows.into_iter().map(|(row, ())| (at, row)));
            }
        }
        Ok(added.and(self.append_typed(typed)?))
    }

    /// A column as numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let mut numbers = Vec::with_capacity(self.n_rows());
        self.append_numbers(name, &mut numbers)?;
        Ok(numbers)
    }

    /// Adds a column of dates or date-times as nanoseconds, or of integers; the row of an empty cell, or of a
    /// stamp that nanoseconds cannot tell, is an error.
    pub(crate) fn append_integers(&self, name: &str, integers: &mut Vec<i64>) -> Result<Result<(), usize>> {
        self.typed(name)?;
        let added = self.append_typed(vec![(name, Typed::Integers(integers))])?;
        Ok(added.no_integer.map_or(Ok(()), Err))
    }
}

/// Adds numbers, NaN where a cell is empty; true if one is infinite.
fn append_f64(series: &Series, numbers: &mut Vec<f64>) -> Result<bool> {
    let series = cast(series, &DataType::Float64)?;
    let mut has_infinite = false;
    for part in series.f64().map_err(internal)?.downcast_iter() {
        let start = numbers.len();
        match part.validity().filter(|validity| validity.unset_bits() > 0) {
            Some(_) => numbers.extend(part.iter().map(|cell| cell.copied().unwrap_or(f64::NAN))),
            None => {
                // Looked at while they are at hand; without a way out of the loop, several at a time.
                for some in part.values().chunks(NUMBERS_AT_HAND) {
                    numbers.extend_from_slice(some);
                    has_infinite |= some.iter().fold(false, |found, number| found | number.is_infinite());
                }
                continue;
            }
        }
        has_infinite |= numbers[start..].iter().any(|number| number.is_infinite());
    }
    Ok(has_infinite)
}

/// Adds dates and date-times as nanoseconds, integers as they are; the first row that has none is returned.
fn append_i64(series: &Series, integers: &mut Vec<i64>) -> Result<Option<usize>> {
    let factor = match series.dtype() {
        DataType::Date => 86_400_000_000_000,
        DataType::Datetime(TimeUnit::Milliseconds, _) => 1_000_000,
        DataType::Datetime(TimeUnit::Microseconds, _) => 1_000,
        _ => 1,
    };
    let physical = match series.dtype() {
        DataType::Date | DataType::Datetime(..) => {
            series.to_physical_repr().strict_cast(&DataType::Int64).map_err(internal)?
        }
        _ => cast(series, &DataType::Int64)?,
    };
    let mut row = 0;
    for part in physical.i64().map_err(internal)?.downcast_iter() {
        let empty = part.validity().and_then(|is_there| is_there.iter().position(|is_there| !is_there));
        if let Some(at) = empty {
            return Ok(Some(row + at));
        }
        match factor {
            1 => integers.extend_from_slice(part.values()),
            // A cast would wrap around.
            factor => {
                for (at, stamp) in part.values().iter().enumerate() {
                    let Some(nanos) = stamp.checked_mul(factor) else { return Ok(Some(row + at)) };
                    integers.push(nanos);
                }
            }
        }
        row += part.len();
    }
    Ok(None)
}

/// The number that a cell says, NaN if it is missing; `None` if it is something else.
fn number(cell: &str) -> Option<f64> {
    match cell.parse() {
        Ok(number) => Some(number),
        Err(_) => present(Some(cell)).map_or(Some(f64::NAN), |cell| cell.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Cells, Format, Zone, encode};
    use crate::{Panel, ReadOptions};

    #[test]
    fn columns_may_stand_in_any_order_and_any_number_of_threads_reads_them() {
        let n = 1_000;
        let stamps: Vec<i64> = (0..n).map(|hour| hour * 3_600_000_000_000).collect();
        let y: Vec<f64> = (0..n).map(|row| row as f64).collect();
        let x: Vec<f64> = y.iter().map(|y| -y).collect();
        let mut table = vec![
            ("b".to_string(), Cells::Numbers(y.clone())),
            ("ds".to_string(), Cells::Stamps(stamps, Zone::Local)),
            ("a".to_string(), Cells::Numbers(x.clone())),
        ];
        for _ in 0..3 {
            table.rotate_left(1);
            let bytes = encode(&table, Format::Parquet).unwrap();
            for n_threads in [1, 2, 3, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let options = ReadOptions {
                    target_columns: vec!["a".to_string(), "b".to_string()],
                    ..ReadOptions::default()
                };
                let panel = pool.install(|| Panel::read_bytes(&bytes, "t", &options)).unwrap();
                let values = panel.series()[0].values();
                assert_eq!(values.column(0).to_vec(), x, "{n_threads}");
                assert_eq!(values.column(1).to_vec(), y, "{n_threads}");
            }
        }
    }

    #[test]
    fn an_infinite_value_far_down_is_named_in_every_format() {
        const HOUR: i64 = 3_600_000_000_000;
        for (at, bad) in [(0, f64::INFINITY), (9_999, f64::NEG_INFINITY), (5_000, f64::INFINITY)] {
            let mut values: Vec<f64> = (0..10_000).map(f64::from).collect();
            values[7] = f64::NAN;
            values[at] = bad;
            let stamps = (0..10_000).map(|hour| hour * HOUR).collect();
            let table = [
                ("ds".to_string(), Cells::Stamps(stamps, Zone::Local)),
                ("y".to_string(), Cells::Numbers(values)),
            ];
            for format in [Format::Csv, Format::Parquet, Format::Arrow] {
                let bytes = encode(&table, format).unwrap();
                let message =
                    Panel::read_bytes(&bytes, "t", &ReadOptions::default()).unwrap_err().to_string();
                assert!(message.starts_with("series \"y\" has an infinite value in \"y\" at "), "{message}");
            }
        }
    }
}
