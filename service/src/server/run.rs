//! Putting the services together, listening, serving and stopping.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forecast_proto::v1::evaluation_service_server::EvaluationServiceServer;
use forecast_proto::v1::forecast_service_server::ForecastServiceServer;
use forecast_proto::v1::model_admin_service_server::ModelAdminServiceServer;
use forecast_proto::v1::model_service_server::ModelServiceServer;
use forecast_proto::v1::server_service_server::ServerServiceServer;
use forecast_proto::v1::session_service_server::SessionServiceServer;
use forecast_proto::v1::training_service_server::TrainingServiceServer;
use tokio::net::TcpListener;
use tonic::server::NamedService;
use tonic::service::Routes;

use super::evaluation_service::Evaluations;
use super::forecast_service::Forecasts;
use super::forecasting::Forecaster;
use super::model_admin_service::ModelChanges;
use super::model_service::ModelReads;
use super::reflection::public_descriptors;
use super::server_service::Info;
use super::session_metrics::SessionMetrics;
use super::session_service::{Sessions, session_limits};
use super::training_service::Trainings;
use crate::jobs::{Jobs, JobsFolder};
use crate::operation::compute::Compute;
use crate::operation::{
    Budget, Config, Connections, Drain, Gate, Health, Memory, Metrics, Seen, Shared, Tls, TlsError, Tokens,
};
use crate::registry::{Registry, SessionHolder};
use crate::session::Store;

/// Bytes of a message with a chunk of a file.
const CHUNK_MESSAGE: usize = 2 << 20;
/// How long a job may take for the step that it was stopped in.
const LAST_STEP: Duration = Duration::from_secs(2);
/// Seconds between two looks at all sessions for their metrics.
const METRICS_EVERY: u64 = 5;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port with {flag}, or 0 for a free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The flag that sets its port.
        flag: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There are no threads to compute with.
    #[error("cannot start the compute pool: {0}")]
    Threads(String),
    /// The sessions of the data folder cannot be used.
    #[error("cannot use the sessions in \"{}\": {source}; stop the other server, or choose another folder", folder.display())]
    Sessions {
        /// Where they are.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Reflection could not be set up.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The jobs of the data folder cannot be read.
    #[error("cannot open the jobs in {}: {source}", folder.display())]
    Jobs {
        /// The folder.
        folder: std::path::PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The descriptors of the services are damaged.
    #[error("cannot read the descriptors of the services: {0}")]
    Descriptors(#[from] prost::DecodeError),
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    config: Config,
    registry: Registry,
    sessions: Arc<Store>,
    main: Port,
    admin: Option<Port>,
    compute: Compute,
    metrics: Metrics,
    drain: Drain,
    jobs: Jobs,
    jobs_folder: JobsFolder,
}

/// Where callers come in.
#[derive(Debug)]
struct Port {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Server {
    /// Listens where the configuration says; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServerError::Bind`] if a port is in use or not allowed; [`ServerError::Tls`]; [`ServerError::Threads`];
    /// [`ServerError::Jobs`].
    pub async fn bind(config: Config, registry: Registry) -> Result<Self, ServerError> {
        let tls = |has_http1| config.tls.clone().map(|files| Tls::new(files, has_http1)).transpose();
        let main = Port::bind(config.listening.address, "--port", tls(false)?).await?;
        let admin = match config.listening.admin {
            Some(address) => {
                let tls = if config.listening.is_admin_tls { tls(true)? } else { None };
                Some(Port::bind(address, "--admin-port", tls).await?)
            }
            None => None,
        };
        let metrics = Metrics::default();
        let limits = &config.limits;
        // What one forecast spreads over several threads; another server of this process may have said already.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(config.listening.threads).build_global();
        let compute = Compute::new(
            config.listening.threads,
            config.jobs.parallel,
            limits.queued_calls,
            limits.queue_time,
            &metrics,
        )
        .map_err(ServerError::Threads)?;
        let sessions = Arc::new(open_sessions(&config, &registry)?);
        let jobs_folder = JobsFolder::of(config.listening.data.as_deref());
        let publish = Arc::new(registry.clone());
        let jobs = Jobs::open(jobs_folder.path(), &config.jobs, publish, Arc::clone(compute.trainings()))
            .map_err(|source| ServerError::Jobs { folder: jobs_folder.path().to_path_buf(), source })?;
        let drain = Drain::default();
        Ok(Server { config, registry, sessions, main, admin, compute, metrics, drain, jobs, jobs_folder })
    }

    /// The address that callers connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.main.address
    }

    /// The address of the admin port, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|port| port.address)
    }

    /// Serves until `stop` is ready; calls under way then get the time of `server.drain` to finish.
    ///
    /// # Errors
    /// [`ServerError::Reflection`] and [`ServerError::Descriptors`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServerError> {
        let Server { config, registry, sessions, main, admin, compute, metrics, drain, jobs, jobs_folder } =
            self;
        let limits = Arc::new(config.limits.clone());
        let memory = Memory::default();
        let resident = metrics.gauge("longcast_resident_bytes", "Memory of the process.", &[]);
        let _watched = Background(tokio::spawn(memory.clone().watch(resident)));

        let (reporter, health_service) = tonic_health::server::health_reporter();
        let mut services = vec![
            <ForecastServiceServer<Forecasts> as NamedService>::NAME,
            <ModelServiceServer<ModelReads> as NamedService>::NAME,
            <ServerServiceServer<Info> as NamedService>::NAME,
            <TrainingServiceServer<Trainings> as NamedService>::NAME,
            <EvaluationServiceServer<Evaluations> as NamedService>::NAME,
            <SessionServiceServer<Sessions> as NamedService>::NAME,
        ];
        let health = Health::new(reporter, [""].iter().chain(&services).copied().collect()).await;
        let _followed = Background(tokio::spawn(health.clone().follow(registry.clone())));

        let forecaster = Forecaster::new(registry.clone(), Arc::clone(&limits), compute.clone(), &metrics);
        let descriptors = public_descriptors()?;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_file_descriptor_set(descriptors.clone())
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let info = |services: &[&str]| Info {
            start: SystemTime::now(),
            drain: drain.clone(),
            limits: Arc::clone(&limits),
            registry: registry.limits(),
            others: other_limits(&config, &sessions),
            services: services.iter().map(ToString::to_string).collect(),
            has_durable_sessions: sessions.log().is_some(),
        };
        registry.set_holder(Arc::clone(&sessions) as Arc<dyn SessionHolder>);
        let session_metrics = SessionMetrics::new(&metrics);
        let kept = keep_house(Arc::clone(&sessions), compute.clone(), session_metrics.clone());
        let _kept = Background(tokio::spawn(kept));
        let parts = (compute.clone(), drain.clone(), Arc::clone(&limits));
        let session_calls =
            Sessions::new(Arc::clone(&sessions), Arc::new(registry.clone()), parts, session_metrics);
        let (unary, streamed) = (limits.unary_bytes, limits.stream_bytes);
        let reads =
            || ModelServiceServer::new(ModelReads::new(registry.clone())).max_decoding_message_size(streamed);
        let routes = Routes::default()
            .add_service(health_service.clone())
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(
                ForecastServiceServer::new(Forecasts::new(forecaster, drain.clone()))
                    .max_decoding_message_size(unary),
            )
            .add_service(SessionServiceServer::new(session_calls).max_decoding_message_size(unary))
            .add_service(reads())
            .add_service(ServerServiceServer::new(info(&services)))
            .add_service(
                // Chunks of a file are one MiB, and their message a little more; series come with the request.
                TrainingServiceServer::new(Trainings::new(jobs.clone()))
                    .max_decoding_message_size(unary.max(CHUNK_MESSAGE)),
            )
            .add_service(
                EvaluationServiceServer::new(Evaluations::new(jobs.clone())).max_decoding_message_size(unary),
            );

        let shared = Arc::new(Shared {
            tokens: Tokens::new(config.tokens.clone()),
            limits: config.limits.clone(),
            drain: drain.clone(),
            compute: compute.clone(),
            budget: Budget::new(config.limits.request_memory),
            memory,
            seen: Seen::new(&metrics),
            metrics: metrics.clone(),
        });
        let connections = Connections::new(config.limits.clone(), drain.clone(), &metrics);
        let mut tasks = Vec::new();
        let gate = |routes: Routes, is_admin| Gate {
            routes: routes.prepare(),
            is_admin,
            shared: Arc::clone(&shared),
        };
        tasks.extend(main.open(&connections, gate(routes, false)));
        if let Some(admin) = admin {
            services.push(<ModelAdminServiceServer<ModelChanges> as NamedService>::NAME);
            // Chunks of a file are one MiB, and their message a little more.
            let changes = ModelAdminServiceServer::new(ModelChanges::new(registry.clone(), compute.clone()));
            let routes = Routes::default()
                .add_service(health_service)
                .add_service(reads())
                .add_service(ServerServiceServer::new(info(&services)))
                .add_service(changes.max_decoding_message_size(CHUNK_MESSAGE));
            tasks.extend(admin.open(&connections, gate(routes, true)));
        }

        stop.await;
        tracing::info!(within = ?config.listening.drain, "stopping");
        drain.start(config.listening.drain);
        health.stop(&registry).await;
        end(&connections, &sessions, jobs).await;
        drop(jobs_folder);
        tracing::info!("stopped");
        Ok(())
    }
}

/// What jobs and sessions hold callers to.
fn other_limits(config: &Config, sessions: &Store) -> forecast_proto::v1::Limits {
    forecast_proto::v1::Limits {
        max_jobs: i32::try_from(config.jobs.most_queued + config.jobs.parallel).unwrap_or(i32::MAX),
        max_dataset_bytes: i64::try_from(config.jobs.all_datasets_bytes).unwrap_or(i64::MAX),
        ..session_limits(sessions)
    }
}

/// Waits for connections, sessions and jobs to end, each within its time.
async fn end(connections: &Connections, sessions: &Store, jobs: Jobs) {
    // Running jobs are put aside, and whoever watches them is told.
    let aside = tokio::task::spawn_blocking(move || jobs.stop());
    connections.ended().await;
    sessions.close();
    if tokio::time::timeout(LAST_STEP, aside).await.is_err() {
        tracing::warn!("a job has not ended its step; it goes on from its last checkpoint");
    }
}

/// The sessions of the data folder, or of the process where there is none.
fn open_sessions(config: &Config, registry: &Registry) -> Result<Store, ServerError> {
    match &config.listening.data {
        None => Ok(Store::in_memory(config.sessions)),
        Some(data) => {
            let folder = data.join("sessions");
            Store::open(&folder, registry, config.sessions)
                .map_err(|source| ServerError::Sessions { folder, source })
        }
    }
}

/// Lets sessions expire, and old segments of their log go.
async fn keep_house(sessions: Arc<Store>, compute: Compute, metrics: SessionMetrics) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for second in 0u64.. {
        ticks.tick().await;
        let (store, metrics) = (Arc::clone(&sessions), metrics.clone());
        let kept = compute.load(move || {
            store.keep_house();
            if second.is_multiple_of(METRICS_EVERY) {
                metrics.refresh(&store);
            }
            Ok(())
        });
        if let Err(status) = kept.await {
            tracing::error!(%status, "sessions were not looked after");
        }
    }
}

impl Port {
    async fn bind(address: SocketAddr, flag: &'static str, tls: Option<Tls>) -> Result<Self, ServerError> {
        let fail = |source| ServerError::Bind { address, flag, source };
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Port { listener, address, tls })
    }

    /// Lets callers in.
    fn open(self, connections: &Arc<Connections>, gate: Gate) -> Vec<Background> {
        let watch = self.tls.clone().map(|tls| Background(tokio::spawn(tls.watch())));
        let accept = Background(tokio::spawn(Arc::clone(connections).accept(self.listener, self.tls, gate)));
        watch.into_iter().chain([accept]).collect()
    }
}

/// A task that ends with the server.
#[derive(Debug)]
struct Background(tokio::task::JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
