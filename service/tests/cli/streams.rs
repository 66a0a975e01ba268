//! Where output goes: results to standard output, remarks to standard error, nothing else anywhere.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::run::{Folder, LIMIT, command, finish, hourly, wave};

/// A folder with data and a model.
fn fitted(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 24 --horizon 24 load.csv -o load.longcast").succeeded();
    folder.run("backtest load.csv --horizon 6 --n-windows 2 -o folds.csv").succeeded();
    folder
}

/// Every command that ends by itself, short of the demo.
const COMMANDS: [&str; 13] = [
    "data list",
    "data show electricity",
    "inspect load.csv",
    "fit --order 24 load.csv -o other.longcast",
    "forecast load.longcast --level 80",
    "forecast load.longcast load.csv",
    "coef load.longcast",
    "explain load.longcast",
    "backtest load.csv --horizon 6 --n-windows 2",
    "plot forecast load.longcast -o chart.png",
    "plot coefficients load.longcast -o chart.png",
    "plot backtest folds.csv -o chart.png",
    "completions bash",
];

#[test]
fn remarks_go_to_standard_error_and_nothing_is_coloured_or_animated() {
    let folder = fitted("remarks");
    for arguments in COMMANDS {
        let run = folder.run(arguments).succeeded();
        let all = [run.text(), &run.stderr].concat();
        assert!(!all.contains('\u{1b}') && !all.contains('\r'), "{arguments}: {all:?}");
        assert!(!run.text().contains("wrote "), "{arguments}: {}", run.text());
        assert!(!run.text().contains("(inferred)"), "{arguments}: {}", run.text());
        let reads_data = arguments.contains("load.csv");
        assert_eq!(
            run.stderr.contains("600 steps of 1h (inferred)"),
            reads_data,
            "{arguments}: {}",
            run.stderr
        );
        assert_eq!(run.stderr.contains("wrote "), arguments.contains(" -o "), "{arguments}: {}", run.stderr);
    }
}

#[test]
fn json_gives_one_document_on_standard_output_and_no_remarks() {
    let folder = fitted("json");
    for arguments in
        COMMANDS.iter().filter(|command| !command.starts_with("plot") && !command.starts_with("completions"))
    {
        for line in [format!("--json {arguments}"), format!("{arguments} --json")] {
            let run = folder.run(&line).succeeded();
            let document = run.json();
            assert!(document.is_object() || document.is_array(), "{line}: {document}");
            assert!(run.text().ends_with('\n'), "{line} does not end its last line");
            assert_eq!(run.stderr, "", "{line}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_not_an_error() {
    let folder = fitted("pipe");
    // Far more than a pipe holds.
    let mut command = command(&folder, "forecast load.longcast --horizon 50000");
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "unique_id,ds,ar\n");
    drop(stdout);
    let start = Instant::now();
    let output = loop {
        if child.try_wait().unwrap().is_some() {
            break child.wait_with_output().unwrap();
        }
        assert!(start.elapsed() < LIMIT, "it still writes");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn one_call_twice_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = fitted("twice");
    let lines = [
        "fit --order 48 load.csv -o model.longcast",
        "forecast model.longcast load.csv --level 80,95 -o forecast.csv --plot forecast.png",
        "forecast model.longcast --level 80 -o forecast.parquet",
        "backtest load.csv --model ar,drift --horizon 6 --n-windows 4 --level 80 --refit 2 -o folds.csv --scores scores.json --scores-by-step steps.csv --plot-sample sample.png",
    ];
    let mut first = None;
    for threads in ["1", "2", "7", "2"] {
        let printed: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| finish(command(&folder, line).env("RAYON_NUM_THREADS", threads)).succeeded().stdout)
            .collect();
        let outcome = (printed, folder.contents());
        match &first {
            None => first = Some(outcome),
            Some(first) => {
                assert!(*first == outcome, "{threads} threads give other bytes");
            }
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let folder = Folder::new("version");
    let run = folder.run("--version").succeeded();
    assert_eq!(run.text(), format!("longcast {}\n", env!("CARGO_PKG_VERSION")));
}
