//! What the log holds: records with a length, a checksum and the name of their session.
//!
//! ```text
//! magic u32 | length u32 | crc32c u32 | kind u8 | uid u64 | name length u8 | name | payload
//!                                     └──────────────── length bytes ────────────────┘
//! ```
//! Little endian. The checksum is CRC-32C of those bytes; the length is below the checksum of what it counts, so a wrong
//! one cannot pass.

use super::batch::{Batch, BatchView};

/// How every record begins.
pub(super) const MAGIC: [u8; 4] = *b"LCr1";
/// Bytes before what the checksum covers.
pub(super) const HEAD: usize = 12;
/// Bytes of kind, uid and the length of the name.
const FIXED: usize = 10;
/// Bytes of the longest name.
pub(super) const MAX_NAME: usize = 255;

/// What a record says of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Its whole state.
    State,
    /// Observations, sent for the first time.
    Batch,
    /// The epoch of its new writer.
    Epoch,
    /// That it is gone.
    Delete,
}

impl RecordKind {
    const ALL: [RecordKind; 4] =
        [RecordKind::State, RecordKind::Batch, RecordKind::Epoch, RecordKind::Delete];

    fn byte(self) -> u8 {
        match self {
            RecordKind::State => 1,
            RecordKind::Batch => 2,
            RecordKind::Epoch => 3,
            RecordKind::Delete => 4,
        }
    }
}

/// One record, borrowed from the bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it says.
    pub kind: RecordKind,
    /// The session.
    pub uid: u64,
    /// Its name.
    pub name: &'a str,
    /// The rest.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes`, and its length with its head; none if the bytes are no whole record.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<(Record<'a>, usize)> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes.get(..4)? != MAGIC {
            return None;
        }
        let len = usize::try_from(word(4)?).ok()?;
        let body = bytes.get(HEAD..HEAD.checked_add(len)?)?;
        if crate::crc32c(body) != word(8)? {
            return None;
        }
        let kind = RecordKind::ALL.into_iter().find(|kind| Some(&kind.byte()) == body.first())?;
        let uid = u64::from_le_bytes(body.get(1..9)?.try_into().ok()?);
        let end = FIXED + usize::from(*body.get(9)?);
        let name = std::str::from_utf8(body.get(FIXED..end)?).ok()?;
        Some((Record { kind, uid, name, payload: &body[end..] }, HEAD + len))
    }

    /// The batch of a record that holds one.
    #[must_use]
    pub fn batch(&self) -> Option<Batch> {
        (self.kind == RecordKind::Batch).then(|| Batch::decode(self.payload)).flatten()
    }

    /// The epoch of a record that holds one.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        let bytes = (self.kind == RecordKind::Epoch).then_some(self.payload)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Appends a record whose payload is written by `payload`.
///
/// Names are at most [`MAX_NAME`] bytes and payloads below 4 GiB, which the limits of sessions see to.
fn write(out: &mut Vec<u8>, kind: RecordKind, (uid, name): (u64, &str), payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(MAGIC);
    out.extend([0; 8]);
    out.push(kind.byte());
    out.extend(uid.to_le_bytes());
    let name = &name.as_bytes()[..name.len().min(MAX_NAME)];
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend(name);
    payload(out);
    let body = start + HEAD;
    let len = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    let checksum = crate::crc32c(&out[body..]);
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
    out[start + 8..body].copy_from_slice(&checksum.to_le_bytes());
}

/// Appends the state of a session.
pub fn write_state(out: &mut Vec<u8>, session: (u64, &str), state: &[u8]) {
    write(out, RecordKind::State, session, |out| out.extend(state));
}

/// Appends observations.
pub fn write_batch(out: &mut Vec<u8>, session: (u64, &str), batch: BatchView<'_>) {
    write(out, RecordKind::Batch, session, |out| batch.encode(out));
}

/// Appends the epoch of a new writer.
pub fn write_epoch(out: &mut Vec<u8>, session: (u64, &str), epoch: u64) {
    write(out, RecordKind::Epoch, session, |out| out.extend(epoch.to_le_bytes()));
}

/// Appends that a session is gone.
pub fn write_delete(out: &mut Vec<u8>, session: (u64, &str)) {
    write(out, RecordKind::Delete, session, |_| {});
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_as_it_was_written_and_no_changed_byte_passes() {
        let batch = Batch { first: 3, values: vec![1.0, f64::NAN], ..Batch::default() };
        let mut bytes = Vec::new();
        write_state(&mut bytes, (7, "sessions/a"), b"state");
        write_batch(&mut bytes, (7, "sessions/a"), batch.view(1, 0).unwrap());
        write_epoch(&mut bytes, (8, ""), 41);
        write_delete(&mut bytes, (9, "sessions/ü"));
        let mut rest = &bytes[..];
        let mut read = Vec::new();
        while let Some((record, len)) = Record::read(rest) {
            read.push(record);
            for at in 0..len {
                let mut changed = rest[..len].to_vec();
                changed[at] ^= 1 << (at % 8);
                assert_eq!(Record::read(&changed), None, "byte {at} of {record:?}");
                assert_eq!(Record::read(&rest[..at]), None);
            }
            rest = &rest[len..];
        }
        assert!(rest.is_empty());
        let kinds: Vec<_> = read.iter().map(|record| (record.kind, record.uid, record.name)).collect();
        assert_eq!(kinds[0], (RecordKind::State, 7, "sessions/a"));
        assert_eq!(kinds[3], (RecordKind::Delete, 9, "sessions/ü"));
        assert_eq!((read[0].payload, read[2].epoch()), (&b"state"[..], Some(41)));
        assert_eq!(read[1].batch().unwrap().first, 3);
        assert!(read[1].epoch().is_none() && read[0].batch().is_none());
    }
}
