//! Text files before they are parsed: encoding, separator, and lines that have too few or too many cells.

use crate::{Error, Result};

/// Cells that mean "missing" in text files.
const MISSING: [&str; 10] = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"];

/// The text of a cell, unless it means "missing".
pub(super) fn present(cell: Option<&str>) -> Option<&str> {
    cell.map(str::trim).filter(|cell| !MISSING.contains(cell))
}

/// A file without the blank lines at its end, which are no rows.
pub(super) fn without_blank_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    &bytes[..end]
}

/// The separator that the header uses most.
pub(super) fn separator(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Refuses bytes that are not UTF-8, with their line.
pub(super) fn check_utf8(bytes: &[u8], input: &str) -> Result<()> {
    let Err(error) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let at = error.valid_up_to();
    Err(Error::NotUtf8 {
        input: input.to_string(),
        line: 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count(),
        byte: bytes[at],
    })
}

/// Every line has to have as many cells as the header. Files with quotes are left to the reader.
pub(super) fn check_cells(bytes: &[u8], input: &str, separator: u8) -> Result<()> {
    if bytes.contains(&b'"') {
        return Ok(());
    }
    let count = |line: &[u8]| 1 + line.iter().filter(|byte| **byte == separator).count();
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let expected = count(header);
    let ragged = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .enumerate()
        .skip(1)
        .find(|(_, line)| !line.is_empty() && count(line) != expected);
    match ragged {
        Some((row, line)) => {
            Err(Error::RaggedRow { input: input.to_string(), row, found: count(line), expected })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_that_the_header_uses_most() {
        assert_eq!(separator(b"ds,y\n1;2,3"), b',');
        assert_eq!(separator(b"ds;a;y (kW, mean)\n"), b';');
        assert_eq!(separator(b"ds\ty\n"), b'\t');
    }

    #[test]
    fn lines_are_counted_from_the_first_row_of_data() {
        let message = check_cells(b"ds,y\r\n1,2\r\n3\r\n", "t.csv", b',').unwrap_err().to_string();
        assert!(message.starts_with("\"t.csv\", row 2 has 1 cells, but the header has 2"), "{message}");
        assert!(check_cells(b"ds,y\n1,\n\n2,3", "t.csv", b',').is_ok());
        assert!(check_cells(b"ds,y\n1,\"a,b\"", "t.csv", b',').is_ok());
    }

    #[test]
    fn missing_cells_are_told_by_their_text() {
        assert_eq!(present(Some(" 1.5 ")), Some("1.5"));
        for cell in [None, Some(""), Some(" NA "), Some("null"), Some("?")] {
            assert_eq!(present(cell), None);
        }
    }
}
