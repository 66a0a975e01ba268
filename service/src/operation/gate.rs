//! What every call goes through before a service sees it: token, scope, drain, bounds, deadline.

use std::convert::Infallible;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower_service::Service;

use super::access::{self, Access, RPCS, Rpc, Shape, Work};
use super::answer::{Answer, End};
use super::budget::{Budget, Counted, Share};
use super::call::StageCell;
use super::compute::Compute;
use super::config::Limits;
use super::connection::Conn;
use super::deadline::{allowed, exceeded};
use super::drain::Drain;
use super::metrics::{Counter, Histogram, Metrics};
use super::monitor;
use super::process::Memory;
use super::tokens::Tokens;
use super::unexplained::{explain, spelled};
use crate::server::Reason;

/// When to try again after a refusal that is not about the queue of forecasts.
const RETRY: Duration = Duration::from_millis(500);
const N_CODES: usize = 17;
/// Bytes of a message with a chunk of a file.
const CHUNK_MESSAGE: usize = 2 << 20;

/// The door of one port.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) routes: Routes,
    /// Whether probes and metrics are answered here.
    pub(crate) is_admin: bool,
    pub(crate) shared: Arc<Shared>,
}

/// What the doors of all ports know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tokens: Tokens,
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
    pub(crate) compute: Compute,
    pub(crate) budget: Arc<Budget>,
    pub(crate) memory: Memory,
    pub(crate) metrics: Metrics,
    pub(crate) seen: Arc<Seen>,
}

/// Calls by method and code.
#[derive(Debug)]
pub(crate) struct Seen {
    metrics: Metrics,
    by_rpc: Vec<OfRpc>,
}

#[derive(Debug)]
struct OfRpc {
    method: &'static str,
    codes: [OnceLock<Counter>; N_CODES],
    times: OnceLock<Histogram>,
}

impl Seen {
    pub(crate) fn new(metrics: &Metrics) -> Arc<Self> {
        let of = |method| OfRpc { method, codes: Default::default(), times: OnceLock::new() };
        // Calls that do not exist are the last.
        let by_rpc = RPCS.iter().map(|rpc| of(rpc.path)).chain([of("other")]).collect();
        Arc::new(Seen { metrics: metrics.clone(), by_rpc })
    }

    /// Counts a call that has ended.
    pub(crate) fn ended(&self, rpc: Option<usize>, code: Code, took: Duration) {
        let of = &self.by_rpc[rpc.unwrap_or(RPCS.len())];
        let at = usize::try_from(i32::from(code)).unwrap_or(2).min(N_CODES - 1);
        let counter = of.codes[at].get_or_init(|| {
            let labels = [("method", of.method), ("code", spelled(code))];
            self.metrics.counter("longcast_calls_total", "Calls that have ended.", &labels)
        });
        counter.add(1);
        let times = of.times.get_or_init(|| {
            let labels = [("method", of.method)];
            self.metrics.histogram(
                "longcast_call_seconds",
                "Time from the headers of a call to its end.",
                &labels,
            )
        });
        times.record(took);
        if code == Code::Internal {
            tracing::warn!(method = of.method, code = spelled(code), seconds = took.as_secs_f64(), "call");
        } else {
            tracing::debug!(method = of.method, code = spelled(code), seconds = took.as_secs_f64(), "call");
        }
    }
}

impl Gate {
    /// Answers a request of a connection. A forecast has its place in the queue from this call on, before its task has a
    /// thread.
    pub(crate) fn answer(
        self,
        conn: Arc<Conn>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> {
        let start = Instant::now();
        let rpc = access::find(request.uri().path());
        let is_unary = |rpc: usize| RPCS[rpc].work == Work::Forecast && RPCS[rpc].shape == Shape::Unary;
        let place = rpc.is_some_and(is_unary).then(|| self.shared.compute.arrive());
        self.answer_from(conn, request, (start, rpc), StageCell::new(place))
    }

    async fn answer_from(
        mut self,
        conn: Arc<Conn>,
        request: Request<Incoming>,
        (start, rpc): (Instant, Option<usize>),
        stage: StageCell,
    ) -> Result<Response<Answer>, Infallible> {
        if self.is_admin && request.method() == Method::GET {
            return Ok(monitor::answer(request.uri().path(), &self.shared));
        }
        conn.call_began();
        let end = Box::new(End {
            seen: Arc::clone(&self.shared.seen),
            rpc,
            start,
            code: None,
            conn: Arc::clone(&conn),
            stage: stage.clone(),
            share: None,
            deadline: None,
            unread_since: Arc::new(AtomicU64::new(0)),
        });
        Ok(match self.pass(rpc, request, end, &conn, &stage).await {
            Ok(response) => response,
            Err((status, end)) => refusal(status, end),
        })
    }

    async fn pass(
        &mut self,
        rpc: Option<usize>,
        request: Request<Incoming>,
        mut end: Box<End>,
        conn: &Conn,
        stage: &StageCell,
    ) -> Result<Response<Answer>, (Status, Box<End>)> {
        let shared = Arc::clone(&self.shared);
        let rpc = rpc.map(|at| &RPCS[at]);
        let cap = match self.admit(rpc, &request) {
            Ok(cap) => cap,
            Err(status) => return Err((status, end)),
        };
        let deadline = cap.map(|cap| (tokio::time::Instant::from_std(end.start + cap), cap));
        let share = Share::of(&shared.budget);
        end.share = Some(Arc::clone(&share));
        let most = match rpc.map(|rpc| rpc.shape) {
            Some(Shape::Stream) | None => shared.limits.stream_bytes,
            Some(Shape::Unary | Shape::Download) => shared.limits.unary_bytes,
            Some(Shape::Upload) => shared.limits.unary_bytes.max(CHUNK_MESSAGE),
        };
        let request = request.map(|body| Counted::new(body, share, most));
        let is_unary = rpc.is_some_and(|rpc| rpc.shape == Shape::Unary);
        let routes = &mut self.routes;
        let answered = stage.scope(async move {
            // A connection waits its turn; other connections do not wait for it.
            let _turn = if is_unary { conn.turn().await } else { None };
            routes.call(request).await
        });
        let answered = match deadline {
            None => answered.await,
            Some((at, cap)) => match tokio::time::timeout_at(at, answered).await {
                Ok(answered) => answered,
                Err(_) => return Err((exceeded(cap, stage.get()), end)),
            },
        };
        let response = match answered {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if !is_unary {
            end.deadline = deadline.map(|(at, cap)| (Box::pin(tokio::time::sleep_until(at)), cap));
        }
        let (mut parts, body) = response.into_parts();
        if parts.headers.contains_key(Status::GRPC_STATUS) {
            end.code = Some(explain(&mut parts.headers));
        }
        Ok(Response::from_parts(parts, Answer::of_call(body, end)))
    }

    /// Whether a call may go on, and how long it may take.
    fn admit(&self, rpc: Option<&Rpc>, request: &Request<Incoming>) -> Result<Option<Duration>, Status> {
        let shared = &self.shared;
        let access = rpc.map_or(Access::AnyToken, |rpc| rpc.access);
        let authorization = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        shared.tokens.check(authorization, access)?;
        let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
        if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_grpc) {
            return Err(Reason::MessageInvalid.status("content-type: it must be application/grpc", &[]));
        }
        let is_probe = access == Access::Open;
        if !is_probe && let Some(until) = shared.drain.until() {
            let left = until.instant.saturating_duration_since(Instant::now());
            return Err(Reason::Draining.retry_after("the server is about to stop", left.max(RETRY)));
        }
        if !is_probe
            && shared.limits.process_memory > 0
            && shared.memory.resident() > shared.limits.process_memory
        {
            let message = format!("the process takes more than {} bytes", shared.limits.process_memory);
            return Err(Reason::Overloaded.retry_after(message, RETRY));
        }
        let is_unary = rpc.is_some_and(|rpc| rpc.shape == Shape::Unary);
        if rpc.is_some_and(|rpc| rpc.work == Work::Forecast) {
            // Before its message is read: what is refused here costs next to nothing.
            shared.compute.admit(usize::from(is_unary))?;
        }
        allowed(request.headers(), is_unary.then_some(shared.limits.call_time))
    }
}

fn refusal(status: Status, mut end: Box<End>) -> Response<Answer> {
    end.code = Some(status.code());
    let (parts, body) = status.into_http::<tonic::body::Body>().into_parts();
    Response::from_parts(parts, Answer::of_call(body, end))
}

/// An answer that is none of a call.
pub(crate) fn plain(code: StatusCode, text: String) -> Response<Answer> {
    let mut response = Response::new(Answer::text(text));
    *response.status_mut() = code;
    let value = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}
