//! State spaces and global convolutions by the command line: refused, scored by the literature's protocol.

use crate::run::{Folder, hourly, wave};

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(500, 1)));
    folder
}

#[test]
fn what_cannot_be_done_says_which_setting_prevents_it() {
    let folder = folder("ssm-refused");
    for (settings, said) in [
        ("--set streaming=step --set normalisation=revin", "normalisation is revin"),
        ("--set streaming=step --set decoder=mask", "decoder is mask"),
        ("--set streaming=step --set direction=both", "direction is both"),
        ("--set dt_min=0.2 --set dt_max=0.1", "dt_min is 0.2"),
        ("--set d_state=7", "d_state is 7"),
        ("--set lookback=0", "lookback is 0"),
        ("--set lookback=2000001", "lookback is 2000001"),
        ("--set recurrence=reduced", "recurrence is reduced"),
        ("--set mixer=mamba", "mamba"),
    ] {
        let run = folder.run(&format!("fit --model ssm {settings} load.csv -o m.longcast")).failed(2);
        assert!(run.stderr.contains(said), "{settings}: {}", run.stderr);
        assert!(!folder.join("m.longcast").exists());
    }
}

#[test]
fn the_literatures_protocol_scores_it() {
    let folder = folder("ssm-ltsf");
    let small = "--set lookback=48 --set d_model=8 --set d_state=8 --set epochs=2";
    let run = format!("bench ltsf --data load.csv --horizons 6 --models ssm {small}");
    let rows = folder.run(&format!("{run} --json rows.json")).succeeded();
    assert!(rows.text().contains("ssm"), "{}", rows.text());
    let json: serde_json::Value = serde_json::from_slice(&folder.read("rows.json")).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["model"] == "ssm" && row["lookback"] == 48));
}
