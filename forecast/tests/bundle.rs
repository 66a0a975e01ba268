//! Reads every bundled data set as a user would, and counts what is known to be absent or repeated.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

use forecast::data::{Aggregation, Duplicates, RowCounts, Zone};
use forecast::{Panel, ReadOptions, Step};
use forecast_datasets::Dataset;

/// What the description of each set in the manifest says of its rows: absent and repeated stamps, and missing
/// values of the target in rows that are there.
const KNOWN: [(&str, [usize; 3]); 7] = [
    ("electricity", [0, 0, 3]),
    ("pv", [0, 0, 0]),
    ("household-power", [0, 0, 1]),
    ("metro-traffic", [104, 0, 0]),
    ("appliances", [0, 0, 0]),
    ("cycling", [64, 63, 0]),
    ("water-flow", [111, 0, 0]),
];

fn find(name: &str) -> &'static Dataset {
    forecast_datasets::find(name).unwrap()
}

/// The options that the manifest of a set implies; stamps that repeat need a policy.
fn options(dataset: &Dataset) -> ReadOptions {
    let duplicates =
        if dataset.name == "cycling" { Duplicates::Merge(Aggregation::First) } else { Duplicates::Error };
    ReadOptions {
        time_column: Some(dataset.time_column.clone()),
        target_columns: vec![dataset.target.clone()],
        duplicates,
        ..ReadOptions::default()
    }
}

fn read(dataset: &Dataset, options: &ReadOptions) -> forecast::Result<Panel> {
    Panel::read_csv(&dataset.csv().unwrap(), &dataset.file, options)
}

#[test]
fn every_set_has_the_rows_step_and_gaps_that_its_manifest_tells_of() {
    let datasets = forecast_datasets::all().unwrap();
    assert_eq!(datasets.len(), KNOWN.len());
    for (dataset, (name, [absent, duplicates, missing])) in datasets.iter().zip(KNOWN) {
        assert_eq!(dataset.name, name);
        let panel = read(dataset, &options(dataset)).unwrap();
        let [series] = panel.series() else { panic!("{name} holds one series") };
        assert_eq!((panel.channels(), series.id()), (&[dataset.target.clone()][..], &dataset.target[..]));
        assert_eq!(panel.step(), dataset.step.parse::<Step>().unwrap(), "{name}");
        assert!(panel.report().step_is_inferred, "{name}");
        let counts = RowCounts { rows: dataset.rows, duplicates, absent, ..RowCounts::default() };
        assert_eq!(panel.report().counts, [counts], "{name}");
        assert_eq!(series.n_steps(), dataset.rows - duplicates + absent, "{name}");
        assert_eq!(series.n_observed(0), dataset.rows - duplicates - missing, "{name}");
    }
}

#[test]
fn every_column_of_numbers_is_a_channel_and_every_column_of_words_is_left_out_and_said() {
    for dataset in forecast_datasets::all().unwrap() {
        let panel = read(
            dataset,
            &ReadOptions { duplicates: Duplicates::Merge(Aggregation::First), ..Default::default() },
        )
        .unwrap();
        let is_word = |column: &&forecast_datasets::Column| column.unit == "category";
        let numbers = dataset.columns.iter().filter(|column| !is_word(column));
        let expected: Vec<&str> = numbers.map(|column| column.name.as_str()).collect();
        assert_eq!(panel.channels(), expected, "{}", dataset.name);
        for column in dataset.columns.iter().filter(is_word) {
            let note = format!("column \"{}\" is not numbers and not used", column.name);
            assert!(panel.report().notes.contains(&note), "{}: {:?}", dataset.name, panel.report().notes);
        }
    }
}

#[test]
fn the_ride_that_stamps_seconds_twice_says_which_and_what_to_do() {
    let cycling = find("cycling");
    let options = ReadOptions { duplicates: Duplicates::Error, ..options(cycling) };
    assert_eq!(
        read(cycling, &options).unwrap_err().to_string(),
        "series \"power\" has 2 rows for 2020-01-01 00:40:37; keep one of them with --duplicates first, last or \
         mean"
    );
}

#[test]
fn the_skipped_hours_of_electricity_are_missing_and_nothing_else_is() {
    let panel = read(find("electricity"), &ReadOptions::default()).unwrap();
    let series = &panel.series()[0];
    let missing: Vec<String> = (0..series.n_steps())
        .filter(|step| !series.is_observed(*step, 0))
        .map(|step| series.index().format(series.index().stamp(step)))
        .collect();
    assert_eq!(missing, ["2012-03-25 01:00:00", "2013-03-31 01:00:00", "2014-03-30 01:00:00"]);
}

#[test]
fn the_one_bad_minute_of_household_power_is_missing_in_all_seven_channels() {
    let panel = read(find("household-power"), &ReadOptions::default()).unwrap();
    let series = &panel.series()[0];
    let position = |step: &usize| series.index().format(series.index().stamp(*step));
    for channel in 0..7 {
        let missing: Vec<usize> =
            (0..series.n_steps()).filter(|step| !series.is_observed(*step, channel)).collect();
        let told: Vec<String> = missing.iter().map(position).collect();
        assert_eq!(told, ["2010-10-24 15:35:00"], "{}", panel.channels()[channel]);
    }
}

#[test]
fn offsets_that_change_are_told_in_utc_and_in_a_zone_that_is_named() {
    let water = find("water-flow");
    let utc = read(water, &options(water)).unwrap();
    assert_eq!(utc.series()[0].index().zone, Zone::named("UTC").unwrap());
    assert!(utc.report().notes.iter().any(|note| note.contains("--tz")), "{:?}", utc.report().notes);

    let zone = Zone::named("Europe/Rome").unwrap();
    let rome = read(water, &ReadOptions { zone: Some(zone), ..options(water) }).unwrap();
    let index = rome.series()[0].index();
    assert_eq!(index.format(index.start), "2022-03-20T11:00:00+01:00");
    assert!(rome.report().notes.is_empty(), "{:?}", rome.report().notes);
    assert_eq!((index.len, index.start), (utc.series()[0].n_steps(), utc.series()[0].index().start));
}

#[test]
fn one_offset_throughout_is_kept() {
    let pv = find("pv");
    let panel = read(pv, &options(pv)).unwrap();
    let index = panel.series()[0].index();
    assert_eq!(index.format(index.start), "2016-07-01T00:00:00-07:00");
    assert!(panel.report().notes.is_empty(), "{:?}", panel.report().notes);
}
