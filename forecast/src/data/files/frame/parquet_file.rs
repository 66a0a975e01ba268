//! Parquet files, some rows at a time. A column is read when it is asked for, so that a thread turns it into numbers
//! while it is at hand.

use std::fs::File;
use std::io::{Cursor, Read, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::{FileMetadata, FileMetadataRef};
use polars::prelude::{DataFrame, ParallelStrategy, ParquetReader, PolarsError, PolarsResult, SerReader};

use super::{Frame, Table, checked, guarded, unreadable};
use crate::data::files::parquet::check_pages;
use crate::{Error, Result};

/// A file of no more bytes is held as a whole, instead of being mapped anew for each column of each row group.
const SMALL: u64 = 16 << 20;
/// A Parquet file holds no more rows a byte, however well it is compressed.
const ROWS_A_BYTE: u64 = 1 << 16;

/// A Parquet file that is read some rows at a time.
#[derive(Debug)]
pub(in crate::data) struct ParquetFile {
    stored: Arc<Stored>,
    /// Rows that were read.
    n_read: usize,
    /// No more rows are read at a time.
    rows: usize,
}

/// Some rows of a Parquet file.
#[derive(Debug)]
pub(super) struct ParquetRows {
    stored: Arc<Stored>,
    /// The footer as if the file had no other row groups: the reader opens every group before the one it is to read.
    metadata: FileMetadataRef,
    /// Rows of those groups before these.
    first_row: usize,
    /// Row groups, or what these rows have of them.
    groups: Vec<Range<usize>>,
}

struct Stored {
    source: Source,
    input: String,
    metadata: FileMetadataRef,
    /// The same without a row group.
    bare: FileMetadata,
    /// The columns, without a row.
    head: DataFrame,
}

enum Source {
    File(File),
    Bytes(Vec<u8>),
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("input", &self.input).finish_non_exhaustive()
    }
}

impl ParquetFile {
    pub(in crate::data) fn of_file(mut file: File, input: &str, rows: usize) -> Result<Self> {
        if file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= SMALL) {
            let mut bytes = Vec::new();
            let read = file.read_to_end(&mut bytes);
            read.map_err(|source| Error::Io { action: "cannot read", path: input.into(), source })?;
            return Self::of_bytes(bytes, input, rows);
        }
        let metadata = guarded(|| checked_metadata(&mut file));
        Self::open(metadata, Source::File(file), input, rows)
    }

    pub(in crate::data) fn of_bytes(bytes: Vec<u8>, input: &str, rows: usize) -> Result<Self> {
        let metadata = guarded(|| checked_metadata(&mut Cursor::new(&bytes[..])));
        Self::open(metadata, Source::Bytes(bytes), input, rows)
    }

    fn open(
        metadata: PolarsResult<FileMetadataRef>,
        source: Source,
        input: &str,
        rows: usize,
    ) -> Result<Self> {
        let metadata = metadata.map_err(|error| unreadable(input, "Parquet", &error))?;
        let mut bare = FileMetadata::clone(&metadata);
        bare.row_groups.clear();
        let input = input.to_string();
        let mut stored = Stored { source, input, metadata, bare, head: DataFrame::empty() };
        stored.head = stored.load(&stored.metadata, None, 0..0)?;
        Ok(ParquetFile { stored: Arc::new(stored), n_read: 0, rows })
    }

    /// The rows of a file by its footer alone; `None` if it cannot be read.
    pub(in crate::data) fn n_rows_of(file: File) -> Option<u64> {
        guarded(|| ParquetReader::new(file).num_rows()).ok().map(|n_rows| n_rows as u64)
    }

    /// The next rows, `None` at the end: whole row groups where they are smaller than what is read at a time.
    pub(in crate::data) fn next(&mut self) -> Option<Frame> {
        let first_row = self.n_read;
        let (mut end, mut groups, mut before) = (0, Vec::new(), 0);
        let mut metadata = self.stored.bare.clone();
        for group in &self.stored.metadata.row_groups {
            let start = end;
            end += group.num_rows();
            let last = end.min(first_row + self.rows);
            if start.max(self.n_read) < last && (groups.is_empty() || end == last) {
                if groups.is_empty() {
                    before = start;
                }
                groups.push(start.max(self.n_read) - first_row..last - first_row);
                metadata.row_groups.push(group.clone());
                self.n_read = last;
            }
        }
        let input = self.stored.input.clone();
        let rows_ahead = self.stored.metadata.num_rows.saturating_sub(self.n_read);
        metadata.num_rows = metadata.row_groups.iter().map(|group| group.num_rows()).sum();
        let (stored, metadata) = (Arc::clone(&self.stored), Arc::new(metadata));
        let rows = ParquetRows { stored, metadata, first_row: first_row.saturating_sub(before), groups };
        let table = Table::Parquet(rows);
        (self.n_read > first_row).then_some(Frame {
            input,
            first_row,
            rows_ahead,
            table,
            constants: Vec::new(),
        })
    }
}

impl ParquetRows {
    /// The columns, without a row.
    pub(super) fn head(&self) -> &DataFrame {
        &self.stored.head
    }

    pub(super) fn n_rows(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// Row groups, or what these rows have of them.
    pub(super) fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// Reads some rows of columns.
    pub(super) fn load(&self, names: &[&str], rows: Range<usize>) -> Result<DataFrame> {
        let names = names.iter().map(ToString::to_string).collect();
        let rows = self.first_row + rows.start..self.first_row + rows.end;
        self.stored.load(&self.metadata, Some(names), rows)
    }
}

impl Stored {
    fn load(
        &self,
        metadata: &FileMetadataRef,
        names: Option<Vec<String>>,
        rows: Range<usize>,
    ) -> Result<DataFrame> {
        let n = rows.len();
        let table = guarded(|| match &self.source {
            Source::File(file) => read(file.try_clone()?, metadata, names, rows),
            Source::Bytes(bytes) => read(Cursor::new(&bytes[..]), metadata, names, rows),
        });
        let table = checked(table, &self.input, "Parquet")?;
        if table.height() != n {
            let error = PolarsError::ComputeError("it has fewer rows than it says".into());
            return Err(unreadable(&self.input, "Parquet", &error));
        }
        Ok(table)
    }
}

fn read<R: MmapBytesReader>(
    reader: R,
    metadata: &FileMetadataRef,
    names: Option<Vec<String>>,
    rows: Range<usize>,
) -> PolarsResult<DataFrame> {
    let slice = Some((rows.start, rows.len()));
    // What calls it is one of many threads.
    let strategy = ParallelStrategy::None;
    let mut reader = ParquetReader::new(reader).with_columns(names).read_parallel(strategy).with_slice(slice);
    reader.set_metadata(FileMetadataRef::clone(metadata));
    reader.finish()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::files::cells::Cells;
    use crate::data::files::format::Format;
    use crate::data::files::frame::{Runs, TableWriter};

    /// Row groups of 5, 1, 7 and 4 rows.
    fn file(name: &str) -> std::path::PathBuf {
        let path =
            std::env::temp_dir().join(format!("longcast-groups-{}-{name}.parquet", std::process::id()));
        let mut writer = TableWriter::create(&path, Format::Parquet).unwrap();
        let mut start = 0;
        for n in [5, 1, 7, 4] {
            let rows = start..start + n;
            let ids = rows.clone().map(|row| format!("s{}", row / 3)).collect();
            let y = rows.clone().map(|row| if row % 4 == 1 { f64::NAN } else { f64::from(row) }).collect();
            let k = rows.map(i64::from).collect();
            let table = [("id", Cells::Text(ids)), ("y", Cells::Numbers(y)), ("k", Cells::Integers(k))];
            writer.write(&table.map(|(name, cells)| (name.to_string(), cells))).unwrap();
            start += n;
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn rows_are_the_same_whatever_is_read_at_a_time() {
        let path = file("same");
        for (rows, expected) in [(100, vec![17]), (6, vec![6, 6, 5]), (1, vec![1; 17]), (8, vec![6, 7, 4])] {
            let mut parquet = ParquetFile::of_file(File::open(&path).unwrap(), "t", rows).unwrap();
            let (mut n_rows, mut y, mut k, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            while let Some(frame) = parquet.next() {
                assert_eq!(frame.row_number(0), n_rows.iter().sum::<usize>() + 1);
                n_rows.push(frame.n_rows());
                assert_eq!(frame.rows_ahead(), 17 - n_rows.iter().sum::<usize>());
                frame.append_numbers("y", &mut y).unwrap();
                frame.append_integers("k", &mut k).unwrap().unwrap();
                let runs = frame.runs("id").unwrap();
                let runs = runs.iter().flat_map(Runs::iter);
                ids.extend(runs.flat_map(|(id, n)| std::iter::repeat_n(id.to_string(), n)));
                assert_eq!(frame.text("k", frame.n_rows() - 1).unwrap(), (k.len() - 1).to_string());
                assert!(!frame.is_empty("k").unwrap());
            }
            assert_eq!(n_rows, expected, "{rows} rows at a time");
            assert_eq!(k, (0..17).collect::<Vec<_>>());
            assert_eq!(ids, (0..17).map(|row| format!("s{}", row / 3)).collect::<Vec<_>>());
            let missing: Vec<usize> = (0..17).filter(|row| y[*row].is_nan()).collect();
            assert_eq!((missing, y[16]), (vec![1, 5, 9, 13], 16.0));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let path = file("named");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let frame = ParquetFile::of_bytes(bytes, "t", 100).unwrap().next().unwrap();
        let message = frame.numbers("z").unwrap_err().to_string();
        assert_eq!(message, "\"t\" has no column \"z\"; its columns are id, y, k");
    }
}
