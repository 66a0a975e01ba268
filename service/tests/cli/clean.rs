//! `clean`, and covariates on the command line.

use std::process::Stdio;

use crate::run::{Folder, command, finish, hourly, wave};

const MESSY: &str = "item_id,time,kW,t,sky,region,who\n\
    b,2024-01-01 01:00:00,4,1,sun,007,x\n\
    a,2024-01-01 00:00:00,1,2,rain,7,y\n\
    b,2024-01-01 00:00:00,3,3,,007,z\n\
    a,2024-01-01 00:00:00,2,4,fog,7,x\n\
    a,2024-01-01 03:00:00,5,5,sun,7,x\n\
    a,2024-01-01 04:00:00,,,rain,,x\n";
const FLAGS: &str = "--target-col kW --past-col t --future-col sky --static-col region \
    --categorical-col sky,region --duplicates mean --freq 1h";

#[test]
fn the_regular_table_holds_every_step_and_reads_back_as_itself() {
    let folder = Folder::new("clean");
    folder.write("messy.csv", MESSY);
    let run = folder.run(&format!("clean messy.csv {FLAGS}")).succeeded();
    let rows: Vec<String> = run.text().lines().map(|line| line.replace("\"\"", "")).collect();
    assert_eq!(
        rows,
        [
            "unique_id,ds,kW,t,sky,region",
            "b,2024-01-01 00:00:00,3.0,3.0,,007",
            "b,2024-01-01 01:00:00,4.0,1.0,sun,007",
            "a,2024-01-01 00:00:00,1.5,3.0,rain,7",
            "a,2024-01-01 01:00:00,,,,7",
            "a,2024-01-01 02:00:00,,,,7",
            "a,2024-01-01 03:00:00,5.0,5.0,sun,7",
            "a,2024-01-01 04:00:00,,,rain,7",
        ]
    );
    let told = "6 rows became 7 at steps of 1h: 2 absent steps masked as missing, 1 duplicate rows merged, \
        1 rows sorted, 1 steps known ahead";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(run.stderr.contains("column \"who\" is not numbers and not used"), "{}", run.stderr);
    for format in ["csv", "parquet", "arrow", "ndjson"] {
        let file = format!("clean.{format}");
        folder.run(&format!("clean messy.csv {FLAGS} -o {file}")).succeeded();
        let again = folder.run(&format!("clean {file} {FLAGS}")).succeeded();
        assert_eq!(again.text(), run.text(), "{format}");
        assert!(
            again.stderr.contains("7 rows became 7 at steps of 1h: 1 steps known ahead"),
            "{}",
            again.stderr
        );
    }
}

#[test]
fn a_dash_names_standard_output_and_no_file() {
    let folder = Folder::new("clean-dash");
    folder.write("messy.csv", MESSY);
    for format in ["csv", "ndjson", "arrow-stream", "parquet"] {
        let plain = folder.run(&format!("clean messy.csv {FLAGS} --format {format}")).succeeded();
        let dash = folder.run(&format!("clean messy.csv {FLAGS} --format {format} -o -")).succeeded();
        assert!(!dash.stdout.is_empty() && dash.stdout == plain.stdout, "{format}");
    }
    assert!(!folder.join("-").exists());
    // What has no place on standard output says so.
    let run = folder.run(&format!("fit messy.csv {FLAGS} --model naive -o -")).failed(2);
    assert!(run.stderr.contains("cannot write \"-\": this result goes to a file"), "{}", run.stderr);
}

#[test]
fn json_reports_repairs_on_standard_error_and_the_table_on_standard_output() {
    let folder = Folder::new("clean-json");
    folder.write("messy.csv", MESSY);
    let run = folder.run(&format!("--json clean messy.csv {FLAGS}")).succeeded();
    assert_eq!(run.json()[2]["region"], "7");
    assert_eq!(run.json()[3]["kW"], serde_json::Value::Null);
    let report: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    for (name, n) in [("n_rows", 6), ("n_written", 7), ("n_absent", 2), ("n_duplicates", 1), ("n_ahead", 1)] {
        assert_eq!(report[name], n, "{name}");
    }
    let run = folder.run(&format!("--json clean messy.csv {FLAGS} -o clean.csv")).succeeded();
    assert!(run.text().is_empty() && folder.join("clean.csv").exists());
}

#[test]
fn calendar_features_stand_behind_the_covariates() {
    let folder = Folder::new("clean-calendar");
    folder.write("load.csv", hourly(&wave(48, 1)));
    folder.write("days.csv", "ds,holiday\n2024-01-02,second\n");
    let run = folder
        .run("clean load.csv --time-features --fourier 1D:1,12h:1 --holidays days.csv --format ndjson")
        .succeeded();
    let rows: Vec<serde_json::Value> =
        run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 48);
    assert_eq!((&rows[6]["sin-1D-1"], &rows[23]["holiday-second"]), (&1.0.into(), &0.0.into()));
    assert_eq!((&rows[24]["holiday-second"], &rows[0]["unique_id"]), (&1.0.into(), &"y".into()));
    assert!(rows[0].as_object().unwrap().len() > 8, "{}", rows[0]);
    for (arguments, said) in [
        ("--fourier 1D:13", "at most 12"),
        ("--fourier 1D", "1D:4"),
        ("--holidays nowhere.csv", "cannot read \"nowhere.csv\""),
        ("-o load.csv", "read or written by this run already"),
        ("-o clean.xlsx", "no known format"),
    ] {
        let run = folder.run(&format!("clean load.csv {arguments}"));
        assert!(run.code == Some(2) && run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
    folder.write("twice.csv", "ds,y,sin-1D-1\n2024-01-01 00:00,1,2\n2024-01-01 01:00,1,2\n");
    let run = folder.run("clean twice.csv --future-col sin-1D-1 --fourier 1D:1");
    assert!(run.code == Some(2) && run.stderr.contains("another column of the output"), "{}", run.stderr);
}

#[test]
fn covariates_of_a_file_are_those_of_the_flags_and_mistakes_are_told_with_their_line() {
    let folder = Folder::new("clean-toml");
    folder.write("messy.csv", MESSY);
    let toml = "[covariates]\nt = \"past\"\nsky = { known = \"future\", kind = \"categorical\" }\n\
        region = { known = \"static\", kind = \"categorical\" }\n";
    folder.write("covariates.toml", toml);
    let flags = folder.run(&format!("clean messy.csv {FLAGS}")).succeeded();
    let others = "--target-col kW --duplicates mean --freq 1h";
    let file = folder.run(&format!("clean messy.csv --covariates covariates.toml {others}")).succeeded();
    assert_eq!(file.text(), flags.text());
    folder.write("typo.toml", toml.replace("future", "futur"));
    let run = folder.run(&format!("inspect messy.csv --covariates typo.toml {others}"));
    assert_eq!(run.code, Some(2));
    for said in ["cannot use \"typo.toml\"", "line 3", "futur", "`future`"] {
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    for (arguments, said) in [
        (
            "--covariates covariates.toml --past-col t",
            "past-col is \"t\", but it is declared already, as past",
        ),
        ("--covariates nowhere.toml", "cannot read \"nowhere.toml\""),
        ("--past-col wind", "no column \"wind\"; its columns are item_id, time, kW, t, sky, region, who"),
        ("--past-col kW", "a target"),
        ("--categorical-col sky", "not a covariate"),
        ("--past-col sky", "row 1: \"sun\" in column \"sky\" is not a number"),
    ] {
        let run = folder.run(&format!("inspect messy.csv {arguments} {others}"));
        assert!(run.code == Some(2) && run.stderr.contains(said), "{arguments}: {}", run.stderr);
    }
}

#[test]
fn inspect_reports_covariates_in_text_and_json() {
    let folder = Folder::new("inspect-covariates");
    folder.write("messy.csv", MESSY);
    let text = folder.run(&format!("inspect messy.csv {FLAGS}")).succeeded();
    let row = |name: &str| {
        let line = text.text().lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(String::from).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("t "), "t past numeric 4 2 0 1 to 5");
    assert_eq!(row("sky "), "sky future categorical 4 3 0 fog: 0, rain: 2, sun: 2");
    assert_eq!(row("region "), "region static categorical 2 0 0 007: 1, 7: 1");
    let json = folder.run(&format!("--json inspect messy.csv {FLAGS}")).succeeded().json();
    assert_eq!(json["covariates"][1]["known"], "future");
    assert_eq!(json["covariates"][2]["categories"], serde_json::json!([["007", 1], ["7", 1]]));
    assert_eq!(json["covariates"][0]["n_missing"], 2);
    let plain = folder.run("--json inspect messy.csv --target-col kW --duplicates mean").succeeded().json();
    assert!(plain.get("covariates").is_none());
}

#[test]
fn models_say_that_they_do_not_use_covariates_and_forecast_the_same() {
    let folder = Folder::new("covariates-unused");
    let rows = hourly(&wave(400, 2));
    let with: Vec<String> = rows.lines().enumerate().map(|(i, line)| format!("{line},{i}")).collect();
    folder.write("plain.csv", rows.as_bytes());
    folder.write("with.csv", with.join("\n").replace("ds,y,0", "ds,y,price"));
    for (command, names) in [
        (
            "fit --model seasonal-naive --horizon 24 with.csv -o with.longcast --future-col price",
            "model seasonal-naive does",
        ),
        (
            "fit --model ssm --set epochs=1 --set d_model=4 --set d_state=4 --set lookback=24 --set covariates=ignore \
             --horizon 24 with.csv -o ssm.longcast --future-col price",
            "model ssm does",
        ),
        (
            "backtest with.csv --model drift,ar --order 24 --horizon 2 --n-windows 2 --future-col price",
            "model drift does",
        ),
    ] {
        let run = folder.run(command).succeeded();
        let note = format!("note: covariates price are read and checked; the {names} not use them");
        let note = format!("{note}; for forecasts that do, fit ar, ar-net, informer or ssm");
        assert_eq!(run.stderr.matches(&note).count(), 1, "{}", run.stderr);
    }
    folder.run("fit --model seasonal-naive --horizon 24 plain.csv -o plain.longcast").succeeded();
    let forecast = |model: &str| folder.run(&format!("forecast {model} --horizon 5")).succeeded().stdout;
    assert_eq!(forecast("with.longcast"), forecast("plain.longcast"));
    folder.write("next.csv", "ds,price\n2024-01-17 16:00:00,9\n2024-01-17 17:00:00,8\n");
    let ahead = "forecast with.longcast with.csv --horizon 2 --future-col price --future next.csv";
    let run = folder.run(ahead).succeeded();
    assert!(run.stderr.contains("the model seasonal-naive does not use them"), "{}", run.stderr);
}

#[test]
fn a_model_that_is_regressed_on_a_covariate_asks_for_it_and_takes_it_from_a_file_of_its_own() {
    let folder = Folder::new("covariates-used");
    // The series is twice the price and a wave.
    let price = |i: usize| ((i * i * 7 + i) % 23) as f64;
    let rows = hourly(&wave(400, 2));
    let with = rows.lines().enumerate().map(|(i, line)| match (i, line.split_once(',')) {
        (0, _) | (_, None) => format!("{line},price"),
        (_, Some((stamp, y))) => {
            format!("{stamp},{},{}", y.parse::<f64>().unwrap() + 2.0 * price(i), price(i))
        }
    });
    folder.write("load.csv", with.collect::<Vec<_>>().join("\n"));
    folder.run("fit --order 24 --horizon 6 load.csv -o load.longcast --future-col price").succeeded();
    let told = folder.run("--json coef load.longcast").succeeded().json();
    assert_eq!(told["columns"][0]["name"], "price");
    assert!((told["columns"][0]["value"].as_f64().unwrap() - 2.0).abs() < 0.1, "{told}");
    let run = folder.run("forecast load.longcast --horizon 2").failed(2);
    assert!(run.stderr.contains("\"price\" at 2024-01-17 16:00:00"), "{}", run.stderr);
    folder.write("next.csv", "ds,price\n2024-01-17 16:00:00,9\n2024-01-17 17:00:00,0\n");
    let alone = folder.run("forecast load.longcast --horizon 2 --future next.csv").succeeded().stdout;
    // The columns are the model's: nothing has to be declared again.
    let beside =
        folder.run("forecast load.longcast load.csv --horizon 2 --future next.csv").succeeded().stdout;
    assert_eq!(alone, beside);
    folder.run("explain load.longcast --future next.csv --step 2").succeeded();
    // Of many series too: rows without a value say what is known ahead.
    let ahead = "2024-01-17 16:00:00,,9\n2024-01-17 17:00:00,,0\n";
    folder.write("many.csv", [folder.read("load.csv"), format!("\n{ahead}").into_bytes()].concat());
    let batch =
        "batch many.csv --model ar --order 24 --horizon 2 --future-col price --target-col y -o many.out.csv";
    folder.run(batch).succeeded();
    let mean = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .rsplit(',')
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let (one, many) = (mean(&alone), mean(&folder.read("many.out.csv")));
    assert!((one - many).abs() < 1.0, "{one} {many}");
}

#[test]
fn a_network_takes_covariates_of_every_kind_and_what_is_known_ahead_from_a_file_of_its_own() {
    let folder = Folder::new("covariates-of-networks");
    let rows = hourly(&wave(400, 2));
    let with = rows.lines().enumerate().map(|(i, line)| match i {
        0 => format!("unique_id,{line},price,day,wind,region"),
        i => format!("s,{line},{},{},{},north", i % 23, ["work", "free"][i / 24 % 2], i % 7),
    });
    folder.write("load.csv", with.collect::<Vec<_>>().join("\n"));
    folder.write(
        "next.csv",
        "unique_id,ds,price,day\ns,2024-01-17 16:00:00,9,work\ns,2024-01-17 17:00:00,0,free\n",
    );
    let declared = "--target-col y --future-col price,day --past-col wind --static-col region --categorical-col day,region";
    for (model, small) in [
        ("ssm", "--set d_model=4 --set d_state=4 --set lookback=24"),
        ("ssm", "--set d_model=4 --set d_state=4 --set lookback=24 --set streaming=window --set mask=true"),
        ("informer", "--set d_model=4 --set n_heads=1 --set d_ff=4 --set lookback=24 --set label_length=12"),
    ] {
        let run = folder
            .run(&format!(
                "fit --model {model} {small} --set epochs=1 --horizon 6 load.csv -o load.longcast {declared}"
            ))
            .succeeded();
        assert!(!run.stderr.contains("not use"), "{}", run.stderr);
        let run = folder.run("forecast load.longcast --horizon 2").failed(2);
        assert!(run.stderr.contains("\"price\" at 2024-01-17 16:00:00"), "{}", run.stderr);
        let run = folder.run("forecast load.longcast --horizon 3 --future next.csv").failed(2);
        assert!(run.stderr.contains("\"day\" at 2024-01-17 18:00:00"), "{}", run.stderr);
        let alone = folder.run("forecast load.longcast --horizon 2 --level 80 --future next.csv").succeeded();
        let beside = folder.run("forecast load.longcast load.csv --horizon 2 --level 80 --future next.csv");
        assert_eq!(alone.stdout, beside.succeeded().stdout, "{model} {small}");
        // Another price is another forecast.
        let other = String::from_utf8(folder.read("next.csv")).unwrap().replace(",9,", ",12,");
        folder.write("other.csv", other);
        let other =
            folder.run("forecast load.longcast --horizon 2 --level 80 --future other.csv").succeeded();
        assert_ne!(alone.stdout, other.stdout, "{model} {small}");
        let run = folder.run("coef load.longcast").failed(2);
        assert!(run.stderr.contains("coefficients"), "{}", run.stderr);
        let backtest = format!(
            "backtest load.csv --model {model} {small} --set epochs=1 --horizon 4 --n-windows 2 --level 80 --adaptive {declared}"
        );
        folder.run(&backtest).succeeded();
    }
    // Of many series too, of which one lacks a category that the other has.
    let one = String::from_utf8(folder.read("load.csv")).unwrap() + "\ns,2024-01-17 16:00:00,,9,work,,north";
    let (_, rows) = one.split_once('\n').unwrap();
    let other = rows.replace("s,2024", "t,2024").replace("free", "work").replace("north", "south");
    folder.write("many.csv", format!("{one}\n{other}\n"));
    for model in
        ["ssm --set epochs=1 --set d_model=4 --set d_state=4 --set lookback=24", "ar --order 24", "ar-net"]
    {
        let batch = format!("batch many.csv --model {model} --horizon 1 {declared} -o many.out.csv");
        let run = folder.run(&batch).succeeded();
        assert!(run.text().contains("2 of 2 series"), "{model}: {}", run.text());
        assert!(!folder.join("many.out.errors.csv").exists());
    }
    let tables = "fit --model informer --set embedding=learned --set lookback=24 --set label_length=12 load.csv -o t.longcast";
    let run = folder.run(&format!("{tables} --target-col y --future-col price")).failed(2);
    assert!(
        run.stderr.contains("embedding is learned") && run.stderr.contains("use timeF"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_declared_as_known_ahead_has_to_be_known_at_every_step_of_a_forecast() {
    let folder = Folder::new("covariates-ahead");
    let rows = hourly(&wave(400, 2));
    let with: Vec<String> = rows.lines().enumerate().map(|(i, line)| format!("{line},{i}")).collect();
    folder.write("load.csv", with.join("\n").replace("ds,y,0", "ds,y,price"));
    folder.write("next.csv", "ds,price\n2024-01-17 16:00:00,9\n2024-01-17 18:00:00,8\n");
    folder.run("fit --order 24 --horizon 24 load.csv -o load.longcast --target-col y").succeeded();
    for (flags, parts) in [
        ("load.csv --future-col price", vec!["\"price\" at 2024-01-17 16:00:00", "17:00:00", "18:00:00"]),
        ("load.csv --future-col price --future next.csv", vec!["\"price\" at 2024-01-17 17:00:00"]),
        ("--future next.csv", vec!["the panel has no covariates that are known ahead"]),
        ("load.csv --future next.csv", vec!["declare them with future-col"]),
        ("load.csv --future-col price --future gone.csv", vec!["gone.csv"]),
    ] {
        let run = folder.run(&format!("forecast load.longcast --horizon 3 {flags}")).failed(2);
        assert!(parts.iter().all(|part| run.stderr.contains(part)), "{}", run.stderr);
    }
    let run = folder.run("clean load.csv --future-col price --future next.csv").succeeded();
    let last = run.text().lines().rev().take(3).collect::<Vec<_>>();
    assert_eq!(last, ["y,2024-01-17 18:00:00,,8.0", "y,2024-01-17 17:00:00,,", "y,2024-01-17 16:00:00,,9.0"]);
    let run = folder.run("batch load.csv --future next.csv -o all.csv").failed(2);
    let said =
        "--future is \"next.csv\", but batch reads what is known ahead with the data: add its rows to them";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    // That is enough.
    let ahead = "2024-01-17 16:00:00,,9\n2024-01-17 17:00:00,,7\n2024-01-17 18:00:00,,8\n";
    folder.write("both.csv", [folder.read("load.csv"), format!("\n{ahead}").into_bytes()].concat());
    let batch =
        "batch both.csv --model ar --order 24 --horizon 3 --future-col price --target-col y -o all.csv";
    folder.run(batch).succeeded();
    let short = batch.replace("--horizon 3", "--horizon 4");
    let run = folder.run(&short).failed(2);
    assert!(run.stderr.contains("none of 1 series"), "{}", run.stderr);
}

#[test]
fn a_series_that_cannot_be_used_is_left_out_where_that_is_asked_for() {
    let folder = Folder::new("bad-series");
    folder.write(
        "two.csv",
        "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\na,2024-01-03,2\nb,2024-01-01,1\nb,2024-01-01,2\n",
    );
    let run = folder.run("clean two.csv").failed(2);
    assert!(run.stderr.contains("series \"b\""), "{}", run.stderr);
    let run = folder.run("clean two.csv --bad-series leave-out").succeeded();
    assert_eq!(run.text().lines().count(), 4);
    assert!(run.stderr.contains("left out: series \"b\": "), "{}", run.stderr);
    let run = folder.run("clean two.csv --bad-series drop").failed(2);
    assert!(
        run.stderr.contains("bad_series is \"drop\", but it must be stop or leave-out"),
        "{}",
        run.stderr
    );
}

#[test]
fn standard_input_is_cleaned_too() {
    let folder = Folder::new("clean-stdin");
    folder.write("in.csv", "ds,y\n1,1\n3,3\n2,2\n5,5\n");
    let mut command = command(&folder, "clean -");
    command.stdin(Stdio::from(std::fs::File::open(folder.join("in.csv")).unwrap()));
    let run = finish(&mut command).succeeded();
    let rows: Vec<&str> = run.text().lines().collect();
    assert_eq!(rows, ["unique_id,ds,y", "y,1,1.0", "y,2,2.0", "y,3,3.0", "y,4,", "y,5,5.0"]);
    assert!(run.stderr.contains("4 rows became 5 at steps of 1"), "{}", run.stderr);
}
