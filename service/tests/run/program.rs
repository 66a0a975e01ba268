//! One run of the program, bounded in time.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Folder;

/// No run of a test takes longer; a program that hangs is ended.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// What was run, for messages.
    pub(crate) line: String,
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    /// The run itself, if it ended well.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}: {}", self.line, self.stderr);
        self
    }

    /// The run itself, if it ended with this code.
    pub(crate) fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}: {}", self.line, self.stderr);
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output, which must be one JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{}: {error} in {:?}", self.line, self.text()))
    }
}

/// The program in a folder, without a terminal and without the settings of whoever runs the tests.
pub(crate) fn command(folder: &Folder, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longcast"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder.path())
        .env_remove("RUST_LOG")
        .env_remove("LONGCAST_DATA")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end, within [`LIMIT`].
pub(crate) fn finish(command: &mut Command) -> Run {
    try_finish(command).unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()))
}

/// The same; an error if there is no such program.
pub(crate) fn try_finish(command: &mut Command) -> std::io::Result<Run> {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let line = format!("{} {}", command.get_program().to_string_lossy(), arguments.join(" "));
    let start = Instant::now();
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().map(|stream| thread::spawn(move || read_all(stream)));
    let stderr = child.stderr.take().map(|stream| thread::spawn(move || read_all(stream)));
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{line} still ran after {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let text =
        |stream: Option<thread::JoinHandle<Vec<u8>>>| stream.map_or_else(Vec::new, |s| s.join().unwrap());
    let (stdout, stderr) = (text(stdout), String::from_utf8(text(stderr)).unwrap());
    Ok(Run { line, code: status.code(), stdout, stderr })
}

fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
