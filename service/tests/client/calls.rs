//! Trainings, forecasts, back-tests and the registry from a shell.

use crate::run::{Folder, Served, Table, hourly, wave};

/// A server that keeps its things in `data`, and a file of hours.
fn served(name: &str) -> (Folder, Served) {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    let served = Served::with(&folder, "serve --data data --port 0");
    (folder, served)
}

#[test]
fn a_model_that_is_trained_on_the_server_forecasts_what_the_program_does() {
    let (folder, served) = served("train");
    let at = format!("--address {}", served.address);
    let train = format!(
        "client train models/load load.csv --set order=24 --set pooled=true --horizon 24 --default {at}"
    );
    let run = folder.run(&train).succeeded();
    assert!(run.text().starts_with("trainingJobs/1 made models/load/revisions/"), "{}", run.text());
    // The same file is not stored twice.
    let again = folder.run(&format!("client datasets upload load.csv {at} --json")).succeeded().json();
    let listed = folder.run(&format!("client datasets list {at}")).succeeded();
    assert_eq!(listed.text().matches(again["dataset"].as_str().unwrap()).count(), 1);
    assert!(listed.text().contains("datasets/electricity"));

    folder.run("fit --order 24 --set pooled=true --horizon 24 load.csv -o load.longcast").succeeded();
    let ours =
        folder.run("forecast load.longcast load.csv --horizon 24 --level 80,95 --quantiles 0.1").succeeded();
    let flags = "--horizon 24 --level 80,95 --quantiles 0.1";
    let theirs = folder.run(&format!("client forecast models/load load.csv {flags} {at}")).succeeded();
    assert_eq!(theirs.text(), ours.text());
    // Without a horizon it is the model's own.
    let own = folder
        .run(&format!("client forecast models/load load.csv --level 80,95 --quantiles 0.1 {at}"))
        .succeeded();
    assert_eq!(own.text(), ours.text());
    folder.run(&format!("client forecast models/load load.csv {flags} {at} -o week.parquet")).succeeded();
    assert!(folder.read("week.parquet").starts_with(b"PAR1"));
}

#[test]
fn jobs_are_listed_watched_and_cancelled() {
    let (folder, served) = served("jobs");
    let at = format!("--address {}", served.address);
    let network = "--family informer --set lookback=24 --set label_length=12 --set d_model=8 --set n_heads=2 --set epochs=100000 --set patience=100000";
    let run = folder
        .run(&format!("client train models/net load.csv {network} --horizon 6 --detach {at}"))
        .succeeded();
    assert_eq!(run.text(), "trainingJobs/1\n");
    folder
        .run(&format!("client train models/naive load.csv --family naive --validate-only {at}"))
        .succeeded();
    let shown = folder.run(&format!("client jobs show trainingJobs/1 {at} --json")).succeeded().json();
    assert!(["QUEUED", "RUNNING"].contains(&shown["state"].as_str().unwrap()), "{shown}");
    folder.run(&format!("client jobs cancel trainingJobs/1 {at}")).succeeded();
    let watched = folder.run(&format!("client watch trainingJobs/1 {at}")).failed(2);
    assert!(watched.stderr.contains("trainingJobs/1 was cancelled"), "{}", watched.stderr);
    let listed = folder.run(&format!("client jobs list {at}")).succeeded();
    assert!(
        listed.text().contains("CANCELLED") && !listed.text().contains("trainingJobs/2"),
        "{}",
        listed.text()
    );
    folder.run(&format!("client jobs delete trainingJobs/1 {at}")).succeeded();
    assert!(!folder.run(&format!("client jobs list {at}")).succeeded().text().contains("trainingJobs/1"));
}

#[test]
fn a_back_test_on_the_server_gives_the_scores_of_the_program() {
    let (folder, served) = served("evaluate");
    let at = format!("--address {}", served.address);
    let flags = "--horizon 12 --n-windows 4 --level 80";
    let theirs =
        folder.run(&format!("client evaluate load.csv --model ar --set order=24 {flags} {at} --json"));
    let theirs = theirs.succeeded().json();
    let ours =
        folder.run(&format!("--json backtest load.csv --model ar --order 24 {flags}")).succeeded().json();
    let models: Vec<&str> =
        ours["models"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut n = 0;
    for row in ours["rows"].as_array().unwrap() {
        for (model, value) in models.iter().zip(row["values"].as_array().unwrap()) {
            let metric = row["metric"].as_str().unwrap();
            assert_eq!(theirs["scores"][model][metric].as_f64(), value.as_f64(), "{model} {metric}");
            n += 1;
        }
    }
    assert!(n >= 20, "{n} scores");
}

#[test]
fn models_are_imported_exported_pointed_to_and_unloaded_over_the_admin_port() {
    let folder = Folder::new("admin");
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 24 --set pooled=true --horizon 24 load.csv -o a.longcast").succeeded();
    folder.run("fit --order 12 --set pooled=true --horizon 24 load.csv -o b.longcast").succeeded();
    let port = free_port();
    let served = Served::with(&folder, &format!("serve --data data --port 0 --admin-port {port}"));
    let (at, admin) = (format!("--address {}", served.address), format!("--address 127.0.0.1:{port}"));
    let import = |file: &str, flag: &str| {
        let run =
            folder.run(&format!("client admin import load {file} {flag} {admin} --json")).succeeded().json();
        run["name"].as_str().unwrap().to_string()
    };
    let (first, second) = (import("a.longcast", "--default"), import("b.longcast", ""));
    assert_ne!(first, second);
    assert_eq!(import("a.longcast", ""), first);
    folder.run(&format!("client admin export {second} -o back.longcast {admin}")).succeeded();
    assert_eq!(folder.read("back.longcast"), folder.read("b.longcast"));
    let forecast = |name: &str| folder.run(&format!("client forecast {name} load.csv --horizon 6 {at}"));
    let of_first = forecast("models/load").succeeded();
    folder.run(&format!("client admin load {second} {admin}")).succeeded();
    let id = second.rsplit('/').next().unwrap();
    folder.run(&format!("client admin alias models/load@next {id} {admin}")).succeeded();
    let of_second = forecast("models/load@next").succeeded();
    assert_ne!(of_first.text(), of_second.text());
    let listed = folder.run(&format!("client admin list {at}")).succeeded();
    assert_eq!(Table::csv("a\n").header.len(), 1);
    assert!(listed.text().contains("next") && listed.text().contains("default"), "{}", listed.text());
    // Changes are not for the port of callers.
    let refused = folder.run(&format!("client admin load {second} {at}")).failed(2);
    assert!(refused.stderr.contains("UNIMPLEMENTED"), "{}", refused.stderr);
    folder
        .run(&format!("client admin alias models/load@next {} {admin}", first.rsplit('/').next().unwrap()))
        .succeeded();
    folder.run(&format!("client admin unload {second} {admin}")).succeeded();
    assert!(forecast(&second).failed(2).stderr.contains("MODEL_NOT_LOADED"));
    folder.run(&format!("client admin delete {second} {admin}")).succeeded();
    assert!(forecast(&second).failed(2).stderr.contains("NOT_FOUND"));
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_server_tells_what_it_is_and_how_much_it_takes() {
    let (folder, served) = served("info");
    let info = folder.run(&format!("client info --address {} --json", served.address)).succeeded().json();
    assert!(info["services"].as_array().unwrap().iter().any(|name| name == "longcast.v1.TrainingService"));
    assert_eq!(info["durable_sessions"], true);
    for (name, value) in info["limits"].as_object().unwrap() {
        // No bound of the process's memory is set by default.
        assert!(value.as_i64().unwrap() > 0 || name == "max_process_bytes", "{name} {value}");
    }
}
