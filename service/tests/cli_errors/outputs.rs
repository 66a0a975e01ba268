//! Outputs that cannot be written: said early where it can be known, and nothing stays behind.

use crate::refusal::{fitted, refused};
use crate::run::Folder;

#[test]
fn an_unknown_extension_is_refused_before_anything_is_read() {
    let folder = fitted("extension");
    // The model and the data are not there: what is said shows what is looked at first.
    for arguments in [
        "forecast gone.longcast -o week.xlsx",
        "coef gone.longcast -o week.xlsx",
        "explain gone.longcast -o week.xlsx",
        "backtest gone.csv -o week.xlsx",
        "backtest gone.csv --scores week.xlsx",
        "backtest gone.csv --scores-by-step week.xlsx",
        "backtest gone.csv --errors week.xlsx",
    ] {
        refused(&folder, arguments, &["week.xlsx", "csv, tsv, parquet, arrow"]);
    }
    refused(&folder, "forecast gone.longcast --format xlsx", &["xlsx", "csv, tsv, parquet, arrow"]);
    refused(&folder, "forecast load.longcast -o week", &["\"week\"", "csv, tsv, parquet, arrow"]);
}

#[test]
fn a_data_set_is_written_as_csv_alone() {
    let folder = Folder::new("export-as");
    for file in ["load.parquet", "load.jsonl", "load.csv.gz"] {
        let said = format!("output is {file}, but a data set is written as CSV");
        refused(&folder, &format!("data export pv -o {file}"), &[&said, "longcast clean FILE.csv -o"]);
        assert!(!folder.join(file).exists());
    }
    folder.run("data export pv -o load").succeeded();
}

#[test]
fn a_missing_folder_is_named() {
    let folder = fitted("folder");
    for (arguments, file) in [
        ("fit --order 24 load.csv -o gone/m.longcast", "gone/m.longcast"),
        ("forecast load.longcast -o gone/week.csv", "gone/week.csv"),
        ("data export pv -o gone/pv.csv", "gone/pv.csv"),
        ("plot coefficients load.longcast -o gone/lags.png", "gone/lags.png"),
        ("coef load.longcast --plot gone/lags.png", "gone/lags.png"),
        ("explain load.longcast -o gone/why.csv", "gone/why.csv"),
        ("plot missing load.csv -o gone/map.png", "gone/map.png"),
    ] {
        let said = format!("cannot write \"{file}\"");
        refused(&folder, arguments, &[&said, "make it first"]);
    }
}

#[test]
fn an_output_that_is_a_folder_is_named() {
    let folder = fitted("is-folder");
    for name in ["taken.csv", "taken.png", "taken.longcast"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    for (arguments, file) in [
        ("fit --order 24 load.csv -o taken.longcast", "taken.longcast"),
        ("forecast load.longcast -o taken.csv", "taken.csv"),
        ("data export pv -o taken.csv", "taken.csv"),
        ("plot coefficients load.longcast -o taken.png", "taken.png"),
    ] {
        refused(&folder, arguments, &[&format!("cannot write \"{file}\"")]);
    }
}

#[test]
fn a_run_with_two_outputs_writes_both_or_none() {
    let folder = fitted("both");
    for arguments in [
        "forecast load.longcast --horizon 2 -o week.csv --plot gone/week.png",
        "forecast load.longcast --horizon 2 --plot gone/week.png",
        "backtest load.csv --horizon 6 --n-windows 2 -o folds.csv --scores gone/scores.csv",
        "backtest load.csv --horizon 6 --n-windows 2 -o folds.csv --plot gone/folds.png",
        "backtest load.csv --horizon 6 --n-windows 2 --scores scores.csv --plot-horizon gone/steps.png",
        "inspect load.csv --plot gone/map.png",
    ] {
        let before = folder.contents();
        let run = folder.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments}");
        assert!(run.stderr.contains("cannot write \"gone/"), "{arguments}: {}", run.stderr);
        assert!(before == folder.contents(), "{arguments} left {:?}", folder.names());
    }
}

#[test]
fn a_file_that_was_there_stays_as_it_was() {
    let folder = fitted("stays");
    folder.write("keep.csv", "mine\n");
    folder.write("keep.longcast", "mine\n");
    refused(&folder, "fit --order 500 load.csv -o keep.longcast", &["600 steps"]);
    refused(&folder, "forecast load.longcast --horizon 2000000 -o keep.csv", &["horizon"]);
    refused(&folder, "backtest load.csv --n-windows 500 -o keep.csv", &["500 windows"]);
}

#[test]
fn a_demo_folder_that_is_a_file_is_named() {
    let folder = fitted("demo-file");
    refused(&folder, "demo -o load.csv", &["load.csv"]);
}

#[test]
fn a_run_never_writes_over_what_it_reads_or_writes_already() {
    let folder = fitted("collide");
    for arguments in [
        "fit --order 24 load.csv -o load.csv",
        "forecast load.longcast load.csv -o ./load.csv",
        "forecast load.longcast -o load.longcast --format csv",
        "backtest load.csv --horizon 4 --n-windows 2 -o same.csv --scores same.csv",
        "backtest load.csv --horizon 4 --n-windows 2 --errors ./same.csv --scores-by-step same.csv",
    ] {
        refused(&folder, arguments, &["by this run already"]);
    }
}
