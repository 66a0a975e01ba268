//! Model files that cannot be used, and models that do not fit the data.

use crate::refusal::{fitted, refused};
use crate::run::{Folder, command, finish, hourly, wave};

/// Every command that loads a model refuses this one with the same message.
fn check(folder: &Folder, model: &str, parts: &[&str]) {
    for command in [
        "forecast",
        "coef",
        "explain",
        "plot forecast -o x.png",
        "plot coefficients -o x.png",
        "serve --port 0 --model",
    ] {
        refused(folder, &format!("{command} {model}"), parts);
    }
}

#[test]
fn a_file_of_a_later_format_names_both_versions() {
    let folder = fitted("later");
    let text = folder.read("load.longcast");
    let (now, later) = (b"\\\"format\\\":6,", b"\\\"format\\\":7,");
    let at = text.windows(now.len()).position(|window| window == now).unwrap();
    let mut bytes = text.clone();
    bytes[at..at + now.len()].copy_from_slice(later);
    folder.write("later.longcast", bytes);
    check(&folder, "later.longcast", &["later.longcast", "format version 7", "up to 6", "upgrade"]);
}

#[test]
fn a_file_cut_off_anywhere_is_damaged_and_not_a_crash() {
    let folder = fitted("cut");
    let whole = folder.read("load.longcast");
    for len in [whole.len() - 1, whole.len() / 2, 4000, 1000, 200, 9] {
        folder.write("cut.longcast", &whole[..len]);
        refused(&folder, "forecast cut.longcast", &["cut.longcast", "damaged", "cut off", "copy it again"]);
    }
    for len in [0, 1, 7] {
        folder.write("cut.longcast", &whole[..len]);
        refused(&folder, "forecast cut.longcast", &["cut.longcast", "not a .longcast model"]);
    }
    check(&folder, "cut.longcast", &["cut.longcast", "not a .longcast model"]);
}

#[test]
fn a_file_altered_in_any_byte_is_damaged() {
    let folder = fitted("altered");
    let whole = folder.read("load.longcast");
    // The digest itself, the header, and the numbers.
    for at in [60, 300, 900, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        folder.write("altered.longcast", altered);
        refused(&folder, "forecast altered.longcast", &["altered.longcast", "damaged"]);
    }
    folder.write("altered.longcast", [whole.as_slice(), b"more"].concat());
    check(&folder, "altered.longcast", &["altered.longcast", "damaged", "too many"]);
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    folder.write("altered.longcast", huge);
    check(&folder, "altered.longcast", &["altered.longcast", "damaged", "18446744073709551615"]);
}

#[test]
fn what_is_not_a_model_is_called_that() {
    let folder = fitted("not-a-model");
    check(&folder, "load.csv", &["load.csv", "not a .longcast model"]);
    check(&folder, "gone.longcast", &["cannot read \"gone.longcast\"", "check the path"]);
    std::fs::create_dir(folder.join("folder.longcast")).unwrap();
    check(&folder, "folder.longcast", &["folder.longcast", "folder"]);
}

#[test]
fn data_that_does_not_fit_the_model_says_how() {
    let folder = fitted("unlike");
    let values = wave(300, 2);
    folder.write("half-hours.csv", hourly(&values).replace(":00:00,", ":00,"));
    let daily = |i: usize, y: &f64| format!("2023-{:02}-{:02},{y}\n", i / 28 + 1, i % 28 + 1);
    let rows: String = values.iter().take(28).enumerate().map(|(i, y)| daily(i, y)).collect();
    folder.write("days.csv", format!("ds,y\n{rows}"));
    refused(&folder, "forecast load.longcast days.csv", &["step of 1D", "steps of 1h"]);
    let index: String = values.iter().enumerate().map(|(i, y)| format!("{i},{y}\n")).collect();
    folder.write("index.csv", format!("ds,y\n{index}"));
    refused(&folder, "forecast load.longcast index.csv", &["step of 1", "steps of 1h"]);
    let two: String = hourly(&values).lines().skip(1).map(|line| format!("{line},1\n")).collect();
    folder.write("two.csv", format!("ds,a,b\n{two}"));
    refused(&folder, "forecast load.longcast two.csv", &["channels a, b", "fitted on y"]);

    let long = |ids: [&str; 2]| -> String {
        let rows = ids.map(|id| -> String {
            hourly(&values).lines().skip(1).map(|line| format!("{id},{line}\n")).collect()
        });
        format!("unique_id,ds,y\n{}", rows.concat())
    };
    folder.write("ab.csv", long(["a", "b"]));
    folder.write("bc.csv", long(["b", "c"]));
    folder.run("fit --order 24 ab.csv -o ab.longcast").succeeded();
    refused(&folder, "forecast ab.longcast bc.csv", &["series \"c\"", "a, b", "pooled = true"]);
    refused(&folder, "plot forecast ab.longcast --series c -o c.png", &["--series is c", "a, b"]);
    refused(&folder, "forecast ab.longcast --plot c.png --plot-series c", &["--plot-series is c", "a, b"]);
    folder.run("fit --order 24 --set pooled=true ab.csv -o pooled.longcast").succeeded();
    let run = folder.run("forecast pooled.longcast bc.csv").succeeded();
    assert!(run.stderr.contains("warning: series \"c\""), "{}", run.stderr);
}

#[test]
fn a_chart_of_a_backtest_needs_what_backtest_wrote() {
    let folder = fitted("no-backtest");
    refused(&folder, "plot backtest load.csv -o x.png", &["no column \"unique_id\"", "backtest -o"]);
}

#[test]
fn a_calibration_chart_needs_intervals_and_every_chart_a_row() {
    let folder = fitted("no-intervals");
    folder.run("backtest load.csv --horizon 4 --n-windows 2 -o folds.csv").succeeded();
    refused(&folder, "plot calibration folds.csv -o x.png", &["no intervals", "--level 50,80,95"]);
    folder.write("none.csv", "unique_id,ds,cutoff,y,naive\n");
    for chart in ["backtest", "horizon", "calibration", "sample"] {
        refused(&folder, &format!("plot {chart} none.csv -o x.png"), &["error: "]);
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let folder = fitted("port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let parts = ["cannot listen on 127.0.0.1:", "in use", "--port", "0 for a free one"];
    let run = refused(&folder, &format!("serve --model load.longcast --port {port}"), &parts);
    assert!(run.stderr.contains(&port.to_string()));
}

#[test]
fn two_models_of_one_name_are_refused() {
    let folder = fitted("names");
    std::fs::create_dir(folder.join("old")).unwrap();
    folder.write("old/load.longcast", folder.read("load.longcast"));
    let mut call = command(&folder, "serve --port 0 --model load.longcast --model old/load.longcast");
    let run = finish(&mut call);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("models/load") && run.stderr.contains("rename"), "{}", run.stderr);
}
