//! What the README and the help promise, run as it stands there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::run::{Folder, Table, bits, check_picture};

/// Every command, as it is typed before `--help`.
const COMMANDS: [&str; 28] = [
    "data",
    "data list",
    "data show",
    "data export",
    "inspect",
    "clean",
    "fit",
    "import",
    "import informer",
    "forecast",
    "coef",
    "explain",
    "backtest",
    "batch",
    "bench",
    "bench ltsf",
    "plot",
    "plot forecast",
    "plot coefficients",
    "plot backtest",
    "plot horizon",
    "plot calibration",
    "plot sample",
    "plot missing",
    "serve",
    "client",
    "demo",
    "completions",
];

#[test]
fn the_two_lines_of_the_main_job_give_a_week_with_intervals_and_a_picture() {
    let folder = Folder::new("main-job");
    folder.run("data export electricity -o load.csv").succeeded();
    folder.run("fit --model ar --order 168 load.csv -o load.longcast").succeeded();
    let forecast =
        folder.run("forecast load.longcast --horizon 168 --level 80,95 --plot load.png").succeeded();

    let table = Table::csv(forecast.text());
    let columns = ["unique_id", "ds", "ar", "ar-lo-80", "ar-hi-80", "ar-lo-95", "ar-hi-95"];
    assert_eq!(table.header, columns);
    assert_eq!(table.rows.len(), 168);
    assert!(table.text("unique_id").iter().all(|id| *id == "load"));
    assert_eq!(table.text("ds")[0], "2015-01-01 00:00:00");
    assert_eq!(table.text("ds")[167], "2015-01-07 23:00:00");
    let bound = |name: &str| table.numbers(name);
    let (wide_lo, lo, mean) = (bound("ar-lo-95"), bound("ar-lo-80"), bound("ar"));
    let (hi, wide_hi) = (bound("ar-hi-80"), bound("ar-hi-95"));
    for row in 0..168 {
        let rising = [wide_lo[row], lo[row], hi[row], wide_hi[row]];
        assert!(rising.windows(2).all(|pair| pair[0] < pair[1]), "row {row}: {rising:?}");
        // The load lies between 900 and 5,600 kW.
        assert!((500.0..6000.0).contains(&mean[row]), "row {row}: {}", mean[row]);
        assert!(wide_lo[row] < mean[row] && mean[row] < wide_hi[row], "row {row}");
    }
    check_picture(&folder.read("load.png"));
    assert_eq!(folder.names(), ["load.csv", "load.longcast", "load.png"]);
}

#[test]
fn every_format_holds_the_same_bits_and_the_history_in_the_model_is_that_of_the_file() {
    let folder = Folder::new("formats");
    folder.run("data export electricity -o load.csv").succeeded();
    folder.run("fit --order 48 --horizon 168 load.csv -o load.longcast").succeeded();
    let spec = "--horizon 168 --level 80,95 --quantiles 0.1,0.9";
    let stored = folder.run(&format!("forecast load.longcast {spec}")).succeeded();
    let table = Table::csv(stored.text());
    assert_eq!(table.header[7..], ["ar-q-0.1", "ar-q-0.9"]);

    let read = folder.run(&format!("forecast load.longcast load.csv {spec}")).succeeded();
    assert_eq!(read.text(), stored.text());
    assert!(read.stderr.contains("26304 steps of 1h"), "{}", read.stderr);

    for extension in ["csv", "parquet", "arrow", "feather", "json"] {
        let file = format!("week.{extension}");
        folder.run(&format!("forecast load.longcast {spec} -o {file}")).succeeded();
        for (name, numbers) in number_columns(&file, &folder.read(&file)) {
            assert_eq!(bits(&numbers), bits(&table.numbers(&name)), "{name} in {file}");
        }
    }
    assert_eq!(folder.read("week.csv"), stored.stdout);
    let by_flag = folder.run(&format!("forecast load.longcast {spec} --format parquet")).succeeded();
    assert_eq!(by_flag.stdout, folder.read("week.parquet"));
}

/// The seven columns of numbers of a forecast file.
fn number_columns(name: &str, bytes: &[u8]) -> Vec<(String, Vec<f64>)> {
    use forecast::data::{Cells, Format, decode};

    let columns: Vec<(String, Vec<f64>)> = if name.ends_with("json") {
        let rows: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(bytes).unwrap();
        let names: Vec<String> = rows[0].keys().filter(|key| key.starts_with("ar")).cloned().collect();
        names
            .into_iter()
            .map(|name| {
                let numbers = rows.iter().map(|row| row[&name].as_f64().unwrap()).collect();
                (name, numbers)
            })
            .collect()
    } else {
        let table = decode(bytes, name, Format::of_path(Path::new(name)).unwrap()).unwrap();
        let numbers = table.into_iter().filter_map(|(name, cells)| match cells {
            Cells::Numbers(numbers) => Some((name, numbers)),
            _ => None,
        });
        numbers.collect()
    };
    assert_eq!(columns.len(), 7, "{name}");
    columns
}

#[test]
fn every_command_of_the_readme_and_the_help_works_as_it_stands_but_serving_and_the_demo() {
    let folder = Folder::new("readme");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut lines: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("longcast ") && !line.starts_with("longcast-"))
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_string())
        .collect();
    assert!(lines.len() >= 6, "the README shows {lines:?}");
    // Four charts draw what `backtest -o` wrote.
    lines.push(
        "longcast backtest load.csv --model naive --n-windows 2 --level 80 -o backtest.csv".to_string(),
    );
    lines.extend(COMMANDS.map(|command| example(&folder, command)));

    let mut seen = BTreeSet::new();
    for line in lines {
        // A server does not end, the client asks one and has tests of its own, as the demo has, a shell would do the
        // redirection, and a checkpoint of another program is not at hand.
        let skipped =
            ["longcast serve", "longcast client", "longcast demo", "longcast completions", "longcast import"];
        if skipped.iter().any(|start| line.starts_with(start)) || !seen.insert(line.clone()) {
            continue;
        }
        folder.run(line.trim_start_matches("longcast ")).succeeded();
    }
    for name in folder.names().iter().filter(|name| name.ends_with(".png")) {
        check_picture(&folder.read(name));
    }
    let names = folder.names().join(" ");
    let charts = [
        "load.png",
        "missing.png",
        "lags.png",
        "weights.png",
        "why.png",
        "backtest.png",
        "horizon.png",
        "calibration.png",
        "sample.png",
    ];
    for written in charts.into_iter().chain(["week.csv"]) {
        assert!(names.contains(written), "{written} is not among {names}");
    }
}

/// The example that the help of a command shows.
fn example(folder: &Folder, command: &str) -> String {
    let help = folder.run(&format!("{command} --help")).succeeded();
    assert_eq!(help.stderr, "", "{command}");
    let example = help.text().lines().find_map(|line| line.strip_prefix("Example: "));
    let example = example.unwrap_or_else(|| panic!("the help of {command} shows no example"));
    assert!(example.starts_with(&format!("longcast {command}")) || command == "data" || command == "plot");
    example.to_string()
}

#[test]
fn the_help_lists_exactly_the_commands_that_are_tested_here() {
    let folder = Folder::new("help");
    let listed = |parent: &str| -> Vec<String> {
        let help = folder.run(&format!("{parent} --help")).succeeded();
        let after = help.text().split("Commands:\n").nth(1).unwrap_or_default().to_string();
        let names = after
            .lines()
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        names.map(|name| format!("{parent} {name}").trim().to_string()).collect()
    };
    let mut all = listed("");
    all.extend(listed("data"));
    all.extend(listed("bench"));
    all.extend(listed("import"));
    all.extend(listed("plot"));
    all.sort_unstable();
    let mut tested = COMMANDS.to_vec();
    tested.sort_unstable();
    assert_eq!(all, tested);
}
