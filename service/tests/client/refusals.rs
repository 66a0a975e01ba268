//! What goes wrong is told in a line that says what to do.

use crate::run::{Folder, Served, hourly, wave};

#[test]
fn errors_name_the_server_the_field_and_the_reason() {
    let folder = Folder::new("errors");
    folder.write("load.csv", hourly(&wave(300, 1)));
    folder.run("fit --order 24 --horizon 24 load.csv -o load.longcast").succeeded();
    let served = Served::start(&folder, "load.longcast");
    let at = format!("--address {}", served.address);
    for (call, parts) in [
        (
            format!("client forecast models/nobody load.csv --horizon 3 {at}"),
            ["MODEL_NOT_FOUND", "models/nobody"],
        ),
        (
            format!("client forecast models/load load.csv --horizon 0 {at}"),
            ["INVALID_ARGUMENT", "spec.horizon"],
        ),
        (format!("client forecast models/load nothing.csv --horizon 3 {at}"), ["cannot read", "nothing.csv"]),
        (
            format!("client train models/load load.csv --set ordre=3 {at}"),
            ["spec.settings[\"ordre\"]", "order"],
        ),
        (format!("client train models/load load.csv --set order {at}"), ["--set", "name=value"]),
        (format!("client train models/load datasets/none {at}"), ["DATASET_NOT_FOUND", "datasets/none"]),
        (format!("client train models/load load.xyz {at}"), ["load.xyz", "csv, parquet, arrow or json"]),
        (format!("client evaluate load.csv --horizon 3 {at}"), ["spec.models", "no model"]),
        (format!("client watch trainingJobs/9 {at}"), ["JOB_NOT_FOUND", "trainingJobs/9"]),
        (format!("client watch jobs/9 {at}"), ["jobs/9", "trainingJobs/{j}"]),
        (format!("client session s nothing.csv --model models/load {at}"), ["cannot read", "nothing.csv"]),
        (
            format!("client session s load.csv --model models/nobody {at}"),
            ["MODEL_NOT_FOUND", "models/nobody"],
        ),
        (
            format!("client session s load.csv --model models/load --durability forever {at}"),
            ["forever", "sync, async or memory"],
        ),
        (
            format!("client session s load.csv --model models/load --idle-seconds 99999999 {at}"),
            ["INVALID_ARGUMENT", "idle_ttl"],
        ),
        ("client info --address 127.0.0.1:1".to_string(), ["cannot connect", "127.0.0.1:1"]),
        ("client info --address http://127.0.0.1:1 --ca load.csv".to_string(), ["not https", "--address"]),
    ] {
        let run = folder.run(&call).failed(2);
        for part in parts {
            assert!(run.stderr.contains(part), "{call}: {}", run.stderr);
        }
        assert!(run.stdout.is_empty(), "{call}");
        let json = folder.run(&format!("--json {call}")).failed(2);
        let error: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["fault"], "user", "{call}: {}", json.stderr);
    }
}
