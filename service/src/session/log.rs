//! The write-ahead log: what sessions were given, in the order in which they took it, many batches to one write.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::error::SessionError;
use super::log_core::LogCore;

/// Bytes that wait to be written, beyond which writers wait.
const MOST_WAITING: usize = 32 << 20;
/// Bytes that were written and not synced, beyond which a sync is due.
const MOST_LOOSE: usize = 8 << 20;
/// How long a disk that refuses is left alone.
const RETRY: Duration = Duration::from_millis(100);

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// Bytes after which a new segment begins.
    pub segment_bytes: u64,
    /// The longest time from a write to its sync, where nobody waits for it.
    pub sync_interval: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions { segment_bytes: 64 << 20, sync_interval: Duration::from_millis(200) }
    }
}

/// How far the log has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// Everything before this position survives a loss of power.
    pub synced: u64,
    /// Why the disk refuses, if it does.
    pub failure: Option<String>,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    /// Position after `bytes`.
    end: u64,
    /// Somebody waits for a sync up to here.
    wanted: u64,
    /// Nothing before this is needed any more.
    retired: Option<u64>,
    is_closed: bool,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Told after every write.
    written: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log with a thread of its own that writes and syncs.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    state: watch::Receiver<LogState>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(core: LogCore, options: LogOptions) -> io::Result<Self> {
        let (end, synced) = (core.end(), core.synced());
        let waiting = Waiting { bytes: Vec::new(), end, wanted: 0, retired: None, is_closed: false };
        let waiting = Mutex::new(waiting);
        let shared = Arc::new(Shared { waiting, wake: Condvar::new(), written: Notify::new() });
        let (send, state) = watch::channel(LogState { synced, failure: None });
        let writer = Writer { core, options, shared: Arc::clone(&shared), state: send };
        let thread = std::thread::Builder::new().name("session-log".to_string()).spawn(|| writer.run())?;
        Ok(Log { shared, state, thread: Mutex::new(Some(thread)) })
    }

    /// Takes a record that `write` appends; returns the positions before and after it.
    ///
    /// # Errors
    /// [`SessionError::Storage`] while the disk refuses; nothing was taken then.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(u64, u64), SessionError> {
        if let Some(failure) = &self.state.borrow().failure {
            return Err(SessionError::Storage(failure.clone()));
        }
        let mut waiting = self.shared.lock();
        if waiting.is_closed {
            return Err(SessionError::Storage("it is closed".to_string()));
        }
        let (start, before) = (waiting.end, waiting.bytes.len());
        write(&mut waiting.bytes);
        waiting.end += (waiting.bytes.len() - before) as u64;
        let end = waiting.end;
        drop(waiting);
        self.shared.wake.notify_one();
        Ok((start, end))
    }

    /// Asks for a sync up to a position.
    pub fn want(&self, position: u64) {
        let mut waiting = self.shared.lock();
        if position > waiting.wanted {
            waiting.wanted = position;
            drop(waiting);
            self.shared.wake.notify_one();
        }
    }

    /// Follows how far the log has come.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<LogState> {
        self.state.clone()
    }

    /// Everything before this position is safe.
    #[must_use]
    pub fn safe(&self) -> u64 {
        self.state.borrow().synced
    }

    /// Everything before this position was taken.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.shared.lock().end
    }

    /// Returns once there is room for more.
    pub async fn room(&self) {
        loop {
            // Before the look, so that no write is missed.
            let written = self.shared.written.notified();
            {
                let waiting = self.shared.lock();
                if waiting.bytes.len() <= MOST_WAITING || waiting.is_closed {
                    return;
                }
            }
            written.await;
        }
    }

    /// Returns once everything before a position is safe.
    ///
    /// # Errors
    /// [`SessionError::Storage`] if the disk refuses.
    pub async fn synced(&self, position: u64) -> Result<(), SessionError> {
        self.want(position);
        let mut state = self.state();
        let done = state.wait_for(|state| state.synced >= position || state.failure.is_some()).await;
        let failure = match done {
            Ok(state) if state.synced >= position => return Ok(()),
            Ok(state) => state.failure.clone(),
            Err(_) => None,
        };
        Err(SessionError::Storage(failure.unwrap_or_else(|| "it is closed".to_string())))
    }

    /// Lets segments go that hold nothing at or after a position.
    pub fn retire(&self, position: u64) {
        self.shared.lock().retired = Some(position);
        self.shared.wake.notify_one();
    }

    /// Writes and syncs what is there and ends the thread; nothing is taken afterwards.
    pub fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
        self.shared.written.notify_waiters();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of the session log panicked");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    core: LogCore,
    options: LogOptions,
    shared: Arc<Shared>,
    state: watch::Sender<LogState>,
}

impl Writer {
    fn run(mut self) {
        let mut spare = Vec::new();
        let mut last_sync = Instant::now();
        loop {
            let (wanted, retired, is_closed) = self.next(&mut spare, last_sync);
            let mut outcome = match spare.is_empty() {
                true => Ok(()),
                false => self.core.write(&spare),
            };
            spare.clear();
            spare.shrink_to(MOST_LOOSE);
            let is_due = wanted > self.core.synced()
                || last_sync.elapsed() >= self.options.sync_interval
                || self.core.n_loose() > MOST_LOOSE
                // What makes older segments superfluous has to be safe before they go.
                || retired.is_some()
                || is_closed;
            if outcome.is_ok() && is_due {
                outcome = self.core.sync();
                last_sync = Instant::now();
            }
            if let (Ok(()), Some(position)) = (&outcome, retired)
                && let Err(error) = self.core.retire(position)
            {
                tracing::warn!(%error, "an old segment of the session log cannot be removed");
            }
            self.say(outcome.as_ref().err());
            if outcome.is_err() && !self.recover(is_closed) {
                return;
            }
            if is_closed && self.shared.lock().bytes.is_empty() {
                return;
            }
        }
    }

    /// Waits until there is something to do, and takes what waits to be written.
    fn next(&self, spare: &mut Vec<u8>, last_sync: Instant) -> (u64, Option<u64>, bool) {
        let mut waiting = self.shared.lock();
        loop {
            let is_idle = waiting.bytes.is_empty()
                && waiting.wanted <= self.core.synced()
                && waiting.retired.is_none()
                && !waiting.is_closed;
            if !is_idle {
                break;
            }
            if self.core.n_loose() == 0 {
                waiting = self.shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = self.options.sync_interval.saturating_sub(last_sync.elapsed());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.wake.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut waiting.bytes, spare);
        (waiting.wanted, waiting.retired.take(), waiting.is_closed)
    }

    fn say(&self, failure: Option<&io::Error>) {
        let now = LogState { synced: self.core.synced(), failure: failure.map(ToString::to_string) };
        // All streams wait for this: they are woken only by what is new.
        self.state.send_if_modified(|state| {
            if let (Some(failure), None) = (&now.failure, &state.failure) {
                tracing::error!(
                    failure,
                    "the session log cannot be written; sessions take nothing until it can"
                );
            }
            let is_new = *state != now;
            *state = now;
            is_new
        });
        self.shared.written.notify_waiters();
    }

    /// Tries again until the disk takes what it refused; false if the log was closed meanwhile.
    fn recover(&mut self, mut is_closed: bool) -> bool {
        loop {
            if is_closed {
                let n_bytes = self.core.n_loose();
                tracing::error!(n_bytes, "the session log ends without what the disk refused");
                return false;
            }
            std::thread::sleep(RETRY);
            let outcome = self.core.sync();
            self.say(outcome.as_ref().err());
            if outcome.is_ok() {
                tracing::info!("the session log is written again");
                return true;
            }
            is_closed = self.shared.lock().is_closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::medium::{Medium, MemoryMedium};
    use super::*;

    fn all(medium: &MemoryMedium) -> Vec<(u64, Vec<u8>)> {
        medium.list().unwrap().into_iter().map(|start| (start, medium.read(start).unwrap())).collect()
    }

    #[tokio::test]
    async fn whoever_waits_for_a_sync_hears_of_it_or_of_the_failure() {
        let medium = MemoryMedium::default();
        let core = LogCore::new(Box::new(medium.clone()), 1000).unwrap();
        let never = LogOptions { sync_interval: Duration::from_secs(3600), ..LogOptions::default() };
        let log = Log::start(core, never).unwrap();
        let (start, end) = log.append(|out| out.extend(b"abc")).unwrap();
        assert_eq!((start, end), (0, 3));
        log.synced(end).await.unwrap();
        medium.limit(Some(0));
        let (_, end) = log.append(|out| out.extend(b"def")).unwrap();
        let error = log.synced(end).await.unwrap_err();
        assert!(matches!(&error, SessionError::Storage(_)), "{error}");
        assert!(log.append(|out| out.extend(b"ghi")).is_err());
        medium.limit(None);
        let mut state = log.state();
        state.wait_for(|state| state.failure.is_none() && state.synced == 6).await.unwrap();
        log.append(|out| out.extend(b"ghi")).unwrap();
        log.close();
        assert_eq!(all(&medium).last().unwrap().1, b"defghi");
    }
}
