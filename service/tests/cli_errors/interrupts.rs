//! Runs that are ended from outside: quickly, with the exit code of shells, and without a trace.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::refusal::fitted;
use crate::run::{Folder, command, hourly, wave};

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end, at most as long as `limit`.
fn wait(child: &mut Child, limit: Duration) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("it still runs {limit:?} after the signal");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_long_fit_ends_at_once_and_leaves_nothing() {
    let folder = Folder::new("fit");
    folder.write("long.csv", hourly(&wave(120_000, 1)));
    for name in ["INT", "TERM"] {
        let mut call = command(&folder, "fit --order 300 long.csv -o long.longcast");
        let mut child = call.stdout(Stdio::null()).spawn().unwrap();
        // The remark on the data comes before the work.
        let mut remarks = BufReader::new(child.stderr.take().unwrap());
        let mut remark = String::new();
        remarks.read_line(&mut remark).unwrap();
        assert!(remark.contains("120000 steps"), "{remark}");
        std::thread::sleep(Duration::from_millis(100));
        assert!(child.try_wait().unwrap().is_none(), "the fit was over too soon to be interrupted");
        signal(&child, name);
        assert_eq!(wait(&mut child, Duration::from_secs(3)), Some(130), "{name}");
        assert_eq!(folder.names(), ["long.csv"], "{name}");
    }
}

#[test]
fn a_write_that_is_interrupted_leaves_the_whole_file_or_none() {
    let folder = fitted("write");
    let arguments = "forecast load.longcast --horizon 300000 -o big.csv";
    folder.run(arguments).succeeded();
    let whole = folder.read("big.csv");
    let mut n_interrupted = 0;
    for _ in 0..10 {
        std::fs::remove_file(folder.join("big.csv")).unwrap_or_default();
        let mut child = command(&folder, arguments).spawn().unwrap();
        let start = Instant::now();
        let is_partial = |name: &String| name.contains("partial");
        // The temporary file is there for some milliseconds only.
        while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(20) {
            let names = std::fs::read_dir(folder.path()).unwrap();
            let mut names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            if names.any(|name| is_partial(&name)) {
                signal(&child, "INT");
                break;
            }
        }
        let code = wait(&mut child, Duration::from_secs(20));
        n_interrupted += u32::from(code == Some(130));
        assert!(matches!(code, Some(0 | 130)), "{code:?}");
        let names = folder.names();
        assert!(!names.iter().any(is_partial), "{code:?} left {names:?}");
        if names.iter().any(|name| name == "big.csv") {
            assert!(folder.read("big.csv") == whole, "{code:?} left a part of the file");
        } else {
            assert_eq!(code, Some(130));
        }
    }
    assert!(n_interrupted > 0, "no write was met; make the file larger");
}
