//! The events of a job as a stream: those that were, then those that come, until the job has ended.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tonic::Status;

use super::Reason;
use super::status::internal;
use crate::jobs::{Event, EventReader, Job, Reach};

/// When to try again where the server stops.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Events that are read at a time.
const AT_A_TIME: usize = 256;

/// Where a stream stands.
struct Position {
    reach: tokio::sync::watch::Receiver<Reach>,
    /// Taken while it reads.
    events: Option<EventReader>,
    /// The number of the last event that was sent or passed over.
    last: u64,
}

/// The events of a job after one.
///
/// # Errors
/// `INTERNAL` if they cannot be read.
pub(super) fn after(
    job: &Job,
    last: u64,
) -> Result<impl Stream<Item = Result<Event, Status>> + Send + use<>, Status> {
    let events = job.events(last).map_err(|error| unreadable(&error))?;
    let position = Position { reach: job.reach(), events: Some(events), last };
    let batches = stream::try_unfold(position, |mut position| async move {
        loop {
            let reach = *position.reach.borrow_and_update();
            if reach.last > position.last {
                let events = position.events.take();
                let mut events = events.ok_or_else(|| internal("the reader of events is gone"))?;
                // Files are read where reading may block.
                let read = tokio::task::spawn_blocking(move || {
                    let some = events.next_through(reach.last, AT_A_TIME);
                    (events, some)
                });
                let (events, some) = read.await.map_err(|error| internal(&error.to_string()))?;
                let some = some.map_err(|error| unreadable(&error))?;
                position.events = Some(events);
                if let Some(newest) = some.last() {
                    position.last = newest.number;
                    return Ok(Some((some, position)));
                }
                return Err(internal("events are missing in the log of the job"));
            }
            if reach.is_over {
                return Ok(None);
            }
            if reach.is_put_aside {
                return Err(Reason::Draining
                    .retry_after("the server is about to stop; go on after the last event", RETRY_AFTER));
            }
            if position.reach.changed().await.is_err() {
                // The job was removed.
                return Ok(None);
            }
        }
    });
    Ok(batches.flat_map(|batch| {
        let (events, error) = match batch {
            Ok(events) => (events, None),
            Err(status) => (Vec::new(), Some(Err(status))),
        };
        stream::iter(events.into_iter().map(Ok).chain(error))
    }))
}

fn unreadable(error: &std::io::Error) -> Status {
    internal(&format!("the events of the job cannot be read: {error}"))
}
