//! What the registry knows of one model.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::names::revision_name;
use super::record::{ModelRecord, RevisionRecord};
use super::{Loaded, RegistryError};

/// A model and its revisions.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) record: ModelRecord,
    pub(super) revisions: BTreeMap<String, Slot>,
}

/// A revision, in memory or not.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) record: RevisionRecord,
    pub(super) loaded: Option<Arc<Loaded>>,
    pub(super) phase: Phase,
    /// What calls may still hold after it was unloaded.
    pub(super) leaving: Weak<Loaded>,
}

/// What is being done with a revision that is not loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Resting,
    Loading,
    WarmingUp,
    Failed,
}

impl Slot {
    pub(super) fn new(record: RevisionRecord, loaded: Option<Arc<Loaded>>) -> Self {
        Slot { record, loaded, phase: Phase::Resting, leaving: Weak::new() }
    }

    /// Takes the revision out of service; calls under way keep what they have.
    pub(super) fn unload(&mut self) {
        if let Some(loaded) = self.loaded.take() {
            self.leaving = Arc::downgrade(&loaded);
        }
    }
}

impl Entry {
    /// A revision that is loaded.
    pub(super) fn serving(&self, model: &str, revision: &str) -> Result<&Arc<Loaded>, RegistryError> {
        let slot = self.revisions.get(revision).ok_or_else(|| self.unknown(model, revision))?;
        slot.loaded.as_ref().ok_or_else(|| RegistryError::NotLoaded { name: revision_name(model, revision) })
    }

    pub(super) fn unknown(&self, model: &str, revision: &str) -> RegistryError {
        let known = self.revisions.keys().map(|revision| revision_name(model, revision));
        RegistryError::not_found("revision", &revision_name(model, revision), known)
    }

    /// Aliases that name a revision.
    pub(super) fn aliases_of<'a>(&'a self, revision: &'a str) -> impl Iterator<Item = &'a str> {
        let names = move |(alias, traffic): (&'a String, &'a super::Traffic)| {
            traffic.revisions().any(|named| named == revision).then_some(alias.as_str())
        };
        self.record.aliases.iter().filter_map(names)
    }

    /// Takes out of service what nothing names any more: no alias, no pin, not the plain name. Without a folder to
    /// load it from again, it is gone.
    pub(super) fn sweep(&mut self, has_store: bool) {
        let named: Vec<String> =
            self.record.aliases.values().flat_map(|t| t.revisions().map(String::from)).collect();
        for (id, slot) in &mut self.revisions {
            let is_named = self.record.current.as_deref() == Some(id) || named.contains(id);
            let is_pinned = slot.loaded.as_ref().is_some_and(|loaded| loaded.n_pins() > 0);
            if !is_named && !is_pinned {
                slot.unload();
            }
        }
        if !has_store {
            self.revisions.retain(|_, slot| slot.loaded.is_some());
        }
    }

    /// The record with the list of what is loaded, as it is to be stored.
    pub(super) fn touched(&mut self) -> &ModelRecord {
        self.record.loaded = self
            .revisions
            .iter()
            .filter(|(_, slot)| slot.loaded.is_some())
            .map(|(id, _)| id.clone())
            .collect();
        self.record.version += 1;
        self.record.updated_unix_nano = super::record::now();
        &self.record
    }
}
