//! Logs with any bytes changed: nothing panics, and whatever is found is a state that the session once had.

use std::path::Path;

use longcast::session::{LogOptions, Medium, MemoryMedium, RecordKind, StoreOptions, Writer, restore, scan};
use rayon::prelude::*;

use crate::random::Random;
use crate::world::{OneModel, check_same, create, happenings, plain, rows, store, undisturbed};

/// Cases of one run; `LONGCAST_FUZZ_CASES` asks for more.
const N_CASES: u64 = 4000;

/// Two sessions in a few segments.
fn log(all: &longcast::session::Batch) -> MemoryMedium {
    let medium = MemoryMedium::default();
    let options = StoreOptions {
        log: LogOptions { segment_bytes: 3000, ..LogOptions::default() },
        snapshot_every: 30,
        ..StoreOptions::default()
    };
    let store = store(&medium, options);
    for name in ["a", "b"] {
        let (cell, _) = create(&store, &plain(name));
        let attachment = cell.attach(0).unwrap();
        for from in (1..=80).step_by(8) {
            let batch = rows(all, from, 8);
            cell.apply(Writer::Stream(attachment), batch.view(1, 0).unwrap()).unwrap();
        }
    }
    store.close();
    medium
}

/// One change of some bytes.
fn change(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let n = 1 + random.below(20.min(bytes.len() - at));
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(at..at + n)),
        3 => bytes[at..at + n].fill(random.pick(&[0, 0xff])),
        4 => {
            let copy = bytes[at..at + n].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => {
            // A record comes twice, or records change places.
            let copy = bytes[..at].to_vec();
            bytes.extend(copy);
        }
    }
}

#[test]
fn whatever_is_found_in_a_damaged_log_is_a_state_that_the_session_had() {
    let all = happenings(&mut Random::new(21), 80);
    let medium = log(&all);
    let n = std::env::var("LONGCAST_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(N_CASES);
    let found: usize = (0..n)
        .into_par_iter()
        .map(|seed| {
            let mut random = Random::new(seed);
            let mut damaged = MemoryMedium::default();
            for start in medium.list().unwrap() {
                let mut bytes = medium.read(start).unwrap();
                if random.once_in(3) {
                    change(&mut random, &mut bytes);
                }
                damaged.put(start, bytes);
            }
            if random.once_in(5) {
                let starts = damaged.list().unwrap();
                damaged.remove(random.pick(&starts)).unwrap();
            }
            let restored = restore(&damaged, &OneModel).unwrap();
            for found in &restored.found {
                let settings = found.engine.settings();
                let n = usize::try_from(found.engine.next_sequence() - 1).unwrap();
                check_same(&found.engine, &undisturbed(settings, &all, n), &format!("case {seed}"));
            }
            restored.found.len()
        })
        .sum();
    assert!(found as u64 > n / 2, "only {found} sessions were found in {n} logs");
}

/// Segments that once made trouble, or that have every kind of record: they are read for ever.
#[test]
fn every_segment_of_the_corpus_is_read_without_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/corpus");
    if std::env::var_os("LONGCAST_REGENERATE").is_some_and(|value| value == "1") {
        write_corpus(&folder);
    }
    let mut n = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let scanned = scan(&bytes);
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // whole-N-..: so many whole records.
        let n_records: usize = name.split('-').nth(1).unwrap().parse().unwrap();
        assert_eq!(scanned.records.len(), n_records, "{name}");
        let medium = MemoryMedium::default();
        medium.put(0, bytes);
        // The model is another one: what is found is refused with a reason, or fits it.
        restore(&medium, &OneModel).unwrap();
        n += 1;
    }
    assert!(n >= 6, "{n} files");
}

fn write_corpus(folder: &Path) {
    let all = happenings(&mut Random::new(21), 80);
    let medium = log(&all);
    let bytes: Vec<u8> =
        medium.list().unwrap().into_iter().flat_map(|start| medium.read(start).unwrap()).collect();
    std::fs::create_dir_all(folder).unwrap();
    let write = |what: &str, bytes: &[u8]| {
        let n = scan(bytes).records.len();
        std::fs::write(folder.join(format!("whole-{n}-{what}.log")), bytes).unwrap();
    };
    let kinds = scan(&bytes).records.iter().map(|(_, record)| record.kind).collect::<Vec<_>>();
    assert!(kinds.contains(&RecordKind::State) && kinds.contains(&RecordKind::Epoch));
    write("all", &bytes);
    write("torn", &bytes[..bytes.len() - 5]);
    write("empty", &[]);
    write("magic-alone", b"LCr1");
    write("endless-length", b"LCr1\xff\xff\xff\xff\0\0\0\0\x02");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    write("flipped", &flipped);
    let mut records = bytes.clone();
    records.extend(&bytes);
    write("twice", &records);
}
