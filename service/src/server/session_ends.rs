//! How streams of sessions end: with a last word, taken over, or with the server.

use std::time::{Duration, SystemTime};

use forecast_proto::v1;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::session_convert::duration;
use super::session_service::DrainNotice;

/// How long the last word of a stream waits for its reader.
const LAST_WORD: Duration = Duration::from_secs(1);

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
pub(super) async fn fenced(holder: &mut watch::Receiver<u64>, number: u64) {
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
        reconnect_after: Some(duration(
            u64::try_from(notice.reconnect_after.as_millis()).unwrap_or(u64::MAX),
        )),
    }
}
