//! A table in pieces: however large the files, only some rows are held at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::csv::CsvHead;
use super::format::Format;
use super::frame::{Frame, ParquetFile};
use super::json::JsonTable;
use super::source::Piece;
use super::text::{LineChunks, Quotes};
use crate::{Error, Result};

/// Bytes of text that one thread reads at a time.
const SHARE: usize = 1 << 20;

/// How much of a file is held at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct Pace {
    /// Bytes of text.
    pub(in crate::data) bytes: usize,
    /// Rows of a Parquet file.
    pub(in crate::data) rows: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { bytes: 16 << 20, rows: 1 << 20 }
    }
}

/// Iterates over the rows of files, some at a time.
pub(in crate::data) struct Chunks<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    open: Option<Open<'a>>,
    /// The format of the first file.
    format: Format,
    pace: Pace,
    /// Bytes of all files, and how many were read; no size where it is not known.
    n_bytes: Option<u64>,
    n_read: Arc<AtomicU64>,
    /// What was assumed so far, for the report.
    pub(in crate::data) notes: Vec<String>,
}

impl std::fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("open", &self.open).finish_non_exhaustive()
    }
}

/// The file that is being read.
#[derive(Debug)]
struct Open<'a> {
    piece: Piece<'a>,
    rows: Rows<'a>,
    n_rows: usize,
}

#[derive(Debug)]
enum Rows<'a> {
    Csv(LineChunks<'a>, Option<CsvHead>),
    JsonLines(LineChunks<'a>, Vec<String>),
    Parquet(ParquetFile),
    /// Formats that are read whole.
    Whole(Option<Frame>),
}

impl<'a> Chunks<'a> {
    pub(in crate::data) fn new(pieces: Vec<Piece<'a>>, pace: Pace) -> Self {
        let format = pieces.first().map_or(Format::Csv, |piece| piece.format);
        let n_bytes = pieces.iter().map(Piece::n_bytes).sum();
        let n_read = Arc::default();
        let mut pieces = pieces;
        pieces.iter_mut().for_each(|piece| piece.count_in(&n_read));
        Chunks { pieces: pieces.into_iter(), open: None, format, pace, n_bytes, n_read, notes: Vec::new() }
    }

    /// The share of the files' bytes that was read, above 0; `None` where that is not known.
    pub(in crate::data) fn share_read(&self) -> Option<f64> {
        let n_bytes = self.n_bytes.filter(|n_bytes| *n_bytes > 0)?;
        let share = self.n_read.load(Ordering::Relaxed) as f64 / n_bytes as f64;
        (share > 0.0).then_some(share.min(1.0))
    }

    /// What is wrong with files that have no rows.
    pub(in crate::data) fn no_rows(&self, input: &str) -> Error {
        let reason = "it has no rows".to_string();
        Error::Unreadable { input: input.to_string(), format: self.format.name(), reason }
    }

    /// The next rows, `None` at the end.
    pub(in crate::data) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if self.open.is_none() {
                let Some(piece) = self.pieces.next() else { return Ok(None) };
                self.open = Some(Open::new(piece, self.pace)?);
            }
            let Some(open) = &mut self.open else { continue };
            let frame = open.next(self.pace)?;
            if let (0, Rows::Csv(_, Some(head))) = (self.notes.len(), &open.rows) {
                self.notes.extend(head.separator_note());
            }
            match frame {
                Some(frame) if frame.n_rows() > 0 => return Ok(Some(frame)),
                Some(_) => {}
                None => self.open = None,
            }
        }
    }
}

/// Refuses what is no CSV for certain, with the flag that reads it.
fn check_is_text(bytes: &[u8], input: &str) -> Result<()> {
    let fix = match Format::of_bytes(bytes) {
        Format::Parquet => "it is a Parquet file; give --input-format parquet",
        Format::Arrow => "it is an Arrow IPC file; give --input-format arrow",
        Format::ArrowStream => "it is an Arrow IPC stream; give --input-format arrow-stream",
        _ if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") => {
            "it is UTF-16; convert it first, for example with `iconv -f utf-16 -t utf-8`"
        }
        _ => return Ok(()),
    };
    Err(Error::Unreadable { input: input.to_string(), format: "CSV", reason: fix.to_string() })
}

impl Piece<'_> {
    /// The rows of a Parquet file; `None` for other formats and files that cannot be read.
    pub(in crate::data) fn n_rows(&self) -> Option<u64> {
        let file = self.file().filter(|_| self.format == Format::Parquet)?.ok()?;
        ParquetFile::n_rows_of(file)
    }
}

impl<'a> Open<'a> {
    fn new(piece: Piece<'a>, pace: Pace) -> Result<Self> {
        let name = piece.name.clone();
        let rows = match piece.format {
            Format::Csv => {
                let lines = LineChunks::new(piece.reader()?, Quotes::Csv(None), pace.bytes.min(SHARE));
                Rows::Csv(lines, None)
            }
            Format::NdJson => {
                Rows::JsonLines(LineChunks::new(piece.reader()?, Quotes::None, pace.bytes), Vec::new())
            }
            Format::Parquet => Rows::Parquet(match piece.file() {
                Some(file) => ParquetFile::of_file(file?, &name, pace.rows)?,
                None => ParquetFile::of_bytes(piece.bytes()?, &name, pace.rows)?,
            }),
            Format::Arrow => Rows::Whole(Some(Frame::arrow(&piece.bytes()?, &name)?)),
            Format::ArrowStream => Rows::Whole(Some(Frame::arrow_stream(&piece.bytes()?, &name)?)),
            Format::Json => {
                let mut table = JsonTable::default();
                table.read_array(&piece.bytes()?, &name)?;
                Rows::Whole(Some(Frame::json(table, &name, 0)?))
            }
        };
        Ok(Open { piece, rows, n_rows: 0 })
    }

    fn next(&mut self, pace: Pace) -> Result<Option<Frame>> {
        let name = &self.piece.name;
        let frame = match &mut self.rows {
            Rows::Csv(lines, head) => {
                let (mut texts, mut n_bytes) = (Vec::new(), 0);
                while n_bytes < pace.bytes
                    && let Some(text) = lines.next().map_err(|error| self.piece.unreadable(error))?
                {
                    n_bytes += text.len();
                    texts.push(text);
                }
                let Some(first) = texts.first_mut() else { return Ok(None) };
                let head = match head {
                    Some(head) => head,
                    None => {
                        check_is_text(first, name)?;
                        head.insert(CsvHead::take(first, lines.separator().unwrap_or(b','), name)?)
                    }
                };
                Frame::csv(texts, head, name, self.n_rows)?
            }
            Rows::JsonLines(lines, names) => {
                let chunk = lines.next().map_err(|error| self.piece.unreadable(error))?;
                let Some(bytes) = chunk else { return Ok(None) };
                let mut table = JsonTable::with_names(names);
                table.read_lines(&bytes, name, self.n_rows + 1)?;
                *names = table.columns.iter().map(|(name, _)| name.clone()).collect();
                Frame::json(table, name, self.n_rows)?
            }
            Rows::Parquet(file) => match file.next() {
                Some(frame) => frame,
                None => return Ok(None),
            },
            Rows::Whole(frame) => match frame.take() {
                Some(frame) => frame,
                None => return Ok(None),
            },
        };
        self.n_rows += frame.n_rows();
        let mut frame = frame;
        for (key, value) in &self.piece.partition {
            frame.add_constant(key, value);
        }
        Ok(Some(frame))
    }
}
