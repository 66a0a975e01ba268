//! Tables in and out of files; the only file that names polars.
//!
//! CSV, Parquet and Arrow IPC are read; those and JSON are written. Nothing here knows what a column means.

use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polars::io::{csv, ipc, parquet};
use polars::prelude::{
    Column, CsvReadOptions, CsvWriter, DataFrame, DataType, Field, Int64Chunked, IntoColumn, IpcReader,
    IpcWriter, NamedFrom, NewChunkedArray, ParquetReader, ParquetWriter, PlSmallStr, PolarsError,
    PolarsResult, Schema, SerReader, SerWriter, Series, TimeUnit,
};

use super::cells::{Cells, encode_json};
use super::format::Format;
use super::text::{check_cells, check_utf8, present, separator, without_blank_end};
use super::time::Zone;
use crate::file::{self, StreamedFile};
use crate::{Error, Result};

/// Rows that decide the type of a text column.
const HEAD: usize = 1_000;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Integer,
    Text,
    Stamp,
    Other,
}

/// A table that was read, with the name of where it came from for messages.
#[derive(Debug)]
pub(crate) struct Frame {
    input: String,
    table: DataFrame,
}

impl Frame {
    /// Reads the bytes of a file. In text, columns that `is_key` names stay text: ids and stamps keep all
    /// their digits.
    pub(crate) fn read(
        bytes: &[u8],
        input: &str,
        format: Format,
        is_key: &dyn Fn(&str) -> bool,
    ) -> Result<Self> {
        let (table, name) = match format {
            Format::Csv => return Self::read_csv(bytes, input, is_key),
            Format::Parquet => (guarded(|| read_parquet(bytes)), "Parquet"),
            Format::Arrow => (guarded(|| read_arrow(bytes)), "Arrow IPC"),
            Format::Json => {
                return Err(Error::UnknownFormat {
                    input: input.to_string(),
                    known: "csv, parquet or arrow",
                });
            }
        };
        Self::checked(table, input, name)
    }

    fn read_csv(bytes: &[u8], input: &str, is_key: &dyn Fn(&str) -> bool) -> Result<Self> {
        check_utf8(bytes, input)?;
        let bytes = without_blank_end(bytes);
        let separator = separator(bytes);
        check_cells(bytes, input, separator)?;
        let options = CsvReadOptions::default()
            .with_has_header(true)
            .with_rechunk(true)
            .map_parse_options(|parse| parse.with_separator(separator));
        let read =
            |options: CsvReadOptions| options.into_reader_with_file_handle(Cursor::new(bytes)).finish();
        // Reading stops some way beyond the head, where a cell may not fit; only the types matter here.
        let head = options.clone().with_n_rows(Some(HEAD)).with_infer_schema_length(Some(HEAD));
        let head = Self::checked(read(head.with_ignore_errors(true)), input, "CSV")?;
        let columns = head.table.columns();
        let types: Schema = columns.iter().map(|column| typed_field(column, is_key)).collect();
        let typed = read(options.clone().with_schema_overwrite(Some(Arc::new(types))));
        // A cell that does not fit may mean "missing", or may have to be named: as text, both can be told.
        let table = typed.or_else(|_| {
            let text = columns.iter().map(|column| Field::new(column.name().clone(), DataType::String));
            read(options.with_schema_overwrite(Some(Arc::new(text.collect()))))
        });
        Self::checked(table, input, "CSV")
    }

    fn checked(table: PolarsResult<DataFrame>, input: &str, format: &'static str) -> Result<Self> {
        let unreadable = |reason: String| Error::Unreadable { input: input.to_string(), format, reason };
        let table = table.map_err(|error| unreadable(first_line(&error.to_string())))?;
        if table.height() == 0 {
            return Err(unreadable("it has no rows".to_string()));
        }
        if table.columns().iter().any(|column| column.len() != table.height()) {
            return Err(unreadable("its columns differ in length".to_string()));
        }
        Ok(Frame { input: input.to_string(), table })
    }

    /// Rows of a Parquet file, as its end says.
    pub(crate) fn count_parquet(path: &Path) -> Result<usize> {
        let input = path.display().to_string();
        let file = File::open(path).map_err(|source| Error::Io {
            action: "cannot read",
            path: path.to_path_buf(),
            source,
        })?;
        let count = catch_unwind(AssertUnwindSafe(|| ParquetReader::new(file).num_rows()))
            .unwrap_or_else(|_| Err(PolarsError::ComputeError("the file is damaged".into())));
        let unreadable = |error: PolarsError| Error::Unreadable {
            input,
            format: "Parquet",
            reason: first_line(&error.to_string()),
        };
        count.map_err(unreadable)
    }

    /// Some rows of a Parquet file; other row groups are not touched.
    pub(crate) fn read_parquet_rows(path: &Path, rows: Range<usize>) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Io {
            action: "cannot read",
            path: path.to_path_buf(),
            source,
        })?;
        let slice = (rows.start, rows.len());
        let read = || ParquetReader::new(file).set_rechunk(true).with_slice(Some(slice)).finish();
        Self::checked(guarded(read), &path.display().to_string(), "Parquet")
    }

    /// Some rows, shared with this frame.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Self {
        let start = i64::try_from(rows.start).unwrap_or(i64::MAX);
        Frame { input: self.input.clone(), table: self.table.slice(start, rows.len()) }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.table.columns().iter().map(|column| column.name().as_str()).collect()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.table.height()
    }

    pub(crate) fn kind(&self, name: &str) -> Result<Kind> {
        Ok(match self.column(name)?.dtype() {
            DataType::Float64 | DataType::Float32 => Kind::Number,
            kind if kind.is_integer() => Kind::Integer,
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Kind::Text,
            DataType::Date | DataType::Datetime(..) => Kind::Stamp,
            _ => Kind::Other,
        })
    }

    /// How many cells of a column of text are there, and how many of those are numbers.
    pub(crate) fn count_numbers(&self, name: &str) -> Result<(usize, usize)> {
        let (mut n_cells, mut n_numbers) = (0, 0);
        self.each_text(name, |_, cell| {
            if let Some(cell) = present(cell) {
                n_cells += 1;
                n_numbers += usize::from(cell.parse::<f64>().is_ok());
            }
            Ok(())
        })?;
        Ok((n_cells, n_numbers))
    }

    fn column(&self, name: &str) -> Result<&Column> {
        self.table.column(name).map_err(|_| Error::NoSuchColumn {
            input: self.input.clone(),
            column: name.to_string(),
            columns: self.names().join(", "),
        })
    }

    fn cast(&self, name: &str, kind: &DataType) -> Result<Series> {
        let cast = self.column(name)?.as_materialized_series().strict_cast(kind);
        cast.map_err(|error| Error::Internal(format!("column \"{name}\": {error}")))
    }

    /// A column as numbers, NaN where a cell is empty; text is parsed.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        if self.kind(name)? == Kind::Text {
            return self.parse_numbers(name);
        }
        let series = self.cast(name, &DataType::Float64)?;
        let numbers = series.f64().map_err(internal)?;
        Ok(numbers.iter().map(|cell| cell.unwrap_or(f64::NAN)).collect())
    }

    fn parse_numbers(&self, name: &str) -> Result<Vec<f64>> {
        let mut numbers = Vec::with_capacity(self.n_rows());
        self.each_text(name, |row, cell| {
            let cell = present(cell);
            let value = cell.map_or(Ok(f64::NAN), str::parse);
            numbers.push(value.map_err(|_| Error::NotANumber {
                input: self.input.clone(),
                row: row + 1,
                column: name.to_string(),
                value: cell.unwrap_or_default().to_string(),
            })?);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// A column of integers; empty cells are `None`.
    pub(crate) fn integers(&self, name: &str) -> Result<Vec<Option<i64>>> {
        let series = self.cast(name, &DataType::Int64)?;
        Ok(series.i64().map_err(internal)?.iter().collect())
    }

    /// Calls `each` with the row and the text of every cell of a column.
    pub(crate) fn each_text(
        &self,
        name: &str,
        mut each: impl FnMut(usize, Option<&str>) -> Result<()>,
    ) -> Result<()> {
        let series = self.cast(name, &DataType::String)?;
        let text = series.str().map_err(internal)?;
        text.iter().enumerate().try_for_each(|(row, cell)| each(row, cell))
    }

    /// A column of dates or date-times as nanoseconds, and its zone where it has one.
    pub(crate) fn stamps(&self, name: &str) -> Result<(Vec<Option<i64>>, Option<String>)> {
        let zone = match self.column(name)?.dtype() {
            DataType::Datetime(_, Some(zone)) => Some(zone.to_string()),
            _ => None,
        };
        let local = self.cast(name, &DataType::Datetime(TimeUnit::Nanoseconds, None));
        let physical = local?.to_physical_repr().into_owned();
        Ok((physical.i64().map_err(internal)?.iter().collect(), zone))
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

/// Whole numbers in the head of a column may become fractions further down, so they are read as numbers.
fn typed_field(column: &Column, is_key: &dyn Fn(&str) -> bool) -> Field {
    let is_number = column.dtype().is_integer() || column.dtype().is_float();
    let kind = if is_number && !is_key(column.name()) { DataType::Float64 } else { DataType::String };
    Field::new(column.name().clone(), kind)
}

fn read_parquet(bytes: &[u8]) -> PolarsResult<DataFrame> {
    ParquetReader::new(Cursor::new(bytes)).set_rechunk(true).finish()
}

fn read_arrow(bytes: &[u8]) -> PolarsResult<DataFrame> {
    IpcReader::new(Cursor::new(bytes)).set_rechunk(true).finish()
}

/// The readers of binary formats panic on some damaged files; that is an error like any other.
fn guarded(read: impl FnOnce() -> PolarsResult<DataFrame>) -> PolarsResult<DataFrame> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(PolarsError::ComputeError("the file is damaged".into())))
}

/// Writes tables of the same columns one after another to one file: a row group or record batch each, so that
/// a table of any length needs the memory of its largest piece. The file is there whole or not at all.
///
/// # Example
/// ```
/// use forecast::data::{Cells, Format, TableWriter};
/// let path = std::env::temp_dir().join("longcast-doc-table.csv");
/// let mut writer = TableWriter::create(&path, Format::Csv)?;
/// for y in [1.5, 2.5] {
///     writer.write(&[("y".to_string(), Cells::Numbers(vec![y]))])?;
/// }
/// writer.finish()?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"y\n1.5\n2.5\n");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), forecast::Error>(())
/// ```
pub struct TableWriter {
    file: StreamedFile,
    format: Format,
    /// `None` until the first table tells the columns.
    sink: Option<Sink>,
}

enum Sink {
    Csv(csv::write::BatchedWriter<File>),
    Parquet(Box<parquet::write::BatchedWriter<File>>),
    Arrow(ipc::BatchedWriter<File>),
}

impl TableWriter {
    /// A writer of `path`; nothing is there before [`TableWriter::finish`].
    ///
    /// # Errors
    /// [`Error::Io`] if the folder is missing or not writable; [`Error::UnknownFormat`] for JSON, which has no
    /// pieces.
    pub fn create(path: &Path, format: Format) -> Result<Self> {
        Self::over(StreamedFile::create(path)?, format)
    }

    pub(crate) fn over(file: StreamedFile, format: Format) -> Result<Self> {
        match format {
            Format::Json => Err(Error::UnknownFormat {
                input: file.path().display().to_string(),
                known: "csv, tsv, parquet, arrow, feather or ipc",
            }),
            _ => Ok(TableWriter { file, format, sink: None }),
        }
    }

    /// Writes a table below those before it.
    ///
    /// # Errors
    /// [`Error::Io`] if the disk is full; [`Error::Internal`] if columns differ in length, or from the first table's.
    pub fn write(&mut self, columns: &[(String, Cells)]) -> Result<()> {
        self.write_frame(&to_frame(columns, self.format == Format::Csv)?)
    }

    /// Writes the table of an Arrow file below those before it; `input` names it in messages.
    pub(crate) fn append(&mut self, bytes: &[u8], input: &str) -> Result<()> {
        self.write_frame(&Frame::read(bytes, input, Format::Arrow, &|_| false)?.table)
    }

    fn write_frame(&mut self, table: &DataFrame) -> Result<()> {
        let path = self.file.path();
        let fail = |error| write_failed(path, error);
        let schema = table.schema();
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert({
                let file = self.file.handle()?;
                match self.format {
                    Format::Csv | Format::Json => {
                        Sink::Csv(CsvWriter::new(file).batched(schema).map_err(fail)?)
                    }
                    Format::Parquet => {
                        Sink::Parquet(Box::new(ParquetWriter::new(file).batched(schema).map_err(fail)?))
                    }
                    Format::Arrow => {
                        // No column has a dictionary.
                        let fields = schema.iter().map(|_| Default::default()).collect();
                        Sink::Arrow(IpcWriter::new(file).batched(schema, fields).map_err(fail)?)
                    }
                }
            }),
        };
        match sink {
            Sink::Csv(sink) => sink.write_batch(table),
            Sink::Parquet(sink) => sink.write_batch(table),
            Sink::Arrow(sink) => sink.write_batch(table),
        }
        .map_err(fail)
    }

    /// Puts the file in place.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Internal`] if no table came. Nothing stays behind.
    pub fn finish(mut self) -> Result<()> {
        match self.sink.take() {
            Some(Sink::Csv(mut sink)) => sink.finish(),
            Some(Sink::Parquet(sink)) => sink.finish().map(|_| ()),
            Some(Sink::Arrow(mut sink)) => sink.finish(),
            None => return Err(Error::Internal("a table without columns".to_string())),
        }
        .map_err(|error| write_failed(self.file.path(), error))?;
        self.file.finish()
    }
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("file", &self.file).field("format", &self.format).finish()
    }
}

/// What the operating system said, if it was that.
fn write_failed(path: &Path, error: PolarsError) -> Error {
    match error {
        PolarsError::IO { error, .. } => {
            file::cannot_write(path, std::io::Error::new(error.kind(), error.to_string()))
        }
        other => internal(other),
    }
}

/// The bytes of a table in a format. Numbers keep every bit: the text form is the shortest that reads back equal.
///
/// # Errors
/// [`Error::Internal`] if columns differ in length.
pub fn encode(columns: &[(String, Cells)], format: Format) -> Result<Vec<u8>> {
    if format == Format::Json {
        return encode_json(columns);
    }
    let mut table = to_frame(columns, format == Format::Csv)?;
    let mut bytes = Vec::new();
    match format {
        Format::Csv | Format::Json => CsvWriter::new(&mut bytes).finish(&mut table),
        Format::Parquet => ParquetWriter::new(&mut bytes).finish(&mut table).map(|_| ()),
        Format::Arrow => IpcWriter::new(&mut bytes).finish(&mut table),
    }
    .map_err(internal)?;
    Ok(bytes)
}

/// The columns of a table as they stand in a file; time stamps in text stay text.
///
/// # Errors
/// As [`Panel::read`](crate::Panel::read).
pub fn decode(bytes: &[u8], input: &str, format: Format) -> Result<Vec<(String, Cells)>> {
    let frame = Frame::read(bytes, input, format, &|_| false)?;
    let columns = frame.names().into_iter().map(|name| {
        let cells = match frame.kind(name)? {
            Kind::Number | Kind::Integer => Cells::Numbers(frame.numbers(name)?),
            Kind::Stamp => {
                let (stamps, zone) = frame.stamps(name)?;
                let zone = zone.map_or(Ok(Zone::Local), |zone| Zone::named(&zone))?;
                Cells::Stamps(stamps.into_iter().map(Option::unwrap_or_default).collect(), zone)
            }
            Kind::Text | Kind::Other => {
                let mut text = Vec::with_capacity(frame.n_rows());
                frame.each_text(name, |_, cell| {
                    text.push(cell.unwrap_or_default().to_string());
                    Ok(())
                })?;
                Cells::Text(text)
            }
        };
        Ok((name.to_string(), cells))
    });
    columns.collect()
}

fn to_frame(columns: &[(String, Cells)], stamps_as_text: bool) -> Result<DataFrame> {
    let columns = columns.iter().map(|(name, cells)| to_column(name, cells, stamps_as_text));
    DataFrame::new_infer_height(columns.collect::<Result<_>>()?).map_err(internal)
}

fn to_column(name: &str, cells: &Cells, stamps_as_text: bool) -> Result<Column> {
    let name = PlSmallStr::from_str(name);
    Ok(match cells {
        Cells::Text(text) => Series::new(name, text).into_column(),
        Cells::Integers(integers) => Series::new(name, integers).into_column(),
        Cells::Numbers(numbers) => {
            let cells: Vec<Option<f64>> =
                numbers.iter().map(|v| if v.is_nan() { None } else { Some(*v) }).collect();
            Series::new(name, cells).into_column()
        }
        Cells::Stamps(..) if stamps_as_text => {
            return to_column(&name, &cells.clone().with_told_stamps(), true);
        }
        Cells::Stamps(stamps, zone) => {
            let zone = match zone {
                Zone::Local => None,
                Zone::Named(_) => Some(polars::prelude::TimeZone::UTC),
            };
            // A cast would drop the zone.
            let stamps = Int64Chunked::from_slice(name, stamps);
            stamps.into_datetime(TimeUnit::Nanoseconds, zone).into_column()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<(String, Cells)> {
        repeated(1)
    }

    fn repeated(n: usize) -> Vec<(String, Cells)> {
        vec![
            (
                "unique_id".into(),
                Cells::Text(["a", "b,\"c\""].repeat(n).into_iter().map(String::from).collect()),
            ),
            ("ds".into(), Cells::Stamps([0, 3_600_000_000_000].repeat(n), Zone::Local)),
            ("y".into(), Cells::Numbers([0.1 + 0.2, f64::NAN].repeat(n))),
        ]
    }

    #[test]
    fn every_binary_and_text_format_reads_back_the_same_bits() {
        for format in [Format::Csv, Format::Parquet, Format::Arrow] {
            let bytes = encode(&table(), format).unwrap();
            let frame = Frame::read(&bytes, "t", format, &|_| false).unwrap();
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
    fn a_table_in_pieces_reads_as_the_whole_table() {
        let folder = std::env::temp_dir().join(format!("longcast-pieces-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (format, name) in
            [(Format::Csv, "t.csv"), (Format::Parquet, "t.parquet"), (Format::Arrow, "t.arrow")]
        {
            let path = folder.join(name);
            let mut writer = TableWriter::create(&path, format).unwrap();
            writer.write(&table()).unwrap();
            let piece = table().into_iter().map(|(name, cells)| match format {
                Format::Csv => (name, cells.with_told_stamps()),
                _ => (name, cells),
            });
            let piece: Vec<(String, Cells)> = piece.collect();
            writer.append(&encode(&piece, Format::Arrow).unwrap(), "piece").unwrap();
            writer.finish().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let whole = encode(&repeated(2), format).unwrap();
            assert!(format != Format::Csv || bytes == whole);
            let frame = Frame::read(&bytes, "t", format, &|_| false).unwrap();
            let whole = Frame::read(&whole, "t", format, &|_| false).unwrap();
            assert!(frame.table.equals_missing(&whole.table), "{format:?}");
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn binary_formats_keep_instants_apart_from_local_stamps() {
        for (zone, kept) in [(Zone::Local, None), (Zone::named("-07:00").unwrap(), Some("UTC".to_string()))] {
            for format in [Format::Parquet, Format::Arrow] {
                let column = ("ds".to_string(), Cells::Stamps(vec![0, 3_600_000_000_000], zone.clone()));
                let bytes = encode(&[column], format).unwrap();
                let frame = Frame::read(&bytes, "t", format, &|_| false).unwrap();
                let expected = (vec![Some(0), Some(3_600_000_000_000)], kept.clone());
                assert_eq!(frame.stamps("ds").unwrap(), expected, "{format:?}");
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
        let frame = Frame::read(csv.as_bytes(), "t.csv", Format::Csv, &|_| false).unwrap();
        let message = frame.numbers("y").unwrap_err().to_string();
        assert!(message.contains("row 2501: \"offline\" in column \"y\""), "{message}");
    }

    #[test]
    fn separators_are_told_from_the_header() {
        for separator in [",", ";", "\t"] {
            let csv = format!("ds{separator}y\n2024-01-01{separator}1.5\n");
            let frame = Frame::read(csv.as_bytes(), "t.csv", Format::Csv, &|_| false).unwrap();
            assert_eq!(frame.numbers("y").unwrap(), [1.5]);
        }
    }
}
