//! `panel`: `longcast batch` over thousands of series of 1,000 hours, from Parquet to Parquet.
//!
//! Ours is the whole process, from `exec` to exit. The peer, `peers/panel.py`, has its libraries imported and
//! compiled before it is measured, and does the same: read, seasonal naive with intervals, write.
//!
//! Ours are conformal intervals from up to 200 windows of each series. The peer's are those that it makes by itself,
//! from a normal distribution, which is less work; and beside them its own conformal ones, and point forecasts alone
//! on both sides.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use forecast::data::{Cells, Format, TableWriter, Zone, decode};
use forecast_datasets::{Season, Seasonal};
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn};
use crate::peer::{PANEL, PROCESSES, Peer};
use crate::process::{longcast, measure, words};
use crate::record::Record;
use crate::scratch::Scratch;

const N_STEPS: usize = 1_000;
const LEVELS: [&str; 2] = ["--level", "80,95"];
const HORIZON: usize = 24;
const HOUR: i64 = 3_600_000_000_000;
/// 2024-01-01 in nanoseconds.
const START: i64 = 1_704_067_200_000_000_000;
/// Series of a row group.
const SERIES_A_GROUP: usize = 100;
/// The most memory that the large panel may take, in MB of 10^6 bytes: 2 GiB.
const MAX_MB: f64 = 2147.0;
/// How many times as many series as the peer.
const RATIO: f64 = 5.0;
/// How the peer spreads its work, and how the records end.
const N_JOBS: [(i32, &str); 2] = [(-1, ""), (1, "_vs_one_job")];
/// What the peer makes, how it is told, and how the records begin.
const KINDS: [(Intervals, &str, &str); 3] = [
    (Intervals::Normal, "its normal intervals", "panel_seasonal_naive"),
    (Intervals::Conformal, "conformal intervals", "panel_conformal"),
    (Intervals::None, "no intervals", "panel_points"),
];

/// What stands around the point forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Intervals {
    Normal,
    Conformal,
    None,
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    input: &'a Path,
    output: &'a Path,
    horizon: usize,
    n_jobs: i32,
    intervals: Intervals,
}

/// What a side took once.
#[derive(Debug, Deserialize)]
struct Cost {
    seconds: f64,
    peak_bytes: f64,
    checksum: f64,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let (n_series, n_runs) = if setting.is_quick { (500, 3) } else { (10_000, 3) };
    let longcast = longcast(setting.longcast.as_deref())?;
    let processes = RefCell::new(Peer::start(&Python::system()?, PROCESSES)?);
    let peer = match setting.has_peers {
        true => Some(RefCell::new(Peer::start(&Python::with_packages()?, PANEL)?)),
        false => None,
    };
    let scratch = Scratch::new("panel")?;
    let (ours, theirs) = (scratch.folder().join("ours.parquet"), scratch.folder().join("theirs.parquet"));
    let batch = |input: &Path, levels: &[&str]| -> Result<Cost> {
        let [input, output] = [input, &ours].map(|path| path.display().to_string());
        let options = ["--model", "seasonal-naive", "--season-length", "24", "--memory-limit", "2GiB"];
        let command = [&["batch", input.as_str(), "-o", &output], &options[..], levels].concat();
        let log = scratch.folder().join("log");
        let process = measure(&mut processes.borrow_mut(), &words(&longcast, &command), &log)?;
        Ok(Cost { seconds: process.seconds, peak_bytes: process.peak_bytes, checksum: checksum(&ours)? })
    };

    let input = synthetic(n_series)?;
    console::note(format!("panel: {n_runs} runs of each side over {n_series} series, in turn"));
    let mut sides: Vec<Candidate<'_, Cost>> =
        vec![Box::new(|| batch(&input, &LEVELS)), Box::new(|| batch(&input, &[]))];
    if let Some(peer) = &peer {
        let (input, output, horizon) = (&input, &theirs, HORIZON);
        for (intervals, n_jobs) in KINDS.iter().flat_map(|kind| N_JOBS.map(|(n_jobs, _)| (kind.0, n_jobs))) {
            let question = Question { input, output, horizon, n_jobs, intervals };
            sides.push(Box::new(move || peer.borrow_mut().ask(&question)));
        }
    }
    let measured = in_turn(n_runs, &mut sides)?;
    drop(sides);
    let mut records = records(n_series, &measured)?;
    if !setting.is_quick {
        let n_series = 100_000;
        let input = synthetic(n_series)?;
        console::note(format!("panel: one run over {n_series} series"));
        records.extend(large(n_series, &batch(&input, &LEVELS)?));
    }
    Ok(records)
}

/// Time beside each of the peer's, and memory where intervals are made. What was measured is ours with intervals and
/// without, then the peer's by kind and number of jobs.
///
/// # Errors
/// [`Error::Differs`] if a side forecast something else.
fn records(n_series: usize, measured: &[Vec<Cost>]) -> Result<Vec<Record>> {
    let micros = |runs: &[Cost]| Spread::of(runs.iter().map(|run| 1e6 * run.seconds / n_series as f64));
    let mb = |runs: &[Cost]| Spread::of(runs.iter().map(|run| 1e-6 * run.peak_bytes));
    let sum = |runs: &[Cost]| runs.first().map_or(f64::NAN, |run| run.checksum);
    let (ours, theirs) = measured.split_at(2);
    say("longcast batch, conformal intervals", micros(&ours[0]));
    say("longcast batch, no intervals", micros(&ours[1]));
    let mut records = Vec::new();
    let mut theirs = theirs.iter();
    for (intervals, told, name) in KINDS {
        let ours = &ours[usize::from(intervals == Intervals::None)];
        for (n_jobs, suffix) in N_JOBS {
            let mut time = Record::new(&format!("{name}{suffix}"), "us/series", micros(ours));
            let mut memory = Record::new(&format!("{name}_peak_memory{suffix}"), "MB", mb(ours));
            if let Some(theirs) = theirs.next() {
                let peer = "statsforecast SeasonalNaive";
                // The same values, scaled and summed in other ways.
                if (sum(ours) - sum(theirs)).abs() > 1e-9 * sum(ours).abs() {
                    let (ours, theirs) = (sum(ours), sum(theirs));
                    return Err(Error::Differs { record: name.to_string(), ours, peer, theirs });
                }
                let peer = format!("{peer}, {told}, n_jobs={n_jobs}");
                say(&peer, micros(theirs));
                time = time.beside(&peer, micros(theirs));
                memory = memory.beside(&peer, mb(theirs));
            }
            if intervals == Intervals::Normal {
                records.extend([time.ratio_at_least(RATIO), memory]);
            } else {
                records.push(time);
            }
        }
    }
    Ok(records)
}

fn large(n_series: usize, cost: &Cost) -> [Record; 2] {
    let micros = Spread::of([1e6 * cost.seconds / n_series as f64]);
    say("longcast batch", micros);
    let mb = Spread::of([1e-6 * cost.peak_bytes]);
    [
        Record::new("panel_100k_seasonal_naive", "us/series", micros),
        Record::new("panel_100k_seasonal_naive_peak_memory", "MB", mb).at_most(MAX_MB),
    ]
}

fn say(side: &str, micros: Spread) {
    console::note(format!("panel: {side}: {:.0} series a second", 1e6 / micros.median));
}

/// The sum of the point forecasts of an output.
fn checksum(output: &Path) -> Result<f64> {
    let bytes = fs::read(output).map_err(|error| Error::file("cannot read", output, error))?;
    let columns = decode(&bytes, &output.display().to_string(), Format::Parquet)?;
    let forecasts = columns.into_iter().find_map(|(name, cells)| match cells {
        Cells::Numbers(numbers) if name == "seasonal-naive" => Some(numbers),
        _ => None,
    });
    Ok(forecasts.into_iter().flatten().sum())
}

/// A Parquet file of so many series of hours with a day and noise, made at the first use and kept in the
/// system's temporary folder.
fn synthetic(n_series: usize) -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("forecast-bench-panel-{n_series}x{N_STEPS}-v1.parquet"));
    if path.exists() {
        return Ok(path);
    }
    console::note(format!("panel: making {}", path.display()));
    let mut writer = TableWriter::create(&path, Format::Parquet)?;
    for start in (0..n_series).step_by(SERIES_A_GROUP) {
        let group = start..n_series.min(start + SERIES_A_GROUP);
        let ids = group.clone().flat_map(|at| std::iter::repeat_n(format!("load-{at:06}"), N_STEPS));
        let hours = (0..N_STEPS).map(|step| START + HOUR * step as i64);
        let stamps = group.clone().flat_map(|_| hours.clone());
        let mut values = Vec::with_capacity(group.len() * N_STEPS);
        for at in group.clone() {
            values.extend(series(at)?);
        }
        writer.write(&[
            ("unique_id".to_string(), Cells::Text(ids.collect())),
            ("ds".to_string(), Cells::Stamps(stamps.collect(), Zone::Local)),
            ("y".to_string(), Cells::Numbers(values)),
        ])?;
    }
    writer.finish()?;
    Ok(path)
}

fn series(at: usize) -> Result<Vec<f64>> {
    let day = Season { period: 24.0, amplitude: 5.0 + (at % 10) as f64, phase: (at % 24) as f64 };
    let load = Seasonal { level: 100.0 + (at % 50) as f64, slope: 0.0, seasons: vec![day], noise_std: 2.0 };
    Ok(load.generate(N_STEPS, at as u64)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(seconds: f64, checksum: f64) -> Vec<Cost> {
        vec![Cost { seconds, peak_bytes: 1e8, checksum }]
    }

    #[test]
    fn each_way_to_run_the_peer_has_its_bar_and_without_any_ours_stands_alone() {
        let ours = || vec![took(1.0, 7.0), took(0.5, 7.0)];
        let theirs = [6.0, 4.0, 9.0, 8.0, 3.0, 2.0].map(|seconds| took(seconds, 7.0));
        let beside = records(100, &ours().into_iter().chain(theirs).collect::<Vec<_>>()).unwrap();
        assert_eq!(beside.len(), 8);
        let json = crate::record::json(&beside).unwrap();
        assert!(
            json.contains("\"ratio\": 9.0") && json.contains("panel_seasonal_naive_vs_one_job"),
            "{json}"
        );
        assert_eq!((json.matches("\"ok\": true").count(), json.matches("\"ok\": false").count()), (1, 1));
        assert_eq!(records(100, &ours()).unwrap().len(), 8);
        let json = crate::record::json(&large(100, &took(1.0, 7.0)[0])).unwrap();
        assert!(json.contains("\"bar\": 2147.0") && json.contains("\"ok\": true"), "{json}");
    }

    #[test]
    fn sides_that_forecast_other_values_are_no_comparison() {
        let message =
            records(100, &[took(1.0, 7.0), took(1.0, 7.0), took(6.0, 7.1)]).unwrap_err().to_string();
        assert!(message.contains("7.1") && message.contains("statsforecast"), "{message}");
    }

    #[test]
    fn series_differ_and_come_again_the_same() {
        let (first, second) = (series(0).unwrap(), series(1).unwrap());
        assert_eq!((first.len(), &first), (N_STEPS, &series(0).unwrap()));
        assert_ne!(first, second);
    }
}
