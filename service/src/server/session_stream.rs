//! `StreamSession`: observations in; acknowledgements, errors and forecasts out, each with its bound.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Asked;
use forecast_proto::v1::stream_session_response::Payload;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::reason::Reason;
use super::session_convert::update;
use super::session_ends::{Outlet, fenced, left, notice};
use super::session_message::session;
use super::session_metrics::SessionMetrics;
use super::session_service::{safe, schema};
use super::session_watch::tick;
use crate::operation::Drain;
use crate::operation::compute::Compute;
use crate::session::{
    Attachment, Batch, Cell, Due, Durability, Emission, LogState, SessionError, SlowReader, Store,
};

/// Messages that wait for the reader; beyond them nothing more is read.
const MOST_WAITING: usize = 1000;
/// Forecasts that are made in one go.
const MADE_AT_A_TIME: usize = 8;
/// How long a reader may keep a forecast waiting where slow ones are sent away.
const SLOW: Duration = Duration::from_secs(2);

type Out = mpsc::Sender<Result<v1::StreamSessionResponse, Status>>;

/// Serves one stream to its end.
pub(super) async fn serve(
    (store, compute, drain, metrics): (Arc<Store>, Compute, Drain, SessionMetrics),
    mut messages: Streaming<v1::StreamSessionRequest>,
    outlet: Outlet<v1::StreamSessionResponse>,
) {
    let first = tokio::select! {
        () = outlet.messages.closed() => return,
        first = messages.message() => first,
    };
    let open = match first {
        Ok(Some(v1::StreamSessionRequest { payload: Some(Asked::Open(open)) })) => open,
        Ok(_) => {
            let rule = "the first message of the stream must be OpenSession";
            return outlet.end(Reason::FieldInvalid.at("open", rule));
        }
        Err(status) => return outlet.end(status),
    };
    let stream = match Stream::open(&store, (compute, metrics), &open).await {
        Ok(stream) => stream,
        Err(status) => return outlet.end(status),
    };
    let (cell, attachment) = (Arc::clone(&stream.cell), stream.attachment);
    let outcome = stream.run(messages, &outlet.messages, &drain).await;
    cell.detach(attachment);
    if let Err(status) = outcome {
        outlet.end(status);
    }
}

/// One stream that writes to a session.
pub(super) struct Stream {
    pub(super) store: Arc<Store>,
    pub(super) compute: Compute,
    pub(super) metrics: SessionMetrics,
    pub(super) cell: Arc<Cell>,
    pub(super) attachment: Attachment,
    pub(super) schema: forecast::data::CovariateSchema,
    pub(super) shape: (usize, usize),
    pub(super) interval: Option<Duration>,
    /// Messages that must not be lost.
    pub(super) waiting: VecDeque<Payload>,
    /// A batch that waits for its forecasts to be sent, and how many of its rows are done.
    pub(super) rest: Option<(Arc<Batch>, usize)>,
    pub(super) due: Due,
    pub(super) acked: v1::Ack,
    pub(super) applied: u64,
    /// The position in the log of what was applied last.
    pub(super) position: u64,
    pub(super) must_ack: bool,
    /// An Ack is wanted once everything up to a sequence number is durable.
    pub(super) flush: Option<u64>,
}

impl Stream {
    async fn open(
        store: &Arc<Store>,
        (compute, metrics): (Compute, SessionMetrics),
        open: &v1::OpenSession,
    ) -> Result<Self, Status> {
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
            compute,
            metrics,
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
        drain: &Drain,
    ) -> Result<(), Status> {
        let mut holder = self.cell.holder();
        let mut log = self.cell.log().map(|log| log.state());
        let mut ticks = self.interval.map(|every| {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            ticks
        });
        let (mut is_told, mut is_over) = (false, false);
        let sends_away = self.cell.slow_reader() == SlowReader::Disconnect;
        // Since when a message waits for the reader.
        let mut stuck = None;
        loop {
            if is_over && self.is_done() {
                return Ok(());
            }
            let may_read = !is_over && self.rest.is_none() && self.waiting.len() < MOST_WAITING;
            let has_output = self.has_output();
            if has_output {
                stuck.get_or_insert_with(Instant::now);
            }
            let goes_on = self.rest.is_some() && self.waiting.is_empty();
            tokio::select! {
                () = out.closed() => return Ok(()),
                () = fenced(&mut holder, self.attachment.number) => return Err(self.fenced().into()),
                until = drain.started(), if !is_told => {
                    is_told = true;
                    self.waiting.push_back(Payload::Draining(notice(until)));
                }
                () = left(drain), if is_told => return Err(SessionError::Draining(1000).into()),
                failure = synced(&mut log) => {
                    if let Some(failure) = failure {
                        return Err(SessionError::Storage(failure).into());
                    }
                }
                () = tick(&mut ticks) => self.due.refresh(&self.cell)?,
                () = slow(stuck), if sends_away && has_output => {
                    return Err(SessionError::SlowReader(self.waiting.len()).into());
                }
                permit = out.reserve(), if has_output => {
                    let Ok(permit) = permit else { return Ok(()) };
                    stuck = None;
                    if let Some(payload) = self.next_output().await? {
                        self.metrics.updates.add(u64::from(matches!(payload, Payload::Update(_))));
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

    /// How far observations have come, by what the durability promises.
    fn ack(&self) -> v1::Ack {
        let synced = self.cell.log().map_or(0, |log| log.safe());
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
        // The first message of a stream comes before every other, and what was refused before its acknowledgement.
        if let Some(Payload::Opened(_) | Payload::ObservationError(_)) = self.waiting.front() {
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
        let (due, made) = self
            .compute
            .in_turn(move || {
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
}

/// Ready when a message has waited for its reader for too long.
async fn slow(since: Option<Instant>) {
    match since {
        Some(since) => tokio::time::sleep_until((since + SLOW).into()).await,
        None => std::future::pending().await,
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
