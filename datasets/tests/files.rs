//! Holds the bundled files to what the manifest says of them.

use std::borrow::Cow;

use forecast_datasets::{all, find};

#[test]
fn every_file_agrees_with_the_manifest() {
    for dataset in all().unwrap() {
        let text = std::str::from_utf8(dataset.bytes().unwrap()).unwrap();
        assert!(!text.contains('"'), "{}: a quoted cell", dataset.file);
        let mut lines = text.lines();
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        let names = dataset.columns.iter().map(|column| column.name.as_str());
        let documented: Vec<_> = std::iter::once(dataset.time_column.as_str()).chain(names).collect();
        assert_eq!(header, documented, "{}", dataset.file);
        let n_cells: Vec<_> = lines.map(|line| line.split(',').count()).collect();
        assert_eq!(n_cells.len(), dataset.rows, "{}", dataset.file);
        assert!(n_cells.iter().all(|&n| n == header.len()), "{}", dataset.file);
    }
}

#[test]
fn columns_hold_numbers_unless_their_unit_is_category() {
    for dataset in all().unwrap() {
        let text = std::str::from_utf8(dataset.bytes().unwrap()).unwrap();
        for line in text.lines().skip(1) {
            for (cell, column) in line.split(',').skip(1).zip(&dataset.columns) {
                let is_number = cell.parse::<f64>().is_ok_and(f64::is_finite);
                let is_as_documented = cell.is_empty() || is_number == (column.unit != "category");
                assert!(is_as_documented, "{} {}: {cell}", dataset.file, column.name);
            }
        }
    }
}

#[test]
fn electricity_differs_from_its_file_in_exactly_the_three_blank_rows() {
    let dataset = find("electricity").unwrap();
    let csv = dataset.csv().unwrap();
    let (file, csv) = (std::str::from_utf8(dataset.bytes().unwrap()), std::str::from_utf8(&csv));
    let (file, csv): (Vec<_>, Vec<_>) =
        (file.unwrap().split_inclusive('\n').collect(), csv.unwrap().split_inclusive('\n').collect());
    assert_eq!(file.len(), csv.len());
    let changed: Vec<_> = file.iter().zip(&csv).filter(|(a, b)| a != b).collect();
    let expected = [
        (&"2012-03-25 01:00:00,54.15\n", &"2012-03-25 01:00:00,\n"),
        (&"2013-03-31 01:00:00,54.707\n", &"2013-03-31 01:00:00,\n"),
        (&"2014-03-30 01:00:00,5.847\n", &"2014-03-30 01:00:00,\n"),
    ];
    assert_eq!(changed, expected);
}

/// The three blanked hours are the only outliers at the low end: the next smallest load is
/// seventeen times the largest of them.
#[test]
fn no_other_hour_of_electricity_is_near_zero() {
    let csv = find("electricity").unwrap().csv().unwrap();
    let text = std::str::from_utf8(&csv).unwrap();
    let loads = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse().ok());
    assert!(loads.fold(f64::INFINITY, f64::min) > 900.0);
}

#[test]
fn sets_without_missing_stamps_are_not_copied() {
    for dataset in all().unwrap().iter().filter(|dataset| dataset.missing_at.is_empty()) {
        assert!(matches!(dataset.csv().unwrap(), Cow::Borrowed(_)), "{}", dataset.name);
    }
}
