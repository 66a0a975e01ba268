//! Listening, serving and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forecast_proto::v1::forecast_service_server::ForecastServiceServer;
use forecast_proto::v1::session_service_server::SessionServiceServer;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::forecast_service::Forecasts;
use super::models::Models;
use super::session_pool::compute;
use super::session_service::{DrainNotice, Sessions};
use crate::session::{Store, StoreOptions};

/// A unary request may be this large: about two million values.
const MAX_REQUEST: usize = 16 << 20;
/// How long clients of sessions should wait before they reconnect to a server that stops.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
/// Streams that one connection may have open, and calls of it that are answered at a time.
const MAX_STREAMS: u32 = 256;
const MAX_CALLS: usize = 64;
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Calls under way get this long to finish once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Why a server did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another port with --port, or 0 for a free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The transport failed.
    #[error("the server stopped: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Reflection could not be set up.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    models: Models,
    sessions: Arc<Store>,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServerError::Bind`] if the port is in use or not allowed.
    pub async fn bind(address: SocketAddr, models: Models) -> Result<Self, ServerError> {
        let bind = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let sessions = Arc::new(Store::in_memory(StoreOptions::default()));
        Ok(Server { listener, models, sessions })
    }

    /// The same with sessions of a store, such as one that keeps them on disk.
    #[must_use]
    pub fn with_sessions(self, sessions: Arc<Store>) -> Self {
        Server { sessions, ..self }
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// [`ServerError::Bind`] if the operating system does not tell.
    pub fn address(&self) -> Result<SocketAddr, ServerError> {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        self.listener.local_addr().map_err(|source| ServerError::Bind { address: unknown, source })
    }

    /// Serves until `stop` is ready; calls under way then get ten seconds to finish.
    ///
    /// # Errors
    /// [`ServerError::Transport`] and [`ServerError::Reflection`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServerError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<ForecastServiceServer<Forecasts>>().await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(forecast_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let forecasts = ForecastServiceServer::new(Forecasts::new(self.models.clone()))
            .max_decoding_message_size(MAX_REQUEST);
        let (notify, notices) = watch::channel(None);
        let sessions = SessionServiceServer::new(Sessions::new(
            Arc::clone(&self.sessions),
            Arc::new(self.models.clone()),
            notices,
        ))
        .max_decoding_message_size(MAX_REQUEST);
        let housekeeping = tokio::spawn(keep_house(Arc::clone(&self.sessions)));
        let (stopped, draining) = oneshot::channel();
        let stop = async move {
            stop.await;
            let deadline = SystemTime::now() + DRAIN.mul_f64(0.8);
            notify.send_replace(Some(DrainNotice { deadline, reconnect_after: RECONNECT_AFTER }));
            health.set_not_serving::<ForecastServiceServer<Forecasts>>().await;
            health.set_service_status("", ServingStatus::NotServing).await;
            tokio::spawn(end_watches(health));
            // Nobody listens if the server has ended by itself.
            let _ = stopped.send(());
        };
        let serve = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(Some(MAX_STREAMS))
            .concurrency_limit_per_connection(MAX_CALLS)
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(forecasts)
            .add_service(sessions)
            .serve_with_incoming_shutdown(TcpListenerStream::new(self.listener), stop);
        let served = tokio::select! {
            served = serve => served.map_err(ServerError::from),
            () = hard_stop(draining) => Ok(()),
        };
        housekeeping.abort();
        self.sessions.close();
        served
    }
}

/// Lets the sessions of a store expire, and old segments of its log go.
async fn keep_house(sessions: Arc<Store>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let store = Arc::clone(&sessions);
        let kept = compute(move || {
            store.keep_house();
            Ok(())
        });
        if let Err(status) = kept.await {
            tracing::error!(%status, "sessions were not looked after");
        }
    }
}

/// Whoever watches the health has been told; after a second the watches end, so that they do not hold the drain.
async fn end_watches(mut health: HealthReporter) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    for service in ["", <ForecastServiceServer<Forecasts> as NamedService>::NAME] {
        health.clear_service_status(service).await;
    }
}

/// Ready when the drain has taken too long.
async fn hard_stop(draining: oneshot::Receiver<()>) {
    if draining.await.is_err() {
        // The server ended by itself and says so.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(DRAIN).await;
    tracing::warn!("calls were still under way after {DRAIN:?}; stopping all the same");
}
