//! The floor: a server of nothing but tonic, which answers every forecast with the same one.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use forecast_proto::v1;
use forecast_proto::v1::forecast_service_server::{ForecastService, ForecastServiceServer};
use futures_util::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use crate::console;
use crate::error::{Error, Result};

/// Steps of the answer.
pub(crate) const HORIZON: usize = 24;

#[derive(Debug)]
struct Echo {
    answer: v1::Forecast,
}

type Answers<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ForecastService for Echo {
    async fn forecast(
        &self,
        request: Request<v1::ForecastRequest>,
    ) -> std::result::Result<Response<v1::ForecastResponse>, Status> {
        // The message is decoded, as in any server; a part of it comes back.
        let series = request.into_inner().series.unwrap_or_default();
        let forecast = v1::Forecast { series_id: series.series_id, axis: series.axis, ..self.answer.clone() };
        Ok(Response::new(v1::ForecastResponse { forecast: Some(forecast) }))
    }

    type BatchForecastStream = Answers<v1::BatchForecastResponse>;

    async fn batch_forecast(
        &self,
        _: Request<v1::BatchForecastRequest>,
    ) -> std::result::Result<Response<Self::BatchForecastStream>, Status> {
        Err(Status::unimplemented("an echo answers single calls"))
    }

    type StreamForecastStream = Answers<v1::StreamForecastResponse>;

    async fn stream_forecast(
        &self,
        _: Request<Streaming<v1::StreamForecastRequest>>,
    ) -> std::result::Result<Response<Self::StreamForecastStream>, Status> {
        Err(Status::unimplemented("an echo answers single calls"))
    }
}

/// Serves until the process is ended.
///
/// # Errors
/// [`Error::Unexpected`].
pub(crate) fn serve() -> Result<()> {
    let fail = |error: &dyn std::fmt::Display| Error::Unexpected(format!("the echo did not start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| fail(&error))?.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        let listener = listener.map_err(|error| fail(&error))?;
        let address = listener.local_addr().map_err(|error| fail(&error))?;
        console::lines(&[format!("echo on {address}")])?;
        let answer = v1::Forecast {
            mean: (0..HORIZON).map(|step| step as f64).collect(),
            model_revision: "models/load/revisions/0123456789ab".to_string(),
            channels: vec!["y".to_string()],
            ..v1::Forecast::default()
        };
        // A setting of the builder does not reach connections that are accepted elsewhere.
        let incoming = TcpListenerStream::new(listener).inspect(|connection| {
            // Where it cannot be set the floor is lower, which shows.
            let _ = connection.as_ref().map(|connection| connection.set_nodelay(true));
        });
        tonic::transport::Server::builder()
            .add_service(ForecastServiceServer::new(Echo { answer }))
            .serve_with_incoming(incoming)
            .await
            .map_err(|error| fail(&error))
    })
}
