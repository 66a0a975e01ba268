//! Changing what can be changed of a model, and deleting it or one of its revisions.

use std::collections::BTreeMap;

use super::names::check_id;
use super::registry::unknown_model;
use super::views::model_id;
use super::{DEFAULT_ALIAS, ModelView, Registry, RegistryError, Traffic};

/// Labels and aliases that a model may have.
const MOST_LABELS: usize = 64;
const MOST_ALIASES: usize = 32;
/// Revisions that an alias may name with a weight, and as shadows.
const MOST_SHARES: usize = 16;
const MOST_SHADOWS: usize = 4;
const LARGEST_WEIGHT: u32 = 1_000_000;
/// Characters of a label's value.
const MOST_LABEL_CHARACTERS: usize = 63;

/// What to change of a model; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ModelChange {
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// All aliases.
    pub aliases: Option<BTreeMap<String, Traffic>>,
    /// Single aliases, in place of `aliases`; `None` removes one.
    pub some_aliases: BTreeMap<String, Option<Traffic>>,
    /// The version that the caller has seen; empty for any.
    pub etag: String,
    /// Check only.
    pub is_only_checked: bool,
}

impl Registry {
    /// Changes labels and aliases, at once or not at all.
    ///
    /// # Errors
    /// [`RegistryError::EtagMismatch`]; [`RegistryError::BadName`] for an alias or a label;
    /// [`RegistryError::NotLoaded`] if an alias names a revision that does not serve; [`RegistryError::NotFound`].
    pub fn update(&self, name: &str, change: ModelChange) -> Result<ModelView, RegistryError> {
        let id = model_id("model.name", name)?;
        let _changing = self.changing();
        let mut models = self.write();
        if !models.contains_key(&id) {
            return Err(unknown_model(name, &models));
        }
        let Some(entry) = models.get_mut(&id) else {
            return Err(RegistryError::not_found("model", name, []));
        };
        check_etag(name, &change.etag, &entry.record.etag())?;
        let labels = change.labels.unwrap_or_else(|| entry.record.labels.clone());
        check_labels(&labels)?;
        let mut aliases = change.aliases.unwrap_or_else(|| entry.record.aliases.clone());
        for (alias, traffic) in change.some_aliases {
            match traffic {
                Some(traffic) => aliases.insert(alias, traffic),
                None => aliases.remove(&alias),
            };
        }
        if aliases.len() > MOST_ALIASES {
            let (limit, fix) = (MOST_ALIASES as u64, "remove some");
            return Err(RegistryError::Full { what: "the number of aliases", limit, fix });
        }
        for (alias, traffic) in &aliases {
            // What stays as it was needs no revision that serves: one of it may have failed to load.
            if entry.record.aliases.get(alias) == Some(traffic) {
                continue;
            }
            check_traffic(alias, traffic)?;
            traffic.revisions().try_for_each(|revision| entry.serving(&id, revision).map(|_| ()))?;
        }
        if entry.record.aliases.contains_key(DEFAULT_ALIAS) && !aliases.contains_key(DEFAULT_ALIAS) {
            let rule = "must stay as long as a revision serves; point it to another one".to_string();
            return Err(RegistryError::BadName {
                field: "model.aliases",
                value: DEFAULT_ALIAS.to_string(),
                rule,
            });
        }
        let n_revisions = entry.revisions.len();
        let name = format!("models/{id}");
        if change.is_only_checked {
            let record = super::ModelRecord { labels, aliases, ..entry.record.clone() };
            return Ok(ModelView { name, record, n_revisions });
        }
        entry.record.labels = labels;
        entry.set_aliases(aliases, self.inner.store.is_some());
        let record = entry.touched();
        drop(models);
        self.changed(&id, &record)?;
        Ok(ModelView { name, record, n_revisions })
    }

    /// Deletes a model with all its revisions; calls under way finish.
    ///
    /// # Errors
    /// [`RegistryError::EtagMismatch`]; without `is_forced`, [`RegistryError::InUse`] if sessions stay on one of its
    /// revisions; [`RegistryError::NotFound`].
    pub fn delete(&self, name: &str, etag: &str, is_forced: bool) -> Result<(), RegistryError> {
        let id = model_id("name", name)?;
        let _changing = self.changing();
        let held: Vec<_> = {
            let models = self.read();
            let entry = models.get(&id).ok_or_else(|| unknown_model(name, &models))?;
            check_etag(name, etag, &entry.record.etag())?;
            entry.revisions.values().filter_map(super::entry::Slot::in_memory).collect()
        };
        let n_sessions: usize = held.iter().map(|loaded| loaded.n_pins()).sum();
        if n_sessions > 0 && !is_forced {
            let by =
                format!("{n_sessions} sessions stay on its revisions; delete them first, or set `force`");
            return Err(RegistryError::InUse { name: name.to_string(), by });
        }
        if let (1.., Some(holder)) = (n_sessions, self.holder()) {
            held.iter().filter(|loaded| loaded.n_pins() > 0).for_each(|loaded| {
                holder.end_sessions(loaded.revision());
            });
        }
        if let Some(store) = &self.inner.store {
            store.remove_model(&id)?;
        }
        self.write().remove(&id);
        self.inner.changes.send_replace(());
        Ok(())
    }

    /// Deletes one revision.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] if an alias or a session uses it; [`RegistryError::NotFound`].
    pub fn delete_revision(&self, name: &str) -> Result<(), RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        {
            let models = self.read();
            let entry = models.get(&model).ok_or_else(|| unknown_model(name, &models))?;
            let aliases = entry.aliases_of(&revision);
            let n = entry
                .revisions
                .get(&revision)
                .and_then(super::entry::Slot::in_memory)
                .map_or(0, |l| l.n_pins());
            let by = match (aliases.is_empty(), n) {
                (false, _) => Some(format!("alias {} points to it; change it first", aliases.join(", "))),
                (true, 1..) => Some(format!("{n} sessions stay on it; move them or delete them first")),
                (true, 0) => None,
            };
            if let Some(by) = by {
                return Err(RegistryError::InUse { name: name.to_string(), by });
            }
        }
        if let Some(store) = &self.inner.store {
            store.remove_revision(&model, &revision)?;
        }
        let mut models = self.write();
        let Some(entry) = models.get_mut(&model) else { return Ok(()) };
        entry.revisions.remove(&revision);
        let record = entry.touched();
        drop(models);
        self.changed(&model, &record)
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
        let (limit, fix) = (MOST_LABELS as u64, "remove some");
        return Err(RegistryError::Full { what: "the number of labels", limit, fix });
    }
    for (label, value) in labels {
        check_id("model.labels", label)?;
        let n = value.chars().count();
        if n > MOST_LABEL_CHARACTERS {
            let rule = format!("has a text of {n} characters, but at most {MOST_LABEL_CHARACTERS} are kept");
            return Err(RegistryError::BadName { field: "model.labels", value: label.clone(), rule });
        }
    }
    Ok(())
}

fn check_traffic(alias: &str, traffic: &Traffic) -> Result<(), RegistryError> {
    check_id("model.aliases", alias)?;
    let rule = if traffic.weights.is_empty() || traffic.weights.len() > MOST_SHARES {
        format!("has {} shares, but must have 1 to {MOST_SHARES}", traffic.weights.len())
    } else if let Some(weight) =
        traffic.weights.values().find(|weight| !(1..=LARGEST_WEIGHT).contains(*weight))
    {
        format!("has a share of weight {weight}, but weights must lie between 1 and {LARGEST_WEIGHT}")
    } else if traffic.shadows.len() > MOST_SHADOWS {
        format!("has {} shadows, but at most {MOST_SHADOWS} are allowed", traffic.shadows.len())
    } else if let Some(shadow) = traffic.shadows.iter().find(|shadow| traffic.weights.contains_key(*shadow)) {
        format!("names revision {shadow} both with a share and as a shadow")
    } else {
        return Ok(());
    };
    Err(RegistryError::BadName { field: "model.aliases", value: alias.to_string(), rule })
}
