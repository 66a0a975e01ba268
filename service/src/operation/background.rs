//! Threads that compute what nobody waits for: trainings, loads, shadows. They have the lowest priority, and take breaks
//! while calls crowd.
//!
//! Priority alone is not enough. A processor that runs anything, of however low a priority, does not look for what waits
//! for another processor until the scheduler's next tick, some milliseconds later; only one that has nothing left to do
//! looks at once. With all processors at work on trainings, calls wait for such ticks: their 99th percentile triples. So
//! while calls come before others are answered, threads of the background sleep for a moment some thousand times a second,
//! which costs them about two fifths of their time. A timer's signal has them do so wherever they are, in a product of
//! matrices too. Calls that come one by one find a processor anyway.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::threads::{self, ThreadId};

/// From one break to the next.
const BETWEEN: Duration = Duration::from_micros(250);
/// How often it is looked whether calls crowd.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Breaks are taken until so many looks have seen no crowd.
const LOOKS_AFTER_A_CROWD: u32 = 5;

/// A pool of the background.
#[derive(Debug)]
pub struct Background {
    pool: ThreadPool,
    at: usize,
    breaks: Breaks,
}

impl Background {
    /// Starts so many threads.
    ///
    /// # Errors
    /// What the operating system says where it gives none.
    pub(super) fn start(name: &'static str, n_threads: usize, breaks: &Breaks) -> Result<Self, String> {
        let at = breaks.shared.lock().enter();
        let (joined, left) = (Arc::clone(&breaks.shared), Arc::clone(&breaks.shared));
        let pool = ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .thread_name(move |at| format!("{name}-{at}"))
            .start_handler(move |_| {
                threads::idle_priority();
                joined.lock().pools[at].threads.push(threads::this_thread());
            })
            .exit_handler(move |_| {
                left.lock().pools[at].threads.retain(|thread| *thread != threads::this_thread());
            });
        let pool = pool.build().map_err(|error| error.to_string())?;
        Ok(Background { pool, at, breaks: breaks.clone() })
    }

    /// Computes on these threads alone, what it spreads over several ones too, and waits for it.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let _at_work = AtWork::begin(&self.breaks.shared, self.at);
        self.pool.install(work)
    }

    /// Has something computed when a thread has time.
    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let at_work = AtWork::begin(&self.breaks.shared, self.at);
        self.pool.spawn(move || {
            let _at_work = at_work;
            work();
        });
    }

    /// How many threads there are.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// Who says when breaks are taken: a thread that sleeps while nothing is computed in the background. Clones are handles
/// to the same; it ends with the last one.
#[derive(Debug, Clone)]
pub(super) struct Breaks {
    shared: Arc<Shared>,
    _ends: Arc<Ends>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// A call has come before another was answered, since it was last looked.
    is_crowded: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    pools: Vec<Pool>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Pool {
    /// Those that run; a pool may have work before its first thread does.
    threads: Vec<ThreadId>,
    /// Pieces of work that are computed or wait to be.
    n_at_work: usize,
}

impl State {
    /// The place of another pool.
    fn enter(&mut self) -> usize {
        self.pools.push(Pool::default());
        self.pools.len() - 1
    }

    /// The pools that have anything to do.
    fn at_work(&self) -> impl Iterator<Item = &Pool> {
        self.pools.iter().filter(|pool| pool.n_at_work > 0)
    }
}

impl Breaks {
    /// Starts the thread; where the system has no such breaks there are none.
    ///
    /// # Errors
    /// What the operating system says where it gives no thread.
    pub(super) fn start() -> Result<Self, String> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            is_crowded: AtomicBool::new(false),
        });
        match threads::prepare() {
            Ok(()) => {
                let shared = Arc::clone(&shared);
                let thread = std::thread::Builder::new().name("breaks".to_string());
                thread.spawn(move || shared.watch()).map_err(|error| error.to_string())?;
            }
            Err(error) => tracing::warn!(%error, "trainings and loads take no breaks while calls crowd"),
        }
        let ends = Arc::new(Ends { shared: Arc::clone(&shared) });
        Ok(Breaks { shared, _ends: ends })
    }

    /// A call has come while another waits for its answer. Costs a look at a number.
    pub(super) fn crowded(&self) {
        let is_crowded = &self.shared.is_crowded;
        // Not written where it is set, so that processors do not pass it to and fro.
        if !is_crowded.load(Ordering::Relaxed) {
            is_crowded.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins and ends breaks until the end of all.
    fn watch(&self) {
        let mut on_breaks: BTreeMap<ThreadId, threads::Breaks> = BTreeMap::new();
        let mut n_looks_left = 0;
        let mut state = self.lock();
        while !state.is_closed {
            if self.is_crowded.swap(false, Ordering::Relaxed) {
                n_looks_left = LOOKS_AFTER_A_CROWD;
            }
            let at_work: Vec<ThreadId> =
                state.at_work().flat_map(|pool| pool.threads.iter().copied()).collect();
            drop(state);
            on_breaks.retain(|thread, _| n_looks_left > 0 && at_work.contains(thread));
            for thread in at_work.iter().filter(|_| n_looks_left > 0) {
                // One that has ended meanwhile takes none.
                if !on_breaks.contains_key(thread)
                    && let Ok(breaks) = threads::Breaks::begin(*thread, BETWEEN)
                {
                    on_breaks.insert(*thread, breaks);
                }
            }
            n_looks_left = n_looks_left.saturating_sub(1);
            state = self.lock();
            if state.is_closed {
                break;
            }
            state = match on_breaks.is_empty() && state.at_work().next().is_none() {
                true => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                false => {
                    self.wake.wait_timeout(state, BETWEEN_LOOKS).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// While it lives, something is computed in the background.
struct AtWork {
    shared: Arc<Shared>,
    pool: usize,
}

impl AtWork {
    fn begin(shared: &Arc<Shared>, pool: usize) -> Self {
        let mut state = shared.lock();
        state.pools[pool].n_at_work += 1;
        // What comes on top is seen at the next look: shadows come with every call.
        if state.pools[pool].n_at_work == 1 {
            shared.wake.notify_one();
        }
        drop(state);
        AtWork { shared: Arc::clone(shared), pool }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.shared.lock().pools[self.pool].n_at_work -= 1;
    }
}

/// The end of whoever says when breaks are taken.
#[derive(Debug)]
struct Ends {
    shared: Arc<Shared>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    fn started() -> (Background, Breaks) {
        let breaks = Breaks::start().unwrap();
        (Background::start("background", 2, &breaks).unwrap(), breaks)
    }

    /// How often this thread has gone to sleep.
    #[cfg(target_os = "linux")]
    fn n_sleeps() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let n = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        n.unwrap().trim().parse().unwrap()
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn the_background_takes_breaks_while_calls_crowd() {
        let (background, breaks) = started();
        let begin = Instant::now();
        background.install(|| {
            let before = n_sleeps();
            while n_sleeps() < before + 1_000 {
                breaks.crowded();
                assert!(begin.elapsed() < Duration::from_secs(60), "{} breaks", n_sleeps() - before);
            }
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_takes_none_while_nothing_is_said() {
        let (background, _breaks) = started();
        let n = background.install(|| {
            let (before, begin) = (n_sleeps(), Instant::now());
            while begin.elapsed() < Duration::from_millis(300) {}
            n_sleeps() - before
        });
        // Each look at the number may sleep, three hundred milliseconds of breaks would be hundreds.
        assert!(n < 20, "{n}");
    }

    #[test]
    fn breaks_change_nothing_of_what_is_computed_read_written_or_waited_for() {
        let (background, breaks) = started();
        let path = std::env::temp_dir().join(format!("longcast-breaks-{}", std::process::id()));
        let bytes: Vec<u8> = (0..4_000_000u32).map(|at| (at.wrapping_mul(7_919) >> 5) as u8).collect();
        let sum = |bytes: &[u8]| {
            bytes.iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
        };
        let due = sum(&bytes);
        background.install(|| {
            for round in 0..20 {
                breaks.crowded();
                let mut options = std::fs::File::options();
                let mut file =
                    options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
                file.write_all(&bytes).unwrap();
                file.sync_all().unwrap();
                file.rewind().unwrap();
                let mut read = Vec::new();
                file.read_to_end(&mut read).unwrap();
                let (send, receive) = mpsc::channel();
                let of_read = || {
                    let sum = sum(&read);
                    send.send(sum).unwrap();
                    sum
                };
                let (one, other) = rayon::join(of_read, || sum(&bytes));
                let told = receive.recv_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!((one, other, told), (due, due, due), "round {round}");
            }
        });
        std::fs::remove_file(&path).unwrap();
    }
}
