//! `longcast import`: weights that another program trained, calibrated on data.

use forecast::{FitOptions, Model, ModelConfig};
use serde_json::json;

use super::args::{ImportArguments, ImportInformerArguments, ImportedFamily};
use super::console::Console;
use super::failure::Failure;
use super::{fit, input, output};

pub(crate) fn run(arguments: &ImportArguments, console: &Console) -> Result<(), Failure> {
    match &arguments.family {
        ImportedFamily::Informer(arguments) => informer(arguments, console),
    }
}

fn informer(arguments: &ImportInformerArguments, console: &Console) -> Result<(), Failure> {
    output::check(Some(&arguments.output))?;
    output::check_apart(&[&arguments.data, &arguments.checkpoint], &[Some(&arguments.output)])?;
    let base = match &arguments.config {
        Some(path) => input::config_file(path)?,
        None => ModelConfig::parse("informer")?.with("preset", "code")?,
    };
    let config = input::configs(vec![base], &arguments.fitting)?.remove(0);
    let options = input::fit_options(&arguments.fitting, Some(arguments.horizon), "")?;
    let options = FitOptions { weights: Some(arguments.checkpoint.clone()), ..options };
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    let fitted = {
        let _progress = console.progress("calibrating");
        Model::fit(&config, &panel, &options)?
    };
    output::file(&arguments.output, fitted.model.to_bytes()?, console)?;
    fit::say(&fitted.model, &fitted.report, console)?;
    console.json(&json!({ "output": arguments.output, "header": fitted.model.header() }))
}
