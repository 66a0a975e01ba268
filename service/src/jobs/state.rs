//! Which jobs there are, wait and run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::datasets::UNFINISHED;
use super::job::{Job, Kind};

/// Which jobs there are, wait and run.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) all: HashMap<Kind, BTreeMap<u64, Arc<Job>>>,
    pub(super) by_request: HashMap<(Kind, String), u64>,
    pub(super) queue: VecDeque<Arc<Job>>,
    pub(super) running: Vec<Arc<Job>>,
    pub(super) next_id: HashMap<Kind, u64>,
    pub(super) is_stopping: bool,
}

impl State {
    pub(super) fn enter(&mut self, job: Arc<Job>) {
        let request_id = job.brief.request_id.clone();
        if !request_id.is_empty() {
            self.by_request.insert((job.kind, request_id), job.id);
        }
        self.all.entry(job.kind).or_default().insert(job.id, job);
    }

    pub(super) fn find(&self, kind: Kind, id: u64) -> Option<Arc<Job>> {
        self.all.get(&kind)?.get(&id).cloned()
    }

    pub(super) fn remove(&mut self, job: &Job) {
        if let Some(all) = self.all.get_mut(&job.kind) {
            all.remove(&job.id);
        }
        let key = (job.kind, job.brief.request_id.clone());
        if self.by_request.get(&key) == Some(&job.id) {
            self.by_request.remove(&key);
        }
        if let Err(error) = fs::remove_dir_all(&job.folder) {
            tracing::warn!(job = job.name(), %error, "the files of a job could not be removed");
        }
    }

    /// Removes the oldest jobs that have ended until few enough are left.
    pub(super) fn forget(&mut self, kind: Kind, most: usize) {
        let Some(all) = self.all.get(&kind) else { return };
        let n_too_many = all.len().saturating_sub(most);
        let over = all.values().filter(|job| job.snapshot().0.state.is_over());
        let old: Vec<Arc<Job>> = over.take(n_too_many).cloned().collect();
        old.iter().for_each(|job| self.remove(job));
    }
}

/// The jobs of a folder and the highest number.
pub(super) fn load(kind: Kind, folder: &Path) -> io::Result<(Vec<Job>, u64)> {
    let (mut jobs, mut highest) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(UNFINISHED) {
            fs::remove_dir_all(&path)?;
            continue;
        }
        let Ok(id) = name.parse::<u64>() else { continue };
        highest = highest.max(id);
        match Job::open(kind, id, &path) {
            Ok(job) => jobs.push(job),
            Err(error) => {
                tracing::warn!(folder = %path.display(), %error, "a job cannot be read; it is left alone")
            }
        }
    }
    Ok((jobs, highest))
}
