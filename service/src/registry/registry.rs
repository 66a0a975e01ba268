//! The registry: names to loaded revisions, and everything that changes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use forecast::Model;

use super::choose::hash;
use super::entry::{Entry, Phase, Slot};
use super::names::{check_id, revision_name};
use super::record::{ModelRecord, RevisionRecord, now};
use super::store::Store;
use super::warm_up::warm_up;
use super::{Loaded, Name, RegistryError, SessionMover};

/// Models of one registry.
const MOST_MODELS: usize = 10_000;
/// Revisions of one model.
const MOST_REVISIONS: usize = 10_000;

/// The models of a server; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Option<Store>,
    models: RwLock<BTreeMap<String, Entry>>,
    /// Held by whoever changes something, so that loads do not hold up calls and changes do not cross.
    changing: Mutex<()>,
    pub(super) mover: RwLock<Option<Arc<dyn SessionMover>>>,
    /// Spreads calls without a key.
    n_keyless: AtomicU64,
}

/// Who answers a call, and who computes copies of it.
#[derive(Debug, Clone)]
pub struct Routed {
    /// Answers.
    pub loaded: Arc<Loaded>,
    /// Their results are compared and not returned.
    pub shadows: Vec<Arc<Loaded>>,
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
    /// Out of service, and still held by calls that began before.
    Draining,
    /// Did not load.
    Failed,
}

/// A model, as the services show it.
#[derive(Debug, Clone)]
pub struct ModelView {
    /// `models/{m}`.
    pub name: String,
    /// Labels, aliases, versions.
    pub record: ModelRecord,
}

/// A revision, as the services show it.
#[derive(Debug, Clone)]
pub struct RevisionView {
    /// `models/{m}/revisions/{r}`.
    pub name: String,
    /// Where it stands.
    pub state: RevisionState,
    /// What is stored of it.
    pub record: RevisionRecord,
}

impl Registry {
    /// A registry that lives as long as the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::with(None)
    }

    /// The registry of a folder, made if it is not there; loads what was loaded when it was last changed. A revision
    /// that does not load is marked as failed and logged, and does not hold up the others.
    ///
    /// # Errors
    /// [`RegistryError::Io`] and [`RegistryError::Corrupt`] if the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, RegistryError> {
        let store = Store::open(folder)?;
        let stored = store.list()?;
        let registry = Self::with(Some(store));
        for model in stored {
            let revisions =
                model.revisions.into_iter().map(|record| (record.id.clone(), Slot::new(record, None)));
            let entry = Entry { record: model.record, revisions: revisions.collect() };
            let loaded = entry.record.loaded.clone();
            registry.write().insert(model.id.clone(), entry);
            for revision in loaded {
                if let Err(error) = registry.bring_in(&model.id, &revision) {
                    tracing::error!(revision = revision_name(&model.id, &revision), %error, "not loaded");
                }
            }
        }
        Ok(registry)
    }

    fn with(store: Option<Store>) -> Self {
        let inner = Inner {
            store,
            models: RwLock::new(BTreeMap::new()),
            changing: Mutex::new(()),
            mover: RwLock::new(None),
            n_keyless: AtomicU64::new(0),
        };
        Registry { inner: Arc::new(inner) }
    }

    /// Who moves sessions when a revision is unloaded.
    pub fn set_mover(&self, mover: Arc<dyn SessionMover>) {
        *self.inner.mover.write().unwrap_or_else(PoisonError::into_inner) = Some(mover);
    }

    /// The revision that answers for a name. An empty one is the only model there is.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`], [`RegistryError::NotLoaded`].
    pub fn resolve(&self, name: &str) -> Result<Arc<Loaded>, RegistryError> {
        self.route(name, "").map(|routed| routed.loaded)
    }

    /// Who answers for a name and a key, such as the id of a series: the calls of one key go to one revision of an
    /// alias as long as its weights stay.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub fn route(&self, name: &str, key: &str) -> Result<Routed, RegistryError> {
        let parsed = Name::parse("model", name)?;
        let models = self.read();
        let (id, entry) = match &parsed {
            Name::Only => only(&models)?,
            Name::Model(id) | Name::Revision(id, _) | Name::Alias(id, _) => {
                let (id, entry) = models.get_key_value(id).ok_or_else(|| unknown_model(name, &models))?;
                (id, entry)
            }
        };
        let alone = |loaded: &Arc<Loaded>| Routed { loaded: Arc::clone(loaded), shadows: Vec::new() };
        match &parsed {
            Name::Revision(_, revision) => entry.serving(id, revision).map(alone),
            Name::Alias(_, alias) => {
                let known = || entry.record.aliases.keys().map(|alias| format!("models/{id}@{alias}"));
                let traffic = entry.record.aliases.get(alias);
                let traffic = traffic.ok_or_else(|| RegistryError::not_found("alias", name, known()))?;
                let key = match key {
                    "" => self.inner.n_keyless.fetch_add(1, Ordering::Relaxed),
                    key => hash(key),
                };
                let chosen =
                    traffic.choose(key).ok_or_else(|| RegistryError::NotLoaded { name: name.to_string() })?;
                let loaded = Arc::clone(entry.serving(id, chosen)?);
                let shadows = traffic.shadows.iter().filter(|shadow| *shadow != chosen);
                let shadows = shadows.filter_map(|shadow| entry.serving(id, shadow).ok().cloned()).collect();
                Ok(Routed { loaded, shadows })
            }
            Name::Only | Name::Model(_) => match &entry.record.current {
                Some(revision) => entry.serving(id, revision).map(alone),
                None => Err(RegistryError::NotLoaded { name: format!("models/{id}") }),
            },
        }
    }

    /// Adds a model file as a new revision, which then answers for the model's plain name: checked, warmed up, stored,
    /// swapped in. The same file twice is the same revision. Blocks; belongs on a thread of its own.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::Full`], [`RegistryError::Corrupt`] if it fails its warm-up,
    /// [`RegistryError::Model`] if it is no model, [`RegistryError::Io`] if it cannot be stored.
    pub fn add(
        &self,
        model_id: &str,
        bytes: &[u8],
        training_job: &str,
    ) -> Result<Arc<Loaded>, RegistryError> {
        check_id("model", model_id)?;
        let _changing = self.changing();
        let model = Model::from_bytes(bytes, Path::new(model_id))?;
        warm_up(&format!("models/{model_id}"), &model)?;
        let mut record = RevisionRecord::of(&model, bytes, training_job)?;
        let is_stored = {
            let models = self.read();
            if models.len() >= MOST_MODELS && !models.contains_key(model_id) {
                return Err(RegistryError::Full {
                    what: "the number of models",
                    limit: MOST_MODELS,
                    fix: "delete one",
                });
            }
            let entry = models.get(model_id);
            if entry.is_some_and(|entry| entry.revisions.len() >= MOST_REVISIONS) {
                let what = "the number of revisions of the model";
                return Err(RegistryError::Full { what, limit: MOST_REVISIONS, fix: "delete the model" });
            }
            match entry.and_then(|entry| entry.revisions.get(&record.id)) {
                Some(slot) => {
                    record = slot.record.clone();
                    true
                }
                None => false,
            }
        };
        if let (Some(store), false) = (&self.inner.store, is_stored) {
            store.write_revision(model_id, &record, bytes)?;
        }
        let loaded = Loaded::new(model_id, model, record);
        self.swap_in(model_id, &loaded)?;
        Ok(loaded)
    }

    /// [`Registry::add`] with the bytes of a file.
    ///
    /// # Errors
    /// As [`Registry::add`]; [`RegistryError::Io`] if the file cannot be read.
    pub fn add_file(&self, model_id: &str, path: &Path) -> Result<Arc<Loaded>, RegistryError> {
        // The library's own reader knows what it refuses to read.
        let model = Model::load(path)?;
        self.add(model_id, &model.to_bytes()?, "")
    }

    /// Loads a stored revision if it is not loaded, without making it the one that answers for the plain name. Blocks.
    ///
    /// # Errors
    /// As [`Registry::resolve`]; [`RegistryError::Model`], [`RegistryError::Corrupt`], [`RegistryError::Io`].
    pub fn load(&self, name: &str) -> Result<Arc<Loaded>, RegistryError> {
        if let Ok(loaded) = self.resolve(name) {
            return Ok(loaded);
        }
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        self.bring_in(&model, &revision)
    }

    /// Loads a revision if it is not loaded and makes it the one that answers for the model's plain name; what nothing
    /// names any more drains. Blocks.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn serve(&self, name: &str) -> Result<Arc<Loaded>, RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        let loaded = self.bring_in(&model, &revision)?;
        self.swap_in(&model, &loaded)?;
        Ok(loaded)
    }

    /// The names of the models, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    /// Everything about a model, by `models/{m}`.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`].
    pub fn model(&self, name: &str) -> Result<ModelView, RegistryError> {
        let id = model_id("name", name)?;
        let models = self.read();
        let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
        Ok(ModelView { name: name.to_string(), record: entry.record.clone() })
    }

    /// Everything about the revisions of a model, by `models/{m}`, in order of their names.
    ///
    /// # Errors
    /// [`RegistryError::BadName`], [`RegistryError::NotFound`].
    pub fn revisions(&self, name: &str) -> Result<Vec<RevisionView>, RegistryError> {
        let id = model_id("parent", name)?;
        let models = self.read();
        let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
        Ok(entry.revisions.values().map(|slot| view(&id, slot)).collect())
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
            None => self.resolve(name)?.model.to_bytes()?,
        };
        super::import::check_sha256(name, &bytes, &view.record.sha256)?;
        Ok(bytes)
    }

    /// Loads a revision into its slot, the lock for changes being held.
    fn bring_in(&self, model_id: &str, revision: &str) -> Result<Arc<Loaded>, RegistryError> {
        let record = {
            let mut models = self.write();
            let entry = models.get_mut(model_id).ok_or_else(|| not_found(model_id, revision))?;
            let slot = entry.revisions.get_mut(revision).ok_or_else(|| not_found(model_id, revision))?;
            if let Some(loaded) = &slot.loaded {
                return Ok(Arc::clone(loaded));
            }
            // Still held by a call or a session: there is no need to read it again.
            if let Some(loaded) = slot.leaving.upgrade() {
                slot.loaded = Some(Arc::clone(&loaded));
                return Ok(loaded);
            }
            slot.phase = Phase::Loading;
            slot.record.clone()
        };
        let loaded = self.read_revision(model_id, &record);
        let mut models = self.write();
        if let Some(slot) = models.get_mut(model_id).and_then(|entry| entry.revisions.get_mut(revision)) {
            slot.phase = if loaded.is_ok() { Phase::Resting } else { Phase::Failed };
            slot.loaded = loaded.as_ref().ok().cloned();
        }
        loaded
    }

    fn read_revision(&self, model_id: &str, record: &RevisionRecord) -> Result<Arc<Loaded>, RegistryError> {
        let name = revision_name(model_id, &record.id);
        let Some(store) = &self.inner.store else {
            return Err(RegistryError::NotLoaded { name });
        };
        let bytes = store.read(model_id, &record.id)?;
        super::import::check_sha256(&name, &bytes, &record.sha256)?;
        let model = Model::from_bytes(&bytes, &store.artifact(model_id, &record.id))?;
        if let Some(slot) =
            self.write().get_mut(model_id).and_then(|entry| entry.revisions.get_mut(&record.id))
        {
            slot.phase = Phase::WarmingUp;
        }
        warm_up(&name, &model)?;
        Ok(Loaded::new(model_id, model, record.clone()))
    }

    /// Makes a loaded revision the one that answers for the plain name. The record is stored before anybody sees it.
    fn swap_in(&self, model_id: &str, loaded: &Arc<Loaded>) -> Result<(), RegistryError> {
        let mut models = self.write();
        let entry = models.entry(model_id.to_string()).or_insert_with(|| {
            let record = ModelRecord { created_unix_nano: now(), ..ModelRecord::default() };
            Entry { record, ..Entry::default() }
        });
        let id = loaded.revision_id().to_string();
        let slot =
            entry.revisions.entry(id.clone()).or_insert_with(|| Slot::new(loaded.record().clone(), None));
        // A revision that is loaded already keeps the copy that sessions have pinned.
        if slot.loaded.is_none() {
            slot.loaded = Some(Arc::clone(loaded));
        }
        entry.record.current = Some(id);
        entry.sweep(self.inner.store.is_some());
        let record = entry.touched().clone();
        drop(models);
        match &self.inner.store {
            Some(store) => store.write_model(model_id, &record),
            None => Ok(()),
        }
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

    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Entry>> {
        self.inner.models.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Entry>> {
        self.inner.models.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn view(model: &str, slot: &Slot) -> RevisionView {
    let state = match (&slot.loaded, &slot.phase) {
        (Some(_), _) => RevisionState::Serving,
        (None, Phase::Loading) => RevisionState::Loading,
        (None, Phase::WarmingUp) => RevisionState::WarmingUp,
        (None, Phase::Failed) => RevisionState::Failed,
        (None, Phase::Resting) if slot.leaving.strong_count() > 0 => RevisionState::Draining,
        (None, Phase::Resting) => RevisionState::Stored,
    };
    RevisionView { name: revision_name(model, &slot.record.id), state, record: slot.record.clone() }
}

fn only(models: &BTreeMap<String, Entry>) -> Result<(&String, &Entry), RegistryError> {
    let mut all = models.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(RegistryError::not_found("model", "", [])),
        (Some(_), Some(_)) => {
            let known: Vec<&str> = models.keys().map(String::as_str).take(5).collect();
            let rule = format!("is empty, but the server holds several models: {}", known.join(", "));
            Err(RegistryError::BadName { field: "model", value: String::new(), rule })
        }
    }
}

pub(super) fn unknown_model(name: &str, models: &BTreeMap<String, Entry>) -> RegistryError {
    RegistryError::not_found("model", name, models.keys().map(|id| format!("models/{id}")))
}

fn not_found(model: &str, revision: &str) -> RegistryError {
    RegistryError::not_found("revision", &revision_name(model, revision), [])
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
