//! `SessionService`: sessions that outlive their connections.

use std::sync::Arc;

use forecast_proto::v1;
use forecast_proto::v1::session_service_server::SessionService;
use tonic::{Request, Response, Status, Streaming};

use super::reason::Reason;
use super::session_convert::{batch, no_update, observation_error, update};
use super::session_create::new_session;
use super::session_ends::{Responses, outlet};
use super::session_message::session;
use super::session_metrics::SessionMetrics;
use super::session_stream;
use super::session_watch;
use crate::operation::compute::Compute;
use crate::operation::{Drain, Limits};
use crate::session::{Cell, Durability, FindModel, Issued, SessionError, Store, Writer};

/// Sessions a page where nothing is said, and at most.
const PAGE: usize = 100;
const MOST_A_PAGE: usize = 1000;

/// Answers from the sessions of a store.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Arc<Store>,
    models: Arc<dyn FindModel>,
    compute: Compute,
    drain: Drain,
    metrics: SessionMetrics,
    limits: Arc<Limits>,
}

impl Sessions {
    /// Answers from a store; `parts` are what all services share.
    pub(super) fn new(
        store: Arc<Store>,
        models: Arc<dyn FindModel>,
        parts: (Compute, Drain, Arc<Limits>),
        metrics: SessionMetrics,
    ) -> Self {
        let (compute, drain, limits) = parts;
        Sessions { store, models, compute, drain, metrics, limits }
    }
}

/// The covariates of a session's model.
pub(super) fn schema(cell: &Cell) -> Result<forecast::data::CovariateSchema, SessionError> {
    cell.look(|engine| engine.model().model.covariate_schema())
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn create_session(
        &self,
        request: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        let request = request.into_inner();
        let (store, models) = (Arc::clone(&self.store), Arc::clone(&self.models));
        let limits = Arc::clone(&self.limits);
        let (cell, position) = self
            .compute
            .in_turn(move || {
                let model = models.find(&request.model, &request.session_id)?;
                let new = new_session(request, model, (store.limits(), &limits), store.log().is_some())?;
                Ok(store.create(new)?)
            })
            .await?;
        safe(&cell, position).await?;
        Ok(Response::new(v1::CreateSessionResponse { session: Some(session(&cell, false)?) }))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let request = request.into_inner();
        let cell = self.store.find(&request.name)?;
        // With many series the figures take a while.
        let session = self.compute.in_turn(move || session(&cell, request.include_figures)).await?;
        Ok(Response::new(v1::GetSessionResponse { session: Some(session) }))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let request = request.into_inner();
        let n = match usize::try_from(request.page_size) {
            Ok(0) => PAGE,
            Ok(n) => n.min(MOST_A_PAGE),
            Err(_) => return Err(Reason::FieldInvalid.at("page_size", "it must not be negative")),
        };
        let cells = self.store.list(&request.page_token, &request.filter, n + 1);
        let next_page_token = match cells.get(n) {
            Some(_) => cells[n - 1].name().to_string(),
            None => String::new(),
        };
        // One that is deleted meanwhile is left out.
        let sessions = cells.iter().take(n).filter_map(|cell| session(cell, false).ok()).collect();
        Ok(Response::new(v1::ListSessionsResponse { sessions, next_page_token }))
    }

    async fn delete_session(
        &self,
        request: Request<v1::DeleteSessionRequest>,
    ) -> Result<Response<v1::DeleteSessionResponse>, Status> {
        let request = request.into_inner();
        let position = self.store.delete(&request.name, &request.etag)?;
        if let (Some(position), Some(log)) = (position, self.store.log()) {
            log.synced(position).await?;
        }
        Ok(Response::new(v1::DeleteSessionResponse {}))
    }

    type StreamSessionStream = Responses<v1::StreamSessionResponse>;

    async fn stream_session(
        &self,
        request: Request<Streaming<v1::StreamSessionRequest>>,
    ) -> Result<Response<Self::StreamSessionStream>, Status> {
        let (outlet, responses) = outlet();
        let metrics = self.metrics.clone();
        let context = (Arc::clone(&self.store), self.compute.clone(), self.drain.clone(), metrics);
        tokio::spawn(session_stream::serve(context, request.into_inner(), outlet));
        Ok(Response::new(responses))
    }

    async fn observe(
        &self,
        request: Request<v1::ObserveRequest>,
    ) -> Result<Response<v1::ObserveResponse>, Status> {
        let request = request.into_inner();
        let cell = self.store.find(&request.session)?;
        let Some(observations) = request.observations else {
            return Err(Reason::FieldInvalid.at("observations", "it is required"));
        };
        check_rows(&observations, self.store.limits().max_batch)?;
        let n_channels = cell.look(|engine| engine.shape().0)?;
        self.metrics.observations.add((observations.values.len() / n_channels.max(1)) as u64);
        if let Some(log) = cell.log() {
            log.room().await;
        }
        let (epoch, wants_forecast) = (request.epoch, request.return_forecast);
        let shared = Arc::clone(&cell);
        let (response, position) =
            self.compute.in_turn(move || observe(&shared, epoch, observations, wants_forecast)).await?;
        if cell.durability() == Durability::Sync {
            safe(&cell, position).await?;
        }
        let synced = cell.log().map_or(0, |log| log.safe());
        let durable_through = cell.durable_through(synced);
        let ack = response.ack.map(|ack| v1::Ack { durable_through, ..ack });
        Ok(Response::new(v1::ObserveResponse { ack, ..response }))
    }

    type WatchSessionStream = Responses<v1::WatchSessionResponse>;

    async fn watch_session(
        &self,
        request: Request<v1::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        let request = request.into_inner();
        let cell = self.store.find(&request.session)?;
        let limit = self.store.limits().max_watchers;
        let watcher = cell.watch(limit).ok_or_else(|| SessionError::Quota {
            subject: "watchers of the session",
            wanted: limit as u64 + 1,
            limit: limit as u64,
        })?;
        let watched = session_watch::begin(cell, watcher, &request, self.compute.clone())?;
        let (outlet, responses) = outlet();
        tokio::spawn(watched.serve(outlet, self.drain.clone()));
        Ok(Response::new(responses))
    }
}

/// Waits until a position of the log is safe, if there is one.
pub(super) async fn safe(cell: &Cell, position: Option<u64>) -> Result<(), SessionError> {
    match (cell.log(), position) {
        (Some(log), Some(position)) => log.synced(position).await,
        _ => Ok(()),
    }
}

/// # Errors
/// `INVALID_ARGUMENT` for a batch of too many rows.
pub(super) fn check_rows(observations: &v1::ObservationBatch, most: usize) -> Result<(), Status> {
    let n =
        observations.values.len().min(observations.series_index.len().max(observations.time_unix_nano.len()));
    if n <= most {
        return Ok(());
    }
    let rule = format!("it has {n} rows, but at most {most} may come in one batch; split it");
    Err(Reason::FieldInvalid.at("observations.values", &rule))
}

/// Takes a batch whole, and makes the forecasts that are asked for.
fn observe(
    cell: &Cell,
    epoch: u64,
    observations: v1::ObservationBatch,
    wants_forecast: bool,
) -> Result<(v1::ObserveResponse, Option<u64>), Status> {
    let batch = batch(observations, &schema(cell)?)?;
    let (n_channels, n_covariates) = cell.look(|engine| engine.shape())?;
    let view = batch.view(n_channels, n_covariates)?;
    let (mut at, mut position, mut through, mut troubles) = (0, None, 0, Vec::new());
    let mut writer = Writer::Call(epoch);
    while at < view.n_rows {
        let applied = cell.apply(writer, view.rows(at, usize::MAX))?;
        at += applied.n_rows;
        position = applied.position.or(position);
        through = applied.through;
        troubles.extend(applied.troubles);
        // The epoch holds now; whoever takes over between two parts of a batch ends it.
        writer = Writer::Call(epoch);
    }
    let mut wanted: Vec<usize> = match (wants_forecast, view.series.is_empty()) {
        (false, _) => Vec::new(),
        (true, true) => vec![0],
        (true, false) => view.series.iter().map(|at| *at as usize).collect(),
    };
    wanted.sort_unstable();
    wanted.dedup();
    let mut updates = Vec::with_capacity(wanted.len());
    for at in wanted {
        let made = cell.forecast(at, None);
        updates.push(match made {
            Ok(made) => cell.look(|engine| update(&Issued { made, n_conflated: 0 }, engine))?,
            Err(error) => no_update(at, error, through),
        });
    }
    let errors = cell.look(|engine| troubles.iter().map(|t| observation_error(t, engine)).collect())?;
    let ack = v1::Ack { applied_through: through, durable_through: 0 };
    Ok((v1::ObserveResponse { ack: Some(ack), updates, errors }, position))
}

/// What sessions hold callers to, for `GetServerInfo`.
pub(super) fn session_limits(store: &Store) -> v1::Limits {
    let limits = store.limits();
    let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    v1::Limits {
        max_sessions: small(limits.max_sessions),
        max_session_series: small(limits.max_series),
        max_session_state_bytes: i64::try_from(limits.max_state_bytes).unwrap_or(i64::MAX),
        max_batch_observations: small(limits.max_batch),
        max_unacked_observations: small(limits.max_unacked),
        max_session_watchers: small(limits.max_watchers),
        max_session_idle_ttl: Some(super::server_service::duration(limits.max_idle_ttl)),
        async_durability_interval: store
            .log()
            .map(|_| super::server_service::duration(store.sync_interval())),
        ..v1::Limits::default()
    }
}
