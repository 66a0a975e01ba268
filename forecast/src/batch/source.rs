//! The series of a run in their order, and how many there are likely to be.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::BatchOptions;
use super::choices::{Choices, SERIES_LOOKED_AT};
use crate::data::{CovariateSchema, Frequency, SeriesOutcome, SeriesReader};
use crate::{Error, Result};

/// The series in the order of the input.
pub(super) struct Source {
    reader: SeriesReader,
    /// Series that were read to decide on, and are not handed out yet.
    held: VecDeque<SeriesOutcome>,
    n_read: usize,
    is_at_end: bool,
}

impl Source {
    pub(super) fn open(inputs: &[PathBuf], options: &BatchOptions) -> Result<Self> {
        let reader = SeriesReader::open(inputs, &options.read, options.memory_limit.share())?;
        Ok(Source { reader, held: VecDeque::new(), n_read: 0, is_at_end: false })
    }

    pub(super) fn channels(&self) -> &[String] {
        self.reader.channels()
    }

    pub(super) fn covariate_schema(&self) -> &CovariateSchema {
        self.reader.covariate_schema()
    }

    pub(super) fn frequency(&self) -> Frequency {
        self.reader.frequency()
    }

    /// Decides from the first series, of which at least one has to be readable.
    pub(super) fn look(&mut self, options: &BatchOptions, channels: &[String]) -> Result<Choices> {
        while self.held.len() < 2 || self.held.iter().all(|one| one.series.is_err()) {
            let shard = self.reader.next_shard(SERIES_LOOKED_AT);
            match self.count(shard)? {
                Some(shard) => self.held.extend(shard),
                None => break,
            }
        }
        let schema = self.reader.covariate_schema().clone();
        Choices::make(self.held.make_contiguous(), (channels, &schema), self.reader.frequency(), options)
    }

    fn count(&mut self, shard: Result<Option<Vec<SeriesOutcome>>>) -> Result<Option<Vec<SeriesOutcome>>> {
        let shard = shard?;
        self.n_read += shard.as_ref().map_or(0, Vec::len);
        self.is_at_end = shard.is_none();
        Ok(shard)
    }

    /// The next series, at most so many; `None` at the end.
    pub(super) fn take(&mut self, max_series: usize) -> Result<Option<Vec<SeriesOutcome>>> {
        if self.held.is_empty() {
            let shard = self.reader.next_ready(max_series);
            return self.count(shard);
        }
        Ok(Some(self.held.drain(..max_series.min(self.held.len())).collect()))
    }

    /// Passes over the series that are done.
    pub(super) fn skip(&mut self, n_series: usize) -> Result<()> {
        let n_skipped = self.reader.skip(n_series)?;
        self.n_read += n_skipped;
        if n_skipped < n_series {
            return Err(Error::Internal(format!("{n_series} series are done, but the data has {n_skipped}")));
        }
        Ok(())
    }

    /// Series in all, if those to come are as long as those that were read.
    pub(super) fn n_expected(&self) -> Option<usize> {
        let rows_read = self.reader.rows_read();
        match self.reader.n_rows() {
            _ if self.is_at_end => Some(self.n_read),
            Some(n_rows) if rows_read > 0 => {
                let expected = self.n_read as f64 * n_rows as f64 / rows_read as f64;
                Some(expected.round() as usize)
            }
            _ => None,
        }
    }
}
