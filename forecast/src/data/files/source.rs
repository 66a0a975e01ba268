//! Where rows come from: one file, several by a pattern, a folder of partitions, or bytes.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::format::{Format, GZIP};
use crate::{Error, Result};

/// A folder may hold this many files, at this depth.
const MOST_FILES: usize = 100_000;
const DEEPEST: usize = 16;
/// What is unpacked into memory at once is not larger; text is unpacked piece by piece.
const MOST_UNPACKED: u64 = 4 << 30;
/// Files are unpacked this often: some are gzipped twice.
const MOST_LAYERS: usize = 3;

/// One file, or bytes that stand for one.
#[derive(Debug)]
pub(in crate::data) struct Piece<'a> {
    /// What to call it in messages.
    pub(in crate::data) name: String,
    pub(in crate::data) format: Format,
    /// `key=value` parts of its path below the folder that was given (Hive's layout): columns with one value.
    pub(in crate::data) partition: Vec<(String, String)>,
    place: Place<'a>,
    /// How much of the file was read, as it stands on disk.
    n_read: Arc<AtomicU64>,
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    n_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.n_read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[derive(Debug)]
enum Place<'a> {
    File(PathBuf),
    Bytes(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// Bytes, gzipped or not; the format is told from them if it is not given.
    pub(in crate::data) fn of_bytes(bytes: &'a [u8], name: &str, format: Option<Format>) -> Self {
        let format = format.unwrap_or_else(|| {
            let mut head = Vec::new();
            // What cannot be unpacked is reported when it is read.
            let _ = unpacked(Cursor::new(bytes)).and_then(|reader| reader.take(64).read_to_end(&mut head));
            Format::of_bytes(&head)
        });
        let (name, partition, n_read) = (name.to_string(), Vec::new(), Arc::default());
        Piece { name, format, partition, place: Place::Bytes(bytes), n_read }
    }

    /// How large the file is, packed or not; `None` for bytes.
    pub(in crate::data) fn n_bytes(&self) -> Option<u64> {
        match &self.place {
            Place::File(path) => Some(fs::metadata(path).ok()?.len()),
            Place::Bytes(_) => None,
        }
    }

    /// Counts what readers take from now on.
    pub(in crate::data) fn count_in(&mut self, n_read: &Arc<AtomicU64>) {
        self.n_read = Arc::clone(n_read);
    }

    /// A reader over the contents, unpacked if they are gzipped.
    pub(in crate::data) fn reader(&self) -> Result<Box<dyn Read + Send + 'a>> {
        match &self.place {
            Place::Bytes(bytes) => unpacked(Cursor::new(*bytes)),
            Place::File(path) => {
                open(path).and_then(|file| unpacked(Counted { file, n_read: Arc::clone(&self.n_read) }))
            }
        }
        .map_err(|source| self.unreadable(source))
    }

    /// The whole contents, unpacked.
    pub(in crate::data) fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = self.reader()?.take(MOST_UNPACKED + 1);
        reader.read_to_end(&mut bytes).map_err(|source| self.unreadable(source))?;
        if bytes.len() as u64 > MOST_UNPACKED {
            let reason = "it holds more than 4 GiB; write it as Parquet, which is read in parts";
            return Err(self.unreadable(io::Error::new(io::ErrorKind::FileTooLarge, reason)));
        }
        Ok(bytes)
    }

    /// The file itself, for formats that are read from their end; `None` for bytes, and for what has to be unpacked.
    pub(in crate::data) fn file(&self) -> Option<Result<File>> {
        let Place::File(path) = &self.place else { return None };
        let plain = open(path).and_then(|mut file| {
            let mut head = [0; GZIP.len()];
            let is_gzip = file.read(&mut head)? == GZIP.len() && head == GZIP;
            file.rewind()?;
            Ok((!is_gzip).then_some(file))
        });
        plain.map_err(|source| self.unreadable(source)).transpose()
    }

    /// What the operating system or the unpacker said.
    pub(in crate::data) fn unreadable(&self, source: io::Error) -> Error {
        // The unpacker reports damage as invalid input or as an early end.
        if matches!(
            source.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ) {
            let reason = format!("it is damaged or cut off ({source})");
            return Error::Unreadable { input: self.name.clone(), format: "gzip", reason };
        }
        Error::Io { action: "cannot read", path: PathBuf::from(&self.name), source }
    }
}

/// The files that a path stands for: itself, all that match it as a pattern, or all below it as a folder, in
/// the order of their names.
///
/// # Errors
/// [`Error::Io`] if there is no such file, [`Error::UnknownFormat`] if its name and contents tell no format,
/// [`Error::NoFiles`] or [`Error::BadOption`] if a folder or a pattern holds no file of a known format.
pub(in crate::data) fn pieces(path: &Path, format: Option<Format>) -> Result<Vec<Piece<'static>>> {
    let is_pattern = path.to_string_lossy().contains(['*', '?', '[']) && !path.exists();
    if is_pattern {
        return matching(path, format);
    }
    if path.is_dir() {
        let mut files = Vec::new();
        walk(path, DEEPEST, &mut files)?;
        files.sort();
        let files: Vec<_> = files.into_iter().filter(|file| Format::of_path(file).is_ok()).collect();
        if files.is_empty() {
            return Err(Error::NoFiles { path: path.to_path_buf() });
        }
        return files.iter().map(|file| piece(file, Some(path), format)).collect();
    }
    Ok(vec![piece(path, None, format)?])
}

fn matching(pattern: &Path, format: Option<Format>) -> Result<Vec<Piece<'static>>> {
    let bad = |rule: String| Error::option("the input", pattern.display(), rule);
    let paths = glob::glob(&pattern.to_string_lossy()).map_err(|error| bad(error.to_string()))?;
    // What stands before the first wildcard is the folder that partitions are told below.
    let fixed =
        pattern.components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']));
    let root: PathBuf = fixed.collect();
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Error::Io {
            action: "cannot read",
            path: error.path().to_path_buf(),
            source: io::Error::from(error.error().kind()),
        })?;
        if path.is_file() {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(bad(format!("it matches more than {MOST_FILES} files")));
        }
    }
    if files.is_empty() {
        return Err(bad("it matches no file; quote the pattern, and check the path".to_string()));
    }
    files.sort();
    files.iter().map(|file| piece(file, Some(&root), format)).collect()
}

fn piece(path: &Path, root: Option<&Path>, format: Option<Format>) -> Result<Piece<'static>> {
    let format = match (format, Format::of_path(path)) {
        (Some(format), _) | (None, Ok(format)) => format,
        (None, Err(unknown)) => told_by_contents(path)?.ok_or(unknown)?,
    };
    if path.is_dir() {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
        return Err(Error::Io { action: "cannot read", path: path.to_path_buf(), source });
    }
    let below = root.and_then(|root| path.strip_prefix(root).ok()).and_then(Path::parent);
    let partition = below.into_iter().flat_map(Path::components).filter_map(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.split_once('=').map(|(key, value)| (key.to_string(), value.to_string()))
    });
    Ok(Piece {
        name: path.display().to_string(),
        format,
        partition: partition.collect(),
        place: Place::File(path.to_path_buf()),
        n_read: Arc::default(),
    })
}

/// The format of a file without a telling name: only one that its first bytes prove.
fn told_by_contents(path: &Path) -> Result<Option<Format>> {
    let fail = |source| Error::Io { action: "cannot read", path: path.to_path_buf(), source };
    let mut head = Vec::new();
    let reader = open(path).and_then(unpacked).map_err(fail)?;
    reader.take(64).read_to_end(&mut head).map_err(fail)?;
    Ok(Some(Format::of_bytes(&head)).filter(|format| *format != Format::Csv))
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |source| Error::Io { action: "cannot read", path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        if is_hidden {
            continue;
        }
        if path.is_dir() && depth > 0 {
            walk(&path, depth - 1, files)?;
        } else if path.is_file() {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            let rule = format!("the folder holds more than {MOST_FILES} files");
            return Err(Error::option("the input", folder.display(), rule));
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    File::open(path)
}

/// A reader that unpacks what begins like gzip, members one after the other included.
fn unpacked<'a>(reader: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut reader: Box<dyn Read + Send + 'a> = Box::new(reader);
    for _ in 0..MOST_LAYERS {
        let mut head = Vec::with_capacity(GZIP.len());
        reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
        let is_gzip = head == GZIP;
        let whole = Cursor::new(head).chain(reader);
        if !is_gzip {
            return Ok(Box::new(whole));
        }
        reader = Box::new(MultiGzDecoder::new(BufReader::new(whole)));
    }
    Ok(reader)
}
