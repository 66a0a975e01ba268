//! Reads the records of a segment, whatever happened to it.

use super::record::{MAGIC, Record};

/// The records of a segment in order, and what lies between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// All whole records, each with the place of its first byte.
    pub records: Vec<(usize, Record<'a>)>,
    /// Bytes after the last whole record: the end of a write that a crash cut off.
    pub n_torn: usize,
    /// Bytes between whole records that are none: damage.
    pub n_damaged: usize,
}

/// Finds the whole records of a segment. What is no record is skipped up to the next one.
///
/// The cost is in proportion to the bytes: where no record begins, the next magic is looked for; a magic that begins none
/// costs a checksum of at most what follows, and there are few of those unless somebody puts them there.
#[must_use]
pub fn scan(bytes: &[u8]) -> Scanned<'_> {
    let mut scanned = Scanned { records: Vec::new(), n_torn: 0, n_damaged: 0 };
    let (mut at, mut skipped) = (0, 0);
    let mut tries = MOST_TRIES;
    while at < bytes.len() {
        match Record::read(&bytes[at..]) {
            Some((record, len)) => {
                scanned.n_damaged += std::mem::take(&mut skipped);
                scanned.records.push((at, record));
                at += len;
                tries = MOST_TRIES;
            }
            None => {
                let next = memchr::memmem::find(&bytes[at + 1..], &MAGIC).map(|next| at + 1 + next);
                tries -= 1;
                let next = next.filter(|_| tries > 0).unwrap_or(bytes.len());
                skipped += next - at;
                at = next;
            }
        }
    }
    scanned.n_torn = skipped;
    scanned
}

/// Magics in a row that may begin no record before the rest is given up.
const MOST_TRIES: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::super::record::{write_delete, write_epoch};
    use super::*;

    fn segment() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for i in 0..5 {
            write_epoch(&mut bytes, (i, "sessions/s"), i);
            ends.push(bytes.len());
        }
        write_delete(&mut bytes, (9, "sessions/t"));
        ends.push(bytes.len());
        (bytes, ends)
    }

    #[test]
    fn a_segment_torn_at_any_byte_holds_every_record_before_it() {
        let (bytes, ends) = segment();
        for n in 0..=bytes.len() {
            let scanned = scan(&bytes[..n]);
            let whole = ends.iter().filter(|end| **end <= n).count();
            assert_eq!((scanned.records.len(), scanned.n_damaged), (whole, 0), "{n}");
            assert_eq!(scanned.n_torn, n - ends[..whole].last().copied().unwrap_or(0));
        }
    }

    #[test]
    fn a_damaged_record_takes_no_other_one_with_it() {
        let (bytes, ends) = segment();
        for at in 0..ends[4] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let scanned = scan(&damaged);
            assert_eq!(scanned.records.len(), 5, "byte {at}");
            let hit = ends.iter().position(|end| at < *end).unwrap();
            let len = ends[hit] - if hit == 0 { 0 } else { ends[hit - 1] };
            assert_eq!((scanned.n_damaged, scanned.n_torn), (len, 0));
        }
    }
}
