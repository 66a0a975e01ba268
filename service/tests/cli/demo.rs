//! `longcast demo`, with no arguments and no network.

use crate::run::{Folder, Table, check_picture};

const FILES: [&str; 4] = [
    "longcast-demo",
    "longcast-demo/demo.longcast",
    "longcast-demo/forecast.csv",
    "longcast-demo/forecast.png",
];

#[test]
fn the_demo_does_the_main_job_and_says_so() {
    let folder = Folder::new("demo");
    let run = folder.run("demo").succeeded();
    let text = run.text();
    for said in [
        "1. data     Electricity load",
        "26304 steps of 1h, 3 missing in 3 gaps, 0 duplicates, 0 zeros, season 24 (1 day)",
        "2. backtest the last 24 weeks",
        "seasonal-naive",
        "mase ",
        "3. fit      ar on all steps",
        "4. forecast the week from 2015-01-01 00:00:00, with 80 and 95 % intervals",
        "5. serve    the same week asked of models/demo/revisions/",
        "all 840 numbers equal, bit for bit",
        "the results are in longcast-demo",
    ] {
        assert!(text.contains(said), "the demo does not say {said:?}:\n{text}");
    }
    assert_eq!(folder.names(), FILES);
    check_picture(&folder.read("longcast-demo/forecast.png"));

    let csv = String::from_utf8(folder.read("longcast-demo/forecast.csv")).unwrap();
    let table = Table::csv(&csv);
    assert_eq!(table.header, ["unique_id", "ds", "ar", "ar-lo-80", "ar-hi-80", "ar-lo-95", "ar-hi-95"]);
    assert_eq!(table.rows.len(), 168);
    // The model that was saved says the same.
    let again = folder.run("forecast longcast-demo/demo.longcast --horizon 168 --level 80,95").succeeded();
    assert_eq!(again.text(), csv);
}

#[test]
fn the_demo_beats_seasonal_naive_and_its_intervals_cover() {
    let folder = Folder::new("demo-json");
    let run = folder.run("--json demo --output results/of/today").succeeded();
    assert_eq!(run.stderr, "");
    let report = run.json();
    let scores = &report["scores"];
    let models: Vec<&str> = scores["models"].as_array().unwrap().iter().filter_map(|m| m.as_str()).collect();
    let at = |name: &str| models.iter().position(|model| *model == name).unwrap();
    let score = |metric: &str, model: &str| {
        let rows = scores["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["metric"] == metric).unwrap();
        row["values"][at(model)].as_f64().unwrap()
    };
    assert!(score("mase", "ar") < score("mase", "seasonal-naive"));
    let (of_80, of_95) = (score("coverage-80", "ar"), score("coverage-95", "ar"));
    assert!((0.75..=0.85).contains(&of_80), "80 % intervals cover {of_80}");
    assert!((0.92..=0.98).contains(&of_95), "95 % intervals cover {of_95}");
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(report["folder"], "results/of/today");
    let files =
        ["demo.longcast", "forecast.csv", "forecast.png"].map(|name| format!("results/of/today/{name}"));
    let expected = ["results", "results/of", "results/of/today"].map(String::from).into_iter().chain(files);
    assert_eq!(folder.names(), expected.collect::<Vec<_>>());
}
