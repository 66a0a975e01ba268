//! Where computing happens: threads of their own for forecasts, and the background for training, loading and shadows.
//!
//! Threads that serve connections compute nothing but a forecast that is shorter than decoding its message: to hand it
//! over and back would take longer. What counts as short is counted from the request, not guessed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tonic::Status;

use super::background::{Background, Breaks};
use super::call::{self, Stage};
use super::metrics::{Counter, Gauge, Histogram, Metrics};
use super::workers::Workers;
use crate::server::{Reason, internal};

/// What a forecast is thought to cost before one was seen.
const FIRST_COST: Duration = Duration::from_micros(50);
/// Work of at most so many products is short: some tens of microseconds.
pub(crate) const SHORT: usize = 40_000;
/// Nothing is short that took longer than this on average.
const LONGEST_SHORT: Duration = Duration::from_micros(200);
/// Hints to try again lie between these.
const SHORTEST_HINT: Duration = Duration::from_millis(20);
const LONGEST_HINT: Duration = Duration::from_secs(10);

/// The pools; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Compute {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    forecasts: Workers,
    trainings: Arc<Background>,
    /// One thread, so that what is compared waits for no training.
    shadows: Background,
    /// One thread, so that a load waits for other loads, not for trainings.
    loads: Background,
    breaks: Breaks,
    n_threads: u64,
    most_queued: usize,
    most_wait: Duration,
    n_queued: AtomicUsize,
    /// Pieces of streams that wait or run.
    n_in_turn: AtomicUsize,
    /// Nanoseconds that what waits and what runs will take, by what such work took before.
    queued_cost: AtomicU64,
    seen: Seen,
}

#[derive(Debug)]
struct Seen {
    queue: Histogram,
    compute: Histogram,
    waiting: Gauge,
    shed: Counter,
    panics: Counter,
}

/// What work of one kind costs: the moving mean of its time.
#[derive(Debug, Default)]
pub struct Cost {
    nanos: AtomicU64,
}

impl Cost {
    fn nanos(&self) -> u64 {
        match self.nanos.load(Ordering::Relaxed) {
            0 => u64::try_from(FIRST_COST.as_nanos()).unwrap_or(u64::MAX),
            nanos => nanos,
        }
    }

    /// Whether such work was short so far.
    pub(crate) fn is_short(&self) -> bool {
        self.nanos() <= u64::try_from(LONGEST_SHORT.as_nanos()).unwrap_or(u64::MAX)
    }

    fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let before = self.nanos.load(Ordering::Relaxed);
        // Two threads may overwrite each other: an estimate of a mean survives that.
        self.nanos.store(if before == 0 { took } else { before - before / 8 + took / 8 }, Ordering::Relaxed);
    }
}

impl Compute {
    /// Threads for forecasts, and for so many jobs at a time. At most `most_queued` pieces of work wait, and none that would have to wait
    /// longer than `most_wait`.
    ///
    /// # Errors
    /// What the operating system says where it gives no threads.
    pub fn new(
        n_threads: usize,
        n_jobs: usize,
        most_queued: usize,
        most_wait: Duration,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let forecasts = Workers::start("forecast", n_threads.max(1)).map_err(|error| error.to_string())?;
        let breaks = Breaks::start()?;
        // One processor is left to calls; but each job has a thread, so that none waits for another one unseen.
        let n_trainings = n_threads.saturating_sub(1).max(n_jobs).max(1);
        let trainings = Arc::new(Background::start("training", n_trainings, &breaks)?);
        let shadows = Background::start("shadow", 1, &breaks)?;
        let loads = Background::start("load", 1, &breaks)?;
        let stage = |stage: &str| {
            let help = "Time of a forecast, by where it was spent.";
            metrics.histogram("longcast_forecast_seconds", help, &[("stage", stage)])
        };
        let seen = Seen {
            queue: stage("queue"),
            compute: stage("compute"),
            waiting: metrics.gauge("longcast_forecasts_waiting", "Forecasts that wait for a thread.", &[]),
            shed: metrics.counter(
                "longcast_forecasts_shed_total",
                "Forecasts that were refused for lack of time.",
                &[],
            ),
            panics: metrics.counter("longcast_panics_total", "Models that panicked.", &[]),
        };
        let inner = Inner {
            forecasts,
            trainings,
            shadows,
            loads,
            breaks,
            n_threads: n_threads.max(1) as u64,
            most_queued,
            most_wait,
            n_queued: AtomicUsize::new(0),
            n_in_turn: AtomicUsize::new(0),
            queued_cost: AtomicU64::new(0),
            seen,
        };
        Ok(Compute { inner: Arc::new(inner) })
    }

    /// The threads of trainings and back-tests.
    #[must_use]
    pub fn trainings(&self) -> &Arc<Background> {
        &self.inner.trainings
    }

    /// Runs what nobody waits for, one after another, at the lowest priority.
    pub(crate) fn aside(&self, work: impl FnOnce() + Send + 'static) {
        self.inner.shadows.spawn(work);
    }

    /// Runs what loads, stores or deletes models, one after another, at the lowest priority.
    ///
    /// # Errors
    /// `INTERNAL` if it panics; its own.
    pub async fn load<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Status> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        self.inner.loads.spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // Nobody to tell if the caller has gone meanwhile.
            let _ = send.send(outcome.unwrap_or_else(|_| Err(internal("a load panicked; please report it"))));
        });
        receive.await.unwrap_or_else(|_| Err(internal("the loading thread dropped the call")))
    }

    /// Takes a place in the queue for a call whose headers have come.
    pub(crate) fn arrive(&self) -> Place {
        Place::take(&self.inner, u64::try_from(FIRST_COST.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Does short work on this thread, in the place that its call has had since it arrived.
    ///
    /// # Errors
    /// `INTERNAL` if it panics; its own.
    pub(crate) fn here<T>(
        &self,
        cost: &Cost,
        came: Instant,
        work: impl FnOnce() -> Result<T, Status>,
    ) -> Result<T, Status> {
        let seen = &self.inner.seen;
        let stage = call::stage();
        stage.begin();
        let start = Instant::now();
        seen.queue.record(start - came);
        let outcome = catch_unwind(AssertUnwindSafe(work));
        let took = start.elapsed();
        cost.learn(took);
        seen.compute.record(took);
        stage.set(Stage::Write);
        outcome.unwrap_or_else(|_| {
            seen.panics.add(1);
            Err(internal("the model panicked; please report it"))
        })
    }

    /// Whether more may come; whoever asks has `n_own` places already.
    ///
    /// # Errors
    /// `UNAVAILABLE` with when to try again.
    pub fn admit(&self, n_own: usize) -> Result<(), Status> {
        let wait = self.wait();
        let n = self.inner.n_queued.load(Ordering::Relaxed).saturating_sub(n_own);
        if n < self.inner.most_queued && wait <= self.inner.most_wait {
            return Ok(());
        }
        self.inner.seen.shed.add(1);
        let message = format!("{n} forecasts wait already, for about {} ms", wait.as_millis());
        Err(Reason::Overloaded.retry_after(message, wait.clamp(SHORTEST_HINT, LONGEST_HINT)))
    }

    /// How long what comes now will wait.
    fn wait(&self) -> Duration {
        Duration::from_nanos(self.inner.queued_cost.load(Ordering::Relaxed) / self.inner.n_threads)
    }

    /// Runs a piece of work on the pool for forecasts to its end, whatever else waits: for streams, which hold up their
    /// senders instead of being refused, and have one piece at a time.
    ///
    /// # Errors
    /// `INTERNAL` if it panics; its own.
    pub async fn in_turn<T, F>(&self, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Status> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        if inner.n_in_turn.fetch_add(1, Ordering::Relaxed) > 0 {
            inner.breaks.crowded();
        }
        self.inner.forecasts.spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                inner.seen.panics.add(1);
                Err(internal("the model panicked; please report it"))
            });
            inner.n_in_turn.fetch_sub(1, Ordering::Relaxed);
            // Nobody to tell if the caller has gone meanwhile.
            let _ = send.send(outcome);
        });
        receive.await.unwrap_or_else(|_| Err(internal("the compute pool dropped the call")))
    }

    /// Runs a piece of work on the pool for forecasts; it is left out if the caller goes before it begins.
    ///
    /// # Errors
    /// `UNAVAILABLE` if too much waits; `INTERNAL` if it panics; its own.
    pub async fn run<T, F>(&self, cost: &Arc<Cost>, work: F) -> Result<T, Status>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Status> + Send + 'static,
    {
        let stage = call::stage();
        stage.begin();
        self.admit(0)?;
        let (send, receive) = oneshot::channel();
        let queued = Queued { place: Place::take(&self.inner, cost.nanos()), cost: Arc::clone(cost) };
        stage.set(Stage::Queue);
        let from = Instant::now();
        self.inner.forecasts.spawn(move || {
            let inner = Arc::clone(&queued.place.inner);
            // The caller may have gone while this was queued.
            if send.is_closed() {
                return;
            }
            let start = Instant::now();
            stage.set(Stage::Compute);
            inner.seen.queue.record(start - from);
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let took = start.elapsed();
            queued.cost.learn(took);
            inner.seen.compute.record(took);
            drop(queued);
            stage.set(Stage::Write);
            let outcome = outcome.unwrap_or_else(|_| {
                inner.seen.panics.add(1);
                Err(internal("the model panicked; please report it"))
            });
            // Nobody to tell if the caller has gone meanwhile.
            let _ = send.send(outcome);
        });
        receive.await.unwrap_or_else(|_| Err(internal("the compute pool dropped the call")))
    }
}

/// A piece of work that waits or runs.
struct Queued {
    place: Place,
    cost: Arc<Cost>,
}

/// A place in the queue, until it is left.
#[derive(Debug)]
pub(crate) struct Place {
    inner: Arc<Inner>,
    nanos: u64,
    is_left: AtomicBool,
}

impl Place {
    fn take(inner: &Arc<Inner>, nanos: u64) -> Self {
        if inner.n_queued.fetch_add(1, Ordering::Relaxed) > 0 {
            inner.breaks.crowded();
        }
        inner.queued_cost.fetch_add(nanos, Ordering::Relaxed);
        inner.seen.waiting.add(1);
        Place { inner: Arc::clone(inner), nanos, is_left: AtomicBool::new(false) }
    }

    /// Gives the place back, once.
    pub(super) fn leave(&self) {
        if !self.is_left.swap(true, Ordering::Relaxed) {
            self.inner.n_queued.fetch_sub(1, Ordering::Relaxed);
            self.inner.queued_cost.fetch_sub(self.nanos, Ordering::Relaxed);
            self.inner.seen.waiting.add(-1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainings_leave_a_processor_and_each_job_has_a_thread() {
        for (n_threads, n_jobs, due) in [(1, 1, 1), (2, 1, 1), (8, 1, 7), (2, 3, 3)] {
            let compute = Compute::new(n_threads, n_jobs, 100, Duration::from_secs(5), &Metrics::default());
            assert_eq!(compute.unwrap().trainings().n_threads(), due, "{n_threads} {n_jobs}");
        }
    }

    #[tokio::test]
    async fn short_work_that_was_held_up_is_short_again_once_it_is_seen_to_be() {
        let compute = Compute::new(1, 1, 100, Duration::from_secs(5), &Metrics::default()).unwrap();
        let cost = Arc::new(Cost::default());
        let held_up = || {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        };
        assert!(cost.is_short(), "before anything was seen");
        compute.here(&cost, Instant::now(), held_up).unwrap();
        assert!(!cost.is_short());
        // As long as it looks long it is done elsewhere, and measured there.
        for n in 1.. {
            compute.run(&cost, || Ok(())).await.unwrap();
            if cost.is_short() {
                break;
            }
            assert!(n < 1_000, "it looks long for ever");
        }
    }
}
