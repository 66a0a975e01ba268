//! Data files that cannot be read or fitted.

use crate::refusal::refused;
use crate::run::{Folder, hourly, wave};

/// Refuses to fit `bytes` as `data.csv`, with all of `parts` in the message.
fn check(name: &str, bytes: impl AsRef<[u8]>, flags: &str, parts: &[&str]) {
    let folder = Folder::new(name);
    folder.write("data.csv", bytes);
    refused(&folder, &format!("fit {flags} data.csv -o m.longcast"), parts);
}

/// 600 hours with one line of the file replaced; line 0 is the header.
fn with_line(at: usize, line: &str) -> String {
    let csv = hourly(&wave(600, 1));
    let mut lines: Vec<&str> = csv.lines().collect();
    lines[at] = line;
    lines.join("\n") + "\n"
}

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new("gone");
    for command in ["fit -o m.longcast", "inspect", "backtest", "plot missing -o m.png"] {
        refused(&folder, &format!("{command} gone.csv"), &["cannot read \"gone.csv\"", "check the path"]);
    }
    folder.write("data.xlsx", "PK");
    refused(&folder, "inspect data.xlsx", &["data.xlsx", "csv, tsv, parquet, arrow"]);
    refused(&folder, "inspect .", &["\".\""]);
}

#[test]
fn text_that_is_not_utf8_is_named_by_line_and_byte() {
    check("latin", b"ds,y\n2024-01-01,1\n2024-01-02,caf\xe9\n", "", &["data.csv", "UTF-8", "line 3", "0xe9"]);
}

#[test]
fn a_file_without_a_time_column_lists_its_columns() {
    check("no-time", with_line(0, "hour,kwh"), "", &["no time column", "hour, kwh", "--time-col"]);
    check("no-such", with_line(0, "ds,y"), "--time-col hour", &["no column \"hour\"", "ds, y"]);
    check("no-target", with_line(0, "ds,y"), "--target-col load", &["no column \"load\"", "ds, y"]);
}

#[test]
fn an_unreadable_stamp_is_named_by_row_and_value() {
    for (at, stamp) in [(1, "yesterday"), (42, "2024-13-01 00:00:00"), (600, "2024-01-25 25:00:00"), (7, "")]
    {
        let row = format!("row {at}");
        let value = format!("\"{stamp}\"");
        let parts = ["data.csv", row.as_str(), value.as_str(), "\"ds\"", "2024-05-31"];
        check(&format!("stamp-{at}"), with_line(at, &format!("{stamp},3")), "", &parts);
    }
}

#[test]
fn a_cell_that_is_not_a_number_is_named_wherever_it_stands() {
    for (n, at) in [(600, 78), (3000, 2500)] {
        let csv = hourly(&wave(n, 1));
        let mut lines: Vec<String> = csv.lines().map(String::from).collect();
        let stamp = lines[at].split(',').next().unwrap().to_string();
        lines[at] = format!("{stamp},offline");
        let row = format!("row {at}");
        check(&format!("cell-{at}"), lines.join("\n") + "\n", "", &["data.csv", "offline", "\"y\"", &row]);
    }
}

#[test]
fn duplicate_stamps_are_named_and_the_flag_that_the_message_offers_works() {
    let folder = Folder::new("duplicates");
    let csv = hourly(&wave(600, 1));
    let mut lines: Vec<&str> = csv.lines().collect();
    lines.insert(6, lines[5]);
    folder.write("data.csv", lines.join("\n") + "\n");
    let parts = ["series \"y\"", "2 rows", "2024-01-01 04:00:00", "--duplicates first, last or mean"];
    for command in ["fit -o m.longcast", "inspect", "backtest"] {
        refused(&folder, &format!("{command} data.csv"), &parts);
    }
    refused(
        &folder,
        "inspect data.csv --duplicates all",
        &["\"all\"", "error, mean, sum, first, last, min, max or count"],
    );
    for policy in ["first", "last", "mean"] {
        let run = folder.run(&format!("inspect data.csv --duplicates {policy}")).succeeded();
        assert!(run.stderr.contains("1 duplicate"), "{}", run.stderr);
        folder.run(&format!("fit --order 24 data.csv --duplicates {policy} -o m.longcast")).succeeded();
    }
}

#[test]
fn duplicates_are_looked_for_within_a_series() {
    let folder = Folder::new("per-series");
    let rows = |id: &str| -> String {
        let csv = hourly(&wave(100, 1));
        csv.lines().skip(1).map(|line| format!("{id},{line}\n")).collect()
    };
    folder.write("data.csv", format!("unique_id,ds,y\n{}{}", rows("a"), rows("b")));
    folder.run("inspect data.csv").succeeded();
    folder.write("twice.csv", format!("unique_id,ds,y\n{}{}{}", rows("a"), rows("b"), rows("b")));
    refused(&folder, "inspect twice.csv", &["series \"b\"", "2024-01-01 00:00:00"]);
}

#[test]
fn an_infinite_value_is_named_by_series_channel_and_stamp() {
    for infinite in ["inf", "-inf", "Infinity", "1e999"] {
        let csv = with_line(301, &format!("2024-01-13 12:00:00,{infinite}"));
        let parts = ["series \"y\"", "infinite", "2024-01-13 12:00:00", "leave the cell empty"];
        check(&format!("infinite{infinite}"), csv, "", &parts);
    }
}

#[test]
fn a_constant_series_is_named_with_its_value_and_the_model_that_the_message_offers_works() {
    let folder = Folder::new("constant");
    folder.write("data.csv", hourly(&[5.25; 600]));
    let parts = ["series \"y\"", "constant", "are 5.25", "--model naive"];
    refused(&folder, "fit data.csv -o m.longcast", &parts);
    refused(&folder, "backtest data.csv", &parts[..2]);
    folder.run("fit --model naive data.csv -o m.longcast").succeeded();
    let run = folder.run("forecast m.longcast --horizon 2 --level 80").succeeded();
    assert!(run.text().ends_with(",5.25,5.25,5.25\n"), "{}", run.text());
}

#[test]
fn a_series_that_is_too_short_gets_both_numbers_and_the_longest_lookback() {
    let folder = Folder::new("short");
    folder.write("data.csv", hourly(&wave(90, 1)));
    let parts = ["series \"y\" has 90 steps", "lookback 96", "horizon 24", "120", "lookback of at most 66"];
    refused(&folder, "fit --order 96 --horizon 24 data.csv -o m.longcast", &parts);
    let parts = ["90 steps", "horizon 100", "horizon below 90"];
    refused(&folder, "fit --order 24 --horizon 100 data.csv -o m.longcast", &parts);
    let parts = ["series \"y\"", "90 steps", "10 windows", "24 steps apart", "fewer windows"];
    refused(&folder, "backtest --model naive data.csv", &parts);

    folder.write("long.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 96 --horizon 24 long.csv -o m.longcast").succeeded();
    refused(&folder, "forecast m.longcast data.csv", &["series \"y\"", "90 steps", "looks back 96"]);
}

#[test]
fn a_series_without_an_observed_value_is_named() {
    let folder = Folder::new("missing");
    let rows = |id: &str, y: &str| -> String {
        hourly(&[1.0; 300]).lines().skip(1).map(|line| format!("{id},{}{y}\n", &line[..20])).collect()
    };
    folder.write("data.csv", format!("unique_id,ds,y\n{}{}", rows("a", "1.5"), rows("b", "")));
    refused(&folder, "fit --model naive data.csv -o m.longcast", &["series \"b\"", "no observed value"]);
}

#[test]
fn files_without_rows_or_steps_say_so() {
    check("empty", "", "", &["data.csv"]);
    check("header", "ds,y\n", "", &["data.csv", "no rows"]);
    check("one-row", "ds,y\n2024-01-01,1\n", "", &["1 time stamps", "--freq"]);
    let irregular = "ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,1\n2024-01-01 02:00,1\n2024-01-01 02:17,2\n";
    check("irregular", irregular, "", &["irregular", "2024-01-01 02:17:00", "--freq"]);
    let far = "ds,y\n1970-01-01 00:00:00,1\n1970-01-01 00:00:01,1\n2200-01-01 00:00:00,1\n";
    check("sparse", far, "", &["1970-01-01 00:00:00", "2200-01-01 00:00:00", "3 rows"]);
    check(
        "freq",
        with_line(0, "ds,y"),
        "--freq fortnight",
        &["\"fortnight\"", "15min", "B for business days"],
    );
    check(
        "twice",
        with_line(0, "ds,y"),
        "--freq B --open Mon-Sat",
        &["--freq B already says Mon-Fri", "--freq 1D"],
    );
    check("night", with_line(0, "ds,y"), "--open Fri22:00-02:00", &["Fri 22:00-24:00; Sat 00:00-02:00"]);
    check(
        "closed",
        with_line(0, "ds,y"),
        "--open Mon-Fri09:00-17:00",
        &["2024-01-01 00:00:00", "widen", "--open"],
    );
    check("divide", with_line(0, "ds,y"), "--freq 7h --open Mon-Fri", &["7h", "divide a day"]);
    check("zone", with_line(0, "ds,y"), "--tz Mars/Phobos", &["Mars/Phobos", "Europe/Rome"]);
    let two_targets = "unique_id,ds,load,price\na,2024-01-01,1,2\na,2024-01-02,2,3\na,2024-01-03,2,3\n";
    check("two-targets", two_targets, "", &["load, price", "--target-col"]);
}
