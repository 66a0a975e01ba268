//! Taking a revision out of memory: calls under way finish, sessions stay with it or are moved.

use std::sync::Arc;

use super::entry::Entry;
use super::registry::unknown_model;
use super::views::view;
use super::{DEFAULT_ALIAS, Loaded, Registry, RegistryError, RevisionView};

/// What becomes of the sessions that stay on a revision that is unloaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnUnload {
    /// The revision stays in memory for them; nobody else gets it.
    #[default]
    Pin,
    /// It is not unloaded while there are any.
    Refuse,
    /// They go over to the revision that the model's plain name means; those that cannot stay.
    Migrate,
}

/// What unloading did.
#[derive(Debug, Clone)]
pub struct Unloaded {
    /// The revision.
    pub view: RevisionView,
    /// Sessions that went over to another revision.
    pub n_migrated: usize,
    /// Sessions that it stays in memory for.
    pub n_pinned: usize,
}

/// Moves and ends the sessions of a revision; the sessions of the server do this.
pub trait SessionHolder: std::fmt::Debug + Send + Sync {
    /// Moves the sessions of a revision, by its full name, and returns how many went; those that cannot stay. Blocks.
    fn move_sessions(&self, from: &str, to: &Arc<Loaded>) -> usize;

    /// Deletes the sessions of a revision and returns how many there were. Blocks.
    fn end_sessions(&self, of: &str) -> usize;
}

impl Registry {
    /// Takes a revision out of service; calls under way finish with it. Blocks.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] if an alias other than the plain name points to it, if the plain name does and no other
    /// revision serves, or, with [`OnUnload::Refuse`], if sessions stay on it; [`RegistryError::NotFound`].
    pub fn unload(&self, name: &str, sessions: OnUnload) -> Result<Unloaded, RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        let (loaded, heir) = {
            let models = self.read();
            let entry = models.get(&model).ok_or_else(|| unknown_model(name, &models))?;
            (
                entry.revisions.get(&revision).and_then(super::entry::Slot::in_memory),
                heir(entry, name, &revision)?,
            )
        };
        let n_sessions = loaded.as_ref().map_or(0, |loaded| loaded.n_pins());
        if n_sessions > 0 && sessions == OnUnload::Refuse {
            let by = format!("{n_sessions} sessions stay on it; move them or delete them first");
            return Err(RegistryError::InUse { name: name.to_string(), by });
        }
        let n_migrated = match (sessions, &loaded, &heir, self.holder()) {
            (OnUnload::Migrate, Some(loaded), Some(heir), Some(holder)) if n_sessions > 0 => {
                holder.move_sessions(loaded.revision(), heir)
            }
            _ => 0,
        };
        let mut models = self.write();
        let Some(entry) = models.get_mut(&model) else {
            return Err(RegistryError::not_found("model", name, []));
        };
        let has_store = self.inner.store.is_some();
        if entry.aliases_of(&revision).contains(&DEFAULT_ALIAS) {
            match &heir {
                Some(heir) => entry.make_default(heir.revision_id(), has_store),
                None => {
                    let mut aliases = entry.record.aliases.clone();
                    aliases.remove(DEFAULT_ALIAS);
                    entry.set_aliases(aliases, true);
                }
            }
        }
        let Some(slot) = entry.revisions.get_mut(&revision) else {
            return Err(RegistryError::not_found("revision", name, []));
        };
        slot.unload();
        drop(loaded);
        let view = view(&model, slot);
        if !has_store && slot.held.strong_count() == 0 {
            // In memory it was all there was.
            entry.revisions.remove(&revision);
        }
        let record = entry.touched();
        drop(models);
        self.changed(&model, &record)?;
        Ok(Unloaded { n_pinned: view.n_sessions, view, n_migrated })
    }
}

/// Who answers for the plain name once a revision is gone: whoever does now, else the newest other one that serves.
fn heir(entry: &Entry, name: &str, revision: &str) -> Result<Option<Arc<Loaded>>, RegistryError> {
    let aliases = entry.aliases_of(revision);
    let others: Vec<&str> = aliases.iter().copied().filter(|alias| *alias != DEFAULT_ALIAS).collect();
    if !others.is_empty() {
        let by = format!("alias {} points to it; change it with UpdateModel first", others.join(", "));
        return Err(RegistryError::InUse { name: name.to_string(), by });
    }
    let serving =
        entry.revisions.iter().filter(|(id, slot)| id.as_str() != revision && slot.loaded.is_some());
    let default = entry.record.aliases.get(DEFAULT_ALIAS);
    let is_default = |id: &str| default.is_some_and(|traffic| traffic.weights.contains_key(id));
    let best = serving.max_by_key(|(id, slot)| (is_default(id), slot.record.created_unix_nano));
    Ok(best.and_then(|(_, slot)| slot.loaded.clone()))
}
