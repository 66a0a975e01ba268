//! The registry: from names to loaded revisions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::choose::hash;
use super::entry::{Entry, Slot};
use super::names::revision_name;
use super::record::ModelRecord;
use super::store::Store;
use super::{Loaded, Name, RegistryError, SessionHolder};

/// The alias that the plain name of a model stands for.
pub const DEFAULT_ALIAS: &str = "default";

/// The models of a server; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Option<Store>,
    pub(super) limits: RegistryLimits,
    models: RwLock<BTreeMap<String, Entry>>,
    /// Held by whoever changes something, so that loads do not hold up calls and changes do not cross.
    changing: Mutex<()>,
    holder: RwLock<Option<Arc<dyn SessionHolder>>>,
    pub(super) changes: watch::Sender<()>,
    /// Spreads calls without a key.
    n_keyless: AtomicU64,
}

/// What a registry holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryLimits {
    /// Bytes of one model file.
    pub file_bytes: u64,
    /// Bytes of all model files.
    pub stored_bytes: u64,
    /// Bytes of the files of all revisions in memory.
    pub resident_bytes: u64,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        RegistryLimits { file_bytes: 1 << 30, stored_bytes: 64 << 30, resident_bytes: 4 << 30 }
    }
}

/// Who answers a call, and who computes copies of it.
#[derive(Debug, Clone)]
pub struct Routed {
    /// Answers.
    pub loaded: Arc<Loaded>,
    /// Their results are compared and not returned.
    pub shadows: Vec<Arc<Loaded>>,
}

impl Registry {
    /// A registry that lives as long as the process.
    #[must_use]
    pub fn in_memory(limits: RegistryLimits) -> Self {
        Self::with(None, limits)
    }

    /// The registry of a folder, made if it is not there; loads what served when it was last changed. A revision that
    /// does not load is marked as failed and logged, and does not hold up the others.
    ///
    /// # Errors
    /// [`RegistryError::Io`] and [`RegistryError::Corrupt`] if the folder cannot be read.
    pub fn open(folder: &Path, limits: RegistryLimits) -> Result<Self, RegistryError> {
        let store = Store::open(folder)?;
        let stored = store.list()?;
        let registry = Self::with(Some(store), limits);
        for model in stored {
            let slots = model.revisions.into_iter().map(|record| (record.id.clone(), Slot::new(record)));
            let entry = Entry { record: model.record, revisions: slots.collect() };
            let loaded = entry.record.loaded.clone();
            registry.write().insert(model.id.clone(), entry);
            for revision in loaded {
                if let Err(error) = registry.bring_in(&model.id, &revision, true) {
                    tracing::error!(revision = revision_name(&model.id, &revision), %error, "not loaded");
                }
            }
        }
        Ok(registry)
    }

    fn with(store: Option<Store>, limits: RegistryLimits) -> Self {
        let inner = Inner {
            store,
            limits,
            models: RwLock::new(BTreeMap::new()),
            changing: Mutex::new(()),
            holder: RwLock::new(None),
            changes: watch::Sender::new(()),
            n_keyless: AtomicU64::new(0),
        };
        Registry { inner: Arc::new(inner) }
    }

    /// What it holds at most.
    #[must_use]
    pub fn limits(&self) -> RegistryLimits {
        self.inner.limits
    }

    /// Who moves and ends sessions when a revision is unloaded or deleted.
    pub fn set_holder(&self, holder: Arc<dyn SessionHolder>) {
        *self.inner.holder.write().unwrap_or_else(PoisonError::into_inner) = Some(holder);
    }

    pub(super) fn holder(&self) -> Option<Arc<dyn SessionHolder>> {
        self.inner.holder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The revision that answers for a name. An empty one is the only model there is.
    ///
    /// # Errors
    /// [`RegistryError::BadName`] for an empty name where there are several models, [`RegistryError::NotFound`],
    /// [`RegistryError::NotLoaded`].
    pub fn resolve(&self, name: &str) -> Result<Arc<Loaded>, RegistryError> {
        self.route(name, "").map(|routed| routed.loaded)
    }

    /// Who answers for a name and a key, such as the name of a series or a session: the calls of one key go to one
    /// revision of an alias as long as its weights stay.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub fn route(&self, name: &str, key: &str) -> Result<Routed, RegistryError> {
        let models = self.read();
        // A name that no model can have is that of no model.
        let parsed = Name::parse("model", name).map_err(|_| unknown_model(name, &models))?;
        let (id, entry) = match &parsed {
            Name::Only => only(&models)?,
            Name::Model(id) | Name::Revision(id, _) | Name::Alias(id, _) => {
                models.get_key_value(id).ok_or_else(|| unknown_model(name, &models))?
            }
        };
        let alias = match &parsed {
            Name::Revision(_, revision) => {
                let loaded = Arc::clone(entry.serving(id, revision)?);
                return Ok(Routed { loaded, shadows: Vec::new() });
            }
            Name::Alias(_, alias) => alias.as_str(),
            Name::Only | Name::Model(_) => DEFAULT_ALIAS,
        };
        let Some(traffic) = entry.record.aliases.get(alias) else {
            if alias == DEFAULT_ALIAS {
                return Err(RegistryError::NotLoaded { name: format!("models/{id}") });
            }
            let known = entry.record.aliases.keys().map(|alias| format!("models/{id}@{alias}"));
            return Err(RegistryError::not_found("alias", name, known));
        };
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

    /// Hears of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe()
    }

    /// Writes what was changed of a model, and tells of it.
    pub(super) fn changed(&self, model_id: &str, record: &ModelRecord) -> Result<(), RegistryError> {
        self.inner.changes.send_replace(());
        match &self.inner.store {
            Some(store) => store.write_model(model_id, record),
            None => Ok(()),
        }
    }

    /// The own names of the models, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
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
