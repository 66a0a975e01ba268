//! How streams of sessions end: with a last word, taken over, or with the server.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::session_convert::duration;
use crate::operation::{Drain, Until};

/// How long the last word of a stream waits for its reader.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long before the end of a drain streams end.
const BEFORE_THE_END: Duration = Duration::from_secs(2);
/// How long clients should wait before they reconnect to a server that stops.
const RECONNECT_AFTER_MS: u64 = 500;

/// Says why a stream ends, if its reader takes it in time.
pub(super) async fn end_stream<T>(out: &mpsc::Sender<Result<T, Status>>, status: Status) {
    // A reader who does not take it sees the stream end all the same.
    let _ = tokio::time::timeout(LAST_WORD, out.send(Err(status))).await;
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
