//! Why the registry did not do what it was asked for.

use std::path::PathBuf;

/// An error of the registry; lower case, with the name, the value and the fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A name breaks a rule.
    #[error("{field}: \"{value}\" {rule}")]
    BadName {
        /// The field of the request.
        field: &'static str,
        /// What it was.
        value: String,
        /// What it has to be.
        rule: String,
    },
    /// Nothing has this name.
    #[error("unknown {kind} \"{name}\"; {known}")]
    NotFound {
        /// `model`, `revision` or `alias`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It is stored, but not in memory.
    #[error("{name} is stored, but not loaded; load it with LoadModelRevision")]
    NotLoaded {
        /// The model or the revision.
        name: String,
    },
    /// Somebody still needs it.
    #[error("{name} is in use: {by}")]
    InUse {
        /// The model or the revision.
        name: String,
        /// Who needs it, and what to do.
        by: String,
    },
    /// The model has changed since the caller read it.
    #[error("etag: \"{got}\" is not that of {name}, which is \"{expected}\"; read it again")]
    EtagMismatch {
        /// The model.
        name: String,
        /// Its own.
        expected: String,
        /// The caller's.
        got: String,
    },
    /// The bytes are not those that were announced, or no model.
    #[error("{what}")]
    Corrupt {
        /// What is wrong, with the name.
        what: String,
    },
    /// A bound of the server is reached.
    #[error("{what} is at its limit of {limit}; {fix}")]
    Full {
        /// What is counted.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// What to do.
        fix: &'static str,
    },
    /// The file system failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The library refused the model.
    #[error(transparent)]
    Model(#[from] forecast::Error),
}

impl RegistryError {
    pub(super) fn not_found(kind: &'static str, name: &str, known: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = known.into_iter().take(6).collect();
        let more = if names.len() > 5 { names.pop().map_or("", |_| " and more") } else { "" };
        let known = match names.is_empty() {
            true => "there is none".to_string(),
            false => format!("there are {}{more}", names.join(", ")),
        };
        RegistryError::NotFound { kind, name: name.to_string(), known }
    }

    pub(super) fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        RegistryError::Io { action, path: path.to_path_buf(), source }
    }
}
