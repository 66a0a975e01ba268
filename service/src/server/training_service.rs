//! `TrainingService`: trainings as jobs, and the data sets that they read.

use std::pin::Pin;

use forecast_proto::v1;
use forecast_proto::v1::training_service_server::TrainingService;
use forecast_proto::v1::upload_dataset_request::Payload;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::Reason;
use super::job_events;
use super::job_pages::{after, page_size, token};
use super::status::internal;
use crate::jobs::{JobRequest, Jobs, Kind, Task, message};

/// Messages of an upload that are held between the network and the disk.
const UPLOAD_AHEAD: usize = 4;

/// Trainings.
#[derive(Debug, Clone)]
pub struct Trainings {
    jobs: Jobs,
}

impl Trainings {
    /// The service of some jobs.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Trainings { jobs }
    }
}

/// Runs what may block, such as writing files.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(internal(&error.to_string())))
}

type Events = Pin<Box<dyn Stream<Item = Result<v1::WatchTrainingJobResponse, Status>> + Send>>;

#[tonic::async_trait]
impl TrainingService for Trainings {
    async fn create_training_job(
        &self,
        request: Request<v1::CreateTrainingJobRequest>,
    ) -> Result<Response<v1::CreateTrainingJobResponse>, Status> {
        let (jobs, request) = (self.jobs.clone(), request.into_inner());
        let training_job = blocking(move || {
            let is_only_checked = request.validate_only;
            let request = JobRequest::Training(request);
            if is_only_checked {
                jobs.check(&request)?;
                return Ok(message::training_to_be(&request));
            }
            Ok(message::training(&jobs, &*jobs.create(&request)?))
        });
        Ok(Response::new(v1::CreateTrainingJobResponse { training_job: Some(training_job.await?) }))
    }

    async fn get_training_job(
        &self,
        request: Request<v1::GetTrainingJobRequest>,
    ) -> Result<Response<v1::GetTrainingJobResponse>, Status> {
        let job = self.jobs.find(Kind::Training, &request.into_inner().name)?;
        let training_job = Some(message::training(&self.jobs, &job));
        Ok(Response::new(v1::GetTrainingJobResponse { training_job }))
    }

    async fn list_training_jobs(
        &self,
        request: Request<v1::ListTrainingJobsRequest>,
    ) -> Result<Response<v1::ListTrainingJobsResponse>, Status> {
        let v1::ListTrainingJobsRequest { page_size: asked, page_token, filter: model } =
            request.into_inner();
        let most = page_size(asked)?;
        // A token belongs to the list of one model, or of all.
        let list = format!("trainingJobs of {model}");
        let before = after(&list, &page_token)?.and_then(|id| id.parse().ok());
        let keep = |job: &crate::jobs::Job| match &job.brief().task {
            Task::Training { model: own, .. } => model.is_empty() || *own == model,
            Task::Backtest(_) => false,
        };
        let jobs = self.jobs.list(Kind::Training, before, most + 1, &keep);
        let next = (jobs.len() > most).then(|| token(&list, &jobs[most - 1].id.to_string()));
        let training_jobs = jobs.iter().take(most).map(|job| message::training(&self.jobs, job)).collect();
        let next_page_token = next.unwrap_or_default();
        Ok(Response::new(v1::ListTrainingJobsResponse { training_jobs, next_page_token }))
    }

    async fn cancel_training_job(
        &self,
        request: Request<v1::CancelTrainingJobRequest>,
    ) -> Result<Response<v1::CancelTrainingJobResponse>, Status> {
        let (jobs, name) = (self.jobs.clone(), request.into_inner().name);
        let training_job = blocking(move || {
            let job = jobs.find(Kind::Training, &name)?;
            jobs.cancel(&job)?;
            Ok(message::training(&jobs, &job))
        });
        Ok(Response::new(v1::CancelTrainingJobResponse { training_job: Some(training_job.await?) }))
    }

    async fn delete_training_job(
        &self,
        request: Request<v1::DeleteTrainingJobRequest>,
    ) -> Result<Response<v1::DeleteTrainingJobResponse>, Status> {
        let (jobs, name) = (self.jobs.clone(), request.into_inner().name);
        blocking(move || jobs.delete(Kind::Training, &name)).await?;
        Ok(Response::new(v1::DeleteTrainingJobResponse {}))
    }

    type WatchTrainingJobStream = Events;

    async fn watch_training_job(
        &self,
        request: Request<v1::WatchTrainingJobRequest>,
    ) -> Result<Response<Self::WatchTrainingJobStream>, Status> {
        let request = request.into_inner();
        let job = self.jobs.find(Kind::Training, &request.name)?;
        let events = job_events::after(&job, request.after_event)?;
        let messages: Events =
            Box::pin(events.map(move |event| event.map(|event| message::training_event(&job, event))));
        Ok(Response::new(messages))
    }

    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<v1::UploadDatasetResponse>, Status> {
        let mut messages = request.into_inner();
        let header = match messages.message().await?.and_then(|first| first.payload) {
            Some(Payload::Header(header)) => header,
            _ => return Err(Reason::FieldInvalid.at("header", "the first message has to be the header")),
        };
        let (send, mut receive) = mpsc::channel::<Option<v1::UploadDatasetRequest>>(UPLOAD_AHEAD);
        let jobs = self.jobs.clone();
        let stored = tokio::task::spawn_blocking(move || {
            let mut upload = jobs.datasets().upload(header)?;
            while let Some(message) = receive.blocking_recv() {
                match message {
                    Some(message) => upload.take(message)?,
                    None => return upload.finish(),
                }
            }
            // The client went away before the end.
            Err(Reason::FieldInvalid.at("payload", "the upload ended before it was complete"))
        });
        let mut broken = None;
        loop {
            match messages.message().await {
                Ok(Some(message)) => {
                    // Nobody receives any more if a message was refused.
                    if send.send(Some(message)).await.is_err() {
                        break;
                    }
                }
                Ok(None) => {
                    let _ = send.send(None).await;
                    break;
                }
                Err(status) => {
                    broken = Some(status);
                    break;
                }
            }
        }
        drop(send);
        let stored = stored.await.unwrap_or_else(|error| Err(internal(&error.to_string())));
        match broken {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::UploadDatasetResponse { stored: Some(stored?) })),
        }
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let v1::ListDatasetsRequest { page_size: asked, page_token } = request.into_inner();
        let most = page_size(asked)?;
        let last = after("datasets", &page_token)?.unwrap_or_default();
        let mut datasets = self.jobs.datasets().list(&last, most + 1);
        let is_last = datasets.len() <= most;
        datasets.truncate(most);
        let last = datasets.last().and_then(|set| set.name.strip_prefix("datasets/"));
        let next = last.filter(|_| !is_last).map(|last| token("datasets", last));
        Ok(Response::new(v1::ListDatasetsResponse { datasets, next_page_token: next.unwrap_or_default() }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        let (jobs, name) = (self.jobs.clone(), request.into_inner().name);
        blocking(move || jobs.datasets().delete(&name)).await?;
        Ok(Response::new(v1::DeleteDatasetResponse {}))
    }
}
