//! What has to be done for sessions now and then: expiry, old segments, moves to another model.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cell::Cell;
use super::models::PinnedModel;
use super::store::{Slot, Store};

/// Bytes of the log that are kept at least, so that states are not written again too often.
const LEAST_LOG: u64 = 128 << 20;
/// Bytes of states that one round of housekeeping writes.
const MOST_REWRITTEN: u64 = 8 << 20;

impl Store {
    /// Moves the sessions of a revision to another model, as far as it takes them; returns how many went.
    #[must_use]
    pub fn migrate(&self, revision: &str, to: &PinnedModel) -> usize {
        let moved = self.on_revision(revision).into_iter().filter(|cell| match cell.migrate(to.clone()) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, session = cell.name(), "a session stays on its revision");
                false
            }
        });
        moved.count()
    }

    /// Deletes the sessions of a revision; returns how many there were.
    #[must_use]
    pub fn end_on_revision(&self, revision: &str) -> usize {
        let ended =
            self.on_revision(revision).into_iter().filter(|cell| match self.delete(cell.name(), "") {
                Ok(_) => true,
                Err(error) => {
                    tracing::warn!(%error, session = cell.name(), "a session stays");
                    false
                }
            });
        ended.count()
    }

    /// Deletes what has expired, writes states anew that lie far back in the log, and lets old segments go. Meant to be
    /// called every second or so, where it may wait for locks.
    pub fn keep_house(&self) {
        let cells: Vec<Arc<Cell>> = self.list("", "", usize::MAX);
        for cell in &cells {
            if cell.time_left().is_some_and(|left| left.is_zero()) {
                match self.delete(cell.name(), "") {
                    Ok(_) => tracing::info!(session = cell.name(), "a session has expired"),
                    Err(error) => {
                        tracing::warn!(%error, session = cell.name(), "a session has expired, but stays")
                    }
                }
            }
        }
        let Some(log) = &self.log else { return };
        let end = log.end();
        let kept = LEAST_LOG.max(4 * self.state_bytes.load(Ordering::Relaxed));
        let far_back = end.saturating_sub(kept);
        let mut rewritten = 0;
        let mut needed = end;
        for cell in &cells {
            let Some(position) = cell.state_position() else { continue };
            if position < far_back && rewritten < MOST_REWRITTEN {
                rewritten += cell.state_bytes();
                if let Err(error) = cell.snapshot() {
                    tracing::warn!(%error, session = cell.name(), "the state of a session was not written");
                }
            }
            // What has just been written may not be safe yet: the old state counts until the next round.
            needed = needed.min(position);
        }
        for slot in self.slots().values() {
            if let Slot::Lost(lost) = slot {
                needed = needed.min(lost.position);
            }
        }
        log.retire(needed);
    }
}
