//! A model file that arrives in pieces: held against the size and the checksum that were announced.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::names::check_id;
use super::record::hex;
use super::{Loaded, Registry, RegistryError};

/// A model file on its way in.
#[derive(Debug)]
pub struct Upload {
    model_id: String,
    size: usize,
    sha256: String,
    bytes: Vec<u8>,
    hash: Sha256,
}

impl Upload {
    /// Begins an upload of so many bytes with this SHA-256.
    ///
    /// # Errors
    /// [`RegistryError::BadName`] for the model; [`RegistryError::Full`] if it is larger than `most` bytes.
    pub fn begin(model_id: &str, size: u64, sha256: &[u8], most: usize) -> Result<Self, RegistryError> {
        check_id("header.model", model_id)?;
        if sha256.len() != 32 {
            let rule = format!("has {} bytes, but a SHA-256 has 32", sha256.len());
            return Err(RegistryError::BadName { field: "header.sha256", value: hex(sha256), rule });
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > most {
            let fix = "send a smaller file, or raise limits.model_bytes";
            return Err(RegistryError::Full { what: "the size of a model file in bytes", limit: most, fix });
        }
        // Memory is taken as bytes come, not as they are announced.
        Ok(Upload {
            model_id: model_id.to_string(),
            size,
            sha256: hex(sha256),
            bytes: Vec::new(),
            hash: Sha256::new(),
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] if there are more bytes than were announced.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(), RegistryError> {
        if self.bytes.len() + chunk.len() > self.size {
            return Err(self.corrupt(format!("more than the announced {} bytes came", self.size)));
        }
        self.hash.update(chunk);
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Adds the model once all of it is there. Blocks.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] if bytes are missing or not those that were announced; as [`Registry::add`].
    pub fn finish(self, registry: &Registry) -> Result<Arc<Loaded>, RegistryError> {
        if self.bytes.len() != self.size {
            let what = format!("{} bytes came of the announced {}", self.bytes.len(), self.size);
            return Err(self.corrupt(what));
        }
        let found = hex(&self.hash.clone().finalize());
        if found != self.sha256 {
            return Err(self.corrupt(format!("their SHA-256 is {found}, announced was {}", self.sha256)));
        }
        registry.add(&self.model_id, &self.bytes, "")
    }

    fn corrupt(&self, what: String) -> RegistryError {
        RegistryError::Corrupt { what: format!("models/{}: {what}", self.model_id) }
    }
}

/// Holds bytes against their SHA-256.
pub(super) fn check_sha256(name: &str, bytes: &[u8], expected: &str) -> Result<(), RegistryError> {
    let found = hex(&Sha256::digest(bytes));
    if found == expected {
        return Ok(());
    }
    let what =
        format!("the file of {name} has the SHA-256 {found}, but {expected} was stored; import it again");
    Err(RegistryError::Corrupt { what })
}
