//! Threads that take work in the order in which it came.
//!
//! Not a pool of rayon: there, a thread that waits for a part of its work takes other work from the queue meanwhile,
//! and would wait for itself where both want the same session.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end, with what waits done, when this is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    n_asleep: usize,
    is_closed: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// What the operating system says where it gives none.
    pub(super) fn start(name: &str, n_threads: usize) -> io::Result<Self> {
        let workers = Workers { shared: Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() }) };
        for at in 0..n_threads {
            let shared = Arc::clone(&workers.shared);
            std::thread::Builder::new().name(format!("{name}-{at}")).spawn(move || shared.work())?;
        }
        Ok(workers)
    }

    /// Has a job done, which must not panic, after those that came before it.
    pub(super) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.lock();
        queue.jobs.push_back(Box::new(job));
        let is_anyone_asleep = queue.n_asleep > 0;
        drop(queue);
        // To wake somebody takes a call of the system even where nobody sleeps.
        if is_anyone_asleep {
            self.shared.wake.notify_one();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.lock();
            } else if queue.is_closed {
                return;
            } else {
                queue.n_asleep += 1;
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.n_asleep -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_job_is_done_also_those_that_wait_when_the_threads_are_dropped() {
        for n_threads in [1, 3] {
            let workers = Workers::start("test", n_threads).unwrap();
            let (send, receive) = mpsc::channel();
            for at in 0..200 {
                let send = send.clone();
                workers.spawn(move || send.send(at).unwrap());
            }
            drop((workers, send));
            let mut done: Vec<i32> = receive.iter().collect();
            if n_threads > 1 {
                done.sort_unstable();
            }
            assert_eq!(done, (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_job_that_waits_for_others_of_its_own_does_not_take_another_meanwhile() {
        let workers = Workers::start("test", 2).unwrap();
        let (lock, send) = (Arc::new(Mutex::new(0usize)), mpsc::channel());
        for _ in 0..400 {
            let (lock, send) = (Arc::clone(&lock), send.0.clone());
            workers.spawn(move || {
                let mut sum = lock.lock().unwrap();
                // Work for other threads, which this one waits for with the lock in its hand.
                use rayon::prelude::*;
                *sum += (0..1_000usize).into_par_iter().map(|i| i % 3).sum::<usize>();
                send.send(()).unwrap();
            });
        }
        for _ in 0..400 {
            send.1.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        assert_eq!(*lock.lock().unwrap(), 400 * 999);
    }
}
