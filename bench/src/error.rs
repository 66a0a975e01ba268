//! The one error type of the program: what went wrong and what to do about it.

use std::io;
use std::path::Path;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// `longcast` is not where it is looked for.
    #[error(
        "no program longcast at \"{path}\"; run `cargo build --release --workspace` first, or say where it is with --longcast"
    )]
    NoLongcast { path: String },
    /// There is no Python, or it does not run.
    #[error(
        "cannot run python3 ({reason}); it measures processes and runs the peers: install Python 3.11 or newer with its module venv"
    )]
    NoPython { reason: String },
    /// The peers' pinned packages need a newer Python.
    #[error(
        "python3 is version {found}, but the peers' packages need 3.11 or newer; put a newer one first in PATH, or leave the peers out with --no-peers"
    )]
    OldPython { found: String },
    /// The virtual environment of the peers could not be made.
    #[error(
        "cannot {action} in \"{folder}\": {reason}; the peers need Python's module venv and a package index that pip can reach, or leave them out with --no-peers"
    )]
    Environment { action: String, folder: String, reason: String },
    /// A measured command failed.
    #[error("`{command}` ended with exit code {code}: {output}")]
    Command { command: String, code: i32, output: String },
    /// A peer ended or answered nonsense.
    #[error("the peer {peer} did not answer: {reason}; what it said stands above")]
    Peer { peer: &'static str, reason: String },
    /// The two sides did not do the same work.
    #[error("{record}: ours gives {ours}, but {peer} {theirs}: the two did not do the same work")]
    Differs { record: String, ours: f64, peer: &'static str, theirs: f64 },
    /// What was to be measured did not come out as it was made.
    #[error("{0}")]
    Unexpected(String),
    /// A file or stream could not be read or written.
    #[error("{action} \"{path}\": {source}")]
    File { action: &'static str, path: String, source: io::Error },
    /// The records could not be written as JSON.
    #[error("cannot write the records as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The library refused.
    #[error(transparent)]
    Forecast(#[from] forecast::Error),
    /// A bundled data set could not be read.
    #[error(transparent)]
    Dataset(#[from] forecast_datasets::DatasetError),
}

/// The result of everything that can fail here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A file that could not be read or written.
    pub(crate) fn file(action: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Error::File { action, path: path.as_ref().display().to_string(), source }
    }
}
