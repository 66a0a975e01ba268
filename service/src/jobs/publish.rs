//! What jobs need of the registry.

use std::fmt::Debug;

use forecast::Model;
use tonic::Status;

use crate::registry::Registry;

/// A model file to store.
#[derive(Debug)]
pub struct NewRevision<'a> {
    /// `{m}` of `models/{m}`; the model is made if there is none.
    pub model_id: &'a str,
    /// The bytes of the file.
    pub file: Vec<u8>,
    /// `trainingJobs/{j}` that made it.
    pub job: &'a str,
    /// Whether "default" points to it afterwards.
    pub makes_default: bool,
}

/// Where models come from and go to.
pub trait Publish: Debug + Send + Sync {
    /// Stores a model file as a new revision of a model and serves it; the same bytes again are the same revision.
    /// Returns its name, `models/{m}/revisions/{r}`. Blocks.
    ///
    /// # Errors
    /// What is wrong with the file, or the registry.
    fn publish(&self, revision: NewRevision<'_>) -> Result<String, Status>;

    /// A model by its name, that of a revision, or an alias. Blocks.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    fn model(&self, name: &str) -> Result<Model, Status>;
}

impl Publish for Registry {
    fn publish(&self, revision: NewRevision<'_>) -> Result<String, Status> {
        let NewRevision { model_id, file, job, makes_default } = revision;
        let loaded = match makes_default {
            true => self.add(model_id, &file, job)?,
            false => self.store(model_id, &file, job)?,
        };
        Ok(loaded.revision().to_string())
    }

    fn model(&self, name: &str) -> Result<Model, Status> {
        let loaded = match name.contains("/revisions/") {
            // Stored is enough.
            true => self.load(name)?,
            false => self.resolve(name)?,
        };
        Ok(loaded.model.clone())
    }
}
