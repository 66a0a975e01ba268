//! Time stamps that cannot be read, do not fit together, or lie absurdly far apart.

use forecast::data::{Aggregation, Duplicates};
use forecast::{Panel, ReadOptions};

use crate::{refused, refused_with};

#[test]
fn an_unparsable_stamp_names_row_and_value() {
    assert_eq!(
        refused("ds,y\n2024-01-01 00:00:00,1\n2024-01-01 25:00:00,2\n"),
        "\"load.csv\", row 2: cannot read \"2024-01-01 25:00:00\" in column \"ds\" as a time stamp such as \
         2024-05-31 13:45:00"
    );
    let message = refused("ds,y\nyesterday,1\ntoday,2\n");
    assert!(
        message.starts_with("\"load.csv\", row 1: cannot read \"yesterday\" in column \"ds\""),
        "{message}"
    );
}

#[test]
fn a_stamp_without_the_offset_of_the_others_is_named() {
    assert_eq!(
        refused("ds,y\n2024-01-01T00:00:00+01:00,1\n2024-01-01 01:00:00,2\n"),
        "\"load.csv\", row 2: cannot read \"2024-01-01 01:00:00\" in column \"ds\" as a time stamp with an offset \
         such as 2024-05-31T13:45:00+02:00"
    );
}

#[test]
fn a_stamp_out_of_range_names_the_range() {
    let message = refused("ds,y\n1066-10-14,1\n1066-10-15,2\n");
    assert_eq!(
        message,
        "\"load.csv\", row 1: cannot read \"1066-10-14\" in column \"ds\" as a time stamp between the years 1678 \
         and 2262"
    );
}

#[test]
fn an_empty_stamp_names_its_row() {
    for (csv, row) in [
        ("ds,y\n2024-01-01,1\n,2\n2024-01-03,3\n", 2),
        ("ds,y\n1,1\n2,2\n,3\n", 3),
        ("ds,y\n1700000000,1\n,2\n1700000120,3\n", 2),
    ] {
        let message = refused(csv);
        let expected = format!("\"load.csv\", row {row}: cannot read \"\" in column \"ds\" as ");
        assert!(message.starts_with(&expected), "{message}");
    }
}

const DUPLICATES: &str = "unique_id,ds,y\n\
    pump,2024-01-01,1\npump,2024-01-02,10\npump,2024-01-02,30\npump,2024-01-03,2\npump,2024-01-04,3\n";

#[test]
fn duplicate_stamps_name_series_stamp_and_the_policies() {
    assert_eq!(
        refused(DUPLICATES),
        "series \"pump\" has 2 rows for 2024-01-02 00:00:00; keep one of them with --duplicates first, last or mean"
    );
}

#[test]
fn every_policy_for_duplicates_keeps_what_its_name_says() {
    for (duplicates, expected) in [
        (Duplicates::Merge(Aggregation::First), 10),
        (Duplicates::Merge(Aggregation::Last), 30),
        (Duplicates::Merge(Aggregation::Mean), 20),
    ] {
        let options = ReadOptions { duplicates, ..ReadOptions::default() };
        let panel = Panel::read_csv(DUPLICATES.as_bytes(), "load.csv", &options).unwrap();
        let values: Vec<i32> = panel.series()[0].values().iter().map(|v| *v as i32).collect();
        assert_eq!(values, [1, expected, 2, 3], "{duplicates:?}");
        assert_eq!(panel.report().counts[0].duplicates, 1, "{duplicates:?}");
    }
}

#[test]
fn an_irregular_stamp_is_named_with_grid_and_start() {
    assert_eq!(
        refused(
            "ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:07,3\n2024-01-01 03:00,4\n2024-01-01 04:00,5\n"
        ),
        "series \"y\" is irregular: 2024-01-01 02:07:00 is not on the grid of 1h steps that starts at \
         2024-01-01 00:00:00; give its step with --freq, or resample it with --freq and --aggregate, for example --freq 1h --aggregate mean"
    );
}

#[test]
fn a_series_on_a_finer_grid_than_the_others_is_named() {
    let hours: String = (0..10).map(|hour| format!("a,2024-01-01 {hour:02}:00:00,1\n")).collect();
    let quarters = "b,2024-01-01 00:00:00,1\nb,2024-01-01 00:15:00,1\n";
    let message = refused(&format!("unique_id,ds,y\n{hours}{quarters}"));
    assert!(
        message.starts_with("series \"b\" is irregular: 2024-01-01 00:15:00 is not on the grid of 1h steps"),
        "{message}"
    );
}

#[test]
fn one_stamp_is_too_few_to_tell_a_step() {
    let message = refused("ds,y\n2024-01-01,1\n");
    assert!(message.starts_with("series \"y\" has 1 time stamp"), "{message}");
    assert!(
        message.ends_with("too few to tell its step; give it with --freq, for example --freq 1h"),
        "{message}"
    );
}

#[test]
fn a_step_of_the_wrong_kind_is_refused() {
    let hourly = ReadOptions { freq: Some("1h".parse().unwrap()), ..ReadOptions::default() };
    let message = refused_with("ds,y\n1,1\n2,2\n", &hourly);
    assert_eq!(message, "freq is 1h, but the time column holds integers");
    let index = ReadOptions { freq: Some("1".parse().unwrap()), ..ReadOptions::default() };
    let message = refused_with("ds,y\n2024-01-01,1\n2024-01-02,2\n", &index);
    assert_eq!(message, "freq is 1, but the time column holds time stamps");
}

/// The grids would need 16 GB to 16 EB, far more than any machine that runs this test can give.
#[test]
fn absurdly_sparse_stamps_are_refused_before_anything_is_allocated() {
    let seconds =
        "ds,y\n1970-01-01 00:00:00,1\n1970-01-01 00:00:01,2\n1970-01-01 00:00:02,3\n2100-01-01 00:00:00,4\n";
    assert_eq!(
        refused(seconds),
        "series \"y\" would need 4102444801 steps of 1s from 1970-01-01 00:00:00 to 2100-01-01 00:00:00, but only \
         4 rows were read; check its stamps or give a longer step with --freq"
    );
    for (freq, steps) in [("1s", "4102444801"), ("1ms", "4102444800001"), ("1ns", "4102444800000000001")] {
        let options = ReadOptions { freq: Some(freq.parse().unwrap()), ..ReadOptions::default() };
        let message = refused_with("ds,y\n1970-01-01,1\n2100-01-01,2\n", &options);
        assert!(message.contains(&format!("would need {steps} steps of {freq}")), "{message}");
    }
    let index = "ds,y\n1,1\n2,2\n3,3\n9000000000000000000,4\n";
    assert!(refused(index).contains("would need 9000000000000000000 steps of 1"), "{}", refused(index));
}
