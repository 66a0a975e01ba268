//! Tables in and out of files; this file and its `writer` are the only ones that name polars.
//!
//! CSV, JSON, Parquet and Arrow IPC are read and written. Nothing here knows what a column means.

mod writer;

use std::fs::File;
use std::io::{Cursor, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::{
    Column, CsvReadOptions, CsvWriter, DataFrame, DataType, Field, Int64Chunked, IntoColumn, IpcReader,
    IpcStreamReader, IpcStreamWriter, IpcWriter, NamedFrom, NewChunkedArray, NullValues, ParquetReader,
    ParquetWriter, PlSmallStr, PolarsError, PolarsResult, Schema, SerReader, SerWriter, Series,
    StringChunked, TimeUnit,
};

use super::arrow;
use super::cells::{Cells, encode_json, encode_json_lines};
use super::format::Format;
use super::json::{JsonColumn, JsonTable};
use super::parquet::check_pages;
use super::text::{MISSING, check_cells, check_utf8, first_line_end, has_decimal_comma, present, separator};
use crate::data::time::index::Zone;
use crate::{Error, Result};
pub use writer::TableWriter;

/// Rows that decide the type of a text column.
const HEAD: usize = 1_000;

/// A Parquet file holds no more rows a byte, however well it is compressed.
const ROWS_A_BYTE: u64 = 1 << 16;

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
    table: DataFrame,
}

/// The columns of a text file, as its head shows them.
#[derive(Debug)]
pub(in crate::data) struct TextColumns {
    separator: u8,
    /// Name and whether the cells are numbers.
    columns: Vec<(PlSmallStr, bool)>,
    attempt: Attempt,
}

/// How the cells of a text file are read; each is slower than the one before and reads more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Attempt {
    Numbers,
    NumbersOrMarkers,
    Text,
}

impl TextColumns {
    /// The columns of a text whose first line is the header, and where its first row begins. Columns that
    /// `is_key` names stay text: ids and stamps keep all their digits.
    pub(in crate::data) fn of_head(
        bytes: &[u8],
        input: &str,
        is_key: &dyn Fn(&str) -> bool,
    ) -> Result<(Self, usize)> {
        check_utf8(bytes, input, 1)?;
        let start = first_line_end(bytes);
        let separator = separator(&bytes[..start]);
        let options = CsvReadOptions::default()
            .with_has_header(true)
            .with_n_rows(Some(HEAD))
            .with_infer_schema_length(Some(HEAD))
            .with_ignore_errors(true)
            .map_parse_options(|parse| parse.with_separator(separator).with_truncate_ragged_lines(true));
        // Reading stops some way beyond the head, where a cell may not fit; only the types matter here.
        let head = guarded(|| options.into_reader_with_file_handle(Cursor::new(bytes)).finish());
        let head = head.map_err(|error| no_csv(bytes, input, 0, &error))?;
        // Whole numbers in the head may become fractions further down, so they are read as numbers.
        let columns = head.columns().iter().map(|column| {
            let is_number = column.dtype().is_integer() || column.dtype().is_float();
            (column.name().clone(), is_number && !is_key(column.name()))
        });
        Ok((TextColumns { separator, columns: columns.collect(), attempt: Attempt::Numbers }, start))
    }

    fn schema(&self, attempt: Attempt) -> Schema {
        let field = |(name, is_number): &(PlSmallStr, bool)| {
            let is_number = *is_number && attempt < Attempt::Text;
            Field::new(name.clone(), if is_number { DataType::Float64 } else { DataType::String })
        };
        self.columns.iter().map(field).collect()
    }

    fn read(&self, body: &[u8], attempt: Attempt, wanted: Option<&[String]>) -> PolarsResult<DataFrame> {
        let wanted = wanted.map(|names| names.iter().map(|name| PlSmallStr::from_str(name)).collect());
        let markers = MISSING.iter().map(|marker| PlSmallStr::from_str(marker)).collect();
        let markers = (attempt == Attempt::NumbersOrMarkers).then_some(NullValues::AllColumns(markers));
        let options = CsvReadOptions::default()
            .with_has_header(false)
            .with_schema(Some(Arc::new(self.schema(attempt))))
            .with_columns(wanted)
            .map_parse_options(|parse| {
                parse.with_separator(self.separator).with_null_values(markers.clone())
            });
        guarded(|| options.into_reader_with_file_handle(Cursor::new(body)).finish())
    }

    /// What stands between the cells, if it is not a comma.
    pub(in crate::data) fn separator_note(&self) -> Option<String> {
        let name = match self.separator {
            b';' => "semicolons",
            b'\t' => "tabs",
            _ => return None,
        };
        Some(format!("cells are separated by {name}"))
    }
}

impl Frame {
    /// Rows of text without their header. Where a cell does not fit the type of its column it may mean
    /// "missing", or may have to be named: as text, both can be told.
    pub(in crate::data) fn text(
        body: &[u8],
        columns: &mut TextColumns,
        wanted: Option<&[String]>,
        input: &str,
        first_row: usize,
    ) -> Result<Self> {
        check_utf8(body, input, first_row + 2)?;
        let n_rows = check_cells(body, input, columns.separator, columns.columns.len(), first_row + 1)?;
        let attempts = [Attempt::Numbers, Attempt::NumbersOrMarkers, Attempt::Text];
        let mut table = Err(PolarsError::NoData("nothing was read".into()));
        for attempt in attempts.into_iter().filter(|attempt| *attempt >= columns.attempt) {
            table = columns.read(body, attempt, wanted);
            if table.is_ok() {
                columns.attempt = attempt;
                break;
            }
        }
        let table = table.map_err(|error| no_csv(body, input, first_row, &error))?;
        // A blank line of a single column is a missing cell.
        if table.height() != n_rows && columns.columns.len() > 1 {
            let reason = format!(
                "the rows after row {first_row} are {} or {n_rows}, depending on which quotes count; double or drop quotes inside of cells",
                table.height()
            );
            return Err(Error::Unreadable { input: input.to_string(), format: "CSV", reason });
        }
        Ok(Frame { input: input.to_string(), first_row, table })
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
        Ok(Frame { input: input.to_string(), first_row, table })
    }

    /// An Arrow IPC file, whole.
    pub(in crate::data) fn arrow(bytes: &[u8], input: &str) -> Result<Self> {
        check(arrow::check_file(bytes), input, "Arrow IPC")?;
        let table = guarded(|| IpcReader::new(Cursor::new(bytes)).set_rechunk(true).finish());
        Self::whole(table, input, "Arrow IPC")
    }

    /// An Arrow IPC stream, whole.
    pub(in crate::data) fn arrow_stream(bytes: &[u8], input: &str) -> Result<Self> {
        check(arrow::check_stream(bytes), input, "Arrow IPC stream")?;
        let table = guarded(|| IpcStreamReader::new(Cursor::new(bytes)).set_rechunk(true).finish());
        Self::whole(table, input, "Arrow IPC stream")
    }

    fn whole(table: PolarsResult<DataFrame>, input: &str, format: &'static str) -> Result<Self> {
        let table = table.map_err(|error| unreadable(input, format, &error))?;
        if table.columns().iter().any(|column| column.len() != table.height()) {
            let error = PolarsError::ComputeError("its columns differ in length".into());
            return Err(unreadable(input, format, &error));
        }
        Ok(Frame { input: input.to_string(), first_row: 0, table })
    }

    /// Adds a column of one text.
    pub(in crate::data) fn add_constant(&mut self, name: &str, value: &str) -> Result<()> {
        let name = PlSmallStr::from_str(name);
        let cells = Column::new_scalar(
            name,
            polars::prelude::Scalar::from(PlSmallStr::from_str(value)),
            self.table.height(),
        );
        self.table.with_column(cells).map_err(internal).map(|_| ())
    }

    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.table.columns().iter().map(|column| column.name().as_str()).collect()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.table.height()
    }

    /// The number of a row in its file, from 1.
    pub(crate) fn row_number(&self, row: usize) -> usize {
        self.first_row + row + 1
    }

    pub(crate) fn kind(&self, name: &str) -> Result<Kind> {
        Ok(match self.column(name)?.dtype() {
            DataType::Float64 | DataType::Float32 | DataType::Decimal(..) | DataType::Boolean => Kind::Number,
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
                // With a decimal comma it was meant to be one, which is said when it is read.
                n_numbers += usize::from(cell.parse::<f64>().is_ok() || has_decimal_comma(cell));
            }
            Ok(())
        })?;
        Ok((n_cells, n_numbers))
    }

    /// True if no cell of a column is there.
    pub(crate) fn is_empty(&self, name: &str) -> Result<bool> {
        Ok(self.column(name)?.null_count() == self.n_rows())
    }

    fn column(&self, name: &str) -> Result<&Column> {
        self.table.column(name).map_err(|_| Error::NoSuchColumn {
            input: self.input.clone(),
            column: name.to_string(),
            columns: self.names().join(", "),
        })
    }

    fn cast(&self, name: &str, kind: &DataType) -> Result<Series> {
        let series = self.column(name)?.as_materialized_series();
        if series.dtype() == kind {
            return Ok(series.clone());
        }
        // Stamps out of range panic on their way to text.
        guarded(|| series.strict_cast(kind)).map_err(|_| {
            let rule = match kind {
                DataType::String => "they must be text or numbers",
                _ => "they must be numbers",
            };
            Error::option(format!("the type of the cells in column \"{name}\""), series.dtype(), rule)
        })
    }

    /// Adds a column as numbers, NaN where a cell is empty; text is parsed.
    pub(crate) fn append_numbers(&self, name: &str, numbers: &mut Vec<f64>) -> Result<()> {
        self.append_numbers_but(name, numbers, |_, bad| Err(bad.error()))
    }

    /// The same; calls `refuse` with the row and the text of each cell that is not a number, NaN if it is `Ok`.
    pub(in crate::data) fn append_numbers_but(
        &self,
        name: &str,
        numbers: &mut Vec<f64>,
        refuse: impl FnMut(usize, BadCell) -> Result<()>,
    ) -> Result<()> {
        if self.kind(name)? == Kind::Text {
            return self.parse_numbers(name, numbers, refuse);
        }
        let series = self.cast(name, &DataType::Float64)?;
        for part in series.f64().map_err(internal)?.downcast_iter() {
            match part.validity() {
                Some(_) => numbers.extend(part.iter().map(|cell| cell.copied().unwrap_or(f64::NAN))),
                None => numbers.extend_from_slice(part.values()),
            }
        }
        Ok(())
    }

    /// A column as numbers.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let mut numbers = Vec::with_capacity(self.n_rows());
        self.append_numbers(name, &mut numbers)?;
        Ok(numbers)
    }

    fn parse_numbers(
        &self,
        name: &str,
        numbers: &mut Vec<f64>,
        mut refuse: impl FnMut(usize, BadCell) -> Result<()>,
    ) -> Result<()> {
        self.each_text(name, |row, cell| {
            let cell = present(cell);
            let value = cell.map_or(Ok(f64::NAN), str::parse);
            numbers.push(match value {
                Ok(value) => value,
                Err(_) => {
                    let bad = BadCell {
                        input: self.input.clone(),
                        row: self.row_number(row),
                        column: name.to_string(),
                        value: cell.unwrap_or_default().to_string(),
                        stamp: None,
                    };
                    refuse(row, bad)?;
                    f64::NAN
                }
            });
            Ok(())
        })
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

    /// A column of text in parts of at most `n_rows`, each with its first row; nothing is copied.
    pub(crate) fn text_parts(&self, name: &str, n_rows: usize) -> Result<Vec<(usize, TextPart)>> {
        let series = self.cast(name, &DataType::String)?;
        let text = series.str().map_err(internal)?;
        let starts = (0..text.len()).step_by(n_rows.max(1));
        Ok(starts.map(|start| (start, TextPart(text.slice(start as i64, n_rows)))).collect())
    }

    /// Calls `each` with the text of a cell, empty if it is missing, and how many neighbours hold the same, in
    /// order; neighbours may be told apart although they are equal.
    pub(crate) fn each_run(&self, name: &str, mut each: impl FnMut(&str, usize)) -> Result<()> {
        let series = self.cast(name, &DataType::String)?;
        let text = series.str().map_err(internal)?;
        if text.null_count() > 0 {
            text.iter().for_each(|cell| each(cell.unwrap_or_default(), 1));
            return Ok(());
        }
        for part in text.downcast_iter() {
            let mut start = 0;
            // Equal views are equal texts; text that was stored once for many rows has equal views.
            let runs = part.views().chunk_by(|a, b| {
                (a.length, a.prefix, a.buffer_idx, a.offset) == (b.length, b.prefix, b.buffer_idx, b.offset)
            });
            for run in runs {
                each(part.value(start), run.len());
                start += run.len();
            }
        }
        Ok(())
    }

    /// The first cell of a column of text; empty if it is missing.
    pub(crate) fn first_text(&self, name: &str) -> Result<String> {
        let first = self.column(name)?.as_materialized_series().head(Some(1));
        let first = guarded(|| first.strict_cast(&DataType::String)).map_err(internal)?;
        Ok(first.str().map_err(internal)?.get(0).unwrap_or_default().to_string())
    }

    /// The zone of a column of dates or date-times, where it has one.
    pub(crate) fn zone(&self, name: &str) -> Result<Option<String>> {
        Ok(match self.column(name)?.dtype() {
            DataType::Datetime(_, Some(zone)) => Some(zone.to_string()),
            _ => None,
        })
    }

    /// Adds a column of dates or date-times as nanoseconds, or of integers; the row of an empty cell, or of a
    /// stamp that nanoseconds cannot tell, is an error.
    pub(crate) fn append_integers(&self, name: &str, integers: &mut Vec<i64>) -> Result<Result<(), usize>> {
        let column = self.column(name)?;
        let factor = match column.dtype() {
            DataType::Date => 86_400_000_000_000,
            DataType::Datetime(TimeUnit::Milliseconds, _) => 1_000_000,
            DataType::Datetime(TimeUnit::Microseconds, _) => 1_000,
            _ => 1,
        };
        let physical = match self.kind(name)? {
            Kind::Stamp => {
                let physical = column.as_materialized_series().to_physical_repr().into_owned();
                physical.strict_cast(&DataType::Int64).map_err(internal)?
            }
            _ => self.cast(name, &DataType::Int64)?,
        };
        let mut row = 0;
        for part in physical.i64().map_err(internal)?.downcast_iter() {
            if let Some(at) =
                part.iter().position(|cell| cell.is_none()).filter(|_| part.validity().is_some())
            {
                return Ok(Err(row + at));
            }
            match factor {
                1 => integers.extend_from_slice(part.values()),
                // A cast would wrap around.
                factor => {
                    for (at, stamp) in part.values().iter().enumerate() {
                        let Some(nanos) = stamp.checked_mul(factor) else { return Ok(Err(row + at)) };
                        integers.push(nanos);
                    }
                }
            }
            row += part.len();
        }
        Ok(Ok(()))
    }
}

/// Some cells of a column of text.
#[derive(Debug)]
pub(crate) struct TextPart(StringChunked);

impl TextPart {
    pub(crate) fn cells(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter()
    }
}

/// A Parquet file that is read some rows at a time.
pub(in crate::data) struct ParquetFile<'a> {
    reader: Box<dyn MmapBytesReader + 'a>,
    input: String,
    /// Rows that were read.
    n_read: usize,
    /// Rows that are read at a time, about: whole row groups where they are smaller.
    rows: usize,
    metadata: FileMetadataRef,
}

impl std::fmt::Debug for ParquetFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("input", &self.input).finish_non_exhaustive()
    }
}

impl<'a> ParquetFile<'a> {
    pub(in crate::data) fn of_file(file: File, input: &str, rows: usize) -> Result<Self> {
        Self::open(Box::new(file), input, rows)
    }

    pub(in crate::data) fn of_bytes(bytes: Vec<u8>, input: &str, rows: usize) -> Result<Self> {
        Self::open(Box::new(Cursor::new(bytes)), input, rows)
    }

    fn open(mut reader: Box<dyn MmapBytesReader + 'a>, input: &str, rows: usize) -> Result<Self> {
        let metadata = guarded(|| checked_metadata(&mut reader));
        let metadata = metadata.map_err(|error| unreadable(input, "Parquet", &error))?;
        Ok(ParquetFile { reader, input: input.to_string(), n_read: 0, rows, metadata })
    }

    /// The rows of a file by its footer alone; `None` if it cannot be read.
    pub(in crate::data) fn n_rows_of(file: File) -> Option<u64> {
        guarded(|| ParquetReader::new(file).num_rows()).ok().map(|n_rows| n_rows as u64)
    }

    /// How many rows to read next: row groups together up to what is held at a time, or a part of one.
    fn n_next(&self) -> usize {
        let mut end = 0;
        let mut n = 0;
        for group in &self.metadata.row_groups {
            end += group.num_rows();
            if end > self.n_read && (n == 0 || end - self.n_read <= self.rows) {
                n = end - self.n_read;
            }
        }
        n.min(self.rows)
    }

    /// The next rows, `None` at the end.
    pub(in crate::data) fn next(&mut self, wanted: Option<&[String]>) -> Result<Option<Frame>> {
        let n = self.n_next();
        if n == 0 {
            return Ok(None);
        }
        let slice = (self.n_read, n);
        let table = guarded(|| {
            let mut reader = ParquetReader::new(&mut self.reader)
                .with_columns(wanted.map(<[String]>::to_vec))
                .with_slice(Some(slice));
            reader.set_metadata(FileMetadataRef::clone(&self.metadata));
            reader.finish()
        });
        let mut frame = Frame::whole(table, &self.input, "Parquet")?;
        if frame.n_rows() != n {
            let error = PolarsError::ComputeError("it has fewer rows than it says".into());
            return Err(unreadable(&self.input, "Parquet", &error));
        }
        frame.first_row = self.n_read;
        self.n_read += n;
        Ok(Some(frame))
    }
}

/// The footer of a Parquet file, if the numbers of its footer and its pages fit to each other and to the length of the
/// file: the reader takes them for granted and asks for as much memory.
fn checked_metadata<R: MmapBytesReader>(reader: &mut R) -> PolarsResult<FileMetadataRef> {
    let damaged = |what: &str| Err(PolarsError::ComputeError(format!("it is damaged: {what}").into()));
    let len = reader.seek(SeekFrom::End(0))?;
    let most_rows = len.saturating_mul(ROWS_A_BYTE);
    let mut footer = ParquetReader::new(&mut *reader);
    let metadata = footer.get_metadata()?.clone();
    let mut n_rows = 0u64;
    for group in &metadata.row_groups {
        let of_group = group.num_rows() as u64;
        n_rows = n_rows.saturating_add(of_group);
        if n_rows > most_rows {
            return damaged("it has more rows than its length allows");
        }
        for column in group.parquet_columns() {
            let is_flat = column.descriptor().descriptor.max_rep_level == 0;
            let Ok(n_values) = u64::try_from(column.num_values()) else {
                return damaged("a column has a negative number of values");
            };
            if is_flat && n_values != of_group {
                return damaged("a column has more or fewer values than rows");
            }
            if n_values > most_rows || column.compressed_size() < 0 || column.byte_range().end > len {
                return damaged("a column lies outside of the file");
            }
            if let Err(what) = check_pages(reader, column.byte_range(), n_values)? {
                return damaged(what);
            }
        }
    }
    if n_rows != metadata.num_rows as u64 {
        return damaged("it has more or fewer rows than it says");
    }
    Ok(metadata)
}

/// Why rows of text cannot be read: most often a quote that swallows what follows it.
fn no_csv(bytes: &[u8], input: &str, first_row: usize, error: &PolarsError) -> Error {
    if memchr::memchr_iter(b'"', bytes).count().is_multiple_of(2) {
        return unreadable(input, "CSV", error);
    }
    let reason =
        format!("a quote is opened and never closed in the rows after row {first_row}; close it, or drop it");
    Error::Unreadable { input: input.to_string(), format: "CSV", reason }
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

/// The bytes of a table in a format. Numbers keep every bit: the text form is the shortest that reads back equal.
///
/// # Errors
/// [`Error::Internal`] if columns differ in length.
pub fn encode(columns: &[(String, Cells)], format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Json => return encode_json(columns),
        Format::NdJson => return encode_json_lines(columns),
        _ => {}
    }
    let mut table = to_frame(columns, format == Format::Csv)?;
    let mut bytes = Vec::new();
    match format {
        Format::Csv | Format::Json | Format::NdJson => CsvWriter::new(&mut bytes).finish(&mut table),
        Format::Parquet => ParquetWriter::new(&mut bytes).finish(&mut table).map(|_| ()),
        Format::Arrow => IpcWriter::new(&mut bytes).finish(&mut table),
        Format::ArrowStream => IpcStreamWriter::new(&mut bytes).finish(&mut table),
    }
    .map_err(internal)?;
    Ok(bytes)
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
    use crate::data::files::chunks::Chunks;
    use crate::data::files::source::Piece;

    fn read(bytes: &[u8], format: Format) -> Frame {
        let piece = Piece::of_bytes(bytes, "t.csv", Some(format));
        Chunks::new(vec![piece], Box::new(|_| false), Default::default()).next().unwrap().unwrap()
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
