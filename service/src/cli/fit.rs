//! `longcast fit`: a model from data.

use forecast::data::Frequency;
use forecast::{FitReport, Model, ModelConfig, Step};
use serde_json::json;

use super::args::FitArguments;
use super::console::Console;
use super::failure::Failure;
use super::{covariates, input, output};

pub(crate) fn run(arguments: &FitArguments, console: &Console) -> Result<(), Failure> {
    output::check(Some(&arguments.output))?;
    output::check_apart(&[&arguments.data], &[Some(&arguments.output)])?;
    let base = match &arguments.config {
        Some(path) => input::config_file(path)?,
        None => ModelConfig::parse(&arguments.model)?,
    };
    let config = input::configs(vec![base], &arguments.fitting)?.remove(0);
    let options = input::fit_options(&arguments.fitting, arguments.horizon, &arguments.unit)?;
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    covariates::note_unused(&panel, &[&config], console);
    let fitted = {
        let _progress = console.progress(format!("fitting {}", config.name()));
        Model::fit(&config, &panel, &options)?
    };
    output::file(&arguments.output, fitted.model.to_bytes()?, console)?;
    for warning in &fitted.report.warnings {
        console.note(format!("warning: {}", warning.message));
    }
    say(&fitted.model, &fitted.report, console)?;
    console.json(&json!({ "output": arguments.output, "header": fitted.model.header() }))
}

/// What was fitted and how it did, in a few lines.
pub(crate) fn say(model: &Model, report: &FitReport, console: &Console) -> Result<(), Failure> {
    let header = model.header();
    console.say(format!(
        "{}: looks back {}, season {}, intervals up to {} ahead",
        header.config.name(),
        steps(model.lookback(), &header.frequency()),
        header.season_length,
        steps(header.horizon, &header.frequency()),
    ))?;
    console.say(format!(
        "validation, {} windows: MASE {:.3} (seasonal naive {:.3}), MAE {:.4} (seasonal naive {:.4})",
        report.n_windows, report.mase, report.seasonal_naive_mase, report.mae, report.seasonal_naive_mae
    ))
}

/// `168 steps (7 days)`.
fn steps(n: usize, frequency: &Frequency) -> String {
    let unit = if n == 1 { "step" } else { "steps" };
    match frequency.step {
        Step::Index(_) => format!("{n} {unit}"),
        _ => format!("{n} {unit} ({})", frequency.span(n)),
    }
}
