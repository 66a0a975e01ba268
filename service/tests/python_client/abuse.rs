//! Abuse over raw HTTP/2: memory and descriptors stay bounded, other clients are served, health stays up.

use std::process::Stdio;

use serde_json::Value;

use crate::environment::Environment;
use crate::run::{Folder, Served, finish, hourly, wave};

/// What the process may take while it is abused, and what it may keep afterwards, beyond what it took before.
const MOST_MIB: i64 = 512;
const MOST_DESCRIPTORS: i64 = 500;
const KEPT_DESCRIPTORS: i64 = 20;

#[test]
fn abuse_over_raw_http2_stays_bounded_and_others_are_served() {
    let environment = match Environment::ready() {
        Ok(environment) => environment,
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs the Python client: {reason}");
            println!("SKIPPED: {reason}");
            return;
        }
    };
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: memory and descriptors are told by /proc");
        return;
    }
    let folder = Folder::new("abuse");
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --model ar --order 24 load.csv -o load.longcast").succeeded();
    let served = Served::start(&folder, "load.longcast");
    let mut abuse = environment.script("abuse.py", &[&served.address, &served.id().to_string()]);
    abuse.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let report = finish(&mut abuse).succeeded().json();

    let number = |value: &Value, name: &str| value[name].as_i64().unwrap();
    let before = &report["before"];
    for (name, after) in report["after"].as_object().unwrap() {
        assert_eq!(after["health"], "SERVING", "{name}: {report:#}");
        assert!(number(after, "steps") > 0, "{name}: {report:#}");
        assert!(number(after, "mib") < number(before, "mib") + MOST_MIB, "{name}: {report:#}");
        let descriptors = number(after, "descriptors");
        assert!(descriptors < number(before, "descriptors") + MOST_DESCRIPTORS, "{name}: {report:#}");
    }
    let end = &report["end"];
    assert_eq!(end["failed"], serde_json::json!([]), "{report:#}");
    assert!(number(end, "served") > 100, "{report:#}");
    assert!(number(end, "descriptors") < number(before, "descriptors") + KEPT_DESCRIPTORS, "{report:#}");
    assert_eq!(served.terminate().code(), Some(0));
}
