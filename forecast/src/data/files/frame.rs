//! Rows of a table, of any format; this file and those of its folder are the only ones that name polars.
//!
//! Nothing here knows what a column means.

mod encode;
mod parquet_file;
mod text_part;
mod writer;

use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, IpcReader, IpcStreamReader, NamedFrom, PlSmallStr, PolarsError,
    PolarsResult, SerReader, Series, TimeUnit,
};
use rayon::prelude::*;

use super::arrow;
use super::csv::{CsvHead, CsvPart, CsvRows};
use super::json::{JsonColumn, JsonTable};
use super::text::{has_decimal_comma, present};
use crate::{Error, Result};
pub use encode::encode;
use encode::to_frame;
pub(in crate::data) use parquet_file::ParquetFile;
use parquet_file::ParquetRows;
pub(in crate::data) use text_part::Runs;
use text_part::TextPart;
pub use writer::TableWriter;

/// Rows that decide whether a column of text holds numbers, if all that are there are numbers.
const HEAD: usize = 1_000;
/// Rows of a column that one thread reads at a time.
const ROWS_A_THREAD: usize = 1 << 15;
/// Numbers that are copied and looked at together.
const NUMBERS_AT_HAND: usize = 1 << 12;
/// Columns of numbers that one thread reads at a time.
const COLUMNS_A_TIME: usize = 32;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Integer,
    Text,
    Stamp,
    Other,
}

/// A cell that is not what its column holds.
#[derive(Debug, Clone)]
pub(in crate::data) struct BadCell {
    pub(in crate::data) input: String,
    pub(in crate::data) row: usize,
    pub(in crate::data) column: String,
    pub(in crate::data) value: String,
    /// What a stamp should have been; `None` where a number was expected.
    pub(in crate::data) stamp: Option<&'static str>,
}

impl BadCell {
    /// The error that names it.
    pub(in crate::data) fn error(&self) -> Error {
        let BadCell { input, row, column, value, stamp } = self.clone();
        match stamp {
            Some(expected) => Error::BadStamp { input, row, column, value, expected },
            None => Error::NotANumber { input, row, column, value },
        }
    }
}

/// Some rows of a table, with the name of where they came from for messages.
#[derive(Debug)]
pub(crate) struct Frame {
    input: String,
    /// Rows of the file before these.
    first_row: usize,
    /// Rows of the file after these, as it says; 0 where it does not.
    rows_ahead: usize,
    table: Table,
    /// Columns of one text.
    constants: Vec<(String, String)>,
}

#[derive(Debug)]
enum Table {
    Typed(DataFrame),
    /// Columns are read when they are asked for.
    Parquet(ParquetRows),
    Csv(CsvRows),
}

/// What was found when numbers were added.
#[derive(Debug)]
pub(in crate::data) struct AddedNumbers {
    /// Cells of text that are none, each by its column and row.
    pub(in crate::data) refused: Vec<(usize, usize)>,
    /// False if no number is infinite.
    pub(in crate::data) has_infinite: bool,
}

/// A copy of a reader of cells, once it has read its share, and the rows that it refused and why.
type Outcome<R, E> = (R, Vec<(usize, E)>);

/// A column of a frame.
enum Found<'a> {
    /// Of a Parquet file without its rows.
    Typed(&'a Column),
    /// The one with this number.
    Csv(&'a CsvRows, usize),
    Constant(&'a str),
}

/// Some rows of a column of text, for one thread.
enum Share<'a> {
    Typed(Range<usize>),
    Csv(&'a CsvPart, usize),
    Constant(usize, &'a str),
}

impl Share<'_> {
    fn rows(&self) -> Range<usize> {
        match self {
            Share::Typed(rows) => rows.clone(),
            Share::Csv(part, _) => part.first_row()..part.first_row() + part.n_rows(),
            Share::Constant(n_rows, _) => 0..*n_rows,
        }
    }
}

impl Frame {
    /// Rows of CSV, from texts of whole lines without the header.
    pub(in crate::data) fn csv(
        texts: Vec<Vec<u8>>,
        head: &CsvHead,
        input: &str,
        first_row: usize,
    ) -> Result<Self> {
        let table = Table::Csv(CsvRows::new(texts, head, input, first_row)?);
        Ok(Frame { input: input.to_string(), first_row, rows_ahead: 0, table, constants: Vec::new() })
    }

    /// Rows of JSON objects.
    pub(in crate::data) fn json(rows: JsonTable, input: &str, first_row: usize) -> Result<Self> {
        let columns = rows.columns.into_iter().map(|(name, column)| {
            let name = PlSmallStr::from_string(name);
            match column {
                JsonColumn::Empty(n) => Series::new(name, vec![None::<f64>; n]),
                JsonColumn::Integers(cells) => Series::new(name, cells),
                JsonColumn::Numbers(cells) => Series::new(name, cells),
                JsonColumn::Text(cells) => Series::new(name, cells),
            }
            .into_column()
        });
        let table = DataFrame::new_infer_height(columns.collect()).map_err(internal)?;
        Ok(Self::typed_rows(table, input, first_row))
    }

    /// An Arrow IPC file, whole.
    pub(in crate::data) fn arrow(bytes: &[u8], input: &str) -> Result<Self> {
        Ok(Self::typed_rows(arrow_file(bytes, input)?, input, 0))
    }

    /// An Arrow IPC stream, whole.
    pub(in crate::data) fn arrow_stream(bytes: &[u8], input: &str) -> Result<Self> {
        check(arrow::check_stream(bytes), input, "Arrow IPC stream")?;
        let table = guarded(|| IpcStreamReader::new(Cursor::new(bytes)).set_rechunk(true).finish());
        Ok(Self::typed_rows(checked(table, input, "Arrow IPC stream")?, input, 0))
    }

    fn typed_rows(table: DataFrame, input: &str, first_row: usize) -> Self {
        let table = Table::Typed(table);
        Frame { input: input.to_string(), first_row, rows_ahead: 0, table, constants: Vec::new() }
    }

    /// Adds a column of one text, unless there is one of that name.
    pub(in crate::data) fn add_constant(&mut self, name: &str, value: &str) {
        if !self.names().contains(&name) {
            self.constants.push((name.to_string(), value.to_string()));
        }
    }

    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let constants = self.constants.iter().map(|(name, _)| name.as_str());
        let typed = match &self.table {
            Table::Typed(table) => table.columns(),
            Table::Parquet(rows) => rows.head().columns(),
            Table::Csv(rows) => return rows.names().iter().map(String::as_str).chain(constants).collect(),
        };
        typed.iter().map(|column| column.name().as_str()).chain(constants).collect()
    }

    pub(crate) fn n_rows(&self) -> usize {
        match &self.table {
            Table::Typed(table) => table.height(),
            Table::Parquet(rows) => rows.n_rows(),
            Table::Csv(rows) => rows.n_rows(),
        }
    }

    /// How many rows follow in the same file, as it says; 0 where it does not.
    pub(in crate::data) fn rows_ahead(&self) -> usize {
        self.rows_ahead
    }

    /// The number of a row in its file, from 1.
    pub(crate) fn row_number(&self, row: usize) -> usize {
        self.first_row + row + 1
    }

    /// What the cells of a column are; text files hold text, whatever it says.
    pub(crate) fn kind(&self, name: &str) -> Result<Kind> {
        let Found::Typed(column) = self.find(name)? else { return Ok(Kind::Text) };
        Ok(match column.dtype() {
            DataType::Float64 | DataType::Float32 | DataType::Decimal(..) | DataType::Boolean => Kind::Number,
            kind if kind.is_integer() => Kind::Integer,
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Kind::Text,
            DataType::Date | DataType::Datetime(..) => Kind::Stamp,
            _ => Kind::Other,
        })
    }

    /// True for a column of a text file whose first cells are numbers, all that are not empty.
    pub(in crate::data) fn is_told_number(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.find(name)?, Found::Csv(..)) && self.begins_with_numbers(name)?)
    }

    /// True if the first cells of a column of text are numbers, all that are not empty.
    fn begins_with_numbers(&self, name: &str) -> Result<bool> {
        let (mut n_cells, mut n_numbers) = (0, 0);
        let share = self.shares(name)?.into_iter().next().map(|share| match share {
            Share::Typed(rows) => Share::Typed(rows.start..rows.end.min(HEAD)),
            other => other,
        });
        if let Some(share) = share {
            let mut rows = 0..HEAD;
            let _ = self.text_part(name, &share)?.try_each(|cell| {
                rows.next().ok_or(())?;
                let cell = cell.unwrap_or_default();
                n_cells += usize::from(!cell.is_empty());
                n_numbers += usize::from(cell.parse::<f64>().is_ok());
                Ok::<(), ()>(())
            });
        }
        Ok(n_cells > 0 && n_numbers == n_cells)
    }

    /// Whether at least half of the cells of a column of text are numbers, of those that are there; `None` if none
    /// is.
    pub(in crate::data) fn has_numbers(&self, name: &str) -> Result<Option<bool>> {
        if self.begins_with_numbers(name)? {
            return Ok(Some(true));
        }
        let (mut n_cells, mut n_numbers) = (0, 0);
        self.each_text(name, |_, cell| {
            if let Some(cell) = present(cell) {
                n_cells += 1;
                // With a decimal comma it was meant to be one, which is said when it is read.
                n_numbers += usize::from(cell.parse::<f64>().is_ok() || has_decimal_comma(cell));
            }
            Ok(())
        })?;
        Ok((n_cells > 0).then_some(2 * n_numbers >= n_cells))
    }

    /// True if no cell of a column of numbers is there.
    pub(crate) fn is_empty(&self, name: &str) -> Result<bool> {
        let head = 0..HEAD.min(self.n_rows());
        for rows in std::iter::once(head).chain(self.ranges()) {
            let rows = self.load(&[name], rows)?;
            if rows.columns().iter().any(|column| column.null_count() < rows.height()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn find(&self, name: &str) -> Result<Found<'_>> {
        let of_table = match &self.table {
            Table::Typed(table) => table.column(name).ok().map(Found::Typed),
            Table::Parquet(rows) => rows.head().column(name).ok().map(Found::Typed),
            Table::Csv(rows) => {
                let at = rows.names().iter().position(|column| column == name);
                at.map(|at| Found::Csv(rows, at))
            }
        };
        let constant = || self.constants.iter().find(|(column, _)| column == name);
        of_table.or_else(|| constant().map(|(_, value)| Found::Constant(value))).ok_or_else(|| {
            Error::NoSuchColumn {
                input: self.input.clone(),
                column: name.to_string(),
                columns: self.names().join(", "),
            }
        })
    }

    fn typed(&self, name: &str) -> Result<&Column> {
        match self.find(name)? {
            Found::Typed(column) => Ok(column),
            _ => Err(internal(format!("column \"{name}\" is text"))),
        }
    }

    /// Rows that threads read at a time, in order.
    fn ranges(&self) -> Vec<Range<usize>> {
        if let Table::Parquet(rows) = &self.table {
            return rows.groups().to_vec();
        }
        let starts = (0..self.n_rows()).step_by(ROWS_A_THREAD);
        starts.map(|start| start..self.n_rows().min(start + ROWS_A_THREAD)).collect()
    }

    /// Some rows of typed columns.
    fn load(&self, names: &[&str], rows: Range<usize>) -> Result<DataFrame> {
        match &self.table {
            Table::Typed(table) => {
                let columns = table.select(names.iter().copied()).map_err(internal)?;
                Ok(columns.slice(rows.start as i64, rows.len()))
            }
            Table::Parquet(all) => all.load(names, rows),
            Table::Csv(_) => Err(internal("text has no types")),
        }
    }

    /// Adds typed columns to those that they stand beside, in parallel: `convert` adds some rows, or says which of them
    /// it cannot, of which the first is returned.
    fn append_typed<T: Send>(
        &self,
        mut columns: Vec<(&str, &mut Vec<T>)>,
        convert: impl Fn(&Series, &mut Vec<T>) -> Result<Option<usize>> + Sync,
    ) -> Result<Option<usize>> {
        let ranges = self.ranges();
        let mut first = Ok(None);
        for columns in columns.chunks_mut(COLUMNS_A_TIME) {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            let loaded = ranges.par_iter().map(|rows| self.load(&names, rows.clone()));
            // Of several errors it is the first in the order of the rows, not of time.
            let loaded: Vec<Result<DataFrame>> = loaded.collect();
            let loaded = loaded.into_iter().collect::<Result<Vec<DataFrame>>>()?;
            let append = |(at, (_, values)): (usize, &mut (&str, &mut Vec<T>))| {
                for (table, rows) in loaded.iter().zip(&ranges) {
                    let column = &table.columns()[at];
                    if let Some(row) = convert(column.as_materialized_series(), values)? {
                        return Ok(Some(rows.start + row));
                    }
                }
                Ok(None)
            };
            let done: Vec<Result<Option<usize>>> = columns.par_iter_mut().enumerate().map(append).collect();
            if matches!(first, Ok(None)) {
                first = done.into_iter().find(|one| !matches!(one, Ok(None))).unwrap_or(Ok(None));
            }
        }
        first
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

    /// Adds what a reader makes of the cells of a column of text, in parallel: each part of the rows by a copy of the
    /// reader, which is returned in the order of the rows, with the rows that it refused and why. Those get `blank`.
    pub(in crate::data) fn append_read<T, R, E>(
        &self,
        name: &str,
        values: &mut Vec<T>,
        blank: T,
        reader: &R,
        read: impl Fn(&mut R, &str) -> std::result::Result<T, E> + Sync,
    ) -> Result<Vec<Outcome<R, E>>>
    where
        T: Copy + Send,
        R: Clone + Send + Sync,
        E: Send,
    {
        let shares = self.shares(name)?;
        let start = values.len();
        values.resize(start + self.n_rows(), blank);
        let mut rest = &mut values[start..];
        let mut tasks = Vec::with_capacity(shares.len());
        for share in &shares {
            let (first, others) = rest.split_at_mut(share.rows().len());
            tasks.push((share, first));
            rest = others;
        }
        let read = |(share, values): (&Share<'_>, &mut [T])| {
            let mut reader = reader.clone();
            let mut refused = Vec::new();
            let mut places = share.rows().zip(values);
            let _ = self.text_part(name, share)?.try_each(|cell| {
                let (row, place) = places.next().ok_or(())?;
                match read(&mut reader, cell.unwrap_or_default()) {
                    Ok(value) => *place = value,
                    Err(why) => refused.push((row, why)),
                }
                Ok::<(), ()>(())
            });
            Ok((reader, refused))
        };
        let done: Vec<Result<_>> = tasks.into_par_iter().map(read).collect();
        done.into_iter().collect()
    }

    /// A cell of a column of text that could not be read.
    pub(in crate::data) fn bad_cell(
        &self,
        name: &str,
        row: usize,
        stamp: Option<&'static str>,
    ) -> Result<BadCell> {
        let (input, column) = (self.input.clone(), name.to_string());
        let value = self.text(name, row)?.trim().to_string();
        Ok(BadCell { input, row: self.row_number(row), column, value, stamp })
    }

    /// Calls `each` with the row and the text of every cell of a column.
    pub(crate) fn each_text(
        &self,
        name: &str,
        mut each: impl FnMut(usize, Option<&str>) -> Result<()>,
    ) -> Result<()> {
        for share in self.shares(name)? {
            let mut rows = share.rows();
            self.text_part(name, &share)?.try_each(|cell| each(rows.next().unwrap_or_default(), cell))?;
        }
        Ok(())
    }

    /// The text of a cell; empty if it is missing.
    pub(in crate::data) fn text(&self, name: &str, row: usize) -> Result<String> {
        let shares = self.shares(name)?;
        let Some(share) = shares.iter().find(|share| share.rows().contains(&row)) else {
            return Ok(String::new());
        };
        let cell = match share {
            Share::Typed(_) => self.text_part(name, &Share::Typed(row..row + 1))?.cell(0).into_owned(),
            share => self.text_part(name, share)?.cell(row - share.rows().start).into_owned(),
        };
        Ok(cell)
    }

    /// The texts of a column, empty where one is missing, each with how many neighbours hold the same.
    pub(in crate::data) fn runs(&self, name: &str) -> Result<Vec<Runs>> {
        let shares = self.shares(name)?;
        let runs = shares.par_iter().map(|share| Ok(self.text_part(name, share)?.runs()));
        let runs: Vec<Result<Runs>> = runs.collect();
        runs.into_iter().collect()
    }

    /// The rows of a column of text for threads, in order.
    fn shares(&self, name: &str) -> Result<Vec<Share<'_>>> {
        Ok(match self.find(name)? {
            Found::Csv(rows, at) => rows.parts().iter().map(|part| Share::Csv(part, at)).collect(),
            Found::Constant(text) => vec![Share::Constant(self.n_rows(), text)],
            Found::Typed(_) => self.ranges().into_iter().map(Share::Typed).collect(),
        })
    }

    fn text_part<'a>(&'a self, name: &str, share: &Share<'a>) -> Result<TextPart<'a>> {
        Ok(match share {
            Share::Csv(part, at) => TextPart::Csv(part, *at),
            Share::Constant(n_rows, text) => TextPart::Constant(*n_rows, text),
            Share::Typed(rows) => {
                let table = self.load(&[name], rows.clone())?;
                let column = table.column(name).map_err(internal)?;
                let text = cast(column.as_materialized_series(), &DataType::String)?;
                TextPart::Views(text.str().map_err(internal)?.clone())
            }
        })
    }

    /// The zone of a column of dates or date-times, where it has one.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<String>> {
        Ok(match self.typed(name)?.dtype() {
            DataType::Datetime(_, Some(zone)) => Some(zone.to_string()),
            _ => None,
        })
    }

    /// Adds a column of dates or date-times as nanoseconds, or of integers; the row of an empty cell, or of a
    /// stamp that nanoseconds cannot tell, is an error.
    pub(crate) fn append_integers(&self, name: &str, integers: &mut Vec<i64>) -> Result<Result<(), usize>> {
        self.typed(name)?;
        let refused = self.append_typed(vec![(name, integers)], append_i64)?;
        Ok(refused.map_or(Ok(()), Err))
    }
}

fn cast(series: &Series, kind: &DataType) -> Result<Series> {
    if series.dtype() == kind {
        return Ok(series.clone());
    }
    // Stamps out of range panic on their way to text.
    guarded(|| series.strict_cast(kind)).map_err(|_| {
        let rule = match kind {
            DataType::String => "they must be text or numbers",
            _ => "they must be numbers",
        };
        Error::option(format!("the type of the cells in column \"{}\"", series.name()), series.dtype(), rule)
    })
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

/// The table of an Arrow IPC file.
fn arrow_file(bytes: &[u8], input: &str) -> Result<DataFrame> {
    check(arrow::check_file(bytes), input, "Arrow IPC")?;
    checked(guarded(|| IpcReader::new(Cursor::new(bytes)).set_rechunk(true).finish()), input, "Arrow IPC")
}

/// A table that was read, if its columns have one length.
fn checked(table: PolarsResult<DataFrame>, input: &str, format: &'static str) -> Result<DataFrame> {
    let table = table.map_err(|error| unreadable(input, format, &error))?;
    if table.columns().iter().any(|column| column.len() != table.height()) {
        let error = PolarsError::ComputeError("its columns differ in length".into());
        return Err(unreadable(input, format, &error));
    }
    Ok(table)
}

fn unreadable(input: &str, format: &'static str, error: &PolarsError) -> Error {
    Error::Unreadable { input: input.to_string(), format, reason: first_line(&error.to_string()) }
}

fn check(lengths: Result<(), &'static str>, input: &str, format: &'static str) -> Result<()> {
    lengths.map_err(|damage| Error::Unreadable {
        input: input.to_string(),
        format,
        reason: format!("it is damaged: {damage}"),
    })
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

/// The readers of binary formats panic on some damaged files; that is an error like any other.
fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(PolarsError::ComputeError("the file is damaged".into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::files::cells::Cells;
    use crate::data::files::chunks::Chunks;
    use crate::data::files::format::Format;
    use crate::data::files::source::Piece;
    use crate::data::time::index::Zone;

    fn read(bytes: &[u8], format: Format) -> Frame {
        let piece = Piece::of_bytes(bytes, "t.csv", Some(format));
        Chunks::new(vec![piece], Default::default()).next().unwrap().unwrap()
    }

    fn table() -> Vec<(String, Cells)> {
        vec![
            ("unique_id".into(), Cells::Text(vec!["a".into(), "b,\"c\"".into()])),
            ("ds".into(), Cells::Stamps(vec![0, 3_600_000_000_000], Zone::Local)),
            ("y".into(), Cells::Numbers(vec![0.1 + 0.2, f64::NAN])),
        ]
    }

    #[test]
    fn every_binary_and_text_format_reads_back_the_same_bits() {
        for format in [Format::Csv, Format::Parquet, Format::Arrow] {
            let bytes = encode(&table(), format).unwrap();
            let frame = read(&bytes, format);
            let numbers = frame.numbers("y").unwrap();
            assert_eq!(numbers[0].to_bits(), (0.1f64 + 0.2).to_bits(), "{format:?}");
            assert!(numbers[1].is_nan());
            let mut ids = Vec::new();
            frame
                .each_text("unique_id", |_, id| {
                    ids.push(id.unwrap().to_string());
                    Ok(())
                })
                .unwrap();
            assert_eq!(ids, ["a", "b,\"c\""]);
            let kind = frame.kind("ds").unwrap();
            assert_eq!(kind, if format == Format::Csv { Kind::Text } else { Kind::Stamp });
        }
    }

    #[test]
    fn binary_formats_keep_instants_apart_from_local_stamps() {
        for (zone, kept) in [(Zone::Local, None), (Zone::named("-07:00").unwrap(), Some("UTC".to_string()))] {
            for format in [Format::Parquet, Format::Arrow] {
                let column = ("ds".to_string(), Cells::Stamps(vec![0, 3_600_000_000_000], zone.clone()));
                let bytes = encode(&[column], format).unwrap();
                let frame = read(&bytes, format);
                let mut stamps = Vec::new();
                assert_eq!(frame.append_integers("ds", &mut stamps).unwrap(), Ok(()));
                assert_eq!((stamps, frame.zone("ds").unwrap()), (vec![0, 3_600_000_000_000], kept.clone()));
            }
        }
    }

    #[test]
    fn json_writes_null_for_missing() {
        let json: serde_json::Value =
            serde_json::from_slice(&encode(&table(), Format::Json).unwrap()).unwrap();
        assert_eq!(json[1]["y"], serde_json::Value::Null);
        assert_eq!(json[0]["ds"], "1970-01-01 00:00:00");
    }

    #[test]
    fn a_bad_cell_far_down_is_named_by_row_and_column() {
        let mut csv = String::from("ds,y\n");
        for row in 0..3000 {
            let cell = if row == 2500 { "offline".to_string() } else { row.to_string() };
            csv += &format!("2024-01-01,{cell}\n");
        }
        let frame = read(csv.as_bytes(), Format::Csv);
        let message = frame.numbers("y").unwrap_err().to_string();
        assert!(message.contains("row 2501: \"offline\" in column \"y\""), "{message}");
    }

    #[test]
    fn separators_are_told_from_the_header() {
        for separator in [",", ";", "\t"] {
            let csv = format!("ds{separator}y\n2024-01-01{separator}1.5\n");
            let frame = read(csv.as_bytes(), Format::Csv);
            assert_eq!(frame.numbers("y").unwrap(), [1.5]);
        }
    }
}
