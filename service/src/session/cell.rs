//! One session as everybody shares it: one writer at a time, one log write a batch, any number of readers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use super::batch::BatchView;
use super::engine::{Engine, Made, Trouble};
use super::error::SessionError;
use super::log::Log;
use super::models::PinnedModel;
use super::record::{write_batch, write_epoch, write_state};
use super::settings::{Emission, SlowReader};
use super::snapshot::encode_state;

/// Forecasts that wait for one reader where every one is sent, at most.
pub const MOST_ISSUED: usize = 256;
/// Marks of batches that are not durable yet; beyond them, neighbours are told together.
const MOST_MARKS: usize = 4096;

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// Nothing beyond the life of the process.
    Memory,
    /// That the observation will be on disk soon.
    Async,
    /// That it is.
    Sync,
}

/// A forecast that is due, for everybody who reads the session.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The forecast.
    pub made: Made,
    /// Forecasts that were due before it and were not sent.
    pub n_conflated: u64,
}

/// A writer's hold on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// Tells it from those before.
    pub number: u64,
    /// Its epoch.
    pub epoch: u64,
    /// The position in the log that makes the epoch safe, if it has one.
    pub position: Option<u64>,
}

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

#[derive(Debug)]
struct Inner {
    engine: Engine,
    attached: Option<u64>,
    n_attachments: u64,
    is_gone: bool,
    /// Positions in the log and the sequence numbers that they make durable, ascending.
    marks: VecDeque<(u64, u64)>,
    durable: u64,
    last_active: Instant,
    since_state: (u64, u64),
    state_bytes: u64,
}

/// A session that is shared.
#[derive(Debug)]
pub struct Cell {
    name: String,
    uid: u64,
    durability: Durability,
    slow_reader: SlowReader,
    log: Option<Arc<Log>>,
    snapshot_every: u64,
    inner: Mutex<Inner>,
    /// The number of the attachment that holds.
    holder: watch::Sender<u64>,
    /// The next sequence number, for readers that conflate.
    version: watch::Sender<u64>,
    /// Forecasts for readers that miss none.
    issued: broadcast::Sender<Arc<Issued>>,
    /// Where its newest state in the log begins.
    state_position: AtomicU64,
    n_watchers: AtomicUsize,
}

impl Cell {
    /// Shares a session. Everything that it holds is durable already, in a state at `state_position`, if it is logged.
    pub(super) fn new(
        engine: Engine,
        log: Option<Arc<Log>>,
        (state_position, state_bytes): (u64, u64),
        snapshot_every: u64,
    ) -> Self {
        let settings = engine.settings();
        let through = engine.next_sequence() - 1;
        let log = log.filter(|_| settings.durability != Durability::Memory);
        Cell {
            name: settings.name.clone(),
            uid: settings.uid,
            durability: settings.durability,
            slow_reader: settings.slow_reader,
            snapshot_every,
            holder: watch::channel(0).0,
            version: watch::channel(engine.next_sequence()).0,
            issued: broadcast::channel(MOST_ISSUED).0,
            state_position: AtomicU64::new(state_position),
            n_watchers: AtomicUsize::new(0),
            inner: Mutex::new(Inner {
                engine,
                attached: None,
                n_attachments: 0,
                is_gone: false,
                marks: VecDeque::new(),
                durable: if log.is_some() { through } else { 0 },
                last_active: Instant::now(),
                since_state: (0, 0),
                state_bytes,
            }),
            log,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `sessions/{s}`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells it from others of its name.
    #[must_use]
    pub fn uid(&self) -> u64 {
        self.uid
    }

    /// What an acknowledgement promises.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// What happens to slow readers.
    #[must_use]
    pub fn slow_reader(&self) -> SlowReader {
        self.slow_reader
    }

    /// Where its newest state in the log begins; none if it is not logged.
    #[must_use]
    pub(super) fn state_position(&self) -> Option<u64> {
        self.log.as_ref().map(|_| self.state_position.load(Ordering::Acquire))
    }

    /// Looks at the session.
    ///
    /// # Errors
    /// [`SessionError::NotFound`] once it is gone.
    pub fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> Result<T, SessionError> {
        self.living().map(|inner| look(&inner.engine))
    }

    fn living(&self) -> Result<MutexGuard<'_, Inner>, SessionError> {
        let inner = self.lock();
        if inner.is_gone { Err(SessionError::NotFound(self.name.clone())) } else { Ok(inner) }
    }

    /// Attaches a writer; epoch 0 takes the next one.
    ///
    /// # Errors
    /// [`SessionError::Fenced`] for an epoch below the present one, [`SessionError::NotFound`],
    /// [`SessionError::Storage`].
    pub fn attach(&self, epoch: u64) -> Result<Attachment, SessionError> {
        let mut inner = self.living()?;
        let present = inner.engine.epoch;
        let epoch = if epoch == 0 { present.saturating_add(1) } else { epoch };
        let position = self.take_over(&mut inner, epoch)?;
        let number = inner.n_attachments;
        inner.attached = Some(number);
        Ok(Attachment { number, epoch, position })
    }

    /// Ends whoever writes, in favour of an epoch.
    fn take_over(&self, inner: &mut Inner, epoch: u64) -> Result<Option<u64>, SessionError> {
        let present = inner.engine.epoch;
        if epoch < present {
            return Err(SessionError::Fenced { epoch: present, own: epoch });
        }
        let mut position = None;
        if epoch > present {
            if let Some(log) = &self.log {
                position = Some(log.append(|out| write_epoch(out, (self.uid, &self.name), epoch))?.1);
            }
            inner.engine.epoch = epoch;
        }
        inner.n_attachments += 1;
        inner.attached = None;
        inner.last_active = Instant::now();
        self.holder.send_replace(inner.n_attachments);
        Ok(position)
    }

    /// Lets the session go, if this attachment still holds it.
    pub fn detach(&self, attachment: Attachment) {
        let mut inner = self.lock();
        if inner.attached == Some(attachment.number) {
            inner.attached = None;
            inner.last_active = Instant::now();
        }
    }

    /// Follows who holds the session.
    #[must_use]
    pub fn holder(&self) -> watch::Receiver<u64> {
        self.holder.subscribe()
    }

    /// Follows the next sequence number.
    #[must_use]
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Gets every forecast that is sent whatever the readers do.
    #[must_use]
    pub fn issued(&self) -> broadcast::Receiver<Arc<Issued>> {
        self.issued.subscribe()
    }

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
        let issues_all = self.slow_reader != SlowReader::Conflate
            && matches!(inner.engine.settings.emission, Emission::Every(_))
            && (matches!(writer, Writer::Stream(_)) || self.issued.receiver_count() > 0);
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
            for issued in &applied.issued {
                // Nobody may be listening.
                let _ = self.issued.send(Arc::clone(issued));
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

    fn write_state(&self, inner: &mut Inner) -> Result<Option<u64>, SessionError> {
        let Some(log) = &self.log else { return Ok(None) };
        let state = encode_state(&inner.engine).map_err(SessionError::Internal)?;
        let (start, end) = log.append(|out| write_state(out, (self.uid, &self.name), &state))?;
        self.state_position.store(start, Ordering::Release);
        inner.state_bytes = state.len() as u64;
        inner.since_state = (0, 0);
        Ok(Some(end))
    }

    /// Writes the state into the log now; returns the position that makes it durable.
    ///
    /// # Errors
    /// [`SessionError::Storage`], [`SessionError::NotFound`].
    pub(super) fn snapshot(&self) -> Result<Option<u64>, SessionError> {
        let mut inner = self.living()?;
        self.write_state(&mut inner)
    }

    /// The forecast of a series now.
    ///
    /// # Errors
    /// Those of [`Engine::forecast`], and [`SessionError::NotFound`].
    pub fn forecast(&self, series: usize, known_ahead: Option<&Array2<f64>>) -> Result<Made, SessionError> {
        self.living()?.engine.forecast(series, known_ahead)
    }

    /// The forecast of a series for a reader who has seen what was due before `seen`, which is then the present; none
    /// while the series is short of its lookback.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], and those of [`Engine::forecast`] that waiting does not mend.
    pub fn issue(&self, series: usize, seen: &mut u64) -> Result<Option<Issued>, SessionError> {
        let inner = self.living()?;
        let now = inner.engine.due_count(series);
        let n_conflated = match inner.engine.settings.emission {
            Emission::Every(_) => now.saturating_sub(*seen).saturating_sub(1),
            _ => 0,
        };
        match inner.engine.forecast(series, None) {
            Ok(made) => {
                *seen = now;
                Ok(Some(Issued { made, n_conflated }))
            }
            Err(SessionError::Library(forecast::Error::HistoryTooShort { .. }, _)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last sequence number that is safe, once the log is safe up to a position.
    pub fn durable_through(&self, synced: u64) -> u64 {
        let mut inner = self.lock();
        while let Some((_, sequence)) = inner.marks.front().copied().filter(|(end, _)| *end <= synced) {
            inner.durable = inner.durable.max(sequence);
            inner.marks.pop_front();
        }
        inner.durable
    }

    /// The log that keeps it, if any does.
    #[must_use]
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// Size of its state in the log, in bytes.
    #[must_use]
    pub fn state_bytes(&self) -> u64 {
        self.lock().state_bytes
    }

    /// True while a stream writes to it.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.lock().attached.is_some()
    }

    /// Streams that watch it.
    #[must_use]
    pub fn n_watchers(&self) -> usize {
        self.n_watchers.load(Ordering::Acquire)
    }

    /// Counts one more watcher, if there is room; dropped, it is counted no more.
    #[must_use]
    pub fn watch(self: &Arc<Self>, most: usize) -> Option<Watcher> {
        let counted = self.n_watchers.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
            (n < most).then_some(n + 1)
        });
        counted.ok().map(|_| Watcher(Arc::clone(self)))
    }

    /// How much of its time to live is left; none while somebody reads or writes.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let inner = self.lock();
        if inner.attached.is_some() || self.n_watchers() > 0 {
            return None;
        }
        let ttl = Duration::from_millis(inner.engine.settings.idle_ttl_ms);
        Some(ttl.saturating_sub(inner.last_active.elapsed()))
    }

    /// Ends the session for everybody who holds it.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.is_gone = true;
        inner.attached = None;
        inner.n_attachments += 1;
        self.holder.send_replace(inner.n_attachments);
        self.version.send_replace(inner.engine.next);
    }

    /// Changes with everything that makes it another session: created anew, or taken over.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn etag(&self) -> Result<String, SessionError> {
        self.living().map(|inner| format!("{:x}-{}", self.uid, inner.engine.epoch))
    }

    /// Goes over to another model: its series start again from the last steps that they remember.
    ///
    /// # Errors
    /// [`SessionError::Library`] if the model cannot take a series over; the session is then as it was.
    pub(super) fn migrate(&self, model: PinnedModel) -> Result<(), SessionError> {
        let mut inner = self.living()?;
        let engine = inner.engine.with_model(model)?;
        inner.engine = engine;
        self.write_state(&mut inner)?;
        self.version.send_replace(inner.engine.next);
        Ok(())
    }
}

/// A watcher that is counted as long as it lives.
#[derive(Debug)]
pub struct Watcher(Arc<Cell>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.n_watchers.fetch_sub(1, Ordering::AcqRel);
        self.0.lock().last_active = Instant::now();
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
