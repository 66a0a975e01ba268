//! The body of an answer: counts its end, keeps its deadline, and lets its connection see whether anybody reads it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::{Code, Status};

use super::budget::Share;
use super::call::StageCell;
use super::connection::Conn;
use super::deadline::exceeded;
use super::gate::Seen;
use super::unexplained::explain;

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    inner: tonic::body::Body,
    /// `None` for what is no call, such as metrics.
    end: Option<Box<End>>,
    is_over: bool,
}

/// What happens when a call ends, however it does.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) seen: Arc<Seen>,
    pub(crate) rpc: Option<usize>,
    pub(crate) start: Instant,
    pub(crate) code: Option<Code>,
    pub(crate) conn: Arc<Conn>,
    pub(crate) stage: StageCell,
    /// The message that the call works on.
    pub(crate) share: Option<Arc<Share>>,
    pub(crate) deadline: Option<(Pin<Box<Sleep>>, Duration)>,
    /// Since when nobody has taken what was written, in milliseconds of the connection, 0 if somebody has.
    pub(crate) unread_since: Arc<AtomicU64>,
}

impl Answer {
    /// The answer of a call.
    pub(crate) fn of_call(inner: tonic::body::Body, end: Box<End>) -> Self {
        end.unread_since.store(end.conn.millis(), Ordering::Relaxed);
        end.conn.watch(&end.unread_since);
        Answer { inner, end: Some(end), is_over: false }
    }

    /// A text that is no answer of a call.
    pub(crate) fn text(text: String) -> Self {
        let inner = tonic::body::Body::new(http_body_util::Full::new(Bytes::from(text)));
        Answer { inner, end: None, is_over: false }
    }

    fn over(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        if let Some(end) = &mut self.end {
            end.code = Some(status.code());
        }
        let mut trailers = HeaderMap::new();
        match status.add_header(&mut trailers) {
            Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        let Some(end) = &mut this.end else { return Pin::new(&mut this.inner).poll_frame(cx) };
        end.unread_since.store(0, Ordering::Relaxed);
        if let Some((sleep, allowed)) = &mut end.deadline
            && sleep.as_mut().poll(cx).is_ready()
        {
            let status = exceeded(*allowed, end.stage.get());
            return this.over(status);
        }
        // Streams compute while they are polled: for this call.
        let inner = &mut this.inner;
        let stage = end.stage.clone();
        let polled = stage.enter(|| Pin::new(inner).poll_frame(cx));
        match polled {
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    end.code = Some(explain(trailers));
                } else {
                    end.unread_since.store(end.conn.millis(), Ordering::Relaxed);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => this.over(status),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Whoever goes away before the end has cancelled.
        let code = self.code.unwrap_or(Code::Cancelled);
        self.seen.ended(self.rpc, code, self.start.elapsed());
        self.conn.unwatch(&self.unread_since);
        self.conn.call_ended();
        self.share = None;
    }
}
