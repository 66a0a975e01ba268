//! Where rows come from changes no number: formats, gzip, parts, partitions, bytes and streams give the same panel.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use forecast::data::{Aggregation, BadSeries, Cells, Duplicates, Format, SeriesReader, encode};
use forecast::{ForecastOptions, Panel, ReadOptions, Result};
use forecast_datasets::{Season, Seasonal};

use crate::random::Draws;
use crate::{ar, bits, fit, forecast_bits, grid, long_table, panel, rows_at};

const FORMATS: [(Format, &str); 6] = [
    (Format::Csv, "csv"),
    (Format::Parquet, "parquet"),
    (Format::Arrow, "arrow"),
    (Format::ArrowStream, "arrows"),
    (Format::NdJson, "ndjson"),
    (Format::Json, "json"),
];

/// A folder of this test's own, removed when it goes out of scope.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("longcast-sources-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: a folder that stays behind fails no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Hourly series with values and gaps at random.
fn random_panel(draws: &mut Draws) -> Panel {
    let series: Vec<_> = (0..draws.between(1, 5))
        .map(|at| {
            let len = draws.between(4, 40);
            let start = format!("2024-0{}-11T00:00:00", draws.between(1, 9));
            let mut values: Vec<f64> =
                (0..len).map(|_| if draws.chance(15) { f64::NAN } else { draws.finite() }).collect();
            values[0] = 0.5;
            (format!("pump {at}"), grid("1h".parse().unwrap(), "", &start, len), values)
        })
        .collect();
    panel(&series)
}

fn n_rows(panel: &Panel) -> usize {
    panel.series().iter().map(forecast::Series::n_steps).sum()
}

fn read_bytes(bytes: &[u8], format: Option<Format>) -> Panel {
    Panel::read_bytes(bytes, "bytes", &ReadOptions { format, ..ReadOptions::default() }).unwrap()
}

fn assert_same(found: &Panel, expected: &Panel, case: &str) {
    assert_eq!((found.step(), found.channels()), (expected.step(), expected.channels()), "{case}");
    let series = |panel: &Panel| {
        let one = |s: &forecast::Series| (s.id().to_string(), s.index().clone(), bits(s.values()));
        panel.series().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(series(found), series(expected), "{case}");
}

#[test]
fn every_format_gzipped_or_not_as_bytes_or_as_a_file_gives_the_same_panel() {
    let folder = Folder::new("formats");
    for seed in 0..15 {
        let expected = random_panel(&mut Draws::new(seed));
        for (format, extension) in FORMATS {
            let case = format!("seed {seed}, {extension}");
            let plain = encode(&long_table(&expected), format).unwrap();
            let packed = gzipped(&plain);
            for (bytes, suffix) in [(&plain, ""), (&packed, ".gz")] {
                let path = folder.write(&format!("load.{extension}{suffix}"), bytes);
                let file = Panel::read(path, &ReadOptions::default()).unwrap();
                assert_same(&file, &expected, &case);
                assert_same(&read_bytes(bytes, Some(format)), &expected, &case);
                // As from standard input, whose format nobody names.
                assert_same(&read_bytes(bytes, None), &expected, &case);
                assert_eq!(read_bytes(bytes, None).report().n_rows, file.report().n_rows, "{case}");
            }
        }
    }
}

/// Regularising a second time changes nothing: what was absent is missing, what was late is sorted.
#[test]
fn what_is_written_from_a_panel_of_messy_rows_reads_back_the_same_panel() {
    for seed in 100..130 {
        let mut draws = Draws::new(seed);
        let table = long_table(&random_panel(&mut draws));
        let n_rows = match &table[2].1 {
            Cells::Numbers(numbers) => numbers.len(),
            _ => panic!("values are numbers"),
        };
        let mut kept: Vec<usize> = draws.shuffled(n_rows);
        kept.truncate(n_rows - n_rows / 8);
        kept.push(kept[0]);
        let options = ReadOptions {
            freq: Some("1h".parse().unwrap()),
            duplicates: Duplicates::Merge(Aggregation::Mean),
            ..ReadOptions::default()
        };
        let (format, extension) = FORMATS[draws.between(0, FORMATS.len() - 1)];
        let messy = encode(&rows_at(&table, &kept), format).unwrap();
        let once = Panel::read_bytes(&messy, "messy", &options).unwrap();
        let again = encode(&long_table(&once), format).unwrap();
        let twice = Panel::read_bytes(&again, "again", &options).unwrap();
        assert_same(&twice, &once, &format!("seed {seed}, {extension}"));
        let counts = twice.report().counts.iter();
        assert!(counts.clone().all(|c| c.absent + c.duplicates + c.out_of_order == 0), "seed {seed}");
    }
}

#[test]
fn parts_that_a_pattern_or_a_folder_names_are_the_whole_in_any_format() {
    for seed in 200..215 {
        let mut draws = Draws::new(seed);
        let whole = random_panel(&mut draws);
        let (folder, table, n) = (Folder::new("parts"), long_table(&whole), n_rows(&whole));
        // Ends of the parts, which need not be ends of series.
        let n_parts = draws.between(1, 4).min(n);
        let mut ends: Vec<usize> = (0..n_parts - 1).map(|_| draws.between(1, n - 1)).chain([n]).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut start = 0;
        for (part, end) in ends.into_iter().enumerate() {
            let rows: Vec<usize> = (start..end).collect();
            let suffix = if draws.chance(50) { ".gz" } else { "" };
            // Stamps are text in some formats and numbers in others, so one format for all parts.
            let (format, extension) = FORMATS[(seed % 6) as usize];
            let bytes = encode(&rows_at(&table, &rows), format).unwrap();
            let bytes = if suffix == ".gz" { gzipped(&bytes) } else { bytes };
            folder.write(&format!("part-{part}.{extension}{suffix}"), &bytes);
            start = end;
        }
        for path in [folder.0.clone(), folder.0.join("part-*")] {
            let found = Panel::read(&path, &ReadOptions::default()).unwrap();
            assert_same(&found, &whole, &format!("seed {seed}, {}", path.display()));
        }
    }
}

#[test]
fn a_folder_for_each_series_is_a_column_of_ids() {
    for seed in 300..312 {
        let whole = random_panel(&mut Draws::new(seed));
        let folder = Folder::new("hive");
        let (format, extension) = FORMATS[(seed % 6) as usize];
        let table = long_table(&whole);
        let mut start = 0;
        for series in whole.series() {
            let rows: Vec<usize> = (start..start + series.n_steps()).collect();
            let part = rows_at(&table, &rows);
            let bytes = encode(&part[1..], format).unwrap();
            folder.write(&format!("unique_id={}/part.{extension}", series.id()), &bytes);
            start += series.n_steps();
        }
        let found = Panel::read(&folder.0, &ReadOptions::default()).unwrap();
        assert_same(&found, &whole, &format!("seed {seed}, {extension}"));
    }
}

#[test]
fn the_order_of_rows_of_series_and_of_channels_changes_no_number_in_any_format() {
    let load = |seed: u64| {
        let seasons = vec![Season { period: 24.0, amplitude: 20.0, phase: 0.1 * seed as f64 }];
        Seasonal { level: 100.0, slope: 0.01, seasons, noise_std: 3.0 }.generate(200, seed).unwrap()
    };
    let index = grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", 200);
    let series: Vec<_> = (0..3).map(|at| (format!("s{at}"), index.clone(), load(at))).collect();
    let table = long_table(&panel(&series));
    let options = ForecastOptions { horizon: 6, levels: vec![80.0], ..Default::default() };
    let forecasts = |panel: &Panel| {
        let mut all: Vec<_> = fit(&ar(8), panel, 6)
            .forecast(panel, &options)
            .unwrap()
            .iter()
            .map(|forecast| (forecast.series.clone(), forecast_bits(forecast)))
            .collect();
        all.sort();
        all
    };
    let wide = |order: &[usize]| {
        let stamps = crate::stamp_cells(&index, index.stamps().collect());
        let columns = order.iter().map(|at| (format!("s{at}"), Cells::Numbers(load(*at as u64))));
        std::iter::once(("ds".to_string(), stamps)).chain(columns).collect::<Vec<_>>()
    };
    let sorted_channels = ["s0", "s1", "s2"].map(String::from);
    let (expected, expected_wide) = (panel(&series), wide(&[0, 1, 2]));
    let expected_wide = read_bytes(&encode(&expected_wide, Format::Csv).unwrap(), None);
    let mut draws = Draws::new(400);
    for (format, extension) in FORMATS {
        let shuffled = encode(&rows_at(&table, &draws.shuffled(600)), format).unwrap();
        assert_eq!(forecasts(&read_bytes(&shuffled, None)), forecasts(&expected), "{extension}");
        let turned = encode(&wide(&draws.shuffled(3)), format).unwrap();
        let turned = read_bytes(&turned, None).select_channels(&sorted_channels).unwrap();
        assert_same(&turned, &expected_wide, extension);
    }
}

/// What both ways of reading say of each series: its values, or its error.
type Outcomes = Vec<(String, std::result::Result<Vec<u64>, String>)>;

fn streamed(path: &Path, options: &ReadOptions, memory: u64, shard: usize) -> Result<Outcomes> {
    let mut reader = SeriesReader::open(&[path.to_path_buf()], options, memory)?;
    let mut outcomes = Vec::new();
    while let Some(part) = reader.next_shard(shard)? {
        assert!(part.len() <= shard);
        outcomes.extend(part.into_iter().map(|outcome| {
            let series =
                outcome.series.map(|series| bits(series.values())).map_err(|error| error.to_string());
            (outcome.id, series)
        }));
    }
    Ok(outcomes)
}

#[test]
fn series_read_one_by_one_are_those_of_the_panel_for_any_shape_and_memory() {
    let folder = Folder::new("stream");
    for seed in 500..530 {
        let mut draws = Draws::new(seed);
        let table = long_table(&random_panel(&mut draws));
        let Cells::Numbers(numbers) = &table[2].1 else { panic!("values are numbers") };
        let n_rows = numbers.len();
        let order: Vec<usize> = if draws.chance(50) { draws.shuffled(n_rows) } else { (0..n_rows).collect() };
        let (format, extension) = FORMATS[draws.between(0, 5)];
        let path =
            folder.write(&format!("load.{extension}"), &encode(&rows_at(&table, &order), format).unwrap());
        let options = ReadOptions { bad_series: BadSeries::LeaveOut, ..ReadOptions::default() };
        let whole = Panel::read(&path, &options);
        let memory = (32 << 20) + (draws.between(0, 400_000) as u64);
        let found = streamed(&path, &options, memory, draws.between(1, 4));
        let case = format!("seed {seed}, {extension}, {memory} bytes");
        match (whole, found) {
            (Ok(whole), Ok(found)) => {
                let good: Vec<_> = found.iter().filter_map(|(id, s)| Some((id, s.as_ref().ok()?))).collect();
                let expected: Vec<_> =
                    whole.series().iter().map(|s| (s.id().to_string(), bits(s.values()))).collect();
                assert_eq!(good, expected.iter().map(|(id, s)| (id, s)).collect::<Vec<_>>(), "{case}");
                assert_eq!(found.len() - good.len(), whole.report().left_out.len(), "{case}");
            }
            // Too little memory is said; so is what makes the whole unusable.
            (_, Err(error)) => {
                let message = error.to_string();
                let is_told = message.contains("memory-limit") || message.contains("do not stand together");
                assert!(is_told || Panel::read(&path, &options).is_err(), "{case}: {message}");
            }
            (Err(error), Ok(_)) => panic!("{case}: {error}"),
        }
    }
}

/// A cell that is no number, or no stamp, of one series.
#[test]
fn a_bad_cell_leaves_its_series_out_and_no_other() {
    let folder = Folder::new("bad-cell");
    for seed in 600..640 {
        let mut draws = Draws::new(seed);
        let (n_series, n_steps) = (draws.between(2, 5), draws.between(3, 30));
        let (bad_series, bad_step) = (draws.between(0, n_series - 1), draws.between(1, n_steps - 1));
        let in_stamp = draws.chance(40);
        let mut rows: Vec<(usize, usize)> =
            (0..n_series).flat_map(|series| (0..n_steps).map(move |step| (series, step))).collect();
        if draws.chance(50) {
            rows.sort_by_key(|(series, step)| (*step, *series));
        }
        let line = |(series, step): &(usize, usize)| {
            let is_bad = (*series, *step) == (bad_series, bad_step);
            let stamp =
                if is_bad && in_stamp { "soon".to_string() } else { format!("2024-01-{:02}", step + 1) };
            let value = if is_bad && !in_stamp { "off".to_string() } else { format!("{series}.{step}") };
            format!("s{series},{stamp},{value}\n")
        };
        let csv = format!("unique_id,ds,y\n{}", rows.iter().map(line).collect::<String>());
        let row = rows.iter().position(|row| *row == (bad_series, bad_step)).unwrap() + 1;
        let told = match in_stamp {
            true => format!("\"t.csv\", row {row}: cannot read \"soon\" in column \"ds\" as a time stamp"),
            false => format!("\"t.csv\", row {row}: \"off\" in column \"y\" is not a number"),
        };
        let stop =
            Panel::read_bytes(csv.as_bytes(), "t.csv", &ReadOptions::default()).unwrap_err().to_string();
        assert!(stop.starts_with(&told), "seed {seed}: {stop}");
        let options = ReadOptions { bad_series: BadSeries::LeaveOut, ..ReadOptions::default() };
        let found = Panel::read_bytes(csv.as_bytes(), "t.csv", &options).unwrap();
        let [left_out] = &found.report().left_out[..] else { panic!("seed {seed}: {:?}", found.report()) };
        assert_eq!((&left_out.unique_id, &left_out.error), (&format!("s{bad_series}"), &stop), "seed {seed}");
        let good: String = rows.iter().filter(|(series, _)| *series != bad_series).map(line).collect();
        let expected = read_bytes(format!("unique_id,ds,y\n{good}").as_bytes(), Some(Format::Csv));
        let ids = |panel: &Panel| panel.series().iter().map(|s| s.id().to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&expected));
        assert_same(&found, &expected, &format!("seed {seed}"));
        let path = folder.write("t.csv", csv.as_bytes());
        for outcome in streamed(&path, &options, 1 << 30, 2).unwrap() {
            assert_eq!(outcome.1.is_err(), outcome.0 == format!("s{bad_series}"), "seed {seed}");
        }
    }
}
