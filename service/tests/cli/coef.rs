//! `longcast coef`: text, files, JSON and chart say the same, and what the model holds.

use forecast::Model;

use crate::run::{Folder, Table, bits, check_picture, hourly, stamps, wave};

fn fitted(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 24 --horizon 24 load.csv -o load.longcast").succeeded();
    folder
}

#[test]
fn the_largest_weights_come_first_with_their_lag_in_words_and_the_rest_is_counted() {
    let folder = fitted("coef-text");
    let run = folder.run("coef load.longcast --top 5").succeeded();
    let lines: Vec<&str> = run.text().lines().collect();
    assert!(
        lines[0].starts_with("y: 24 lags of ar, one set for every step ahead; weights add up to "),
        "{}",
        lines[0]
    );
    let header: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(header, ["lag", "weight", "standard", "error", "lo-95", "hi-95"]);
    assert_eq!(lines.len(), 8);
    assert!(lines[7].trim_start().starts_with("other lags: 19 "), "{}", lines[7]);

    // The lines are those of the largest weights of the model.
    let (_, weights) = Model::load(folder.join("load.longcast")).unwrap().coefficients(0, 0).unwrap();
    let mut order: Vec<usize> = (1..=24).collect();
    order.sort_by(|a, b| weights[b - 1].abs().total_cmp(&weights[a - 1].abs()));
    for (line, lag) in lines[2..7].iter().zip(order) {
        let words = match lag {
            1 => "1 = 1 hour ".to_string(),
            24 => "24 = 1 day ".to_string(),
            _ => format!("{lag} = {lag} hours "),
        };
        assert!(line.trim_start().starts_with(&words), "{line} is not of lag {lag}");
        let weight: f64 = line.split_whitespace().rev().nth(3).unwrap().parse().unwrap();
        assert!((weight - weights[lag - 1]).abs() < 1e-4, "{line}");
    }
    let all = folder.run("coef load.longcast --top 99").succeeded();
    assert!(all.text().lines().count() == 26 && !all.text().contains("other lags"), "{}", all.text());
}

#[test]
fn files_and_json_hold_all_lags_with_the_bits_of_the_model() {
    let folder = fitted("coef-files");
    let model = Model::load(folder.join("load.longcast")).unwrap();
    let (intercept, weights) = model.coefficients(0, 0).unwrap();
    let errors = model.standard_errors(0, 0).unwrap();
    let intervals = model.coefficient_intervals(0, 0, 80.0).unwrap().unwrap();

    let run = folder.run("coef load.longcast --level 80 -o lags.csv --plot lags.png").succeeded();
    assert!(run.text().contains("lo-80") && run.stderr.contains("wrote lags.csv"), "{}", run.stderr);
    check_picture(&folder.read("lags.png"));
    let table = Table::csv(&String::from_utf8(folder.read("lags.csv")).unwrap());
    let names =
        ["unique_id", "step", "intercept", "lag", "span", "weight", "standard_error", "lo-80", "hi-80"];
    assert_eq!(table.header, names);
    assert_eq!(table.text("lag"), (1..=24).map(|lag| lag.to_string()).collect::<Vec<_>>());
    assert_eq!((table.text("span")[23], table.text("unique_id")[0]), ("1 day", "y"));
    assert_eq!(bits(&table.numbers("weight")), bits(&weights));
    assert_eq!(bits(&table.numbers("standard_error")), bits(&errors));
    assert_eq!(bits(&table.numbers("hi-80")), bits(&intervals.iter().map(|i| i.1).collect::<Vec<_>>()));

    let json = folder.run("--json coef load.longcast --level 80").succeeded().json();
    assert_eq!((&json["model"], &json["lookback"], &json["level"]), (&"ar".into(), &24.into(), &80.0.into()));
    assert_eq!(json["intercept"].as_f64(), Some(intercept));
    let lags = json["lags"].as_array().unwrap();
    for (at, lag) in lags.iter().enumerate() {
        assert_eq!(lag["weight"].as_f64(), Some(weights[at]));
        assert_eq!(lag["lo"].as_f64(), Some(intervals[at].0));
        assert!(lag["frequency"].is_null());
    }
    assert_eq!((lags.len(), &lags[23]["span"]), (24, &"1 day".into()));
    for name in ["lags.json", "lags.parquet", "lags.arrow"] {
        folder.run(&format!("coef load.longcast -o {name}")).succeeded();
        assert!(!folder.read(name).is_empty());
    }
}

#[test]
fn every_step_of_a_direct_model_has_its_own_coefficients() {
    let folder = fitted("coef-direct");
    folder.run("fit --horizon 6 --set lookbacks=12,24 load.csv -o direct.longcast").succeeded();
    let first = folder.run("coef direct.longcast --top 3").succeeded();
    let third = folder.run("coef direct.longcast --top 3 --step 3 --plot third.png").succeeded();
    assert!(first.text().contains("step 1 = 1 hour of 6") && !first.text().contains("standard error"));
    assert!(third.text().contains("step 3 = 3 hours of 6") && third.text().contains("before the step"));
    check_picture(&folder.read("third.png"));
    let model = Model::load(folder.join("direct.longcast")).unwrap();
    let own = model.coefficients_at(0, 0, 3).unwrap();
    let json = folder.run("--json coef direct.longcast --step 3").succeeded().json();
    for (lag, own) in json["lags"].as_array().unwrap().iter().zip(&own.lags) {
        assert_eq!((lag["lag"].as_u64(), lag["weight"].as_f64()), (Some(own.lag as u64), Some(own.weight)));
    }
    assert!(json["level"].is_null());
    let noted = folder.run("coef direct.longcast --level 80").succeeded();
    assert!(noted.stderr.contains("note: the model has no standard errors"), "{}", noted.stderr);
    let failed = folder.run("coef direct.longcast --step 7").failed(2);
    assert!(
        failed.stderr.contains("step is 7, but") && failed.stderr.contains("1 to 6"),
        "{}",
        failed.stderr
    );
}

#[test]
fn baselines_are_weighted_lags_too() {
    let folder = fitted("coef-baselines");
    folder.run("fit --model seasonal-naive load.csv -o season.longcast").succeeded();
    let text = folder.run("coef season.longcast").succeeded();
    assert!(
        text.text().starts_with("y: 1 lag of 24 of seasonal-naive, step 1 = 1 hour; "),
        "{}",
        text.text()
    );
    assert!(text.text().contains("24 = 1 day  1.0000"), "{}", text.text());
    folder.run("plot coefficients season.longcast -o season.png").succeeded();
    check_picture(&folder.read("season.png"));
}

#[test]
fn series_and_channel_are_chosen_as_everywhere_and_unknown_ones_get_the_list() {
    let folder = Folder::new("coef-several");
    let (a, b) = (wave(500, 1), wave(500, 2));
    let rows = stamps(500).into_iter().zip(a.iter().zip(&b));
    let wide: String = rows.map(|(stamp, (a, b))| format!("{stamp},{a},{b}\n")).collect();
    folder.write("wide.csv", format!("date,north,south\n{wide}"));
    folder.run("fit --order 3 --horizon 2 wide.csv -o wide.longcast").succeeded();
    let text =
        |options: &str| folder.run(&format!("coef wide.longcast {options}")).succeeded().text().to_string();
    assert!(text("").starts_with("north: "));
    assert!(text("--series south").starts_with("south: "));
    assert_eq!(text("--series south"), text("--channel south"));
    let said = |options: &str| folder.run(&format!("coef wide.longcast {options}")).failed(2).stderr;
    assert!(said("--channel west").contains("--channel is west, but the channels are north, south"));
    assert!(said("--series west").contains("--series is west, but the series are"));
    assert!(said("--step 0").contains("step is 0, but"));
    assert!(said("--level 100").contains("level is 100"));
    assert!(said("--format csv").contains("--format is csv"));
    assert!(said("--plot lags.svg").contains("charts are PNG"));
    assert!(said("-o wide.longcast").contains("no known format"));
}
