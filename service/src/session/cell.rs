//! One session as everybody shares it: one writer at a time, one log write a batch, any number of readers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use super::engine::{Engine, Made};
use super::error::SessionError;
use super::log::Log;
use super::models::PinnedModel;
use super::record::write_epoch;
use super::settings::{Emission, SlowReader};

/// Forecasts that wait for one reader where every one is sent, at most.
pub const MOST_ISSUED: usize = 256;

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

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) attached: Option<u64>,
    pub(super) n_attachments: u64,
    pub(super) is_gone: bool,
    /// Positions in the log and the sequence numbers that they make durable, ascending.
    pub(super) marks: VecDeque<(u64, u64)>,
    pub(super) durable: u64,
    pub(super) last_active: Instant,
    pub(super) since_state: (u64, u64),
    pub(super) state_bytes: u64,
}

/// A session that is shared.
#[derive(Debug)]
pub struct Cell {
    pub(super) name: String,
    pub(super) uid: u64,
    pub(super) durability: Durability,
    pub(super) slow_reader: SlowReader,
    pub(super) log: Option<Arc<Log>>,
    pub(super) snapshot_every: u64,
    pub(super) inner: Mutex<Inner>,
    /// The number of the attachment that holds.
    pub(super) holder: watch::Sender<u64>,
    /// The next sequence number, for readers that conflate.
    pub(super) version: watch::Sender<u64>,
    /// Forecasts for readers that miss none, where there are such.
    pub(super) issued: Option<broadcast::Sender<Arc<Issued>>>,
    /// Where its newest state in the log begins.
    pub(super) state_position: AtomicU64,
    pub(super) n_watchers: AtomicUsize,
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
        let issues_all =
            settings.slow_reader != SlowReader::Conflate && matches!(settings.emission, Emission::Every(_));
        let log = log.filter(|_| settings.durability != Durability::Memory);
        Cell {
            name: settings.name.clone(),
            uid: settings.uid,
            durability: settings.durability,
            slow_reader: settings.slow_reader,
            snapshot_every,
            holder: watch::channel(0).0,
            version: watch::channel(engine.next_sequence()).0,
            issued: issues_all.then(|| broadcast::channel(MOST_ISSUED).0),
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

    pub(super) fn living(&self) -> Result<MutexGuard<'_, Inner>, SessionError> {
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
    pub(super) fn take_over(&self, inner: &mut Inner, epoch: u64) -> Result<Option<u64>, SessionError> {
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

    /// Gets every forecast, in a session that sends every one.
    #[must_use]
    pub fn issued(&self) -> Option<broadcast::Receiver<Arc<Issued>>> {
        self.issued.as_ref().map(broadcast::Sender::subscribe)
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
            Err(SessionError::Library(error, _))
                if matches!(*error, forecast::Error::HistoryTooShort { .. }) =>
            {
                Ok(None)
            }
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
        let counted = self
            .n_watchers
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < most).then_some(n + 1));
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
