//! Calls that are wrong whatever the data are.

use crate::refusal::{fitted, refused};
use crate::run::Folder;

#[test]
fn no_command_shows_the_help() {
    let folder = Folder::new("nothing");
    let run = folder.run("");
    assert_eq!(run.code, Some(2));
    assert_eq!(run.text(), "");
    for said in ["Usage: longcast", "forecast", "Start with: longcast demo"] {
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    assert!(folder.names().is_empty());
}

#[test]
fn unknown_commands_and_flags_get_a_suggestion() {
    let folder = fitted("unknown");
    refused(&folder, "forcast load.longcast", &["forcast", "'forecast'"]);
    refused(&folder, "fit --ordr 24 load.csv -o m.longcast", &["--ordr", "'--order'"]);
    refused(&folder, "plot heatmap load.csv", &["heatmap"]);
    refused(&folder, "completions tcsh", &["tcsh", "bash", "fish", "zsh"]);
    refused(&folder, "fit load.csv", &["--output"]);
    refused(&folder, "serve", &["--model"]);
}

#[test]
fn unknown_models_are_named_with_the_known_ones() {
    let folder = fitted("models");
    let known = "known models are naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer";
    refused(&folder, "fit --model arima load.csv -o m.longcast", &["unknown model \"arima\"", known]);
    refused(&folder, "backtest load.csv --model ar,arima", &["unknown model \"arima\"", known]);
    refused(&folder, "data show electrcity", &["\"electrcity\"", "electricity, pv"]);
}

#[test]
fn horizons_levels_and_quantiles_outside_their_range_are_refused() {
    let folder = fitted("ranges");
    let horizon = ["horizon is 0", "must"];
    refused(&folder, "forecast load.longcast --horizon 0", &horizon);
    refused(&folder, "plot forecast load.longcast --horizon 0 -o x.png", &horizon);
    refused(&folder, "fit load.csv --horizon 0 -o m.longcast", &horizon);
    refused(&folder, "backtest load.csv --horizon 0", &horizon);
    refused(&folder, "forecast load.longcast --horizon 1000001", &["horizon is 1000001", "1000000"]);
    let both = "between 0 and 100";
    for level in ["0", "100", "101", "-5", "NaN", "inf"] {
        let said = format!("level is {level}");
        refused(&folder, &format!("forecast load.longcast --level={level}"), &[&said, both]);
        refused(&folder, &format!("backtest load.csv --level={level}"), &[&said, both]);
    }
    refused(&folder, "forecast load.longcast --level 80,0", &["level is 0", both]);
    refused(&folder, "forecast load.longcast --quantiles 1.5", &["quantile is 1.5", "between 0 and 1"]);
    refused(&folder, "forecast load.longcast --level wide", &["'wide'", "--level"]);
    refused(&folder, "forecast load.longcast --horizon ten", &["'ten'", "--horizon"]);
}

#[test]
fn intervals_beyond_the_calibration_say_what_is_possible() {
    let folder = fitted("calibration");
    let horizon = ["horizon is 25", "calibrated for 24 steps", "fit again with horizon 25"];
    refused(&folder, "forecast load.longcast --horizon 25 --level 80", &horizon);
    refused(&folder, "forecast load.longcast --horizon 25 --quantiles 0.5", &horizon);
    refused(&folder, "forecast load.longcast --level 99.9", &["calibration windows", "level 99"]);
    folder.run("forecast load.longcast --horizon 25").succeeded();
}

#[test]
fn a_level_or_quantile_given_twice_is_no_fault_of_ours() {
    let folder = fitted("twice");
    for flags in ["--level 80,80", "--quantiles 0.1,0.1", "--level 80,80.0"] {
        let run = folder.run(&format!("forecast load.longcast --horizon 2 {flags}"));
        assert!(matches!(run.code, Some(0 | 2)), "{flags}: {:?} {}", run.code, run.stderr);
        assert!(!run.stderr.contains("report it"), "{flags}: {}", run.stderr);
    }
}

#[test]
fn settings_that_no_model_has_are_named_with_those_that_it_has() {
    let folder = fitted("settings");
    let ar =
        ["ar has anchor, covariate_lags, covariates, criterion, density, difference, direct_steps, fourier,"];
    refused(&folder, "fit --set colour=red load.csv -o m.longcast", &["--set", "colour", ar[0]]);
    refused(
        &folder,
        "fit --model naive --lookback 24 load.csv -o m.longcast",
        &["--lookback", "naive has none"],
    );
    folder.run("fit --lookback 24 load.csv -o m.longcast").succeeded();
    refused(&folder, "fit --model naive --order 3 load.csv -o m.longcast", &["--order", "naive has none"]);
    refused(&folder, "fit --set pooled load.csv -o m.longcast", &["--set", "name=value"]);
    refused(&folder, "fit --set order=many load.csv -o m.longcast", &["order is \"many\""]);
    refused(&folder, "fit --order 0 load.csv -o m.longcast", &["order is 0", "must"]);
    refused(
        &folder,
        "fit --model drift --lookback 1 load.csv -o m.longcast",
        &["lookback is 1", "at least 2"],
    );
    refused(&folder, "fit --season-length 0 load.csv -o m.longcast", &["season_length is 0", "must"]);
    refused(&folder, "fit --validation 1 load.csv -o m.longcast", &["validation is 1", "between 0 and 1"]);
    refused(
        &folder,
        "fit --scaling log load.csv -o m.longcast",
        &["\"log\"", "standard, robust, min-max or none"],
    );
    refused(&folder, "backtest load.csv --refit often", &["often", "true, false or a number"]);
    refused(&folder, "backtest load.csv --n-windows 0", &["n_windows is 0", "must"]);
    refused(
        &folder,
        "backtest load.csv --training all",
        &["training is all", "expanding or a number of steps"],
    );
    let short = "backtest load.csv --order 24 --horizon 4 --n-windows 2 --gap 2 --training 29";
    refused(&folder, short, &["training is 29", "lookback 24", "at least 30"]);
    refused(&folder, "backtest load.csv --gap 600", &["has 600 steps", "gap 600"]);
    refused(&folder, "backtest load.csv --gap=-1", &["'-1'", "--gap"]);
    refused(&folder, "backtest load.csv --metric bias", &["metric is bias", "mae, mse", "winkler"]);
    refused(&folder, "backtest load.csv --plot-calibration x.png", &["--level"]);
    refused(&folder, "backtest load.csv --step-size 0", &["step_size is 0", "must"]);
}

#[test]
fn absurd_sizes_are_refused_and_not_tried() {
    let folder = fitted("absurd");
    for size in ["1000000000000", "18446744073709551615"] {
        refused(&folder, &format!("fit --order {size} load.csv -o m.longcast"), &[size]);
        refused(&folder, &format!("fit --horizon {size} load.csv -o m.longcast"), &[size]);
        refused(&folder, &format!("backtest load.csv --horizon {size}"), &[size]);
        refused(&folder, &format!("backtest load.csv --horizon 3 --n-windows {size}"), &[size]);
        refused(&folder, &format!("backtest load.csv --horizon 3 --step-size {size}"), &[size]);
        refused(&folder, &format!("backtest load.csv --horizon 3 --gap {size}"), &[size]);
        refused(&folder, &format!("backtest load.csv --horizon 3 --n-windows 2 --training {size}"), &[size]);
    }
}

#[test]
fn a_configuration_file_with_an_unknown_key_or_model_says_which() {
    let folder = fitted("toml");
    for (text, parts) in [
        ("model = \"ar\"\norder = 24\nlags = 3\n", &["ar.toml", "`lags`", "`order`", "`pooled`"][..]),
        ("model = \"arima\"\n", &["ar.toml", "unknown model \"arima\"", "seasonal-naive"]),
        ("order = 24\n", &["ar.toml", "model", "no line such as model = \"ar\""]),
        ("model = \"ar\"\norder = \"long\"\n", &["ar.toml", "\"long\""]),
        ("model = \n", &["ar.toml", "line 1"]),
    ] {
        folder.write("ar.toml", text);
        refused(&folder, "fit --config ar.toml load.csv -o m.longcast", parts);
    }
    refused(&folder, "fit --config gone.toml load.csv -o m.longcast", &["cannot read \"gone.toml\""]);
    refused(&folder, "fit --config ar.toml --model ar load.csv -o m.longcast", &["--config", "--model"]);
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let folder = fitted("json");
    for (arguments, part) in [
        ("forecast load.longcast --horizon 0", "horizon is 0"),
        ("fit --model arima load.csv -o m.longcast", "unknown model"),
        ("inspect gone.csv", "gone.csv"),
        ("fit load.csv -o gone/m.longcast", "gone/m.longcast"),
        ("fit --ordr 24 load.csv -o m.longcast", "--ordr"),
        ("forcast load.longcast", "forcast"),
    ] {
        let before = folder.contents();
        let run = folder.run(&format!("--json {arguments}"));
        assert_eq!((run.code, run.text()), (Some(2), ""), "{arguments}");
        let error: Result<serde_json::Value, _> = serde_json::from_str(&run.stderr);
        let error = error.unwrap_or_else(|error| panic!("{arguments}: {error} in {:?}", run.stderr));
        assert_eq!(error["fault"], "user", "{arguments}");
        let message = error["error"].as_str().unwrap();
        assert!(message.contains(part), "{arguments}: {message}");
        assert!(before == folder.contents(), "{arguments} changed the folder");
    }
}
