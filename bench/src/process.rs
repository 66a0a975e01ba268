//! Whole processes, started and measured by `peers/processes.py` on all sides alike.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::own_path;
use crate::error::{Error, Result};
use crate::peer::Peer;

/// What a process took, from `exec` to exit.
#[derive(Debug, Deserialize)]
pub(crate) struct Process {
    /// Wall time.
    pub(crate) seconds: f64,
    /// Peak resident memory.
    pub(crate) peak_bytes: f64,
    exit_code: i32,
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    command: &'a [String],
    log: &'a Path,
}

/// Runs a command once, by a running [`PROCESSES`](crate::peer::PROCESSES).
///
/// # Errors
/// [`Error::Command`] with what it said if its exit code is not 0.
pub(crate) fn measure(peer: &mut Peer, command: &[String], log: &Path) -> Result<Process> {
    let process: Process = peer.ask(&Question { command, log })?;
    if process.exit_code == 0 {
        return Ok(process);
    }
    let output = fs::read_to_string(log).unwrap_or_default();
    Err(Error::Command {
        command: command.join(" "),
        code: process.exit_code,
        output: output.trim().to_string(),
    })
}

/// A program and its arguments as one command.
pub(crate) fn words(program: &Path, words: &[&str]) -> Vec<String> {
    let program = program.display().to_string();
    std::iter::once(program).chain(words.iter().map(ToString::to_string)).collect()
}

/// The program to measure: the one given, or the one beside this program.
///
/// # Errors
/// [`Error::NoLongcast`] if it is not there.
pub(crate) fn longcast(given: Option<&Path>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => own_path()?.with_file_name(format!("longcast{}", std::env::consts::EXE_SUFFIX)),
    };
    if path.is_file() { Ok(path) } else { Err(Error::NoLongcast { path: path.display().to_string() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_command_that_builds_it() {
        let message = longcast(Some(Path::new("no/longcast"))).unwrap_err().to_string();
        assert!(
            message.contains("\"no/longcast\"") && message.contains("cargo build --release"),
            "{message}"
        );
    }
}
