//! `read`: a million rows of CSV and of Parquet to a checked, regular panel, beside polars' own read of the same
//! file in the same process, and the most memory that it takes, in a process of its own, beside the raw columns.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use forecast::data::{Cells, Format, Zone, encode};
use forecast::{Panel, ReadOptions, write_atomically};
use polars::prelude::{CsvReadOptions, DataFrame, ParquetReader, SerReader};

use super::Setting;
use crate::console;
use crate::environment::own_path;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn, peak_bytes, reset_peak, resident_bytes};
use crate::record::Record;
use crate::scratch::Scratch;

const N_ROWS: usize = 1_000_000;
/// Text of id and stamp, and two numbers of eight bytes.
const SERIES: usize = 1_000;
/// Reading may take this many times what polars' own read takes.
const TIME_BAR: f64 = 1.0 / 1.5;
/// The command of the process that [`once`] runs in.
const ONCE: &str = "read-once";
/// The peak may be this many times the raw columns.
const MEMORY_BAR: f64 = 3.0;

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 5 } else { 15 };
    console::note(format!("read: {n_runs} runs of each side, in turn"));
    let scratch = Scratch::new("read")?;
    let table = table();
    let mut records = Vec::new();
    for (name, format) in [("csv", Format::Csv), ("parquet", Format::Parquet)] {
        let path = scratch.folder().join(format!("panel.{name}"));
        write_atomically(&path, &encode(&table, format)?)?;
        let raw = polars_read(&path)?.estimated_size() as f64;
        let peak = peak_of(&path)?;
        let mut sides: [Candidate<'_, f64>; 2] = [
            Box::new(|| timed(|| Ok(black_box(Panel::read(&path, &ReadOptions::default())?)))),
            Box::new(|| timed(|| Ok(black_box(polars_read(&path)?)))),
        ];
        let measured = in_turn(n_runs, &mut sides)?;
        let [ours, theirs] = &measured[..] else { continue };
        let spread = |times: &Vec<f64>| Spread::of(times.iter().copied());
        let record = Record::new(&format!("read_{name}_1m_rows"), "ms", spread(ours));
        records.push(record.beside("polars' own eager read", spread(theirs)).ratio_at_least(TIME_BAR));
        if let Some(peak) = peak {
            let name = format!("read_{name}_peak_over_raw_columns");
            records.push(Record::new(&name, "x", Spread::of([peak / raw])).at_most(MEMORY_BAR));
        }
    }
    Ok(records)
}

/// A thousand series of a thousand hours, side by side.
fn table() -> Vec<(String, Cells)> {
    let steps = N_ROWS / SERIES;
    let rows = (0..SERIES).flat_map(|series| (0..steps).map(move |step| (series, step)));
    let (mut ids, mut stamps, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (series, step) in rows {
        ids.push(format!("meter-{series:05}"));
        stamps.push(
            1_700_000_000_000_000_000 / 3_600_000_000_000 * 3_600_000_000_000
                + step as i64 * 3_600_000_000_000,
        );
        values.push(((series * 37 + step * 11) % 9973) as f64 / 7.0);
    }
    vec![
        ("unique_id".to_string(), Cells::Text(ids)),
        ("ds".to_string(), Cells::Stamps(stamps, Zone::Local)),
        ("y".to_string(), Cells::Numbers(values)),
    ]
}

fn polars_read(path: &PathBuf) -> Result<DataFrame> {
    let is_csv = path.extension().is_some_and(|extension| extension == "csv");
    let table = if is_csv {
        let options = CsvReadOptions::default().with_has_header(true);
        options.try_into_reader_with_file_path(Some(path.clone())).and_then(|reader| reader.finish())
    } else {
        fs::File::open(path).map_err(Into::into).and_then(|file| ParquetReader::new(file).finish())
    };
    table.map_err(|error| Error::Peer { peer: "polars", reason: error.to_string() })
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    let result = work()?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    drop(result);
    Ok(milliseconds)
}

/// The memory that a read adds at its peak, in bytes, in a process of its own, which has none to use again; `None` where
/// the system does not tell.
///
/// # Errors
/// [`Error::Command`] if the process fails.
fn peak_of(path: &Path) -> Result<Option<f64>> {
    let program = own_path()?;
    let output = Command::new(&program).arg(ONCE).arg(path).output();
    let output = output.map_err(|error| Error::file("cannot run", &program, error))?;
    if !output.status.success() {
        return Err(Error::Command {
            command: format!("{} {ONCE} {}", program.display(), path.display()),
            code: output.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output.stderr).trim().to_string(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

/// Reads a file to a panel and says how much the memory of the process grew at its peak, in bytes; nothing where the
/// system does not tell.
pub(crate) fn once(path: &Path) -> Result<()> {
    let before = resident_bytes();
    let is_reset = reset_peak();
    let panel = Panel::read(path, &ReadOptions::default())?;
    let peak = peak_bytes();
    drop(panel);
    let grown = before.zip(peak).filter(|_| is_reset).map(|(before, peak)| peak - before);
    console::lines(&[grown.map_or_else(String::new, |grown| grown.to_string())])
}
