//! `longcast client jobs`: trainings and back-tests, listed, shown, cancelled, removed.

use forecast_proto::v1;
use forecast_proto::v1::evaluation_service_client::EvaluationServiceClient;
use forecast_proto::v1::training_service_client::TrainingServiceClient;
use serde_json::json;

use super::connect::{Connection, Transport, refused};
use super::watch::state_name;
use crate::cli::args::JobsAction;
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;

pub(crate) async fn run(
    connection: &Connection,
    action: &JobsAction,
    console: &Console,
) -> Result<(), Failure> {
    let transport = connection.open().await?;
    let mut calls = Calls {
        connection,
        trainings: TrainingServiceClient::new(transport.clone()),
        evaluations: EvaluationServiceClient::new(transport),
    };
    let told = match action {
        JobsAction::List => return list(calls.all().await?, console),
        JobsAction::Show { job } => calls.show(job).await?,
        JobsAction::Cancel { job } => calls.cancel(job).await?,
        JobsAction::Delete { job } => {
            calls.delete(job).await?;
            return console.say(format!("deleted {job}"));
        }
    };
    for line in console::columns(&[told.heading(), told.row()]) {
        console.say(line)?;
    }
    console.json(&told.json())
}

fn list(all: Vec<Told>, console: &Console) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> =
        all.first().map(Told::heading).into_iter().chain(all.iter().map(Told::row)).collect();
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    console.json(&all.iter().map(Told::json).collect::<Vec<_>>())
}

/// What is told of a job.
struct Told {
    name: String,
    state: &'static str,
    progress: f64,
    result: String,
}

impl Told {
    fn training(job: Option<v1::TrainingJob>) -> Self {
        let job = job.unwrap_or_default();
        let error = job.error.map(|error| error.message);
        let result =
            error.unwrap_or(if job.model_revision.is_empty() { job.model } else { job.model_revision });
        Told { name: job.name, state: state_name(job.state), progress: job.progress, result }
    }

    fn backtest(job: Option<v1::BacktestJob>) -> Self {
        let job = job.unwrap_or_default();
        let best = job.scores.first().map(|scores| format!("best: {}", scores.model));
        let result = job.error.map(|error| error.message).or(best).unwrap_or(job.dataset);
        Told { name: job.name, state: state_name(job.state), progress: job.progress, result }
    }

    fn heading(&self) -> Vec<String> {
        ["name", "state", "done", "result"].map(str::to_string).to_vec()
    }

    fn row(&self) -> Vec<String> {
        let done = format!("{:.0} %", self.progress * 100.0);
        vec![self.name.clone(), self.state.to_string(), done, self.result.clone()]
    }

    fn json(&self) -> serde_json::Value {
        json!({ "name": self.name, "state": self.state, "progress": self.progress, "result": self.result })
    }
}

struct Calls<'a> {
    connection: &'a Connection,
    trainings: TrainingServiceClient<Transport>,
    evaluations: EvaluationServiceClient<Transport>,
}

impl Calls<'_> {
    async fn all(&mut self) -> Result<Vec<Told>, Failure> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListTrainingJobsRequest { page_size: 1_000, page_token, filter: String::new() };
            let page = self.trainings.list_training_jobs(self.connection.request(request)).await;
            let page = page.map_err(|status| refused(&status))?.into_inner();
            all.extend(page.training_jobs.into_iter().map(|job| Told::training(Some(job))));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        loop {
            let request = v1::ListBacktestJobsRequest { page_size: 1_000, page_token };
            let page = self.evaluations.list_backtest_jobs(self.connection.request(request)).await;
            let page = page.map_err(|status| refused(&status))?.into_inner();
            all.extend(page.backtest_jobs.into_iter().map(|job| Told::backtest(Some(job))));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    async fn show(&mut self, name: &str) -> Result<Told, Failure> {
        if is_training(name)? {
            let request = self.connection.request(v1::GetTrainingJobRequest { name: name.to_string() });
            let answer = self.trainings.get_training_job(request).await.map_err(|status| refused(&status))?;
            return Ok(Told::training(answer.into_inner().training_job));
        }
        let request = self.connection.request(v1::GetBacktestJobRequest { name: name.to_string() });
        let answer = self.evaluations.get_backtest_job(request).await.map_err(|status| refused(&status))?;
        Ok(Told::backtest(answer.into_inner().backtest_job))
    }

    async fn cancel(&mut self, name: &str) -> Result<Told, Failure> {
        if is_training(name)? {
            let request = self.connection.request(v1::CancelTrainingJobRequest { name: name.to_string() });
            let answer =
                self.trainings.cancel_training_job(request).await.map_err(|status| refused(&status))?;
            return Ok(Told::training(answer.into_inner().training_job));
        }
        let request = self.connection.request(v1::CancelBacktestJobRequest { name: name.to_string() });
        let answer =
            self.evaluations.cancel_backtest_job(request).await.map_err(|status| refused(&status))?;
        Ok(Told::backtest(answer.into_inner().backtest_job))
    }

    async fn delete(&mut self, name: &str) -> Result<(), Failure> {
        let name = name.to_string();
        if is_training(&name)? {
            let request = self.connection.request(v1::DeleteTrainingJobRequest { name });
            self.trainings.delete_training_job(request).await.map_err(|status| refused(&status))?;
        } else {
            let request = self.connection.request(v1::DeleteBacktestJobRequest { name });
            self.evaluations.delete_backtest_job(request).await.map_err(|status| refused(&status))?;
        }
        Ok(())
    }
}

fn is_training(name: &str) -> Result<bool, Failure> {
    match name.split_once('/') {
        Some(("trainingJobs", _)) => Ok(true),
        Some(("backtestJobs", _)) => Ok(false),
        _ => {
            let rule = "it must be trainingJobs/{j} or backtestJobs/{j}";
            Err(Failure::option("the job", format!("\"{name}\""), rule))
        }
    }
}
