//! Tables into files piece by piece.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use polars::io::{csv, ipc, parquet};
use polars::prelude::{CsvWriter, DataFrame, IpcWriter, ParquetWriter, PolarsError, SerWriter};

use super::{arrow_file, internal, to_frame};
use crate::data::files::cells::Cells;
use crate::data::files::format::Format;
use crate::file::{self, StreamedFile};
use crate::{Error, Result};

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
    Parquet(Box<parquet::write::BatchedWriter<BufWriter<File>>>),
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
            Format::Json | Format::NdJson | Format::ArrowStream => Err(Error::UnknownFormat {
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
        self.write_frame(&arrow_file(bytes, input)?)
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
                    Format::Csv | Format::Json | Format::NdJson => {
                        Sink::Csv(CsvWriter::new(file).batched(schema).map_err(fail)?)
                    }
                    Format::Parquet => {
                        // The footer is written a few bytes at a time; its end empties the buffer.
                        let writer = ParquetWriter::new(BufWriter::new(file));
                        Sink::Parquet(Box::new(writer.batched(schema).map_err(fail)?))
                    }
                    Format::Arrow | Format::ArrowStream => {
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
