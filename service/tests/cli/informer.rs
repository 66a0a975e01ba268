//! The Informer by the command line: heads, the authors' weights, what is refused.

use std::path::Path;

use crate::run::{Folder, Table, check_picture, hourly, wave};

/// A network that is trained in a second.
const SMALL: &str = "--set lookback=24 --set label_length=12 --set d_model=8 --set n_heads=2 --set d_ff=16";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(500, 1)));
    folder
}

#[test]
fn a_network_of_quantiles_has_intervals_of_its_own() {
    let folder = folder("informer-quantiles");
    let fit = format!("fit --model informer {SMALL} --set epochs=2 --set mask=true --horizon 12 load.csv");
    let own = "--set head=quantiles --set quantiles=0.1,0.3,0.5,0.9 --set intervals=head";
    folder.run(&format!("{fit} {own} -o own.longcast --plot-losses losses.png")).succeeded();
    check_picture(&folder.read("losses.png"));
    let forecast = folder.run("forecast own.longcast --horizon 12 --level 80").succeeded();
    let table = Table::csv(forecast.text());
    let of = |name| table.numbers(name);
    let (mean, lower, upper) = (of("informer"), of("informer-lo-80"), of("informer-hi-80"));
    assert!(mean.iter().zip(lower.iter().zip(&upper)).all(|(m, (lo, hi))| lo <= m && m <= hi && lo < hi));
    // What the network was not asked for it does not know.
    let run = folder.run("forecast own.longcast --level 95").failed(2);
    assert!(
        run.stderr.contains("level 95") && run.stderr.contains("intervals = conformal"),
        "{}",
        run.stderr
    );
    let run = folder.run("forecast own.longcast --level 80 --joint").failed(2);
    assert!(run.stderr.contains("single steps"), "{}", run.stderr);
    // The same network with the intervals of its errors.
    folder.run(&format!("{fit} {} -o errors.longcast", own.replace("=head", "=conformal"))).succeeded();
    let other = folder.run("forecast errors.longcast --horizon 12 --level 80").succeeded();
    let other = Table::csv(other.text());
    assert_eq!(other.numbers("informer"), mean);
    assert_ne!(other.numbers("informer-lo-80"), lower);

    for (settings, said) in [
        ("--set intervals=head", "a point head has none"),
        ("--set head=quantiles --set quantiles=0.5,0.1", "they must rise"),
        ("--set head=normal", "gaussian"),
        ("--device wgpu", "--features wgpu"),
        ("--device gpu", "it must be one of cpu, wgpu, cuda"),
    ] {
        let run = folder.run(&format!("{fit} {settings} -o bad.longcast")).failed(2);
        assert!(run.stderr.contains(said) || cfg!(feature = "wgpu"), "{settings}: {}", run.stderr);
    }
}

#[test]
fn weights_of_the_reference_code_become_a_model() {
    let folder = Folder::new("informer-import");
    let quarters = (0..400).map(|i| {
        let (day, hour, minute) = (1 + i / 96, i / 4 % 24, 15 * (i % 4));
        format!("2024-01-{day:02}T{hour:02}:{minute:02},{}\n", 10.0 + (f64::from(i) * 0.1).sin())
    });
    folder.write("load.csv", format!("ds,y\n{}", quarters.collect::<String>()));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../forecast/tests/golden/informer_layout.pth");
    folder.write("checkpoint.pth", std::fs::read(golden).unwrap());
    let import = "import informer checkpoint.pth --data load.csv --horizon 4 --set n_heads=2 --set lookback=12 \
                  --set label_length=6 -o load.longcast";
    let run = folder.run(import).succeeded();
    assert!(run.text().contains("informer: looks back 12 steps"), "{}", run.text());
    let header = folder.run(&format!("--json {import}")).succeeded().json();
    assert_eq!(
        (&header["header"]["config"]["d_model"], &header["header"]["config"]["d_ff"]),
        (&4.into(), &6.into())
    );
    let forecast = folder.run("forecast load.longcast --horizon 4 --level 80").succeeded();
    assert!(Table::csv(forecast.text()).numbers("informer").iter().all(|value| value.is_finite()));

    // Data of another step have no quarters of an hour.
    folder.write("hours.csv", hourly(&wave(400, 1)));
    let hours = import.replace("load.csv", "hours.csv");
    let run = folder.run(&hours).failed(2);
    assert!(run.stderr.contains("time marks") && run.stderr.contains('5'), "{}", run.stderr);
    folder.write("other.pth", b"not a checkpoint");
    let run = folder.run(&import.replace("checkpoint.pth", "other.pth")).failed(2);
    assert!(run.stderr.contains("other.pth"), "{}", run.stderr);
}

#[test]
fn what_belongs_to_a_training_is_refused_elsewhere() {
    let folder = folder("informer-refused");
    for (arguments, said) in [
        ("fit --model ar --resume load.csv -o m.longcast", "resume is ar"),
        ("fit --model ar --plot-losses l.png load.csv -o m.longcast", "plot-losses is ar"),
        ("fit --model ar --time-limit 5 load.csv -o m.longcast", "time_limit"),
        ("fit --model informer --set factor=0 load.csv -o m.longcast", "factor is 0"),
        ("fit --model informer --set label_length=97 load.csv -o m.longcast", "label_length is 97"),
    ] {
        let run = folder.run(arguments).failed(2);
        assert!(run.stderr.contains(said), "{arguments}: {}", run.stderr);
        assert!(!folder.join("m.longcast").exists());
    }
}
