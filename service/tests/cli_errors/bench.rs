//! Calls of `bench ltsf` that cannot be answered.

use crate::refusal::{fitted, refused};
use crate::run::{hourly, wave};

#[test]
fn unknown_models_data_channels_and_splits_are_named() {
    let folder = fitted("bench");
    let known = "known models are naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer";
    refused(&folder, "bench ltsf --data load.csv --models arima", &["unknown model \"arima\"", known]);
    refused(
        &folder,
        "bench ltsf --data ETTh3",
        &[
            "cannot find the data \"ETTh3\"",
            "electricity, pv",
            "., data, datasets",
            "--data-dir",
            "zhouhaoyi/ETDataset",
        ],
    );
    refused(&folder, "bench ltsf --data gone/ETTh1.csv", &["\"gone/ETTh1.csv\"", "no such file"]);
    refused(&folder, "bench ltsf --data ETTh1 --data-dir gone", &["no .csv of that name is in gone;"]);
    let target = "bench ltsf --data load.csv --target OT";
    refused(&folder, target, &["--target is \"OT\"", "--features S"]);
    refused(
        &folder,
        &format!("{target} --features S"),
        &["--target is \"OT\"", "the channels of load are y"],
    );
    refused(&folder, "bench ltsf --data load.csv --features X", &["'X'", "M, S"]);
    for split in ["months", "0.7", "0.7,x"] {
        refused(
            &folder,
            &format!("bench ltsf --data load.csv --split {split}"),
            &["--split", split, "ett or the shares"],
        );
    }
    refused(&folder, "bench ltsf --data load.csv --split 0.9,0.2", &["split is 0.9/0.2", "at most 1"]);
    refused(&folder, "bench ltsf", &["--data"]);
    refused(&folder, "bench informer", &["informer"]);
}

#[test]
fn data_too_short_for_split_horizon_or_lookback_say_how_long_they_are() {
    let folder = fitted("bench-short");
    folder.write("ETTh1.csv", hourly(&wave(600, 2)));
    refused(&folder, "bench ltsf --data ETTh1", &["split is ett", "600 steps", "14400"]);
    refused(&folder, "bench ltsf --data load.csv", &["horizon is 192", "test range of series", "120 steps"]);
    let short = "bench ltsf --data load.csv --horizons 24";
    refused(
        &folder,
        &format!("{short} --lookback 481"),
        &["lookback is 481", "ar has only 480 steps of series"],
    );
    refused(&folder, &format!("{short} --season-length 481"), &["lookback is 481", "480 steps of series"]);
    refused(&folder, &format!("{short} --models naive --lookback 3"), &["--lookback", "naive has none"]);
    for size in ["0", "1000000000000"] {
        refused(
            &folder,
            &format!("bench ltsf --data load.csv --horizons {size}"),
            &[&format!("horizon is {size}")],
        );
        refused(&folder, &format!("{short} --season-length {size}"), &[&format!("season_length is {size}")]);
        refused(&folder, &format!("{short} --lookback {size}"), &[&format!("order is {size}")]);
    }
}

#[test]
fn rows_are_not_written_over_the_data_nor_where_they_cannot_be() {
    let folder = fitted("bench-rows");
    let line = "bench ltsf --data load.csv --horizons 24 --models naive --json";
    refused(
        &folder,
        &format!("{line} load.csv"),
        &["cannot write \"load.csv\"", "read or written by this run"],
    );
    refused(&folder, &format!("{line} gone/rows.json"), &["there is no folder \"gone\""]);
    refused(&folder, line, &["a value is required", "--json <FILE>"]);
}
