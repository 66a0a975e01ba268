//! The write-ahead log: what sessions were given, in the order in which they took it, many batches to one write.
//!
//! A position is the number of bytes before it since the log began. What was written but not yet synced is kept, so
//! that a disk that refuses loses nothing: everything since the last sync goes to a new segment once it can.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::error::SessionError;
use super::medium::{Medium, Segment};

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

/// The log without a thread and without a clock.
#[derive(Debug)]
pub struct LogCore {
    medium: Box<dyn Medium>,
    segment: Option<Box<dyn Segment>>,
    segment_start: u64,
    segment_bytes: u64,
    /// Everything before this survives a loss of power.
    synced: u64,
    /// What follows it.
    loose: Vec<u8>,
}

impl LogCore {
    /// A log that goes on after everything that a medium holds.
    ///
    /// # Errors
    /// What the medium says.
    pub fn new(medium: Box<dyn Medium>, segment_bytes: u64) -> io::Result<Self> {
        let mut end = 0;
        for start in medium.list()? {
            end = end.max(start + medium.read(start)?.len() as u64);
        }
        Ok(LogCore::at(medium, segment_bytes, end))
    }

    /// A log that goes on at a position.
    pub(super) fn at(medium: Box<dyn Medium>, segment_bytes: u64, end: u64) -> Self {
        LogCore { medium, segment: None, segment_start: end, segment_bytes, synced: end, loose: Vec::new() }
    }

    /// Everything before this survives a loss of power.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Everything before this was taken.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.synced + self.loose.len() as u64
    }

    /// Takes bytes and writes them.
    ///
    /// # Errors
    /// What the medium says; the bytes are kept, and the next call tries again.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.loose.extend(bytes);
        let Some(segment) = &mut self.segment else { return self.begin_segment() };
        let written = segment.write(bytes);
        if written.is_err() {
            self.segment = None;
        }
        written
    }

    /// Returns once everything that was taken is safe.
    ///
    /// # Errors
    /// What the medium says; everything is kept, and the next call tries again.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.loose.is_empty() {
            return Ok(());
        }
        if self.segment.is_none() {
            self.begin_segment()?;
        }
        let synced = self.segment.as_mut().map_or(Ok(()), |segment| segment.sync());
        if synced.is_err() {
            // Nothing is known of what the disk has: all of it goes to a new segment.
            self.segment = None;
            return synced;
        }
        self.synced += self.loose.len() as u64;
        self.loose.clear();
        if self.loose.capacity() > 2 * MOST_LOOSE {
            self.loose.shrink_to(MOST_LOOSE);
        }
        if self.synced - self.segment_start >= self.segment_bytes {
            self.segment = None;
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let mut segment = self.medium.create(self.synced)?;
        segment.write(&self.loose)?;
        self.segment_start = self.synced;
        self.segment = Some(segment);
        Ok(())
    }

    /// Takes away the segments that hold nothing at or after a position.
    ///
    /// # Errors
    /// What the medium says.
    pub fn retire(&mut self, position: u64) -> io::Result<()> {
        let starts = self.medium.list()?;
        for pair in starts.windows(2) {
            // The segment that is being written is the last one, and stays.
            if pair[1] <= position.min(self.synced) {
                self.medium.remove(pair[0])?;
            }
        }
        Ok(())
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
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), wake: Condvar::new() });
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

    /// Everything before this position was taken.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.shared.lock().end
    }

    /// Returns once there is room for more.
    pub async fn room(&self) {
        let mut state = self.state();
        while self.shared.lock().bytes.len() > MOST_WAITING {
            // The thread says so after every write; it is gone only when the log is closed.
            if state.changed().await.is_err() {
                return;
            }
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
                || self.core.loose.len() > MOST_LOOSE
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
            if self.core.loose.is_empty() {
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
        let state = LogState { synced: self.core.synced(), failure: failure.map(ToString::to_string) };
        if let (Some(failure), None) = (&state.failure, &self.state.borrow().failure) {
            tracing::error!(failure, "the session log cannot be written; sessions take nothing until it can");
        }
        self.state.send_replace(state);
    }

    /// Tries again until the disk takes what it refused; false if the log was closed meanwhile.
    fn recover(&mut self, mut is_closed: bool) -> bool {
        loop {
            if is_closed {
                let n_bytes = self.core.loose.len();
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
    use super::super::medium::MemoryMedium;
    use super::*;

    fn all(medium: &MemoryMedium) -> Vec<(u64, Vec<u8>)> {
        medium.list().unwrap().into_iter().map(|start| (start, medium.read(start).unwrap())).collect()
    }

    #[test]
    fn segments_follow_each_other_and_the_old_ones_go() {
        let medium = MemoryMedium::default();
        let mut core = LogCore::new(Box::new(medium.clone()), 8).unwrap();
        for text in ["aaaa", "bbbb", "cccc", "dd"] {
            core.write(text.as_bytes()).unwrap();
            core.sync().unwrap();
        }
        let kept = all(&medium);
        assert_eq!(kept, [(0, b"aaaabbbb".to_vec()), (8, b"ccccdd".to_vec())]);
        core.retire(7).unwrap();
        assert_eq!(all(&medium).len(), 2);
        core.retire(9).unwrap();
        assert_eq!(all(&medium), [(8, b"ccccdd".to_vec())]);
        assert_eq!(LogCore::new(Box::new(medium), 8).unwrap().end(), 14);
    }

    #[test]
    fn a_full_disk_loses_nothing_once_there_is_room() {
        let medium = MemoryMedium::default();
        let mut core = LogCore::new(Box::new(medium.clone()), 1000).unwrap();
        core.write(b"aaaa").unwrap();
        core.sync().unwrap();
        medium.limit(Some(2));
        assert_eq!(core.write(b"bbbb").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(core.write(b"cc").is_err() && core.sync().is_err());
        assert_eq!((core.synced(), core.end()), (4, 10));
        medium.limit(None);
        core.sync().unwrap();
        assert_eq!(core.synced(), 10);
        // What the first write left behind is torn; the segment after it has everything.
        assert_eq!(all(&medium), [(0, b"aaaabb".to_vec()), (4, b"bbbbcc".to_vec())]);
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
