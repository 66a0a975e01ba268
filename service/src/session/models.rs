//! Where sessions get their models from.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use forecast::Model;
use tonic::Status;

/// A model that stays in memory as long as this value lives.
#[derive(Clone)]
pub struct PinnedModel {
    /// The model.
    pub model: Model,
    /// `models/{m}/revisions/{r}`.
    pub revision: String,
    /// What holds the revision; dropped with the last session that uses it.
    pub guard: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for PinnedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedModel").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// A registry, as sessions see it.
pub trait FindModel: Send + Sync + fmt::Debug {
    /// The model of a name: a model, a revision, an alias, or empty for the only one there is. `key` is the
    /// session: the share of traffic that it belongs to is told from it. May read the disk.
    ///
    /// # Errors
    /// The status that the caller of a session gets.
    fn find(&self, name: &str, key: &str) -> Result<PinnedModel, Status>;
}
