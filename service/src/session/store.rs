//! All sessions of a server: made, found again after a restart, expired, counted.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use super::cell::Cell;
use super::error::SessionError;
use super::log::{Log, LogOptions};
use super::log_core::LogCore;
use super::medium::{Folder, Medium};
use super::models::FindModel;
use super::record::write_delete;
use super::restore::{Lost, restore};

/// What a server lets sessions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions.
    pub max_sessions: usize,
    /// Series of one session.
    pub max_series: usize,
    /// Bytes of all states together.
    pub max_state_bytes: u64,
    /// Streams that watch one session.
    pub max_watchers: usize,
    /// Rows of one batch.
    pub max_batch: usize,
    /// Observations that a client may have on their way.
    pub max_unacked: usize,
    /// The longest idle time before a session expires.
    pub max_idle_ttl: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_sessions: 20_000,
            max_series: 10_000,
            max_state_bytes: 2 << 30,
            max_watchers: 16,
            max_batch: super::batch::MAX_ROWS,
            max_unacked: 1_000_000,
            max_idle_ttl: Duration::from_secs(30 * 86_400),
        }
    }
}

/// How sessions are kept.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// What they may take.
    pub limits: Limits,
    /// How the log is kept.
    pub log: LogOptions,
    /// Observations of one session after which its state is written into the log.
    pub snapshot_every: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { limits: Limits::default(), log: LogOptions::default(), snapshot_every: 100_000 }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Slot {
    Live(Arc<Cell>),
    Lost(Lost),
}

/// All sessions of a server.
#[derive(Debug)]
pub struct Store {
    pub(super) slots: RwLock<BTreeMap<String, Slot>>,
    pub(super) log: Option<Arc<Log>>,
    pub(super) options: StoreOptions,
    pub(super) last_uid: AtomicU64,
    pub(super) state_bytes: AtomicU64,
}

impl Store {
    /// Sessions in memory only.
    #[must_use]
    pub fn in_memory(options: StoreOptions) -> Self {
        Store {
            slots: RwLock::default(),
            log: None,
            options,
            last_uid: AtomicU64::new(first_uid()),
            state_bytes: AtomicU64::new(0),
        }
    }

    /// The sessions of a folder, which go on where they were.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::WouldBlock`] if another server uses the folder.
    pub fn open(folder: &Path, models: &dyn FindModel, options: StoreOptions) -> io::Result<Self> {
        Store::on(Box::new(Folder::open(folder)?), models, options)
    }

    /// The sessions of a medium.
    ///
    /// # Errors
    /// What the medium says.
    pub fn on(medium: Box<dyn Medium>, models: &dyn FindModel, options: StoreOptions) -> io::Result<Self> {
        let restored = restore(medium.as_ref(), models)?;
        let core = LogCore::at(medium, options.log.segment_bytes, restored.end);
        let log = Arc::new(Log::start(core, options.log)?);
        let mut slots = BTreeMap::new();
        let mut state_bytes = 0;
        for lost in restored.lost {
            tracing::error!(session = lost.name, reason = lost.reason, "a session cannot be used");
            slots.insert(lost.name.clone(), Slot::Lost(lost));
        }
        for found in restored.found {
            state_bytes += found.state_bytes;
            let place = (found.position, found.state_bytes);
            let cell = Cell::new(found.engine, Some(Arc::clone(&log)), place, options.snapshot_every);
            slots.insert(cell.name().to_string(), Slot::Live(Arc::new(cell)));
        }
        Ok(Store {
            slots: RwLock::new(slots),
            log: Some(log),
            options,
            last_uid: AtomicU64::new(restored.last_uid.max(first_uid())),
            state_bytes: AtomicU64::new(state_bytes),
        })
    }

    pub(super) fn slots(&self) -> RwLockReadGuard<'_, BTreeMap<String, Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn slots_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Slot>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What sessions may take.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// The log, if sessions are kept on disk.
    #[must_use]
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// The longest time from an acknowledgement to the disk where nobody waits for it.
    #[must_use]
    pub fn sync_interval(&self) -> Duration {
        self.options.log.sync_interval
    }

    /// The session of a name.
    ///
    /// # Errors
    /// [`SessionError::NotFound`]; [`SessionError::Damaged`] if it cannot be used.
    pub fn find(&self, name: &str) -> Result<Arc<Cell>, SessionError> {
        match self.slots().get(name) {
            Some(Slot::Live(cell)) => Ok(Arc::clone(cell)),
            Some(Slot::Lost(lost)) => Err(damaged(lost)),
            None => Err(SessionError::NotFound(name.to_string())),
        }
    }

    /// Up to `n` sessions whose name contains `filter`, from the first one after `after` on, in order.
    #[must_use]
    pub fn list(&self, after: &str, filter: &str, n: usize) -> Vec<Arc<Cell>> {
        let from = (std::ops::Bound::Excluded(after.to_string()), std::ops::Bound::Unbounded);
        let slots = self.slots();
        let live = slots.range(from).filter_map(|(name, slot)| match slot {
            Slot::Live(cell) if name.contains(filter) => Some(Arc::clone(cell)),
            _ => None,
        });
        live.take(n).collect()
    }

    /// Sessions, and bytes of their states.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.slots().len(), self.state_bytes.load(Ordering::Relaxed))
    }

    /// Sessions that use a revision.
    #[must_use]
    pub fn n_on_revision(&self, revision: &str) -> usize {
        self.on_revision(revision).len()
    }

    pub(super) fn on_revision(&self, revision: &str) -> Vec<Arc<Cell>> {
        let uses =
            |cell: &&Arc<Cell>| cell.look(|engine| engine.model().revision == revision).unwrap_or(false);
        let slots = self.slots();
        let live = slots.values().filter_map(|slot| match slot {
            Slot::Live(cell) => Some(cell),
            Slot::Lost(_) => None,
        });
        live.filter(uses).cloned().collect()
    }

    /// Deletes a session, also one that cannot be used; returns the position in the log that makes it so.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], [`SessionError::Etag`], [`SessionError::Storage`].
    pub fn delete(&self, name: &str, etag: &str) -> Result<Option<u64>, SessionError> {
        let mut slots = self.slots_mut();
        let slot = slots.get(name).ok_or_else(|| SessionError::NotFound(name.to_string()))?;
        let (uid, is_logged, n_bytes) = match slot {
            Slot::Live(cell) => {
                let present = cell.etag()?;
                if !etag.is_empty() && etag != present {
                    return Err(SessionError::Etag { expected: present, got: etag.to_string() });
                }
                (cell.uid(), cell.log().is_some(), cell.state_bytes())
            }
            Slot::Lost(lost) => (lost.uid, true, 0),
        };
        let position = match &self.log {
            Some(log) if is_logged => Some(log.append(|out| write_delete(out, (uid, name)))?.1),
            _ => None,
        };
        if let Some(Slot::Live(cell)) = slots.remove(name) {
            cell.end();
        }
        let left = |bytes: u64| Some(bytes.saturating_sub(n_bytes));
        // The closure always gives a number.
        let _ = self.state_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        Ok(position)
    }

    /// Writes what is there to disk; nothing is taken afterwards.
    pub fn close(&self) {
        if let Some(log) = &self.log {
            log.close();
        }
    }
}

/// Why a session cannot be used.
pub(super) fn damaged(lost: &Lost) -> SessionError {
    SessionError::Damaged { name: lost.name.clone(), reason: lost.reason.clone() }
}

/// Above every uid that was given before, unless the clock was set back by years: those in the log are seen to.
fn first_uid() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}
