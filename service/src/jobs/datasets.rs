//! Data sets: those that were uploaded, each in a folder of its own, and those that come with the program.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use forecast_proto::v1;
use serde::{Deserialize, Serialize};
use tonic::Status;

use super::config::JobsConfig;
use super::data::{bundled, read_about};
use super::names::segment;
use super::upload::Upload;
use crate::server::Reason;
use crate::server::status::internal;

/// Names of the files of a data set.
pub(super) const DATA: &str = "data";
pub(super) const ABOUT: &str = "about.json";
/// What begins so is not there yet, or not any more.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// What is known about a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    /// `csv`, `parquet`, `arrow` or `json`; empty for series.
    pub file_format: String,
    /// Names of the channels of series.
    pub channels: Vec<String>,
    /// Number of series; 0 for files.
    pub n_series: u64,
    /// Number of values; 0 for files.
    pub n_values: u64,
    /// Of the stored file.
    pub sha256: Vec<u8>,
    /// Of the stored file.
    pub n_bytes: u64,
    /// When it was stored, in nanoseconds since 1970; 0 if it comes with the program.
    pub created: u64,
}

/// The data sets of a server.
#[derive(Debug)]
pub struct Datasets {
    folder: PathBuf,
    config: JobsConfig,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<String, About>,
    /// Bytes of uploads under way.
    n_uploading: u64,
    /// Uploads ever begun, for names of folders.
    n_begun: u64,
}

impl Datasets {
    /// The data sets of a folder, which is made if it is not there; what is unfinished is removed.
    ///
    /// # Errors
    /// If the folder cannot be read or made.
    pub(super) fn open(folder: &Path, config: &JobsConfig) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut by_id = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if id.starts_with(UNFINISHED) {
                fs::remove_dir_all(&path)?;
                continue;
            }
            match read_about(&path) {
                Ok(about) => {
                    by_id.insert(id, about);
                }
                Err(error) => {
                    tracing::warn!(dataset = id, %error, "a data set cannot be read; it is left alone")
                }
            }
        }
        let known = Mutex::new(Known { by_id, ..Known::default() });
        Ok(Datasets { folder: folder.to_path_buf(), config: config.clone(), known })
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for the header, `RESOURCE_EXHAUSTED` if there is no room for it.
    pub(crate) fn upload(&self, header: v1::DatasetHeader) -> Result<Upload<'_>, Status> {
        let at = {
            let mut known = self.known();
            known.n_begun += 1;
            known.n_begun
        };
        Upload::begin(self, header, self.folder.join(format!("{UNFINISHED}{at}")))
    }

    pub(super) fn config(&self) -> &JobsConfig {
        &self.config
    }

    /// Takes room for bytes that are about to be written.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`.
    pub(super) fn reserve(&self, n_bytes: u64) -> Result<(), Status> {
        let mut known = self.known();
        let stored: u64 = known.by_id.values().map(|about| about.n_bytes).sum();
        let most = self.config.all_datasets_bytes;
        if stored + known.n_uploading + n_bytes > most {
            let rule = format!(
                "all data sets together may have {most} bytes, and {} are taken; delete some",
                stored + known.n_uploading
            );
            return Err(Reason::DatasetTooLarge.quota("datasets", rule, None));
        }
        known.n_uploading += n_bytes;
        Ok(())
    }

    /// Gives room back, of an upload that has ended.
    pub(super) fn release(&self, n_bytes: u64) {
        let mut known = self.known();
        known.n_uploading = known.n_uploading.saturating_sub(n_bytes);
    }

    /// Puts an uploaded folder in its place; the same content twice is one data set.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` for another content, `RESOURCE_EXHAUSTED` for one too many.
    pub(super) fn settle(&self, id: &str, about: About, from: &Path) -> Result<v1::Dataset, Status> {
        let mut known = self.known();
        if let Some(there) = known.by_id.get(id) {
            let is_same = there.sha256 == about.sha256
                && there.file_format == about.file_format
                && there.channels == about.channels;
            return match is_same {
                true => Ok(message(id, there)),
                false => {
                    let rule = format!(
                        "datasets/{id} is there with another content; choose another dataset_id, or delete it first"
                    );
                    Err(Reason::DatasetExists.status(rule, &[]))
                }
            };
        }
        if bundled(id).is_some() {
            let rule = format!("datasets/{id} comes with the program; choose another dataset_id");
            return Err(Reason::DatasetExists.status(rule, &[]));
        }
        if known.by_id.len() >= self.config.most_datasets {
            let rule =
                format!("there are {} data sets, the most that are kept; delete some", known.by_id.len());
            return Err(Reason::DatasetTooLarge.quota("datasets", rule, None));
        }
        fs::rename(from, self.folder.join(id)).and_then(|()| sync_folder(&self.folder)).map_err(io_status)?;
        let stored = message(id, &about);
        known.by_id.insert(id.to_string(), about);
        Ok(stored)
    }

    /// All data sets after one, in the order of their names, at most `most`.
    pub(crate) fn list(&self, after: &str, most: usize) -> Vec<v1::Dataset> {
        let known = self.known();
        let mut all: BTreeMap<String, v1::Dataset> =
            known.by_id.iter().map(|(id, about)| (id.clone(), message(id, about))).collect();
        for set in forecast_datasets::all().unwrap_or_default() {
            if let Some(about) = bundled(&set.name) {
                all.insert(set.name.clone(), message(&set.name, &about));
            }
        }
        all.into_iter().filter(|(id, _)| id.as_str() > after).take(most).map(|(_, set)| set).collect()
    }

    /// Removes a data set that was uploaded.
    ///
    /// # Errors
    /// `NOT_FOUND`, also for those that come with the program.
    pub(crate) fn delete(&self, name: &str) -> Result<(), Status> {
        let mut known = self.known();
        let id = segment(name, "datasets").filter(|id| known.by_id.contains_key(*id));
        let Some(id) = id else { return Err(unknown(name)) };
        known.n_begun += 1;
        let gone = self.folder.join(format!("{UNFINISHED}{}", known.n_begun));
        fs::rename(self.folder.join(id), &gone).map_err(io_status)?;
        known.by_id.remove(id);
        drop(known);
        fs::remove_dir_all(&gone).map_err(io_status)
    }

    /// Links the files of a data set into the folder of a job, so that the job keeps it whatever becomes of it.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(super) fn link(&self, name: &str, job: &Path) -> Result<(), Status> {
        let known = self.known();
        let Some(id) = segment(name, "datasets") else { return Err(unknown(name)) };
        if known.by_id.contains_key(id) {
            for file in [DATA, ABOUT] {
                let (from, to) = (self.folder.join(id).join(file), job.join(file));
                // A copy where the file system knows no links.
                fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(|_| ())).map_err(io_status)?;
            }
            return Ok(());
        }
        if bundled(id).is_some() { Ok(()) } else { Err(unknown(name)) }
    }

    /// Whether there is a data set of this name.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub(super) fn check(&self, name: &str) -> Result<(), Status> {
        let id = segment(name, "datasets");
        let is_known = id.is_some_and(|id| self.known().by_id.contains_key(id) || bundled(id).is_some());
        if is_known { Ok(()) } else { Err(unknown(name)) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn message(id: &str, about: &About) -> v1::Dataset {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    v1::Dataset {
        name: format!("datasets/{id}"),
        series_count: count(about.n_series),
        point_count: count(about.n_values),
        sha256: about.sha256.clone(),
        size_bytes: count(about.n_bytes),
        create_time: (about.created > 0).then(|| super::message::timestamp(about.created)),
    }
}

pub(super) fn unknown(name: &str) -> Status {
    let what = format!("unknown \"{name}\": no data set has this name; ListDatasets tells all");
    Reason::DatasetNotFound.of_resource("longcast.v1.Dataset", name, what)
}

/// A failure of the server's disk.
#[allow(clippy::needless_pass_by_value)] // As `map_err` wants it.
pub(super) fn io_status(error: io::Error) -> Status {
    internal(&format!("the server cannot write or read its files: {error}"))
}

/// Makes renames in a folder outlive the machine.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
