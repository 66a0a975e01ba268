//! Where jobs are kept.

use std::path::{Path, PathBuf};

/// The folder of jobs: below that of the server's data, or one of the process's own that goes with it.
#[derive(Debug)]
pub struct JobsFolder {
    path: PathBuf,
    is_own: bool,
}

impl JobsFolder {
    /// `data/jobs`; without data, a folder among the system's temporary ones.
    #[must_use]
    pub fn of(data: Option<&Path>) -> Self {
        match data {
            Some(data) => JobsFolder { path: data.join("jobs"), is_own: false },
            None => {
                // Several servers of one process, as in tests, have a folder each.
                static N_FOLDERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
                let at = N_FOLDERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let name = format!("longcast-jobs-{}-{at}", std::process::id());
                JobsFolder { path: std::env::temp_dir().join(name), is_own: true }
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for JobsFolder {
    fn drop(&mut self) {
        if self.is_own {
            // What is left lies among temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
