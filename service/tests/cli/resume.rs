//! `batch` runs that are ended from outside and begun again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::panels::{Rows, bad, constant, parquet, waves};
use crate::run::{Folder, LIMIT, Run, command};

const ARGUMENTS: &str =
    "batch panel.parquet --model seasonal-naive,ar --order 36 --horizon 12 --level 80,90 --series-per-part 5";

/// Two hundred series, some of which fail.
fn panel() -> Vec<Rows> {
    let mut panel = waves(200);
    panel.insert(13, constant());
    panel.splice(60..60, bad());
    panel
}

/// Parts that are done.
fn n_parts(folder: &Folder, output: &str) -> usize {
    let Ok(parts) = std::fs::read_dir(folder.join(&format!("{output}.parts"))) else { return 0 };
    let names = parts.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("part-") && name.ends_with(".json")).count()
}

/// Starts a run and waits until it has done so many parts, or has ended.
fn start(folder: &Folder, arguments: &str, output: &str, until: usize) -> Child {
    let mut child = command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() && n_parts(folder, output) < until {
        assert!(begin.elapsed() < LIMIT, "no part after {LIMIT:?}");
        std::thread::sleep(Duration::from_micros(300));
    }
    child
}

/// Ends a run as a power failure would; true if it had not ended yet.
fn kill(mut child: Child) -> bool {
    let was_running = child.try_wait().unwrap().is_none();
    // It fails only if the run has ended.
    let _ = child.kill();
    child.wait().unwrap();
    was_running
}

fn refused(folder: &Folder, arguments: &str, parts: &[&str]) -> Run {
    let before = folder.contents();
    let run = folder.run(arguments);
    assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
    for part in parts {
        assert!(run.stderr.contains(part), "{arguments}: {:?} does not say {part:?}", run.stderr);
    }
    assert!(before == folder.contents(), "{arguments} changed the folder");
    run
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_bytes_of_one_that_was_not() {
    let folder = Folder::new("resume-kill");
    folder.write("panel.parquet", parquet(&panel()));
    for (output, seed) in [("a.parquet", 1u64), ("a.csv", 2)] {
        let whole = format!("whole-{output}");
        folder.run(&format!("{ARGUMENTS} -o {whole}")).succeeded();
        let arguments = format!("{ARGUMENTS} -o {output}");
        let mut state = seed;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut n_kills = 0;
        let resumed = loop {
            let done = n_parts(&folder, output);
            let child = start(&folder, &arguments, output, done + 1 + draw(9) as usize);
            std::thread::sleep(Duration::from_micros(draw(4_000)));
            if !kill(child) {
                break done;
            }
            if folder.join(output).exists() {
                // It was killed while it removed its parts: the same call takes the rest of them away.
                folder.run(&arguments).succeeded();
                break done;
            }
            assert!(n_parts(&folder, output) >= done, "a part was lost");
            n_kills += 1;
            if n_kills == 12 {
                let done = n_parts(&folder, output);
                let run = folder.run(&arguments).succeeded();
                let said = format!("resuming after {} series", (5 * done).min(205));
                assert!(run.stderr.contains(&said), "{:?} does not say {said:?}", run.stderr);
                break done;
            }
        };
        assert!(n_kills >= 2 && resumed > 0, "{n_kills} kills, {resumed} parts; make the panel larger");
        assert!(folder.read(output) == folder.read(&whole), "{output} differs after {n_kills} kills");
        assert_eq!(folder.read("a.errors.csv"), folder.read("whole-a.errors.csv"));
        let left = folder.names();
        assert!(!left.iter().any(|name| name.contains("part") && !name.contains("parquet")), "{left:?}");
        assert!(!left.iter().any(|name| name.ends_with(".parts")), "{left:?}");
    }
}

#[test]
fn a_part_without_its_table_is_computed_again_with_those_after_it() {
    let folder = Folder::new("resume-table");
    folder.write("panel.parquet", parquet(&panel()));
    folder.run(&format!("{ARGUMENTS} -o whole.csv")).succeeded();
    let arguments = format!("{ARGUMENTS} -o x.csv");
    assert!(kill(start(&folder, &arguments, "x.csv", 6)), "the run was over too soon to be killed");
    std::fs::remove_file(folder.join("x.csv.parts/part-000004.arrow")).unwrap();
    let run = folder.run(&arguments).succeeded();
    assert!(run.stderr.contains("resuming after 20 series"), "{:?}", run.stderr);
    assert!(folder.read("x.csv") == folder.read("whole.csv"));
}

#[test]
fn a_run_with_other_settings_or_data_is_refused_until_the_old_one_is_thrown_away() {
    let folder = Folder::new("resume-other");
    folder.write("panel.parquet", parquet(&panel()));
    let arguments = format!("{ARGUMENTS} -o x.csv");
    assert!(kill(start(&folder, &arguments, "x.csv", 2)), "the run was over too soon to be killed");

    let says = |what: &'static str| ["\"x.csv.parts\"", "--restart", what];
    let other = arguments.replace("--horizon 12", "--horizon 6");
    refused(&folder, &other, &says("horizon 12, but now it is 6"));
    refused(&folder, &format!("{arguments} --tz UTC"), &says("zone"));
    refused(
        &folder,
        &arguments.replace("panel.parquet", "panel.parquet panel.parquet"),
        &says("other data files"),
    );
    folder.write("panel.parquet", parquet(&panel()[..40]));
    refused(&folder, &arguments, &says("other contents of"));

    folder.run(&format!("{arguments} --restart")).succeeded();
    let restarted = folder.read("x.csv");
    folder.run(&arguments.replace("x.csv", "y.csv").replace("-o x", "-o y")).succeeded();
    assert!(restarted == folder.read("y.csv"));
    assert_eq!(n_parts(&folder, "x.csv"), 0);
}

#[test]
fn a_folder_that_holds_something_else_is_never_touched() {
    let folder = Folder::new("resume-foreign");
    folder.write("panel.parquet", parquet(&waves(3)));
    std::fs::create_dir(folder.join("x.csv.parts")).unwrap();
    folder.write("x.csv.parts/thesis.txt", "mine\n");
    for arguments in [format!("{ARGUMENTS} -o x.csv"), format!("{ARGUMENTS} -o x.csv --restart")] {
        refused(&folder, &arguments, &["\"x.csv.parts\"", "\"thesis.txt\"", "move it away"]);
    }
}

#[test]
fn an_interrupted_run_says_how_to_go_on_and_does() {
    let folder = Folder::new("resume-interrupt");
    folder.write("panel.parquet", parquet(&panel()));
    let arguments = format!("{ARGUMENTS} -o x.csv");
    let child = start(&folder, &arguments, "x.csv", 2);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("the same command goes on"), "{said}");
    let done = n_parts(&folder, "x.csv");
    let run = folder.run(&arguments).succeeded();
    assert!(run.stderr.contains(&format!("resuming after {} series", 5 * done)), "{}", run.stderr);
}

#[test]
fn a_second_run_on_the_same_output_waits_its_turn() {
    let folder = Folder::new("resume-twice");
    folder.write("panel.parquet", parquet(&panel()));
    let arguments = format!("{ARGUMENTS} -o x.csv");
    let first = start(&folder, &arguments, "x.csv", 1);
    let second = folder.run(&arguments);
    assert!(kill(first), "the first run was over too soon");
    assert_eq!(second.code, Some(2));
    assert!(second.stderr.contains("another run is writing to it"), "{}", second.stderr);
}
