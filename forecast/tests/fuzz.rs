//! Broken files: whatever bytes are read, and as whatever format, the result is a sound panel or an error that the
//! user can mend; no panic, no hang, no memory beyond a bound.
//!
//! Cases are made from seeds, so that one that fails can be run again by itself, or more of them:
//!
//! ```sh
//! LONGCAST_FUZZ_FIRST=4711 LONGCAST_FUZZ_CASES=1 cargo test --release --workspace --test fuzz
//! ```
//!
//! `LONGCAST_FUZZ_FOLDER` names a folder of files of other writers that are broken too.
#![allow(
    unsafe_code,
    reason = "a counting allocator cannot be written without; it forwards every call unchanged, or refuses it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use forecast::data::{Aggregation, BadSeries, Cells, Duplicates, Format, OutOfOrder, Zone, encode};
use forecast::{Panel, ReadOptions, Result, Step};

/// Cases of one run.
const N_CASES: u64 = 15_000;
/// No single request for memory may be larger.
const LARGEST_REQUEST: usize = 1 << 30;
/// What all threads hold at a time may not grow by more in a case.
const MOST_HELD: i64 = 1 << 30;
/// A case that takes longer hangs.
const LONGEST_CASE: Duration = Duration::from_secs(120);

/// The case that runs, for messages.
static CASE: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, which counts what is held and refuses requests that no small file needs.
struct Bounded;

fn hold(size: i64) {
    PEAK.fetch_max(HELD.fetch_add(size, Relaxed) + size, Relaxed);
}

fn is_refused(size: usize) -> bool {
    if size > LARGEST_REQUEST {
        // Neither formats into memory nor allocates. What follows may be an abort, so it is said here.
        let _ = writeln!(std::io::stderr(), "case {} asks for {size} bytes at once", CASE.load(Relaxed));
        PEAK.fetch_max(i64::MAX, Relaxed);
    }
    size > LARGEST_REQUEST
}

// SAFETY: every call goes to the system's allocator with the arguments that it came with, or returns null, which
// is how an allocator refuses; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        hold(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        hold(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_refused(size) {
            return std::ptr::null_mut();
        }
        hold(size as i64 - layout.size() as i64);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// A stream of random numbers by SplitMix64 (Steele, Lea and Flood, 2014).
struct Draws(u64);

impl Draws {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }
}

const FORMATS: [Format; 6] =
    [Format::Csv, Format::Parquet, Format::Arrow, Format::ArrowStream, Format::NdJson, Format::Json];

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Hours of two series with a gap, in long form.
fn long_table(n_hours: usize) -> Vec<(String, Cells)> {
    let hours = |first: usize| (first..first + n_hours).filter(|hour| hour % 7 != 3);
    let stamps: Vec<i64> = hours(0)
        .chain(hours(5))
        .map(|hour| 1_700_000_000_000_000_000 + hour as i64 * 3_600_000_000_000)
        .collect();
    let ids = (0..stamps.len()).map(|row| ["pump, \"7\"", "b"][2 * row / stamps.len()].to_string());
    let values = (0..stamps.len()).map(|row| if row % 11 == 5 { f64::NAN } else { row as f64 / 3.0 });
    vec![
        ("unique_id".to_string(), Cells::Text(ids.collect())),
        ("ds".to_string(), Cells::Stamps(stamps.clone(), Zone::Local)),
        ("y".to_string(), Cells::Numbers(values.collect())),
    ]
}

/// An integer index and two channels.
fn wide_table() -> Vec<(String, Cells)> {
    vec![
        ("ds".to_string(), Cells::Integers((0..40).collect())),
        ("kW".to_string(), Cells::Numbers((0..40).map(f64::from).collect())),
        ("°C".to_string(), Cells::Numbers((0..40).map(|i| f64::from(i % 5)).collect())),
    ]
}

/// Text as people send it.
const TEXTS: [&str; 34] = [
    "ds;y\n2024-01-01;1\n2024-01-02;2\n2024-01-04;4\n",
    "ds\ty\n2024-01-01\t1\n2024-01-02\t2\n",
    "ds,y\r\n2024-01-01 00:00,1\r\n2024-01-01 01:00,2\r\n",
    "\u{feff}ds,y\n1,1\n2,2\n",
    "\n\n\nds,y\n1,1\n\n2,2\n\n\n4,3\n",
    "ds,y\n1,\0\n2,1\0\n3,4\n",
    "ds,y\n1,1e308\n2,-1e308\n3,1e999\n4,99999999999999999999999999999\n",
    "ds,y\n9223372036854775807,1\n-9223372036854775808,2\n",
    "ds,y\n99999999999999999999,1\n5,2\n",
    "ds,y\n\"1,1\n2,2\n3,3\n",
    "ds,y\n1,\"1\n2,\"2\"\"\n3,\"\n",
    "id\",ds,y\na,1,1\na,2,2\n",
    "unique_id,ds,y\n\"5\"\" pipe\",1,1\n\"5\"\" pipe\",2,2\n6\" pipe,1,4\n6\" pipe,2,8\n",
    ",,,,\n,,,,\n,,,,\n",
    ";;;\n;;;\n",
    "ds,ds,y,y\n1,2,3,4\n2,3,4,5\n",
    "2024-01-01,1\n2024-01-02,2\n",
    "ds,y\n1\n2,2,2\n",
    "ds,y",
    "",
    "\n",
    "ds,y\n2024-02-30,1\n2024-13-01,2\n",
    "ds,y\n1/2/2010 0:00,1\n1/13/2010 1:00,2\n13/1/2010 1:00,3\n",
    "ds,y\n31.12.1677,1\n31.12.2262,2\n0001-01-01,3\n9999-12-31,4\n",
    "ds,y\n2024-03-31T01:30:00+01:00,1\n2024-03-31T03:00:00+02:00,2\n2024-03-31T04:00:00Z,2\n",
    "ds,y\n2024-10-27 02:00,1\n2024-10-27 02:30,2\n2024-10-27 02:00,3\n2024-10-27 02:30,4\n",
    "ds,y\n1700000000.25,1\n1700000000.5,2\n1700000000.75,3\n",
    "ds,y\n20240131,1\n20240201,2\n20240202,3\n",
    "ds,y\n2024-01-01,1\n2024-01-02,offline\n2024-01-03,3\n",
    "ds;y\n2024-01-01;1,5\n2024-01-02;2,5\n",
    "unique_id,ds,y,x\na,1,1,2\n,2,,\nb,1,NA,null\n",
    "ds,y\n1,inf\n2,-Infinity\n3,NaN\n4,nan\n",
    "ds,y\n2024-01-01,1\n2024-01-01,2\n2023-12-31,3\n",
    "[7,\"epoch\",[],{\"a\":[[[]]]}]",
];

/// Rows of JSON that are not as they should be.
const JSONS: [&str; 8] = [
    "{\"ds\":1,\"y\":2}\n{\"ds\":2,\"y\":2.5,\"z\":\"a\"}\n\n{\"ds\":3,\"y\":null}\n",
    "{\"ds\":\"2024-01-01\",\"y\":true}\n{\"ds\":\"2024-01-02\",\"y\":\"7\"}\n{\"ds\":\"2024-01-03\",\"y\":1e300}",
    "{\"ds\":1}\n[1,2]\n{\"ds\"",
    "{\"ds\":18446744073709551615,\"y\":1}\n{\"ds\":-1,\"y\":1e999}\n",
    "{\"\":1,\"ds\":2,\"ds\":3,\"y\":4}\n{\"y\":5}\n",
    "[{\"ds\":1,\"y\":1},{\"ds\":2,\"y\":[1]}]",
    "[{\"ds\":1,\"y\":1},{\"ds\":2,\"y\":4},{\"ds\":3}]",
    "[[1,2],[3,4]]",
];

/// Good and broken files of every format.
fn corpus() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = TEXTS.iter().chain(&JSONS).map(|text| text.as_bytes().to_vec()).collect();
    for table in [long_table(30), wide_table(), long_table(400)] {
        for format in FORMATS {
            let whole = encode(&table, format).unwrap();
            files.push(whole[..whole.len() * 2 / 3].to_vec());
            files.push([&whole[..], &whole[..]].concat());
            if table.len() == 3 && format != Format::Csv {
                // Chosen more often: these are where lengths and counts stand.
                files.extend([whole.clone(), whole.clone(), whole.clone(), whole.clone()]);
            }
            files.push(gzipped(&whole));
            files.push(whole);
        }
    }
    let text = encode(&long_table(50), Format::Csv).unwrap();
    let packed = gzipped(&text);
    files.push(packed[..packed.len() / 2].to_vec());
    files.push([&packed[..], &packed[..]].concat());
    files.push(gzipped(&gzipped(&gzipped(&packed))));
    files.push([0x1f, 0x8b].to_vec());
    if let Some(folder) = std::env::var_os("LONGCAST_FUZZ_FOLDER") {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        files.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    files
}

/// Bytes and numbers at which counts and lengths change their meaning.
const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b','];

fn mutated(files: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = files[draws.below(files.len())].clone();
    for _ in 0..draws.below(5) {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        // Half of the changes fall where binary formats keep their numbers.
        let at = if draws.below(2) == 0 { draws.below(len) } else { len - 1 - draws.below(len.min(700)) };
        let end = (at + 1 + draws.below(24)).min(len);
        match draws.below(9) {
            0 | 1 => bytes[at] ^= 1 << draws.below(8),
            2 => bytes[at] = EDGES[draws.below(EDGES.len())],
            3 => bytes[at] = draws.bits() as u8,
            4 => bytes.insert(at, EDGES[draws.below(EDGES.len())]),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let slice = bytes[at..end].to_vec();
                bytes.splice(at..at, slice);
            }
            7 => {
                let other = &files[draws.below(files.len())];
                let from = draws.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn options(draws: &mut Draws) -> ReadOptions {
    let step = |text: &str| Some(text.parse::<Step>().unwrap());
    let merge = Duplicates::Merge(Aggregation::Mean);
    let plain = ReadOptions::default();
    match draws.below(8) {
        0 | 1 => plain,
        2 => ReadOptions { bad_series: BadSeries::LeaveOut, ..plain },
        3 => ReadOptions { freq: step("1h"), aggregate: Some(Aggregation::Mean), ..plain },
        4 => ReadOptions {
            zone: Some(Zone::named("Europe/Rome").unwrap()),
            duplicates: merge,
            bad_series: BadSeries::LeaveOut,
            ..plain
        },
        5 => ReadOptions { freq: step("1"), out_of_order: OutOfOrder::Error, ..plain },
        6 => {
            ReadOptions { freq: step("MS"), aggregate: Some(Aggregation::Count), duplicates: merge, ..plain }
        }
        _ => ReadOptions {
            time_column: Some("ds".to_string()),
            target_columns: vec!["y".to_string()],
            time_format: Some("%Y-%m-%d".to_string()),
            ..plain
        },
    }
}

/// What is wrong with the result of a reading.
fn fault(result: &Result<Panel>) -> Option<String> {
    let panel = match result {
        Ok(panel) => panel,
        Err(error) if error.is_user_error() && !error.to_string().is_empty() => return None,
        Err(error) => return Some(format!("not a user's error: {error:?}")),
    };
    let report = panel.report();
    if panel.series().is_empty() || panel.channels().is_empty() {
        return Some("an empty panel".to_string());
    }
    if report.counts.len() != panel.series().len() {
        return Some("series without counts".to_string());
    }
    let n_rows: usize = report.counts.iter().map(|counts| counts.rows).sum();
    if n_rows > report.n_rows || (report.left_out.is_empty() && n_rows != report.n_rows) {
        return Some(format!("{n_rows} of {} rows are in series", report.n_rows));
    }
    for (series, counts) in panel.series().iter().zip(&report.counts) {
        let n_steps = series.n_steps();
        if series.values().dim() != (n_steps, panel.channels().len()) || n_steps != series.index().len {
            return Some(format!("{n_steps} steps, values {:?}", series.values().dim()));
        }
        if series.values().iter().any(|value| value.is_infinite()) {
            return Some("an infinite value".to_string());
        }
        if counts.rows != n_steps - counts.absent + counts.duplicates.max(counts.resampled) {
            return Some(format!("{counts:?} on {n_steps} steps"));
        }
        let stamps: Vec<i64> = series.index().stamps().take(5_000).collect();
        if !stamps.is_sorted_by(|a, b| a < b) || stamps.is_empty() {
            return Some(format!("stamps that do not increase: {stamps:?}"));
        }
    }
    None
}

/// Reads one case as every format; what is wrong, if anything.
fn run(files: &[Vec<u8>], case: u64) -> Option<String> {
    let mut draws = Draws(case.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let bytes = mutated(files, &mut draws);
    let options = options(&mut draws);
    for format in FORMATS.map(Some).into_iter().chain([None]) {
        let options = ReadOptions { format, ..options.clone() };
        PEAK.store(HELD.load(Relaxed), Relaxed);
        let before = HELD.load(Relaxed);
        let read = || fault(&Panel::read_bytes(&bytes, "case", &options));
        let found = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Some("a panic".to_string()));
        let held = PEAK.load(Relaxed).saturating_sub(before);
        let found = found.or_else(|| (held > MOST_HELD).then(|| format!("{held} bytes are held at a time")));
        if let Some(found) = found {
            return Some(format!("case {case} as {format:?}: {found}; {options:?}"));
        }
    }
    None
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn broken_files_give_a_sound_panel_or_a_users_error_in_bounded_memory() {
    let files = corpus();
    let (first, n) = (setting("LONGCAST_FUZZ_FIRST", 0), setting("LONGCAST_FUZZ_CASES", N_CASES));
    // Readers of binary formats panic on damaged files, which the library makes errors of; only the rest is told.
    let hook = std::panic::take_hook();
    if n > 1 {
        std::panic::set_hook(Box::new(|_| {}));
    }
    std::thread::spawn(|| {
        let mut last = u64::MAX;
        loop {
            std::thread::sleep(LONGEST_CASE);
            let case = CASE.load(Relaxed);
            if case == last {
                eprintln!("case {case} hangs");
                std::process::abort();
            }
            last = case;
        }
    });
    let faults: Vec<String> = (first..first + n)
        .filter_map(|case| {
            CASE.store(case, Relaxed);
            run(&files, case)
        })
        .take(10)
        .collect();
    CASE.store(u64::MAX - 1, Relaxed);
    std::panic::set_hook(hook);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
