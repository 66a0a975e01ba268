//! Sessions and the registry: where their models come from, and what happens to them when a model goes.

use std::sync::Arc;

use tonic::Status;

use crate::registry::{Loaded, Registry, RegistryError, SessionHolder};
use crate::session::{FindModel, PinnedModel, Store};

impl FindModel for Registry {
    fn find(&self, name: &str, key: &str) -> Result<PinnedModel, Status> {
        let loaded = match self.route(name, key) {
            Ok(routed) => routed.loaded,
            // A session that goes on after a restart needs its own revision, whoever else uses it.
            Err(RegistryError::NotLoaded { .. }) if name.contains("/revisions/") => self.load(name)?,
            Err(error) => return Err(error.into()),
        };
        Ok(pinned(&loaded))
    }
}

fn pinned(loaded: &Arc<Loaded>) -> PinnedModel {
    PinnedModel {
        model: loaded.model.clone(),
        revision: loaded.revision().to_string(),
        guard: Some(Arc::new(loaded.pin())),
    }
}

impl SessionHolder for Store {
    fn move_sessions(&self, from: &str, to: &Arc<Loaded>) -> usize {
        self.migrate(from, &pinned(to))
    }

    fn end_sessions(&self, of: &str) -> usize {
        self.end_on_revision(of)
    }
}
