//! Results to files: checked before the work begins, written all or none.

use std::path::{Path, PathBuf};

use forecast::data::{Cells, Format, encode};

use super::console::Console;
use super::failure::Failure;

/// The files of one run.
#[derive(Debug, Default)]
pub(crate) struct Outputs<'a> {
    files: Vec<(&'a Path, Vec<u8>)>,
}

impl<'a> Outputs<'a> {
    /// Adds a file.
    pub(crate) fn add(&mut self, path: &'a Path, bytes: Vec<u8>) {
        self.files.push((path, bytes));
    }

    /// Adds a table in a format.
    pub(crate) fn add_table(
        &mut self,
        path: &'a Path,
        columns: &[(String, Cells)],
        format: Option<&str>,
    ) -> Result<(), Failure> {
        self.add(path, encode(columns, self::format(Some(path), format)?)?);
        Ok(())
    }

    /// Writes all files or none, and says so.
    pub(crate) fn write(self, console: &Console) -> Result<(), Failure> {
        let files: Vec<(&Path, &[u8])> =
            self.files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
        forecast::write_all_atomically(&files)?;
        for (path, _) in files {
            console.wrote(path);
        }
        Ok(())
    }
}

/// Writes one file and says so.
pub(crate) fn file(path: &Path, bytes: Vec<u8>, console: &Console) -> Result<(), Failure> {
    let mut outputs = Outputs::default();
    outputs.add(path, bytes);
    outputs.write(console)
}

/// The format that was asked for.
pub(crate) fn format(path: Option<&Path>, format: Option<&str>) -> Result<Format, Failure> {
    Ok(match (format, path) {
        (Some(format), _) => format.parse()?,
        (None, Some(path)) => Format::of_path(path)?,
        (None, None) => Format::Csv,
    })
}

/// Refuses a path that could not be written in the end.
pub(crate) fn check(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let refuse = |reason: &str| Err(Failure::User(format!("cannot write \"{}\": {reason}", path.display())));
    if path.as_os_str() == "-" {
        return refuse("this result goes to a file; name one");
    }
    if path.is_dir() {
        return refuse("it is a folder; name a file in it");
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            refuse(&format!("there is no folder \"{}\"; make it first", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The same for a table, whose format has to be known too.
pub(crate) fn check_table(path: Option<&Path>, format: Option<&str>) -> Result<(), Failure> {
    self::format(path, format)?;
    check(path)
}

/// The same for a chart.
pub(crate) fn check_chart(path: Option<&Path>) -> Result<(), Failure> {
    match path.map(|path| (path, path.extension().unwrap_or_default().to_ascii_lowercase())) {
        Some((path, extension)) if extension != "png" => Err(Failure::option(
            "the chart",
            format!("\"{}\"", path.display()),
            "charts are PNG; name it x.png",
        )),
        _ => check(path),
    }
}

/// Refuses to write over a file that is read, or two results to one file.
pub(crate) fn check_apart(inputs: &[&Path], outputs: &[Option<&Path>]) -> Result<(), Failure> {
    let mut taken: Vec<PathBuf> = inputs.iter().map(|path| real_path(path)).collect();
    for path in outputs.iter().flatten() {
        let real = real_path(path);
        if taken.contains(&real) {
            let reason = "it is read or written by this run already; choose another name";
            return Err(Failure::User(format!("cannot write \"{}\": {reason}", path.display())));
        }
        taken.push(real);
    }
    Ok(())
}

/// A path that two names of one file share, also for a file that is not there yet.
fn real_path(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    path.canonicalize()
        .or_else(|_| folder.canonicalize().map(|folder| folder.join(path.file_name().unwrap_or_default())))
        .unwrap_or_else(|_| path.to_path_buf())
}
