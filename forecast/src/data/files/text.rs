//! Text files before they are parsed: pieces of whole lines, the separator, cells that mean "missing".

use std::io::{self, Read};

/// Cells that mean "missing" in text files.
pub(in crate::data) const MISSING: [&str; 10] =
    ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"];
/// No line is longer.
const LONGEST_LINE: usize = 64 << 20;
/// What may stand between cells; of those that a header has equally often, the last.
const SEPARATORS: [u8; 3] = [b'\t', b';', b','];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a cell, unless it means "missing".
pub(in crate::data) fn present(cell: Option<&str>) -> Option<&str> {
    cell.map(str::trim).filter(|cell| !MISSING.contains(cell))
}

/// True for a number that is written as `1,5`.
pub(in crate::data) fn has_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f64>().is_ok()
}

/// Cuts what a reader gives into pieces of whole lines, in memory that does not grow with the file.
pub(in crate::data) struct LineChunks<'a> {
    reader: Box<dyn Read + Send + 'a>,
    /// What was read and not handed out.
    rest: Vec<u8>,
    is_first: bool,
    is_over: bool,
    quotes: Quotes,
    /// Bytes that are handed out at a time, about.
    size: usize,
}

/// Whether a line end may stand inside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Quotes {
    /// In cells between these separators; told from the header if `None`.
    Csv(Option<u8>),
    None,
}

impl std::fmt::Debug for LineChunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineChunks").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}

impl<'a> LineChunks<'a> {
    pub(in crate::data) fn new(reader: Box<dyn Read + Send + 'a>, quotes: Quotes, size: usize) -> Self {
        LineChunks { reader, rest: Vec::new(), is_first: true, is_over: false, quotes, size }
    }

    /// What stands between the cells of CSV, once lines were read.
    pub(in crate::data) fn separator(&self) -> Option<u8> {
        match self.quotes {
            Quotes::Csv(separator) => separator,
            Quotes::None => None,
        }
    }

    /// The next lines, `None` at the end; blank lines at the end of the file are no lines.
    ///
    /// # Errors
    /// What the reader says, and a file too large for a line of over 64 MiB.
    pub(in crate::data) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = std::mem::take(&mut self.rest);
        let mut wanted = self.size;
        loop {
            let missing = wanted.saturating_sub(buffer.len());
            if !self.is_over {
                buffer.reserve_exact(missing);
                let n = self.reader.by_ref().take(missing as u64).read_to_end(&mut buffer)?;
                self.is_over = n < missing;
            }
            if self.is_first {
                let mark = usize::from(buffer.starts_with(BYTE_ORDER_MARK)) * BYTE_ORDER_MARK.len();
                let blank = buffer[mark..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
                let skipped = mark + blank.count();
                buffer.drain(..skipped);
                self.is_first = false;
                if skipped > 0 {
                    continue;
                }
            }
            if self.quotes == Quotes::Csv(None) {
                self.quotes = Quotes::Csv(Some(separator(&buffer[..first_line_end(&buffer)])));
            }
            if self.is_over {
                let end = buffer.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
                buffer.truncate(end.map_or(0, |at| at + 1));
                return Ok((!buffer.is_empty()).then_some(buffer));
            }
            if let Some(end) = last_line_end(&buffer, self.quotes) {
                self.rest = buffer.split_off(end);
                return Ok(Some(buffer));
            }
            if buffer.len() >= LONGEST_LINE {
                let reason = "a line is longer than 64 MiB, or a quote is opened and never closed";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
            }
            wanted = 2 * buffer.len();
        }
    }
}

/// Where the last whole line ends, its line feed included.
fn last_line_end(bytes: &[u8], quotes: Quotes) -> Option<usize> {
    match quotes {
        Quotes::Csv(Some(separator)) if memchr::memchr(b'"', bytes).is_some() => {
            cell_ends(bytes, &[separator]).filter(|at| bytes[*at] == b'\n').last()
        }
        _ => memchr::memrchr(b'\n', bytes),
    }
    .map(|at| at + 1)
}

/// Where the first line ends, its line feed included; the whole if it has none.
pub(in crate::data) fn first_line_end(bytes: &[u8]) -> usize {
    cell_ends(bytes, &SEPARATORS).find(|at| bytes[*at] == b'\n').map_or(bytes.len(), |at| at + 1)
}

/// Where cells end: at separators and line feeds outside of quotes. A quote counts where a cell begins with it; in one
/// that is never closed, nothing ends.
pub(in crate::data) fn cell_ends<'a>(
    bytes: &'a [u8],
    separators: &'a [u8],
) -> impl Iterator<Item = usize> + 'a {
    let mut start = 0;
    std::iter::from_fn(move || {
        let cell = &bytes[start..];
        let quoted = if cell.first() == Some(&b'"') { quoted_len(cell)? } else { 0 };
        let rest = &cell[quoted..];
        let end = match *separators {
            [separator] => memchr::memchr2(separator, b'\n', rest),
            _ => rest.iter().position(|byte| *byte == b'\n' || separators.contains(byte)),
        };
        let end = start + quoted + end?;
        start = end + 1;
        Some(end)
    })
}

/// Bytes of the quoted text that these begin with, both quotes included; `None` if it is never closed.
pub(in crate::data) fn quoted_len(bytes: &[u8]) -> Option<usize> {
    let mut quotes = memchr::memchr_iter(b'"', bytes).skip(1).peekable();
    while let Some(at) = quotes.next() {
        // Two in a row stand for one.
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// The separator that the header uses most.
fn separator(header: &[u8]) -> u8 {
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    SEPARATORS.into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_that_the_header_uses_most() {
        assert_eq!(separator(b"ds,y"), b',');
        assert_eq!(separator(b"ds;a;y (kW, mean)"), b';');
        assert_eq!(separator(b"ds\ty"), b'\t');
    }

    #[test]
    fn missing_cells_are_told_by_their_text() {
        assert_eq!(present(Some(" 1.5 ")), Some("1.5"));
        for cell in [None, Some(""), Some(" NA "), Some("null"), Some("?")] {
            assert_eq!(present(cell), None);
        }
    }

    #[test]
    fn chunks_end_at_line_ends_outside_quotes_and_lose_nothing() {
        let line = "2024-01-01,\"two\nlines\",1.5\n";
        let text = format!("\u{feff}\n{}\n\n", line.repeat(2000));
        let mut chunks = LineChunks::new(Box::new(text.as_bytes()), Quotes::Csv(None), 10_000);
        let mut joined = Vec::new();
        let mut n_chunks = 0;
        while let Some(chunk) = chunks.next().unwrap() {
            assert!(chunk.starts_with(b"2024"));
            joined.extend_from_slice(&chunk);
            n_chunks += 1;
        }
        assert!(n_chunks >= 2);
        assert_eq!(joined, text.trim_start_matches('\u{feff}').trim_matches('\n').as_bytes());
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_before_memory_runs_out() {
        let text = "a,b\n\"1".to_string() + &"1,2\n".repeat(LONGEST_LINE / 2);
        let mut chunks = LineChunks::new(Box::new(text.as_bytes()), Quotes::Csv(None), 1 << 20);
        assert_eq!(chunks.next().unwrap().unwrap(), b"a,b\n");
        assert!(chunks.next().unwrap_err().to_string().contains("never closed"));
    }
}
