//! `longcast client session`: rows in, forecasts out, over breaks.

use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::run::{Folder, Served, Table, command, finish, hourly, wave};

const ROWS: usize = 400;

/// A folder with a pooled model, and rows that it has not seen.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.write("rows.csv", hourly(&wave(ROWS, 2)));
    folder.run("fit --order 24 --set pooled=true --horizon 24 load.csv -o load.longcast").succeeded();
    folder
}

/// What the program forecasts from the first rows of the file, as the pipe writes numbers.
fn expected(folder: &Folder, n_rows: usize) -> Vec<f64> {
    let text = String::from_utf8(folder.read("rows.csv")).unwrap();
    let head: String = text.lines().take(n_rows + 1).map(|line| format!("{line}\n")).collect();
    folder.write("head.csv", head);
    let run = folder.run("forecast load.longcast head.csv --horizon 3").succeeded();
    Table::csv(run.text()).numbers("ar")
}

/// The forecasts of a pipe by the number of their row.
fn by_row(table: &Table) -> Vec<(u64, Vec<f64>)> {
    let (rows, values) = (table.numbers("sequence"), table.numbers("forecast"));
    rows.chunks(3).zip(values.chunks(3)).map(|(row, values)| (row[0] as u64, values.to_vec())).collect()
}

#[test]
fn a_file_gives_a_forecast_after_every_row_that_is_that_of_the_program() {
    let folder = folder("pipe");
    let served = Served::start(&folder, "load.longcast");
    let flags = format!("--model models/load --horizon 3 --level 80 --address {}", served.address);
    let run = folder.run(&format!("client session meter-1 rows.csv {flags}")).succeeded();
    let table = Table::csv(run.text());
    assert_eq!(table.header, ["sequence", "unique_id", "ds", "forecast", "lo-80", "hi-80"]);
    let forecasts = by_row(&table);
    // The first one needs a look-back of 24 rows.
    assert_eq!(
        forecasts.iter().map(|(row, _)| *row).collect::<Vec<_>>(),
        (24..=ROWS as u64).collect::<Vec<_>>()
    );
    assert_eq!(forecasts[0].1, expected(&folder, 24));
    assert_eq!(table.text("ds")[..3], ["2024-01-02 00:00:00", "2024-01-02 01:00:00", "2024-01-02 02:00:00"]);
    assert!(table.text("unique_id").iter().all(|id| *id == "meter-1"));
    // The same rows again: the session has them all.
    let again = folder.run(&format!("client session meter-1 rows.csv {flags}")).succeeded();
    assert_eq!(again.text(), "");
    assert!(again.stderr.contains("with 400 rows"), "{}", again.stderr);
    let shown =
        folder.run(&format!("client sessions show sessions/meter-1 --address {} --json", served.address));
    assert_eq!(shown.succeeded().json()["applied_through"], 400);
    // New rows alone.
    let start = 1_704_067_200 + ROWS * 3_600;
    folder.write("more.csv", format!("ds,y\n{start},100.5\n{},101\n", start + 3_600));
    let more = folder.run(&format!("client session meter-1 more.csv --continue {flags} --json")).succeeded();
    let lines: Vec<serde_json::Value> =
        more.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>(), [401, 402]);
    folder.run(&format!("client sessions delete sessions/meter-1 --address {}", served.address)).succeeded();
}

#[test]
fn a_pipe_goes_on_by_itself_when_the_server_is_killed_and_loses_nothing() {
    let folder = folder("pipe-killed");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let serve = format!("serve --model load.longcast --data data --port {port}");
    let mut served = Served::with(&folder, &serve);
    let text = String::from_utf8(folder.read("rows.csv")).unwrap();
    let flags = "--model models/load --horizon 3 --durability sync --batch 16";
    let mut pipe = command(&folder, &format!("client session meter-2 - {flags} --address 127.0.0.1:{port}"));
    let mut child = pipe.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut output, &mut text).unwrap();
        text
    });
    // The header and some rows, a killed server, the rest.
    let lines: Vec<&str> = text.lines().collect();
    let mut write = |lines: &[&str]| {
        for line in lines {
            writeln!(input, "{line}").unwrap();
        }
        input.flush().unwrap();
    };
    write(&lines[..150]);
    thread::sleep(Duration::from_millis(400));
    served.kill();
    write(&lines[150..200]);
    let served = Served::with(&folder, &serve);
    write(&lines[200..]);
    drop(input);
    let begun = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "the pipe does not end");
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success());
    let forecasts = by_row(&Table::csv(&reader.join().unwrap()));
    let (last, values) = forecasts.last().unwrap();
    assert_eq!(*last, ROWS as u64);
    assert!(forecasts.is_sorted_by_key(|(row, _)| *row));

    // The state is that of a run that nothing disturbed, bit for bit.
    let clean = format!("client session clean rows.csv {flags} --address 127.0.0.1:{port}");
    let clean = by_row(&Table::csv(finish(&mut command(&folder, &clean)).succeeded().text()));
    assert_eq!(clean.last().unwrap().1, *values);
    for (row, values) in &forecasts {
        let same = clean.iter().find(|(clean, _)| clean == row).unwrap();
        assert_eq!(same.1, *values, "row {row}");
    }
    assert_eq!(served.terminate().code(), Some(0));
}

#[test]
fn several_series_go_through_one_pipe() {
    let folder = folder("pipe-series");
    let served = Served::start(&folder, "load.longcast");
    let (a, b) = (wave(30, 3), wave(30, 4));
    let rows: String = (0..30)
        .map(|hour| {
            let time = 1_704_067_200 + hour * 3_600;
            format!("{time},a,{}\n{time},\"b, too\",{}\n", a[hour], b[hour])
        })
        .collect();
    folder.write("two.csv", format!("ds,unique_id,y\n{rows}"));
    let mut pipe =
        command(&folder, "client session two two.csv --model models/load --horizon 1 --json --address");
    pipe.arg(&served.address).arg("--history").arg("starts.csv");
    // Histories say the ids and how the series begin.
    let starts: String = (0..24)
        .map(|hour| {
            let time = 1_704_067_200 - (24 - hour) * 3_600;
            format!("{time},a,{}\n{time},\"b, too\",{}\n", a[hour as usize], b[hour as usize])
        })
        .collect();
    folder.write("starts.csv", format!("ds,unique_id,y\n{starts}"));
    let run = finish(&mut pipe).succeeded();
    let ids: Vec<String> = run
        .text()
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["unique_id"]
                .as_str()
                .unwrap()
                .to_string()
        })
        .collect();
    assert_eq!(ids.len(), 60);
    assert_eq!(ids.iter().filter(|id| *id == "b, too").count(), 30);
}
