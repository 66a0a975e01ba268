//! How streams of sessions end: with a last word, taken over, or with the server.

use std::pin::Pin;
use std::time::{Duration, Instant};

use forecast_proto::v1;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::session_convert::duration;
use crate::operation::{Drain, Until};

/// Messages of a stream that wait for the transport.
const AHEAD: usize = 16;
/// How long before the end of a drain streams end.
const BEFORE_THE_END: Duration = Duration::from_secs(2);
/// How long clients should wait before they reconnect to a server that stops.
const RECONNECT_AFTER_MS: u64 = 500;

/// The responses of a call.
pub(super) type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where the messages of a stream go: those that wait for their reader, and the last word.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    /// Messages on their way.
    pub(super) messages: mpsc::Sender<Result<T, Status>>,
    last_word: oneshot::Sender<Status>,
}

impl<T> Outlet<T> {
    /// Says why the stream ends: after the messages that wait, however long their reader takes.
    pub(super) fn end(self, status: Status) {
        // Nobody hears it if the reader has gone.
        let _ = self.last_word.send(status);
    }
}

/// A stream of responses and where its messages go.
pub(super) fn outlet<T: Send + 'static>() -> (Outlet<T>, Responses<T>) {
    let (messages, waiting) = mpsc::channel(AHEAD);
    let (last_word, word) = oneshot::channel();
    let word = stream::once(word).filter_map(|word| std::future::ready(word.ok().map(Err)));
    (Outlet { messages, last_word }, Box::pin(ReceiverStream::new(waiting).chain(word)))
}

/// Ready when an attachment no longer holds its session.
pub(super) async fn fenced(holder: &mut watch::Receiver<u64>, number: u64) {
    loop {
        let present = *holder.borrow_and_update();
        if present != number {
            return;
        }
        if holder.changed().await.is_err() {
            // The session is gone with everybody who could take it over.
            std::future::pending::<()>().await;
        }
    }
}

/// Ready a little before the server cuts off what still runs, so that a stream ends with a word.
pub(super) async fn left(drain: &Drain) {
    let until = drain.started().await;
    let left = until.instant.saturating_duration_since(Instant::now());
    tokio::time::sleep(left.saturating_sub(BEFORE_THE_END.min(left / 5))).await;
}

/// That the server is about to stop, as a message.
pub(super) fn notice(until: Until) -> v1::Draining {
    v1::Draining { deadline: Some(until.time.into()), reconnect_after: Some(duration(RECONNECT_AFTER_MS)) }
}
