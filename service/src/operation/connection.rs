//! One connection: who is on it, whether they read what they asked for, and when it is closed.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::config::Limits;
use super::connections::Connections;
use super::gate::Gate;

/// How often a connection is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Streams that were reset before anybody took them, and errors answered with a reset, before a connection is closed:
/// a client that cancels a few calls has nothing to fear, a flood ends.
const MOST_RESETS: usize = 256;
const MOST_ERRORS: usize = 1024;

/// What is known of a connection.
#[derive(Debug)]
pub(crate) struct Conn {
    opened: Instant,
    n_calls: AtomicUsize,
    /// When the last call ended, in milliseconds since it was opened.
    active: AtomicU64,
    has_called: AtomicBool,
    turns: Arc<Semaphore>,
    /// Answers that somebody should be reading.
    unread: Mutex<BTreeMap<usize, Arc<AtomicU64>>>,
    pub(super) close: Notify,
}

impl Conn {
    pub(super) fn new(most_calls: usize) -> Arc<Self> {
        Arc::new(Conn {
            opened: Instant::now(),
            n_calls: AtomicUsize::new(0),
            active: AtomicU64::new(0),
            has_called: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(most_calls)),
            unread: Mutex::default(),
            close: Notify::new(),
        })
    }

    /// Milliseconds since it was opened, at least 1.
    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    pub(crate) fn call_began(&self) {
        self.n_calls.fetch_add(1, Ordering::Relaxed);
        self.has_called.store(true, Ordering::Relaxed);
    }

    pub(crate) fn call_ended(&self) {
        self.active.store(self.millis(), Ordering::Relaxed);
        self.n_calls.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until the connection may have another call answered.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    pub(crate) fn watch(&self, unread: &Arc<AtomicU64>) {
        self.unread().insert(Arc::as_ptr(unread).addr(), Arc::clone(unread));
    }

    pub(crate) fn unwatch(&self, unread: &Arc<AtomicU64>) {
        self.unread().remove(&Arc::as_ptr(unread).addr());
    }

    fn unread(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<AtomicU64>>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it has had no call; `None` while it has one.
    pub(super) fn idle(&self) -> Option<Duration> {
        let is_idle = self.n_calls.load(Ordering::Relaxed) == 0;
        let since = self.active.load(Ordering::Relaxed);
        is_idle.then(|| Duration::from_millis(self.millis().saturating_sub(since)))
    }

    /// How long the answer that waits longest has not been read.
    fn longest_unread(&self) -> Duration {
        let now = self.millis();
        let since = self
            .unread()
            .values()
            .map(|since| since.load(Ordering::Relaxed))
            .filter(|since| *since > 0)
            .min();
        since.map_or(Duration::ZERO, |since| Duration::from_millis(now.saturating_sub(since)))
    }
}

/// Serves a connection until one side ends it.
pub(super) async fn serve<S>(stream: S, conn: Arc<Conn>, gate: Gate, all: Arc<Connections>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = all.limits.clone();
    let (calls, mut begun) = mpsc::unbounded_channel();
    let handle = {
        let conn = Arc::clone(&conn);
        let is_admin = gate.is_admin;
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            gate.clone().answer(Arc::clone(&conn), request)
        });
        let builder = builder(&limits, is_admin, Calls(calls));
        builder.serve_connection(TokioIo::new(Gathered(stream)), service).into_owned()
    };
    let mut handle = std::pin::pin!(handle);
    let mut under_way = FuturesUnordered::new();
    let mut look = tokio::time::interval(LOOK);
    let mut is_leaving = false;
    let mut cut = all.cut.subscribe();
    loop {
        let served = std::future::poll_fn(|cx| {
            // Calls that the connection begins are gone on with at once, and what they answer is written.
            loop {
                if let Poll::Ready(ended) = handle.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                let n_begun =
                    std::iter::from_fn(|| begun.try_recv().ok()).map(|call| under_way.push(call)).count();
                while let Poll::Ready(Some(())) = under_way.poll_next_unpin(cx) {}
                if n_begun == 0 {
                    return Poll::Pending;
                }
            }
        });
        tokio::select! {
            ended = served => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            () = conn.close.notified() => return,
            _ = cut.changed() => return,
            _ = all.drain.started(), if !is_leaving => {
                is_leaving = true;
                handle.as_mut().graceful_shutdown();
            }
            _ = look.tick() => {
                if conn.longest_unread() > limits.stall {
                    tracing::warn!("a client does not read its answers; its connection is closed");
                    return;
                }
                let has_called = conn.has_called.load(Ordering::Relaxed);
                let patience = if has_called { limits.idle } else { limits.idle.min(limits.greeting) };
                if !is_leaving && conn.idle().is_some_and(|idle| idle > patience) {
                    is_leaving = true;
                    handle.as_mut().graceful_shutdown();
                } else if is_leaving && conn.idle().is_some_and(|idle| idle > patience + limits.keepalive_timeout) {
                    // Asked to leave, and still there without a call.
                    return;
                }
            }
        }
    }
}

/// A connection that writes from one buffer: small answers, of several calls too, go out in one write. Where several
/// buffers can be written at once, HTTP/2 sends the end of an answer by a write of its own.
struct Gathered<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Calls are gone on with by the task of their connection: to hand each to another thread and its answer back would take
/// longer than a short forecast.
#[derive(Debug, Clone)]
struct Calls(mpsc::UnboundedSender<Call>);

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Calls {
    fn execute(&self, call: F) {
        // Refused only once the connection has ended.
        let _ = self.0.send(Box::pin(call));
    }
}

fn builder(limits: &Limits, is_admin: bool, calls: Calls) -> Builder<Calls> {
    let mut builder = Builder::new(calls);
    if !is_admin {
        builder = builder.http2_only();
    }
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.greeting).keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(MOST_ERRORS);
    builder
}
