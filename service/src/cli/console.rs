//! The only module that prints: results to standard output, everything else to standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;

/// Where a command says things.
#[derive(Debug)]
pub(crate) struct Console {
    json: bool,
}

impl Console {
    pub(crate) fn new(json: bool) -> Self {
        Console { json }
    }

    /// True if results are to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Bytes on standard output.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::User(format!("cannot write to standard output: {error}")),
        })
    }

    /// A line for people on standard output; nothing where JSON was asked for.
    pub(crate) fn say(&self, line: impl AsRef<str>) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        self.bytes(format!("{}\n", line.as_ref()).as_bytes())
    }

    /// A value as JSON, only where JSON was asked for.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Internal(format!("cannot write JSON: {error}")))?;
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// A remark on standard error.
    pub(crate) fn note(&self, line: impl AsRef<str>) {
        // A closed standard error is no reason to fail.
        let _ = writeln!(io::stderr(), "{}", line.as_ref());
    }

    /// Says that a file was written, to people.
    pub(crate) fn wrote(&self, path: &Path) {
        if !self.json {
            self.note(format!("wrote {}", path.display()));
        }
    }

    /// A spinner with elapsed time, on a terminal only; it goes when it is dropped.
    pub(crate) fn progress(&self, message: impl Into<String>) -> Progress {
        if self.json || !io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_message(message.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress { bar }
    }

    /// A bar that counts series, with series per second and the time left, on a terminal only.
    pub(crate) fn bar(&self) -> Bar {
        if self.json || !io::stderr().is_terminal() {
            return Bar { progress: Progress { bar: ProgressBar::hidden() } };
        }
        let bar = ProgressBar::no_length();
        bar.set_style(counting("{spinner} {human_pos} series, {rate} a second [{elapsed}]"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { progress: Progress { bar } }
    }

    /// Says why a command failed, and with which code to exit.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        let (message, code) = match failure {
            Failure::User(message) => (message, 2),
            Failure::Internal(message) => (message, 1),
            Failure::OutputClosed => return ExitCode::SUCCESS,
        };
        if self.json {
            let fault = if code == 2 { "user" } else { "longcast" };
            self.note(serde_json::json!({ "error": message, "fault": fault }).to_string());
        } else {
            self.note(format!("error: {message}"));
        }
        ExitCode::from(code)
    }
}

/// A running spinner.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Says something else.
    pub(crate) fn say(&self, message: String) {
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A style with series per second as `{rate}`.
fn counting(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
        // A rate that cannot be written is not shown.
        let _ = write!(text, "{:.0}", state.per_sec());
    })
}

/// A running bar.
#[derive(Debug)]
pub(crate) struct Bar {
    progress: Progress,
}

impl Bar {
    /// Begins at a count that is not this run's work.
    pub(crate) fn start(&self, n_done: usize) {
        self.progress.bar.set_position(n_done as u64);
        self.progress.bar.reset_eta();
    }

    pub(crate) fn set(&self, n_done: usize, n_expected: Option<usize>) {
        let bar = &self.progress.bar;
        if let Some(n_expected) = n_expected {
            if bar.length().is_none() {
                bar.set_style(counting(
                    "{bar:30} {human_pos} of about {human_len} series, {rate} a second, {eta} left [{elapsed}]",
                ));
            }
            bar.set_length(n_expected as u64);
        }
        bar.set_position(n_done as u64);
    }

    /// A remark above the bar.
    pub(crate) fn note(&self, console: &Console, line: &str) {
        self.progress.bar.suspend(|| console.note(line));
    }
}

/// The last words of an interrupted run that the same call goes on with.
pub(crate) fn say_how_to_go_on() {
    let _ = writeln!(io::stderr(), "\ninterrupted; the same command goes on after the parts that are done");
}

/// Help and version go to standard output, a wrong call to standard error with exit code 2.
pub(crate) fn show_usage(error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let message = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
        return Console::new(true).fail(&Failure::User(message.to_string()));
    }
    // A closed stream is no reason to fail.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Rows of text in columns: the first left-aligned, the others right-aligned.
pub(crate) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
        })
        .collect()
}
