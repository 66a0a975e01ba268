//! Taking a revision out of memory: calls under way finish, sessions stay with it or are moved.

use std::sync::{Arc, PoisonError};

use super::{Loaded, Registry, RegistryError, RevisionView};

/// What becomes of the sessions that stay on a revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pinned {
    /// They keep it: it is not unloaded while there are any.
    #[default]
    Keep,
    /// They are moved to the revision that answers for the model's plain name.
    Move,
}

/// Moves sessions from one revision to another; the sessions of the server do this.
pub trait SessionMover: std::fmt::Debug + Send + Sync {
    /// Moves every session of a revision, by its full name, and returns how many there were. A session that cannot
    /// be moved stays, and the text says why.
    ///
    /// # Errors
    /// Why not all could be moved.
    fn move_sessions(&self, from: &str, to: &Arc<Loaded>) -> Result<usize, String>;
}

impl Registry {
    /// Takes a revision out of service; calls under way finish with it. Blocks.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] if an alias names it, if sessions stay on it, or if it answers for the plain name while
    /// no other revision is loaded; [`RegistryError::NotMoved`]; [`RegistryError::NotFound`].
    pub fn unload(&self, name: &str, pinned: Pinned) -> Result<RevisionView, RegistryError> {
        let _changing = self.changing();
        let (model, revision) = self.stored_revision(name)?;
        let (loaded, heir) = {
            let models = self.read();
            let entry = models.get(&model).ok_or_else(|| super::registry::unknown_model(name, &models))?;
            let aliases: Vec<&str> = entry.aliases_of(&revision).collect();
            if !aliases.is_empty() {
                let by = format!("alias {} names it; change it with UpdateModel first", aliases.join(", "));
                return Err(RegistryError::InUse { name: name.to_string(), by });
            }
            let newest =
                entry.revisions.iter().filter(|(id, slot)| **id != revision && slot.loaded.is_some());
            let newest = newest.max_by_key(|(_, slot)| slot.record.created_unix_nano);
            let current = entry.record.current.clone().filter(|current| *current != revision);
            let heir = current.or_else(|| newest.map(|(id, _)| id.clone()));
            let heir = heir.and_then(|id| entry.serving(&model, &id).ok().cloned());
            (entry.revisions.get(&revision).and_then(|slot| slot.loaded.clone()), heir)
        };
        if let Some(loaded) = loaded {
            self.settle(&loaded, heir.as_ref(), pinned)?;
        }
        let mut models = self.write();
        let Some(entry) = models.get_mut(&model) else {
            return Err(RegistryError::not_found("model", name, []));
        };
        if let Some(slot) = entry.revisions.get_mut(&revision) {
            slot.unload();
        }
        if entry.record.current.as_deref() == Some(&revision) {
            entry.record.current = heir.map(|heir| heir.revision_id().to_string());
        }
        let record = entry.touched().clone();
        let left = entry.revisions.get(&revision).map(|slot| super::registry::view(&model, slot));
        if self.inner.store.is_none() {
            // In memory it was all there was.
            entry.revisions.remove(&revision);
        }
        drop(models);
        if let Some(store) = &self.inner.store {
            store.write_model(&model, &record)?;
        }
        left.ok_or_else(|| RegistryError::not_found("revision", name, []))
    }

    fn settle(
        &self,
        loaded: &Arc<Loaded>,
        heir: Option<&Arc<Loaded>>,
        pinned: Pinned,
    ) -> Result<(), RegistryError> {
        let name = loaded.revision().to_string();
        let n = loaded.n_pins();
        if n == 0 {
            return Ok(());
        }
        if pinned == Pinned::Keep {
            let by = format!("{n} sessions stay on it; move them or delete them first");
            return Err(RegistryError::InUse { name, by });
        }
        let Some(heir) = heir else {
            let by = format!("{n} sessions stay on it, and no other revision is loaded that could take them");
            return Err(RegistryError::InUse { name, by });
        };
        let mover = self.inner.mover.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mover = mover.ok_or_else(|| RegistryError::NotMoved {
            name: name.clone(),
            why: "this server has no sessions".to_string(),
        })?;
        mover
            .move_sessions(&name, heir)
            .map_err(|why| RegistryError::NotMoved { name: name.clone(), why })?;
        match loaded.n_pins() {
            0 => Ok(()),
            n => Err(RegistryError::InUse { name, by: format!("{n} sessions came back to it meanwhile") }),
        }
    }
}
