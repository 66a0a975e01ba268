//! `longcast explain`: the contributions add up to what `longcast forecast` says.

use crate::run::{Folder, Table, check_picture, hourly, stamps, wave};

fn fitted(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 24 --horizon 24 --unit kW load.csv -o load.longcast").succeeded();
    folder.run("fit --horizon 6 --set lookbacks=12,24 load.csv -o direct.longcast").succeeded();
    folder
}

/// What the program forecasts for a step ahead.
fn forecast(folder: &Folder, arguments: &str, step: usize) -> f64 {
    let run = folder.run(&format!("forecast {arguments} --horizon {step}")).succeeded();
    Table::csv(run.text()).numbers("ar")[step - 1]
}

#[test]
fn base_and_contributions_add_up_to_the_forecast_in_files_and_json() {
    let folder = fitted("explain-sums");
    for (model, step) in [("load", 1), ("load", 30), ("direct", 6), ("direct", 20)] {
        for data in ["", "load.csv"] {
            let expected = forecast(&folder, &format!("{model}.longcast {data}"), step);
            let call = format!("explain {model}.longcast {data} --step {step}");
            folder.run(&format!("{call} -o why.csv")).succeeded();
            let table = Table::csv(&String::from_utf8(folder.read("why.csv")).unwrap());
            let names = [
                "unique_id",
                "ds",
                "step",
                "forecast",
                "base",
                "lag",
                "lag_ds",
                "before",
                "value",
                "filled",
                "weight",
                "contribution",
            ];
            assert_eq!(table.header, names);
            let contributions = table.numbers("contribution");
            let sum = table.numbers("base")[0] + contributions.iter().sum::<f64>();
            assert!((sum - expected).abs() < 1e-9 * expected, "{call}: {sum} is not {expected}");
            assert_eq!(table.numbers("forecast")[23].to_bits(), expected.to_bits(), "{call}");
            assert_eq!((table.rows.len(), table.text("lag_ds")[0]), (24, "2024-01-25 23:00:00"));
            assert!(table.text("filled").iter().all(|filled| *filled == "0"));

            let json = folder.run(&format!("--json {call}")).succeeded().json();
            assert_eq!(json["forecast"].as_f64(), Some(expected));
            assert_eq!(json["ds"].as_str(), Some(table.text("ds")[0]));
            let rows = json["contributions"].as_array().unwrap();
            for (row, contribution) in rows.iter().zip(contributions) {
                assert_eq!(row["contribution"].as_f64(), Some(contribution));
            }
            assert_eq!(rows[0]["filled"], false);
        }
    }
}

#[test]
fn the_largest_contributions_come_first_and_the_rest_is_summed() {
    let folder = fitted("explain-text");
    let run = folder.run("explain load.longcast --step 2 --top 4 --plot why.png").succeeded();
    check_picture(&folder.read("why.png"));
    let lines: Vec<&str> = run.text().lines().collect();
    let expected = forecast(&folder, "load.longcast", 2);
    let said = format!("y: forecast {expected:.2} kW for 2024-01-26 01:00:00 (step 2 = 2 hours) by ar");
    assert_eq!(lines[0], said);
    assert!(
        lines[1].starts_with("  = base ") && lines[1].contains("if all 24 lags were at "),
        "{}",
        lines[1]
    );
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["lag", "before", "value", "weight", "contribution"]
    );
    let last = |line: &str| line.split_whitespace().last().unwrap().parse::<f64>().unwrap();
    let sizes: Vec<f64> = lines[3..7].iter().map(|line| last(line).abs()).collect();
    assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
    assert!(lines[7].trim_start().starts_with("other lags: 20 ") && lines.len() == 8, "{}", run.text());
    // What is told adds up to the forecast, but for the rounding of each line.
    let base: f64 = lines[1].split_whitespace().nth(2).unwrap().parse().unwrap();
    let sum = base + lines[3..].iter().map(|line| last(line)).sum::<f64>();
    assert!((sum - expected).abs() < 0.05, "{sum} is not {expected}");
}

#[test]
fn values_that_were_missing_are_marked() {
    let folder = fitted("explain-gap");
    let mut values = wave(600, 1);
    values[598] = f64::NAN;
    folder.write("gap.csv", hourly(&values).replace("NaN", ""));
    let run = folder.run("explain load.longcast gap.csv -o why.csv --top 24").succeeded();
    assert!(
        run.stderr.contains("warning: series \"y\": 1 of the last 24 steps had a missing value"),
        "{}",
        run.stderr
    );
    let line = run.text().lines().find(|line| line.contains(" filled ")).unwrap_or_default().to_string();
    assert!(line.contains("2024-01-25 22:00:00"), "{}", run.text());
    let table = Table::csv(&String::from_utf8(folder.read("why.csv")).unwrap());
    assert_eq!(table.text("filled")[..3], ["0", "1", "0"]);
}

#[test]
fn the_series_of_the_data_is_chosen_and_what_is_not_there_is_named() {
    let folder = fitted("explain-series");
    let rows = |id: &str, seed: u64| -> String {
        stamps(500).iter().zip(wave(500, seed)).map(|(stamp, y)| format!("{id},{stamp},{y}\n")).collect()
    };
    folder.write("two.csv", format!("unique_id,ds,y\n{}{}", rows("a", 1), rows("b", 2)));
    folder.run("fit --order 12 --horizon 2 two.csv -o two.longcast").succeeded();
    for data in ["", "two.csv"] {
        let text = |options: &str| {
            folder.run(&format!("explain two.longcast {data} {options}")).succeeded().text().to_string()
        };
        assert!(text("").starts_with("a: forecast ") && text("--series b").starts_with("b: forecast "));
    }
    let said = |arguments: &str| folder.run(&format!("explain {arguments}")).failed(2).stderr;
    assert!(said("two.longcast --series c").contains("--series is c, but the series are a, b"));
    assert!(said("two.longcast --channel x").contains("--channel is x, but the channels are y"));
    assert!(said("two.longcast --step 0").contains("step is 0, but"));
    assert!(said("two.longcast --step 2000000").contains("between 1 and 1000000"));
    assert!(said("two.longcast two.csv -o two.csv").contains("cannot write \"two.csv\""));
    // Seasonal naive has one lag: the value a season before.
    folder.run("fit --model seasonal-naive load.csv -o season.longcast").succeeded();
    let text = folder.run("explain season.longcast").succeeded();
    let lines: Vec<&str> = text.text().lines().collect();
    assert!(lines[1].contains("if the lag were at ") && lines.len() == 4, "{}", text.text());
    assert!(lines[3].contains("2024-01-25 00:00:00") && lines[3].contains("1 day"), "{}", lines[3]);
}
