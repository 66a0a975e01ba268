//! `ForecastService`: one series in, one forecast out; many, as they finish; or a stream of them.

use std::pin::Pin;

use forecast_proto::v1;
use forecast_proto::v1::batch_forecast_response::Outcome;
use forecast_proto::v1::forecast_service_server::ForecastService;
use forecast_proto::v1::stream_forecast_request::Payload;
use forecast_proto::v1::stream_forecast_response::Outcome as StreamOutcome;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status, Streaming};

use super::forecasting::{Asked, Forecaster, Short};
use super::reason::Reason;
use super::status::to_rpc_status;
use crate::operation::Drain;
use crate::registry::Routed;

/// Series of one batch or stream that are computed ahead of the reader.
const AHEAD: usize = 16;

/// Answers from models that are held in memory.
#[derive(Debug)]
pub(crate) struct Forecasts {
    forecaster: Forecaster,
    drain: Drain,
}

impl Forecasts {
    pub(crate) fn new(forecaster: Forecaster, drain: Drain) -> Self {
        Forecasts { forecaster, drain }
    }

    /// Who answers for a model and a series, if they can do what is asked.
    fn routed(&self, model: &str, series_id: &str, asked: &Asked) -> Result<Routed, Status> {
        let routed = self.forecaster.registry.route(model, series_id)?;
        asked.check(&routed.loaded)?;
        Ok(routed)
    }

    fn asked(&self, spec: Option<v1::ForecastSpec>) -> Result<Asked, Status> {
        Asked::of(spec, &self.forecaster.limits)
    }
}

type BatchStream = Pin<Box<dyn Stream<Item = Result<v1::BatchForecastResponse, Status>> + Send>>;
type SeriesStream = Pin<Box<dyn Stream<Item = Result<v1::StreamForecastResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ForecastService for Forecasts {
    async fn forecast(
        &self,
        request: Request<v1::ForecastRequest>,
    ) -> Result<Response<v1::ForecastResponse>, Status> {
        let request = request.into_inner();
        let series_id = request.series.as_ref().map_or("", |series| series.series_id.as_str());
        let asked = self.asked(request.spec)?;
        let routed = self.routed(&request.model, series_id, &asked)?;
        let Some(series) = request.series else {
            return Err(Reason::FieldInvalid.at("series", "it is required"));
        };
        let forecast =
            self.forecaster.forecast(routed, series, "series".to_string(), asked, Short::Here).await?;
        Ok(Response::new(v1::ForecastResponse { forecast: Some(forecast) }))
    }

    type BatchForecastStream = BatchStream;

    async fn batch_forecast(
        &self,
        request: Request<v1::BatchForecastRequest>,
    ) -> Result<Response<Self::BatchForecastStream>, Status> {
        let request = request.into_inner();
        let asked = self.asked(request.spec)?;
        let most = self.forecaster.limits.batch_series;
        if request.series.is_empty() || request.series.len() > most {
            let rule = format!("it has {} series, but must have 1 to {most}", request.series.len());
            return Err(Reason::FieldInvalid.at("series", &rule));
        }
        // Each series has its revision of an alias, and keeps what the call began with.
        let mut jobs = Vec::with_capacity(request.series.len());
        for series in request.series {
            jobs.push((self.routed(&request.model, &series.series_id, &asked)?, series));
        }
        let forecaster = self.forecaster.clone();
        let jobs = stream::iter(jobs.into_iter().enumerate()).map(move |(i, (routed, series))| {
            let (forecaster, asked) = (forecaster.clone(), asked.clone());
            async move {
                let series_id = series.series_id.clone();
                let forecast = forecaster
                    .forecast(routed, series, format!("series[{i}]"), asked, Short::Elsewhere)
                    .await;
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
            Box::pin(jobs.buffered(AHEAD))
        } else {
            Box::pin(jobs.buffer_unordered(AHEAD))
        };
        Ok(Response::new(responses))
    }

    type StreamForecastStream = SeriesStream;

    async fn stream_forecast(
        &self,
        request: Request<Streaming<v1::StreamForecastRequest>>,
    ) -> Result<Response<Self::StreamForecastStream>, Status> {
        let mut incoming = request.into_inner();
        let open = match incoming.message().await?.and_then(|message| message.payload) {
            Some(Payload::Open(open)) => open,
            _ => return Err(Reason::FieldInvalid.at("open", "it must be the first message of the stream")),
        };
        let asked = self.asked(open.spec)?;
        let routed = self.routed(&open.model, "", &asked)?;
        let forecaster = self.forecaster.clone();
        let drain = self.drain.clone();
        // Once the server drains, no more series are taken; those that were get their answers.
        let incoming = incoming.take_until(async move { drain.started().await });
        let jobs = incoming.map(move |message| {
            let (forecaster, asked, routed) = (forecaster.clone(), asked.clone(), routed.clone());
            async move {
                let message = message?;
                let Some(Payload::Series(series)) = message.payload else {
                    return Err(
                        Reason::FieldInvalid.at("series", "every message after the first brings a series")
                    );
                };
                let forecast =
                    forecaster.forecast(routed, series, "series".to_string(), asked, Short::Elsewhere).await;
                let outcome = match forecast {
                    Ok(forecast) => StreamOutcome::Forecast(forecast),
                    Err(status) => StreamOutcome::Error(to_rpc_status(&status)),
                };
                let correlation_id = message.correlation_id;
                Ok(v1::StreamForecastResponse { correlation_id, outcome: Some(outcome) })
            }
        });
        // The first error of the stream itself ends it; what comes after it is never begun.
        let mut is_over = false;
        let responses = jobs.buffer_unordered(AHEAD).take_while(move |response| {
            let goes_on = !is_over;
            is_over |= response.is_err();
            std::future::ready(goes_on)
        });
        let responses: SeriesStream = Box::pin(responses);
        Ok(Response::new(responses))
    }
}
