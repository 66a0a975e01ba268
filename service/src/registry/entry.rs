//! What the registry knows of one model.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::names::revision_name;
use super::record::{ModelRecord, RevisionRecord, now};
use super::registry::DEFAULT_ALIAS;
use super::{Loaded, RegistryError, Traffic};

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
    /// Answers calls.
    pub(super) loaded: Option<Arc<Loaded>>,
    /// What calls and sessions still hold, but nobody new gets.
    pub(super) held: Weak<Loaded>,
    pub(super) phase: Phase,
}

/// What is being done with a revision that is not loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Resting,
    Loading,
    WarmingUp,
    /// Why.
    Failed(String),
}

impl Slot {
    pub(super) fn new(record: RevisionRecord) -> Self {
        Slot { record, loaded: None, held: Weak::new(), phase: Phase::Resting }
    }

    /// The revision as it is in memory, whoever holds it.
    pub(super) fn in_memory(&self) -> Option<Arc<Loaded>> {
        self.loaded.clone().or_else(|| self.held.upgrade())
    }

    /// Takes the revision out of service; calls under way and sessions keep what they have.
    pub(super) fn unload(&mut self) {
        if let Some(loaded) = self.loaded.take() {
            self.held = Arc::downgrade(&loaded);
        }
    }
}

impl Entry {
    pub(super) fn new() -> Self {
        Entry {
            record: ModelRecord { created_unix_nano: now(), ..ModelRecord::default() },
            ..Entry::default()
        }
    }

    /// A revision that answers calls.
    pub(super) fn serving(&self, model: &str, revision: &str) -> Result<&Arc<Loaded>, RegistryError> {
        let slot = self.revisions.get(revision).ok_or_else(|| self.unknown(model, revision))?;
        slot.loaded.as_ref().ok_or_else(|| RegistryError::NotLoaded { name: revision_name(model, revision) })
    }

    pub(super) fn unknown(&self, model: &str, revision: &str) -> RegistryError {
        let known = self.revisions.keys().map(|revision| revision_name(model, revision));
        RegistryError::not_found("revision", &revision_name(model, revision), known)
    }

    /// Aliases that name a revision.
    pub(super) fn aliases_of(&self, revision: &str) -> Vec<&str> {
        let names = self.record.aliases.iter();
        let names = names.filter(|(_, traffic)| traffic.revisions().any(|named| named == revision));
        names.map(|(alias, _)| alias.as_str()).collect()
    }

    /// Puts other aliases in place; revisions that they no longer name are taken out of service. Without a folder to
    /// load them from again, those are gone once nothing holds them.
    pub(super) fn set_aliases(&mut self, aliases: BTreeMap<String, Traffic>, has_store: bool) {
        let before = std::mem::replace(&mut self.record.aliases, aliases);
        let displaced: Vec<String> = before.values().flat_map(Traffic::revisions).map(String::from).collect();
        for id in displaced {
            if self.aliases_of(&id).is_empty()
                && let Some(slot) = self.revisions.get_mut(&id)
            {
                slot.unload();
            }
        }
        if !has_store {
            self.revisions.retain(|_, slot| slot.loaded.is_some() || slot.held.strong_count() > 0);
        }
    }

    /// Lets the plain name of the model mean one revision.
    pub(super) fn make_default(&mut self, revision: &str, has_store: bool) {
        let mut aliases = self.record.aliases.clone();
        aliases.insert(DEFAULT_ALIAS.to_string(), Traffic::all_to(revision));
        self.set_aliases(aliases, has_store);
    }

    /// The record as it is to be stored after a change.
    pub(super) fn touched(&mut self) -> ModelRecord {
        let loaded = self.revisions.iter().filter(|(_, slot)| slot.loaded.is_some());
        self.record.loaded = loaded.map(|(id, _)| id.clone()).collect();
        self.record.version += 1;
        self.record.updated_unix_nano = now();
        self.record.clone()
    }
}
