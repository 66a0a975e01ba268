//! The models that a server holds, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use forecast::Model;
use tonic::Status;

use super::reason::Reason;
use crate::session::{FindModel, PinnedModel};

/// Digits of the file's SHA-256 that name a revision.
const REVISION_DIGITS: usize = 12;

/// A model and the name of the revision that is served.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) model: Model,
    /// `models/{m}/revisions/{r}`.
    pub(super) revision: String,
}

/// The models of a server, by the stem of their file.
#[derive(Debug, Clone, Default)]
pub struct Models {
    by_name: BTreeMap<String, Arc<Served>>,
}

impl Models {
    /// Loads a model file under the stem of its name: `load.longcast` is served as `models/load`.
    ///
    /// # Errors
    /// Those of [`Model::load`], and [`forecast::Error::BadOption`] if the name is taken.
    pub fn load(&mut self, path: &Path) -> forecast::Result<()> {
        let model = Model::load(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if self.by_name.contains_key(&name) {
            return Err(forecast::Error::BadOption {
                field: "model".to_string(),
                value: path.display().to_string(),
                rule: format!("another model is served as models/{name}; rename one of the files"),
            });
        }
        self.insert(name, model)
    }

    /// Serves a model under a name.
    ///
    /// # Errors
    /// [`forecast::Error::Internal`] only.
    pub fn insert(&mut self, name: String, model: Model) -> forecast::Result<()> {
        let digest = model.digest()?;
        let revision = format!("models/{name}/revisions/{}", &digest[..REVISION_DIGITS]);
        self.by_name.insert(name, Arc::new(Served { model, revision }));
        Ok(())
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.by_name.keys().map(String::as_str).collect()
    }

    /// The model that a request names; an empty name is the only one there is.
    pub(super) fn find(&self, name: &str) -> Result<Arc<Served>, Status> {
        if name.is_empty() {
            if let [only] = &self.by_name.values().collect::<Vec<_>>()[..] {
                return Ok(Arc::clone(only));
            }
            let known = self.names().join(", ");
            return Err(Reason::FieldInvalid
                .at("model", &format!("it is empty, but the server holds several models: {known}")));
        }
        let by_stem = name.strip_prefix("models/").and_then(|rest| match rest.split_once("/revisions/") {
            Some((stem, _)) => self.by_name.get(stem).filter(|served| served.revision == name),
            None => self.by_name.get(rest),
        });
        by_stem.cloned().ok_or_else(|| {
            let known: Vec<String> = self.names().iter().map(|name| format!("models/{name}")).collect();
            let message = format!("unknown model \"{name}\"; this server holds {}", known.join(", "));
            Reason::ModelNotFound.of_resource("longcast.v1.Model", name, message)
        })
    }
}

impl FindModel for Models {
    fn find(&self, name: &str, _key: &str) -> Result<PinnedModel, Status> {
        let served = Models::find(self, name)?;
        Ok(PinnedModel { model: served.model.clone(), revision: served.revision.clone(), guard: None })
    }
}
