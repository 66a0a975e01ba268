//! The headers of the pages of a Parquet file, held against each other before a page is read: the reader takes
//! their numbers for granted and asks for as much memory.
//!
//! A column is a sequence of pages, each a header (a struct of Thrift's compact protocol) and its bytes; see the
//! Parquet format, "Data Pages" and `parquet.thrift`.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// A page may have this many bytes once unpacked, or this many times its bytes in the file.
const FREE_UNPACKED: u64 = 64 << 20;
const MOST_UNPACKED: u64 = 1 << 16;
/// Bytes that are read to find a header; statistics of long texts make some longer.
const HEADER: usize = 256;
const LONGEST_HEADER: usize = 16 << 20;
/// Structs in structs.
const DEEPEST: usize = 16;

/// What is wrong; the rest of the sentence "it is damaged: ...".
type Damage = &'static str;

/// What the header of a page says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Page {
    header_len: usize,
    /// Bytes in the file and once unpacked.
    len: i64,
    unpacked: i64,
    /// Values; those of a dictionary apart.
    n_values: i64,
    n_dictionary: i64,
}

/// Checks the pages of a column that lie in these bytes of a file and hold these many values.
///
/// # Errors
/// What the reader says.
pub(in crate::data) fn check_pages<R: Read + Seek>(
    reader: &mut R,
    bytes: Range<u64>,
    n_values: u64,
) -> io::Result<Result<(), Damage>> {
    let mut at = bytes.start;
    let mut left = n_values;
    while at < bytes.end {
        let Some(page) = page_at(reader, at..bytes.end)? else {
            return Ok(Err("the header of a page cannot be read"));
        };
        at += page.header_len as u64;
        let sizes = [page.len, page.unpacked, page.n_values, page.n_dictionary].map(u64::try_from);
        let [Ok(len), Ok(unpacked), Ok(values), Ok(dictionary)] = sizes else {
            return Ok(Err("a page has a negative length"));
        };
        if len > bytes.end - at || unpacked > FREE_UNPACKED.max(MOST_UNPACKED.saturating_mul(len)) {
            return Ok(Err("a page is longer than its column"));
        }
        if values > left || dictionary > unpacked {
            return Ok(Err("a page has more values than its column"));
        }
        left -= values;
        at += len;
    }
    Ok(Ok(()))
}

/// The page that begins where these bytes of the file do.
fn page_at<R: Read + Seek>(reader: &mut R, bytes: Range<u64>) -> io::Result<Option<Page>> {
    let mut wanted = HEADER;
    loop {
        reader.seek(SeekFrom::Start(bytes.start))?;
        let mut head = Vec::with_capacity(wanted);
        let n = (wanted as u64).min(bytes.end - bytes.start);
        reader.by_ref().take(n).read_to_end(&mut head)?;
        let page = Thrift { bytes: &head, at: 0 }.page();
        if page.is_some() || head.len() < wanted || wanted >= LONGEST_HEADER {
            return Ok(page);
        }
        wanted *= 8;
    }
}

/// Reads Thrift's compact protocol; `None` where the bytes end or make no sense.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

const STOP: u8 = 0;

impl Thrift<'_> {
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let mut id = 0;
        loop {
            let kind = self.field(&mut id)?;
            match (id, kind) {
                (_, STOP) => break,
                (2, 5) => page.unpacked = self.int()?,
                (3, 5) => page.len = self.int()?,
                (5 | 8, 12) => page.n_values = self.first_int()?,
                (7, 12) => page.n_dictionary = self.first_int()?,
                (_, kind) => self.skip(kind, 0)?,
            }
        }
        page.header_len = self.at;
        Some(page)
    }

    /// The first field of a struct, an integer; the others are passed over.
    fn first_int(&mut self) -> Option<i64> {
        let (mut id, mut first) = (0, 0);
        loop {
            match (self.field(&mut id)?, id) {
                (STOP, _) => return Some(first),
                (5, 1) => first = self.int()?,
                (kind, _) => self.skip(kind, 0)?,
            }
        }
    }

    /// The type of the next field, and its number.
    fn field(&mut self, id: &mut i64) -> Option<u8> {
        let head = self.byte()?;
        let kind = head & 0xf;
        if kind != STOP {
            *id = match head >> 4 {
                0 => self.int()?,
                delta => *id + i64::from(delta),
            };
        }
        Some(kind)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number in zigzag form.
    fn int(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn pass(&mut self, n: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(n).ok()?).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // Of a field, the type is the value.
            1 | 2 => {}
            3 => self.pass(1)?,
            4..=6 => drop(self.unsigned()?),
            7 => self.pass(8)?,
            8 => {
                let len = self.unsigned()?;
                self.pass(len)?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let n = if head >> 4 == 0xf { self.unsigned()? } else { u64::from(head >> 4) };
                for _ in 0..n {
                    // In a list, a truth value takes a byte.
                    self.skip(if head & 0xf <= 2 { 3 } else { head & 0xf }, depth + 1)?;
                }
            }
            12 => {
                let mut id = 0;
                loop {
                    match self.field(&mut id)? {
                        STOP => break,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            // Pages have no maps.
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A data page of 3 bytes, 5 values and statistics: type 0, sizes, a struct with the count, an encoding and
    /// two texts in a struct of their own.
    const PAGE: [u8; 24] = [
        0x15, 0, 0x15, 6, 0x15, 6, 0x2c, 0x15, 10, 0x15, 0, 0x3c, 0x18, 1, b'a', 0x18, 2, b'b', b'c', 0, 0,
        0, 7, 7,
    ];

    fn check(bytes: &[u8], n_values: u64) -> Result<(), Damage> {
        check_pages(&mut Cursor::new(bytes), 0..bytes.len() as u64, n_values).unwrap()
    }

    #[test]
    fn pages_are_told_from_their_headers() {
        let page = Thrift { bytes: &PAGE, at: 0 }.page().unwrap();
        assert_eq!(page, Page { header_len: 22, len: 3, unpacked: 3, n_values: 5, n_dictionary: 0 });
        let pages = [&PAGE[..], &[7], &PAGE, &[7]].concat();
        assert_eq!(check(&pages, 10), Ok(()));
        assert_eq!(check(&pages, 9), Err("a page has more values than its column"));
        assert_eq!(check(&pages[..pages.len() - 1], 10), Err("a page is longer than its column"));
        assert_eq!(check(&pages[..10], 10), Err("the header of a page cannot be read"));
        assert_eq!(check(&[0x15, 0, 0x15, 5, 0x15, 6, 0], 1), Err("a page has a negative length"));
    }

    /// A header that is longer than what is read at first.
    #[test]
    fn long_statistics_are_passed_over() {
        let text = vec![b'x'; 5_000];
        let mut page = PAGE[..13].to_vec();
        page.extend([0x88, 0x27]); // 5,000 in seven bits a byte
        page.extend(&text);
        page.extend([0, 0, 0, 7, 7, 7]);
        assert_eq!(check(&page, 5), Ok(()));
        assert_eq!(check(&page, 4), Err("a page has more values than its column"));
    }

    #[test]
    fn no_bytes_are_read_for_ever() {
        for byte in 0..=255 {
            for len in [1, 40, 300] {
                let _ = check(&vec![byte; len], 100);
            }
        }
    }
}
