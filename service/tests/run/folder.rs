//! A folder that a test has for itself, below the target directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::program::{Run, command, finish};

/// An empty folder at first; removed at the end of a test that passes.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder; names differ between the tests of one crate.
    pub(crate) fn new(name: &str) -> Self {
        let unique = format!("{}-{name}-{}", env!("CARGO_CRATE_NAME"), std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs the program in this folder, with arguments that hold no spaces.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        finish(&mut command(self, arguments))
    }

    /// Every file below the folder with its bytes, and every folder.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut contents = BTreeMap::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let bytes = if path.is_dir() {
                    folders.push(path.clone());
                    None
                } else {
                    Some(fs::read(&path).unwrap())
                };
                contents.insert(path.strip_prefix(&self.path).unwrap().to_path_buf(), bytes);
            }
        }
        contents
    }

    /// The names of everything below the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.contents().keys().map(|path| path.display().to_string()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a failed test leaves is of use to whoever looks into it.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
