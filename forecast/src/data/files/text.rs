//! Text files before they are parsed: pieces of whole lines, encoding, separator, ragged rows.

use std::io::{self, Read};

use rayon::prelude::*;

use crate::{Error, Result};

/// Cells that mean "missing" in text files.
pub(in crate::data) const MISSING: [&str; 10] =
    ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"];
/// No line is longer.
const LONGEST_LINE: usize = 64 << 20;
/// Bytes that one thread checks at a time.
const SHARE: usize = 1 << 20;
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
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out.
    used: usize,
    is_first: bool,
    is_over: bool,
    quotes: Quotes,
    /// Bytes that are handed out at a time, about.
    size: usize,
}

/// Whether a line end may stand inside quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Quotes {
    Csv,
    None,
}

impl std::fmt::Debug for LineChunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineChunks").field("used", &self.used).finish_non_exhaustive()
    }
}

impl<'a> LineChunks<'a> {
    pub(in crate::data) fn new(reader: Box<dyn Read + Send + 'a>, quotes: Quotes, size: usize) -> Self {
        LineChunks { reader, buffer: Vec::new(), used: 0, is_first: true, is_over: false, quotes, size }
    }

    /// The next lines, `None` at the end; blank lines at the end of the file are no lines.
    ///
    /// # Errors
    /// What the reader says, and a file too large for a line of over 64 MiB.
    pub(in crate::data) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut wanted = self.size;
        loop {
            let missing = wanted.saturating_sub(self.buffer.len());
            if !self.is_over {
                let n = self.reader.by_ref().take(missing as u64).read_to_end(&mut self.buffer)?;
                self.is_over = n < missing;
            }
            if self.is_first {
                let mark = usize::from(self.buffer.starts_with(BYTE_ORDER_MARK)) * BYTE_ORDER_MARK.len();
                let blank = self.buffer[mark..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
                let skipped = mark + blank.count();
                self.buffer.drain(..skipped);
                self.is_first = false;
                if skipped > 0 {
                    continue;
                }
            }
            if self.is_over {
                let end = self.buffer.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
                self.used = end.map_or(0, |at| at + 1);
                return Ok((self.used > 0).then(|| &self.buffer[..self.used]));
            }
            if let Some(end) = last_line_end(&self.buffer, self.quotes) {
                self.used = end;
                return Ok(Some(&self.buffer[..end]));
            }
            if self.buffer.len() >= LONGEST_LINE {
                let reason = "a line is longer than 64 MiB, or a quote is opened and never closed";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
            }
            wanted = 2 * self.buffer.len();
        }
    }
}

/// Where the last whole line ends, its line feed included.
fn last_line_end(bytes: &[u8], quotes: Quotes) -> Option<usize> {
    if quotes == Quotes::None || memchr::memchr(b'"', bytes).is_none() {
        return memchr::memrchr(b'\n', bytes).map(|at| at + 1);
    }
    line_ends_outside_quotes(bytes).last()
}

/// Where the first line ends, its line feed included; the whole if it has none.
pub(in crate::data) fn first_line_end(bytes: &[u8]) -> usize {
    line_ends_outside_quotes(bytes).next().unwrap_or(bytes.len())
}

fn line_ends_outside_quotes(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut is_quoted = false;
    memchr::memchr2_iter(b'"', b'\n', bytes).filter_map(move |at| {
        if bytes[at] == b'"' {
            is_quoted = !is_quoted;
            return None;
        }
        (!is_quoted).then_some(at + 1)
    })
}

/// The separator that the header uses most.
pub(in crate::data) fn separator(header: &[u8]) -> u8 {
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Refuses bytes that are not UTF-8, with their line; `first_line` is the number of the first one.
pub(in crate::data) fn check_utf8(bytes: &[u8], input: &str, first_line: usize) -> Result<()> {
    let Err(error) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let at = error.valid_up_to();
    Err(Error::NotUtf8 {
        input: input.to_string(),
        line: first_line + memchr::memchr_iter(b'\n', &bytes[..at]).count(),
        byte: bytes[at],
    })
}

/// The number of lines that are not blank, of which every one has to have as many cells as the header; `first_row`
/// is the number of the first line.
pub(in crate::data) fn check_cells(
    bytes: &[u8],
    input: &str,
    separator: u8,
    expected: usize,
    first_row: usize,
) -> Result<usize> {
    if memchr::memchr(b'"', bytes).is_some() {
        return check_quoted_cells(bytes, input, separator, expected, first_row);
    }
    let shares = shares(bytes);
    let n_lines = |share: &&[u8]| {
        lines(share).try_fold(0, |n, line| match cells_of(line, separator) {
            0 => Some(n),
            found => (found == expected).then_some(n + 1),
        })
    };
    if let Some(n) = shares.par_iter().map(n_lines).try_reduce(|| 0, |a, b| Some(a + b)) {
        return Ok(n);
    }
    let cells = lines(bytes).map(|line| cells_of(line, separator)).filter(|found| *found > 0);
    let ragged = cells.enumerate().find(|(_, found)| *found != expected);
    ragged.map_or(Ok(0), |(row, found)| {
        Err(Error::RaggedRow { input: input.to_string(), row: first_row + row, found, expected })
    })
}

/// The same where cells may be quoted and hold separators and line ends.
fn check_quoted_cells(
    bytes: &[u8],
    input: &str,
    separator: u8,
    expected: usize,
    first_row: usize,
) -> Result<usize> {
    let mut rest = bytes;
    let mut row = first_row;
    while !rest.is_empty() {
        let is_blank = rest.starts_with(b"\n") || rest.starts_with(b"\r\n");
        let mut found = 0;
        let mut is_over = false;
        while !is_over {
            found += 1;
            // A quote inside of a cell that does not begin with one is text.
            let quoted = if rest.first() == Some(&b'"') { quoted_len(rest) } else { 0 };
            let end = memchr::memchr2(separator, b'\n', &rest[quoted..]).map(|at| quoted + at);
            is_over = end.is_none_or(|at| rest[at] == b'\n');
            rest = end.map_or(&[], |at| &rest[at + 1..]);
        }
        if !is_blank && found != expected {
            return Err(Error::RaggedRow { input: input.to_string(), row, found, expected });
        }
        row += usize::from(!is_blank);
    }
    Ok(row - first_row)
}

/// Bytes of the quoted text that these begin with, both quotes included; all if it is never closed.
fn quoted_len(bytes: &[u8]) -> usize {
    let mut quotes = memchr::memchr_iter(b'"', bytes).skip(1).peekable();
    while let Some(at) = quotes.next() {
        // Two in a row stand for one.
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return at + 1;
        }
    }
    bytes.len()
}

/// Cells of a line; none if it is blank.
fn cells_of(line: &[u8], separator: u8) -> usize {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.is_empty() {
        true => 0,
        false => 1 + line.iter().map(|byte| usize::from(*byte == separator)).sum::<usize>(),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// Pieces of whole lines, about a megabyte each.
fn shares(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut shares = Vec::new();
    while bytes.len() > SHARE {
        let end = memchr::memchr(b'\n', &bytes[SHARE..]).map_or(bytes.len(), |at| SHARE + at + 1);
        let (share, rest) = bytes.split_at(end);
        shares.push(share);
        bytes = rest;
    }
    if !bytes.is_empty() {
        shares.push(bytes);
    }
    shares
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
    fn lines_are_counted_from_the_first_row_of_data() {
        let message = check_cells(b"1,2\r\n3\r\n", "t.csv", b',', 2, 1).unwrap_err().to_string();
        assert!(message.starts_with("\"t.csv\", row 2 has 1 cells, but the header has 2"), "{message}");
        assert_eq!(check_cells(b"1,\n\n2,3", "t.csv", b',', 2, 1).unwrap(), 2);
        assert_eq!(check_cells(b"1,\"a,b\"", "t.csv", b',', 2, 1).unwrap(), 1);
        for good in [&b"\"a,\"\"\nb\",1\r\n\r\n5\" pipe,2\n\"\",\"\""[..], b"\"\"\"\",1\n"] {
            assert!(check_cells(good, "t.csv", b',', 2, 1).is_ok(), "{good:?}");
        }
        for (bad, row, found) in [(&b"\"a\",1\n\"b\"\n"[..], 2, 1), (b"\"a\",1,\n", 1, 3), (b"\"a\n,", 1, 1)]
        {
            let message = check_cells(bad, "t.csv", b',', 2, 1).unwrap_err().to_string();
            assert!(message.starts_with(&format!("\"t.csv\", row {row} has {found} cells")), "{message}");
        }
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
        let mut chunks = LineChunks::new(Box::new(text.as_bytes()), Quotes::Csv, 10_000);
        let mut joined = Vec::new();
        let mut n_chunks = 0;
        while let Some(chunk) = chunks.next().unwrap() {
            assert!(chunk.starts_with(b"2024"));
            joined.extend_from_slice(chunk);
            n_chunks += 1;
        }
        assert!(n_chunks >= 2);
        assert_eq!(joined, text.trim_start_matches('\u{feff}').trim_matches('\n').as_bytes());
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_before_memory_runs_out() {
        let text = "a\"b\n".to_string() + &"1,2\n".repeat(LONGEST_LINE / 2);
        let mut chunks = LineChunks::new(Box::new(text.as_bytes()), Quotes::Csv, 1 << 20);
        assert!(chunks.next().unwrap_err().to_string().contains("never closed"));
    }
}
