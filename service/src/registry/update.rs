//! Changing what can be changed of a model, and deleting it.

use std::collections::BTreeMap;

use super::names::check_id;
use super::registry::{model_id, unknown_model};
use super::{ModelView, Registry, RegistryError, Traffic};

/// Labels and aliases that a model may have.
const MOST_LABELS: usize = 64;
const MOST_ALIASES: usize = 32;
/// Revisions that an alias may name.
const MOST_NAMED: usize = 16;
/// Bytes of a label's value.
const MOST_LABEL_BYTES: usize = 256;

impl Registry {
    /// Changes the labels, the aliases, or both, at once or not at all. An empty `etag` is that of any version.
    ///
    /// # Errors
    /// [`RegistryError::EtagMismatch`]; [`RegistryError::BadName`] for an alias or a label;
    /// [`RegistryError::NotLoaded`] if an alias names a revision that is not loaded; [`RegistryError::NotFound`].
    pub fn update(
        &self,
        name: &str,
        labels: Option<BTreeMap<String, String>>,
        aliases: Option<BTreeMap<String, Traffic>>,
        etag: &str,
        is_only_checked: bool,
    ) -> Result<ModelView, RegistryError> {
        let id = model_id("model.name", name)?;
        let _changing = self.changing();
        let mut models = self.write();
        if !models.contains_key(&id) {
            return Err(unknown_model(name, &models));
        }
        let Some(entry) = models.get_mut(&id) else {
            return Err(RegistryError::not_found("model", name, []));
        };
        check_etag(name, etag, &entry.record.etag())?;
        if let Some(labels) = &labels {
            check_labels(labels)?;
        }
        for (alias, traffic) in aliases.iter().flatten() {
            check_id("model.aliases", alias)?;
            check_traffic(alias, traffic)?;
            for revision in traffic.revisions() {
                entry.serving(&id, revision)?;
            }
        }
        if aliases.as_ref().is_some_and(|aliases| aliases.len() > MOST_ALIASES) {
            let fix = "remove some";
            return Err(RegistryError::Full { what: "the number of aliases", limit: MOST_ALIASES, fix });
        }
        let before = entry.record.clone();
        let mut record = before.clone();
        record.labels = labels.unwrap_or(record.labels);
        record.aliases = aliases.unwrap_or(record.aliases);
        if is_only_checked {
            return Ok(ModelView { name: name.to_string(), record });
        }
        entry.record = record;
        entry.sweep(self.inner.store.is_some());
        let record = entry.touched().clone();
        drop(models);
        if let Some(store) = &self.inner.store
            && let Err(error) = store.write_model(&id, &record)
        {
            if let Some(entry) = self.write().get_mut(&id) {
                entry.record = before;
            }
            return Err(error);
        }
        Ok(ModelView { name: name.to_string(), record })
    }

    /// Deletes a model with all its revisions; calls under way finish.
    ///
    /// # Errors
    /// [`RegistryError::EtagMismatch`]; [`RegistryError::InUse`] if sessions stay on one of its revisions, and, without
    /// `is_forced`, if it serves; [`RegistryError::NotFound`].
    pub fn delete(&self, name: &str, etag: &str, is_forced: bool) -> Result<(), RegistryError> {
        let id = model_id("name", name)?;
        let _changing = self.changing();
        let mut models = self.write();
        let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
        check_etag(name, etag, &entry.record.etag())?;
        let loaded: Vec<_> = entry.revisions.values().filter_map(|slot| slot.loaded.as_ref()).collect();
        let n_pins: usize = loaded.iter().map(|loaded| loaded.n_pins()).sum();
        if n_pins > 0 {
            let by = format!("{n_pins} sessions stay on its revisions; delete them first");
            return Err(RegistryError::InUse { name: name.to_string(), by });
        }
        if !loaded.is_empty() && !is_forced {
            let by = format!("{} of its revisions serve; unload them, or set `force`", loaded.len());
            return Err(RegistryError::InUse { name: name.to_string(), by });
        }
        if let Some(store) = &self.inner.store {
            store.remove_model(&id)?;
        }
        models.remove(&id);
        Ok(())
    }
}

fn check_etag(name: &str, got: &str, expected: &str) -> Result<(), RegistryError> {
    if got.is_empty() || got == expected {
        return Ok(());
    }
    let (name, expected, got) = (name.to_string(), expected.to_string(), got.to_string());
    Err(RegistryError::EtagMismatch { name, expected, got })
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), RegistryError> {
    if labels.len() > MOST_LABELS {
        let fix = "remove some";
        return Err(RegistryError::Full { what: "the number of labels", limit: MOST_LABELS, fix });
    }
    for (label, value) in labels {
        check_id("model.labels", label)?;
        if value.len() > MOST_LABEL_BYTES {
            let rule =
                format!("has {} bytes, but a label's value may have at most {MOST_LABEL_BYTES}", value.len());
            return Err(RegistryError::BadName { field: "model.labels", value: label.clone(), rule });
        }
    }
    Ok(())
}

fn check_traffic(alias: &str, traffic: &Traffic) -> Result<(), RegistryError> {
    let bad = |rule: &str| {
        let (value, rule) = (alias.to_string(), rule.to_string());
        Err(RegistryError::BadName { field: "model.aliases", value, rule })
    };
    if traffic.revisions().count() > MOST_NAMED {
        return bad(&format!("names more than {MOST_NAMED} revisions"));
    }
    if traffic.weights.values().all(|weight| *weight == 0) {
        return bad("has no revision with a positive weight");
    }
    if traffic.shadows.iter().any(|shadow| traffic.weights.get(shadow).is_some_and(|weight| *weight > 0)) {
        return bad("names a revision both with a weight and as a shadow");
    }
    Ok(())
}
