//! Business days and opening times, from a file through a model to a forecast and its charts.

use forecast::data::Zone;
use forecast::{Step, TimeIndex};

use crate::run::{Folder, check_picture, wave};

/// Nine o'clock on Monday, 1 January 2024.
const MONDAY_AT_NINE: i64 = 1_704_099_600_000_000_000;

/// `ds,y`: the first `n` slots of an opening from 2024 on, and those that follow.
fn open(step: &str, opening: &str, n: usize) -> (String, Vec<String>) {
    let step: Step = step.parse().unwrap();
    let index = TimeIndex::new(MONDAY_AT_NINE, step, Zone::Local, n).with_opening(&opening.parse().unwrap());
    let index = index.unwrap();
    let rows = index.stamps().zip(wave(n, 1)).map(|(stamp, y)| format!("{},{y}\n", index.format(stamp)));
    let next = index.future(30);
    (format!("ds,y\n{}", rows.collect::<String>()), next.stamps().map(|stamp| next.format(stamp)).collect())
}

fn stamps(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_string()).collect()
}

/// Arguments hold no spaces here.
const OFFICE: &str = "--open Mon-Fri09:00-17:00";

#[test]
fn office_hours_go_through_every_command_and_a_model_remembers_them() {
    let folder = Folder::new("office");
    let (csv, next) = open("1h", "Mon-Fri 09:00-17:00", 600);
    folder.write("office.csv", csv);
    let inspected = folder.run(&format!("inspect office.csv {OFFICE}")).succeeded();
    let line = "600 rows on 600 steps of 1h, Mon-Fri 09:00-17:00";
    assert!(inspected.text().contains(line) && inspected.text().contains("0 absent"), "{}", inspected.text());

    let fitted =
        folder.run(&format!("fit --order 16 --horizon 24 office.csv -o m.longcast {OFFICE}")).succeeded();
    assert!(fitted.text().contains("16 steps (2 open days)"), "{}", fitted.text());
    let stored = folder.run("forecast m.longcast --horizon 24 --level 80 --plot a.png").succeeded();
    assert_eq!(stamps(stored.text()), next[..24]);
    let again = folder.run("forecast m.longcast office.csv --horizon 24 --level 80 --plot b.png").succeeded();
    assert_eq!(again.text(), stored.text());
    assert!(again.stderr.contains("600 steps of 1h, Mon-Fri 09:00-17:00 (given)"), "{}", again.stderr);
    let named =
        folder.run(&format!("forecast m.longcast office.csv --horizon 24 --level 80 {OFFICE}")).succeeded();
    assert_eq!(named.text(), stored.text());
    folder.run(&format!("inspect office.csv {OFFICE} --plot missing.png")).succeeded();
    check_picture(&folder.read("missing.png"));
    check_picture(&folder.read("a.png"));
    assert!(folder.read("a.png") == folder.read("b.png"));
    // Without its opening, the same file has nights and weekends.
    let plain = folder.run("forecast m.longcast office.csv --horizon 2 --freq 1h");
    assert_eq!(plain.code, Some(2));
    assert!(
        plain.stderr.contains("a step of 1h, but the model was fitted on steps of 1h, Mon-Fri 09:00-17:00")
    );
}

#[test]
fn backtests_of_opening_times_are_drawn_at_their_stamps() {
    let folder = Folder::new("open-backtest");
    let (csv, _) = open("1h", "Mon-Fri 09:00-17:00", 600);
    folder.write("office.csv", csv);
    let options = "--horizon 12 --n-windows 3 --level 80 -o t.csv --plot a.png";
    folder.run(&format!("backtest office.csv {options} --plot-horizon b.png {OFFICE}")).succeeded();
    let table = String::from_utf8(folder.read("t.csv")).unwrap();
    let hours = stamps(&table);
    assert_eq!(hours.len(), 36);
    assert!(hours.iter().all(|stamp| ("09".."17").contains(&&stamp[11..13])), "{hours:?}");
    folder.run("plot backtest t.csv -o c.png").succeeded();
    for name in ["a.png", "b.png", "c.png"] {
        check_picture(&folder.read(name));
    }
    assert!(folder.read("a.png") == folder.read("c.png"));
}

#[test]
fn business_days_are_inferred_and_said_or_given() {
    let folder = Folder::new("business");
    let (csv, next) = open("1D", "Mon-Fri", 300);
    folder.write("b.csv", csv);
    let inferred = folder.run("inspect b.csv").succeeded();
    assert!(inferred.stderr.contains("300 steps of 1D, Mon-Fri (inferred)"), "{}", inferred.stderr);
    assert!(inferred.stderr.contains("read as business days; give --freq D"), "{}", inferred.stderr);
    let given = folder.run("inspect b.csv --freq B").succeeded();
    assert!(given.stderr.contains("300 steps of 1D, Mon-Fri (given)"), "{}", given.stderr);
    assert_eq!(given.text(), inferred.text());
    let report = folder.run("--json inspect b.csv").succeeded().json();
    assert_eq!((report["step"].as_str(), report["opening"].as_str()), (Some("1D"), Some("Mon-Fri")));
    let days = folder.run("inspect b.csv --freq D").succeeded();
    assert!(days.text().contains("300 rows on 418 steps of 1D\n"), "{}", days.text());

    folder.run("fit --order 10 --horizon 20 b.csv -o m.longcast --freq B").succeeded();
    let forecast = folder.run("forecast m.longcast b.csv --horizon 20").succeeded();
    assert_eq!(stamps(forecast.text()), next[..20]);
    // A few days are enough for a model that knows what they are.
    let rows = String::from_utf8(folder.read("b.csv")).unwrap();
    let tail: Vec<&str> = rows.lines().skip(291).collect();
    folder.write("tail.csv", format!("ds,y\n{}\n{}\n", rows.lines().nth(290).unwrap(), tail.join("\n")));
    let tail = folder.run("forecast m.longcast tail.csv --horizon 20").succeeded();
    assert_eq!(tail.text(), forecast.text());
    // A model of all days reads weekends as missing.
    folder.run("fit --model window-mean b.csv -o days.longcast --freq D").succeeded();
    let of_days = folder.run("forecast days.longcast b.csv --horizon 20").succeeded();
    assert_eq!(of_days.text(), folder.run("forecast days.longcast --horizon 20").succeeded().text());

    let header = folder.run("--json fit --order 10 --horizon 20 b.csv -o m.longcast").succeeded().json();
    assert_eq!(header["header"]["opening"], "Mon-Fri");
}
