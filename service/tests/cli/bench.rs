//! `bench ltsf`: its rows, its files, and the baselines of the literature's tables.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::run::{Folder, command, finish, hourly, wave};

/// Rows of `bench ltsf`, read from a file that it wrote.
fn rows(folder: &Folder, file: &str) -> Vec<Value> {
    serde_json::from_slice(&folder.read(file)).unwrap()
}

fn row<'a>(rows: &'a [Value], data: &str, features: &str, model: &str, horizon: u64) -> &'a Value {
    let is_it = |row: &&Value| {
        (&row["data"], &row["features"], &row["model"]) == (&data.into(), &features.into(), &model.into())
            && row["horizon"] == horizon
    };
    let found: Vec<&Value> = rows.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{data} {features} {model} {horizon}");
    found[0]
}

/// ETTh1 and ETTh2, which may not be part of the project: in the folder that `LONGCAST_DATA` names.
fn ett() -> Result<PathBuf, String> {
    let named = std::env::var_os("LONGCAST_DATA").map(PathBuf::from);
    let found =
        named.filter(|folder| ["ETTh1.csv", "ETTh2.csv"].iter().all(|file| folder.join(file).is_file()));
    found.ok_or_else(|| "no ETTh1.csv and ETTh2.csv in the folder of LONGCAST_DATA".to_string())
}

/// Measured for the project with other code, MSE of the last value, the last day and the mean of 336 hours.
type Means = (u64, [f64; 3]);
const ETTH1: [Means; 5] = [
    (24, [1.222, 0.424, 0.696]),
    (48, [1.267, 0.465, 0.700]),
    (168, [1.325, 0.571, 0.712]),
    (336, [1.330, 0.650, 0.706]),
    (720, [1.335, 0.655, 0.701]),
];
const ETTH2: [Means; 5] = [
    (24, [0.271, 0.266, 0.352]),
    (48, [0.344, 0.322, 0.366]),
    (168, [0.510, 0.461, 0.400]),
    (336, [0.597, 0.532, 0.393]),
    (720, [0.594, 0.525, 0.432]),
];
const ETTH1_OT: [Means; 7] = [
    (24, [0.034, 0.046, 0.066]),
    (48, [0.050, 0.058, 0.070]),
    (96, [0.069, 0.071, 0.075]),
    (168, [0.087, 0.087, 0.080]),
    (192, [0.092, 0.092, 0.081]),
    (336, [0.113, 0.111, 0.084]),
    (720, [0.129, 0.125, 0.111]),
];
const ETTH2_OT: [Means; 7] = [
    (24, [0.229, 0.095, 0.221]),
    (48, [0.259, 0.123, 0.230]),
    (96, [0.295, 0.155, 0.244]),
    (168, [0.329, 0.189, 0.258]),
    (192, [0.337, 0.202, 0.261]),
    (336, [0.390, 0.261, 0.265]),
    (720, [0.437, 0.302, 0.331]),
];
/// MAE of the same.
const ETTH1_OT_MAE: [Means; 5] = [
    (24, [0.139, 0.166, 0.199]),
    (48, [0.171, 0.188, 0.205]),
    (168, [0.229, 0.230, 0.221]),
    (336, [0.265, 0.263, 0.230]),
    (720, [0.283, 0.280, 0.263]),
];
const ETTH2_OT_MAE: [Means; 5] = [
    (24, [0.357, 0.231, 0.382]),
    (48, [0.390, 0.266, 0.390]),
    (168, [0.454, 0.339, 0.420]),
    (336, [0.502, 0.404, 0.427]),
    (720, [0.531, 0.441, 0.472]),
];
/// Single numbers: data, model, metric, horizon.
const SINGLE: [(&str, &str, &str, u64, f64); 23] = [
    ("ETTh1", "seasonal-naive", "mse", 96, 0.512),
    ("ETTh1", "seasonal-naive", "mse", 192, 0.581),
    ("ETTh2", "seasonal-naive", "mse", 96, 0.391),
    ("ETTh2", "seasonal-naive", "mse", 192, 0.482),
    ("ETTh2", "window-mean", "mse", 96, 0.385),
    ("ETTh2", "window-mean", "mse", 192, 0.402),
    ("ETTh1", "naive", "mse", 96, 1.294),
    ("ETTh2", "naive", "mse", 96, 0.432),
    ("ETTh1", "seasonal-naive", "mae", 24, 0.389),
    ("ETTh1", "seasonal-naive", "mae", 48, 0.407),
    ("ETTh1", "seasonal-naive", "mae", 168, 0.462),
    ("ETTh1", "seasonal-naive", "mae", 336, 0.501),
    ("ETTh1", "seasonal-naive", "mae", 720, 0.514),
    ("ETTh2", "seasonal-naive", "mae", 24, 0.304),
    ("ETTh2", "seasonal-naive", "mae", 48, 0.339),
    ("ETTh2", "seasonal-naive", "mae", 168, 0.417),
    ("ETTh2", "seasonal-naive", "mae", 336, 0.466),
    ("ETTh2", "seasonal-naive", "mae", 720, 0.474),
    ("ETTh2", "window-mean", "mae", 24, 0.399),
    ("ETTh2", "window-mean", "mae", 720, 0.455),
    // As LTSF-Linear published them under the name Repeat.
    ("ETTh1", "naive", "mae", 96, 0.713),
    ("ETTh1", "naive", "mse", 192, 1.325),
    ("ETTh2", "naive", "mae", 192, 0.473),
];

#[test]
fn the_baselines_are_those_of_the_published_protocol_to_the_third_decimal() {
    let data = match ett() {
        Ok(data) => data,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs the reference data: {reason}");
            println!("SKIPPED: {reason}");
            return;
        }
    };
    let folder = Folder::new("ett");
    let arguments = "bench ltsf --data ETTh1,ETTh2 --horizons 24,48,96,168,192,336,720 --models naive \
                     --features M,S --json rows.json";
    finish(command(&folder, arguments).env("LONGCAST_DATA", data)).succeeded();
    let rows = rows(&folder, "rows.json");
    assert_eq!(rows.len(), 2 * 2 * 7 * 3);
    let check = |data: &str, features: &str, model: &str, metric: &str, horizon: u64, published: f64| {
        let ours = row(&rows, data, features, model, horizon)[metric].as_f64().unwrap();
        let place = format!("{data} {features} {model} {metric} {horizon}");
        assert!((ours - published).abs() < 0.0006, "{place}: {ours} where {published} was measured");
    };
    for (data, features, metric, table) in [
        ("ETTh1", "M", "mse", &ETTH1[..]),
        ("ETTh2", "M", "mse", &ETTH2),
        ("ETTh1", "S", "mse", &ETTH1_OT),
        ("ETTh2", "S", "mse", &ETTH2_OT),
        ("ETTh1", "S", "mae", &ETTH1_OT_MAE),
        ("ETTh2", "S", "mae", &ETTH2_OT_MAE),
    ] {
        for (horizon, means) in table {
            for (model, mean) in ["naive", "seasonal-naive", "window-mean"].into_iter().zip(means) {
                check(data, features, model, metric, *horizon, *mean);
            }
        }
    }
    for (data, model, metric, horizon, mean) in SINGLE {
        check(data, "M", model, metric, horizon, mean);
    }
    for (horizon, windows) in [(96, 2785), (192, 2689), (336, 2545), (720, 2161)] {
        for model in ["naive", "seasonal-naive", "window-mean"] {
            assert_eq!(row(&rows, "ETTh1", "M", model, horizon)["windows"], windows);
        }
    }
    let lookback = |model: &str| &row(&rows, "ETTh1", "M", model, 96)["lookback"];
    let lookbacks = ["naive", "seasonal-naive", "window-mean"].map(lookback);
    assert_eq!(lookbacks, [1, 24, 336]);
}

/// 1,000 hours: 700 to train on, 200 to test.
fn thousand(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(1_000, 4)));
    folder
}

#[test]
fn rows_have_the_keys_of_the_protocol_and_baselines_stand_beside_every_model() {
    let folder = thousand("keys");
    let line = "bench ltsf --data load.csv --horizons 24,12 --models ar --lookback 48";
    let run = folder.run(&format!("{line} --json rows.json")).succeeded();
    let text = String::from_utf8(folder.read("rows.json")).unwrap();
    let rows = rows(&folder, "rows.json");
    let keys: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.as_object().unwrap().keys()).map(String::as_str).collect();
    let asked = ["data", "model", "horizon", "mse", "mae", "windows", "lookback", "seed", "fit_seconds"];
    assert_eq!(keys, asked.into_iter().chain(["features"]).collect());
    assert!(
        text.starts_with("[\n  {\n    \"data\": \"load\",\n    \"model\": \"naive\",\n    \"horizon\": 12,")
    );

    let models: Vec<_> = rows.iter().map(|row| (row["horizon"].as_u64(), row["model"].as_str())).collect();
    let expected = [12, 24].map(|horizon| {
        ["naive", "seasonal-naive", "window-mean", "ar"].map(|model| (Some(horizon), Some(model)))
    });
    assert_eq!(models, expected.concat());
    for (model, lookback) in [("naive", 1), ("seasonal-naive", 24), ("window-mean", 336), ("ar", 48)] {
        let row = row(&rows, "load", "M", model, 24);
        assert_eq!((&row["lookback"], &row["windows"]), (&lookback.into(), &(200 - 24 + 1).into()));
    }
    let mse = |model: &str| row(&rows, "load", "M", model, 24)["mse"].as_f64().unwrap();
    assert!(mse("ar") < mse("seasonal-naive"), "{} {}", mse("ar"), mse("seasonal-naive"));

    // The table for people says the same, and what else there is.
    let table = run.text();
    assert!(
        table.starts_with(
            "load M (y): 700 steps for training, 100 for validation, 200 for testing; season 24\n"
        ),
        "{table}"
    );
    let ar: Vec<&str> =
        table.lines().rfind(|line| line.starts_with("ar ")).unwrap().split_whitespace().collect();
    assert_eq!(ar[..3], ["ar", "24", &format!("{:.4}", mse("ar"))]);
    assert_eq!(ar[4..7], ["177", "48", "49"]);
    if cfg!(target_os = "linux") {
        assert!(ar[8].parse::<f64>().unwrap() > 1.0, "{table}");
    }
    assert!(table.contains("Published tables are no bar"), "{table}");
}

#[test]
fn json_goes_to_standard_output_with_the_global_flag_and_to_a_file_with_ours() {
    let folder = thousand("json");
    let line = "bench ltsf --data load.csv --horizons 12 --models naive";
    let without_seconds = |rows: &Value| -> Vec<Value> {
        let mut rows = rows.as_array().unwrap().clone();
        rows.iter_mut().for_each(|row| row["fit_seconds"] = 0.into());
        rows
    };
    let expected = without_seconds(&folder.run(&format!("--json {line}")).succeeded().json());
    assert_eq!(expected.len(), 3);
    for same in [
        format!("{line} --json-stdout"),
        line.replace("bench ", "bench --json "),
        format!("--json {line} --json rows.json"),
    ] {
        assert_eq!(without_seconds(&folder.run(&same).succeeded().json()), expected, "{same}");
    }
    assert_eq!(without_seconds(&rows(&folder, "rows.json").into()), expected);

    let to_file = folder.run(&format!("{line} --json=other.json")).succeeded();
    assert!(to_file.text().starts_with("load M"), "{}", to_file.text());
    assert_eq!(without_seconds(&rows(&folder, "other.json").into()), expected);
    assert!(to_file.stderr.contains("wrote other.json"), "{}", to_file.stderr);
}

#[test]
fn data_are_found_by_file_and_by_name_in_folders_and_in_the_program() {
    let folder = thousand("places");
    for sub in ["data", "elsewhere"] {
        std::fs::create_dir(folder.join(sub)).unwrap();
        folder.write(&format!("{sub}/ETTh9.csv"), hourly(&wave(14_400, 5)));
    }
    let models = "--horizons 24 --models naive --json rows.json";
    for (data, name, windows) in [
        ("load.csv", "load", 177),
        ("./load.csv", "load", 177),
        ("load", "load", 177),
        // In data, and by its name split into months.
        ("ETTh9", "ETTh9", 2_880 - 23),
        ("elsewhere/ETTh9.csv", "ETTh9", 2_880 - 23),
        ("ETTh9 --data-dir elsewhere --split 0.5,0.25", "ETTh9", 3_600 - 23),
        ("water-flow", "water-flow", 1_379 / 5 - 23),
    ] {
        folder.run(&format!("bench ltsf --data {data} {models}")).succeeded();
        let rows = rows(&folder, "rows.json");
        assert_eq!(row(&rows, name, "M", "naive", 24)["windows"], windows, "{data}");
    }
}

#[test]
fn the_target_alone_is_forecast_as_a_file_that_has_nothing_else() {
    let folder = Folder::new("alone");
    let (a, b) = (wave(1_000, 6), wave(1_000, 7));
    let wide: String = hourly(&a)
        .lines()
        .zip(hourly(&b).lines())
        .skip(1)
        .map(|(a, b)| format!("{a},{}\n", b.split(',').nth(1).unwrap()))
        .collect();
    folder.write("wide.csv", format!("date,OT,other\n{wide}"));
    folder.write("OT.csv", hourly(&a));
    folder.write("other.csv", hourly(&b));
    let scores = |arguments: &str| -> Vec<(Value, Value)> {
        folder
            .run(&format!("bench ltsf {arguments} --horizons 24 --lookback 30 --json rows.json"))
            .succeeded();
        rows(&folder, "rows.json").iter().map(|row| (row["model"].clone(), row["mse"].clone())).collect()
    };
    assert_eq!(scores("--data wide.csv --features S"), scores("--data OT.csv"));
    assert_eq!(
        scores("--data wide.csv --features univariate --target other"),
        scores("--data other.csv --features S")
    );
    assert_eq!(scores("--data wide.csv --features m,s").len(), 2 * 4);
}
