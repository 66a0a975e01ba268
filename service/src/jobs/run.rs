//! One job from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use forecast::Panel;
use tonic::Status;

use super::event::{JobState, Snapshot, now};
use super::job::{CHECKPOINT, Job, REQUEST, Task};
use super::jobs::Shared;
use super::request::JobRequest;
use super::spec::{Violations, read_options};
use super::{backtest, data, datasets, series, train};
use crate::server::Reason;
use crate::server::status::{from_error, internal};
use forecast_proto::v1;

/// Why a job did not come to a result.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its flag was set: it was cancelled, or the server stops.
    Cancelled,
    /// It failed.
    Failed(Box<Status>),
}

impl From<Status> for Stopped {
    fn from(status: Status) -> Self {
        Stopped::Failed(Box::new(status))
    }
}

/// How a job changes when it has a result.
pub(super) type Outcome = Box<dyn FnOnce(&mut Snapshot) + Send>;

/// Runs a job; whatever happens is written down, unless the server stops: then it stays as it stands.
pub(super) fn lead(shared: &Shared, job: &Job) {
    let begun = match job.snapshot().0.is_cancelled {
        // Asked before a restart.
        true => Err(Stopped::Cancelled),
        false => begin(job),
    };
    let outcome = begun.and_then(|()| {
        let run = || shared.pool.install(|| run(shared, job));
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(internal("the computation panicked; please report it").into()))
    });
    let is_cancelled = job.snapshot().0.is_cancelled;
    let written = match outcome {
        Ok(outcome) => job.change("succeeded", |job| {
            outcome(job);
            (job.state, job.progress, job.ended) = (JobState::Succeeded, 1.0, Some(now()));
        }),
        Err(Stopped::Cancelled) if is_cancelled => job.change("cancelled", |job| {
            (job.state, job.ended) = (JobState::Cancelled, Some(now()));
        }),
        // It goes on at the next start.
        Err(Stopped::Cancelled) => return,
        Err(Stopped::Failed(status)) => job.fail(&status),
    };
    if let Err(error) = written {
        tracing::error!(job = job.name(), %error, "the end of a job could not be written; it runs again at the next start");
        return;
    }
    for file in [CHECKPOINT, datasets::DATA, datasets::ABOUT] {
        // What is not there need not be removed.
        let _ = std::fs::remove_file(job.folder.join(file));
    }
}

fn begin(job: &Job) -> Result<(), Stopped> {
    let attempts = job.snapshot().0.attempts + 1;
    let message = if attempts == 1 { "begun" } else { "goes on after a restart of the server" };
    let begun = job.change(message, |job| {
        (job.state, job.attempts, job.started) = (JobState::Running, attempts, Some(now()));
    });
    begun.map_err(|error| datasets::io_status(error).into())
}

fn run(shared: &Shared, job: &Job) -> Result<Outcome, Stopped> {
    let request = JobRequest::read(job.kind, &job.folder.join(REQUEST)).map_err(datasets::io_status)?;
    match &job.brief.task {
        Task::Training { spec, .. } => train::run(shared, job, &panel(job, &request, Some(spec))?),
        Task::Backtest(spec) => backtest::run(shared, job, spec, &panel(job, &request, spec.models.first())?),
    }
}

/// The data of a job.
fn panel(job: &Job, request: &JobRequest, spec: Option<&v1::TrainingSpec>) -> Result<Panel, Status> {
    let (series, channels) = request.inline();
    if let Some(panel) = series::panel(series, &channels, "inline_series")? {
        return Ok(panel);
    }
    let mut broken = Violations::default();
    let options = spec.map(|spec| read_options(spec, "spec", &mut broken)).unwrap_or_default();
    broken.into_result()?;
    data::read(request.dataset(), &job.folder, &options)
}

/// What the library refused, as the end of a job; `path` is that of the settings.
pub(super) fn refused_by_library(error: &forecast::Error, path: &str) -> Stopped {
    match error {
        forecast::Error::Cancelled => Stopped::Cancelled,
        forecast::Error::BadOption { field, .. } => {
            Reason::FieldInvalid.at(&format!("{path}.{field}"), &error.to_string()).into()
        }
        error if error.is_user_error() => {
            let of_series: Vec<(&str, String)> =
                error.series().map(|series| ("series_id", series.to_string())).into_iter().collect();
            Reason::FitFailed.status(error.to_string(), &of_series).into()
        }
        error => from_error(error, path).into(),
    }
}
