//! `longcast batch`: every series of a large panel on its own.

use std::path::Path;

use forecast::batch::{self, BatchOptions, BatchReport, MemoryLimit, Progress};
use forecast::{ForecastOptions, ModelConfig};

use super::args::BatchArguments;
use super::console::Console;
use super::failure::Failure;
use super::{covariates, input, output};

/// Windows that the intervals of a series are calibrated on: enough for level 99, and quick for many series.
const CALIBRATION_WINDOWS: usize = 200;

pub(crate) fn run(arguments: &BatchArguments, console: &Console) -> Result<(), Failure> {
    output::check_table(Some(&arguments.output), arguments.format.as_deref())?;
    let errors = arguments.errors.clone().unwrap_or_else(|| batch::errors_beside(&arguments.output));
    output::check(Some(&errors))?;
    let inputs: Vec<&Path> = arguments.data.iter().map(AsRef::as_ref).collect();
    output::check_apart(&inputs, &[Some(&arguments.output), Some(&errors)])?;
    let options = options(arguments)?;
    let declared: Vec<&str> = options.read.covariates.columns().keys().map(String::as_str).collect();
    covariates::note_unused_columns(&declared, &options.models.iter().collect::<Vec<_>>(), console);

    let bar = console.bar();
    let progress = |now: Progress| {
        if now.n_done == now.n_resumed {
            bar.start(now.n_done);
            if now.n_resumed > 0 && !console.is_json() {
                bar.note(console, &format!("resuming after {} series", now.n_resumed));
            }
        }
        bar.set(now.n_done, now.n_expected);
    };
    let report = batch::run(&arguments.data, &arguments.output, &options, &progress)?;
    drop(bar);
    if report.output.is_none() {
        return Err(Failure::User(format!(
            "none of {} series could be forecast; \"{}\" says why",
            report.n_series,
            errors.display()
        )));
    }
    say(&report, console)?;
    console.json(&report)
}

fn options(arguments: &BatchArguments) -> Result<BatchOptions, Failure> {
    let models =
        arguments.model.iter().map(|name| ModelConfig::parse(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &arguments.input.future {
        let rule = "batch reads what is known ahead with the data: add its rows to them, without a value, and \
                    declare its columns with --future-col";
        return Err(Failure::option("--future", format!("\"{}\"", path.display()), rule));
    }
    let limit = arguments.memory_limit.as_deref().map(str::parse::<MemoryLimit>).transpose()?;
    let mut fit = input::fit_options(&arguments.fitting, None, "")?;
    fit.calibration_windows.get_or_insert(CALIBRATION_WINDOWS);
    Ok(BatchOptions {
        models: input::configs(models, &arguments.fitting)?,
        forecast: ForecastOptions {
            horizon: arguments.horizon,
            levels: arguments.level.clone(),
            quantiles: arguments.quantiles.clone(),
            ..ForecastOptions::default()
        },
        fit,
        read: input::read_options(&arguments.input)?,
        format: output::format(Some(&arguments.output), arguments.format.as_deref())?,
        errors: arguments.errors.clone(),
        memory_limit: limit.unwrap_or_default(),
        series_per_part: arguments.series_per_part,
        restart: arguments.restart,
    })
}

/// What was done, in a few lines.
fn say(report: &BatchReport, console: &Console) -> Result<(), Failure> {
    for path in report.output.iter().chain(&report.errors) {
        console.wrote(path);
    }
    let names: Vec<&str> = report.models.iter().map(ModelConfig::name).collect();
    let n_failed = report.n_series - report.n_forecast;
    console.say(format!(
        "{}: {} of {} series forecast, {} rows; season {}, steps of {}",
        names.join(", "),
        report.n_forecast,
        report.n_series,
        report.n_rows,
        report.season_length,
        report.step
    ))?;
    if let Some(errors) = &report.errors {
        console.say(format!(
            "{n_failed} series failed, {} failures in all: see {}",
            report.n_errors,
            errors.display()
        ))?;
    }
    Ok(())
}
