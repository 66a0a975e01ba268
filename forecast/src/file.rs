//! Files that are there whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// Tells apart the temporary files of one process.
static N_WRITES: AtomicU64 = AtomicU64::new(0);
/// Temporary files of writes under way, so that an interrupted program can take them away.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Writes `bytes` to `path` so that a reader sees the old file or the new one, never a part.
///
/// The bytes go to a temporary file in the same folder, are synced, and the file is renamed.
///
/// # Errors
/// [`Error::Io`] if the folder is missing, not writable or full; nothing stays behind.
///
/// # Example
/// ```
/// let path = std::env::temp_dir().join("longcast-doc-write.txt");
/// forecast::write_atomically(&path, b"whole")?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"whole");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), forecast::Error>(())
/// ```
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    write_all_atomically(&[(path.as_ref(), bytes)])
}

/// Writes several files: none is put in place before all are written and synced under temporary names.
///
/// # Errors
/// As [`write_atomically`], with the first path that cannot be written.
pub fn write_all_atomically(files: &[(&Path, &[u8])]) -> Result<()> {
    let temporaries: Vec<PathBuf> = files.iter().map(|(path, _)| temporary_name(path)).collect();
    unfinished(|set| set.extend(temporaries.iter().cloned()));
    let written = write_and_rename(files, &temporaries);
    for temporary in &temporaries {
        if written.is_err() {
            // Best effort: the error that matters is the one of the write.
            let _ = fs::remove_file(temporary);
        }
        unfinished(|set| set.remove(temporary));
    }
    written
}

fn write_and_rename(files: &[(&Path, &[u8])], temporaries: &[PathBuf]) -> Result<()> {
    for ((path, bytes), temporary) in files.iter().zip(temporaries) {
        if path.is_dir() {
            return Err(cannot_write(path, io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        write_synced(temporary, bytes).map_err(|source| cannot_write(path, source))?;
    }
    for ((path, _), temporary) in files.iter().zip(temporaries) {
        fs::rename(temporary, path).map_err(|source| cannot_write(path, source))?;
    }
    Ok(())
}

/// A file that is written piece by piece under a temporary name; dropped before [`StreamedFile::finish`], it
/// leaves nothing behind.
#[derive(Debug)]
pub(crate) struct StreamedFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl StreamedFile {
    /// Begins to write `path`, under a temporary name beside it.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder is missing or not writable, or if `path` is a folder.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        Self::create_at(temporary_name(path), path)
    }

    /// Begins to write `path`, under a name of the same file system.
    ///
    /// # Errors
    /// As [`StreamedFile::create`].
    pub(crate) fn create_at(temporary: PathBuf, path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(cannot_write(path, io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        unfinished(|set| set.insert(temporary.clone()));
        match File::create(&temporary) {
            Ok(file) => Ok(StreamedFile { file, temporary, path: path.to_path_buf() }),
            Err(source) => {
                unfinished(|set| set.remove(&temporary));
                Err(cannot_write(path, source))
            }
        }
    }

    /// Where the file will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle that writes where the last one stopped.
    ///
    /// # Errors
    /// [`Error::Io`] if the process has no handle left.
    pub(crate) fn handle(&self) -> Result<File> {
        self.file.try_clone().map_err(|source| cannot_write(&self.path, source))
    }

    /// Puts the file in place.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be synced or renamed; nothing stays behind.
    pub(crate) fn finish(self) -> Result<()> {
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .map_err(|source| cannot_write(&self.path, source))
    }
}

impl Drop for StreamedFile {
    fn drop(&mut self) {
        // Best effort; after a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.temporary);
        unfinished(|set| set.remove(&self.temporary));
    }
}

/// Removes the temporary files of writes that are under way, for a program about to be ended by a signal.
pub fn remove_unfinished_files() {
    unfinished(|set| {
        for path in set.iter() {
            // Best effort: the program is ending.
            let _ = fs::remove_file(path);
        }
    });
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let fail = |source| Error::Io { action: "cannot read", path: path.to_path_buf(), source };
    if path.is_dir() {
        return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    fs::read(path).map_err(fail)
}

/// The error of a file that cannot be written.
pub(crate) fn cannot_write(path: &Path, source: io::Error) -> Error {
    Error::Io { action: "cannot write", path: path.to_path_buf(), source }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = N_WRITES.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}.partial", std::process::id()))
}

fn unfinished<T>(change: impl FnOnce(&mut BTreeSet<PathBuf>) -> T) -> T {
    // The set stays sound whatever panicked while it was held.
    change(&mut UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_leaves_nothing_and_names_the_path() {
        let folder = std::env::temp_dir().join(format!("longcast-file-{}", std::process::id()));
        fs::create_dir_all(folder.join("taken")).unwrap();
        let error = write_atomically(folder.join("taken"), b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && error.contains("taken"), "{error}");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_streamed_file_is_there_whole_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("longcast-streamed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.csv");
        for is_finished in [false, true] {
            let streamed = StreamedFile::create(&path).unwrap();
            for piece in ["one", "two"] {
                streamed.handle().unwrap().write_all(piece.as_bytes()).unwrap();
            }
            assert!(!path.exists());
            if is_finished {
                streamed.finish().unwrap();
            } else {
                drop(streamed);
            }
            assert_eq!(fs::read_dir(&folder).unwrap().count(), usize::from(is_finished));
        }
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn write_into_a_missing_folder_is_a_user_error() {
        let error = write_atomically("no-such-folder/x.csv", b"x").unwrap_err();
        assert!(error.is_user_error());
        assert!(error.to_string().contains("check the path"), "{error}");
    }
}
