//! All jobs of a server: made, found, listed, cancelled, removed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Status;

use super::config::JobsConfig;
use super::datasets::{Datasets, UNFINISHED, io_status, sync_folder};
use super::event::{JobState, now};
use super::job::{Job, Kind, REQUEST, Task};
use super::names::segment;
use super::publish::Publish;
use super::request::{JobRequest, refused};
use super::run;
use super::state::{State, load};
use crate::operation::background::Background;
use crate::server::Reason;

/// When to try again where the queue is full or the server stops.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The jobs of a server; clones are handles to the same. When the last one is dropped, or at [`Jobs::stop`], running
/// jobs are put aside: whoever opens the folder next goes on with them.
#[derive(Debug, Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
}

/// What handles and workers share.
#[derive(Debug)]
pub(super) struct Shared {
    folder: PathBuf,
    pub(super) config: JobsConfig,
    pub(super) datasets: Datasets,
    pub(super) registry: Arc<dyn Publish>,
    /// What jobs compute on.
    pub(super) pool: Arc<Background>,
    state: Mutex<State>,
    /// Told when there is something to do, or nothing will be.
    wake: Condvar,
}

/// The threads that jobs are led from; they compute nothing themselves.
#[derive(Debug)]
struct Workers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Jobs {
    /// The jobs of a folder, made if it is not there. Those that had not ended are queued again, the ones that ran
    /// first.
    ///
    /// # Errors
    /// If the folder cannot be read or written; a job that cannot be read is logged and left alone.
    pub fn open(
        folder: &Path,
        config: &JobsConfig,
        registry: Arc<dyn Publish>,
        pool: Arc<Background>,
    ) -> io::Result<Self> {
        let mut state = State::default();
        for kind in Kind::ALL {
            let of_kind = folder.join(kind.folder());
            fs::create_dir_all(&of_kind)?;
            let (jobs, highest) = load(kind, &of_kind)?;
            state.next_id.insert(kind, highest + 1);
            for job in jobs {
                state.enter(Arc::new(job));
            }
        }
        let mut open: Vec<Arc<Job>> = state.all.values().flat_map(BTreeMap::values).cloned().collect();
        open.retain(|job| !job.snapshot().0.state.is_over());
        // Those that ran come first, then the oldest.
        open.sort_by_key(|job| {
            let (snapshot, _) = job.snapshot();
            (snapshot.state != JobState::Running, snapshot.created, job.id)
        });
        state.queue = open.into();
        let shared = Arc::new(Shared {
            folder: folder.to_path_buf(),
            config: config.clone(),
            datasets: Datasets::open(&folder.join("datasets"), config)?,
            registry,
            pool,
            state: Mutex::new(state),
            wake: Condvar::new(),
        });
        let mut threads = Vec::new();
        for at in 0..config.parallel {
            let shared = Arc::clone(&shared);
            let name = format!("longcast-job-{at}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || shared.work())?);
        }
        let workers = Arc::new(Workers { shared: Arc::clone(&shared), threads: Mutex::new(threads) });
        Ok(Jobs { shared, workers })
    }

    /// The data sets.
    #[must_use]
    pub fn datasets(&self) -> &Datasets {
        &self.shared.datasets
    }

    /// Makes a job, or finds the one that the same `request_id` has made.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with every field that breaks a rule, `NOT_FOUND` for the data set or the model,
    /// `RESOURCE_EXHAUSTED` if too many jobs wait.
    pub fn create(&self, request: &JobRequest) -> Result<Arc<Job>, Status> {
        self.check(request)?;
        let mut state = self.shared.state();
        let kind = request.kind();
        let key = (kind, request.request_id().to_string());
        if let Some(job) = state.by_request.get(&key).and_then(|id| state.find(kind, *id)) {
            if job.brief.digest == request.brief().digest {
                return Ok(job);
            }
            let rule = format!("it was used for {}, which is another request", job.name());
            return Err(refused("request_id", &rule));
        }
        if state.queue.len() >= self.shared.config.most_queued {
            let rule =
                format!("{} jobs wait, the most that may; try again when some have run", state.queue.len());
            return Err(Reason::JobQueueFull.quota("jobs", rule, Some(RETRY_AFTER)));
        }
        if state.is_stopping {
            return Err(Reason::Draining.retry_after("the server is about to stop", RETRY_AFTER));
        }
        let job = self.shared.make(request, state.next_id.get(&kind).copied().unwrap_or(1))?;
        state.next_id.insert(kind, job.id + 1);
        let job = Arc::new(job);
        state.enter(Arc::clone(&job));
        state.queue.push_back(Arc::clone(&job));
        state.forget(kind, self.shared.config.most_kept);
        self.shared.wake.notify_one();
        Ok(job)
    }

    /// Checks a request as far as it can be before it runs. Blocks.
    ///
    /// # Errors
    /// As [`Jobs::create`].
    pub fn check(&self, request: &JobRequest) -> Result<(), Status> {
        request.check()?;
        if !request.dataset().is_empty() {
            self.shared.datasets.check(request.dataset())?;
        }
        match request.brief().task {
            Task::Backtest(spec) if !spec.model.is_empty() => {
                self.shared.registry.model(&spec.model).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// A job by its name.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Arc<Job>, Status> {
        let id = segment(name, kind.collection()).and_then(|id| id.parse().ok());
        let job = id.and_then(|id| self.shared.state().find(kind, id));
        job.filter(|job| job.name() == name).ok_or_else(|| unknown(kind, name))
    }

    /// Jobs older than one, the newest first, at most `most`.
    #[must_use]
    pub fn list(
        &self,
        kind: Kind,
        before: Option<u64>,
        most: usize,
        keep: &dyn Fn(&Job) -> bool,
    ) -> Vec<Arc<Job>> {
        let state = self.shared.state();
        let jobs = state.all.get(&kind).into_iter().flatten();
        let older = jobs.rev().filter(|(id, job)| before.is_none_or(|before| **id < before) && keep(job));
        older.take(most).map(|(_, job)| Arc::clone(job)).collect()
    }

    /// How many jobs are ahead of one; 0 if it does not wait.
    #[must_use]
    pub fn n_ahead(&self, job: &Job) -> usize {
        let state = self.shared.state();
        state.queue.iter().position(|waiting| waiting.kind == job.kind && waiting.id == job.id).unwrap_or(0)
    }

    /// Asks a job to end; one that waits has ended at once. Asking twice changes nothing.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be written down.
    pub fn cancel(&self, job: &Job) -> Result<(), Status> {
        let mut state = self.shared.state();
        let (snapshot, _) = job.snapshot();
        if snapshot.state.is_over() || snapshot.is_cancelled {
            return Ok(());
        }
        let waits = state.queue.iter().position(|waiting| waiting.kind == job.kind && waiting.id == job.id);
        if let Some(at) = waits {
            state.queue.remove(at);
            return job
                .change("cancelled before it began", |job| {
                    (job.state, job.is_cancelled, job.ended) = (JobState::Cancelled, true, Some(now()));
                })
                .map_err(io_status);
        }
        // Written first: it is not to run on after a restart.
        job.change("asked to end", |job| job.is_cancelled = true).map_err(io_status)?;
        job.cancel.cancel();
        Ok(())
    }

    /// Removes a job that has ended.
    ///
    /// # Errors
    /// `NOT_FOUND`, `FAILED_PRECONDITION` if it has not ended.
    pub fn delete(&self, kind: Kind, name: &str) -> Result<(), Status> {
        let job = self.find(kind, name)?;
        if !job.snapshot().0.state.is_over() {
            return Err(Reason::JobNotOver.status(format!("{name} has not ended; cancel it first"), &[]));
        }
        self.shared.state().remove(&job);
        Ok(())
    }

    /// Stops: nothing new is begun, and running jobs are put aside where they stand. Blocks until they are, which
    /// takes as long as one step of their computations.
    pub fn stop(&self) {
        self.workers.stop();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Maps and queues are changed in single calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the folder of a job under another name and moves it to its place.
    fn make(&self, request: &JobRequest, id: u64) -> Result<Job, Status> {
        let kind = request.kind();
        let of_kind = self.folder.join(kind.folder());
        let (unfinished, place) = (of_kind.join(format!("{UNFINISHED}{id}")), of_kind.join(id.to_string()));
        let make = || -> Result<Job, Status> {
            fs::create_dir_all(&unfinished).map_err(io_status)?;
            if !request.dataset().is_empty() {
                self.datasets.link(request.dataset(), &unfinished)?;
            }
            forecast::write_atomically(unfinished.join(REQUEST), &request.to_bytes())
                .map_err(|error| crate::server::status::internal(&error.to_string()))?;
            let job = Job::create(kind, id, request, &unfinished).map_err(io_status)?;
            fs::rename(&unfinished, &place).and_then(|()| sync_folder(&of_kind)).map_err(io_status)?;
            job.moved_to(&place).map_err(io_status)
        };
        make().inspect_err(|_| {
            // Nothing of it is of use to anyone.
            let _ = fs::remove_dir_all(&unfinished);
        })
    }

    /// Leads one job after another until the server stops.
    fn work(&self) {
        loop {
            let mut state = self.state();
            let job = loop {
                if state.is_stopping {
                    return;
                }
                match state.queue.pop_front() {
                    Some(job) => break job,
                    None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            };
            state.running.push(Arc::clone(&job));
            drop(state);
            run::lead(self, &job);
            self.state().running.retain(|running| !Arc::ptr_eq(running, &job));
        }
    }
}

impl Workers {
    fn stop(&self) {
        let mut state = self.shared.state();
        state.is_stopping = true;
        for job in &state.running {
            job.cancel.cancel();
        }
        drop(state);
        self.shared.wake.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that leads jobs panicked");
            }
        }
        let state = self.shared.state();
        state.all.values().flat_map(BTreeMap::values).for_each(|job| job.put_aside());
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn unknown(kind: Kind, name: &str) -> Status {
    let what = match kind {
        Kind::Training => "no training has this name; ListTrainingJobs tells all",
        Kind::Backtest => "no back-test has this name; ListBacktestJobs tells all",
    };
    Reason::JobNotFound.of_resource(kind.message(), name, format!("unknown \"{name}\": {what}"))
}
