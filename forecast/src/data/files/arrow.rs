//! The lengths in an Arrow IPC file, held against the length of the file before anything is read: the reader takes
//! them for granted and asks for as much memory.
//!
//! A stream is a sequence of messages: a marker, the length of the metadata (a flatbuffer), the metadata, and a
//! body. A file lists its messages in a footer. See the Arrow columnar format, "Serialization and Interprocess
//! Communication".

/// A compressed buffer does not become larger than this many times its length.
const MOST_UNPACKED: i64 = 1 << 16;
/// A column has no more rows for each byte of the file: booleans and constants are small, nulls take nothing.
const ROWS_A_BYTE: i64 = 1 << 16;
const MARKER: [u8; 4] = [0xff; 4];
const MAGIC: &[u8] = b"ARROW1";

/// What is wrong; the rest of the sentence "it is damaged: ...".
type Damage = &'static str;
/// The metadata of a message, and all that follows it.
type Parts<'a> = (&'a [u8], &'a [u8]);

/// Checks a file; what has no lengths to check is left to the reader.
pub(in crate::data) fn check_file(bytes: &[u8]) -> Result<(), Damage> {
    const OUTSIDE: Damage = "a message lies outside of the file";
    let Some(rest) = bytes.strip_suffix(MAGIC) else { return Ok(()) };
    let Some((rest, footer_len)) = rest.split_last_chunk::<4>() else { return Ok(()) };
    let footer_len = usize::try_from(i32::from_le_bytes(*footer_len)).map_err(|_| OUTSIDE)?;
    let start = rest.len().checked_sub(footer_len).ok_or("its footer is longer than the file")?;
    let footer = Table::root(&rest[start..]).ok_or("its footer cannot be read")?;
    let mut room = bytes.len() as u64;
    for field in [2, 3] {
        for block in footer.structs(field, 24)? {
            let [offset, metadata, body] =
                [int::<8>(block, 0), int::<4>(block, 8), int::<8>(block, 16)].map(|n| n.unwrap_or(-1));
            let [offset, metadata, body] = [offset, metadata, body].map(u64::try_from);
            let (Ok(offset), Ok(metadata), Ok(body)) = (offset, metadata, body) else { return Err(OUTSIDE) };
            // No two messages share a byte.
            let len = metadata.saturating_add(body);
            room = room.checked_sub(len).ok_or(OUTSIDE)?;
            let end = offset.checked_add(len).filter(|end| *end <= bytes.len() as u64).ok_or(OUTSIDE)?;
            let [offset, start, end] = [offset, end - body, end].map(|at| at as usize);
            let (message, _) = metadata_of(&bytes[offset..start])?.ok_or(OUTSIDE)?;
            check_message(message, &bytes[start..end], bytes.len())?;
        }
    }
    Ok(())
}

/// Checks a stream.
pub(in crate::data) fn check_stream(bytes: &[u8]) -> Result<(), Damage> {
    let mut rest = bytes;
    while let Some((message, after)) = metadata_of(rest)? {
        rest = &after[check_message(message, after, bytes.len())?..];
    }
    Ok(())
}

/// The metadata that bytes begin with, and what follows it; `None` at the end.
fn metadata_of(bytes: &[u8]) -> Result<Option<Parts<'_>>, Damage> {
    let bytes = bytes.strip_prefix(&MARKER).unwrap_or(bytes);
    let Some((len, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let damage = "the metadata of a message is longer than the file";
    let len = usize::try_from(i32::from_le_bytes(*len)).map_err(|_| damage)?;
    if len == 0 {
        return Ok(None);
    }
    rest.split_at_checked(len).map(Some).ok_or(damage)
}

/// Checks the lengths that metadata tells; the length of the body, with which `rest` begins.
fn check_message(metadata: &[u8], rest: &[u8], file_len: usize) -> Result<usize, Damage> {
    const UNREADABLE: Damage = "the metadata of a message cannot be read";
    let message = Table::root(metadata).ok_or(UNREADABLE)?;
    let body = message.int::<8>(3).unwrap_or(0);
    let body_len = usize::try_from(body).ok().filter(|len| *len <= rest.len());
    let body_len = body_len.ok_or("a message is longer than the file")?;
    let kind = message.int::<1>(1).unwrap_or(0);
    let batch = match kind {
        2 => message.table(2).and_then(|dictionary| dictionary.table(1)),
        3 => message.table(2),
        _ => return Ok(body_len),
    };
    let batch = batch.ok_or(UNREADABLE)?;
    let most_rows = ROWS_A_BYTE.saturating_mul(file_len as i64);
    let lengths = batch.structs(1, 16)?.filter_map(|node| int::<8>(node, 0)).chain(batch.int::<8>(0));
    if lengths.into_iter().any(|rows| !(0..=most_rows).contains(&rows)) {
        return Err("it has more rows than its length allows");
    }
    let is_compressed = batch.field(3).is_some();
    let mut room = body;
    for buffer in batch.structs(2, 16)? {
        let (offset, len) = (int::<8>(buffer, 0).unwrap_or(-1), int::<8>(buffer, 8).unwrap_or(-1));
        room = room.saturating_sub(len);
        let is_inside = offset >= 0 && len >= 0 && offset.checked_add(len).is_some_and(|end| end <= body);
        if !is_inside || room < 0 {
            return Err("a column lies outside of its message");
        }
        // A compressed buffer begins with its length once unpacked.
        let unpacked = if is_compressed && len > 0 { int::<8>(rest, offset as usize) } else { None };
        if unpacked.is_some_and(|unpacked| unpacked > MOST_UNPACKED.saturating_mul(len)) {
            return Err("a column says that it is larger than it can be");
        }
    }
    Ok(body_len)
}

/// A table of a flatbuffer.
struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the places of its fields are listed.
    fields: &'a [u8],
}

impl<'a> Table<'a> {
    fn root(bytes: &'a [u8]) -> Option<Self> {
        Self::at(bytes, usize::try_from(int::<4>(bytes, 0)?).ok()?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let list = (at as i64).checked_sub(int::<4>(bytes, at)?)?;
        let list = usize::try_from(list).ok()?;
        let len = usize::try_from(int::<2>(bytes, list)?).ok()?;
        Some(Table { bytes, at, fields: bytes.get(list..list.checked_add(len)?)? })
    }

    /// Where a field stands; `None` if it has its default.
    fn field(&self, field: usize) -> Option<usize> {
        let offset = usize::try_from(int::<2>(self.fields, 4 + 2 * field)?).ok()?;
        (offset > 0).then_some(self.at + offset)
    }

    fn int<const N: usize>(&self, field: usize) -> Option<i64> {
        int::<N>(self.bytes, self.field(field)?)
    }

    /// Where a field points to.
    fn target(&self, field: usize) -> Option<usize> {
        let at = self.field(field)?;
        at.checked_add(usize::try_from(int::<4>(self.bytes, at)?).ok()?)
    }

    fn table(&self, field: usize) -> Option<Self> {
        Self::at(self.bytes, self.target(field)?)
    }

    /// The elements of a vector of structs; none if it is absent.
    fn structs(&self, field: usize, size: usize) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, Damage> {
        let elements = match self.target(field) {
            None => &[],
            Some(at) => int::<4>(self.bytes, at)
                .and_then(|n| usize::try_from(n).ok()?.checked_mul(size))
                .and_then(|len| self.bytes.get(at + 4..(at + 4).checked_add(len)?))
                .ok_or("a list in its metadata is longer than the metadata")?,
        };
        Ok(elements.chunks_exact(size))
    }
}

/// A little-endian integer of `N` bytes; those of fewer than four are unsigned.
fn int<const N: usize>(bytes: &[u8], at: usize) -> Option<i64> {
    let bytes: [u8; N] = bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
    let fill = if N >= 4 && bytes[N - 1] >= 0x80 { 0xff } else { 0 };
    let mut wide = [fill; 8];
    wide[..N].copy_from_slice(&bytes);
    Some(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cells, Format, encode};

    fn file(format: Format) -> Vec<u8> {
        let numbers = Cells::Numbers((0..100).map(f64::from).collect());
        let text = Cells::Text((0..100).map(|row| format!("row {row}")).collect());
        encode(&[("y".to_string(), numbers), ("id".to_string(), text)], format).unwrap()
    }

    #[test]
    fn whole_files_pass_and_those_cut_in_the_middle_do_not() {
        let (whole, stream) = (file(Format::Arrow), file(Format::ArrowStream));
        assert_eq!((check_file(&whole), check_stream(&stream)), (Ok(()), Ok(())));
        assert!(check_stream(&stream[..stream.len() / 2]).is_err());
        let without_body = [&whole[..8], &whole[whole.len() - 300..]].concat();
        assert!(check_file(&without_body).is_err());
    }

    /// The 800 bytes of the numbers, told once in the list of buffers.
    #[test]
    fn a_buffer_that_says_it_is_longer_is_told_before_it_is_read() {
        for (format, check) in
            [(Format::Arrow, check_file as fn(&[u8]) -> _), (Format::ArrowStream, check_stream as _)]
        {
            let whole = file(format);
            let len = 800i64.to_le_bytes();
            let at: Vec<usize> = (0..whole.len() - 8).filter(|at| whole[*at..at + 8] == len).collect();
            let mut n_found = 0;
            for at in at {
                for high in [0x7f, 0x80, 0x01] {
                    let mut damaged = whole.clone();
                    damaged[at + 7] = high;
                    n_found += usize::from(check(&damaged) == Err("a column lies outside of its message"));
                }
            }
            assert!(n_found >= 3, "{format:?}: {n_found}");
        }
    }
}
