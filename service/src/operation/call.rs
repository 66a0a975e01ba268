//! What is known of the call that a task works on: how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::compute::Place;

tokio::task_local! {
    static STAGE: StageCell;
}

/// Where the time of a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waiting for its message, or for a thread.
    Queue,
    /// Being computed.
    Compute,
    /// On its way out.
    Write,
}

impl Stage {
    /// The word in the details of an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Compute => "compute",
            Stage::Write => "write",
        }
    }
}

/// The stage of one call, shared between its task and the thread that computes for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageCell(Arc<OfCall>);

#[derive(Debug, Default)]
struct OfCall {
    stage: AtomicU8,
    /// The place that the call has had in the queue since it arrived.
    place: Option<Place>,
}

impl StageCell {
    /// Of a call that has arrived.
    pub(crate) fn new(place: Option<Place>) -> Self {
        StageCell(Arc::new(OfCall { stage: AtomicU8::new(0), place }))
    }

    /// What the call waited for is done, or waits under its own name from now on.
    pub(crate) fn begin(&self) {
        if let Some(place) = &self.0.place {
            place.leave();
        }
        self.set(Stage::Compute);
    }

    pub(crate) fn set(&self, stage: Stage) {
        let code = match stage {
            Stage::Queue => 0,
            Stage::Compute => 1,
            Stage::Write => 2,
        };
        self.0.stage.store(code, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Stage {
        match self.0.stage.load(Ordering::Relaxed) {
            0 => Stage::Queue,
            1 => Stage::Compute,
            _ => Stage::Write,
        }
    }

    /// Runs a future as a part of this call.
    pub(crate) fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        STAGE.scope(self.clone(), future)
    }

    /// Runs some code as a part of this call.
    pub(crate) fn enter<T>(&self, code: impl FnOnce() -> T) -> T {
        STAGE.sync_scope(self.clone(), code)
    }
}

/// The stage of the call that this task works on; one of its own outside of any.
pub(crate) fn stage() -> StageCell {
    STAGE.try_with(Clone::clone).unwrap_or_default()
}
