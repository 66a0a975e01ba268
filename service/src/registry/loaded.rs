//! A revision in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use forecast::Model;

use super::RevisionRecord;
use super::names::revision_name;
use crate::operation::compute::Cost;

/// A revision that is loaded and warmed up: immutable, shared by every call that began with it.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub model: Model,
    model_id: String,
    revision: String,
    record: RevisionRecord,
    n_pins: AtomicUsize,
    cost: Arc<Cost>,
    short_cost: Arc<Cost>,
    shadow: Mutex<ShadowFigures>,
}

/// How a revision did as a shadow since it was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ShadowFigures {
    /// Copies of forecasts that were due.
    pub n_due: u64,
    /// Of these, copies that were left out because there was no time.
    pub n_dropped: u64,
    /// Numbers that were compared.
    pub n_compared: u64,
    /// Sum of the absolute differences of point forecasts, in the units of the series.
    pub absolute_difference: f64,
}

impl Loaded {
    pub(super) fn new(model_id: &str, model: Model, record: RevisionRecord) -> Arc<Self> {
        let revision = revision_name(model_id, &record.id);
        Arc::new(Loaded {
            model,
            model_id: model_id.to_string(),
            revision,
            record,
            n_pins: AtomicUsize::new(0),
            cost: Arc::default(),
            short_cost: Arc::default(),
            shadow: Mutex::default(),
        })
    }

    /// The model's own name, without `models/`.
    #[must_use]
    pub fn model_id(&self) -> &str {
        &self.model_id
    }

    /// `models/{m}/revisions/{r}`.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The revision's own name.
    #[must_use]
    pub fn revision_id(&self) -> &str {
        &self.record.id
    }

    /// What is stored beside the model.
    #[must_use]
    pub fn record(&self) -> &RevisionRecord {
        &self.record
    }

    /// What its forecasts cost.
    pub(crate) fn cost(&self) -> &Arc<Cost> {
        &self.cost
    }

    /// What those cost that can be made where their call is.
    pub(crate) fn short_cost(&self) -> &Arc<Cost> {
        &self.short_cost
    }

    /// How it did as a shadow.
    #[must_use]
    pub fn shadow(&self) -> ShadowFigures {
        *self.shadow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what it did as a shadow.
    pub(crate) fn count_shadow(&self, count: impl FnOnce(&mut ShadowFigures)) {
        count(&mut self.shadow.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Holds the revision in memory as long as the pin lives: a session that stays on its revision has one.
    #[must_use]
    pub fn pin(self: &Arc<Self>) -> Pin {
        self.n_pins.fetch_add(1, Ordering::AcqRel);
        Pin { loaded: Arc::clone(self) }
    }

    /// Pins that live.
    #[must_use]
    pub fn n_pins(&self) -> usize {
        self.n_pins.load(Ordering::Acquire)
    }
}

/// Holds a revision in memory.
#[derive(Debug)]
pub struct Pin {
    loaded: Arc<Loaded>,
}

impl Pin {
    /// What is held.
    #[must_use]
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.loaded.n_pins.fetch_sub(1, Ordering::AcqRel);
    }
}
