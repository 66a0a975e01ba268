//! State spaces and global convolutions by the command line: refused, scored by the literature's protocol.

use crate::run::{Folder, Table, hourly, wave};

/// A network that is trained in a second.
const SMALL: &str = "--set lookback=48 --set d_model=8 --set d_state=8 --set kernel_dim=8 --set epochs=2";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(500, 1)));
    folder
}

#[test]
fn a_network_of_quantiles_has_intervals_of_its_own_in_every_form() {
    let folder = folder("ssm-quantiles");
    let own = "--set head=quantiles --set quantiles=0.1,0.3,0.5,0.9 --set intervals=head";
    for form in ["", "--set decoder=mask", "--set normalisation=revin --set channels=mixed"] {
        let fit = format!("fit --model ssm {SMALL} {form} {own} --horizon 12 load.csv -o own.longcast");
        folder.run(&fit).succeeded();
        let forecast = folder.run("forecast own.longcast --horizon 12 --level 80").succeeded();
        let table = Table::csv(forecast.text());
        let (mean, lower, upper) =
            (table.numbers("ssm"), table.numbers("ssm-lo-80"), table.numbers("ssm-hi-80"));
        let bounds = lower.iter().zip(&upper);
        assert!(mean.iter().zip(bounds).all(|(m, (lo, hi))| lo <= m && m <= hi && lo < hi), "{form}");
        // What the network was not asked for it does not know.
        let run = folder.run("forecast own.longcast --level 95").failed(2);
        assert!(run.stderr.contains("level 95") && run.stderr.contains("intervals = conformal"), "{form}");
        let long = folder.run("forecast own.longcast --horizon 30").succeeded();
        let longer = Table::csv(long.text()).numbers("ssm");
        assert_eq!((longer.len(), &longer[..12]), (30, &mean[..]), "{form}");
    }
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
        ("--set intervals=head", "a point head has none"),
        ("--set head=quantiles --set quantiles=0.5,0.1", "they must rise"),
        ("--set head=normal", "gaussian"),
    ] {
        let run = folder.run(&format!("fit --model ssm {settings} load.csv -o m.longcast")).failed(2);
        assert!(run.stderr.contains(said), "{settings}: {}", run.stderr);
        assert!(!folder.join("m.longcast").exists());
    }
}

#[test]
fn the_literatures_protocol_scores_it() {
    let folder = folder("ssm-ltsf");
    let small = "--set lookback=48 --set d_model=8 --set d_state=8 --set kernel_dim=8 --set epochs=2";
    let run = format!("bench ltsf --data load.csv --horizons 6 --models ssm {small}");
    let rows = folder.run(&format!("{run} --json rows.json")).succeeded();
    assert!(rows.text().contains("ssm"), "{}", rows.text());
    let json: serde_json::Value = serde_json::from_slice(&folder.read("rows.json")).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["model"] == "ssm" && row["lookback"] == 48));
}
