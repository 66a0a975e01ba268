//! `StreamSession`: observations in; acknowledgements, errors and forecasts out, each with its bound.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Asked;
use forecast_proto::v1::stream_session_response::Payload;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::reason::Reason;
use super::session_convert::{batch, known_ahead, no_update, observation_error, session, update};
use super::session_pool::compute;
use super::session_service::{DrainNotice, check_rows, safe, schema};
use super::session_watch::tick;
use crate::session::{
    Attachment, Batch, Cell, Due, Durability, Emission, Issued, LogState, SessionError, SlowReader, Store,
    Writer,
};

/// Messages that wait for the reader; beyond them nothing more is read.
const MOST_WAITING: usize = 1000;
/// Forecasts that are made in one go.
const MADE_AT_A_TIME: usize = 8;
/// How long a reader may keep a forecast waiting where slow ones are sent away.
const SLOW: Duration = Duration::from_secs(2);
/// How long the last word of a stream waits for its reader.
const LAST_WORD: Duration = Duration::from_secs(1);

type Out = mpsc::Sender<Result<v1::StreamSessionResponse, Status>>;

/// Serves one stream to its end.
pub(super) async fn serve(
    store: Arc<Store>,
    mut messages: Streaming<v1::StreamSessionRequest>,
    out: Out,
    drain: watch::Receiver<Option<DrainNotice>>,
) {
    let first = tokio::select! {
        () = out.closed() => return,
        first = messages.message() => first,
    };
    let open = match first {
        Ok(Some(v1::StreamSessionRequest { payload: Some(Asked::Open(open)) })) => open,
        Ok(_) => {
            let status =
                Reason::FieldInvalid.at("open", "the first message of the stream must be OpenSession");
            return end_stream(&out, status).await;
        }
        Err(status) => return end_stream(&out, status).await,
    };
    let stream = match Stream::open(&store, &open).await {
        Ok(stream) => stream,
        Err(status) => return end_stream(&out, status).await,
    };
    let (cell, attachment) = (Arc::clone(&stream.cell), stream.attachment);
    if let Err(status) = stream.run(messages, &out, drain).await {
        end_stream(&out, status).await;
    }
    cell.detach(attachment);
}

/// Says why a stream ends, if its reader takes it in time.
pub(super) async fn end_stream<T>(out: &mpsc::Sender<Result<T, Status>>, status: Status) {
    // A reader who does not take it sees the stream end all the same.
    let _ = tokio::time::timeout(LAST_WORD, out.send(Err(status))).await;
}

/// Ready when the server is about to stop.
pub(super) async fn draining(drain: &mut watch::Receiver<Option<DrainNotice>>) -> DrainNotice {
    loop {
        let notice = *drain.borrow_and_update();
        match notice {
            Some(notice) => return notice,
            None if drain.changed().await.is_ok() => {}
            // Nobody will say so any more.
            None => std::future::pending().await,
        }
    }
}

/// Ready when an attachment no longer holds its session.
async fn fenced(holder: &mut watch::Receiver<u64>, number: u64) {
    while *holder.borrow_and_update() == number && holder.changed().await.is_ok() {}
}

/// Ready when a stream has to end because the server does.
pub(super) async fn left(drain: &watch::Receiver<Option<DrainNotice>>) {
    let notice = *drain.borrow();
    match notice {
        Some(notice) => {
            let left = notice.deadline.duration_since(SystemTime::now()).unwrap_or_default();
            tokio::time::sleep(left).await;
        }
        None => std::future::pending().await,
    }
}

/// That the server is about to stop, as a message.
pub(super) fn notice(notice: DrainNotice) -> v1::Draining {
    v1::Draining {
        deadline: Some(notice.deadline.into()),
        reconnect_after: Some(super::session_convert::duration(
            u64::try_from(notice.reconnect_after.as_millis()).unwrap_or(u64::MAX),
        )),
    }
}

/// One stream that writes to a session.
struct Stream {
    store: Arc<Store>,
    cell: Arc<Cell>,
    attachment: Attachment,
    schema: forecast::data::CovariateSchema,
    shape: (usize, usize),
    interval: Option<Duration>,
    /// Messages that must not be lost.
    waiting: VecDeque<Payload>,
    /// A batch that waits for its forecasts to be sent, and how many of its rows are done.
    rest: Option<(Arc<Batch>, usize)>,
    due: Due,
    acked: v1::Ack,
    applied: u64,
    /// The position in the log of what was applied last.
    position: u64,
    must_ack: bool,
    /// An Ack is wanted once everything up to a sequence number is durable.
    flush: Option<u64>,
}

impl Stream {
    async fn open(store: &Arc<Store>, open: &v1::OpenSession) -> Result<Self, Status> {
        let cell = store.find(&open.session)?;
        let attachment = cell.attach(open.epoch)?;
        // Whoever is told that it writes has an epoch that no crash takes back.
        if let Err(error) = safe(&cell, attachment.position).await {
            cell.detach(attachment);
            return Err(error.into());
        }
        let due = Due::new(&cell, &[])?;
        let emission = cell.look(|engine| engine.settings().emission)?;
        let interval = match emission {
            Emission::Interval(millis) => Some(Duration::from_millis(millis)),
            Emission::Every(_) | Emission::OnRequest => None,
        };
        let mut opened = session(&cell, false)?;
        opened.expire_time = None;
        let applied = opened.applied_through;
        let acked = v1::Ack { applied_through: applied, durable_through: opened.durable_through };
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let first = v1::SessionOpened {
            next_sequence: opened.next_sequence,
            epoch: attachment.epoch,
            max_batch_observations: number(store.limits().max_batch),
            max_unacked_observations: number(store.limits().max_unacked),
            session: Some(opened),
        };
        Ok(Stream {
            store: Arc::clone(store),
            attachment,
            schema: schema(&cell)?,
            shape: cell.look(|engine| engine.shape())?,
            interval,
            waiting: VecDeque::from([Payload::Opened(first)]),
            rest: None,
            due,
            acked,
            applied,
            position: 0,
            must_ack: false,
            flush: None,
            cell,
        })
    }

    async fn run(
        mut self,
        mut messages: Streaming<v1::StreamSessionRequest>,
        out: &Out,
        mut drain: watch::Receiver<Option<DrainNotice>>,
    ) -> Result<(), Status> {
        let mut holder = self.cell.holder();
        let mut log = self.cell.log().map(|log| log.state());
        let mut ticks = self.interval.map(|every| {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            ticks
        });
        let (mut is_told, mut is_over) = (false, false);
        loop {
            if is_over && self.is_done() {
                return Ok(());
            }
            let may_read = !is_over && self.rest.is_none() && self.waiting.len() < MOST_WAITING;
            let has_output = self.has_output();
            let goes_on = self.rest.is_some() && self.waiting.is_empty();
            tokio::select! {
                () = out.closed() => return Ok(()),
                () = fenced(&mut holder, self.attachment.number) => return Err(self.fenced().into()),
                notified = draining(&mut drain), if !is_told => {
                    is_told = true;
                    self.waiting.push_back(Payload::Draining(notice(notified)));
                }
                () = left(&drain), if is_told => return Err(SessionError::Draining(1000).into()),
                failure = synced(&mut log) => {
                    if let Some(failure) = failure {
                        return Err(SessionError::Storage(failure).into());
                    }
                }
                () = tick(&mut ticks) => self.due.refresh(&self.cell)?,
                permit = self.permit(out), if has_output => {
                    let Some(permit) = permit? else { return Ok(()) };
                    if let Some(payload) = self.next_output().await? {
                        permit.send(Ok(v1::StreamSessionResponse { payload: Some(payload) }));
                    }
                }
                () = std::future::ready(()), if goes_on => self.advance().await?,
                message = messages.message(), if may_read => match message? {
                    Some(message) => self.take(message).await?,
                    None => {
                        is_over = true;
                        self.flush = Some(self.applied);
                    }
                },
            }
        }
    }

    fn fenced(&self) -> SessionError {
        let own = self.attachment.epoch;
        match self.cell.look(|engine| engine.epoch()) {
            Ok(epoch) => SessionError::Fenced { epoch, own },
            Err(error) => error,
        }
    }

    /// A place for a message; none if the reader has gone.
    async fn permit<'a>(
        &self,
        out: &'a Out,
    ) -> Result<Option<mpsc::Permit<'a, Result<v1::StreamSessionResponse, Status>>>, SessionError> {
        if self.cell.slow_reader() != SlowReader::Disconnect {
            return Ok(out.reserve().await.ok());
        }
        match tokio::time::timeout(SLOW, out.reserve()).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(SessionError::SlowReader(self.waiting.len())),
        }
    }

    /// How far observations have come, by what the durability promises.
    fn ack(&self) -> v1::Ack {
        let synced = self.cell.log().map_or(0, |log| log.state().borrow().synced);
        let durable_through = self.cell.durable_through(synced);
        let applied_through = match self.cell.durability() {
            Durability::Sync => self.applied.min(durable_through),
            Durability::Memory | Durability::Async => self.applied,
        };
        v1::Ack { applied_through, durable_through }
    }

    fn has_ack(&self) -> bool {
        let ack = self.ack();
        let is_flushed = self.flush.is_some_and(|through| self.is_durable(&ack, through));
        ack != self.acked || is_flushed || (self.must_ack && self.is_durable(&ack, self.applied))
    }

    /// True if an Ack promises of a sequence number what the durability says.
    fn is_durable(&self, ack: &v1::Ack, through: u64) -> bool {
        match self.cell.durability() {
            Durability::Memory => true,
            Durability::Async | Durability::Sync => ack.durable_through >= through,
        }
    }

    fn has_output(&self) -> bool {
        !self.waiting.is_empty() || !self.due.is_empty() || self.has_ack()
    }

    /// True if nothing is left to send, once the client has nothing left to say.
    fn is_done(&self) -> bool {
        self.rest.is_none() && self.flush.is_none() && !self.has_output()
    }

    async fn next_output(&mut self) -> Result<Option<Payload>, Status> {
        // The first message of a stream comes before every other.
        if let Some(Payload::Opened(_)) = self.waiting.front() {
            return Ok(self.waiting.pop_front());
        }
        if self.has_ack() {
            let ack = self.ack();
            if self.flush.is_some_and(|through| self.is_durable(&ack, through)) {
                self.flush = None;
            }
            self.must_ack = false;
            self.acked = ack;
            return Ok(Some(Payload::Ack(ack)));
        }
        if let Some(payload) = self.waiting.pop_front() {
            return Ok(Some(payload));
        }
        let (cell, mut due) = (Arc::clone(&self.cell), std::mem::take(&mut self.due));
        let (due, made) = compute(move || {
            let mut made = Vec::with_capacity(MADE_AT_A_TIME);
            while made.len() < MADE_AT_A_TIME {
                let Some(issued) = due.next(&cell)? else { break };
                made.push(Payload::Update(cell.look(|engine| update(&issued, engine))?));
            }
            Ok((due, made))
        })
        .await?;
        self.due = due;
        self.waiting.extend(made);
        Ok(self.waiting.pop_front())
    }

    async fn take(&mut self, message: v1::StreamSessionRequest) -> Result<(), Status> {
        match message.payload {
            Some(Asked::Observations(observations)) => {
                check_rows(&observations, self.store.limits().max_batch)?;
                let batch = batch(observations, &self.schema)?;
                batch.view(self.shape.0, self.shape.1)?;
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
    async fn advance(&mut self) -> Result<(), Status> {
        let Some((batch, at)) = self.rest.take() else { return Ok(()) };
        if let Some(log) = self.cell.log() {
            log.room().await;
        }
        let (cell, shape, writer) = (Arc::clone(&self.cell), self.shape, Writer::Stream(self.attachment));
        let (batch, applied, told) = compute(move || {
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
        let made = compute(move || {
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

/// Ready when the log has come further: with the reason if it cannot be written. Never without a log.
async fn synced(log: &mut Option<watch::Receiver<LogState>>) -> Option<String> {
    match log {
        Some(state) => match state.changed().await {
            Ok(()) => state.borrow_and_update().failure.clone(),
            Err(_) => Some("it is closed".to_string()),
        },
        None => std::future::pending().await,
    }
}
