//! The command line: parse, run one command, say what went wrong, exit with 0, 1 (our fault) or 2 (the user's).

mod args;
mod backtest;
mod backtest_charts;
mod backtest_rows;
mod batch;
mod bench;
mod bench_data;
mod charts;
mod clean;
mod client;
mod coef;
mod console;
mod covariates;
mod data;
mod demo;
mod explain;
mod failure;
mod fit;
mod forecast;
mod import;
mod input;
mod inspect;
mod lags;
mod leaderboard;
mod memory;
mod output;
mod plot;
mod sample_chart;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command};
use console::Console;
use failure::Failure;

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return console::show_usage(&error, asks_for_json(std::env::args())),
    };
    quiet_readers();
    let console = Console::new(arguments.json);
    match execute(&arguments.command.with_named_outputs(), &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => console.fail(&failure),
    }
}

/// A call that did not parse has to be read directly; behind `bench ltsf`, `--json` takes a file.
fn asks_for_json(words: impl Iterator<Item = String>) -> bool {
    let mut is_file = false;
    words.into_iter().any(|word| {
        is_file |= word == "ltsf";
        word == "--json-stdout" || (word == "--json" && !is_file)
    })
}

fn execute(command: &Command, console: &Console) -> Result<(), Failure> {
    if !matches!(command, Command::Serve(_)) {
        remove_unfinished_files_on_signals(command)?;
    }
    match command {
        Command::Data(arguments) => data::run(arguments, console),
        Command::Inspect(arguments) => inspect::run(arguments, console),
        Command::Clean(arguments) => clean::run(arguments, console),
        Command::Fit(arguments) => fit::run(arguments, console),
        Command::Import(arguments) => import::run(arguments, console),
        Command::Forecast(arguments) => forecast::run(arguments, console),
        Command::Coef(arguments) => coef::run(arguments, console),
        Command::Explain(arguments) => explain::run(arguments, console),
        Command::Backtest(arguments) => backtest::run(arguments, console),
        Command::Batch(arguments) => batch::run(arguments, console),
        Command::Bench(arguments) => bench::run(arguments, console),
        Command::Plot(arguments) => plot::run(arguments, console),
        Command::Serve(arguments) => serve::run(arguments, console),
        Command::Client(arguments) => client::run(arguments, console),
        Command::Demo(arguments) => demo::run(arguments, console),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "longcast", &mut script);
            console.bytes(&script)
        }
    }
}

/// The readers of Parquet and Arrow panic on some damaged files, on threads of their own; the library makes an
/// error of it, which is all that a user needs to see.
fn quiet_readers() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if !thread.name().is_some_and(|name| name.starts_with("polars")) {
            default(panic);
        }
    }));
}

/// An interrupted run takes its half-written files with it and exits as shells expect; one that can go on says so.
fn remove_unfinished_files_on_signals(command: &Command) -> Result<(), Failure> {
    let can_go_on = matches!(command, Command::Batch(_));
    ctrlc::set_handler(move || {
        ::forecast::remove_unfinished_files();
        if can_go_on {
            console::say_how_to_go_on();
        }
        std::process::exit(130);
    })
    .map_err(|error| Failure::Internal(format!("cannot handle signals: {error}")))
}
