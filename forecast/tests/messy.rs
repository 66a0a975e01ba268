//! Files as people keep them: each either reads, and the report names its defects, or fails and names the fix, and
//! reading with that fix works.
//!
//! The files are not part of the project. They lie in the folder that the environment variable
//! `LONGCAST_REFERENCE` names; without it the tests say so and check nothing.
//!
//! Expected numbers were counted with pandas, for a file with the time column `t`:
//!
//! ```python
//! s = pandas.to_datetime(pandas.read_csv(file, sep=sep)[t])
//! late = (s < s.cummax().shift()).sum()            # out of order
//! duplicates = s.duplicated().sum()
//! d = s.sort_values().diff(); step = d[d > 0 * d].mode()[0]
//! absent = (s.max() - s.min()) / step + 1 - s.nunique()
//! longest = d.max() / step - 1                     # and s.sort_values()[d.idxmax()], where it ends
//! missing = frame[channel].isna().sum()
//! resampled = frame.resample("1h", on=t).mean()     # where stamps lie off the grid; its sum and its gaps
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

use std::path::{Path, PathBuf};

use forecast::data::{Aggregation, Duplicates, Format, Quality};
use forecast::{Panel, ReadOptions};

/// What reading has to refuse, with the words that name defect and fix, and the fix.
type Refusal = (&'static [&'static str], fn(ReadOptions) -> ReadOptions);

/// What is known of a file.
struct File {
    name: &'static str,
    /// From the defaults on, each with the fixes before it.
    refusals: &'static [Refusal],
    rows: usize,
    channels: usize,
    step: &'static str,
    steps: usize,
    start: &'static str,
    absent: usize,
    duplicates: usize,
    out_of_order: usize,
    /// The sum of the first channel, where it was resampled.
    sum: Option<f64>,
    /// Missing values of the first channel, and its longest gap: steps, first stamp and last stamp.
    missing: usize,
    longest_gap: Option<(usize, &'static str, &'static str)>,
    /// Notes that the report has to hold.
    notes: &'static [&'static str],
}

/// A file without a defect.
const fn complete(
    name: &'static str,
    rows: usize,
    channels: usize,
    step: &'static str,
    start: &'static str,
) -> File {
    File {
        name,
        refusals: &[],
        rows,
        channels,
        step,
        steps: rows,
        start,
        absent: 0,
        duplicates: 0,
        out_of_order: 0,
        sum: None,
        missing: 0,
        longest_gap: None,
        notes: &[],
    }
}

const REPEATED: &[&str] = &["rows for 2014-", "keep one of them with --duplicates first, last or mean"];
const OFF_GRID: &[&str] = &["is irregular: 201", "--freq 1h --aggregate mean"];

fn keep_first(options: ReadOptions) -> ReadOptions {
    ReadOptions { duplicates: Duplicates::Merge(Aggregation::First), ..options }
}

fn to_hours(options: ReadOptions) -> ReadOptions {
    ReadOptions { freq: Some("1h".parse().unwrap()), aggregate: Some(Aggregation::Mean), ..options }
}

fn files() -> Vec<File> {
    vec![
        complete("ETT/ETTh1.csv", 17_420, 7, "1h", "2016-07-01 00:00:00"),
        complete("ETT/ETTh2.csv", 17_420, 7, "1h", "2016-07-01 00:00:00"),
        complete("ETT/ETTm1.csv", 69_680, 7, "15min", "2016-07-01 00:00:00"),
        // Written as 1990/1/1 0:00.
        complete("exchange_rate/exchange_rate.csv", 7_588, 8, "1D", "1990-01-01 00:00:00"),
        complete("illness/national_illness.csv", 966, 7, "7D", "2002-01-01 00:00:00"),
        File {
            absent: 11_976,
            missing: 11_976,
            steps: 52_551,
            longest_gap: Some((7_386, "2014-08-08 02:00:00", "2015-06-11 19:00:00")),
            notes: &[
                "column \"weather_main\" is not numbers and not used",
                "column \"holiday\" is not numbers and not used",
                "series \"series\" has no row for 7386 steps (",
                "from 2014-08-08 02:00:00 to 2015-06-11 19:00:00",
            ],
            ..complete("messy/metro_traffic_hourly.csv", 40_575, 5, "1h", "2012-10-02 09:00:00")
        },
        File {
            missing: 2_335,
            longest_gap: Some((2_328, "2018-06-01 09:00:00", "2018-09-06 08:00:00")),
            ..complete("messy/seattle_trail_burke_gilman.csv", 52_584, 5, "1h", "2014-01-01 00:00:00")
        },
        File {
            refusals: &[(OFF_GRID, to_hours)],
            steps: 1_660,
            absent: 879,
            missing: 879,
            longest_gap: Some((24, "2015-08-22 17:00:00", "2015-08-23 16:00:00")),
            sum: Some(217_067.001_190),
            ..complete("nab/TravelTime_387.csv", 2_500, 1, "1h", "2015-07-10 14:00:00")
        },
        complete("nab/Twitter_volume_AMZN.csv", 15_831, 1, "5min", "2015-02-26 21:42:53"),
        File {
            steps: 7_888,
            absent: 621,
            missing: 621,
            longest_gap: Some((173, "2014-04-03 10:00:00", "2014-04-10 14:00:00")),
            ..complete("nab/ambient_temperature_system_failure.csv", 7_267, 1, "1h", "2013-07-04 00:00:00")
        },
        complete("nab/ec2_cpu_utilization_5f5533.csv", 4_032, 1, "5min", "2014-02-14 14:27:00"),
        File {
            refusals: &[(REPEATED, keep_first), (OFF_GRID, to_hours)],
            steps: 395,
            absent: 1,
            duplicates: 11,
            missing: 1,
            longest_gap: Some((1, "2014-03-09 02:00:00", "2014-03-09 02:00:00")),
            sum: Some(2_594_231_869.183_333),
            ..complete("nab/ec2_disk_write_bytes_1ef3de.csv", 4_730, 1, "1h", "2014-03-01 17:00:00")
        },
        File {
            refusals: &[(REPEATED, keep_first), (OFF_GRID, to_hours)],
            steps: 395,
            absent: 1,
            duplicates: 11,
            missing: 1,
            longest_gap: Some((1, "2014-03-09 02:00:00", "2014-03-09 02:00:00")),
            sum: Some(46_793_341.686_667),
            ..complete("nab/ec2_network_in_5abac7.csv", 4_730, 1, "1h", "2014-03-01 17:00:00")
        },
        File {
            steps: 4_040,
            absent: 8,
            missing: 8,
            longest_gap: Some((1, "2014-04-10 11:34:00", "2014-04-10 11:34:00")),
            ..complete("nab/elb_request_count_8c0756.csv", 4_032, 1, "5min", "2014-04-10 00:04:00")
        },
        File {
            // An hour comes twice, the second time behind the first.
            refusals: &[(REPEATED, keep_first)],
            steps: 22_683,
            duplicates: 12,
            out_of_order: 11,
            ..complete("nab/machine_temperature_system_failure.csv", 22_695, 1, "5min", "2013-12-02 21:15:00")
        },
        File {
            refusals: &[(OFF_GRID, to_hours)],
            steps: 220,
            absent: 34,
            missing: 34,
            longest_gap: Some((6, "2015-09-13 00:00:00", "2015-09-13 05:00:00")),
            sum: Some(11_999.179_434),
            ..complete("nab/speed_7578.csv", 1_127, 1, "1h", "2015-09-08 11:00:00")
        },
        File {
            steps: 1_200,
            absent: 53,
            missing: 53,
            longest_gap: Some((1, "2020-03-09 10:14:51", "2020-03-09 10:14:51")),
            notes: &["cells are separated by semicolons"],
            ..complete("skab/valve1_0.csv", 1_147, 10, "1s", "2020-03-09 10:14:33")
        },
        // Written as 1/1/2010 0:00.
        File {
            notes: &["dates are read as month, day, year"],
            ..complete("wth/WTH.csv", 35_064, 12, "1h", "2010-01-01 00:00:00")
        },
        complete("yosemite/yosemite_temps.csv", 18_721, 1, "5min", "2017-05-01 00:00:00"),
    ]
}

/// Files that are not tables; the test below rewrites them as their errors say.
const OTHER_SHAPES: [&str; 2] = ["uplot/bench_data.json", "uplot/traffic.json"];

fn folder() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("LONGCAST_REFERENCE").map(PathBuf::from) else {
        eprintln!("skipped: no folder of reference data; name it with LONGCAST_REFERENCE");
        return None;
    };
    if !folder.is_dir() {
        eprintln!("skipped: there is no folder {}, which LONGCAST_REFERENCE names", folder.display());
        return None;
    }
    Some(folder)
}

fn refused(path: &Path, options: &ReadOptions) -> String {
    match Panel::read(path, options) {
        Ok(_) => panic!("{} should have been refused", path.display()),
        Err(error) => {
            assert!(error.is_user_error(), "{error}");
            error.to_string()
        }
    }
}

fn check(folder: &Path, file: &File) {
    let path = folder.join(file.name);
    let mut options = ReadOptions::default();
    for (words, fix) in file.refusals {
        let message = refused(&path, &options);
        for word in *words {
            assert!(message.contains(word), "{}: {message}", file.name);
        }
        options = fix(options);
    }
    let panel = Panel::read(&path, &options).unwrap_or_else(|error| panic!("{}: {error}", file.name));
    let quality = Quality::of(&panel);
    let ([series], [first, ..]) = (&quality.series[..], &quality.series[0].channels[..]) else {
        panic!("{}: {} series", file.name, quality.series.len())
    };
    let found = (quality.step.to_string(), panel.channels().len(), series.start.clone());
    assert_eq!(found, (file.step.to_string(), file.channels, file.start.to_string()), "{}", file.name);
    assert_eq!(
        (quality.n_rows, series.n_rows, series.n_steps),
        (file.rows, file.rows, file.steps),
        "{}",
        file.name
    );
    assert_eq!(
        (series.n_absent, series.n_duplicates, series.n_out_of_order),
        (file.absent, file.duplicates, file.out_of_order),
        "{}",
        file.name
    );
    let gap = file.longest_gap.map(|(len, from, to)| (len, Some((from.to_string(), to.to_string()))));
    assert_eq!((first.longest_gap, first.longest_gap_at.clone()), gap.unwrap_or_default(), "{}", file.name);
    assert_eq!(
        (first.n_missing, first.n_observed),
        (file.missing, file.steps - file.missing),
        "{}",
        file.name
    );
    if let Some(sum) = file.sum {
        let found: f64 = panel.series()[0].values().column(0).iter().filter(|v| !v.is_nan()).sum();
        assert!((found - sum).abs() < 1e-12 * sum.abs() + 1e-6, "{}: {found} is not {sum}", file.name);
    }
    let notes = quality.notes.join("\n");
    for note in file.notes {
        assert!(notes.contains(note), "{}: {notes}", file.name);
    }
}

#[test]
fn every_file_reads_with_a_report_of_its_defects_or_names_the_fix_that_reads_it() {
    let Some(folder) = folder() else { return };
    files().iter().for_each(|file| check(&folder, file));
}

#[test]
fn no_file_of_the_folder_is_left_unchecked() {
    let Some(folder) = folder() else { return };
    let known: Vec<&str> = files().iter().map(|file| file.name).chain(OTHER_SHAPES).collect();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let below = entry.unwrap().path();
        for file in std::fs::read_dir(&below).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&folder).unwrap().to_string_lossy().to_string();
            if name.contains("LICENSE") || Format::of_path(&path).is_err() || known.contains(&name.as_str()) {
                continue;
            }
            // A new one: whatever it is, it reads, or its message says what to write.
            if let Err(error) = Panel::read(&path, &ReadOptions::default()) {
                let message = error.to_string();
                let names_fix = ["--", "write ", "give ", "leave "].iter().any(|fix| message.contains(fix));
                assert!(error.is_user_error() && names_fix, "{name}: {message}");
            }
        }
    }
}

/// One object a row, as the error says.
fn as_rows(names: &[&str], rows: impl Iterator<Item = Vec<serde_json::Value>>) -> Vec<u8> {
    let row = |cells: Vec<serde_json::Value>| {
        // Not as a map, which would sort the keys.
        let cells = names.iter().zip(cells).map(|(name, cell)| format!("\"{name}\":{cell}"));
        format!("{{{}}}\n", cells.collect::<Vec<_>>().join(","))
    };
    rows.map(row).collect::<String>().into_bytes()
}

#[test]
fn json_of_other_shapes_says_how_to_write_rows_and_those_read() {
    let Some(folder) = folder() else { return };
    let [flat, columns] = OTHER_SHAPES.map(|name| {
        let message = refused(&folder.join(name), &ReadOptions::default());
        assert!(message.contains("row 1 is ") && message.contains("write one object a row"), "{message}");
        let text = std::fs::read(folder.join(name)).unwrap();
        serde_json::from_slice::<Vec<serde_json::Value>>(&text).unwrap()
    });
    // The number of columns, their names, and the cells row by row: 55,550 minutes since 1970.
    let names: Vec<&str> = flat[1..8].iter().map(|name| name.as_str().unwrap()).collect();
    let rows = as_rows(&names, flat[8..].chunks(7).map(<[_]>::to_vec));
    let options = ReadOptions { time_column: Some("epoch".to_string()), ..ReadOptions::default() };
    let panel = Panel::read_bytes(&rows, "bench_data", &options).unwrap();
    assert_eq!(
        (panel.channels(), panel.step()),
        (&["idl", "recv", "send", "writ", "used", "free"].map(String::from)[..], forecast::Step::Index(1))
    );
    assert_eq!((panel.series()[0].n_steps(), panel.series()[0].index().start), (55_550, 26_107_560));

    // Hours since 1970 in seconds, then values of three series; 48 of those have no stamp.
    let column = |at: usize| columns[at].as_array().unwrap();
    let cells = (0..column(0).len()).map(|row| (0..4).map(|at| column(at)[row].clone()).collect());
    let rows = as_rows(&["ds", "a", "b", "c"], cells);
    let panel = Panel::read_bytes(&rows, "traffic", &ReadOptions::default()).unwrap();
    assert_eq!((panel.step().to_string().as_str(), panel.series()[0].n_steps()), ("1h", 8_712));
    let index = panel.series()[0].index();
    assert_eq!(index.format(index.start), "2019-01-01T06:00:00Z");
    assert!(panel.report().notes.iter().any(|note| note.contains("an epoch in s")));
}
