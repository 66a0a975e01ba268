//! Stopping: everybody hears of it at once, and nobody can hold it up beyond its bound.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

/// Whether the server stops, and until when; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Drain {
    state: watch::Sender<Option<Until>>,
}

/// When whatever still runs is cut off.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    /// On the clock that only goes forward.
    pub instant: Instant,
    /// On the clock on the wall, for messages.
    pub time: SystemTime,
}

impl Default for Drain {
    fn default() -> Self {
        Drain { state: watch::Sender::new(None) }
    }
}

impl Drain {
    /// Begins, if it has not begun.
    pub fn start(&self, within: Duration) {
        self.state.send_if_modified(|state| {
            let is_new = state.is_none();
            state.get_or_insert(Until { instant: Instant::now() + within, time: SystemTime::now() + within });
            is_new
        });
    }

    /// Whether it has begun, and until when it lasts.
    #[must_use]
    pub fn until(&self) -> Option<Until> {
        *self.state.borrow()
    }

    /// Ready once it has begun.
    pub async fn started(&self) -> Until {
        let mut receiver = self.state.subscribe();
        loop {
            if let Some(until) = *receiver.borrow_and_update() {
                return until;
            }
            if receiver.changed().await.is_err() {
                // Nobody is left who could begin it: this handle is a sender, so this does not happen.
                std::future::pending::<()>().await;
            }
        }
    }
}
