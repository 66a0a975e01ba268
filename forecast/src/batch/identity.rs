//! Which run it is: what its results depend on, and whether its data are still the same.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::choices::Choices;
use crate::{Error, Result};

/// Bytes at each end of an input that its digest is made of.
const END: u64 = 1 << 16;

/// Which run a folder belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Version of Longcast that began the run.
    pub(super) longcast: String,
    /// Everything that results depend on, by name.
    pub(super) settings: serde_json::Map<String, Value>,
    pub(super) inputs: Vec<Input>,
    pub(super) choices: Option<Choices>,
}

/// A file that is read, and how to see that it is still the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Input {
    path: PathBuf,
    bytes: u64,
    modified_nanos: u64,
    /// SHA-256 of the first and the last 64 KiB.
    ends: String,
}

impl Input {
    /// What a file looks like now.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let look = || {
            let mut file = File::open(path)?;
            let metadata = file.metadata()?;
            let bytes = metadata.len();
            let mut hash = Sha256::new();
            for start in [0, bytes.saturating_sub(END)] {
                let mut end = Vec::new();
                file.seek(SeekFrom::Start(start))?;
                (&mut file).take(END).read_to_end(&mut end)?;
                hash.update(&end);
            }
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Input {
                path: path.canonicalize()?,
                bytes,
                modified_nanos: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
                ends: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            })
        };
        look().map_err(|source| Error::Io { action: "cannot read", path: path.to_path_buf(), source })
    }
}

impl Manifest {
    /// In what a run differs from one that is left, in words.
    pub(super) fn difference(&self, now: &Self) -> Option<String> {
        let left = self;
        if left.longcast != now.longcast {
            return Some(format!("longcast {}, but this is {}", left.longcast, now.longcast));
        }
        if left.inputs != now.inputs {
            let changed = left.inputs.iter().zip(&now.inputs).find(|(left, now)| left != now);
            return Some(match changed {
                Some((left, now)) if left.path == now.path => {
                    format!("other contents of \"{}\"", now.path.display())
                }
                _ => "other data files".to_string(),
            });
        }
        let names = left.settings.keys().chain(now.settings.keys());
        let tell = |value: Option<&Value>| value.map_or_else(|| "none".to_string(), Value::to_string);
        names.into_iter().find_map(|name| {
            let (then, now) = (left.settings.get(name), now.settings.get(name));
            (then != now).then(|| format!("{name} {}, but now it is {}", tell(then), tell(now)))
        })
    }
}
