//! The file formats, and which one a name or the first bytes of a file stand for.

use std::path::Path;

use crate::{Error, Result};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text, one row a line; the separator is told from the header.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (Feather 2).
    Arrow,
    /// Arrow IPC stream, for pipes.
    ArrowStream,
    /// JSON lines: one object a row.
    NdJson,
    /// A JSON array with one object a row.
    Json,
}

/// The first bytes of a gzipped file.
pub(in crate::data) const GZIP: [u8; 2] = [0x1f, 0x8b];

impl Format {
    const KNOWN: &'static str = "csv, tsv, parquet, arrow, feather, ipc, arrows, ndjson or json";

    /// The format that the extension of a path names; that of `x.csv.gz` is CSV.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`] lists the known ones.
    ///
    /// # Example
    /// ```
    /// use forecast::data::Format;
    /// assert_eq!(Format::of_path("load.csv.gz".as_ref())?, Format::Csv);
    /// assert!(Format::of_path("load.xlsx".as_ref()).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn of_path(path: &Path) -> Result<Self> {
        let lower = path.to_string_lossy().to_lowercase();
        let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
        let extension = Path::new(plain).extension().unwrap_or_default().to_string_lossy();
        extension.parse().map_err(|_: Error| Error::UnknownFormat {
            input: path.display().to_string(),
            known: Self::KNOWN,
        })
    }

    /// What to call it in messages.
    pub(in crate::data) fn name(self) -> &'static str {
        match self {
            Format::Csv => "CSV",
            Format::Parquet => "Parquet",
            Format::Arrow => "Arrow IPC",
            Format::ArrowStream => "Arrow IPC stream",
            Format::NdJson | Format::Json => "JSON",
        }
    }

    /// The format that the first bytes of a file (not gzipped) show, CSV if they show no other.
    pub(in crate::data) fn of_bytes(head: &[u8]) -> Self {
        let text = head.trim_ascii_start();
        match head {
            _ if head.starts_with(b"PAR1") => Format::Parquet,
            _ if head.starts_with(b"ARROW1") => Format::Arrow,
            // The continuation marker of an encapsulated message.
            _ if head.starts_with(&[0xff; 4]) => Format::ArrowStream,
            _ if text.starts_with(b"{") => Format::NdJson,
            _ if text.starts_with(b"[") => Format::Json,
            _ => Format::Csv,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "csv" | "tsv" | "txt" => Ok(Format::Csv),
            "parquet" | "pq" => Ok(Format::Parquet),
            "arrow" | "feather" | "ipc" => Ok(Format::Arrow),
            "arrows" | "arrow-stream" => Ok(Format::ArrowStream),
            "ndjson" | "jsonl" => Ok(Format::NdJson),
            "json" => Ok(Format::Json),
            _ => Err(Error::UnknownFormat { input: name.to_string(), known: Self::KNOWN }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        for (head, format) in [
            (&b"PAR1...."[..], Format::Parquet),
            (b"ARROW1\0\0", Format::Arrow),
            (b"\xff\xff\xff\xff\x10", Format::ArrowStream),
            (b"\n {\"ds\": 1}", Format::NdJson),
            (b"[{\"ds\": 1}]", Format::Json),
            (b"ds,y\n", Format::Csv),
            (b"", Format::Csv),
        ] {
            assert_eq!(Format::of_bytes(head), format, "{head:?}");
        }
    }
}
