//! What can be typed: the bundled data sets.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    #[command(subcommand)]
    pub(crate) action: DataAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// The names of the data sets, a line each.
    #[command(after_help = "Example: longcast data list")]
    List,
    /// Source, licence, columns and known defects of a data set.
    #[command(after_help = "Example: longcast data show electricity")]
    Show {
        /// The data set.
        name: String,
    },
    /// Write a data set as CSV.
    #[command(after_help = "Example: longcast data export electricity -o load.csv")]
    Export {
        /// The data set.
        name: String,
        /// The file to write; standard output if left out.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
}
