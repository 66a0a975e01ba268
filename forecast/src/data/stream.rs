//! Series of files in the order of the files, a shard at a time, in bounded memory.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::columns::assign;
use super::format::Format;
use super::frame::Frame;
use super::read::{ReadOptions, panel_of};
use super::series::Series;
use super::step::Step;
use crate::{Error, Result, file};

/// Rows that are read at a time, unless a series has more.
const ROWS_AT_A_TIME: usize = 1 << 19;
/// Bytes that a row takes while it is read: what stands in the file, and what is made of it.
const BYTES_A_ROW: usize = 128;

/// Series of files, a shard at a time.
#[derive(Debug)]
pub struct SeriesReader {
    files: Vec<Source>,
    options: ReadOptions,
    channels: Vec<String>,
    step: Step,
    most_rows: usize,
    at_file: usize,
    at_row: usize,
    rows_read: u64,
    /// Rows in memory, and the series in them that are not handed out yet, the next one last.
    held: Option<(Frame, Vec<Run>)>,
    ids: HashSet<String>,
}

/// A series and the rows of it.
type Run = (String, Range<usize>);

/// A series, or why it cannot be used.
#[derive(Debug)]
pub struct SeriesOutcome {
    /// The id of the series.
    pub id: String,
    /// The series on its grid.
    pub series: Result<Series>,
}

#[derive(Debug)]
enum Source {
    Parquet { path: PathBuf, n_rows: usize },
    Whole { name: String, frame: Frame },
}

impl Source {
    fn open(path: &Path, options: &ReadOptions, memory: u64) -> Result<Self> {
        let name = path.display().to_string();
        match Format::of_path(path)? {
            Format::Parquet => {
                Ok(Source::Parquet { path: path.to_path_buf(), n_rows: Frame::count_parquet(path)? })
            }
            format => {
                let bytes = file::read(path)?;
                if bytes.len() as u64 > memory {
                    let rule = format!(
                        "\"{name}\" has {} bytes and is read at once; raise it with --memory-limit, or convert the file to Parquet",
                        bytes.len()
                    );
                    return Err(Error::option("memory of a shard", memory, rule));
                }
                let frame = Frame::read(&bytes, &name, format, &|name| options.is_key(name))?;
                Ok(Source::Whole { name, frame })
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Source::Parquet { path, .. } => path.display().to_string(),
            Source::Whole { name, .. } => name.clone(),
        }
    }

    fn n_rows(&self) -> usize {
        match self {
            Source::Parquet { n_rows, .. } => *n_rows,
            Source::Whole { frame, .. } => frame.n_rows(),
        }
    }

    fn rows(&self, rows: Range<usize>) -> Result<Frame> {
        match self {
            Source::Parquet { path, .. } => Frame::read_parquet_rows(path, rows),
            Source::Whole { frame, .. } => Ok(frame.rows(rows)),
        }
    }
}

impl SeriesReader {
    /// Opens files whose rows are grouped by series; step, zone, channels are told from the first shard, which
    /// may take `memory` bytes.
    ///
    /// # Errors
    /// As [`Panel::read`](crate::Panel::read), if no series of the first shard can be used;
    /// [`Error::BadOption`] if a series does not fit the memory.
    pub fn open(paths: &[PathBuf], options: &ReadOptions, memory: u64) -> Result<Self> {
        let files =
            paths.iter().map(|path| Source::open(path, options, memory)).collect::<Result<Vec<_>>>()?;
        let mut reader = SeriesReader {
            files,
            options: options.clone(),
            channels: Vec::new(),
            step: Step::Index(1),
            most_rows: usize::try_from(memory).unwrap_or(usize::MAX) / BYTES_A_ROW,
            at_file: 0,
            at_row: 0,
            rows_read: 0,
            held: None,
            ids: HashSet::new(),
        };
        reader.hold()?;
        let Some((frame, runs)) = &reader.held else {
            return Err(Error::option("data", 0, "there must be at least one file"));
        };
        let input = reader.files[reader.at_file].name();
        let mut first = Err(Error::Internal("no series".to_string()));
        for (_, rows) in runs.iter().rev() {
            let panel = panel_of(frame.rows(rows.clone()), &input, options);
            let is_told = panel.is_ok();
            if is_told || first.as_ref().is_err_and(|error| matches!(error, Error::Internal(_))) {
                first = panel;
            }
            if is_told {
                break;
            }
        }
        let panel = first?;
        reader.channels = panel.channels().to_vec();
        reader.step = panel.step();
        reader.options.freq = Some(panel.step());
        Ok(reader)
    }

    /// The channels of every series.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The step of every series.
    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    /// Rows in all files where the format says it.
    #[must_use]
    pub fn n_rows(&self) -> Option<u64> {
        Some(self.files.iter().map(|file| file.n_rows() as u64).sum())
    }

    /// Rows of the series that were handed out or passed over.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// The next series, at most so many; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the file is damaged, [`Error::BadOption`] if a series does not fit the memory.
    pub fn next_shard(&mut self, max_series: usize) -> Result<Option<Vec<SeriesOutcome>>> {
        let Some((frame, runs)) = self.take(max_series)? else { return Ok(None) };
        let input = self.files[self.at_file].name();
        let outcome = |(id, rows): Run| {
            let panel = panel_of(frame.rows(rows), &input, &self.options);
            let series = panel.map(|panel| panel.series()[0].clone());
            // A wide file has no column of ids.
            let id = series.as_ref().map_or(id, |series| series.id().to_string());
            SeriesOutcome { id, series }
        };
        Ok(Some(runs.into_par_iter().map(outcome).collect()))
    }

    /// Passes over the next series and returns how many there were.
    ///
    /// # Errors
    /// As [`SeriesReader::next_shard`].
    pub fn skip(&mut self, n_series: usize) -> Result<usize> {
        let mut n_skipped = 0;
        while n_skipped < n_series {
            let Some((_, runs)) = self.take(n_series - n_skipped)? else { break };
            n_skipped += runs.len();
        }
        Ok(n_skipped)
    }

    /// Some of the series that are held, after reading more if there are none.
    fn take(&mut self, max_series: usize) -> Result<Option<(Frame, Vec<Run>)>> {
        if self.held.as_ref().is_none_or(|(_, runs)| runs.is_empty()) {
            self.hold()?;
        }
        let Some((frame, runs)) = &mut self.held else { return Ok(None) };
        let mut taken = runs.split_off(runs.len().saturating_sub(max_series.max(1)));
        taken.reverse();
        self.rows_read += taken.iter().map(|(_, rows)| rows.len() as u64).sum::<u64>();
        Ok(Some((frame.rows(0..frame.n_rows()), taken)))
    }

    /// Reads the next rows, as many as make whole series.
    fn hold(&mut self) -> Result<()> {
        self.held = None;
        while self.files.get(self.at_file).is_some_and(|file| self.at_row >= file.n_rows()) {
            self.at_file += 1;
            self.at_row = 0;
        }
        let Some(file) = self.files.get(self.at_file) else { return Ok(()) };
        let mut n_rows = ROWS_AT_A_TIME.min(self.most_rows);
        loop {
            let end = file.n_rows().min(self.at_row.saturating_add(n_rows));
            let frame = file.rows(self.at_row..end)?;
            let mut runs = runs(&frame, &file.name(), &self.options)?;
            if end < file.n_rows() {
                // The last series may go on.
                let last = runs.pop();
                if runs.is_empty() {
                    if n_rows >= self.most_rows {
                        let id = last.map_or_else(String::new, |(id, _)| id);
                        let rule = format!(
                            "series \"{id}\" has more than {n_rows} rows; raise it with --memory-limit"
                        );
                        return Err(Error::option("memory of a shard", self.most_rows * BYTES_A_ROW, rule));
                    }
                    n_rows = (2 * n_rows).min(self.most_rows);
                    continue;
                }
            }
            self.at_row += runs.last().map_or(0, |(_, rows)| rows.end);
            for (id, _) in &runs {
                if !self.ids.insert(id.clone()) {
                    let rule = "its rows are not together; sort the file by series";
                    return Err(Error::option("series id", format!("\"{id}\""), rule));
                }
            }
            runs.reverse();
            self.held = Some((frame, runs));
            return Ok(());
        }
    }
}

/// The series in some rows, in their order.
fn runs(frame: &Frame, input: &str, options: &ReadOptions) -> Result<Vec<Run>> {
    let Some(id) = assign(frame, input, options)?.id else {
        return Ok(vec![(input.to_string(), 0..frame.n_rows())]);
    };
    let mut runs: Vec<Run> = Vec::new();
    frame.each_text(&id, |row, cell| {
        let cell = cell.unwrap_or_default();
        match runs.last_mut() {
            Some((id, rows)) if id == cell => rows.end = row + 1,
            _ => runs.push((cell.to_string(), row..row + 1)),
        }
        Ok(())
    })?;
    Ok(runs)
}
