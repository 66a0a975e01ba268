//! What of a run is done already: a folder beside the output with a file for each part and one that says which
//! run it belongs to.
//!
//! A part counts once its record and its table are there; the record is put in place after the table, both whole or
//! not at all. So whenever a run ends, even while it removes the folder, the parts that count, from the first to the
//! one before the first gap, are what it has done.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::choices::Choices;
use super::identity::Manifest;
use super::work::Failure;
use crate::file::{self, cannot_write, write_all_atomically};
use crate::{Error, Result, write_atomically};

const MANIFEST: &str = "run.json";
const LOCK: &str = "lock";

/// What a part holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartRecord {
    /// Series that were read.
    pub(super) n_series: usize,
    /// Series that at least one model forecast.
    pub(super) n_forecast: usize,
    /// Rows of the part's table; there is no table without any.
    pub(super) n_rows: usize,
    /// What failed, in the order of the series.
    pub(super) failures: Vec<Failure>,
}

/// The folder of a run.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    manifest: Manifest,
    /// True if no earlier run left anything.
    is_new: bool,
    n_parts: usize,
    /// All parts together, without their failures.
    total: PartRecord,
    n_failures: usize,
    // Held as long as the run lasts; the system lets go of it however the process ends.
    _lock: File,
}

impl Journal {
    /// The folder of the run that writes `output`: a new one, or the one that a run with the same settings on
    /// the same files left. With `restart` what was left is thrown away.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the folder belongs to another run, to one that is still under way, or holds
    /// something else; [`Error::Io`] if it cannot be written.
    pub(super) fn open(output: &Path, manifest: Manifest, restart: bool) -> Result<Self> {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let folder = output.with_file_name(format!("{name}.parts"));
        fs::create_dir_all(&folder).map_err(|source| cannot_write(&folder, source))?;
        check_ours(&folder)?;
        let lock = File::create(folder.join(LOCK)).map_err(|source| cannot_write(&folder, source))?;
        if lock.try_lock().is_err() {
            return Err(refused(&folder, "another run is writing to it; wait for its end"));
        }
        let path = folder.join(MANIFEST);
        let left: Option<Manifest> = if path.exists() { Some(parse(&path)?) } else { None };
        let mut journal = Journal {
            folder,
            manifest,
            is_new: false,
            n_parts: 0,
            total: PartRecord::default(),
            n_failures: 0,
            _lock: lock,
        };
        match left {
            Some(left) if !restart => {
                if let Some(difference) = left.difference(&journal.manifest) {
                    let rule = format!(
                        "it belongs to an unfinished run with {difference}; repeat that run to finish it, or throw it away with --restart"
                    );
                    return Err(refused(&journal.folder, &rule));
                }
                journal.manifest.choices = left.choices;
                while journal.part(journal.n_parts, "json").exists() {
                    let record = journal.record(journal.n_parts)?;
                    if record.n_rows > 0 && !journal.part(journal.n_parts, "arrow").exists() {
                        break;
                    }
                    journal.count(&record);
                }
            }
            _ => {
                journal.clear()?;
                journal.is_new = true;
            }
        }
        Ok(journal)
    }

    /// What was decided, if the run was begun before.
    pub(super) fn choices(&self) -> Option<&Choices> {
        self.manifest.choices.as_ref()
    }

    /// Writes down what was decided, before the first part.
    pub(super) fn begin(&mut self, choices: Choices) -> Result<()> {
        self.manifest.choices = Some(choices);
        write_atomically(self.folder.join(MANIFEST), &json(&self.manifest)?)
    }

    /// All parts together; the failures are in the parts.
    pub(super) fn total(&self) -> &PartRecord {
        &self.total
    }

    pub(super) fn n_failures(&self) -> usize {
        self.n_failures
    }

    /// The folder of the parts.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a part: its table as an Arrow file, if it has rows, and its record. Returns where the table stands.
    pub(super) fn add(&mut self, record: &PartRecord, table: &[u8]) -> Result<PathBuf> {
        let (table_path, record_path) = (self.part(self.n_parts, "arrow"), self.part(self.n_parts, "json"));
        let record_bytes = json(record)?;
        let files = [(table_path.as_path(), table), (record_path.as_path(), record_bytes.as_slice())];
        // The record last: a part without one does not count.
        write_all_atomically(if table.is_empty() { &files[1..] } else { &files })?;
        self.count(record);
        Ok(table_path)
    }

    /// Every part: its record, and its table if it has rows.
    pub(super) fn parts(&self) -> impl Iterator<Item = Result<(PartRecord, Option<PathBuf>)>> + '_ {
        (0..self.n_parts).map(|part| {
            let record = self.record(part)?;
            let table = (record.n_rows > 0).then(|| self.part(part, "arrow"));
            Ok((record, table))
        })
    }

    /// Removes the folder, at the end of the run.
    pub(super) fn remove(self) -> Result<()> {
        check_ours(&self.folder)?;
        fs::remove_dir_all(&self.folder).map_err(|source| cannot_write(&self.folder, source))
    }

    /// Removes the folder of a run that failed before it had anything to keep.
    pub(super) fn remove_if_untouched(self) {
        if self.is_new && self.n_parts == 0 {
            // Best effort: the error that matters is the one of the run.
            let _ = self.remove();
        }
    }

    /// Removes what an earlier run left, the file that names the run first, so that no part of it is taken for
    /// one of this run.
    fn clear(&self) -> Result<()> {
        let fail = |source| cannot_write(&self.folder, source);
        if self.folder.join(MANIFEST).exists() {
            fs::remove_file(self.folder.join(MANIFEST)).map_err(fail)?;
        }
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if entry.file_name() != LOCK {
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, record: &PartRecord) {
        self.n_parts += 1;
        self.total.n_series += record.n_series;
        self.total.n_forecast += record.n_forecast;
        self.total.n_rows += record.n_rows;
        self.n_failures += record.failures.len();
    }

    fn record(&self, part: usize) -> Result<PartRecord> {
        parse(&self.part(part, "json"))
    }

    fn part(&self, part: usize, extension: &str) -> PathBuf {
        self.folder.join(format!("part-{part:06}.{extension}"))
    }
}

/// Refuses a folder that holds anything but what a run writes, so that nothing else is ever removed.
fn check_ours(folder: &Path) -> Result<()> {
    let fail = |source| cannot_write(folder, source);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
        let is_ours = [MANIFEST, LOCK].contains(&name.as_str())
            || name.starts_with("part-")
            || (name.starts_with('.') && name.ends_with(".partial"));
        if !is_ours {
            let rule = format!(
                "it holds \"{name}\", which no run has written; move it away, or choose another output"
            );
            return Err(refused(folder, &rule));
        }
    }
    Ok(())
}

fn refused(folder: &Path, rule: &str) -> Error {
    Error::option("the folder of parts", format!("\"{}\"", folder.display()), rule)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&file::read(path)?).map_err(|error| Error::Unreadable {
        input: path.display().to_string(),
        format: "the journal of a run",
        reason: format!("{error}; start over with --restart"),
    })
}
