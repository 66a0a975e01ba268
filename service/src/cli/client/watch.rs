//! `longcast client watch`: the events of a job, whatever becomes of the connection.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::JobState;
use forecast_proto::v1::evaluation_service_client::EvaluationServiceClient;
use forecast_proto::v1::training_service_client::TrainingServiceClient;
use tonic::Status;

use super::connect::{Connection, may_be_retried, refused};
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;

/// A lost connection is tried again as long as this, from the last event on.
const RETRY_FOR: Duration = Duration::from_secs(120);
const RETRY_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(
    connection: &Connection,
    job: &str,
    after: u64,
    console: &Console,
) -> Result<(), Failure> {
    let mut watch = Watch { connection, console, last: after, lost: None };
    match job.split_once('/') {
        Some(("trainingJobs", _)) => watch.training(job).await,
        Some(("backtestJobs", _)) => watch.backtest(job).await,
        _ => {
            let rule = "it must be trainingJobs/{j} or backtestJobs/{j}";
            Err(Failure::option("the job", format!("\"{job}\""), rule))
        }
    }
}

struct Watch<'a> {
    connection: &'a Connection,
    console: &'a Console,
    /// The number of the last event.
    last: u64,
    /// Since when there is no connection.
    lost: Option<Instant>,
}

impl Watch<'_> {
    async fn training(&mut self, name: &str) -> Result<(), Failure> {
        loop {
            match self.training_once(name).await {
                Ok(Some(job)) => return ended_training(&job, self.console),
                Ok(None) => {}
                Err(status) => self.lose(&status)?,
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    /// The job if it has ended; `None` if the stream has.
    async fn training_once(&mut self, name: &str) -> Result<Option<v1::TrainingJob>, Status> {
        let mut client = TrainingServiceClient::new(self.open().await?);
        let request = v1::WatchTrainingJobRequest { name: name.to_string(), after_event: self.last };
        let mut events = client.watch_training_job(request).await?.into_inner();
        let mut newest = None;
        while let Some(event) = events.message().await? {
            (self.last, self.lost) = (event.event, None);
            let figures = ["training_loss", "validation_loss", "windows_per_second"];
            let figures =
                figures.iter().filter_map(|name| event.metrics.get(*name).map(|value| (*name, *value)));
            let figures: Vec<(&str, f64)> = figures.collect();
            self.say(event.event, &event.message, &figures, event.time_left.as_ref());
            newest = event.training_job.filter(|job| is_over(job.state));
        }
        if newest.is_none() && self.last > 0 {
            // All was seen before.
            let request = v1::GetTrainingJobRequest { name: name.to_string() };
            let job =
                client.get_training_job(self.connection.request(request)).await?.into_inner().training_job;
            newest = job.filter(|job| is_over(job.state));
        }
        Ok(newest)
    }

    async fn backtest(&mut self, name: &str) -> Result<(), Failure> {
        loop {
            match self.backtest_once(name).await {
                Ok(Some(job)) => return ended_backtest(&job, self.console),
                Ok(None) => {}
                Err(status) => self.lose(&status)?,
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    async fn backtest_once(&mut self, name: &str) -> Result<Option<v1::BacktestJob>, Status> {
        let mut client = EvaluationServiceClient::new(self.open().await?);
        let request = v1::WatchBacktestJobRequest { name: name.to_string(), after_event: self.last };
        let mut events = client.watch_backtest_job(request).await?.into_inner();
        let mut newest = None;
        while let Some(event) = events.message().await? {
            (self.last, self.lost) = (event.event, None);
            let scores = event.fold_scores.first().map(|fold| &fold.scores);
            let figures = ["mae", "mase"].iter().filter_map(|name| Some((*name, *scores?.get(*name)?)));
            let figures: Vec<(&str, f64)> = figures.collect();
            self.say(event.event, &event.message, &figures, event.time_left.as_ref());
            newest = event.backtest_job.filter(|job| is_over(job.state));
        }
        if newest.is_none() && self.last > 0 {
            let request = v1::GetBacktestJobRequest { name: name.to_string() };
            let job =
                client.get_backtest_job(self.connection.request(request)).await?.into_inner().backtest_job;
            newest = job.filter(|job| is_over(job.state));
        }
        Ok(newest)
    }

    async fn open(&self) -> Result<super::connect::Transport, Status> {
        self.connection.open().await.map_err(|failure| match failure {
            Failure::User(message) | Failure::Internal(message) => Status::unavailable(message),
            Failure::OutputClosed => Status::cancelled("the output is closed"),
        })
    }

    /// Whether to try again.
    fn lose(&mut self, status: &Status) -> Result<(), Failure> {
        let since = *self.lost.get_or_insert_with(Instant::now);
        // The first connection has to succeed.
        if self.last == 0 || !may_be_retried(status) || since.elapsed() > RETRY_FOR {
            return Err(refused(status));
        }
        if since.elapsed() < RETRY_EVERY {
            self.console.note(format!("the connection is lost ({}); trying again", status.message()));
        }
        Ok(())
    }

    fn say(&self, number: u64, message: &str, figures: &[(&str, f64)], left: Option<&prost_types::Duration>) {
        let mut line = format!("{number}: {message}");
        for (name, value) in figures {
            line += &format!(", {name} {value:.4}");
        }
        if let Some(left) = left {
            line += &format!(", {} s left", left.seconds);
        }
        self.console.note(line);
    }
}

pub(crate) fn is_over(state: i32) -> bool {
    matches!(JobState::try_from(state), Ok(JobState::Succeeded | JobState::Failed | JobState::Cancelled))
}

/// `SUCCEEDED`
pub(crate) fn state_name(state: i32) -> &'static str {
    let name = JobState::try_from(state).unwrap_or(JobState::Unspecified).as_str_name();
    name.strip_prefix("JOB_STATE_").unwrap_or(name)
}

fn ended_training(job: &v1::TrainingJob, console: &Console) -> Result<(), Failure> {
    check_succeeded(&job.name, job.state, job.error.as_ref())?;
    console.say(format!("{} made {}", job.name, job.model_revision))?;
    let mut metrics: Vec<(&String, &f64)> = job.metrics.iter().collect();
    metrics.sort_by_key(|(name, _)| *name);
    for (name, value) in metrics {
        console.say(format!("  {name} {value:.4}"))?;
    }
    console.json(&serde_json::json!({
        "job": job.name, "state": state_name(job.state), "revision": job.model_revision, "metrics": job.metrics,
    }))
}

fn ended_backtest(job: &v1::BacktestJob, console: &Console) -> Result<(), Failure> {
    check_succeeded(&job.name, job.state, job.error.as_ref())?;
    let mut metrics: Vec<&String> = job.scores.iter().flat_map(|scores| scores.scores.keys()).collect();
    metrics.sort();
    metrics.dedup();
    let heading = std::iter::once("metric".to_string()).chain(job.scores.iter().map(|of| of.model.clone()));
    let mut rows: Vec<Vec<String>> = vec![heading.collect()];
    for metric in metrics {
        let values =
            job.scores.iter().map(|of| of.scores.get(metric).map_or("-".to_string(), |v| format!("{v:.4}")));
        rows.push(std::iter::once(metric.clone()).chain(values).collect());
    }
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    let scores: serde_json::Map<String, serde_json::Value> =
        job.scores.iter().map(|of| (of.model.clone(), serde_json::json!(of.scores))).collect();
    console.json(&serde_json::json!({ "job": job.name, "state": state_name(job.state), "scores": scores }))
}

fn check_succeeded(name: &str, state: i32, error: Option<&tonic_types::Status>) -> Result<(), Failure> {
    match (JobState::try_from(state), error) {
        (Ok(JobState::Succeeded), _) => Ok(()),
        (_, Some(error)) => Err(Failure::User(format!("{name} failed: {}", error.message))),
        _ => Err(Failure::User(format!("{name} was cancelled"))),
    }
}
