//! A folder for the files of one run, removed at its end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A folder of this process's own.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes the folder, for files of `topic`.
    ///
    /// # Errors
    /// [`Error::File`] if the system's temporary folder is missing, full or not writable.
    pub(crate) fn new(topic: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("forecast-bench-{topic}-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| Error::file("cannot make the folder", &folder, error))?;
        Ok(Scratch { folder })
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what is left lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
