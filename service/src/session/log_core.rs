//! The log without a thread and without a clock: what was written, what is safe, and what is kept until it is.
//!
//! A position is the number of bytes before it since the log began. What was written but not yet synced is kept, so
//! that a disk that refuses loses nothing: everything since the last sync goes to a new segment once it can.

use std::io;

use super::medium::{Medium, Segment};

/// Bytes of memory that are kept for what is not safe yet.
const KEPT: usize = 8 << 20;

/// The log without a thread and without a clock.
#[derive(Debug)]
pub struct LogCore {
    medium: Box<dyn Medium>,
    segment: Option<Box<dyn Segment>>,
    segment_start: u64,
    segment_bytes: u64,
    /// Everything before this survives a loss of power.
    synced: u64,
    /// What follows it.
    loose: Vec<u8>,
}

impl LogCore {
    /// A log that goes on after everything that a medium holds.
    ///
    /// # Errors
    /// What the medium says.
    pub fn new(medium: Box<dyn Medium>, segment_bytes: u64) -> io::Result<Self> {
        let mut end = 0;
        for start in medium.list()? {
            end = end.max(start + medium.read(start)?.len() as u64);
        }
        Ok(LogCore::at(medium, segment_bytes, end))
    }

    /// A log that goes on at a position.
    pub(super) fn at(medium: Box<dyn Medium>, segment_bytes: u64, end: u64) -> Self {
        LogCore { medium, segment: None, segment_start: end, segment_bytes, synced: end, loose: Vec::new() }
    }

    /// Everything before this survives a loss of power.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Everything before this was taken.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.synced + self.loose.len() as u64
    }

    /// Bytes that were taken and are not safe yet.
    #[must_use]
    pub fn n_loose(&self) -> usize {
        self.loose.len()
    }

    /// Takes bytes and writes them.
    ///
    /// # Errors
    /// What the medium says; the bytes are kept, and the next call tries again.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.loose.extend(bytes);
        let Some(segment) = &mut self.segment else { return self.begin_segment() };
        let written = segment.write(bytes);
        if written.is_err() {
            self.segment = None;
        }
        written
    }

    /// Returns once everything that was taken is safe.
    ///
    /// # Errors
    /// What the medium says; everything is kept, and the next call tries again.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.loose.is_empty() {
            return Ok(());
        }
        if self.segment.is_none() {
            self.begin_segment()?;
        }
        let synced = self.segment.as_mut().map_or(Ok(()), |segment| segment.sync());
        if synced.is_err() {
            // Nothing is known of what the disk has: all of it goes to a new segment.
            self.segment = None;
            return synced;
        }
        self.synced += self.loose.len() as u64;
        self.loose.clear();
        if self.loose.capacity() > 2 * KEPT {
            self.loose.shrink_to(KEPT);
        }
        if self.synced - self.segment_start >= self.segment_bytes {
            self.segment = None;
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let mut segment = self.medium.create(self.synced)?;
        segment.write(&self.loose)?;
        self.segment_start = self.synced;
        self.segment = Some(segment);
        Ok(())
    }

    /// Takes away the segments that hold nothing at or after a position.
    ///
    /// # Errors
    /// What the medium says.
    pub fn retire(&mut self, position: u64) -> io::Result<()> {
        let starts = self.medium.list()?;
        for pair in starts.windows(2) {
            // The segment that is being written is the last one, and stays.
            if pair[1] <= position.min(self.synced) {
                self.medium.remove(pair[0])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::medium::MemoryMedium;
    use super::*;

    fn all(medium: &MemoryMedium) -> Vec<(u64, Vec<u8>)> {
        medium.list().unwrap().into_iter().map(|start| (start, medium.read(start).unwrap())).collect()
    }

    #[test]
    fn segments_follow_each_other_and_the_old_ones_go() {
        let medium = MemoryMedium::default();
        let mut core = LogCore::new(Box::new(medium.clone()), 8).unwrap();
        for text in ["aaaa", "bbbb", "cccc", "dd"] {
            core.write(text.as_bytes()).unwrap();
            core.sync().unwrap();
        }
        let kept = all(&medium);
        assert_eq!(kept, [(0, b"aaaabbbb".to_vec()), (8, b"ccccdd".to_vec())]);
        core.retire(7).unwrap();
        assert_eq!(all(&medium).len(), 2);
        core.retire(9).unwrap();
        assert_eq!(all(&medium), [(8, b"ccccdd".to_vec())]);
        assert_eq!(LogCore::new(Box::new(medium), 8).unwrap().end(), 14);
    }

    #[test]
    fn a_full_disk_loses_nothing_once_there_is_room() {
        let medium = MemoryMedium::default();
        let mut core = LogCore::new(Box::new(medium.clone()), 1000).unwrap();
        core.write(b"aaaa").unwrap();
        core.sync().unwrap();
        medium.limit(Some(2));
        assert_eq!(core.write(b"bbbb").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(core.write(b"cc").is_err() && core.sync().is_err());
        assert_eq!((core.synced(), core.end()), (4, 10));
        medium.limit(None);
        core.sync().unwrap();
        assert_eq!(core.synced(), 10);
        // What the first write left behind is torn; the segment after it has everything.
        assert_eq!(all(&medium), [(0, b"aaaabb".to_vec()), (4, b"bbbbcc".to_vec())]);
    }
}
