//! `batch`: what it writes, and what it says of series that fail.

use crate::panels::{bad, constant, parquet, waves};
use crate::run::{Folder, Table, finish};

const MODELS: &str = "--model seasonal-naive,ar --order 24 --horizon 12 --level 80,90";

fn text(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).unwrap()
}

#[test]
fn every_series_has_the_numbers_of_fit_and_forecast_for_it_alone() {
    let folder = Folder::new("batch-alone");
    let panel = waves(5);
    folder.write("panel.parquet", parquet(&panel));
    folder.run(&format!("batch panel.parquet {MODELS} -o all.csv --series-per-part 2")).succeeded();
    let all = Table::csv(&text(&folder, "all.csv"));
    let columns = |model: &str| {
        ["", "-lo-80", "-hi-80", "-lo-90", "-hi-90"].map(|suffix| format!("{model}{suffix}")).to_vec()
    };
    let models = [columns("seasonal-naive"), columns("ar")].concat();
    assert_eq!(all.header, [vec!["unique_id".to_string(), "ds".to_string()], models].concat());
    assert_eq!(all.rows.len(), 5 * 12);
    for (at, one) in panel.iter().enumerate() {
        folder.write("one.parquet", parquet(std::slice::from_ref(one)));
        for model in ["seasonal-naive", "ar --order 24"] {
            folder
                .run(&format!(
                    "fit --model {model} --calibration-windows 200 --season-length 24 --horizon 12 one.parquet -o one.longcast"
                ))
                .succeeded();
            folder.run("forecast one.longcast --horizon 12 --level 80,90 -o one.csv").succeeded();
            let alone = Table::csv(&text(&folder, "one.csv"));
            for column in &alone.header {
                let expected = &all.text(column)[12 * at..12 * (at + 1)];
                assert_eq!(alone.text(column), expected, "{} {column}", one.0);
            }
        }
    }
}

#[test]
fn a_failing_series_is_told_and_the_others_are_all_there() {
    let folder = Folder::new("batch-failing");
    let mut panel = waves(6);
    panel.insert(2, constant());
    panel.splice(4..4, bad());
    folder.write("panel.parquet", parquet(&panel));
    folder.write("some.errors.csv", "of an earlier run\n");
    let run =
        folder.run(&format!("batch panel.parquet {MODELS} -o some.csv --series-per-part 3")).succeeded();
    assert!(run.text().contains("7 of 11 series forecast, 84 rows"), "{}", run.text());
    assert!(run.text().contains("4 series failed, 7 failures in all: see some.errors.csv"), "{}", run.text());

    let errors = text(&folder, "some.errors.csv");
    let starts = [
        "unique_id,model,error",
        "constant,ar,\"series \"\"constant\"\" is constant",
        "short,seasonal-naive,\"series \"\"short\"\" has 3 steps",
        "short,ar,\"series \"\"short\"\" has 3 steps",
        "missing,seasonal-naive,\"series \"\"missing\"\" has no observed value",
        "missing,ar,\"series \"\"missing\"\" has no observed value",
        "infinite,\"\",\"series \"\"infinite\"\" has an infinite value",
        "doubled,\"\",\"series \"\"doubled\"\" has 2 rows for 2024-01-01 06:00:00",
    ];
    assert_eq!(errors.lines().count(), starts.len(), "{errors}");
    for (line, start) in errors.lines().zip(starts) {
        assert!(line.starts_with(start), "{line:?} is not {start:?}");
    }

    let table = Table::csv(&text(&folder, "some.csv"));
    let good: Vec<_> = waves(6).into_iter().map(|(id, _)| id).collect();
    let mut ids = table.text("unique_id");
    ids.dedup();
    assert_eq!(ids, [&good[..2], &["constant".to_string()], &good[2..]].concat());
    for (at, id) in table.text("unique_id").into_iter().enumerate() {
        let is_empty = table.text("ar-hi-90")[at].is_empty();
        assert_eq!(is_empty, id == "constant", "{id}");
        assert!(!table.text("seasonal-naive-lo-80")[at].is_empty(), "{id}");
    }
}

#[test]
fn errors_go_where_they_are_asked_to_and_an_old_file_of_them_goes() {
    let folder = Folder::new("batch-errors");
    folder.write("bad.parquet", parquet(&[waves(2), bad()].concat()));
    folder.write("good.parquet", parquet(&waves(2)));
    let report =
        folder.run(&format!("--json batch bad.parquet {MODELS} -o a.csv --errors why.csv")).succeeded();
    let report = report.json();
    assert_eq!(
        (&report["n_series"], &report["n_forecast"], &report["errors"]),
        (&6.into(), &2.into(), &"why.csv".into())
    );
    assert_eq!(report["models"][1]["order"], 24);
    assert_eq!(folder.names(), ["a.csv", "bad.parquet", "good.parquet", "why.csv"]);
    folder.run(&format!("batch good.parquet {MODELS} -o a.csv --errors why.csv")).succeeded();
    assert_eq!(folder.names(), ["a.csv", "bad.parquet", "good.parquet"]);
}

#[test]
fn a_run_that_forecasts_nothing_fails_and_keeps_the_old_output() {
    let folder = Folder::new("batch-nothing");
    folder.write("bad.parquet", parquet(&[bad(), vec![constant()]].concat()));
    folder.write("old.csv", "mine\n");
    let run = folder.run("batch bad.parquet --model ar --order 24 --horizon 12 -o old.csv");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("none of 5 series could be forecast; \"old.errors.csv\" says why"),
        "{}",
        run.stderr
    );
    assert_eq!(folder.read("old.csv"), b"mine\n");
    assert_eq!(text(&folder, "old.errors.csv").lines().count(), 6);
    assert_eq!(folder.names(), ["bad.parquet", "old.csv", "old.errors.csv"]);
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_threads_and_any_memory() {
    let folder = Folder::new("batch-bits");
    folder.write("panel.parquet", parquet(&[waves(40), vec![constant()]].concat()));
    for format in ["parquet", "arrow", "csv"] {
        let mut all = Vec::new();
        for (threads, memory) in [("1", "64MiB"), ("2", "96MiB"), ("2", "1GiB"), ("5", "1GiB")] {
            let arguments = format!("batch panel.parquet {MODELS} -o x.{format} --series-per-part 7");
            let mut command = crate::run::command(&folder, &format!("{arguments} --memory-limit {memory}"));
            finish(command.env("RAYON_NUM_THREADS", threads)).succeeded();
            all.push(folder.read(&format!("x.{format}")));
        }
        assert!(all.windows(2).all(|two| two[0] == two[1]), "{format}");
    }
}

#[test]
fn several_files_are_one_input_in_their_order() {
    let folder = Folder::new("batch-files");
    let panel = waves(7);
    folder.write("all.parquet", parquet(&panel));
    folder.write("a.parquet", parquet(&panel[..3]));
    folder.write("b.parquet", parquet(&panel[3..]));
    folder.run(&format!("batch all.parquet {MODELS} -o one.csv")).succeeded();
    folder.run(&format!("batch a.parquet b.parquet {MODELS} -o two.csv")).succeeded();
    assert_eq!(folder.read("one.csv"), folder.read("two.csv"));
}

#[test]
fn channels_are_named_as_forecast_names_them() {
    let folder = Folder::new("batch-wide");
    let hours = crate::run::stamps(400);
    let rows = hours.iter().enumerate().map(|(at, stamp)| format!("{stamp},{},{}\n", at % 24, at % 12));
    folder.write("wide.csv", format!("ds,north,south\n{}", rows.collect::<String>()));
    folder.run("batch wide.csv --horizon 12 --season-length 24 --level 80 -o batch.csv").succeeded();
    let fit = "fit wide.csv --model seasonal-naive --calibration-windows 200 --horizon 12 --season-length 24 -o wide.longcast";
    folder.run(fit).succeeded();
    folder.run("forecast wide.longcast --horizon 12 --level 80 -o forecast.csv").succeeded();
    assert_eq!(folder.read("batch.csv"), folder.read("forecast.csv"));
}
