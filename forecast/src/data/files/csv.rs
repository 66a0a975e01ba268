//! Rows of CSV: where each cell begins is found once, and cells are read where they stand.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;

use super::text::{cell_ends, first_line_end, quoted_len};
use crate::{Error, Result};

/// The header of a CSV file.
#[derive(Debug, Clone)]
pub(in crate::data) struct CsvHead {
    separator: u8,
    names: Vec<String>,
}

/// Some rows of a CSV file.
#[derive(Debug)]
pub(in crate::data) struct CsvRows {
    names: Vec<String>,
    parts: Vec<CsvPart>,
    n_rows: usize,
}

/// Some of those rows, the share of one thread.
#[derive(Debug)]
pub(in crate::data) struct CsvPart {
    text: String,
    /// Rows before these.
    first_row: usize,
    /// For each row, where its cells begin, and the place after the end of the last one; between two cells lies one
    /// byte.
    starts: Vec<u32>,
    /// Columns, and one more.
    stride: usize,
}

/// What makes a part unusable; rows count from its first.
#[derive(Debug, PartialEq, Eq)]
enum Defect {
    NotUtf8 { lines_before: usize, byte: u8 },
    Ragged { row: usize, found: usize },
    Unclosed { row: usize },
}

impl CsvHead {
    /// Takes the header off the first lines of a file. Of columns with one name, the later ones get a number.
    ///
    /// # Errors
    /// [`Error::NotUtf8`].
    pub(in crate::data) fn take(lines: &mut Vec<u8>, separator: u8, input: &str) -> Result<Self> {
        let body = lines.split_off(first_line_end(lines));
        let header = std::mem::replace(lines, body);
        let header = String::from_utf8(header).map_err(|error| {
            let byte = error.as_bytes()[error.utf8_error().valid_up_to()];
            Error::NotUtf8 { input: input.to_string(), line: 1, byte }
        })?;
        let line = header.trim_end_matches(['\n', '\r']);
        let mut names: Vec<String> = Vec::new();
        // Names that are taken, and the number that the next column of that name gets.
        let mut taken: HashMap<String, usize> = HashMap::new();
        let mut start = 0;
        for end in cell_ends(line.as_bytes(), &[separator]).chain([line.len()]) {
            let told = plain(&line[start..end]);
            let mut name = told.to_string();
            while taken.contains_key(&name) {
                let n = taken.entry(told.to_string()).or_default();
                name = format!("{told}_duplicated_{n}");
                *n += 1;
            }
            taken.insert(name.clone(), 0);
            names.push(name);
            start = end + 1;
        }
        Ok(CsvHead { separator, names })
    }

    /// What stands between the cells, if it is not a comma.
    pub(in crate::data) fn separator_note(&self) -> Option<String> {
        let name = match self.separator {
            b';' => "semicolons",
            b'\t' => "tabs",
            _ => return None,
        };
        Some(format!("cells are separated by {name}"))
    }
}

impl CsvRows {
    /// The rows of texts of whole lines, each a part, in parallel; `first_row` is the number of rows before them.
    /// Blank lines are no rows, unless there is only one column.
    ///
    /// # Errors
    /// [`Error::NotUtf8`], [`Error::RaggedRow`], and [`Error::Unreadable`] for a quote that is never closed.
    pub(in crate::data) fn new(
        texts: Vec<Vec<u8>>,
        head: &CsvHead,
        input: &str,
        first_row: usize,
    ) -> Result<Self> {
        let found: Vec<_> =
            texts.into_par_iter().map(|text| CsvPart::of(text, head.separator, head.names.len())).collect();
        let mut rows = CsvRows { names: head.names.clone(), parts: Vec::new(), n_rows: 0 };
        for part in found {
            let mut part = part.map_err(|defect| rows.error(&defect, input, first_row))?;
            part.first_row = rows.n_rows;
            rows.n_rows += part.n_rows();
            rows.parts.push(part);
        }
        Ok(rows)
    }

    fn error(&self, defect: &Defect, input: &str, first_row: usize) -> Error {
        let input = input.to_string();
        let row = |row: &usize| first_row + self.n_rows + row + 1;
        match defect {
            Defect::NotUtf8 { lines_before, byte } => {
                let lines = |part: &CsvPart| memchr::memchr_iter(b'\n', part.text.as_bytes()).count();
                let before = self.parts.iter().map(lines).sum::<usize>() + lines_before;
                Error::NotUtf8 { input, line: first_row + 2 + before, byte: *byte }
            }
            Defect::Ragged { row: at, found } => {
                Error::RaggedRow { input, row: row(at), found: *found, expected: self.names.len() }
            }
            Defect::Unclosed { row: at } => {
                let reason =
                    format!("a quote is opened in row {} and never closed; close it, or drop it", row(at));
                Error::Unreadable { input, format: "CSV", reason }
            }
        }
    }

    pub(in crate::data) fn names(&self) -> &[String] {
        &self.names
    }

    pub(in crate::data) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(in crate::data) fn parts(&self) -> &[CsvPart] {
        &self.parts
    }
}

impl CsvPart {
    fn of(text: Vec<u8>, separator: u8, n_columns: usize) -> Result<Self, Defect> {
        let text = String::from_utf8(text).map_err(|error| {
            let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
            let lines_before = memchr::memchr_iter(b'\n', &bytes[..at]).count();
            Defect::NotUtf8 { lines_before, byte: bytes[at] }
        })?;
        let bytes = text.as_bytes();
        let starts = match memchr::memchr(b'"', bytes) {
            None => starts(bytes, memchr::memchr2_iter(separator, b'\n', bytes), n_columns),
            Some(_) => starts(bytes, cell_ends(bytes, &[separator]), n_columns),
        }?;
        Ok(CsvPart { text, first_row: 0, starts, stride: n_columns + 1 })
    }

    /// Rows of the others before these.
    pub(in crate::data) fn first_row(&self) -> usize {
        self.first_row
    }

    pub(in crate::data) fn n_rows(&self) -> usize {
        self.starts.len() / self.stride
    }

    /// The cells of a column, with their quotes where they have some.
    pub(in crate::data) fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        let starts = self.starts.chunks_exact(self.stride);
        starts.map(move |row| self.between(row, column))
    }

    /// One of them.
    pub(in crate::data) fn cell(&self, row: usize, column: usize) -> &str {
        self.between(&self.starts[row * self.stride..], column)
    }

    fn between(&self, starts: &[u32], column: usize) -> &str {
        &self.text[starts[column] as usize..starts[column + 1] as usize - 1]
    }
}

/// The cells of rows while they are found.
struct Index {
    n_columns: usize,
    /// As [`CsvPart::starts`].
    starts: Vec<u32>,
    /// Where the row begins, among the starts and in the text.
    row: usize,
    line: usize,
}

impl Index {
    /// Ends the row whose line ends at `at`.
    fn end_row(&mut self, bytes: &[u8], at: usize) -> Result<(), Defect> {
        let end = at - usize::from(at > self.line && bytes[at - 1] == b'\r');
        let is_blank = end == self.line;
        self.line = at + 1;
        let found = self.starts.len() - self.row;
        if found == self.n_columns {
            // Offsets fit: lines, and so the parts, are bounded.
            self.starts.extend([end as u32 + 1, self.line as u32]);
            self.row += self.n_columns + 1;
        } else if is_blank {
            self.starts[self.row] = self.line as u32;
        } else {
            return Err(Defect::Ragged { row: self.row / (self.n_columns + 1), found });
        }
        Ok(())
    }
}

/// Where the cells of each row begin, as [`CsvPart::starts`], by where they end.
fn starts(bytes: &[u8], ends: impl Iterator<Item = usize>, n_columns: usize) -> Result<Vec<u32>, Defect> {
    let mut starts = Vec::with_capacity(bytes.len() / 8 + 1);
    starts.push(0);
    let mut index = Index { n_columns, starts, row: 0, line: 0 };
    for at in ends {
        match bytes[at] {
            b'\n' => index.end_row(bytes, at)?,
            _ => index.starts.push(at as u32 + 1),
        }
    }
    let last = index.starts.last().map_or(0, |at| *at as usize);
    if bytes.get(last) == Some(&b'"') && quoted_len(&bytes[last..]).is_none() {
        return Err(Defect::Unclosed { row: index.row / (n_columns + 1) });
    }
    // The last line may have no line feed.
    if index.line < bytes.len() {
        index.end_row(bytes, bytes.len())?;
    }
    index.starts.pop();
    Ok(index.starts)
}

/// The text of a cell without the quotes that it begins with; two in a row stand for one.
pub(in crate::data) fn plain(cell: &str) -> Cow<'_, str> {
    if !cell.starts_with('"') {
        return Cow::Borrowed(cell);
    }
    let Some(quoted) = quoted_len(cell.as_bytes()) else { return Cow::Borrowed(cell) };
    let (inside, after) = (&cell[1..quoted - 1], &cell[quoted..]);
    match after.is_empty() && !inside.contains('"') {
        true => Cow::Borrowed(inside),
        false => Cow::Owned(inside.replace("\"\"", "\"") + after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of cells, byte by byte.
    fn naive(text: &str, separator: char, n_columns: usize) -> Result<Vec<Vec<String>>, Defect> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            let mut row = vec![String::new()];
            let (mut is_quoted, mut is_start, mut had_quotes) = (false, true, false);
            let mut ends_with_return = false;
            loop {
                let had_return = std::mem::replace(&mut ends_with_return, false);
                let at_start = std::mem::replace(&mut is_start, false);
                let next = chars.next();
                let cell = row.last_mut().unwrap();
                match next {
                    None if is_quoted => return Err(Defect::Unclosed { row: rows.len() }),
                    None | Some('\n') if !is_quoted => {
                        ends_with_return = had_return;
                        break;
                    }
                    Some('"') if is_quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
                    Some('"') if is_quoted => is_quoted = false,
                    Some(other) if is_quoted => cell.push(other),
                    Some('"') if at_start => (is_quoted, had_quotes) = (true, true),
                    Some(other) if other == separator => {
                        row.push(String::new());
                        is_start = true;
                    }
                    Some(other) => {
                        ends_with_return = other == '\r';
                        cell.push(other);
                    }
                    None => break,
                }
            }
            let last = row.last_mut().unwrap();
            if ends_with_return {
                last.pop();
            }
            let is_blank = row.len() == 1 && row[0].is_empty() && !had_quotes;
            if is_blank && n_columns > 1 {
                continue;
            }
            if row.len() != n_columns {
                return Err(Defect::Ragged { row: rows.len(), found: row.len() });
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn fast(text: &str, separator: u8, n_columns: usize) -> Result<Vec<Vec<String>>, Defect> {
        let part = CsvPart::of(text.as_bytes().to_vec(), separator, n_columns)?;
        let mut rows = vec![Vec::new(); part.n_rows()];
        for column in 0..n_columns {
            for (row, cell) in rows.iter_mut().zip(part.cells(column)) {
                row.push(plain(cell).into_owned());
            }
        }
        Ok(rows)
    }

    #[test]
    fn cells_of_any_text_are_those_that_are_found_byte_by_byte() {
        const LETTERS: [&str; 12] = ["a", "1", ",", ",", "\n", "\n", "\"", "\"", "\r", "\r\n", "é", "\"\""];
        let mut state = 7u64;
        let mut draw = move |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut n_good = 0;
        for case in 0..200_000 {
            // Half of the texts have no quotes.
            let n_letters = if case % 2 == 0 { LETTERS.len() } else { 6 };
            let text: String = (0..draw(14)).map(|_| LETTERS[draw(n_letters)]).collect();
            let n_columns = 1 + draw(3);
            let expected = naive(&text, ',', n_columns);
            n_good += usize::from(expected.as_ref().is_ok_and(|rows| rows.len() > 1));
            assert_eq!(fast(&text, b',', n_columns), expected, "{text:?}, {n_columns} columns");
        }
        assert!(n_good > 2_000, "{n_good}");
    }

    #[test]
    fn lines_are_counted_from_the_first_row_of_data() {
        for good in ["1,\n\n2,3", "1,\"a,b\"", "\"a,\"\"\nb\",1\r\n\r\n5\" pipe,2\n\"\",\"\"", "\"\"\"\",1\n"]
        {
            assert!(fast(good, b',', 2).is_ok(), "{good:?}");
        }
        for (bad, row, found) in
            [("1,2\r\n3\r\n", 1, 1), ("\"a\",1\n\"b\"\n", 1, 1), ("\"a\",1,\n", 0, 3), ("\"\"\n1,2", 0, 1)]
        {
            assert_eq!(fast(bad, b',', 2), Err(Defect::Ragged { row, found }), "{bad:?}");
        }
        assert_eq!(fast("1,2\n1,\"2\n3,4", b',', 2), Err(Defect::Unclosed { row: 1 }));
    }

    #[test]
    fn defects_are_told_by_their_place_in_the_file() {
        let mut lines = b"ds,y\n1,2\n\n".to_vec();
        let head = CsvHead::take(&mut lines, b',', "t.csv").unwrap();
        let error = |last: &[u8]| {
            let texts = vec![lines.clone(), b"3,4\n".to_vec(), last.to_vec()];
            CsvRows::new(texts, &head, "t.csv", 10).unwrap_err().to_string()
        };
        assert!(error(b"5,6\n7\n").starts_with("\"t.csv\", row 14 has 1 cells, but the header has 2"));
        assert!(error(b"5,6\n7,\xe9\n").contains("line 16 holds the byte 0xe9"));
        assert!(error(b"5,\"6").contains("opened in row 13 and never closed"));
    }

    #[test]
    fn names_lose_their_quotes_and_are_distinct() {
        let mut lines = b"\"a\"\"b\";y;y;y_duplicated_0;\n".to_vec();
        let head = CsvHead::take(&mut lines, b';', "t.csv").unwrap();
        assert_eq!(head.names, ["a\"b", "y", "y_duplicated_0", "y_duplicated_0_duplicated_0", ""]);
        assert!(lines.is_empty() && head.separator_note().unwrap().contains("semicolons"));
    }
}
