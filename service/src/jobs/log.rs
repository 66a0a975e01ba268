//! The log of a job: its events, a line of JSON each. It is all that is kept of how the job stands, so the two cannot
//! disagree; what a crash has torn off the last line is cut away.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::event::Event;

/// Whether an event has to outlive the machine, not only the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// Written and synced.
    Now,
    /// Written; the operating system syncs it when it does.
    Later,
}

/// A log that is written to.
#[derive(Debug)]
pub(super) struct EventLog {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    len: u64,
    /// The number of the last event.
    last: u64,
}

impl EventLog {
    /// A new log with its first event.
    ///
    /// # Errors
    /// If the file is there or cannot be written.
    pub(super) fn create(path: &Path, first: &Event) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        let mut log = EventLog { file, path: path.to_path_buf(), len: 0, last: 0 };
        log.append(first, Sync::Now)?;
        Ok(log)
    }

    /// A log as it was left, and its last event. A line that is torn or follows a torn one is cut away.
    ///
    /// # Errors
    /// If the file cannot be read or holds no event.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Event)> {
        let mut lines = BufReader::new(File::open(path)?);
        let (mut len, mut last) = (0, None::<Event>);
        let mut line = String::new();
        loop {
            line.clear();
            // What is no text is as torn as what is no event.
            let Ok(n) = lines.read_line(&mut line) else { break };
            let expected = last.as_ref().map_or(1, |event| event.number + 1);
            match parse(&line).filter(|event| event.number == expected) {
                Some(event) => (len, last) = (len + n as u64, Some(event)),
                None => break,
            }
        }
        let last = last.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no event"))?;
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len(len)?;
        Ok((EventLog { file, path: path.to_path_buf(), len, last: last.number }, last))
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Appends an event, whole or not at all; its number has to follow the last one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn append(&mut self, event: &Event, sync: Sync) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| match sync {
            Sync::Now => self.file.sync_data(),
            Sync::Later => Ok(()),
        });
        if let Err(error) = written {
            // Half a line would hide all that follows.
            self.file.set_len(self.len)?;
            return Err(error);
        }
        (self.len, self.last) = (self.len + line.len() as u64, event.number);
        Ok(())
    }

    /// Reads the events after one, from the start of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn reader(&self, after: u64) -> io::Result<EventReader> {
        EventReader::open(&self.path, after)
    }
}

/// Reads a log that may grow.
#[derive(Debug)]
pub struct EventReader {
    lines: BufReader<File>,
    /// Events that were read or passed over.
    n_read: u64,
    after: u64,
}

impl EventReader {
    fn open(path: &Path, after: u64) -> io::Result<Self> {
        Ok(EventReader { lines: BufReader::new(File::open(path)?), n_read: 0, after })
    }

    /// The next events up to one that is known to be there, at most `most`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_through(&mut self, through: u64, most: usize) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut line = String::new();
        while self.n_read < through && events.len() < most {
            line.clear();
            let begin = self.lines.stream_position()?;
            let n = self.lines.read_line(&mut line)?;
            if n == 0 || !line.ends_with('\n') {
                self.lines.seek(SeekFrom::Start(begin))?;
                break;
            }
            self.n_read += 1;
            if self.n_read > self.after {
                let event = parse(&line);
                events.push(event.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("event {} is damaged", self.n_read))
                })?);
            }
        }
        Ok(events)
    }
}

fn parse(line: &str) -> Option<Event> {
    serde_json::from_str(line.strip_suffix('\n')?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::event::Snapshot;
    use super::*;

    fn event(number: u64) -> Event {
        let job = Snapshot { progress: number as f64 / 7.0, ..Snapshot::queued() };
        Event { number, time: number, message: format!("\"{number}\" \u{e9}"), job, fold: None }
    }

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("longcast-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_log_cut_at_any_byte_is_the_whole_events_before_it_and_goes_on() {
        let path = path("torn");
        let mut log = EventLog::create(&path, &event(1)).unwrap();
        let first = log.len;
        (2..=3).for_each(|number| log.append(&event(number), Sync::Later).unwrap());
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<u64> = whole
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at as u64 + 1)
            .collect();
        for cut in first..=whole.len() as u64 {
            std::fs::write(&path, &whole[..cut as usize]).unwrap();
            let n_whole = ends.iter().filter(|end| **end <= cut).count() as u64;
            let (mut log, last) = EventLog::open(&path).unwrap();
            assert_eq!((log.last(), &last), (n_whole, &event_like(&last, n_whole)), "cut at {cut}");
            log.append(&event(n_whole + 1), Sync::Later).unwrap();
            let numbers: Vec<u64> = log
                .reader(0)
                .unwrap()
                .next_through(99, 99)
                .unwrap()
                .iter()
                .map(|event| event.number)
                .collect();
            assert_eq!(numbers, (1..=n_whole + 1).collect::<Vec<_>>());
        }
        std::fs::write(&path, &whole[..first as usize - 1]).unwrap();
        assert!(EventLog::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    /// Times differ from call to call.
    fn event_like(event: &Event, number: u64) -> Event {
        let job = Snapshot { progress: number as f64 / 7.0, ..event.job.clone() };
        Event { number, time: number, message: format!("\"{number}\" \u{e9}"), job, fold: None }
    }

    #[test]
    fn a_reader_goes_on_where_the_log_grows() {
        let path = path("grows");
        let mut log = EventLog::create(&path, &event(1)).unwrap();
        let mut reader = log.reader(1).unwrap();
        assert!(reader.next_through(log.last(), 9).unwrap().is_empty());
        for number in 2..=5 {
            log.append(&event(number), Sync::Later).unwrap();
        }
        let numbers = |events: Vec<Event>| events.iter().map(|event| event.number).collect::<Vec<_>>();
        assert_eq!(numbers(reader.next_through(log.last(), 2).unwrap()), [2, 3]);
        log.append(&event(6), Sync::Later).unwrap();
        assert_eq!(numbers(reader.next_through(log.last(), 9).unwrap()), [4, 5, 6]);
        std::fs::remove_file(&path).unwrap();
    }
}
