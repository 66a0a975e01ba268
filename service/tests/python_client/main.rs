//! A Python client made from our protos, by people's usual tools, against the program's server.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod abuse;
mod environment;

use std::process::{Command, Stdio};

use environment::Environment;
use run::{Folder, Run, Served, Table, finish};
use serde_json::Value;

/// The bits of a column, as client.py writes them.
fn digits(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(|number| format!("{:016x}", number.to_bits())).collect()
}

/// Three years of hours as a file, a model of them, and the program's forecast as CSV.
fn forecast_by_the_program(folder: &Folder) -> Run {
    folder.run("data export electricity -o load.csv").succeeded();
    folder.run("fit --order 48 --horizon 48 load.csv -o load.longcast").succeeded();
    folder.run("forecast load.longcast load.csv --horizon 48 --level 80,95 --quantiles 0.1,0.9").succeeded()
}

#[test]
fn a_python_client_gets_the_numbers_of_the_program_bit_for_bit() {
    let environment = match Environment::ready() {
        Ok(environment) => environment,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs the Python client: {reason}");
            println!("SKIPPED: {reason}");
            return;
        }
    };
    let folder = Folder::new("client");
    let table = Table::csv(forecast_by_the_program(&folder).text());
    let json = "--json forecast load.longcast load.csv --horizon 48 --level 80,95 --quantiles 0.1,0.9";
    let rows = folder.run(json).succeeded().json();

    let served = Served::start(&folder, "load.longcast");
    let mut client = environment.client(&[&served.address, "models/load", "load.csv", "48"]);
    client.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = finish(&mut client).succeeded().json();

    assert_eq!(answer["health"], "SERVING");
    let forecasts: Vec<&Value> =
        std::iter::once(&answer["forecast"]).chain(answer["batch"].as_array().unwrap()).collect();
    assert_eq!(forecasts.len(), 4);
    for forecast in forecasts {
        assert_eq!(forecast["series_id"], "load");
        assert_eq!(forecast["channels"], serde_json::json!(["load"]));
        assert!(forecast["model_revision"].as_str().unwrap().starts_with("models/load/revisions/"));
        assert_eq!(forecast["ds"], serde_json::json!(table.text("ds")));
        let columns = forecast["columns"].as_object().unwrap();
        assert_eq!(columns.len() + 2, table.header.len(), "{:?} {:?}", columns.keys(), table.header);
        for (suffix, bits) in columns {
            let column = format!("ar{suffix}");
            assert_eq!(bits, &serde_json::json!(digits(&table.numbers(&column))), "{column} of the CSV");
            let of_json: Vec<f64> =
                rows.as_array().unwrap().iter().map(|row| row[&column].as_f64().unwrap()).collect();
            assert_eq!(bits, &serde_json::json!(digits(&of_json)), "{column} of the JSON");
        }
    }
    let expected = serde_json::json!({
        "code": "INVALID_ARGUMENT",
        "reason": "FIELD_INVALID",
        "domain": "longcast",
        "fields": ["series.values[4031]"],
    });
    assert_eq!(answer["error"], expected);
    assert_eq!(served.terminate().code(), Some(0));
}

#[test]
fn the_server_ends_well_on_a_termination_signal_and_on_an_interrupt() {
    let folder = Folder::new("signals");
    folder.write("load.csv", run::hourly(&run::wave(300, 1)));
    folder.run("fit --model naive load.csv -o load.longcast").succeeded();
    assert_eq!(Served::start(&folder, "load.longcast").terminate().code(), Some(0));

    let served = Served::start(&folder, "load.longcast");
    let sent = Command::new("kill").args(["-INT", &served.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(served.ended().code(), Some(0));
}
