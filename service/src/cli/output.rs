//! Results to files: checked before the work begins, written all or none.

use std::path::Path;

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
