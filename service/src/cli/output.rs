//! Results to files, whole or not at all.

use std::path::Path;

use forecast::data::{Cells, Format, encode};

use super::console::Console;
use super::failure::Failure;

/// Writes a table to a file in the format of its extension, or to standard output.
pub(crate) fn table(
    columns: &[(String, Cells)],
    path: Option<&Path>,
    format: Option<&str>,
    console: &Console,
) -> Result<(), Failure> {
    let bytes = encode(columns, self::format(path, format)?)?;
    match path {
        Some(path) => file(path, &bytes, console),
        None => console.bytes(&bytes),
    }
}

/// The format that was asked for, checked before any work is done.
pub(crate) fn format(path: Option<&Path>, format: Option<&str>) -> Result<Format, Failure> {
    Ok(match (format, path) {
        (Some(format), _) => format.parse()?,
        (None, Some(path)) => Format::of_path(path)?,
        (None, None) => Format::Csv,
    })
}

/// Writes a file and says so.
pub(crate) fn file(path: &Path, bytes: &[u8], console: &Console) -> Result<(), Failure> {
    forecast::write_atomically(path, bytes)?;
    if !console.is_json() {
        console.note(format!("wrote {}", path.display()));
    }
    Ok(())
}
