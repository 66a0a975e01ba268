//! What becomes of a training that is stopped, killed, or out of space.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::experiments::{Net, Windows, bits, head, options, trained, with_task};
use super::head::HeadKind;
use super::normaliser::Normalisation;
use super::progress::{Control, TrainingEvent};
use super::report::{StopReason, TrainingReport};
use super::task::{BatchLoss, Task};
use super::trainer::{TrainOptions, Trained, train};
use super::training_state::{Begin, CheckpointOptions};
use crate::data::WindowOrder;
use crate::{Cancel, Error, Result};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("longcast-resume-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn about() -> BTreeMap<String, String> {
    BTreeMap::from([("data".to_string(), "made up".to_string())])
}

fn checkpointed<'a>(path: &'a Path, begin: Begin, about: &'a BTreeMap<String, String>) -> TrainOptions<'a> {
    let checkpoint = Some(CheckpointOptions { path, every: Duration::ZERO, begin, about });
    TrainOptions { checkpoint, ..options() }
}

fn run(options: &TrainOptions<'_>, watch: &mut dyn FnMut(&TrainingEvent) -> Control) -> Trained<Net> {
    trained(HeadKind::Gaussian, Normalisation::RevIn, options, watch)
}

/// What does not depend on the time it took.
fn told(report: &TrainingReport) -> TrainingReport {
    TrainingReport { seconds: 0.0, windows_per_second: 0.0, ..report.clone() }
}

#[test]
fn stopped_at_any_step_and_resumed_it_ends_with_the_same_bits() {
    let (folder, about) = (folder("stopped"), about());
    let whole = run(&options(), &mut |_| Control::Continue);
    let path = folder.join("a.training");
    // Stopped again and again, each time after a few events more, at ends of epochs too.
    let mut n_runs = 0;
    let resumed = loop {
        n_runs += 1;
        let mut n_events = 0;
        let mut watch = |_: &TrainingEvent| {
            n_events += 1;
            if n_events == 3 + 2 * n_runs { Control::Stop } else { Control::Continue }
        };
        let begin = if n_runs == 1 { Begin::Anew } else { Begin::Resume };
        let part = run(&checkpointed(&path, begin, &about), &mut watch);
        if part.report.stopped != StopReason::Asked {
            break part;
        }
        assert!(n_runs < 100);
    };
    assert!(n_runs > 5, "{n_runs}");
    assert_eq!(bits(&resumed.network), bits(&whole.network));
    assert_eq!(told(&resumed.report), told(&whole.report));
    // A training that is over is over when it is resumed, too.
    let again = run(&checkpointed(&path, Begin::Resume, &about), &mut |_| Control::Stop);
    assert_eq!((bits(&again.network), told(&again.report)), (bits(&whole.network), told(&whole.report)));
    // From the start, the file is replaced.
    let anew = run(&checkpointed(&path, Begin::Anew, &about), &mut |_| Control::Stop);
    assert_eq!(anew.report.n_steps, 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Windows whose training is cancelled in the middle of a validation.
struct Cancelled<'a, 'b> {
    windows: &'a mut Windows<'b>,
    cancel: &'a Cancel,
    /// Batches of validation before that.
    n_left: usize,
}

impl Task<Net> for Cancelled<'_, '_> {
    fn n_batches(&self) -> usize {
        self.windows.n_batches()
    }

    fn begin_epoch(&mut self, order: WindowOrder) {
        self.windows.begin_epoch(order);
    }

    fn loss(&mut self, network: &Net, batch_idx: usize) -> Result<BatchLoss> {
        self.windows.loss(network, batch_idx)
    }

    fn n_validation_batches(&self) -> usize {
        self.windows.n_validation_batches()
    }

    fn validation_loss(&mut self, network: &Net, batch_idx: usize) -> Result<BatchLoss> {
        match self.n_left {
            0 => self.cancel.cancel(),
            _ => self.n_left -= 1,
        }
        self.windows.validation_loss(network, batch_idx)
    }
}

#[test]
fn cancelled_in_a_validation_it_goes_on_with_that() {
    let (folder, about) = (folder("validation"), about());
    let path = folder.join("a.training");
    let cancel = Cancel::new();
    let rarely = |begin| {
        let checkpoint = CheckpointOptions { path: &path, every: Duration::MAX, begin, about: &about };
        TrainOptions { checkpoint: Some(checkpoint), ..options() }
    };
    let network = Net::new(Normalisation::RevIn, &head(HeadKind::Gaussian), &[]);
    let stopped = with_task(HeadKind::Gaussian, 32, |windows| {
        let n_left = 2 * windows.n_validation_batches() + 1;
        let mut task = Cancelled { windows, cancel: &cancel, n_left };
        let options = TrainOptions { cancel: Some(&cancel), ..rarely(Begin::Anew) };
        train(network, &mut task, &options, &mut |_| Control::Continue).map(|_| ())
    });
    assert!(matches!(stopped, Err(Error::Cancelled)));
    let mut events = Vec::new();
    let resumed = run(&rarely(Begin::Resume), &mut |event| {
        events.push(*event);
        Control::Continue
    });
    assert!(
        matches!(&events[0], TrainingEvent::Epoch { progress, .. } if progress.epoch == 3),
        "{:?}",
        events[0]
    );
    let whole = run(&options(), &mut |_| Control::Continue);
    assert_eq!((bits(&resumed.network), told(&resumed.report)), (bits(&whole.network), told(&whole.report)));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The name of a test, and what tells it that it is the child.
const CHILD: &str = "LONGCAST_TEST_CHECKPOINT";

fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--quiet"]).stdout(std::process::Stdio::null());
    command
}

#[test]
fn killed_and_resumed_it_ends_with_the_same_bits() {
    let about = about();
    if let Some(path) = std::env::var_os(CHILD) {
        // Slow enough to be killed before it is done.
        let mut watch = |_: &TrainingEvent| {
            std::thread::sleep(Duration::from_millis(5));
            Control::Continue
        };
        run(&checkpointed(Path::new(&path), Begin::Resume, &about), &mut watch);
        return;
    }
    let folder = folder("killed");
    let path = folder.join("a.training");
    let test = "nn::resume::killed_and_resumed_it_ends_with_the_same_bits";
    let mut written = None;
    for _ in 0..2 {
        let mut child = child(test).env(CHILD, &path).spawn().unwrap();
        // Until a few checkpoints were written by this child.
        let mut n_seen = 0;
        while n_seen < 3 {
            assert!(child.try_wait().unwrap().is_none(), "it was done before it was killed");
            let now = path.metadata().and_then(|metadata| metadata.modified()).ok();
            n_seen += usize::from(now != written && now.is_some());
            written = now.or(written);
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = run(&checkpointed(&path, Begin::Resume, &about), &mut |_| Control::Continue);
    let whole = run(&options(), &mut |_| Control::Continue);
    assert_eq!(bits(&resumed.network), bits(&whole.network));
    assert_eq!(told(&resumed.report), told(&whole.report));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// No file may grow beyond one block, so that the write ends in its middle as on a full disk.
#[cfg(unix)]
#[test]
fn out_of_space_the_checkpoint_before_survives() {
    let about = about();
    if let Some(path) = std::env::var_os(CHILD) {
        let options = checkpointed(Path::new(&path), Begin::Resume, &about);
        let network = Net::new(Normalisation::RevIn, &head(HeadKind::Gaussian), &[]);
        let result = with_task(HeadKind::Gaussian, 32, |task| {
            train(network, task, &options, &mut |_| Control::Continue)
        });
        let message = result.map(|_| ()).unwrap_err().to_string();
        assert!(message.starts_with("cannot write"), "{message}");
        return;
    }
    let folder = folder("full");
    let path = folder.join("a.training");
    run(&checkpointed(&path, Begin::Anew, &about), &mut |event| {
        if event.progress().epoch == 2 { Control::Stop } else { Control::Continue }
    });
    let before = std::fs::read(&path).unwrap();
    assert!(before.len() > 2_048);
    let test = "nn::resume::out_of_space_the_checkpoint_before_survives";
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let child = child(test);
    let mut shell = Command::new("sh");
    shell.args(["-c", limited]).arg(child.get_program()).args(child.get_args()).env(CHILD, &path);
    let status = shell.stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
    let resumed = run(&checkpointed(&path, Begin::Resume, &about), &mut |_| Control::Continue);
    let whole = run(&options(), &mut |_| Control::Continue);
    assert_eq!(bits(&resumed.network), bits(&whole.network));
    std::fs::remove_dir_all(&folder).unwrap();
}
