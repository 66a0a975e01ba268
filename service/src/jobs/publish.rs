//! What jobs need of the registry.

use std::fmt::Debug;

use forecast::ModelConfig;
use tonic::Status;

/// Where models come from and go to.
pub trait Publish: Debug + Send + Sync {
    /// Stores a model file as a new revision of a model and serves it; the same bytes again are the same revision.
    /// Returns its name, `models/{m}/revisions/{r}`. Blocks.
    ///
    /// # Errors
    /// What is wrong with the file, or the registry.
    fn publish(&self, model: &str, file: Vec<u8>, job: &str) -> Result<String, Status>;

    /// The settings that a model, a revision or an alias was fitted with.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    fn config_of(&self, model: &str) -> Result<ModelConfig, Status>;
}
