//! A batch on its way into a session: admitted, logged, applied.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::BatchView;
use super::cell::{Attachment, Cell, Inner, Issued, MOST_ISSUED};
use super::error::SessionError;
use super::record::{write_batch, write_state};
use super::snapshot::encode_state;
use super::trouble::Trouble;

/// Marks of batches that are not durable yet; beyond them, neighbours are told together.
const MOST_MARKS: usize = 4096;

/// Who gives a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A stream.
    Stream(Attachment),
    /// A call on its own, with the epoch that it gives.
    Call(u64),
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// The last sequence number in the state.
    pub through: u64,
    /// The position in the log that makes it durable; none where nothing was new or nothing is logged.
    pub position: Option<u64>,
    /// What was not taken as it is.
    pub troubles: Vec<Trouble>,
    /// Forecasts that are sent whatever the reader does.
    pub issued: Vec<Arc<Issued>>,
    /// Rows of the batch that are done; all of them, unless forecasts have to be sent first.
    pub n_rows: usize,
}

impl Cell {
    /// Takes what is new in a batch: into the log, then into the state.
    ///
    /// Where every forecast is sent, it stops after [`MOST_ISSUED`] rows; call it again with the rest.
    ///
    /// # Errors
    /// [`SessionError::Gap`], [`SessionError::Fenced`], [`SessionError::Attached`], [`SessionError::Storage`],
    /// [`SessionError::NotFound`]; nothing was taken then.
    pub fn apply(&self, writer: Writer, batch: BatchView<'_>) -> Result<Applied, SessionError> {
        let mut inner = self.living()?;
        self.admit(&mut inner, writer)?;
        let inner = &mut *inner;
        let n_seen = batch.n_rows - inner.engine.new_rows(batch)?.n_rows;
        let n_readers = self.issued.as_ref().map_or(0, |issued| issued.receiver_count());
        let is_read = matches!(writer, Writer::Stream(_)) || n_readers > 0;
        let issues_all = self.issued.is_some() && is_read;
        let rows = batch.rows(n_seen, if issues_all { MOST_ISSUED } else { usize::MAX });
        inner.last_active = Instant::now();
        let mut applied = Applied { n_rows: n_seen + rows.n_rows, ..Applied::default() };
        if rows.n_rows > 0 {
            if let Some(log) = &self.log {
                let (start, end) = log.append(|out| write_batch(out, (self.uid, &self.name), rows))?;
                mark(&mut inner.marks, end, rows.last());
                inner.since_state.0 += rows.n_rows as u64;
                inner.since_state.1 += end - start;
                applied.position = Some(end);
            }
            let issued = &mut applied.issued;
            inner.engine.apply(rows, &mut applied.troubles, &mut |engine, step| {
                // A series that is short of its lookback has no forecast to send.
                if issues_all && let Ok(made) = engine.forecast(step.series, None) {
                    issued.push(Arc::new(Issued { made, n_conflated: 0 }));
                }
            })?;
            if let Err(error) = self.keep_state(inner) {
                // The log has everything that the state would: it is tried again with the next batch.
                tracing::warn!(%error, session = self.name, "the state of a session was not written");
            }
            if let Some(readers) = self.issued.as_ref().filter(|_| n_readers > 0) {
                for issued in &applied.issued {
                    // The last reader may have gone meanwhile.
                    let _ = readers.send(Arc::clone(issued));
                }
            }
            self.version.send_replace(inner.engine.next);
        }
        applied.through = inner.engine.next - 1;
        Ok(applied)
    }

    fn admit(&self, inner: &mut Inner, writer: Writer) -> Result<(), SessionError> {
        let present = inner.engine.epoch;
        match writer {
            Writer::Stream(own) if inner.attached == Some(own.number) => Ok(()),
            Writer::Stream(own) => Err(SessionError::Fenced { epoch: present, own: own.epoch }),
            Writer::Call(0) if inner.attached.is_some() => Err(SessionError::Attached),
            Writer::Call(0) => Ok(()),
            Writer::Call(epoch) if epoch == present && inner.attached.is_none() => Ok(()),
            Writer::Call(epoch) => self.take_over(inner, epoch).map(|_| ()),
        }
    }

    /// Writes the state into the log once enough has come since the last time.
    fn keep_state(&self, inner: &mut Inner) -> Result<(), SessionError> {
        let (n_rows, n_bytes) = inner.since_state;
        if n_rows >= self.snapshot_every && n_bytes >= 2 * inner.state_bytes {
            self.write_state(inner)?;
        }
        Ok(())
    }

    pub(super) fn write_state(&self, inner: &mut Inner) -> Result<Option<u64>, SessionError> {
        let Some(log) = &self.log else { return Ok(None) };
        let state = encode_state(&inner.engine).map_err(SessionError::Internal)?;
        let (start, end) = log.append(|out| write_state(out, (self.uid, &self.name), &state))?;
        self.state_position.store(start, Ordering::Release);
        inner.state_bytes = state.len() as u64;
        inner.since_state = (0, 0);
        Ok(Some(end))
    }
}

/// Notes that everything up to a sequence number is safe at a position.
fn mark(marks: &mut VecDeque<(u64, u64)>, position: u64, sequence: u64) {
    if marks.len() >= MOST_MARKS {
        // The last two are told together: that the first is safe is then said a little later.
        marks.pop_back();
    }
    marks.push_back((position, sequence));
}
