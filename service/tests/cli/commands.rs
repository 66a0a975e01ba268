//! `data`, `inspect`, `fit` and `completions`.

use crate::run::{Folder, hourly, wave};

#[test]
fn every_data_set_is_listed_shown_and_exported_with_as_many_rows_as_it_says() {
    let folder = Folder::new("data");
    let list = folder.run("--json data list").succeeded().json();
    let text = folder.run("data list").succeeded();
    let sets = list.as_array().unwrap();
    assert!(sets.len() >= 5, "{} data sets", sets.len());
    for set in sets {
        let name = set["name"].as_str().unwrap();
        let starts = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(text.text().lines().any(starts), "{name} is not in {}", text.text());

        let shown = folder.run(&format!("data show {name}")).succeeded();
        for fact in ["source_url", "license", "sha256", "target"] {
            let fact = set[fact].as_str().unwrap();
            assert!(shown.text().contains(fact), "{name} does not show {fact}");
        }
        assert_eq!(&folder.run(&format!("--json data show {name}")).succeeded().json(), set);

        let file = format!("{name}.csv");
        folder.run(&format!("data export {name} -o {file}")).succeeded();
        let csv = String::from_utf8(folder.read(&file)).unwrap();
        let n_rows = csv.lines().count() - 1;
        assert_eq!(Some(n_rows as u64), set["rows"].as_u64(), "{name}");
        assert_eq!(folder.run(&format!("data export {name}")).succeeded().text(), csv);
    }
}

#[test]
fn inspect_counts_the_defects_that_were_put_in() {
    let folder = Folder::new("inspect");
    let mut values = wave(500, 4);
    for empty in [20, 21, 22, 300] {
        values[empty] = f64::NAN;
    }
    values[50] = 200.0;
    values[60] = 0.0;
    let csv = hourly(&values).replace("NaN", "");
    let mut rows: Vec<&str> = csv.lines().collect();
    // Row i of the data stands at i + 1. Two hours are absent, one comes twice, one comes late.
    rows.insert(401, rows[400]);
    rows.swap(450, 451);
    rows.drain(201..203);
    folder.write("messy.csv", format!("{}\n", rows.join("\n")));

    let run = folder.run("inspect messy.csv --duplicates first").succeeded();
    let text = run.text();
    assert!(
        text.contains("y: 2024-01-01 00:00:00 to 2024-01-21 19:00:00, 499 rows on 500 steps of 1h"),
        "{text}"
    );
    assert!(text.contains("2 absent, 1 duplicate, 1 out of order; season 24 steps (1 day)"), "{text}");
    assert!(text.contains("; look back 48 steps\n"), "{text}");
    assert!(text.contains("  longest gap: 3 steps (3 hours), 2024-01-"), "{text}");

    let report = folder.run("--json inspect messy.csv --duplicates first").succeeded().json();
    assert_eq!(report["step"], "1h");
    assert_eq!(report["season_length"], 24);
    let series = &report["series"][0];
    for (count, expected) in
        [("n_rows", 499), ("n_steps", 500), ("n_absent", 2), ("n_duplicates", 1), ("n_out_of_order", 1)]
    {
        assert_eq!(series[count], expected, "{count}");
    }
    let channel = &series["channels"][0];
    for (count, expected) in [
        ("n_observed", 494),
        ("n_missing", 6),
        ("n_gaps", 3),
        ("longest_gap", 3),
        ("n_zeros", 1),
        ("n_outliers", 2),
    ] {
        assert_eq!(channel[count], expected, "{count}");
    }
    assert_eq!(channel["max"], 200.0);
    assert_eq!(report["recommended_lookback"], 48);
    let gap = channel["longest_gap_at"].as_array().unwrap();
    assert!(gap.len() == 2 && gap[0].as_str() < gap[1].as_str(), "{gap:?}");
}

#[test]
fn fit_says_how_it_did_and_the_model_file_says_the_same() {
    let folder = Folder::new("fit");
    folder.write("load.csv", hourly(&wave(600, 5)));
    let text = folder.run("fit --order 24 --horizon 12 load.csv -o load.longcast").succeeded();
    assert!(text.text().starts_with(
        "ar: looks back 24 steps (1 day), season 24, intervals up to 12 steps (12 hours) ahead\n"
    ));
    assert!(text.text().contains("(seasonal naive "), "{}", text.text());

    let report =
        folder.run("--json fit --order 24 --horizon 12 load.csv -o load.longcast").succeeded().json();
    assert_eq!(report["output"], "load.longcast");
    let header = &report["header"];
    let config = serde_json::json!({
        "model": "ar", "order": 24, "lookbacks": [24], "strategy": "recursive", "anchor": ["none"],
        "ridge": [0.0], "ridge_season": null, "pooled": false, "pool_channels": false, "criterion": null,
        "method": "least-squares", "unstable": "keep", "shrinkage": null, "difference": null,
        "direct_steps": null, "fourier": null, "half_life": null, "trend": "none", "covariates": "use", "covariate_lags": 0,
        "penalty": null, "lambda": null, "density": null, "l1_ratio": null, "most_lags": null, "stability": 0
    });
    assert_eq!(header["config"], config);
    assert_eq!((&header["horizon"], &header["seed"], &header["step"]), (&12.into(), &1.into(), &"1h".into()));
    let mase = |name: &str| header["metrics"][name].as_f64().unwrap();
    assert!(mase("validation_mase") < mase("validation_seasonal_naive_mase"));
    let model = forecast::Model::load(folder.join("load.longcast")).unwrap();
    assert_eq!(&serde_json::to_value(model.header()).unwrap(), header);
}

#[test]
fn settings_come_from_flags_and_from_a_file_alike() {
    let folder = Folder::new("config");
    folder.write("load.csv", hourly(&wave(600, 6)));
    folder.write("ar.toml", "model = \"ar\"\norder = 24\npooled = true\n");
    folder.run("fit --model ar --order 24 --set pooled=true load.csv -o flags.longcast").succeeded();
    folder.run("fit --config ar.toml load.csv -o file.longcast").succeeded();
    assert!(folder.read("flags.longcast") == folder.read("file.longcast"));
    folder.run("fit --config ar.toml --order 12 load.csv -o both.longcast").succeeded();
    assert_eq!(forecast::Model::load(folder.join("both.longcast")).unwrap().lookback(), 12);

    // Names that other libraries use for the lookback.
    folder.run("fit --model window-mean --lookback 36 load.csv -o ours.longcast").succeeded();
    for flag in ["--input-size", "--context-length", "--seq-len"] {
        folder.run(&format!("fit --model window-mean {flag} 36 load.csv -o theirs.longcast")).succeeded();
        assert!(folder.read("ours.longcast") == folder.read("theirs.longcast"), "{flag}");
    }
}

#[test]
fn completions_know_every_command() {
    let folder = Folder::new("completions");
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.run(&format!("completions {shell}")).succeeded();
        assert_eq!(script.stderr, "", "{shell}");
        for word in ["longcast", "inspect", "backtest", "coefficients", "export", "season-length"] {
            assert!(script.text().contains(word), "{shell}: {word}");
        }
    }
    let bash = folder.run("completions bash").succeeded();
    folder.write("longcast.bash", &bash.stdout);
    let checked = std::process::Command::new("bash").arg("-n").arg(folder.join("longcast.bash")).output();
    match checked {
        Ok(output) => assert!(output.status.success() && output.stderr.is_empty(), "{output:?}"),
        Err(error) => println!("SKIPPED the syntax check: no bash here ({error})"),
    }
}
