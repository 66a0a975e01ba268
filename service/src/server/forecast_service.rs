//! `ForecastService`: one series in, one forecast out; or many, as they finish.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use forecast::ForecastOptions;
use forecast_proto::v1;
use forecast_proto::v1::batch_forecast_response::Outcome;
use forecast_proto::v1::forecast_service_server::ForecastService;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use super::convert::{from_message, options, to_message};
use super::models::{Models, Served};
use super::status::{Reason, from_error, internal};

/// Series that one batch may hold.
const MOST_SERIES: usize = 10_000;
/// Series of one batch that are computed ahead of the reader.
const BATCH_AHEAD: usize = 16;

/// Answers from models that are held in memory.
#[derive(Debug)]
pub(super) struct Forecasts {
    models: Models,
}

impl Forecasts {
    pub(super) fn new(models: Models) -> Self {
        Forecasts { models }
    }
}

type BatchStream = Pin<Box<dyn Stream<Item = Result<v1::BatchForecastResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ForecastService for Forecasts {
    async fn forecast(
        &self,
        request: Request<v1::ForecastRequest>,
    ) -> Result<Response<v1::ForecastResponse>, Status> {
        let request = request.into_inner();
        let served = self.models.find(&request.model)?;
        let asked = checked(&served, request.spec)?;
        let Some(series) = request.series else {
            return Err(Reason::FieldInvalid.at("series", "it is required"));
        };
        let forecast = compute(served, series, "series".to_string(), asked).await?;
        Ok(Response::new(v1::ForecastResponse { forecast: Some(forecast) }))
    }

    type BatchForecastStream = BatchStream;

    async fn batch_forecast(
        &self,
        request: Request<v1::BatchForecastRequest>,
    ) -> Result<Response<Self::BatchForecastStream>, Status> {
        let request = request.into_inner();
        let served = self.models.find(&request.model)?;
        let asked = checked(&served, request.spec)?;
        if request.series.is_empty() || request.series.len() > MOST_SERIES {
            let rule = format!("it has {} series, but must have 1 to {MOST_SERIES}", request.series.len());
            return Err(Reason::FieldInvalid.at("series", &rule));
        }
        let jobs = stream::iter(request.series.into_iter().enumerate()).map(move |(i, series)| {
            let (served, asked) = (Arc::clone(&served), asked.clone());
            async move {
                let series_id = series.series_id.clone();
                let forecast = compute(served, series, format!("series[{i}]"), asked).await;
                let outcome = match forecast {
                    Ok(forecast) => Outcome::Forecast(forecast),
                    Err(status) => Outcome::Error(to_rpc_status(&status)),
                };
                let index = i32::try_from(i).unwrap_or(i32::MAX);
                Ok(v1::BatchForecastResponse { index, series_id, outcome: Some(outcome) })
            }
        });
        // A slow reader stops the work: nothing is computed beyond the few that are under way.
        let responses: BatchStream = if request.ordered {
            Box::pin(jobs.buffered(BATCH_AHEAD))
        } else {
            Box::pin(jobs.buffer_unordered(BATCH_AHEAD))
        };
        Ok(Response::new(responses))
    }
}

/// What a request asks for, checked against the model.
#[derive(Debug, Clone)]
struct Asked {
    options: ForecastOptions,
    /// Interval coverages as they were sent.
    coverages: Vec<f64>,
}

fn checked(served: &Served, spec: Option<v1::ForecastSpec>) -> Result<Asked, Status> {
    let options = options(spec.as_ref())?;
    options.check(&served.model).map_err(|error| from_error(&error, "series"))?;
    Ok(Asked { options, coverages: spec.unwrap_or_default().interval_coverages })
}

/// Forecasts one series on the compute pool, never on the threads that serve connections.
async fn compute(
    served: Arc<Served>,
    series: v1::Series,
    path: String,
    asked: Asked,
) -> Result<v1::Forecast, Status> {
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        // The caller may have gone while this was queued.
        if send.is_closed() {
            return;
        }
        let forecast = catch_unwind(AssertUnwindSafe(|| answer(&served, series, &path, &asked)));
        let forecast = forecast.unwrap_or_else(|_| Err(internal("the model panicked; please report it")));
        // Nobody to tell if the caller has gone meanwhile.
        let _ = send.send(forecast);
    });
    receive.await.unwrap_or_else(|_| Err(internal("the compute pool dropped the call")))
}

fn answer(served: &Served, series: v1::Series, path: &str, asked: &Asked) -> Result<v1::Forecast, Status> {
    let start = Instant::now();
    let header = served.model.header();
    let series = from_message(series, path, &header.channels, &header.frequency())?;
    let forecast =
        served.model.forecast_series(&series, &asked.options).map_err(|error| from_error(&error, path))?;
    Ok(to_message(&forecast, &asked.coverages, &served.revision, start.elapsed()))
}

/// A status as a value in a message.
pub(super) fn to_rpc_status(status: &Status) -> tonic_types::Status {
    use prost::Message;
    // The details of a status are an encoded `google.rpc.Status`.
    tonic_types::Status::decode(status.details()).unwrap_or_else(|_| tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_string(),
        details: Vec::new(),
    })
}
