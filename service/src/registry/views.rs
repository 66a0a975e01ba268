//! What the services show of models and revisions.

use super::entry::{Phase, Slot};
use super::names::{Name, revision_name};
use super::record::{ModelRecord, RevisionRecord};
use super::registry::unknown_model;
use super::upload::check_sha256;
use super::{Registry, RegistryError, ShadowFigures};

/// A model, as the services show it.
#[derive(Debug, Clone)]
pub struct ModelView {
    /// `models/{m}`.
    pub name: String,
    /// Labels, aliases, versions.
    pub record: ModelRecord,
    /// Revisions that it has.
    pub n_revisions: usize,
}

/// A revision, as the services show it.
#[derive(Debug, Clone)]
pub struct RevisionView {
    /// `models/{m}/revisions/{r}`.
    pub name: String,
    /// Where it stands.
    pub state: RevisionState,
    /// Why it did not load, in state `Failed`.
    pub failure: String,
    /// What is stored of it.
    pub record: RevisionRecord,
    /// Sessions that stay on it.
    pub n_sessions: usize,
    /// How it did as a shadow since it was loaded.
    pub shadow: ShadowFigures,
}

/// Where a revision stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionState {
    /// On disk.
    Stored,
    /// Being read.
    Loading,
    /// Read, and being compared with what its file has recorded.
    WarmingUp,
    /// Answers calls.
    Serving,
    /// Out of service, and still held by calls or sessions.
    Draining,
    /// Did not load.
    Failed,
}

impl Registry {
    /// Everything about a model, by `models/{m}`.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`].
    pub fn model(&self, name: &str) -> Result<ModelView, RegistryError> {
        let id = model_id("name", name)?;
        let models = self.read();
        let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
        let (record, n_revisions) = (entry.record.clone(), entry.revisions.len());
        Ok(ModelView { name: format!("models/{id}"), record, n_revisions })
    }

    /// Everything about the revisions of a model, by `models/{m}`, the newest first.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`].
    pub fn revisions(&self, name: &str) -> Result<Vec<RevisionView>, RegistryError> {
        let id = model_id("parent", name)?;
        let models = self.read();
        let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
        let mut views: Vec<RevisionView> = entry.revisions.values().map(|slot| view(&id, slot)).collect();
        views.sort_by_key(|view| std::cmp::Reverse((view.record.created_unix_nano, view.record.id.clone())));
        Ok(views)
    }

    /// Everything about a revision, by its full name.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`].
    pub fn revision(&self, name: &str) -> Result<RevisionView, RegistryError> {
        let (model, revision) = self.stored_revision(name)?;
        let models = self.read();
        let entry = models.get(&model).ok_or_else(|| unknown_model(name, &models))?;
        let slot = entry.revisions.get(&revision).ok_or_else(|| entry.unknown(&model, &revision))?;
        Ok(view(&model, slot))
    }

    /// The bytes of a revision's file. Blocks.
    ///
    /// # Errors
    /// As [`Registry::revision`]; [`RegistryError::Io`], or [`RegistryError::Corrupt`] if the file has changed.
    pub fn export(&self, name: &str) -> Result<Vec<u8>, RegistryError> {
        let view = self.revision(name)?;
        let (model, revision) = self.stored_revision(name)?;
        let bytes = match &self.inner.store {
            Some(store) => store.read(&model, &revision)?,
            None => self.load(name)?.model.to_bytes()?,
        };
        check_sha256(name, &bytes, &view.record.sha256)?;
        Ok(bytes)
    }
}

pub(super) fn view(model: &str, slot: &Slot) -> RevisionView {
    let in_memory = slot.in_memory();
    let state = match (&slot.loaded, &slot.phase) {
        (Some(_), _) => RevisionState::Serving,
        (None, Phase::Loading) => RevisionState::Loading,
        (None, Phase::WarmingUp) => RevisionState::WarmingUp,
        (None, _) if in_memory.is_some() => RevisionState::Draining,
        (None, Phase::Failed(_)) => RevisionState::Failed,
        (None, Phase::Resting) => RevisionState::Stored,
    };
    let failure = match &slot.phase {
        Phase::Failed(why) if state == RevisionState::Failed => why.clone(),
        _ => String::new(),
    };
    RevisionView {
        name: revision_name(model, &slot.record.id),
        state,
        failure,
        record: slot.record.clone(),
        n_sessions: in_memory.as_ref().map_or(0, |loaded| loaded.n_pins()),
        shadow: in_memory.map_or_else(ShadowFigures::default, |loaded| loaded.shadow()),
    }
}

/// The own name of a model, from `models/{m}`.
pub(super) fn model_id(field: &'static str, name: &str) -> Result<String, RegistryError> {
    match Name::parse(field, name)? {
        Name::Model(id) => Ok(id),
        _ => Err(RegistryError::BadName {
            field,
            value: name.to_string(),
            rule: "must be models/{m}".to_string(),
        }),
    }
}
