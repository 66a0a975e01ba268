//! `WatchSession`: the forecasts of a session for those who only read.

use std::sync::Arc;
use std::time::Duration;

use forecast_proto::v1;
use forecast_proto::v1::watch_session_response::Payload;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use super::session_convert::update;
use super::session_ends::{Outlet, left, notice};
use crate::operation::Drain;
use crate::operation::compute::Compute;
use crate::session::{Cell, Due, Emission, Issued, MOST_ISSUED, SessionError, Watcher};

type Out = mpsc::Sender<Result<v1::WatchSessionResponse, Status>>;

/// One reader of a session.
#[derive(Debug)]
pub(super) struct Watched {
    cell: Arc<Cell>,
    compute: Compute,
    due: Due,
    /// Every forecast, where none is conflated.
    issued: Option<broadcast::Receiver<Arc<Issued>>>,
    wanted: Vec<u32>,
    interval: Option<Duration>,
    _watcher: Watcher,
}

/// A reader who begins now.
///
/// # Errors
/// `NOT_FOUND`, and `INVALID_ARGUMENT` for a series that is not there.
pub(super) fn begin(
    cell: Arc<Cell>,
    watcher: Watcher,
    request: &v1::WatchSessionRequest,
    compute: Compute,
) -> Result<Watched, Status> {
    let mut due = Due::new(&cell, &request.series_index)?;
    if request.send_current {
        due.ask_for_all();
    }
    let emission = cell.look(|engine| engine.settings().emission)?;
    let interval = match emission {
        Emission::Interval(millis) => Some(Duration::from_millis(millis)),
        Emission::Every(_) | Emission::OnRequest => None,
    };
    let issued = cell.issued();
    Ok(Watched {
        compute,
        cell,
        due,
        issued,
        wanted: request.series_index.clone(),
        interval,
        _watcher: watcher,
    })
}

impl Watched {
    /// Sends what is due until the reader goes, the session ends or the server does.
    pub(super) async fn serve(mut self, outlet: Outlet<v1::WatchSessionResponse>, drain: Drain) {
        if let Err(status) = self.run(&outlet.messages, drain).await {
            outlet.end(status);
        }
    }

    async fn run(&mut self, out: &Out, drain: Drain) -> Result<(), Status> {
        let mut version = self.cell.version();
        let mut ticks = self.interval.map(|every| {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            ticks
        });
        let mut told = false;
        loop {
            tokio::select! {
                () = out.closed() => return Ok(()),
                until = drain.started(), if !told => {
                    told = true;
                    let message = v1::WatchSessionResponse { payload: Some(Payload::Draining(notice(until))) };
                    // A reader who does not take it learns from the end of the stream.
                    let _ = out.try_send(Ok(message));
                }
                () = left(&drain), if told => return Err(SessionError::Draining(1000).into()),
                issued = next(&mut self.issued) => {
                    let issued = issued.map_err(|()| SessionError::SlowReader(MOST_ISSUED))?;
                    let at = u32::try_from(issued.made.series).unwrap_or(u32::MAX);
                    if self.wanted.is_empty() || self.wanted.contains(&at) {
                        self.send(out, &issued).await?;
                    }
                }
                changed = version.changed(), if self.issued.is_none() && self.interval.is_none() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    self.due.refresh(&self.cell)?;
                }
                () = tick(&mut ticks) => self.due.refresh(&self.cell)?,
                permit = out.reserve(), if !self.due.is_empty() => {
                    let Ok(permit) = permit else { return Ok(()) };
                    if let Some(message) = self.next_due().await? {
                        permit.send(Ok(message));
                    }
                }
            }
        }
    }

    async fn next_due(&mut self) -> Result<Option<v1::WatchSessionResponse>, Status> {
        let (cell, mut due) = (Arc::clone(&self.cell), std::mem::take(&mut self.due));
        let (due, message) = self
            .compute
            .in_turn(move || {
                let issued = due.next(&cell)?;
                let update = issued.map(|issued| cell.look(|engine| update(&issued, engine))).transpose()?;
                Ok((
                    due,
                    update.map(|update| v1::WatchSessionResponse { payload: Some(Payload::Update(update)) }),
                ))
            })
            .await?;
        self.due = due;
        Ok(message)
    }

    async fn send(&self, out: &Out, issued: &Issued) -> Result<(), Status> {
        let update = self.cell.look(|engine| update(issued, engine))?;
        // While this waits, forecasts gather behind it, and too many of them end the stream.
        let _ = out.send(Ok(v1::WatchSessionResponse { payload: Some(Payload::Update(update)) })).await;
        Ok(())
    }
}

/// The next forecast of those that are all sent; never, where they are conflated. An error if the reader missed some.
async fn next(issued: &mut Option<broadcast::Receiver<Arc<Issued>>>) -> Result<Arc<Issued>, ()> {
    match issued {
        None => std::future::pending().await,
        Some(receiver) => match receiver.recv().await {
            Ok(issued) => Ok(issued),
            Err(RecvError::Lagged(_)) => Err(()),
            Err(RecvError::Closed) => std::future::pending().await,
        },
    }
}

/// Ready at the next tick; never without an interval.
pub(super) async fn tick(ticks: &mut Option<tokio::time::Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
