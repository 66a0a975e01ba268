//! A model file that arrives in chunks: each held against its checksum, the whole against what was announced.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::names::check_id;
use super::record::hex;
use super::{Loaded, Registry, RegistryError};
use crate::crc32c;

/// A model file on its way in.
#[derive(Debug)]
pub struct Upload {
    model_id: String,
    size: u64,
    sha256: String,
    bytes: Vec<u8>,
    hash: Sha256,
}

impl Upload {
    /// Begins an upload of so many bytes with this SHA-256, of a model by its own name.
    ///
    /// # Errors
    /// [`RegistryError::BadName`] for the fields; [`RegistryError::Full`] if it is larger than `most` bytes.
    pub fn begin(model_id: &str, size: i64, sha256: &[u8], most: u64) -> Result<Self, RegistryError> {
        check_id("header.model", model_id)?;
        if sha256.len() != 32 {
            let rule = format!("has {} bytes, but a SHA-256 has 32", sha256.len());
            return Err(RegistryError::BadName { field: "header.sha256", value: hex(sha256), rule });
        }
        let size =
            u64::try_from(size).ok().filter(|size| *size > 0).ok_or_else(|| RegistryError::BadName {
                field: "header.size_bytes",
                value: size.to_string(),
                rule: "must be at least 1".to_string(),
            })?;
        if size > most {
            let (what, fix) =
                ("the size of a model file in bytes", "send a smaller file, or raise registry.file_bytes");
            return Err(RegistryError::Full { what, limit: most, fix });
        }
        let (model_id, sha256) = (model_id.to_string(), hex(sha256));
        // Memory is taken as bytes come, not as they are announced.
        Ok(Upload { model_id, size, sha256, bytes: Vec::new(), hash: Sha256::new() })
    }

    /// Takes the next chunk, which begins at `offset` of the file.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] if the chunk does not fit its checksum, is not the next one, or goes beyond the
    /// announced size.
    pub fn take(&mut self, offset: i64, chunk: &[u8], checksum: u32) -> Result<(), RegistryError> {
        let at = self.bytes.len() as u64;
        if u64::try_from(offset) != Ok(at) {
            return Err(
                self.corrupt(&format!("a chunk begins at byte {offset}, but byte {at} is the next one"))
            );
        }
        if at + chunk.len() as u64 > self.size {
            return Err(self.corrupt(&format!("more than the announced {} bytes came", self.size)));
        }
        let found = crc32c(chunk);
        if found != checksum {
            let what = format!(
                "the chunk at byte {at} has the CRC-32C {found:08x}, but {checksum:08x} was sent with it"
            );
            return Err(self.corrupt(&what));
        }
        self.hash.update(chunk);
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Adds the model once all of it is there, and lets it serve if that is wanted. Blocks.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] if bytes are missing or not those that were announced; as [`Registry::store`].
    pub fn finish(self, registry: &Registry, is_served: bool) -> Result<Arc<Loaded>, RegistryError> {
        if self.bytes.len() as u64 != self.size {
            let what = format!("{} bytes came of the announced {}", self.bytes.len(), self.size);
            return Err(self.corrupt(&what));
        }
        let found = hex(&self.hash.clone().finalize());
        if found != self.sha256 {
            return Err(self.corrupt(&format!("their SHA-256 is {found}, announced was {}", self.sha256)));
        }
        match is_served {
            true => registry.add(&self.model_id, &self.bytes, ""),
            false => registry.store(&self.model_id, &self.bytes, ""),
        }
    }

    fn corrupt(&self, what: &str) -> RegistryError {
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
