//! What all networks do by the command line: trained, forecast with, killed, out of time.

use std::time::{Duration, Instant};

use crate::run::{Folder, Table, check_picture, command, hourly, wave};

/// Networks that are trained in a second, by what follows `--model`; the name comes first.
const SMALL: [&str; 4] = [
    "informer --set lookback=24 --set label_length=12 --set d_model=8 --set n_heads=2 --set d_ff=16",
    "ssm --set mixer=s4 --set lookback=48 --set d_model=8 --set d_state=8",
    "ssm --set mixer=s4d --set lookback=48 --set d_model=8 --set d_state=8",
    "ssm --set mixer=sgconv --set lookback=48 --set d_model=8 --set kernel_dim=8",
];

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(500, 1)));
    folder
}

#[test]
fn a_network_is_trained_saved_and_forecast_with() {
    let folder = folder("networks-fit");
    for model in SMALL {
        let name = model.split(' ').next().unwrap();
        let fit = format!("fit --model {model} --set epochs=2 --horizon 12 load.csv -o load.longcast");
        let run = folder.run(&format!("{fit} --plot-losses losses.png")).succeeded();
        assert!(run.text().contains("weights for 2 epochs"), "{}", run.text());
        check_picture(&folder.read("losses.png"));
        assert!(!folder.names().contains(&"load.longcast.training".to_string()), "{:?}", folder.names());

        let forecast = folder.run("forecast load.longcast --horizon 12 --level 80").succeeded();
        let table = Table::csv(forecast.text());
        let of = |suffix: &str| table.numbers(&format!("{name}{suffix}"));
        let (mean, lower, upper) = (of(""), of("-lo-80"), of("-hi-80"));
        assert_eq!(mean.len(), 12);
        assert!(mean.iter().zip(lower.iter().zip(&upper)).all(|(m, (lo, hi))| lo <= m && m <= hi));
        // The history of a file is the same history.
        let from_file = folder.run("forecast load.longcast load.csv --horizon 12 --level 80").succeeded();
        assert_eq!(from_file.text(), forecast.text());
        // Steps beyond the network's follow from its own.
        let long = folder.run("forecast load.longcast --horizon 150").succeeded();
        let longer = Table::csv(long.text()).numbers(name);
        assert_eq!((longer.len(), &longer[..12]), (150, &mean[..]), "{model}");
    }
}

/// Kills a training as soon as it has written its state; one that was over by then is begun again.
fn kill(folder: &Folder, fit: &str, output: &str) {
    for _ in 0..20 {
        let mut child = command(folder, fit).spawn().unwrap();
        let begun = Instant::now();
        while !folder.join(&format!("{output}.training")).exists()
            && begun.elapsed() < Duration::from_secs(60)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if !folder.join(output).exists() {
            return;
        }
        std::fs::remove_file(folder.join(output)).unwrap();
    }
    panic!("{output} was never killed in time");
}

#[test]
fn a_training_that_was_killed_goes_on_to_the_same_model() {
    let folder = folder("networks-resume");
    for (model, other) in [(SMALL[0], "factor"), (SMALL[2], "d_state")] {
        let fit = |output: &str| {
            format!("fit --model {model} --set epochs=30 --set patience=30 --horizon 6 load.csv -o {output}")
        };
        folder.run(&fit("whole.longcast")).succeeded();
        kill(&folder, &fit("killed.longcast"), "killed.longcast");
        folder.run(&format!("{} --resume", fit("killed.longcast"))).succeeded();
        assert_eq!(folder.read("killed.longcast"), folder.read("whole.longcast"));
        std::fs::remove_file(folder.join("killed.longcast")).unwrap();

        // Another configuration does not go on from it.
        kill(&folder, &fit("other.longcast"), "other.longcast");
        let run = folder.run(&format!("{} --resume --set {other}=2", fit("other.longcast"))).failed(2);
        assert!(run.stderr.contains(other), "{}", run.stderr);
        std::fs::remove_file(folder.join("other.longcast.training")).unwrap();
    }
}

#[test]
fn a_training_that_runs_out_of_time_keeps_what_is_best_so_far() {
    let folder = folder("networks-limit");
    for model in [SMALL[0], SMALL[2]] {
        let fit = format!("fit --model {model} --set epochs=100000 --set patience=100000 --time-limit 1");
        let run = folder.run(&format!("{fit} --horizon 6 load.csv -o load.longcast")).succeeded();
        assert!(run.text().contains("weights for"), "{}", run.text());
        folder.run("forecast load.longcast").succeeded();
    }
}
