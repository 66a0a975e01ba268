//! One job: what it is, how it stands, what happened to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use forecast::Cancel;
use forecast_proto::v1;
use prost::Message;
use tokio::sync::watch;
use tonic::Status;

use super::event::{Event, Fold, JobState, Snapshot, now};
use super::log::{EventLog, EventReader, Sync};
use super::request::JobRequest;

/// Events of one job, at most; progress that would be one more is not told.
const MOST_EVENTS: u64 = 200_000;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It fits a model.
    Training,
    /// It back-tests some.
    Backtest,
}

impl Kind {
    pub(super) const ALL: [Kind; 2] = [Kind::Training, Kind::Backtest];

    /// The collection in names of resources.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Kind::Training => "trainingJobs",
            Kind::Backtest => "backtestJobs",
        }
    }

    /// The folder below that of all jobs.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Kind::Training => "training",
            Kind::Backtest => "backtest",
        }
    }

    /// `longcast.v1.TrainingJob`, for details of errors.
    pub(super) fn message(self) -> &'static str {
        match self {
            Kind::Training => "longcast.v1.TrainingJob",
            Kind::Backtest => "longcast.v1.BacktestJob",
        }
    }
}

/// How far the events of a job go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The number of the last one.
    pub last: u64,
    /// Whether it is the last one for ever.
    pub is_over: bool,
    /// Whether it is the last one of this server, which is about to stop.
    pub is_put_aside: bool,
}

/// A job.
#[derive(Debug)]
pub struct Job {
    /// What it does.
    pub kind: Kind,
    /// Its number among those of its kind.
    pub id: u64,
    /// What was asked for, without the data.
    pub(super) brief: Brief,
    /// Where its files are.
    pub(super) folder: PathBuf,
    /// Ends its computation.
    pub(super) cancel: Cancel,
    inner: Mutex<Inner>,
    reach: watch::Sender<Reach>,
}

#[derive(Debug)]
struct Inner {
    snapshot: Snapshot,
    log: EventLog,
}

/// What is kept in memory of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// What is done.
    pub task: Task,
    /// The data set; empty where series came with the request.
    pub dataset: String,
    /// What makes the call repeatable.
    pub request_id: String,
    /// SHA-256 of the whole request.
    pub digest: [u8; 32],
}

/// What a job does, as it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// A training.
    Training {
        /// The model that gets a revision.
        model: String,
        /// What is fitted.
        spec: v1::TrainingSpec,
        /// Whether "default" points to the revision once it is there.
        makes_default: bool,
    },
    /// A back-test.
    Backtest(v1::BacktestSpec),
}

/// Names of the files of a job.
pub(super) const REQUEST: &str = "request.bin";
pub(super) const EVENTS: &str = "events.jsonl";
pub(super) const CHECKPOINT: &str = "state.training";

impl Job {
    /// A new job in a folder that holds everything but its log.
    pub(super) fn create(kind: Kind, id: u64, request: &JobRequest, folder: &Path) -> io::Result<Self> {
        let job = Snapshot::queued();
        let first = Event { number: 1, time: job.created, message: "queued".to_string(), job, fold: None };
        let log = EventLog::create(&folder.join(EVENTS), &first)?;
        Ok(Self::new(kind, id, request.brief(), folder, log, first.job))
    }

    /// A job as it was left.
    pub(super) fn open(kind: Kind, id: u64, folder: &Path) -> io::Result<Self> {
        let request = JobRequest::read(kind, &folder.join(REQUEST))?;
        let (log, last) = EventLog::open(&folder.join(EVENTS))?;
        Ok(Self::new(kind, id, request.brief(), folder, log, last.job))
    }

    fn new(kind: Kind, id: u64, brief: Brief, folder: &Path, log: EventLog, snapshot: Snapshot) -> Self {
        let reach = Reach { last: log.last(), is_over: snapshot.state.is_over(), is_put_aside: false };
        Job {
            kind,
            id,
            brief,
            folder: folder.to_path_buf(),
            cancel: Cancel::new(),
            inner: Mutex::new(Inner { snapshot, log }),
            reach: watch::Sender::new(reach),
        }
    }

    /// The same job below another folder, where it was moved to.
    pub(super) fn moved_to(mut self, folder: &Path) -> io::Result<Self> {
        self.folder = folder.to_path_buf();
        let (log, last) = EventLog::open(&folder.join(EVENTS))?;
        self.inner = Mutex::new(Inner { snapshot: last.job, log });
        Ok(self)
    }

    /// `trainingJobs/17`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.kind.collection(), self.id)
    }

    /// What was asked for, without the data.
    #[must_use]
    pub fn brief(&self) -> &Brief {
        &self.brief
    }

    /// How it stands, and the number of its last event.
    #[must_use]
    pub fn snapshot(&self) -> (Snapshot, u64) {
        let inner = self.inner();
        (inner.snapshot.clone(), inner.log.last())
    }

    /// Tells when there are more events.
    #[must_use]
    pub fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    /// Reads its events after one.
    ///
    /// # Errors
    /// If its log cannot be read.
    pub fn events(&self, after: u64) -> io::Result<EventReader> {
        self.inner().log.reader(after)
    }

    /// Tells those who watch that there is nothing more to see on this server.
    pub(super) fn put_aside(&self) {
        self.reach.send_modify(|reach| reach.is_put_aside = true);
    }

    /// Something that changes the job, unless it has ended.
    ///
    /// # Errors
    /// If the log cannot be written; the job is then as it was.
    pub(super) fn change(&self, message: &str, change: impl FnOnce(&mut Snapshot)) -> io::Result<()> {
        self.append(message, None, Sync::Now, |job| {
            // What was measured belongs to the events that tell it.
            job.training = None;
            change(job);
        })
    }

    /// Progress: it is told as long as there is room for it, and what cannot be written is not told.
    pub(super) fn progress(&self, message: &str, fold: Option<Fold>, change: impl FnOnce(&mut Snapshot)) {
        if self.inner().log.last() >= MOST_EVENTS {
            return;
        }
        if let Err(error) = self.append(message, fold, Sync::Later, change) {
            tracing::warn!(job = self.name(), %error, "an event could not be written");
        }
    }

    fn append(
        &self,
        message: &str,
        fold: Option<Fold>,
        sync: Sync,
        change: impl FnOnce(&mut Snapshot),
    ) -> io::Result<()> {
        let mut inner = self.inner();
        let mut job = inner.snapshot.clone();
        // Nothing happens to a job that has ended.
        if job.state.is_over() {
            return Ok(());
        }
        change(&mut job);
        job.updated = now();
        let (number, time) = (inner.log.last() + 1, job.updated);
        let event = Event { number, time, message: message.to_string(), job, fold };
        inner.log.append(&event, sync)?;
        let is_over = event.job.state.is_over();
        inner.snapshot = event.job;
        self.reach.send_modify(|reach| (reach.last, reach.is_over) = (number, is_over));
        Ok(())
    }

    /// How it ends when it has failed.
    pub(super) fn fail(&self, status: &Status) -> io::Result<()> {
        let error = rpc_status(status).encode_to_vec();
        self.change(&format!("failed: {}", status.message()), |job| {
            (job.state, job.error, job.ended) = (JobState::Failed, error, Some(now()));
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A snapshot is replaced whole, so a panic leaves none half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The details of a status are an encoded `google.rpc.Status`.
pub(super) fn rpc_status(status: &Status) -> tonic_types::Status {
    let plain = || tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_string(),
        details: Vec::new(),
    };
    match status.details() {
        [] => plain(),
        details => tonic_types::Status::decode(details).unwrap_or_else(|_| plain()),
    }
}
