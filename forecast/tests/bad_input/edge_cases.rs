//! Inputs on which earlier versions gave a wrong result, a misleading message, or a panic.

use std::path::Path;

use forecast::data::{Cells, Format, Series, encode};
use forecast::eval::{BacktestOptions, Refit, backtest};
use forecast::{ForecastOptions, Model, ModelConfig, Panel, ReadOptions, Result, Step};

use super::altered_models::resealed;
use super::{fit, hourly, message, noise};

fn config(model: &str, key: &str, value: &str) -> ModelConfig {
    super::config(model, &[(key, value)])
}

fn read(csv: &str) -> Result<Panel> {
    Panel::read_csv(csv.as_bytes(), "load.csv", &ReadOptions::default())
}

fn ids(panel: &Panel) -> Vec<&str> {
    panel.series().iter().map(Series::id).collect()
}

// ---- CSV: what a column is -----------------------------------------------------------------------------

#[test]
fn text_near_the_top_of_a_conventional_target_names_row_and_value() {
    let message = message(read("ds,y\n1,10\n2,offline\n3,30\n"));
    assert!(message.contains("row 2: \"offline\" in column \"y\" is not a number"), "{message}");
}

#[test]
fn a_series_whose_values_begin_late_is_read() {
    let cell = |row: i32| if row <= 1_200 { String::new() } else { format!("{row}.5") };
    let rows: String = (1..=1_500).map(|row| format!("{row},{}\n", cell(row))).collect();
    assert_eq!(read(&format!("ds,y\n{rows}")).unwrap().series()[0].n_observed(0), 300);
    let wide: String = (1..=1_500).map(|row| format!("{row},1,{}\n", cell(row))).collect();
    assert_eq!(read(&format!("ds,a,b\n{wide}")).unwrap().channels(), ["a", "b"]);
}

#[test]
fn a_target_that_is_empty_throughout_is_called_empty() {
    let message = message(read("ds,y\n1,\n2,\n3,\n"));
    assert!(message.contains("\"y\"") && !message.contains("--target-col"), "{message}");
}

// ---- ids -----------------------------------------------------------------------------------------------

#[test]
fn ids_of_digits_keep_every_digit() {
    let panel =
        read("unique_id,ds,y\n001,1,1\n001,2,2\n1,3,5\n1,4,6\n1.10,1,1\n1.10,2,2\n1.1,5,1\n1.1,6,2\n");
    assert_eq!(ids(&panel.unwrap()), ["001", "1", "1.10", "1.1"]);
    let panel = read("unique_id,ds,y\n007,1,1\n007,2,2\n7,3,5\n7,4,6\n");
    assert_eq!(ids(&panel.unwrap()), ["007", "7"]);
}

#[test]
fn ids_of_twenty_digits_are_read() {
    let panel = read(
        "unique_id,ds,y\n12345678901234567890,1,1\n12345678901234567890,2,2\n12345678901234567891,1,5\n12345678901234567891,2,6\n",
    );
    assert_eq!(ids(&panel.unwrap()), ["12345678901234567890", "12345678901234567891"]);
}

#[test]
fn ids_that_look_like_missing_values_stay_ids() {
    let panel = read("unique_id,ds,y\nNA,1,1\nNA,2,2\nnull,3,5\nnull,4,6\nZA,1,5\nZA,2,6\n").unwrap();
    assert_eq!(ids(&panel), ["NA", "null", "ZA"]);
}

#[test]
fn a_word_among_ids_of_digits_is_an_id() {
    let rows: String = (0..1_500).map(|row| format!("5,{row},1\n")).collect();
    let panel = read(&format!("unique_id,ds,y\n{rows}x,1,1\nx,2,2\n")).unwrap();
    assert_eq!(ids(&panel), ["5", "x"]);
}

// ---- stamps --------------------------------------------------------------------------------------------

#[test]
fn a_word_among_integer_stamps_names_its_own_row() {
    let message = message(read("ds,y\n1,1\n2,2\nx,3\n4,4\n"));
    assert!(message.contains("row 3: cannot read \"x\" in column \"ds\""), "{message}");
}

#[test]
fn a_word_far_down_among_integer_stamps_names_its_row() {
    let rows: String = (1..=1_500).map(|row| format!("{row},1\n")).collect();
    let message = message(read(&format!("ds,y\n{rows}x,2\n")));
    assert!(message.contains("row 1501: cannot read \"x\" in column \"ds\""), "{message}");
}

#[test]
fn rows_that_all_have_one_stamp_are_duplicates() {
    let message = message(read("ds,y\n2024-01-01,1\n2024-01-01,2\n"));
    assert!(message.starts_with("series \"y\" has 2 rows for 2024-01-01 00:00:00"), "{message}");
}

#[test]
fn the_first_stamp_off_the_grid_is_named() {
    let hours: String = (0..10).map(|hour| format!("a,2024-01-01 {hour:02}:00:00,1\n")).collect();
    let quarters: String =
        (0..4).map(|quarter| format!("b,2024-01-01 00:{:02}:00,1\n", 15 * quarter)).collect();
    let message = message(read(&format!("unique_id,ds,y\n{hours}{quarters}")));
    assert!(
        message.starts_with("series \"b\" is irregular: 2024-01-01 00:15:00 is not on the grid"),
        "{message}"
    );
}

#[test]
fn a_series_on_a_coarser_grid_than_the_others_is_named() {
    let quarters: String =
        (0..40).map(|i| format!("a,2024-01-01 {:02}:{:02}:00,1\n", i / 4, 15 * (i % 4))).collect();
    let hours: String = (0..10).map(|hour| format!("b,2024-01-01 {hour:02}:00:00,1\n")).collect();
    let message = message(read(&format!("unique_id,ds,y\n{quarters}{hours}")));
    assert!(message.contains("series \"b\"") && message.contains("1h"), "{message}");
}

#[test]
fn stamps_further_apart_than_an_i64_are_refused_with_a_step_that_is_positive() {
    for csv in [
        "ds,y\n1678-01-01,1\n1678-01-02,1\n1678-01-03,1\n2262-01-01,2\n",
        "ds,y\n1678-01-01,1\n2262-01-01,2\n",
        "ds,y\n-9223372036854775808,1\n9223372036854775807,2\n",
    ] {
        let message = message(read(csv));
        assert!(!message.contains("grid of -"), "{message}");
    }
}

#[test]
fn a_step_of_zero_is_refused() {
    for freq in [Step::Index(0), Step::Index(-1)] {
        let options = ReadOptions { freq: Some(freq), ..ReadOptions::default() };
        message(Panel::read_csv(b"ds,y\n1,1\n2,2\n", "load.csv", &options));
    }
    for freq in [Step::Nanos(0), Step::Days(0), Step::Months(0)] {
        let options = ReadOptions { freq: Some(freq), ..ReadOptions::default() };
        message(Panel::read_csv(b"ds,y\n2024-01-01,1\n2024-01-02,2\n", "load.csv", &options));
    }
}

// ---- rows ----------------------------------------------------------------------------------------------

#[test]
fn a_line_with_too_few_cells_is_refused_or_said() {
    match read("ds,a,b\n1,10,11\n2,20\n3,30,31\n") {
        Ok(panel) => assert!(!panel.report().notes.is_empty(), "nothing is repaired silently"),
        Err(error) => assert!(error.to_string().contains("row 2") || error.to_string().contains("line 3")),
    }
}

#[test]
fn a_line_with_too_many_cells_is_named() {
    let message = message(read("ds,y\n1,10\n2,20,21\n3,30\n"));
    assert!(message.contains("row 2") || message.contains("line 3"), "{message}");
}

#[test]
fn a_target_given_twice_is_refused() {
    let options = ReadOptions { target_columns: vec!["y".into(), "y".into()], ..ReadOptions::default() };
    message(Panel::read_csv(b"ds,y\n1,1\n2,2\n", "load.csv", &options));
}

#[test]
fn a_damaged_binary_file_never_panics() {
    let table = [
        (
            "ds".to_string(),
            Cells::Stamps((0..20).map(|i| i * 3_600_000_000_000).collect(), Default::default()),
        ),
        ("y".to_string(), Cells::Numbers((0..20).map(|i| f64::from(i) * 0.37).collect())),
    ];
    let mut panicked = Vec::new();
    for (format, name, changes) in [
        (
            Format::Parquet,
            "parquet",
            &[(175, 0x01), (219, 0x01), (221, 0x80), (344, 0x80), (623, 0x01), (669, 0x01)][..],
        ),
        (Format::Arrow, "arrow", &[(246, 0xff), (247, 0x01)]),
    ] {
        let whole = encode(&table, format).unwrap();
        let path = std::env::temp_dir().join(format!("longcast-damaged-{}.{name}", std::process::id()));
        for (at, flip) in changes {
            let mut bytes = whole.clone();
            bytes[*at] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            if std::panic::catch_unwind(|| Panel::read(&path, &ReadOptions::default()).map(|_| ())).is_err() {
                panicked.push((name, at));
            }
        }
        std::fs::remove_file(&path).unwrap();
    }
    assert!(panicked.is_empty(), "{panicked:?}");
}

// ---- fitting -------------------------------------------------------------------------------------------

#[test]
fn a_constant_series_says_its_value_in_its_own_units() {
    let message = message(fit(&config("ar", "order", "3"), &[5.0; 200], 2));
    assert!(message.contains("observed values of \"kW\" are 5;"), "{message}");
}

#[test]
fn too_high_an_order_names_one_that_fits() {
    let order = |order: &str| fit(&config("ar", "order", order), &noise(90), 24);
    assert!(message(order("96")).ends_with("use a lookback of at most 66"));
    let message = message(order("66"));
    let advised: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(advised > 1, "{message}");
    assert!(order(&(advised - 1).to_string()).is_ok());
}

#[test]
fn absurd_sizes_are_refused_with_sums_that_are_right() {
    let most = usize::MAX.to_string();
    message(fit(&config("ar", "order", &most), &noise(600), 24));
    for lookback in ["18446744073709551600", &most] {
        let message = message(fit(&config("seasonal-naive", "season_length", lookback), &noise(600), 24));
        assert!(!message.contains("needs 8;") && !message.contains("needs 23;"), "{message}");
    }
    let message = message(fit(&ModelConfig::parse("naive").unwrap(), &noise(600), usize::MAX));
    assert!(!message.contains("needs 0;"), "{message}");
}

#[test]
fn huge_values_are_fitted_or_refused_for_what_they_are() {
    let values: Vec<f64> = noise(600).iter().map(|v| v * 1e306).collect();
    if let Err(error) = fit(&ModelConfig::parse("naive").unwrap(), &values, 4) {
        assert!(!error.to_string().contains("has an infinite value"), "{error}");
    }
}

// ---- back-tests ----------------------------------------------------------------------------------------

#[test]
fn a_backtest_of_absurdly_many_windows_is_refused() {
    let options = BacktestOptions { n_windows: 1 << 61, step_size: Some(8), ..BacktestOptions::default() };
    message(backtest(&[], &hourly(&noise(600)), &options));
}

#[test]
fn a_backtest_with_absurd_steps_is_refused() {
    let options = BacktestOptions { n_windows: 3, step_size: Some(usize::MAX), ..BacktestOptions::default() };
    message(backtest(&[], &hourly(&noise(600)), &options));
}

#[test]
fn a_refit_at_every_zeroth_window_is_refused() {
    let options = BacktestOptions { refit: Refit::Every(0), ..BacktestOptions::default() };
    message(backtest(&[], &hourly(&noise(600)), &options));
}

// ---- model files ---------------------------------------------------------------------------------------

#[test]
fn an_absurd_lookback_in_a_file_is_refused_before_anything_is_allocated() {
    let bytes =
        fit(&config("seasonal-naive", "season_length", "7"), &noise(60), 2).unwrap().to_bytes().unwrap();
    let from = "\\\"model\\\":\\\"seasonal-naive\\\",\\\"season_length\\\":7";
    for season_length in ["9223372036854775807", "18446744073709551615"] {
        let to = from.replace(":7", &format!(":{season_length}"));
        let Ok(model) = Model::from_bytes(&resealed(&bytes, from, &to), Path::new("m.longcast")) else {
            continue;
        };
        let options = ForecastOptions { horizon: 1, ..Default::default() };
        assert!(message(model.forecast_next(&options)).contains("steps of history"));
        assert!(model.start(&hourly(&noise(60)).series()[0]).is_err(), "{season_length}");
    }
}
