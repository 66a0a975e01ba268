//! `backtest`: gaps, training ranges, series that are left out, scores by step, and the leaderboard.

use crate::run::{Folder, Table, hourly, stamps, wave};

/// Long data: two good series, one constant, one short.
fn mixed(name: &str) -> Folder {
    let folder = Folder::new(name);
    let mut csv = String::from("unique_id,ds,y\n");
    for (id, values) in
        [("north", wave(400, 1)), ("flat", vec![7.0; 400]), ("short", wave(30, 2)), ("south", wave(400, 3))]
    {
        for (stamp, y) in stamps(values.len()).iter().zip(values) {
            csv += &format!("{id},{stamp},{y}\n");
        }
    }
    folder.write("mixed.csv", csv);
    folder
}

fn table(folder: &Folder, name: &str) -> Table {
    Table::csv(&String::from_utf8(folder.read(name)).unwrap())
}

#[test]
fn series_that_cannot_be_tested_go_to_the_errors_file_and_the_rest_is_scored() {
    let folder = mixed("errors");
    let call = "backtest mixed.csv --order 24 --horizon 6 --n-windows 4";
    let stopped = folder.run(call);
    assert_eq!(stopped.code, Some(2));
    assert!(stopped.stderr.contains("leave such series out with --errors FILE"), "{}", stopped.stderr);

    let run = folder.run(&format!("{call} --errors errors.csv -o folds.csv")).succeeded();
    let said = "4 windows x 2 series, horizon 6, season 24\n2 of 4 series left out; errors.csv says why\n";
    assert!(run.text().starts_with(said), "{}", run.text());
    let errors = String::from_utf8(folder.read("errors.csv")).unwrap();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "unique_id,error"), "{errors}");
    assert!(lines[1].starts_with("flat,") && lines[1].contains("is constant"), "{errors}");
    assert!(lines[2].starts_with("short,") && lines[2].contains("has 30 steps"), "{errors}");
    let folds = table(&folder, "folds.csv");
    assert_eq!(folds.text("unique_id"), [["north"; 24], ["south"; 24]].concat());

    let json = folder.run(&format!("--json {call} --errors errors.csv")).succeeded().json();
    assert_eq!(json["failed"][0]["series"], "flat");
    assert_eq!(json["failed"].as_array().unwrap().len(), 2);

    // Where nothing fails, the file has no rows.
    folder.write("y.csv", hourly(&wave(400, 1)));
    folder.run("backtest y.csv --horizon 6 --n-windows 2 --errors none.csv").succeeded();
    assert_eq!(folder.read("none.csv"), b"unique_id,error\n");
}

#[test]
fn a_gap_moves_cutoffs_back_and_is_neither_scored_nor_written() {
    let folder = Folder::new("gap");
    folder.write("y.csv", hourly(&wave(400, 5)));
    let call = "backtest y.csv --model naive --horizon 3 --n-windows 2";
    folder.run(&format!("{call} -o plain.csv")).succeeded();
    let run = folder.run(&format!("{call} --gap 2 -o gap.csv --scores-by-step steps.csv")).succeeded();
    assert!(run.text().starts_with("2 windows x 1 series, horizon 3 after a gap of 2, season 24\n"));
    let (plain, gap) = (table(&folder, "plain.csv"), table(&folder, "gap.csv"));
    assert_eq!(plain.text("ds"), gap.text("ds"));
    assert_eq!(plain.numbers("y"), gap.numbers("y"));
    assert_eq!(plain.text("cutoff")[0], "2024-01-17 09:00:00");
    assert_eq!(gap.text("cutoff")[0], "2024-01-17 07:00:00");
    let steps = table(&folder, "steps.csv");
    assert_eq!(steps.header, ["unique_id", "metric", "step", "seasonal-naive", "naive"]);
    assert_eq!(steps.text("step")[..4], ["3", "4", "5", "3"]);
    assert_eq!(steps.text("metric")[..4], ["mae", "mae", "mae", "mse"]);
    // The mean absolute error at the first scored step is that of its two rows.
    let (y, f) = (gap.numbers("y"), gap.numbers("naive"));
    let expected = ((y[0] - f[0]).abs() + (y[3] - f[3]).abs()) / 2.0;
    assert!((steps.numbers("naive")[0] - expected).abs() < 1e-12);
}

#[test]
fn a_sliding_range_changes_the_forecasts_and_too_short_a_one_is_refused() {
    let folder = Folder::new("sliding");
    folder.write("y.csv", hourly(&wave(500, 6)));
    let forecasts = |training: &str| {
        let call = "backtest y.csv --order 24 --horizon 6 --n-windows 3 --refit true";
        folder.run(&format!("{call} --training {training} -o folds.csv")).succeeded();
        table(&folder, "folds.csv").numbers("ar")
    };
    assert!(forecasts("expanding") != forecasts("200"));
    // As many steps as there are before the last cutoff leave out nothing.
    assert_eq!(forecasts("expanding"), forecasts("494"));
}

#[test]
fn the_leaderboard_tells_a_difference_from_noise() {
    let folder = Folder::new("leaderboard");
    folder.write("y.csv", hourly(&wave(900, 7)));
    let call = "backtest y.csv --model ar,drift --order 48 --horizon 6 --n-windows 30";
    let run = folder.run(call).succeeded();
    let board: Vec<&str> = run.text().lines().skip_while(|line| !line.starts_with("leaderboard")).collect();
    assert_eq!(board[0], "leaderboard by mase over 1 series x 30 windows");
    assert!(board[1].trim_start().starts_with("mean  median") && board[1].contains("95 % interval"));
    // A daily wave with noise: autoregression averages the noise of many days, a drift follows the last one.
    assert!(board[2].starts_with("ar ") && board[2].ends_with(" better"), "{board:?}");
    assert!(board[3].starts_with("seasonal-naive "), "{board:?}");
    assert!(board[4].starts_with("drift ") && board[4].ends_with(" worse"), "{board:?}");

    let json = folder.run(&format!("--json {call} --metric rmse")).succeeded().json();
    let board = &json["leaderboard"];
    assert_eq!((&board["metric"], &board["n_windows_apart"]), (&"rmse".into(), &30.into()));
    assert_eq!(board["rows"][0]["verdict"], "better");
    let (lower, upper) = (&board["rows"][0]["interval"][0], &board["rows"][0]["interval"][1]);
    assert!(lower.as_f64().unwrap() < upper.as_f64().unwrap() && upper.as_f64().unwrap() < 0.0);
    assert!(json["models"].is_array() && json["rows"].is_array());

    let few = folder.run("backtest y.csv --model ar --order 48 --horizon 6 --n-windows 5").succeeded();
    assert!(few.text().contains("no interval: 5 windows that do not overlap are too few"), "{}", few.text());
    assert!(!few.text().contains("95 % interval"), "{}", few.text());
}

#[test]
fn scores_that_are_not_defined_are_counted_and_not_averaged() {
    let folder = mixed("not-defined");
    let call = "backtest mixed.csv --model naive --horizon 6 --n-windows 2 --season-length 24";
    let run = folder.run(&format!("{call} --errors errors.csv --scores scores.csv")).succeeded();
    // `flat` can be repeated, but has no scale.
    assert!(
        run.text().contains("mase, rmsse: without 1 of 3 series, where it is not defined"),
        "{}",
        run.text()
    );
    assert!(
        run.text().contains("leaderboard by mase over 2 series x 2 windows, without 1 series"),
        "{}",
        run.text()
    );
    let scores = table(&folder, "scores.csv");
    let at = scores.rows.iter().position(|row| row[0] == "flat" && row[1] == "mase").unwrap();
    assert!(scores.numbers("naive")[at].is_nan());
}

#[test]
fn of_a_wide_file_the_channels_that_cannot_be_tested_are_left_out_alone() {
    let folder = Folder::new("errors-wide");
    let rows: Vec<String> = stamps(400)
        .iter()
        .zip(wave(400, 1))
        .map(|(stamp, y)| format!("{stamp},{y},7,{}\n", y / 2.0))
        .collect();
    folder.write("wide.csv", format!("ds,a,stuck,b\n{}", rows.concat()));
    let call = "backtest wide.csv --order 24 --horizon 6 --n-windows 4 --errors errors.csv -o folds.csv";
    let run = folder.run(call).succeeded();
    assert!(run.text().contains("1 of 3 channels left out; errors.csv says why"), "{}", run.text());
    let errors = String::from_utf8(folder.read("errors.csv")).unwrap();
    assert!(errors.contains("\nstuck,") && errors.contains("constant"), "{errors}");
    let folds = String::from_utf8(folder.read("folds.csv")).unwrap();
    assert!(folds.contains("\na,") && folds.contains("\nb,") && !folds.contains("stuck"), "{folds}");
}
