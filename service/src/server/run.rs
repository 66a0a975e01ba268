//! Listening, serving and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use forecast_proto::v1::forecast_service_server::ForecastServiceServer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::forecast_service::Forecasts;
use super::models::Models;

/// A unary request may be this large: about two million values.
const MAX_REQUEST: usize = 16 << 20;
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
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServerError::Bind`] if the port is in use or not allowed.
    pub async fn bind(address: SocketAddr, models: Models) -> Result<Self, ServerError> {
        let bind = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        Ok(Server { listener, models })
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
        let forecasts =
            ForecastServiceServer::new(Forecasts::new(self.models)).max_decoding_message_size(MAX_REQUEST);
        let (stopped, draining) = oneshot::channel();
        let stop = async move {
            stop.await;
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
            .serve_with_incoming_shutdown(TcpListenerStream::new(self.listener), stop);
        tokio::select! {
            served = serve => served.map_err(ServerError::from),
            () = hard_stop(draining) => Ok(()),
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
