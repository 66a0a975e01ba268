//! All connections: accepted while there is room, told to leave, cut off when their time is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::config::Limits;
use super::connection::{Conn, serve};
use super::drain::Drain;
use super::gate::Gate;
use super::metrics::{Counter, Gauge, Metrics};
use super::tls::Tls;

/// After an error of the operating system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections of all ports.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(super) limits: Limits,
    pub(super) drain: Drain,
    /// Everybody goes at once.
    pub(super) cut: watch::Sender<bool>,
    all: Mutex<BTreeMap<u64, Arc<Conn>>>,
    next: AtomicU64,
    gone: Notify,
    open: Gauge,
    refused: Counter,
}

impl Connections {
    pub(crate) fn new(limits: Limits, drain: Drain, metrics: &Metrics) -> Arc<Self> {
        let help = "Connections that were closed because there were too many.";
        Arc::new(Connections {
            limits,
            drain,
            cut: watch::Sender::new(false),
            all: Mutex::default(),
            next: AtomicU64::new(0),
            gone: Notify::new(),
            open: metrics.gauge("longcast_connections", "Open connections.", &[]),
            refused: metrics.counter("longcast_connections_refused_total", help, &[]),
        })
    }

    /// Accepts connections until the server stops.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener, tls: Option<Tls>, gate: Gate) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.drain.started() => return,
            };
            match accepted {
                Ok((stream, _)) => self.take(stream, tls.clone(), gate.clone()),
                Err(error) => {
                    tracing::warn!(%error, "no connection was accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream, tls: Option<Tls>, gate: Gate) {
        let Some((id, conn)) = self.enter() else {
            self.refused.add(1);
            return;
        };
        let all = Arc::clone(self);
        tokio::spawn(async move {
            // Small answers go out at once; without it they only come later.
            let _ = stream.set_nodelay(true);
            let leave = Leave { all: Arc::clone(&all), id };
            match tls {
                None => serve(stream, conn, gate, all).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, conn, gate, all).await,
                    Err(error) => tracing::debug!(error, "no handshake"),
                },
            }
            drop(leave);
        });
    }

    /// A place for a connection. Where there is none, whoever has been without a call for longest makes room.
    fn enter(&self) -> Option<(u64, Arc<Conn>)> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= self.limits.connections {
            let idle = all.iter().filter_map(|(id, conn)| Some((conn.idle()?, *id)));
            let (_, id) = idle.max()?;
            if let Some(conn) = all.remove(&id) {
                self.refused.add(1);
                conn.close.notify_one();
            }
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let conn = Conn::new(self.limits.calls_per_connection);
        all.insert(id, Arc::clone(&conn));
        self.open.set(i64::try_from(all.len()).unwrap_or(i64::MAX));
        Some((id, conn))
    }

    fn leave(&self, id: u64) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&id);
        self.open.set(i64::try_from(all.len()).unwrap_or(i64::MAX));
        if all.is_empty() {
            self.gone.notify_one();
        }
    }

    fn n_open(&self) -> usize {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Ready when all have left; cuts off those that have not when the time of the drain is over.
    pub(crate) async fn ended(&self) {
        let until = self.drain.started().await;
        let until = tokio::time::Instant::from_std(until.instant);
        while self.n_open() > 0 {
            if tokio::time::timeout_at(until, self.gone.notified()).await.is_err() {
                tracing::warn!(connections = self.n_open(), "cut off: the time of the drain is over");
                self.cut.send_replace(true);
                return;
            }
        }
    }
}

/// Takes a connection off the list, whatever ends its task.
struct Leave {
    all: Arc<Connections>,
    id: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.all.leave(self.id);
    }
}
