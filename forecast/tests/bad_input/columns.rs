//! Columns that are not there, or do not hold what they have to.

use forecast::{Panel, ReadOptions};

use crate::{refused, refused_with};

#[test]
fn no_time_column_lists_the_columns() {
    assert_eq!(
        refused("when,kW\n2024-01-01,1\n"),
        "\"load.csv\" has no time column: its columns are when, kW; name it ds, timestamp or date, or say which \
         one it is with --time-col"
    );
}

#[test]
fn a_column_that_is_not_there_lists_those_that_are() {
    let csv = "unique_id,ds,y\na,1,1\na,2,2\n";
    let missing = Some("load".to_string());
    for options in [
        ReadOptions { id_column: missing.clone(), ..ReadOptions::default() },
        ReadOptions { time_column: missing.clone(), ..ReadOptions::default() },
        ReadOptions { target_columns: vec!["y".into(), "load".into()], ..ReadOptions::default() },
    ] {
        let message = refused_with(csv, &options);
        assert_eq!(message, "\"load.csv\" has no column \"load\"; its columns are unique_id, ds, y");
    }
}

#[test]
fn no_column_of_numbers_lists_the_columns() {
    let message = refused("ds,sky\n2024-01-01,grey\n2024-01-02,blue\n");
    assert_eq!(
        message,
        "\"load.csv\" has no column of numbers to forecast: its columns are ds, sky; say which one with \
         --target-col"
    );
}

#[test]
fn several_candidates_beside_ids_are_listed() {
    let message = refused("item_id,date,price,sales\na,2024-01-01,1,2\na,2024-01-02,3,4\n");
    assert_eq!(
        message,
        "\"load.csv\" has ids in \"item_id\" and several columns of numbers (price, sales); say which one to \
         forecast with --target-col"
    );
}

/// Far down: behind the rows that decide what a column is.
#[test]
fn text_far_down_in_a_column_of_numbers_names_row_and_value() {
    for bad_row in [1_001, 2_500, 4_000] {
        let cell = |row: i32| if row == bad_row { "offline".to_string() } else { row.to_string() };
        let rows: String = (1..=4_000).map(|row| format!("{row},{}\n", cell(row))).collect();
        let message = refused(&format!("ds,y\n{rows}"));
        assert_eq!(
            message,
            format!(
                "\"load.csv\", row {bad_row}: \"offline\" in column \"y\" is not a number; leave the cell empty \
                 where the value is missing"
            )
        );
    }
}

/// Whole numbers in the rows that decide what a column is do not make it a column of whole numbers.
#[test]
fn a_fraction_far_down_in_a_column_of_whole_numbers_is_read() {
    for at in [1_001, 2_500, 4_000] {
        let cell = |row: usize| if row == at { "1.5".to_string() } else { row.to_string() };
        let rows: String = (1..=4_000).map(|row| format!("{row},{}\n", cell(row))).collect();
        let csv = format!("ds,y\n{rows}");
        let panel = Panel::read_csv(csv.as_bytes(), "load.csv", &ReadOptions::default()).unwrap();
        let value = panel.series()[0].values()[[at - 1, 0]];
        assert_eq!(value.to_bits(), 1.5f64.to_bits(), "row {at}");
    }
}

#[test]
fn text_in_a_target_that_was_asked_for_names_row_and_value() {
    let options = ReadOptions { target_columns: vec!["kW".into()], ..ReadOptions::default() };
    let message = refused_with("ds,kW\n1,10\n2,1O\n3,12\n", &options);
    assert!(message.starts_with("\"load.csv\", row 2: \"1O\" in column \"kW\" is not a number"), "{message}");
}
