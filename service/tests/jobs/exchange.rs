//! Jobs in this process behind their services, and clients of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forecast_proto::v1;
use forecast_proto::v1::evaluation_service_client::EvaluationServiceClient;
use forecast_proto::v1::evaluation_service_server::EvaluationServiceServer;
use forecast_proto::v1::training_service_client::TrainingServiceClient;
use forecast_proto::v1::training_service_server::TrainingServiceServer;
use longcast::jobs::{Jobs, JobsConfig};
use longcast::operation::Metrics;
use longcast::operation::compute::Compute;
use longcast::registry::{Registry, RegistryLimits};
use longcast::server::{Evaluations, Trainings};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt;

use crate::run::wave;

/// No exchange takes longer than this.
pub(crate) const LIMIT: Duration = Duration::from_secs(600);
const HOUR: i64 = 3_600_000_000_000;

/// Jobs that are served until they are dropped.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) jobs: Jobs,
    pub(crate) registry: Registry,
    pub(crate) trainings: TrainingServiceClient<Channel>,
    pub(crate) evaluations: EvaluationServiceClient<Channel>,
    server: tokio::task::JoinHandle<()>,
}

/// Every step of a training is an event.
pub(crate) fn config() -> JobsConfig {
    JobsConfig { progress_every: Duration::ZERO, ..JobsConfig::default() }
}

impl Served {
    /// The jobs and models of a folder.
    pub(crate) async fn open(folder: &Path, config: &JobsConfig) -> Self {
        let registry = Registry::open(&folder.join("registry"), RegistryLimits::default()).unwrap();
        let compute = Compute::new(2, 2, 100, Duration::from_secs(5), &Metrics::default()).unwrap();
        let background = Arc::clone(compute.trainings());
        let jobs = Jobs::open(&folder.join("jobs"), config, Arc::new(registry.clone()), background).unwrap();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tonic::transport::Server::builder()
            .add_service(TrainingServiceServer::new(Trainings::new(jobs.clone())))
            .add_service(EvaluationServiceServer::new(Evaluations::new(jobs.clone())))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { serve.await.unwrap() });
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let (trainings, evaluations) =
            (TrainingServiceClient::new(channel.clone()), EvaluationServiceClient::new(channel));
        Served { jobs, registry, trainings, evaluations, server }
    }

    pub(crate) async fn train(&mut self, request: v1::CreateTrainingJobRequest) -> v1::TrainingJob {
        self.trainings.create_training_job(request).await.unwrap().into_inner().training_job.unwrap()
    }

    /// The events of a training after one, until it has ended.
    pub(crate) async fn events(&mut self, job: &str, after: u64) -> Vec<v1::WatchTrainingJobResponse> {
        let request = v1::WatchTrainingJobRequest { name: job.to_string(), after_event: after };
        let mut stream = self.trainings.watch_training_job(request).await.unwrap().into_inner();
        let mut events = Vec::new();
        let all = async {
            while let Some(event) = stream.message().await.unwrap() {
                events.push(event);
            }
        };
        tokio::time::timeout(LIMIT, all).await.expect("the job ends in time");
        events
    }

    /// A training as it ended.
    pub(crate) async fn ended(&mut self, job: &str) -> v1::TrainingJob {
        self.events(job, 0).await.pop().unwrap().training_job.unwrap()
    }

    /// Stops the jobs as a server does.
    pub(crate) async fn stop(self) {
        let jobs = self.jobs.clone();
        tokio::task::spawn_blocking(move || jobs.stop()).await.unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Hours from 2024 on, as a message.
pub(crate) fn series(id: &str, values: Vec<f64>) -> v1::Series {
    let regular = v1::RegularAxis {
        start_unix_nano: 1_704_067_200_000_000_000,
        step: Some(v1::regular_axis::Step::StepNano(HOUR)),
        ..v1::RegularAxis::default()
    };
    let axis = v1::TimeAxis { axis: Some(v1::time_axis::Axis::Regular(regular)) };
    v1::Series { series_id: id.to_string(), axis: Some(axis), values, covariates: Vec::new() }
}

/// A family with settings.
pub(crate) fn spec(family: &str, settings: &[(&str, &str)]) -> v1::TrainingSpec {
    v1::TrainingSpec {
        family: family.to_string(),
        settings: settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect(),
        horizon: 6,
        ..v1::TrainingSpec::default()
    }
}

/// A network with as many epochs as it is given.
pub(crate) fn network(epochs: &str) -> v1::TrainingSpec {
    spec(
        "informer",
        &[
            ("lookback", "24"),
            ("label_length", "12"),
            ("d_model", "8"),
            ("n_heads", "2"),
            ("d_ff", "16"),
            ("epochs", epochs),
            ("patience", epochs),
        ],
    )
}

/// A training of some hours.
pub(crate) fn training(spec: v1::TrainingSpec) -> v1::CreateTrainingJobRequest {
    v1::CreateTrainingJobRequest {
        model: "models/load".to_string(),
        inline_series: vec![series("load", wave(500, 1))],
        spec: Some(spec),
        make_default: true,
        ..v1::CreateTrainingJobRequest::default()
    }
}

/// The reason of a refusal, and the fields that it names.
pub(crate) fn refusal(status: &Status) -> (String, Vec<String>) {
    let details = status.get_error_details();
    let fields = details.bad_request().map_or_else(Vec::new, |request| {
        request.field_violations.iter().map(|violation| violation.field.clone()).collect()
    });
    (details.error_info().map_or_else(String::new, |info| info.reason.clone()), fields)
}
