//! Columns as numbers and integers: several together, some rows of each at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use polars::prelude::{DataFrame, DataType, Series, TimeUnit};
use rayon::prelude::*;

use super::{Frame, Kind, cast, internal};
use crate::Result;
use crate::data::files::text::present;

/// Numbers that are copied and looked at together.
const NUMBERS_AT_HAND: usize = 1 << 12;
/// Columns of numbers that one thread reads at a time.
const COLUMNS_A_TIME: usize = 32;

/// What was found when numbers were added.
#[derive(Debug)]
pub(in crate::data) struct AddedNumbers {
    /// Cells of text that are none, each by its column and row.
    pub(in crate::data) refused: Vec<(usize, usize)>,
    /// False if no number is infinite.
    pub(in crate::data) has_infinite: bool,
}

impl Frame {
    /// Adds typed columns to those that they stand beside, in parallel: `convert` adds some rows, or says which of them
    /// it cannot, of which the first is returned.
    fn append_typed<T: Send>(
        &self,
        mut columns: Vec<(&str, &mut Vec<T>)>,
        convert: impl Fn(&Series, &mut Vec<T>) -> Result<Option<usize>> + Sync,
    ) -> Result<Option<usize>> {
        let ranges = self.ranges();
        for columns in columns.chunks_mut(COLUMNS_A_TIME) {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            // What is taken over at once is still at hand, and the next rows take its place in memory.
            for ranges in ranges.chunks(rayon::current_num_threads()) {
                let loaded = ranges.par_iter().map(|rows| self.load(&names, rows.clone()));
                // Of several errors it is the first in the order of the rows, not of time.
                let loaded: Vec<Result<DataFrame>> = loaded.collect();
                let loaded = loaded.into_iter().collect::<Result<Vec<DataFrame>>>()?;
                let append = |(at, (_, values)): (usize, &mut (&str, &mut Vec<T>))| {
                    for (table, rows) in loaded.iter().zip(ranges) {
                        if let Some(row) = convert(table.columns()[at].as_materialized_series(), values)? {
                            return Ok(Some(rows.start + row));
                        }
                    }
                    Ok(None)
                };
                let done: Vec<Result<Option<usize>>> =
                    columns.par_iter_mut().enumerate().map(append).collect();
                if let Some(stop) = done.into_iter().find(|one| !matches!(one, Ok(None))) {
                    return stop;
                }
            }
        }
        Ok(None)
    }

    /// Adds a column as numbers, NaN where a cell is empty; text is parsed.
    pub(crate) fn append_numbers(&self, name: &str, numbers: &mut Vec<f64>) -> Result<()> {
        let added = self.append_all_numbers(&[name.to_string()], std::slice::from_mut(numbers))?;
        match added.refused.first() {
            Some((_, row)) => Err(self.bad_cell(name, *row, None)?.error()),
            None => Ok(()),
        }
    }

    /// Adds columns as numbers, NaN where a cell is empty or is none.
    pub(in crate::data) fn append_all_numbers(
        &self,
        names: &[String],
        columns: &mut [Vec<f64>],
    ) -> Result<AddedNumbers> {
        let mut added = AddedNumbers { refused: Vec::new(), has_infinite: false };
        let mut typed = Vec::new();
        for (at, (name, column)) in names.iter().zip(columns).enumerate() {
            if self.kind(name)? != Kind::Text {
                typed.push((name.as_str(), column));
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
        let has_infinite = AtomicBool::new(false);
        self.append_typed(typed, |cells, numbers| {
            has_infinite.fetch_or(append_f64(cells, numbers)?, Ordering::Relaxed);
            Ok(None)
        })?;
        added.has_infinite |= has_infinite.into_inner();
        Ok(added)
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
        let refused = self.append_typed(vec![(name, integers)], append_i64)?;
        Ok(refused.map_or(Ok(()), Err))
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
