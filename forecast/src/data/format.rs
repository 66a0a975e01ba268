//! The file formats, and which one a name stands for.

use std::path::Path;

use crate::{Error, Result};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text, one row a line.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (Feather 2).
    Arrow,
    /// A JSON array with one object a row; written only.
    Json,
}

impl Format {
    const KNOWN: &'static str = "csv, tsv, parquet, arrow, feather, ipc or (for output) json";

    /// The format that the extension of a path names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] lists the known ones.
    pub fn of_path(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        extension.parse().map_err(|_: Error| Error::UnknownFormat {
            input: path.display().to_string(),
            known: Self::KNOWN,
        })
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "csv" | "tsv" | "txt" => Ok(Format::Csv),
            "parquet" | "pq" => Ok(Format::Parquet),
            "arrow" | "feather" | "ipc" => Ok(Format::Arrow),
            "json" => Ok(Format::Json),
            _ => Err(Error::UnknownFormat { input: name.to_string(), known: Self::KNOWN }),
        }
    }
}
