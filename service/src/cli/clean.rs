//! `longcast clean`: the data as the models see them, and what was repaired.

use std::collections::HashSet;
use std::path::Path;

use forecast::data::{CalendarFeatures, Cells, Format, Holidays, RowCounts, TimeFeatures, decode, encode};
use forecast::{Panel, Series};
use serde::Serialize;

use super::args::CleanArguments;
use super::console::Console;
use super::failure::Failure;
use super::input;
use super::output::{self, Outputs};

/// What was repaired, over all series.
#[derive(Debug, Serialize)]
struct Repairs {
    n_series: usize,
    /// Rows in the file.
    n_rows: usize,
    /// Rows that were written: steps of the series, and those known ahead.
    n_written: usize,
    step: String,
    /// Steps without a row, masked as missing.
    n_absent: usize,
    /// Rows beyond the first for one stamp.
    n_duplicates: usize,
    /// Rows that were older than a row before them.
    n_out_of_order: usize,
    /// Rows beyond the first for one step that they were resampled to.
    n_resampled: usize,
    /// Steps beyond the ends of the series that have a row of what is known ahead.
    n_ahead: usize,
    notes: Vec<String>,
}

pub(crate) fn run(arguments: &CleanArguments, console: &Console) -> Result<(), Failure> {
    let format = if console.is_json() && arguments.output.is_none() && arguments.format.is_none() {
        Some("json")
    } else {
        arguments.format.as_deref()
    };
    output::check_table(arguments.output.as_deref(), format)?;
    let inputs: Vec<&Path> = std::iter::once(arguments.data.as_path())
        .chain(arguments.holidays.as_deref())
        .chain(arguments.input.covariates.as_deref())
        .chain(arguments.input.future.as_deref())
        .collect();
    output::check_apart(&inputs, &[arguments.output.as_deref()])?;
    let features = features(arguments)?;
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    let mut table = panel.table();
    table.extend(panel.calendar_table(&features)?);
    check_names(&table)?;
    let mut outputs = Outputs::default();
    match &arguments.output {
        Some(path) => {
            outputs.add_table(path, &table, format)?;
            outputs.write(console)?;
        }
        None => console.bytes(&encode(&table, output::format(None, format)?)?)?,
    }
    report(&Repairs::of(&panel), console)
}

fn features(arguments: &CleanArguments) -> Result<CalendarFeatures, Failure> {
    let fourier = arguments.fourier.iter().map(|term| term.parse()).collect::<Result<_, _>>()?;
    Ok(CalendarFeatures {
        time: if arguments.time_features { TimeFeatures::Informer } else { TimeFeatures::None },
        fourier,
        holidays: arguments.holidays.as_deref().map_or_else(|| Ok(Holidays::default()), holidays)?,
    })
}

fn holidays(path: &Path) -> Result<Holidays, Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::User(format!("cannot read \"{name}\": {error}; check the path")))?;
    Ok(Holidays::from_table(&decode(&bytes, &name, Format::of_path(path)?)?, &name)?)
}

/// Two columns of one name could not be told apart.
fn check_names(table: &[(String, Cells)]) -> Result<(), Failure> {
    let mut names = HashSet::new();
    match table.iter().find(|(name, _)| !names.insert(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Failure::option(
            "a column",
            format!("\"{name}\""),
            "another column of the output has that name; rename it in the data",
        )),
    }
}

impl Repairs {
    fn of(panel: &Panel) -> Self {
        let report = panel.report();
        let sum = |count: fn(&RowCounts) -> usize| report.counts.iter().map(count).sum();
        let n_rows_of = |series: &Series| series.n_steps() + series.covariates().n_ahead();
        Repairs {
            n_series: panel.series().len(),
            n_rows: report.n_rows,
            n_written: panel.series().iter().map(n_rows_of).sum(),
            step: report.frequency().to_string(),
            n_absent: sum(|counts| counts.absent),
            n_duplicates: sum(|counts| counts.duplicates),
            n_out_of_order: sum(|counts| counts.out_of_order),
            n_resampled: sum(|counts| counts.resampled),
            n_ahead: sum(|counts| counts.ahead),
            notes: report.notes.clone(),
        }
    }
}

/// Tells the repairs on standard error: the data may be on standard output.
fn report(repairs: &Repairs, console: &Console) -> Result<(), Failure> {
    if console.is_json() {
        let text = serde_json::to_string(repairs)
            .map_err(|error| Failure::Internal(format!("cannot write JSON: {error}")))?;
        console.note(text);
        return Ok(());
    }
    let counted = [
        (repairs.n_absent, "absent steps masked as missing"),
        (repairs.n_duplicates, "duplicate rows merged"),
        (repairs.n_out_of_order, "rows sorted"),
        (repairs.n_resampled, "rows resampled"),
        (repairs.n_ahead, "steps known ahead"),
    ];
    let mut told: Vec<String> =
        counted.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if told.is_empty() {
        told.push("nothing to repair".to_string());
    }
    let Repairs { n_rows, n_written, step, .. } = repairs;
    console.note(format!("{n_rows} rows became {n_written} at steps of {step}: {}", told.join(", ")));
    Ok(())
}
