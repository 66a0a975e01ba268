//! `backtest`: its tables, and that its scores are those of its forecasts.

use std::collections::BTreeSet;

use crate::run::{Folder, Table, hourly, stamps, wave};

/// Two series of unlike scale.
fn two_series(name: &str) -> Folder {
    let folder = Folder::new(name);
    let mut csv = String::from("unique_id,ds,y\n");
    for (id, seed, scale) in [("small", 1, 1.0), ("large", 2, 50.0)] {
        for (stamp, y) in stamps(600).iter().zip(wave(600, seed)) {
            csv += &format!("{id},{stamp},{}\n", y * scale);
        }
    }
    folder.write("two.csv", csv);
    folder
}

#[test]
fn the_evaluation_frame_has_one_row_a_series_and_metric_and_one_column_a_model() {
    let folder = two_series("frame");
    let files = "-o folds.csv --scores scores.csv";
    let run = folder
        .run(&format!("backtest two.csv --model ar,drift --horizon 6 --n-windows 5 --level 80,95 {files}"))
        .succeeded();
    assert!(run.text().starts_with("5 windows x 2 series, horizon 6, season 24\n"), "{}", run.text());

    let scores = Table::csv(&String::from_utf8(folder.read("scores.csv")).unwrap());
    assert_eq!(
        scores.header.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        ["unique_id", "metric", "seasonal-naive", "ar", "drift"].into()
    );
    assert_eq!(scores.header[..2], ["unique_id", "metric"]);
    let keys: BTreeSet<_> = scores.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(keys.len(), scores.rows.len(), "a series and a metric come twice");
    let metrics: BTreeSet<&str> = scores.text("metric").into_iter().collect();
    assert_eq!(scores.rows.len(), 2 * metrics.len());
    for metric in [
        "mae",
        "mse",
        "rmse",
        "bias",
        "mape",
        "smape",
        "mase",
        "rmsse",
        "wape",
        "wql",
        "coverage-80",
        "winkler-95",
    ] {
        assert!(metrics.contains(metric), "{metric} is not among {metrics:?}");
    }

    let folds = Table::csv(&String::from_utf8(folder.read("folds.csv")).unwrap());
    assert_eq!(folds.header[..4], ["unique_id", "ds", "cutoff", "y"]);
    for column in ["seasonal-naive", "ar-lo-80", "ar-hi-95", "drift-lo-95"] {
        assert!(folds.header.iter().any(|name| name == column), "{column}: {:?}", folds.header);
    }
    assert_eq!(folds.rows.len(), 2 * 5 * 6);
    let cutoffs: BTreeSet<&str> = folds.text("cutoff").into_iter().collect();
    assert_eq!(
        cutoffs.into_iter().collect::<Vec<_>>(),
        [
            "2024-01-24 17:00:00",
            "2024-01-24 23:00:00",
            "2024-01-25 05:00:00",
            "2024-01-25 11:00:00",
            "2024-01-25 17:00:00"
        ]
    );
    assert!(folds.text("ds").iter().zip(folds.text("cutoff")).all(|(ds, cutoff)| *ds > cutoff));
}

#[test]
fn the_scores_are_those_of_the_forecasts_that_were_written() {
    let folder = two_series("scores");
    folder
        .run("backtest two.csv --model ar --horizon 6 --n-windows 5 --level 80 -o folds.csv --scores scores.csv")
        .succeeded();
    let folds = Table::csv(&String::from_utf8(folder.read("folds.csv")).unwrap());
    let scores = Table::csv(&String::from_utf8(folder.read("scores.csv")).unwrap());
    for model in ["ar", "seasonal-naive"] {
        let column = |suffix: &str| folds.numbers(&format!("{model}{suffix}"));
        let (y, mean, lo, hi) = (folds.numbers("y"), column(""), column("-lo-80"), column("-hi-80"));
        for id in ["small", "large"] {
            let rows: Vec<usize> = (0..y.len()).filter(|row| folds.rows[*row][0] == id).collect();
            let average = |of: &dyn Fn(usize) -> f64| rows.iter().map(|row| of(*row)).sum::<f64>() / 30.0;
            let expected = [
                ("mae", average(&|row| (y[row] - mean[row]).abs())),
                ("mse", average(&|row| (y[row] - mean[row]).powi(2))),
                ("coverage-80", average(&|row| f64::from(u8::from(lo[row] <= y[row] && y[row] <= hi[row])))),
            ];
            for (metric, expected) in expected {
                let at = scores.rows.iter().position(|row| row[0] == id && row[1] == metric).unwrap();
                let got = scores.numbers(model)[at];
                assert!(
                    (got - expected).abs() <= 1e-10 * expected.abs(),
                    "{id} {metric} {model}: {got} {expected}"
                );
            }
        }
    }
}

#[test]
fn seasonal_naive_stands_beside_every_score_once() {
    let folder = Folder::new("beside");
    folder.write("y.csv", hourly(&wave(500, 3)));
    for (models, expected) in [("ar", 2), ("seasonal-naive", 1), ("naive,seasonal-naive", 2)] {
        let report = folder
            .run(&format!("--json backtest y.csv --model {models} --horizon 6 --n-windows 2"))
            .succeeded()
            .json();
        let columns: Vec<&str> =
            report["models"].as_array().unwrap().iter().filter_map(|m| m.as_str()).collect();
        assert_eq!(columns.len(), expected, "{columns:?}");
        assert_eq!(columns.iter().filter(|name| **name == "seasonal-naive").count(), 1);
        for row in report["rows"].as_array().unwrap() {
            assert_eq!(row["values"].as_array().unwrap().len(), expected);
        }
    }
}

#[test]
fn refitting_at_every_cutoff_changes_the_forecasts_but_not_the_first() {
    let folder = Folder::new("refit");
    folder.write("y.csv", hourly(&wave(500, 5)));
    let folds = |refit: &str| {
        folder
            .run(&format!("backtest y.csv --order 24 --horizon 6 --n-windows 4 --refit {refit} -o folds.csv"))
            .succeeded();
        Table::csv(&String::from_utf8(folder.read("folds.csv")).unwrap()).numbers("ar")
    };
    let (never, every, every_second) = (folds("false"), folds("true"), folds("2"));
    assert_eq!(never[..6], every[..6]);
    assert!(never[6..12] != every[6..12]);
    assert_eq!(every_second[..12], never[..12]);
    assert_eq!(every_second[12..18], every[12..18]);
}
