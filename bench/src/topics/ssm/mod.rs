//! `ssm`: layers of S4, S4D and SGConv beside PyTorch, how they grow with the length, which family finds a needle far
//! back, and the forecasting tables of the S4 paper.

mod choose;
mod growth;
mod needle;
mod paper;
mod speed;
mod tables;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Setting;
use crate::console;
use crate::error::Result;
use crate::record::Record;
use tables::TableArguments;

pub(crate) use speed::serve;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct SsmArguments {
    /// Parts of the topic [default: speed, growth and needle; tables as well where data are named].
    #[arg(long, value_name = "PART,...", value_delimiter = ',')]
    parts: Vec<Part>,
    #[command(flatten)]
    tables: TableArguments,
}

/// A part of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A step of training of one layer, and a step of a stream, beside PyTorch.
    Speed,
    /// Time and memory of a layer against the length of its sequence.
    Growth,
    /// Which family finds the one value far back that decides the next.
    Needle,
    /// The forecasting tables of the S4 paper.
    Tables,
    /// The same tables, each cell with the settings that do best on its validation range.
    Choose,
}

/// The layers, as settings and records name them.
const LAYERS: [&str; 3] = ["s4", "s4d", "sgconv"];

/// All parts but the tables, which need data that are not part of the project.
pub(crate) fn run_without_data(setting: &Setting) -> Result<Vec<Record>> {
    measure(setting, &[Part::Speed, Part::Growth, Part::Needle], &TableArguments::default())
}

pub(crate) fn run(setting: &Setting, arguments: &SsmArguments) -> Result<Vec<Record>> {
    let mut parts = arguments.parts.clone();
    if parts.is_empty() {
        parts = vec![Part::Speed, Part::Growth, Part::Needle];
        match arguments.tables.folder() {
            Ok(_) => parts.push(Part::Tables),
            Err(reason) => console::note(format!("ssm: no tables: {reason}")),
        }
    }
    measure(setting, &parts, &arguments.tables)
}

fn measure(setting: &Setting, parts: &[Part], tables: &TableArguments) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for part in parts {
        records.extend(match part {
            Part::Speed => speed::run(setting)?,
            Part::Growth => growth::run(setting)?,
            Part::Needle => needle::run(setting)?,
            Part::Tables => tables::run(setting, tables, false)?,
            Part::Choose => tables::run(setting, tables, true)?,
        });
    }
    Ok(records)
}

/// The folder of the charts, made if it is not there.
fn charts(setting: &Setting) -> Result<Option<PathBuf>> {
    if let Some(folder) = &setting.plots {
        let fail = |error| crate::error::Error::file("cannot make the folder", folder, error);
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    Ok(setting.plots.clone())
}
