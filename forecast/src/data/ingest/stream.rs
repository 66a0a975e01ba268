//! Panels that are larger than memory would like: series by series, in the order of the file.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::collect::Collector;
use super::read::{ReadOptions, all_regular, start};
use super::rows::Rows;
use crate::data::covariates::{CovariateDeclaration, CovariateSchema};
use crate::data::files::chunks::{Chunks, Pace};
use crate::data::files::frame::Frame;
use crate::data::files::source::{Piece, pieces};
use crate::data::grid::infer::Grid;
use crate::data::grid::regular::Columns;
use crate::data::series::Series;
use crate::data::time::frequency::Frequency;
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// Bytes that a row takes at most while it is read, beside eight for each column of numbers: text of id and
/// stamp, code, stamp, and a second copy while it is sorted.
const BYTES_A_ROW: u64 = 120;
/// Bytes that reading takes before the first row.
const BYTES_TO_START: u64 = 4 << 20;
/// No less is read at a time.
const LEAST_BYTES: usize = 64 << 10;
const LEAST_ROWS: usize = 1_000;
/// No more rows are read at a time: what was read is still in the cache when it is used, and its memory is used again.
const MOST_ROWS: usize = 1 << 17;
/// Series of a shard for each thread, at least.
const SERIES_A_THREAD: usize = 32;
/// Series that the step is told from.
const SERIES_LOOKED_AT: usize = 100;

/// Series of files, in the order of the files, some at a time.
///
/// Where all rows fit into the given memory they may stand in any order; otherwise the rows of each series have
/// to stand side by side.
#[derive(Debug)]
pub struct SeriesReader {
    chunks: Chunks<'static>,
    collector: Collector,
    covariates: CovariateSchema,
    /// The files, for messages.
    input: String,
    options: ReadOptions,
    grid: Grid,
    zone: Zone,
    /// Complete series that were not handed out yet, oldest first, and how many of the first were.
    ready: VecDeque<(Rows, usize)>,
    /// Rows that may be held at a time.
    most_rows: u64,
    /// Rows in all files, where the formats say it.
    n_rows: Option<u64>,
    /// Rows that were read, those that wait for the end of their series included.
    rows_seen: u64,
    rows_read: u64,
    /// True once series are taken as they become complete.
    has_begun: bool,
    is_over: bool,
}

/// The files that all paths stand for.
fn all_pieces(paths: &[PathBuf], options: &ReadOptions) -> Result<Vec<Piece<'static>>> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(pieces(path, options.format)?);
    }
    Ok(all)
}

/// The covariates with the categories of these rows and of all that follow, of which nothing else is kept.
fn categories(
    collector: &mut Collector,
    first: Frame,
    chunks: &mut Chunks<'_>,
    input: &str,
) -> Result<CovariateSchema> {
    let (mut frame, mut n_rows) = (Some(first), 0);
    while let Some(rows) = frame {
        n_rows += rows.n_rows();
        collector.covariates.note(&rows)?;
        frame = chunks.next()?;
    }
    collector.covariates.noted(input, n_rows)
}

/// A series, or why it cannot be used.
#[derive(Debug)]
pub struct SeriesOutcome {
    /// The series.
    pub id: String,
    /// Its values on a regular grid.
    pub series: Result<Series>,
}

impl SeriesReader {
    /// Opens files (or patterns, or folders); `memory` is what reading may take, in bytes. The step is told from
    /// the first series if the options do not give it.
    ///
    /// # Errors
    /// As [`Panel::read`](crate::Panel::read), and [`Error::BadOption`] if the memory is too little to begin.
    pub fn open(paths: &[PathBuf], options: &ReadOptions, memory: u64) -> Result<Self> {
        options.check()?;
        let all = all_pieces(paths, options)?;
        let input = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let n_rows = all.iter().map(Piece::n_rows).sum();
        let most_bytes = memory.saturating_sub(BYTES_TO_START);
        let usual = Pace::default();
        let pace = Pace {
            bytes: usual.bytes.min(most_bytes as usize / 8).max(LEAST_BYTES),
            rows: MOST_ROWS.min((most_bytes / (4 * BYTES_A_ROW)) as usize).max(LEAST_ROWS),
        };
        let mut options = options.clone();
        let mut chunks = Chunks::new(all, pace);
        let (mut collector, mut first) = start(&mut chunks, &input, &options)?;
        if collector.covariates.are_provisional() {
            // The last row may bring a category that is new, so all are looked through first.
            options.covariate_schema = Some(categories(&mut collector, first, &mut chunks, &input)?);
            options.covariates = CovariateDeclaration::default();
            chunks = Chunks::new(all_pieces(paths, &options)?, pace);
            (collector, first) = start(&mut chunks, &input, &options)?;
        }
        collector.takes_some_at_a_time();
        collector.push(&first)?;
        let rows_seen = first.n_rows() as u64;
        drop(first);
        let covariates = collector.covariates.settle(&input)?;
        let n_columns = collector.parts.targets.len() + collector.covariates.n_columns();
        let bytes_a_row = BYTES_A_ROW + 16 * n_columns as u64;
        let most_rows = most_bytes / bytes_a_row;
        if (most_rows as usize) < collector.n_rows() {
            let needed = BYTES_TO_START + bytes_a_row * collector.n_rows() as u64;
            let rule = format!("reading needs at least {} MiB here", needed.div_ceil(1 << 20));
            return Err(Error::option("memory-limit", format!("{} MiB", memory >> 20), rule));
        }
        let mut reader = SeriesReader {
            chunks,
            collector,
            covariates,
            input,
            options,
            grid: Grid { step: Step::Index(1), calendar: None, notes: Vec::new() },
            zone: Zone::Local,
            ready: VecDeque::new(),
            most_rows,
            n_rows,
            rows_seen,
            rows_read: 0,
            has_begun: false,
            is_over: false,
        };
        reader.fill()?;
        if let Some((rows, _)) = reader.ready.front() {
            let axis = &rows.stamps.axis;
            reader.zone = axis.zone.clone();
            reader.grid = Grid::of(&reader.options, rows.usable().take(SERIES_LOOKED_AT), axis)
                .or_else(|error| rows.check_distinct(&reader.options).and(Err(error)))?;
        }
        Ok(reader)
    }

    /// The channels of every series.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.collector.parts.targets
    }

    /// The covariates of every series.
    #[must_use]
    pub fn covariate_schema(&self) -> &CovariateSchema {
        &self.covariates
    }

    /// The step of every series.
    #[must_use]
    pub fn step(&self) -> Step {
        self.grid.step
    }

    /// Step and opening of every series.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        Frequency { step: self.grid.step, opening: self.grid.opening() }
    }

    /// The zone that stamps are told in.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Rows in all files: as many as the formats say, else as many as were read at the end, and before it about
    /// as many as the bytes still to be read let expect.
    #[must_use]
    pub fn n_rows(&self) -> Option<u64> {
        if self.is_over {
            return Some(self.n_rows.unwrap_or(self.rows_seen));
        }
        self.n_rows.or_else(|| Some((self.rows_seen as f64 / self.chunks.share_read()?) as u64))
    }

    /// Rows of the series that were handed out or passed over.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// The next series, `max_series` where there are as many, `None` at the end. A series whose rows cannot be used is
    /// an error of its own.
    ///
    /// # Errors
    /// What makes the files unreadable, and [`Error::NotTogether`].
    pub fn next_shard(&mut self, max_series: usize) -> Result<Option<Vec<SeriesOutcome>>> {
        self.shard(max_series, max_series)
    }

    /// The next series that lie ready, at most `max_series`: what was read is still in the cache when it is used. No
    /// fewer than threads share.
    ///
    /// # Errors
    /// As [`SeriesReader::next_shard`].
    pub(crate) fn next_ready(&mut self, max_series: usize) -> Result<Option<Vec<SeriesOutcome>>> {
        self.shard(max_series, max_series.min(SERIES_A_THREAD * rayon::current_num_threads()))
    }

    /// At most `most` series, not waiting for more than `enough`.
    fn shard(&mut self, most: usize, enough: usize) -> Result<Option<Vec<SeriesOutcome>>> {
        let mut outcomes = Vec::new();
        while outcomes.len() < enough && self.fill()? {
            let n = most - outcomes.len();
            let Some((rows, from)) = self.ready.front() else { break };
            let range = *from..(*from + n).min(rows.n_series());
            let columns = Columns { channels: self.channels(), covariates: &self.covariates };
            let regular = all_regular(rows, range.clone(), &self.grid, columns, &self.options);
            let ids = range.map(|at| rows.series(at).id.to_string());
            outcomes.extend(
                ids.zip(regular)
                    .map(|(id, regular)| SeriesOutcome { id, series: regular.map(|regular| regular.series) }),
            );
            self.pass(n);
        }
        Ok((!outcomes.is_empty()).then_some(outcomes))
    }

    /// Passes over the next `n_series` without putting them on a grid; returns how many there were.
    ///
    /// # Errors
    /// As [`SeriesReader::next_shard`].
    pub fn skip(&mut self, n_series: usize) -> Result<usize> {
        let mut skipped = 0;
        while skipped < n_series && self.fill()? {
            skipped += self.pass(n_series - skipped);
        }
        Ok(skipped)
    }

    /// Forgets at most `n` series of the oldest rows.
    fn pass(&mut self, n: usize) -> usize {
        let Some((rows, from)) = self.ready.front_mut() else { return 0 };
        let range = *from..(*from + n).min(rows.n_series());
        self.rows_read += range.clone().map(|at| rows.series(at).len() as u64).sum::<u64>();
        *from = range.end;
        if range.end == rows.n_series() {
            self.ready.pop_front();
        }
        range.len()
    }

    /// Reads until a series is complete; false at the end.
    fn fill(&mut self) -> Result<bool> {
        while self.ready.is_empty() && !self.is_over {
            let frame = self.chunks.next()?;
            self.is_over = frame.is_none();
            if let Some(frame) = &frame {
                self.rows_seen += frame.n_rows() as u64;
                self.collector.push(frame)?;
            }
            let is_full = self.collector.n_rows() as u64 > self.most_rows / 2;
            // It will be: no more is waited for than the step is told from.
            let will_be = self.n_rows.is_some_and(|n_rows| n_rows > self.most_rows / 2)
                && self.collector.n_series() > SERIES_LOOKED_AT;
            if self.is_over && !self.has_begun {
                // Everything fits, so the rows may stand in any order.
                let mut rows = self.collector.take_all()?.sorted();
                rows.drop_empty(&mut self.collector.parts, &self.input)?;
                self.ready.push_back((rows, 0));
            } else if self.is_over || is_full || will_be || self.has_begun {
                self.has_begun = true;
                let rows = self.collector.take_complete(self.is_over)?.sorted();
                if rows.n_series() > 0 {
                    self.ready.push_back((rows, 0));
                } else if is_full && !self.is_over {
                    return Err(self.too_long());
                }
            }
        }
        Ok(!self.ready.is_empty())
    }

    fn too_long(&self) -> Error {
        let rule = format!("one series has more than the {} rows that fit; raise it", self.most_rows / 2);
        Error::option("memory-limit", "too small", rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cells, Format, encode};
    use crate::{Panel, write_atomically};

    /// `n_series` of `n_steps` hours each, side by side or in turn.
    fn file(name: &str, n_series: usize, n_steps: usize, in_turn: bool) -> PathBuf {
        let mut rows: Vec<(usize, usize)> =
            (0..n_series).flat_map(|series| (0..n_steps).map(move |step| (series, step))).collect();
        if in_turn {
            rows.sort_by_key(|(series, step)| (*step, *series));
        }
        let ids = rows.iter().map(|(series, _)| format!("series-{series:05}")).collect();
        let stamps = rows.iter().map(|(_, step)| *step as i64 * 3_600_000_000_000).collect();
        let values = rows.iter().map(|(series, step)| (series * 1000 + step) as f64).collect();
        let table = [
            ("unique_id".to_string(), Cells::Text(ids)),
            ("ds".to_string(), Cells::Stamps(stamps, Zone::Local)),
            ("y".to_string(), Cells::Numbers(values)),
        ];
        let path = std::env::temp_dir().join(format!("longcast-stream-{}-{name}", std::process::id()));
        write_atomically(&path, &encode(&table, Format::of_path(&path).unwrap()).unwrap()).unwrap();
        path
    }

    fn all(reader: &mut SeriesReader) -> Vec<Series> {
        let mut all = Vec::new();
        while let Some(shard) = reader.next_shard(7).unwrap() {
            assert!(shard.len() <= 7);
            all.extend(shard.into_iter().map(|outcome| outcome.series.unwrap()));
        }
        all
    }

    #[test]
    fn streamed_series_are_those_of_the_whole_panel() {
        for (name, in_turn) in [("a.csv", false), ("b.parquet", false), ("c.parquet", true)] {
            let path = file(name, 40, 100, in_turn);
            let options = ReadOptions::default();
            let panel = Panel::read(&path, &options).unwrap();
            let mut reader = SeriesReader::open(std::slice::from_ref(&path), &options, 1 << 30).unwrap();
            assert_eq!((reader.step(), reader.channels()), (panel.step(), panel.channels()));
            let streamed = all(&mut reader);
            assert_eq!(streamed.len(), 40);
            for (a, b) in streamed.iter().zip(panel.series()) {
                assert_eq!((a.id(), a.index(), a.values()), (b.id(), b.index(), b.values()));
            }
            assert_eq!(reader.rows_read(), 4_000);
            let mut reader = SeriesReader::open(std::slice::from_ref(&path), &options, 1 << 30).unwrap();
            assert_eq!(reader.skip(39).unwrap(), 39);
            assert_eq!(all(&mut reader)[0].id(), panel.series()[39].id());
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn files_larger_than_the_memory_are_streamed_if_series_stand_together() {
        let options = ReadOptions::default();
        // The first half a million rows fit, all do not.
        let memory = BYTES_TO_START + 1_100_000 * (BYTES_A_ROW + 16);
        let path = file("d.parquet", 1_300, 1_000, false);
        let mut reader = SeriesReader::open(std::slice::from_ref(&path), &options, memory).unwrap();
        assert_eq!(reader.n_rows(), Some(1_300_000));
        assert_eq!(all(&mut reader).len(), 1_300);
        std::fs::remove_file(path).unwrap();
        // Text does not say how many rows it has: its bytes do, about.
        let path = file("d.csv", 1_300, 1_000, false);
        let mut reader = SeriesReader::open(std::slice::from_ref(&path), &options, memory).unwrap();
        let expected = reader.n_rows().unwrap();
        assert!((1_000_000..1_600_000).contains(&expected), "{expected}");
        assert_eq!(all(&mut reader).len(), 1_300);
        assert_eq!(reader.n_rows(), Some(1_300_000));
        std::fs::remove_file(path).unwrap();
        let path = file("e.parquet", 1_300, 1_000, true);
        let error =
            SeriesReader::open(std::slice::from_ref(&path), &options, memory).unwrap_err().to_string();
        assert!(error.contains("do not stand together"), "{error}");
        let error =
            SeriesReader::open(std::slice::from_ref(&path), &options, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("memory-limit is 1 MiB, but reading needs at least"), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_first_integers_decide_what_later_ones_are() {
        let options = ReadOptions::default();
        let memory = BYTES_TO_START + 1_100_000 * (BYTES_A_ROW + 16);
        let path = std::env::temp_dir().join(format!("longcast-stream-{}-f.parquet", std::process::id()));
        let rows = || (0..1_300i64).flat_map(|series| (0..1_000).map(move |step| (series, step)));
        // Alone, the later series would be an epoch in seconds.
        let table = [
            ("unique_id".to_string(), Cells::Integers(rows().map(|(series, _)| series).collect())),
            (
                "ds".to_string(),
                Cells::Integers(rows().map(|(series, step)| 200_000 * series + step).collect()),
            ),
            ("y".to_string(), Cells::Numbers(rows().map(|(_, step)| step as f64).collect())),
        ];
        write_atomically(&path, &encode(&table, Format::Parquet).unwrap()).unwrap();
        let mut reader = SeriesReader::open(std::slice::from_ref(&path), &options, memory).unwrap();
        let series = all(&mut reader);
        assert_eq!((series.len(), reader.step()), (1_300, Step::Index(1)));
        assert_eq!((series[1_299].index().start, series[1_299].n_steps()), (200_000 * 1_299, 1_000));
        std::fs::remove_file(path).unwrap();
    }
}
