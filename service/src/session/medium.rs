//! Where the log lies: a folder of segments, or memory with faults in tests.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A place for segments, each named by the position of its first byte in the log.
pub trait Medium: Send + fmt::Debug {
    /// Begins a segment, in place of one of the same name.
    ///
    /// # Errors
    /// What the file system says.
    fn create(&mut self, start: u64) -> io::Result<Box<dyn Segment>>;

    /// The names of all segments, ascending.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self) -> io::Result<Vec<u64>>;

    /// The bytes of a segment.
    ///
    /// # Errors
    /// What the file system says.
    fn read(&self, start: u64) -> io::Result<Vec<u8>>;

    /// Takes a segment away.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&mut self, start: u64) -> io::Result<()>;
}

/// A segment that is being written.
pub trait Segment: Send + fmt::Debug {
    /// Appends bytes.
    ///
    /// # Errors
    /// What the file system says; any part of the bytes may then be there.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything that was written survives a loss of power.
    ///
    /// # Errors
    /// What the file system says; nothing is then known of what was written since the last sync.
    fn sync(&mut self) -> io::Result<()>;
}

/// Segments as files of a folder: `00000000000000000000.log`.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Folder {
    /// The folder at a path, made if it is not there, for this process alone.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::WouldBlock`] if another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::Error(error) => error,
            fs::TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another server uses this folder")
            }
        })?;
        Ok(Folder { path: path.to_path_buf(), _lock: lock })
    }

    fn file(&self, start: u64) -> PathBuf {
        self.path.join(format!("{start:020}.log"))
    }

    /// Names that come or go are safe once the folder is synced.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Medium for Folder {
    fn create(&mut self, start: u64) -> io::Result<Box<dyn Segment>> {
        let file = File::create(self.file(start))?;
        self.sync()?;
        Ok(Box::new(FileSegment(file)))
    }

    fn list(&self) -> io::Result<Vec<u64>> {
        let mut starts = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let start = name.to_str().and_then(|name| name.strip_suffix(".log"));
            starts.extend(
                start.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse::<u64>().ok()),
            );
        }
        starts.sort_unstable();
        Ok(starts)
    }

    fn read(&self, start: u64) -> io::Result<Vec<u8>> {
        fs::read(self.file(start))
    }

    fn remove(&mut self, start: u64) -> io::Result<()> {
        fs::remove_file(self.file(start))?;
        self.sync()
    }
}

#[derive(Debug)]
struct FileSegment(File);

impl Segment for FileSegment {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Segments in memory, with a disk that may be full, and a power that may be cut.
#[derive(Debug, Clone, Default)]
pub struct MemoryMedium {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    segments: BTreeMap<u64, Kept>,
    /// Bytes that may still be written; none for no limit.
    room: Option<usize>,
}

/// A segment in memory.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    n_synced: usize,
}

impl MemoryMedium {
    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many more bytes be written, then none; `None` lifts the limit.
    pub fn limit(&self, room: Option<usize>) {
        self.shared().room = room;
    }

    /// What is left after a loss of power now: of what was not synced, each segment keeps as many bytes as `kept` says
    /// of their number. The medium itself goes on.
    #[must_use]
    pub fn after_crash(&self, mut kept: impl FnMut(usize) -> usize) -> Self {
        let left = |(start, segment): (&u64, &Kept)| {
            let n_loose = segment.bytes.len() - segment.n_synced;
            let n_synced = segment.n_synced + kept(n_loose).min(n_loose);
            (*start, Kept { bytes: segment.bytes[..n_synced].to_vec(), n_synced })
        };
        let segments = self.shared().segments.iter().map(left).collect();
        MemoryMedium { shared: Arc::new(Mutex::new(Shared { segments, room: None })) }
    }

    /// Puts a segment there as it is.
    pub fn put(&self, start: u64, bytes: Vec<u8>) {
        let n_synced = bytes.len();
        self.shared().segments.insert(start, Kept { bytes, n_synced });
    }
}

impl Medium for MemoryMedium {
    fn create(&mut self, start: u64) -> io::Result<Box<dyn Segment>> {
        if self.shared().room == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.shared().segments.insert(start, Kept::default());
        Ok(Box::new(MemorySegment { medium: self.clone(), start }))
    }

    fn list(&self) -> io::Result<Vec<u64>> {
        Ok(self.shared().segments.keys().copied().collect())
    }

    fn read(&self, start: u64) -> io::Result<Vec<u8>> {
        let shared = self.shared();
        let segment = shared.segments.get(&start).ok_or(io::ErrorKind::NotFound)?;
        Ok(segment.bytes.clone())
    }

    fn remove(&mut self, start: u64) -> io::Result<()> {
        self.shared().segments.remove(&start).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[derive(Debug)]
struct MemorySegment {
    medium: MemoryMedium,
    start: u64,
}

impl Segment for MemorySegment {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut shared = self.medium.shared();
        let room = shared.room.unwrap_or(usize::MAX).min(bytes.len());
        if let Some(left) = &mut shared.room {
            *left -= room;
        }
        let segment = shared.segments.get_mut(&self.start).ok_or(io::ErrorKind::NotFound)?;
        segment.bytes.extend(&bytes[..room]);
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut shared = self.medium.shared();
        let segment = shared.segments.get_mut(&self.start).ok_or(io::ErrorKind::NotFound)?;
        segment.n_synced = segment.bytes.len();
        Ok(())
    }
}
