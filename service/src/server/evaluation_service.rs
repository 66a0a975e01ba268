//! `EvaluationService`: back-tests as jobs.

use std::pin::Pin;

use forecast_proto::v1;
use forecast_proto::v1::evaluation_service_server::EvaluationService;
use futures_util::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use super::job_events;
use super::job_pages::{after, page_size, token};
use super::training_service::blocking;
use crate::jobs::{JobRequest, Jobs, Kind, message};

/// Back-tests.
#[derive(Debug, Clone)]
pub struct Evaluations {
    jobs: Jobs,
}

impl Evaluations {
    /// The service of some jobs.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Evaluations { jobs }
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<v1::WatchBacktestJobResponse, Status>> + Send>>;

#[tonic::async_trait]
impl EvaluationService for Evaluations {
    async fn create_backtest_job(
        &self,
        request: Request<v1::CreateBacktestJobRequest>,
    ) -> Result<Response<v1::CreateBacktestJobResponse>, Status> {
        let (jobs, request) = (self.jobs.clone(), request.into_inner());
        let backtest_job = blocking(move || {
            let is_only_checked = request.validate_only;
            let request = JobRequest::Backtest(request);
            if is_only_checked {
                jobs.check(&request)?;
                return Ok(message::backtest_to_be(&request));
            }
            Ok(message::backtest(&jobs, &*jobs.create(&request)?))
        });
        Ok(Response::new(v1::CreateBacktestJobResponse { backtest_job: Some(backtest_job.await?) }))
    }

    async fn get_backtest_job(
        &self,
        request: Request<v1::GetBacktestJobRequest>,
    ) -> Result<Response<v1::GetBacktestJobResponse>, Status> {
        let job = self.jobs.find(Kind::Backtest, &request.into_inner().name)?;
        let backtest_job = Some(message::backtest(&self.jobs, &job));
        Ok(Response::new(v1::GetBacktestJobResponse { backtest_job }))
    }

    async fn list_backtest_jobs(
        &self,
        request: Request<v1::ListBacktestJobsRequest>,
    ) -> Result<Response<v1::ListBacktestJobsResponse>, Status> {
        let v1::ListBacktestJobsRequest { page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked)?;
        let before = after("backtestJobs", &page_token)?.and_then(|id| id.parse().ok());
        let jobs = self.jobs.list(Kind::Backtest, before, most + 1, &|_| true);
        let next = (jobs.len() > most).then(|| token("backtestJobs", &jobs[most - 1].id.to_string()));
        let backtest_jobs = jobs.iter().take(most).map(|job| message::backtest(&self.jobs, job)).collect();
        let next_page_token = next.unwrap_or_default();
        Ok(Response::new(v1::ListBacktestJobsResponse { backtest_jobs, next_page_token }))
    }

    async fn cancel_backtest_job(
        &self,
        request: Request<v1::CancelBacktestJobRequest>,
    ) -> Result<Response<v1::CancelBacktestJobResponse>, Status> {
        let (jobs, name) = (self.jobs.clone(), request.into_inner().name);
        let backtest_job = blocking(move || {
            let job = jobs.find(Kind::Backtest, &name)?;
            jobs.cancel(&job)?;
            Ok(message::backtest(&jobs, &job))
        });
        Ok(Response::new(v1::CancelBacktestJobResponse { backtest_job: Some(backtest_job.await?) }))
    }

    async fn delete_backtest_job(
        &self,
        request: Request<v1::DeleteBacktestJobRequest>,
    ) -> Result<Response<v1::DeleteBacktestJobResponse>, Status> {
        let (jobs, name) = (self.jobs.clone(), request.into_inner().name);
        blocking(move || jobs.delete(Kind::Backtest, &name)).await?;
        Ok(Response::new(v1::DeleteBacktestJobResponse {}))
    }

    type WatchBacktestJobStream = Events;

    async fn watch_backtest_job(
        &self,
        request: Request<v1::WatchBacktestJobRequest>,
    ) -> Result<Response<Self::WatchBacktestJobStream>, Status> {
        let request = request.into_inner();
        let job = self.jobs.find(Kind::Backtest, &request.name)?;
        let events = job_events::after(&job, request.after_event)?;
        let messages: Events =
            Box::pin(events.map(move |event| event.map(|event| message::backtest_event(&job, event))));
        Ok(Response::new(messages))
    }
}
