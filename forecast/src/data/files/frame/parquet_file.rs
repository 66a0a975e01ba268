//! Parquet files, some rows at a time.

use std::fs::File;
use std::io::{Cursor, SeekFrom};

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::{ParallelStrategy, ParquetReader, PolarsError, PolarsResult, SerReader};

use super::{Frame, checked, guarded, unreadable};
use crate::Result;
use crate::data::files::parquet::check_pages;

/// A Parquet file holds no more rows a byte, however well it is compressed.
const ROWS_A_BYTE: u64 = 1 << 16;
/// Rows that a thread reads at a time.
const ROWS_A_THREAD: usize = 1 << 17;

/// A Parquet file that is read some rows at a time.
pub(in crate::data) struct ParquetFile<'a> {
    reader: Box<dyn MmapBytesReader + 'a>,
    input: String,
    /// Rows that were read.
    n_read: usize,
    /// No more rows are read at a time.
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

    /// How many rows to read next, and how: whole row groups together up to what threads have to do at a time, or as
    /// much of one as is held at a time.
    fn next_rows(&self) -> (usize, ParallelStrategy) {
        let together = self.rows.min(ROWS_A_THREAD * rayon::current_num_threads());
        let (mut end, mut n, mut n_groups) = (0, 0, 0);
        for group in &self.metadata.row_groups {
            end += group.num_rows();
            if end > self.n_read && (n == 0 || end - self.n_read <= together) {
                n = end - self.n_read;
                n_groups += 1;
            }
        }
        (n.min(self.rows), if n_groups > 1 { ParallelStrategy::RowGroups } else { ParallelStrategy::Columns })
    }

    /// The next rows, `None` at the end.
    pub(in crate::data) fn next(&mut self, wanted: Option<&[String]>) -> Result<Option<Frame>> {
        let (n, strategy) = self.next_rows();
        if n == 0 {
            return Ok(None);
        }
        let slice = (self.n_read, n);
        let table = guarded(|| {
            let mut reader = ParquetReader::new(&mut self.reader)
                .with_columns(wanted.map(<[String]>::to_vec))
                .read_parallel(strategy)
                .with_slice(Some(slice));
            reader.set_metadata(FileMetadataRef::clone(&self.metadata));
            reader.finish()
        });
        let table = checked(table, &self.input, "Parquet")?;
        if table.height() != n {
            let error = PolarsError::ComputeError("it has fewer rows than it says".into());
            return Err(unreadable(&self.input, "Parquet", &error));
        }
        let first_row = self.n_read;
        self.n_read += n;
        let rows_ahead = self.metadata.num_rows.saturating_sub(self.n_read);
        Ok(Some(Frame { rows_ahead, ..Frame::typed_rows(table, &self.input, first_row) }))
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
