//! Jobs as messages.

use std::collections::HashMap;
use std::time::Duration;

use forecast_proto::v1;
use prost::Message;

use super::event::{Event, JobState, ModelScores, Snapshot};
use super::job::{Brief, Job, Task};
use super::jobs::Jobs;
use super::request::JobRequest;

/// A training as it stands.
#[must_use]
pub fn training(jobs: &Jobs, job: &Job) -> v1::TrainingJob {
    let (snapshot, last) = job.snapshot();
    let queue_position = if snapshot.state == JobState::Queued { count(jobs.n_ahead(job)) } else { 0 };
    let message = training_as_of(&job.name(), &job.brief, &snapshot, last);
    v1::TrainingJob { queue_position, ..message }
}

/// The training that a request would make.
#[must_use]
pub fn training_to_be(request: &JobRequest) -> v1::TrainingJob {
    training_as_of("", &request.brief(), &Snapshot::queued(), 0)
}

/// An event of a training.
#[must_use]
pub fn training_event(job: &Job, event: Event) -> v1::WatchTrainingJobResponse {
    let at = event.job.training.as_ref();
    let metrics: HashMap<String, f64> = at.map_or_else(HashMap::new, |at| {
        let mut metrics = HashMap::from([
            ("epoch".to_string(), at.epoch as f64),
            ("epochs".to_string(), at.n_epochs as f64),
            ("step".to_string(), (at.epoch.saturating_sub(1) * at.n_batches + at.batch) as f64),
            ("steps".to_string(), (at.n_epochs * at.n_batches) as f64),
            ("training_loss".to_string(), at.loss),
            ("learning_rate".to_string(), at.learning_rate),
            ("gradient_norm".to_string(), at.gradient_norm),
            ("windows_per_second".to_string(), at.windows_per_second),
        ]);
        metrics.extend(at.validation.map(|loss| ("validation_loss".to_string(), loss)));
        metrics
    });
    let left = at.filter(|_| event.job.state == JobState::Running).map(|at| seconds(at.seconds_left));
    v1::WatchTrainingJobResponse {
        event: event.number,
        training_job: Some(training_as_of(&job.name(), &job.brief, &event.job, event.number)),
        metrics,
        message: event.message,
        event_time: Some(timestamp(event.time)),
        time_left: left,
    }
}

/// A back-test as it stands.
#[must_use]
pub fn backtest(jobs: &Jobs, job: &Job) -> v1::BacktestJob {
    let (snapshot, last) = job.snapshot();
    let queue_position = if snapshot.state == JobState::Queued { count(jobs.n_ahead(job)) } else { 0 };
    let message = backtest_as_of(&job.name(), &job.brief, &snapshot, last);
    v1::BacktestJob { queue_position, ..message }
}

/// The back-test that a request would make.
#[must_use]
pub fn backtest_to_be(request: &JobRequest) -> v1::BacktestJob {
    backtest_as_of("", &request.brief(), &Snapshot::queued(), 0)
}

/// An event of a back-test.
#[must_use]
pub fn backtest_event(job: &Job, event: Event) -> v1::WatchBacktestJobResponse {
    let left = time_left(&event.job, event.time);
    let mut message = v1::WatchBacktestJobResponse {
        event: event.number,
        backtest_job: Some(backtest_as_of(&job.name(), &job.brief, &event.job, event.number)),
        message: event.message,
        event_time: Some(timestamp(event.time)),
        time_left: left,
        ..v1::WatchBacktestJobResponse::default()
    };
    if let Some(fold) = event.fold {
        message.series_id = fold.unique_id;
        message.origin_unix_nano = fold.cutoff;
        let scores = fold.scores.into_iter().collect();
        message.fold_scores = vec![v1::ModelScores { model: fold.model, scores, forecast_count: 1 }];
    }
    message
}

/// Time left if what is to be done takes as long as what was.
fn time_left(job: &Snapshot, now: u64) -> Option<prost_types::Duration> {
    let begun = job.started.filter(|_| job.state == JobState::Running && job.progress > 0.0)?;
    let elapsed = Duration::from_nanos(now.saturating_sub(begun)).as_secs_f64();
    Some(seconds(elapsed * (1.0 - job.progress) / job.progress))
}

fn training_as_of(name: &str, brief: &Brief, job: &Snapshot, last: u64) -> v1::TrainingJob {
    let Task::Training { model, spec, .. } = &brief.task else { return v1::TrainingJob::default() };
    v1::TrainingJob {
        name: name.to_string(),
        state: state(job.state).into(),
        model: model.clone(),
        model_revision: job.revision.clone(),
        error: error(job),
        progress: job.progress,
        create_time: Some(timestamp(job.created)),
        update_time: Some(timestamp(job.updated)),
        etag: format!("\"{last}\""),
        spec: Some(spec.clone()),
        dataset: brief.dataset.clone(),
        start_time: job.started.map(timestamp),
        end_time: job.ended.map(timestamp),
        last_event: last,
        queue_position: 0,
        metrics: job.metrics.clone().into_iter().collect(),
        attempt_count: i32::try_from(job.attempts).unwrap_or(i32::MAX),
    }
}

fn backtest_as_of(name: &str, brief: &Brief, job: &Snapshot, last: u64) -> v1::BacktestJob {
    let Task::Backtest(spec) = &brief.task else { return v1::BacktestJob::default() };
    v1::BacktestJob {
        name: name.to_string(),
        state: state(job.state).into(),
        spec: Some(spec.clone()),
        progress: job.progress,
        error: error(job),
        create_time: Some(timestamp(job.created)),
        update_time: Some(timestamp(job.updated)),
        end_time: job.ended.map(timestamp),
        dataset: brief.dataset.clone(),
        scores: job.scores.iter().map(scores).collect(),
        last_event: last,
        queue_position: 0,
        start_time: job.started.map(timestamp),
    }
}

fn scores(of: &ModelScores) -> v1::ModelScores {
    v1::ModelScores {
        model: of.model.clone(),
        scores: of.scores.clone().into_iter().collect(),
        forecast_count: i64::try_from(of.n_forecasts).unwrap_or(i64::MAX),
    }
}

fn state(state: JobState) -> v1::JobState {
    match state {
        JobState::Queued => v1::JobState::Queued,
        JobState::Running => v1::JobState::Running,
        JobState::Succeeded => v1::JobState::Succeeded,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

fn error(job: &Snapshot) -> Option<tonic_types::Status> {
    let bytes = Some(&job.error[..]).filter(|bytes| !bytes.is_empty())?;
    tonic_types::Status::decode(bytes).ok()
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// A time as a message.
pub(super) fn timestamp(nanos: u64) -> prost_types::Timestamp {
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: i32::try_from(rest).unwrap_or(0),
    }
}

fn seconds(seconds: f64) -> prost_types::Duration {
    let duration = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}
