//! Rows of a table, of any format; this file and those of its folder are the only ones that name polars.
//!
//! Nothing here knows what a column means.

mod encode;
mod numbers;
mod parquet_file;
mod text_part;
mod texts;
mod writer;

use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, IpcReader, IpcStreamReader, NamedFrom, PlSmallStr, PolarsError,
    PolarsResult, SerReader, Series,
};

use super::arrow;
use super::csv::{CsvHead, CsvRows};
use super::json::{JsonColumn, JsonTable};
use crate::{Error, Result};
pub use encode::encode;
use encode::to_frame;
pub(in crate::data) use numbers::Added;
pub(in crate::data) use parquet_file::ParquetFile;
use parquet_file::ParquetRows;
pub(in crate::data) use text_part::Runs;
pub use writer::TableWriter;

/// The first rows, which decide much: whether text holds numbers, if all that is there is numbers.
const HEAD: usize = 1_000;
/// Rows of a column that one thread reads at a time.
const ROWS_A_THREAD: usize = 1 << 15;
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

/// A column of a frame.
enum Found<'a> {
    /// Of a Parquet file without its rows.
    Typed(&'a Column),
    /// The one with this number.
    Csv(&'a CsvRows, usize),
    Constant(&'a str),
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

    /// The zone of a column of dates or date-times, where it has one.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<String>> {
        Ok(match self.typed(name)?.dtype() {
            DataType::Datetime(_, Some(zone)) => Some(zone.to_string()),
            _ => None,
        })
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
    use crate::data::time::zone::Zone;

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
