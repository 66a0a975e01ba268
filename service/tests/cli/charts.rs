//! Every chart that `plot` draws, from what other commands saved.

use crate::run::{Folder, check_picture, hourly, stamps, wave};

/// A model and a back-test of two series.
fn saved(name: &str) -> Folder {
    let folder = Folder::new(name);
    let (a, b) = (wave(500, 1), wave(500, 2));
    let rows = |id: &str, values: &[f64]| -> String {
        stamps(500).iter().zip(values).map(|(stamp, y)| format!("{id},{stamp},{y}\n")).collect()
    };
    folder.write("two.csv", format!("unique_id,ds,y\n{}{}", rows("a", &a), rows("b", &b)));
    folder.run("fit --order 24 --horizon 24 two.csv -o two.longcast").succeeded();
    folder
        .run("backtest two.csv --model ar,naive --horizon 12 --n-windows 3 --level 80 -o two-backtest.csv")
        .succeeded();
    folder
}

#[test]
fn every_chart_is_drawn_and_the_series_can_be_chosen() {
    let folder = saved("charts");
    let mut pictures = Vec::new();
    for chart in [
        "forecast two.longcast --level 80,95",
        "forecast two.longcast --level 80,95 --series b",
        "coefficients two.longcast",
        "coefficients two.longcast --series b",
        "backtest two-backtest.csv",
        "backtest two-backtest.csv --series b",
        "horizon two-backtest.csv",
        "calibration two-backtest.csv",
        "sample two-backtest.csv",
        "missing two.csv",
    ] {
        let run = folder.run(&format!("plot {chart} -o chart.png")).succeeded();
        assert_eq!(run.text(), "", "{chart}");
        assert!(run.stderr.ends_with("wrote chart.png\n"), "{chart}: {}", run.stderr);
        let png = folder.read("chart.png");
        check_picture(&png);
        assert!(!pictures.contains(&png), "{chart} looks like one before it");
        pictures.push(png);
    }
}

#[test]
fn forecast_and_backtest_draw_while_they_work() {
    let folder = saved("charts-beside");
    folder.run("forecast two.longcast --level 80 --plot a.png").succeeded();
    folder.run("forecast two.longcast --level 80 --plot b.png --plot-series b").succeeded();
    folder
        .run("backtest two.csv --horizon 12 --n-windows 3 --level 50,80 -o folds.csv --plot folds.png --plot-horizon steps.png --plot-calibration cover.png --plot-sample sample.png")
        .succeeded();
    for (chart, drawn) in
        [("backtest", "folds"), ("horizon", "steps"), ("calibration", "cover"), ("sample", "sample")]
    {
        folder.run(&format!("plot {chart} folds.csv -o again.png")).succeeded();
        assert!(folder.read("again.png") == folder.read(&format!("{drawn}.png")), "{chart}");
    }
    for name in ["a.png", "b.png", "folds.png", "steps.png", "cover.png", "sample.png"] {
        check_picture(&folder.read(name));
    }
    assert!(folder.read("a.png") != folder.read("b.png"));
    folder.run("plot forecast two.longcast --level 80 -o again.png").succeeded();
    assert!(folder.read("a.png") == folder.read("again.png"), "one forecast, two pictures");
}

#[test]
fn a_missing_step_changes_the_map_of_missing_values() {
    let folder = Folder::new("charts-missing");
    let mut values = wave(400, 3);
    folder.write("whole.csv", hourly(&values));
    folder.run("inspect whole.csv --plot whole.png").succeeded();
    values[100] = f64::NAN;
    folder.write("gap.csv", hourly(&values));
    folder.run("inspect gap.csv --plot gap.png").succeeded();
    check_picture(&folder.read("whole.png"));
    check_picture(&folder.read("gap.png"));
    assert!(folder.read("whole.png") != folder.read("gap.png"));
}

#[test]
fn charts_of_a_backtest_take_numbers_as_ids_single_steps_and_gaps() {
    let folder = Folder::new("charts-ids");
    let rows = |id: &str, seed: u64| -> String {
        stamps(400).iter().zip(wave(400, seed)).map(|(stamp, y)| format!("{id},{stamp},{y}\n")).collect()
    };
    folder.write("ids.csv", format!("unique_id,ds,y\n{}{}", rows("17", 1), rows("18", 2)));
    for options in
        ["--horizon 1 --n-windows 1", "--horizon 1 --n-windows 5", "--horizon 6 --n-windows 2 --gap 3"]
    {
        folder.run(&format!("backtest ids.csv --order 24 {options} --level 80 -o folds.csv")).succeeded();
        for chart in ["backtest", "horizon", "calibration", "sample"] {
            folder.run(&format!("plot {chart} folds.csv -o chart.png")).succeeded();
            check_picture(&folder.read("chart.png"));
        }
    }
}
