//! Many operations in a row, begun on one of the threads that compute them, and how the others are at hand.
//!
//! Begun elsewhere, every operation would wake a thread and wait for it, which takes longer than the small ones
//! themselves. Nor do the others sleep between operations, for the same reason. And they keep off the processor of the
//! thread that leads them: a thread that is woken is put where the one that woke it runs when the system takes all
//! other processors for busy, as Linux does with idle ones of a virtual machine; both then share one processor, while
//! another has nothing to do, until the system looks again: some milliseconds, in which many forecasts would be done.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Does work on a thread of the pool, the one at hand or else the usual one.
pub(crate) fn on_a_worker<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::join(work, || ()).0
}

/// Does operations in a row on a thread of the pool, as [`on_a_worker`]; the others are awake for each of them.
pub(crate) fn lead<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    on_a_worker(|| {
        let _leading = Leading::begin();
        let done = AtomicBool::new(false);
        rayon::in_place_scope(|scope| {
            for _ in 1..rayon::current_num_threads() {
                scope.spawn(|_| stay_awake(&done));
            }
            let _done = Done(&done);
            work()
        })
    })
}

/// The same for some milliseconds, in which the thread stays on its processor, if no other one does so; for longer it
/// would have to make way for other programs.
pub(crate) fn lead_briefly<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    lead(|| {
        let brief = Brief::begin();
        let _home = brief.is_alone.then(processors::Home::stay);
        work()
    })
}

/// Works of some milliseconds that are led now.
static N_BRIEF: AtomicUsize = AtomicUsize::new(0);

struct Brief {
    is_alone: bool,
}

impl Brief {
    fn begin() -> Self {
        Brief { is_alone: N_BRIEF.fetch_add(1, Ordering::Relaxed) == 0 }
    }
}

impl Drop for Brief {
    fn drop(&mut self) {
        N_BRIEF.fetch_sub(1, Ordering::Relaxed);
    }
}

thread_local! {
    /// How many works this thread leads.
    static LEADING: Cell<usize> = const { Cell::new(0) };
}

struct Leading;

impl Leading {
    fn begin() -> Self {
        LEADING.set(LEADING.get() + 1);
        Leading
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        LEADING.set(LEADING.get() - 1);
    }
}

/// Tells the others, even if the work has panicked.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// For so long a thread stays awake without anything to do.
const PATIENCE: Duration = Duration::from_micros(200);

/// Takes part in whatever the pool has to do, until the work is done; not on a thread that leads work itself.
fn stay_awake(done: &AtomicBool) {
    if LEADING.get() > 0 {
        return;
    }
    let mut last = Instant::now();
    while !done.load(Ordering::Acquire) {
        match rayon::yield_now() {
            Some(rayon::Yield::Executed) => last = Instant::now(),
            _ if last.elapsed() > PATIENCE => return,
            _ => thread::yield_now(),
        }
    }
}

/// The thread that hands out parts of an operation, and where it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leader {
    thread: Option<usize>,
    processor: usize,
}

impl Leader {
    /// This thread.
    pub(super) fn here() -> Self {
        Leader { thread: rayon::current_thread_index(), processor: processors::here() }
    }

    /// Called by whichever thread does a part; from then on it runs on other processors than the leader does.
    pub(super) fn keep_off(self) {
        if self.thread.is_some() && rayon::current_thread_index() != self.thread {
            processors::keep_off(self.processor);
        }
    }
}

#[cfg(target_os = "linux")]
mod processors {
    use std::cell::Cell;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    thread_local! {
        /// The processor that this thread keeps off, and those that it may run on by itself.
        static OFF: Cell<Option<(usize, CpuSet)>> = const { Cell::new(None) };
        /// Where this thread stayed last, and whether it stays there now.
        static HOME: Cell<Option<usize>> = const { Cell::new(None) };
        static STAYS: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn here() -> usize {
        sched_getcpu()
    }

    pub(super) fn keep_off(processor: usize) {
        let before = OFF.get();
        if STAYS.get() || before.is_some_and(|(before, _)| before == processor) {
            return;
        }
        let Some(all) = before.map(|(_, all)| all).or_else(|| sched_getaffinity(None).ok()) else { return };
        if !has(&all, processor) || all.count() < 2 {
            return;
        }
        let mut others = all;
        others.unset(processor);
        if sched_setaffinity(None, &others).is_ok() {
            OFF.set(Some((processor, all)));
        }
    }

    fn has(set: &CpuSet, processor: usize) -> bool {
        processor < CpuSet::MAX_CPU && set.is_set(processor)
    }

    /// While it lives this thread stays on one processor: where it stayed before, which the others keep off.
    pub(super) struct Home(Option<CpuSet>);

    impl Home {
        pub(super) fn stay() -> Self {
            let Ok(before) = sched_getaffinity(None) else { return Home(None) };
            if before.count() < 2 {
                return Home(None);
            }
            let home = HOME.get().filter(|home| has(&before, *home)).unwrap_or_else(sched_getcpu);
            if !has(&before, home) {
                return Home(None);
            }
            let mut one = CpuSet::new();
            one.set(home);
            HOME.set(Some(home));
            STAYS.set(sched_setaffinity(None, &one).is_ok());
            Home(STAYS.get().then_some(before))
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            if let Some(before) = &self.0 {
                // At worst it stays where it is.
                let _ = sched_setaffinity(None, before);
                STAYS.set(false);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod processors {
    pub(super) fn here() -> usize {
        0
    }

    pub(super) fn keep_off(_: usize) {}

    pub(super) struct Home;

    impl Home {
        pub(super) fn stay() -> Self {
            Home
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rayon::prelude::*;
    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::*;

    fn n_allowed() -> u32 {
        sched_getaffinity(None).map_or(0, |set| set.count())
    }

    #[test]
    fn a_thread_keeps_off_one_processor_at_a_time() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let all = pool.install(|| sched_getaffinity(None).unwrap());
        let due = all.count().saturating_sub(1).max(1);
        let of = |thread, processor| Leader { thread, processor };
        let processors = || (0..CpuSet::MAX_CPU).filter(|at| all.is_set(*at));
        for processor in processors().take(2) {
            for _ in 0..2 {
                pool.install(|| of(Some(1), processor).keep_off());
                assert_eq!(pool.install(n_allowed), due);
                assert!(
                    due == all.count()
                        || !pool.install(|| sched_getaffinity(None).unwrap().is_set(processor))
                );
            }
        }
        // Neither a processor that there is not, nor itself, nor one that takes no part is anything to keep off.
        pool.install(|| of(Some(1), 1 << 20).keep_off());
        pool.install(|| Leader::here().keep_off());
        pool.install(|| of(None, processors().next().unwrap()).keep_off());
        assert_eq!(pool.install(n_allowed), due);
    }

    #[test]
    fn a_thread_stays_on_one_processor_as_long_as_it_has_to() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let before = pool.install(n_allowed);
        let stay = || {
            let _home = processors::Home::stay();
            Leader { thread: Some(1), processor: processors::here() }.keep_off();
            (n_allowed(), processors::here())
        };
        let homes = [(); 2].map(|()| pool.install(stay));
        assert_eq!(homes[0].0, 1);
        assert_eq!(homes[0], homes[1]);
        assert_eq!(pool.install(n_allowed), before);
        assert_eq!(pool.install(|| lead_briefly(|| lead_briefly(|| 7))), 7);
        assert_eq!(pool.install(n_allowed), before);
    }

    #[test]
    fn works_lead_each_other_on_any_number_of_threads_and_end_when_they_panic() {
        for n_threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let sum = |n: usize| lead(|| (0..n).into_par_iter().map(|i| lead(|| i)).sum::<usize>());
            let sums: Vec<usize> = pool.install(|| (0..50).into_par_iter().map(sum).collect());
            assert_eq!(sums, (0..50).map(|n: usize| n * n.saturating_sub(1) / 2).collect::<Vec<_>>());
            let panic = || pool.install(|| lead(|| panic!("as it should")));
            assert!(catch_unwind(AssertUnwindSafe(panic)).is_err());
            assert_eq!(pool.install(|| lead(|| 7)), 7);
        }
    }
}
