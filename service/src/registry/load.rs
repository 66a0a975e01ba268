//! Adding and loading revisions: checked and warmed up before anybody gets them, swapped in at once.

use std::path::Path;
use std::sync::Arc;

use forecast::Model;

use super::entry::{Entry, Phase, Slot};
use super::names::{Name, check_id, revision_name};
use super::record::RevisionRecord;
use super::registry::unknown_model;
use super::upload::check_sha256;
use super::warm_up::warm_up;
use super::{Loaded, Registry, RegistryError};

/// Models of one registry.
const MOST_MODELS: usize = 10_000;
/// Revisions of one model.
const MOST_REVISIONS: usize = 10_000;

impl Registry {
    /// Adds a model file as a new revision, which then answers for the model's plain name: checked, warmed up, stored,
    /// swapped in. The same file twice is the same revision. Blocks; belongs on a thread of its own.
    ///
    /// # Errors
    /// As [`Registry::store`].
    pub fn add(
        &self,
        model_id: &str,
        bytes: &[u8],
        training_job: &str,
    ) -> Result<Arc<Loaded>, RegistryError> {
        self.insert(model_id, bytes, training_job, true)
    }

    /// [`Registry::add`], without loading it where the registry has a folder.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::Full`], [`RegistryError::Corrupt`] if it fails its warm-up,
    /// [`RegistryError::Model`] if it is no model, [`RegistryError::Io`] if it cannot be stored.
    pub fn store(
        &self,
        model_id: &str,
        bytes: &[u8],
        training_job: &str,
    ) -> Result<Arc<Loaded>, RegistryError> {
        self.insert(model_id, bytes, training_job, self.inner.store.is_none())
    }

    /// [`Registry::add`] with the bytes of a file.
    ///
    /// # Errors
    /// As [`Registry::store`]; [`RegistryError::Model`] if the file cannot be read.
    pub fn add_file(&self, model_id: &str, path: &Path) -> Result<Arc<Loaded>, RegistryError> {
        // The library's own reader knows what it refuses to read.
        self.add(model_id, &Model::load(path)?.to_bytes()?, "")
    }

    fn insert(
        &self,
        model_id: &str,
        bytes: &[u8],
        training_job: &str,
        is_served: bool,
    ) -> Result<Arc<Loaded>, RegistryError> {
        check_id("model", model_id)?;
        let _changing = self.changing();
        let model = Model::from_bytes(bytes, Path::new(model_id))?;
        warm_up(&format!("models/{model_id}"), &model)?;
        let mut record = RevisionRecord::of(&model, bytes, training_job)?;
        let known = self
            .read()
            .get(model_id)
            .and_then(|entry| entry.revisions.get(&record.id))
            .map(|s| s.record.clone());
        match known {
            Some(known) => record = known,
            None => {
                self.check_room(model_id, &record)?;
                if let Some(store) = &self.inner.store {
                    store.write_revision(model_id, &record, bytes)?;
                }
            }
        }
        if is_served {
            self.check_memory(model_id, &record)?;
        }
        let loaded = Loaded::new(model_id, model, record.clone());
        let mut models = self.write();
        let entry = models.entry(model_id.to_string()).or_insert_with(Entry::new);
        let slot = entry.revisions.entry(record.id.clone()).or_insert_with(|| Slot::new(record.clone()));
        // One copy in memory: what is there already stays, since sessions may hold it.
        let loaded = slot.in_memory().unwrap_or(loaded);
        slot.held = Arc::downgrade(&loaded);
        slot.phase = Phase::Resting;
        if is_served {
            slot.loaded = Some(Arc::clone(&loaded));
            entry.make_default(&record.id, self.inner.store.is_some());
        }
        let stored = entry.touched();
        drop(models);
        self.changed(model_id, &stored)?;
        Ok(loaded)
    }

    /// The stored revision of this full name, read into memory if it is not there. Nobody else gets it unless it serves
    /// anyway: this is for sessions, which stay on their revision. Blocks.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`], [`RegistryError::Full`], [`RegistryError::Model`],
    /// [`RegistryError::Corrupt`], [`RegistryError::Io`].
    pub fn load(&self, name: &str) -> Result<Arc<Loaded>, RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        self.bring_in(&model, &revision, false)
    }

    /// Loads a revision if it is not loaded, so that it answers calls by its full name, and, if `is_default`, by the
    /// model's plain name; what no alias names any more drains then. Blocks.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn serve(&self, name: &str, is_default: bool) -> Result<Arc<Loaded>, RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        let loaded = self.bring_in(&model, &revision, true)?;
        let mut models = self.write();
        let entry = models.get_mut(&model).ok_or_else(|| not_found(&model, &revision))?;
        // The first revision that serves is the one that the plain name means.
        if is_default || !entry.record.aliases.contains_key(super::DEFAULT_ALIAS) {
            entry.make_default(&revision, self.inner.store.is_some());
        }
        let record = entry.touched();
        drop(models);
        self.changed(&model, &record)?;
        Ok(loaded)
    }

    /// Reads a revision into its slot, the lock for changes being held.
    pub(super) fn bring_in(
        &self,
        model_id: &str,
        revision: &str,
        is_served: bool,
    ) -> Result<Arc<Loaded>, RegistryError> {
        let record = {
            let mut models = self.write();
            let slot = models.get_mut(model_id).and_then(|entry| entry.revisions.get_mut(revision));
            let slot = slot.ok_or_else(|| not_found(model_id, revision))?;
            // Still held by a call or a session: there is no need to read it again.
            if let Some(loaded) = slot.in_memory() {
                if is_served {
                    slot.loaded = Some(Arc::clone(&loaded));
                }
                return Ok(loaded);
            }
            slot.phase = Phase::Loading;
            slot.record.clone()
        };
        let loaded =
            self.check_memory(model_id, &record).and_then(|()| self.read_revision(model_id, &record));
        let mut models = self.write();
        if let Some(slot) = models.get_mut(model_id).and_then(|entry| entry.revisions.get_mut(revision)) {
            match &loaded {
                Ok(loaded) => {
                    slot.phase = Phase::Resting;
                    slot.held = Arc::downgrade(loaded);
                    slot.loaded = is_served.then(|| Arc::clone(loaded));
                }
                Err(error) => slot.phase = Phase::Failed(error.to_string()),
            }
        }
        loaded
    }

    fn read_revision(&self, model_id: &str, record: &RevisionRecord) -> Result<Arc<Loaded>, RegistryError> {
        let name = revision_name(model_id, &record.id);
        let Some(store) = &self.inner.store else {
            return Err(RegistryError::NotLoaded { name });
        };
        let bytes = store.read(model_id, &record.id)?;
        check_sha256(&name, &bytes, &record.sha256)?;
        let model = Model::from_bytes(&bytes, &store.artifact(model_id, &record.id))?;
        if let Some(slot) =
            self.write().get_mut(model_id).and_then(|entry| entry.revisions.get_mut(&record.id))
        {
            slot.phase = Phase::WarmingUp;
        }
        warm_up(&name, &model)?;
        Ok(Loaded::new(model_id, model, record.clone()))
    }

    /// Whether another revision may be stored.
    fn check_room(&self, model_id: &str, record: &RevisionRecord) -> Result<(), RegistryError> {
        let limits = self.inner.limits;
        let full = |what, limit: u64, fix| Err(RegistryError::Full { what, limit, fix });
        if record.artifact_bytes > limits.file_bytes {
            return full("the size of a model file in bytes", limits.file_bytes, "raise registry.file_bytes");
        }
        let models = self.read();
        let stored: u64 =
            models.values().flat_map(|e| e.revisions.values()).map(|s| s.record.artifact_bytes).sum();
        if stored.saturating_add(record.artifact_bytes) > limits.stored_bytes {
            return full("the size of all model files in bytes", limits.stored_bytes, "delete a revision");
        }
        match models.get(model_id) {
            None if models.len() >= MOST_MODELS => {
                full("the number of models", MOST_MODELS as u64, "delete one")
            }
            Some(entry) if entry.revisions.len() >= MOST_REVISIONS => {
                full("the number of revisions of the model", MOST_REVISIONS as u64, "delete one")
            }
            _ => Ok(()),
        }
    }

    /// Whether another revision may be held in memory.
    fn check_memory(&self, model_id: &str, record: &RevisionRecord) -> Result<(), RegistryError> {
        let models = self.read();
        let others =
            models.iter().flat_map(|(id, entry)| entry.revisions.values().map(move |slot| (id, slot)));
        let others = others.filter(|(id, slot)| *id != model_id || slot.record.id != record.id);
        let held = others.filter(|(_, slot)| slot.loaded.is_some() || slot.held.strong_count() > 0);
        let resident: u64 = held.map(|(_, slot)| slot.record.artifact_bytes).sum();
        let limit = self.inner.limits.resident_bytes;
        if resident.saturating_add(record.artifact_bytes) > limit {
            let what = "the size of the models in memory in bytes";
            return Err(RegistryError::Full { what, limit, fix: "unload a revision" });
        }
        Ok(())
    }

    /// The own names of a model and a revision that exist.
    pub(super) fn stored_revision(&self, name: &str) -> Result<(String, String), RegistryError> {
        let models = self.read();
        match Name::parse("name", name)? {
            Name::Revision(model, revision) => {
                let entry = models.get(&model).ok_or_else(|| unknown_model(name, &models))?;
                match entry.revisions.contains_key(&revision) {
                    true => Ok((model, revision)),
                    false => Err(entry.unknown(&model, &revision)),
                }
            }
            _ => Err(RegistryError::BadName {
                field: "name",
                value: name.to_string(),
                rule: "must be models/{m}/revisions/{r}".to_string(),
            }),
        }
    }
}

fn not_found(model: &str, revision: &str) -> RegistryError {
    RegistryError::not_found("revision", &revision_name(model, revision), [])
}
