//! `longcast forecast`: what follows.

use std::path::{Path, PathBuf};

use forecast::data::encode;
use forecast::{Model, Panel, Series, table};

use super::args::ForecastArguments;
use super::console::Console;
use super::failure::Failure;
use super::output::{self, Outputs};
use super::{charts, covariates, input};

pub(crate) fn run(arguments: &ForecastArguments, console: &Console) -> Result<(), Failure> {
    let format = if console.is_json() && arguments.output.is_none() && arguments.format.is_none() {
        Some("json")
    } else {
        arguments.format.as_deref()
    };
    output::check_table(arguments.output.as_deref(), format)?;
    output::check_chart(arguments.plot.as_deref())?;
    let inputs: Vec<&Path> =
        [Some(&arguments.model), arguments.data.as_ref(), arguments.input.future.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
    output::check_apart(&inputs, &[arguments.output.as_deref(), arguments.plot.as_deref()])?;
    let model = Model::load(&arguments.model)?;
    let options = input::forecast_options(&arguments.spec, &model)?;
    options.check(&model)?;
    let panel = match &arguments.data {
        Some(path) => Some(input::read_for(&model, path, &arguments.input, console)?),
        None => input::history_with_future(&model, &arguments.input)?,
    };
    if let Some(panel) = &panel {
        panel.check_future(options.horizon)?;
        covariates::note_unused_by(panel, &model, console);
    }
    let forecasts = match &panel {
        Some(panel) => model.forecast(panel, &options)?,
        None => model.forecast_next(&options)?,
    };
    for forecast in &forecasts {
        for warning in &forecast.warnings {
            console.note(format!("warning: series \"{}\": {}", forecast.series, warning.message));
        }
    }
    let columns = table(&forecasts, model.header().config.name());
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.plot {
        let ids = forecasts.iter().map(|forecast| forecast.series.as_str());
        let wanted = arguments.plot_series.as_deref();
        let (at, channel) = charts::find(ids, &model.header().channels, wanted, "--plot-series")?;
        let history = history(&model, panel.as_ref(), at)?;
        outputs.add(path, charts::fan(&model, &history, &forecasts[at], channel)?);
    }
    match &arguments.output {
        Some(path) => {
            outputs.add_table(path, &columns, format)?;
            outputs.write(console)
        }
        None => {
            let bytes = encode(&columns, output::format(None, format)?)?;
            outputs.write(console)?;
            console.bytes(&bytes)
        }
    }
}

fn history(model: &Model, panel: Option<&Panel>, at: usize) -> Result<Series, Failure> {
    Ok(match panel {
        Some(panel) if panel.channels().len() > 1 => {
            panel.select_channels(&model.header().channels)?.series()[at].clone()
        }
        Some(panel) => panel.series()[at].clone(),
        None => model.history()[at].clone(),
    })
}
