//! What is written reads back: the same bits, the same stamps, in any order of rows.

use std::path::PathBuf;

use forecast::data::{Cells, Format, TimeIndex, Zone, encode};
use forecast::{Panel, ReadOptions, Step};

use crate::random::Draws;
use crate::{bits, grid, long_table, panel, rows_at, stamp_cells};

const FORMATS: [(Format, &str); 3] =
    [(Format::Csv, "csv"), (Format::Parquet, "parquet"), (Format::Arrow, "arrow")];

/// Writes a table to a file of its own and reads it as a user would.
fn written_and_read(table: &[(String, Cells)], format: (Format, &str), zone: &Zone, case: &str) -> Panel {
    let name = format!("longcast-round-trip-{case}-{}.{}", std::process::id(), format.1);
    let path: PathBuf = std::env::temp_dir().join(name);
    std::fs::write(&path, encode(table, format.0).unwrap()).unwrap();
    let zone = (*zone != Zone::Local).then(|| zone.clone());
    let panel = Panel::read(&path, &ReadOptions { zone, ..ReadOptions::default() });
    std::fs::remove_file(&path).unwrap();
    panel.unwrap()
}

/// Series with ids, starts, lengths and values at random, all of one step.
fn random_panel(draws: &mut Draws) -> Panel {
    let (step, zone) = draws.one_of(&[
        ("1s", ""),
        ("20ms", ""),
        ("15min", "Europe/Rome"),
        ("1h", "Europe/Rome"),
        ("1h", "America/New_York"),
        ("1D", "Europe/Rome"),
        ("7D", ""),
        ("1mo", ""),
        ("1q", "Europe/Rome"),
        ("1", ""),
        ("5", ""),
    ]);
    let mut step: Step = step.parse().unwrap();
    if zone == "Europe/Rome" && step == "1D".parse().unwrap() {
        // In a zone with daylight saving, a day is a calendar day.
        step = Step::Days(1);
    }
    let ids = ["pump 7", "a,b", "with \"quotes\"", "Żółć", "two\nlines", "-"];
    let n_series = draws.between(1, ids.len());
    let series: Vec<(String, TimeIndex, Vec<f64>)> = ids[..n_series]
        .iter()
        .map(|id| {
            // Two years of months tell months from days.
            let len = draws.between(24, 60);
            // Over clock changes in March, and in November, of both zones.
            let month = draws.one_of(&["2024-03", "2023-10", "2024-11"]);
            let mut index = grid(step, zone, &format!("{month}-01T00:00:00"), len);
            if matches!(step, Step::Index(_)) {
                index.start = draws.between(0, 1000) as i64 - 500;
            }
            let mut values: Vec<f64> =
                (0..len).map(|_| if draws.chance(15) { f64::NAN } else { draws.finite() }).collect();
            values[0] = draws.finite();
            ((*id).to_string(), index, values)
        })
        .collect();
    panel(&series)
}

fn assert_same(read: &Panel, written: &Panel, case: &str) {
    assert_eq!(read.series().len(), written.series().len(), "{case}");
    assert_eq!(read.step(), written.step(), "{case}");
    for series in written.series() {
        let found = read.series().iter().find(|found| found.id() == series.id());
        let found = found.unwrap_or_else(|| panic!("{case}: {} is lost", series.id()));
        assert_eq!(found.index(), series.index(), "{case}: {}", series.id());
        assert_eq!(bits(found.values()), bits(series.values()), "{case}: {}", series.id());
    }
}

#[test]
fn a_panel_written_in_long_form_reads_back_the_same_bits_and_index() {
    for seed in 0..60 {
        let written = random_panel(&mut Draws::new(seed));
        let zone = &written.series()[0].index().zone;
        for format in FORMATS {
            let read = written_and_read(&long_table(&written), format, zone, "long");
            assert_same(&read, &written, &format!("seed {seed}, {}", format.1));
            let ids = |panel: &Panel| panel.series().iter().map(|s| s.id().to_string()).collect::<Vec<_>>();
            assert_eq!(ids(&read), ids(&written), "seed {seed}, {}", format.1);
        }
    }
}

#[test]
fn shuffled_rows_read_the_same_as_sorted_ones() {
    for seed in 0..30 {
        let mut draws = Draws::new(1_000 + seed);
        let written = random_panel(&mut draws);
        let zone = &written.series()[0].index().zone;
        let table = long_table(&written);
        let n_rows = written.series().iter().map(|series| series.n_steps()).sum();
        let shuffled = rows_at(&table, &draws.shuffled(n_rows));
        for format in FORMATS {
            let read = written_and_read(&shuffled, format, zone, "shuffled");
            assert_same(&read, &written, &format!("seed {seed}, {}", format.1));
            // Nothing is repaired silently.
            assert!(read.report().counts.iter().all(|counts| counts.out_of_order > 0), "seed {seed}");
        }
    }
}

#[test]
fn a_series_of_several_channels_written_in_wide_form_reads_back_the_same_bits() {
    for seed in 0..20 {
        let mut draws = Draws::new(2_000 + seed);
        let index = grid(Step::Nanos(60_000_000_000), "", "2024-02-28T23:30:00", draws.between(3, 90));
        let names = ["kW", "°C", "m3/h"];
        let channels: Vec<Vec<f64>> =
            names.iter().map(|_| (0..index.len).map(|_| draws.finite()).collect()).collect();
        let mut table = vec![("date".to_string(), stamp_cells(&index, index.stamps().collect()))];
        let numbers = names.iter().zip(&channels);
        table.extend(numbers.map(|(name, values)| ((*name).to_string(), Cells::Numbers(values.clone()))));
        for format in FORMATS {
            let read = written_and_read(&table, format, &Zone::Local, "wide");
            assert_eq!(read.channels(), names, "seed {seed}, {}", format.1);
            assert_eq!(read.series()[0].index(), &index, "seed {seed}, {}", format.1);
            for (column, values) in read.series()[0].values().columns().into_iter().zip(&channels) {
                assert_eq!(bits(column), bits(values), "seed {seed}, {}", format.1);
            }
        }
    }
}

#[test]
fn absent_rows_become_missing_steps_and_are_counted() {
    for seed in 0..30 {
        let mut draws = Draws::new(3_000 + seed);
        let whole = random_panel(&mut draws);
        let zone = &whole.series()[0].index().zone;
        let mut kept = Vec::new();
        let mut absent = Vec::new();
        let mut row = 0;
        for series in whole.series() {
            let before = absent.len();
            for step in 0..series.n_steps() {
                // Ends say how far the grid reaches, so they stay.
                let is_end = step == 0 || step + 1 == series.n_steps();
                if !is_end && draws.chance(10) {
                    absent.push((series.id().to_string(), step));
                } else {
                    kept.push(row);
                }
                row += 1;
            }
            assert!(absent.len() - before < series.n_steps() / 2, "a grid needs its step to be frequent");
        }
        let read = written_and_read(&rows_at(&long_table(&whole), &kept), FORMATS[0], zone, "absent");
        for (found, (series, counts)) in
            read.series().iter().zip(whole.series().iter().zip(&read.report().counts))
        {
            let gaps: Vec<usize> =
                absent.iter().filter(|(id, _)| id == series.id()).map(|(_, step)| *step).collect();
            assert_eq!(found.index(), series.index(), "seed {seed}");
            assert_eq!((counts.absent, counts.rows), (gaps.len(), series.n_steps() - gaps.len()));
            let mut expected = series.values().column(0).to_vec();
            gaps.iter().for_each(|step| expected[*step] = f64::NAN);
            assert_eq!(bits(found.values()), bits(&expected), "seed {seed}");
        }
    }
}

#[test]
fn columns_of_different_lengths_are_not_written() {
    for format in [Format::Csv, Format::Parquet, Format::Arrow, Format::Json] {
        let columns = [(1, 3), (3, 1), (2, 3)].map(|(a, b)| {
            let numbers = |n: usize| Cells::Numbers(vec![1.5; n]);
            [("a".to_string(), numbers(a)), ("b".to_string(), numbers(b))]
        });
        for table in columns {
            assert!(encode(&table, format).is_err(), "{format:?}");
        }
    }
}
