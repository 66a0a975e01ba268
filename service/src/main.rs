//! The program `longcast`: offline commands and `serve`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
