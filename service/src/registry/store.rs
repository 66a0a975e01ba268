//! Revisions on disk: `models/<model>/<revision>/`, written under a temporary name, synced and renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RegistryError;
use super::names::check_id;
use super::record::{ModelRecord, RevisionRecord};

const ARTIFACT: &str = "model.longcast";
const REVISION: &str = "revision.json";
const MODEL: &str = "model.json";
/// What is not finished ends in this.
const PARTIAL: &str = ".partial";

/// The folder of a registry.
#[derive(Debug)]
pub(super) struct Store {
    models: PathBuf,
}

/// A model as it stands on disk.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) record: ModelRecord,
    pub(super) revisions: Vec<RevisionRecord>,
}

impl Store {
    /// Opens a folder, made if it is not there; what an earlier process did not finish is removed.
    pub(super) fn open(folder: &Path) -> Result<Self, RegistryError> {
        let models = folder.join("models");
        fs::create_dir_all(&models).map_err(|source| RegistryError::io("make", &models, source))?;
        Ok(Store { models })
    }

    /// Everything that is there, in order.
    pub(super) fn list(&self) -> Result<Vec<Stored>, RegistryError> {
        let mut all = Vec::new();
        for id in folders(&self.models)? {
            let folder = self.models.join(&id);
            let mut revisions = Vec::new();
            for revision in folders(&folder)? {
                let record: RevisionRecord = read_json(&folder.join(&revision).join(REVISION))?;
                if record.id != revision {
                    let what = format!("{} says that it is {}", folder.join(revision).display(), record.id);
                    return Err(RegistryError::Corrupt { what });
                }
                revisions.push(record);
            }
            let file = folder.join(MODEL);
            let record = if file.exists() { read_json(&file)? } else { ModelRecord::default() };
            all.push(Stored { id, record, revisions });
        }
        Ok(all)
    }

    /// The bytes of a revision's file.
    pub(super) fn read(&self, model: &str, revision: &str) -> Result<Vec<u8>, RegistryError> {
        let path = self.artifact(model, revision);
        fs::read(&path).map_err(|source| RegistryError::io("read", &path, source))
    }

    pub(super) fn artifact(&self, model: &str, revision: &str) -> PathBuf {
        self.models.join(model).join(revision).join(ARTIFACT)
    }

    /// Stores a revision whole or not at all.
    pub(super) fn write_revision(
        &self,
        model: &str,
        record: &RevisionRecord,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let parent = self.models.join(model);
        let (place, partial) = (parent.join(&record.id), parent.join(format!(".{}{PARTIAL}", record.id)));
        fs::create_dir_all(&partial).map_err(|source| RegistryError::io("make", &partial, source))?;
        let written = write_synced(&partial.join(ARTIFACT), bytes)
            .and_then(|()| write_json(&partial.join(REVISION), record))
            .and_then(|()| sync_folder(&partial))
            .and_then(|()| {
                fs::rename(&partial, &place).map_err(|source| RegistryError::io("write", &place, source))
            })
            .and_then(|()| sync_folder(&parent));
        if written.is_err() {
            // Best effort: the error that matters is the one of the write.
            let _ = fs::remove_dir_all(&partial);
        }
        written
    }

    /// Writes what can be changed of a model, whole or not at all.
    pub(super) fn write_model(&self, model: &str, record: &ModelRecord) -> Result<(), RegistryError> {
        let folder = self.models.join(model);
        fs::create_dir_all(&folder).map_err(|source| RegistryError::io("make", &folder, source))?;
        let (place, partial) = (folder.join(MODEL), folder.join(format!(".{MODEL}{PARTIAL}")));
        write_json(&partial, record)?;
        fs::rename(&partial, &place).map_err(|source| RegistryError::io("write", &place, source))?;
        sync_folder(&folder)
    }

    /// Removes a model with all its revisions.
    pub(super) fn remove_model(&self, model: &str) -> Result<(), RegistryError> {
        remove(&self.models, model)
    }

    /// Removes one revision.
    pub(super) fn remove_revision(&self, model: &str, revision: &str) -> Result<(), RegistryError> {
        remove(&self.models.join(model), revision)
    }
}

/// Removes a folder: renamed first, so that no half of it is ever found.
fn remove(parent: &Path, name: &str) -> Result<(), RegistryError> {
    let (place, gone) = (parent.join(name), parent.join(format!(".{name}{PARTIAL}")));
    if !place.exists() {
        return Ok(());
    }
    fs::rename(&place, &gone).map_err(|source| RegistryError::io("remove", &place, source))?;
    fs::remove_dir_all(&gone).map_err(|source| RegistryError::io("remove", &gone, source))
}

/// The names of the folders in a folder, in order; what is unfinished is removed.
fn folders(folder: &Path) -> Result<Vec<String>, RegistryError> {
    let fail = |source| RegistryError::io("list", folder, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().map_err(fail)?.is_dir();
        if name.starts_with('.') && name.ends_with(PARTIAL) {
            let path = entry.path();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|source| RegistryError::io("remove", &path, source))?;
        } else if is_folder && check_id("folder", &name).is_ok() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, RegistryError> {
    let bytes = fs::read(path).map_err(|source| RegistryError::io("read", path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| RegistryError::Corrupt {
        what: format!("{} does not parse: {error}", path.display()),
    })
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RegistryError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| RegistryError::Corrupt { what: format!("{}: {error}", path.display()) })?;
    write_synced(path, &text)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|source| RegistryError::io("write", path, source))
}

/// Makes a rename last; only some systems can sync a folder.
fn sync_folder(path: &Path) -> Result<(), RegistryError> {
    if cfg!(unix) {
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| RegistryError::io("sync", path, source))?;
    }
    Ok(())
}
