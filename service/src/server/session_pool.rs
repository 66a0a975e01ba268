//! Where sessions compute: on the pool, never on the threads that serve connections.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;
use tonic::Status;

use super::status::internal;

/// Runs a piece of work to its end on the compute pool. How much of it waits is bounded by the streams and calls that are
/// open: each has one piece at a time.
///
/// # Errors
/// Its own, or `INTERNAL` if it panics.
pub(super) async fn compute<T, F>(work: F) -> Result<T, Status>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Status> + Send + 'static,
{
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        let outcome = catch_unwind(AssertUnwindSafe(work));
        // Nobody to tell if the caller has gone meanwhile.
        let _ = send.send(outcome.unwrap_or_else(|_| Err(internal("the model panicked; please report it"))));
    });
    receive.await.unwrap_or_else(|_| Err(internal("the compute pool dropped the call")))
}
