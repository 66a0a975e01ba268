//! What a client sends on its stream, on its way into the session.

use std::sync::Arc;

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Asked;
use forecast_proto::v1::stream_session_response::Payload;
use tonic::Status;

use super::reason::Reason;
use super::session_convert::{batch, known_ahead, no_update, observation_error, update};
use super::session_service::check_rows;
use super::session_stream::Stream;
use crate::session::{Durability, Issued, SlowReader, Writer};

impl Stream {
    /// Takes one message.
    ///
    /// # Errors
    /// Why the stream has to end.
    pub(super) async fn take(&mut self, message: v1::StreamSessionRequest) -> Result<(), Status> {
        match message.payload {
            Some(Asked::Observations(observations)) => {
                check_rows(&observations, self.store.limits().max_batch)?;
                let batch = batch(observations, &self.schema)?;
                let n_rows = batch.view(self.shape.0, self.shape.1)?.n_rows;
                self.metrics.observations.add(n_rows as u64);
                self.rest = Some((Arc::new(batch), 0));
                self.advance().await
            }
            Some(Asked::RequestForecast(asked)) => self.forecast(asked).await,
            Some(Asked::Flush(v1::Flush {})) => {
                self.flush = Some(self.applied);
                if let Some(log) = self.cell.log() {
                    log.want(self.position);
                }
                Ok(())
            }
            Some(Asked::Open(_)) => Err(Reason::FieldInvalid.at("open", "the stream is open already")),
            None => Err(Reason::FieldInvalid.at("payload", "it is required")),
        }
    }

    /// Takes as much of the batch as may be taken before forecasts have to be sent.
    pub(super) async fn advance(&mut self) -> Result<(), Status> {
        let Some((batch, at)) = self.rest.take() else { return Ok(()) };
        if let Some(log) = self.cell.log() {
            log.room().await;
        }
        let (cell, shape, writer) = (Arc::clone(&self.cell), self.shape, Writer::Stream(self.attachment));
        let (batch, applied, told) = self
            .compute
            .in_turn(move || {
                let view = batch.view(shape.0, shape.1)?;
                let applied = cell.apply(writer, view.rows(at, usize::MAX))?;
                let told = cell.look(|engine| {
                    let troubles = applied.troubles.iter();
                    let mut told: Vec<Payload> =
                        troubles.map(|t| Payload::ObservationError(observation_error(t, engine))).collect();
                    told.extend(applied.issued.iter().map(|issued| Payload::Update(update(issued, engine))));
                    told
                })?;
                Ok((batch, applied, told))
            })
            .await?;
        self.waiting.extend(told);
        self.applied = applied.through;
        self.must_ack = true;
        if let Some(position) = applied.position {
            self.position = position;
            if self.cell.durability() == Durability::Sync
                && let Some(log) = self.cell.log()
            {
                log.want(position);
            }
        }
        let done = at + applied.n_rows;
        if done * self.shape.0 < batch.values.len() {
            self.rest = Some((batch, done));
        }
        if self.interval.is_none() && self.cell.slow_reader() == SlowReader::Conflate {
            self.due.refresh(&self.cell)?;
        }
        Ok(())
    }

    async fn forecast(&mut self, asked: v1::RequestForecast) -> Result<(), Status> {
        let n_series = self.cell.look(|engine| engine.series().len())?;
        let series: Vec<usize> = match asked.series_index.is_empty() {
            true => (0..n_series).collect(),
            false => asked.series_index.iter().map(|at| *at as usize).collect(),
        };
        if series.len() > n_series {
            return Err(Reason::FieldInvalid.at("request_forecast.series_index", "it names series twice"));
        }
        let ahead = match asked.known_ahead.is_empty() {
            true => None,
            false if series.len() == 1 => Some(known_ahead(&asked.known_ahead, &self.schema)?),
            false => {
                let rule = "with known_ahead it must name one series";
                return Err(Reason::FieldInvalid.at("request_forecast.series_index", rule));
            }
        };
        let (cell, through) = (Arc::clone(&self.cell), self.applied);
        let made = self
            .compute
            .in_turn(move || {
                let make = |at: usize| -> Result<Payload, Status> {
                    Ok(Payload::Update(match cell.forecast(at, ahead.as_ref()) {
                        Ok(made) => cell.look(|engine| update(&Issued { made, n_conflated: 0 }, engine))?,
                        Err(error) => no_update(at, error, through),
                    }))
                };
                series.into_iter().map(make).collect::<Result<Vec<_>, Status>>()
            })
            .await?;
        self.waiting.extend(made);
        Ok(())
    }
}
