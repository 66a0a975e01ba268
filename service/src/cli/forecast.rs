//! `longcast forecast`: what follows.

use forecast::{Forecast, Model, Panel, Series, table};

use super::args::ForecastArguments;
use super::console::Console;
use super::failure::Failure;
use super::{charts, input, output};

pub(crate) fn run(arguments: &ForecastArguments, console: &Console) -> Result<(), Failure> {
    let format = if console.is_json() && arguments.output.is_none() && arguments.format.is_none() {
        Some("json")
    } else {
        arguments.format.as_deref()
    };
    output::format(arguments.output.as_deref(), format)?;
    let model = Model::load(&arguments.model)?;
    let options = input::forecast_options(&arguments.spec, &model);
    options.check(&model)?;
    let panel = match &arguments.data {
        Some(path) => Some(input::read(path, &arguments.input, console)?),
        None => None,
    };
    let forecasts = match &panel {
        Some(panel) => model.forecast(panel, &options)?,
        None => model.forecast_next(&options)?,
    };
    for forecast in &forecasts {
        for warning in &forecast.warnings {
            console.note(format!("warning: series \"{}\": {}", forecast.series, warning.message));
        }
    }
    // The chart is made before anything is written, so that a failure leaves nothing behind.
    let chart = match &arguments.plot {
        Some(path) => {
            let at = position(&forecasts, arguments.plot_series.as_deref())?;
            let history = history(&model, panel.as_ref(), at)?;
            Some((path, charts::fan(&model, &history, &forecasts[at])?))
        }
        None => None,
    };
    let columns = table(&forecasts, model.header().config.name());
    output::table(&columns, arguments.output.as_deref(), format, console)?;
    match chart {
        Some((path, png)) => output::file(path, &png, console),
        None => Ok(()),
    }
}

/// The forecast of the series that was named, or the first.
fn position(forecasts: &[Forecast], series: Option<&str>) -> Result<usize, Failure> {
    let Some(wanted) = series else { return Ok(0) };
    forecasts.iter().position(|forecast| forecast.series == wanted).ok_or_else(|| {
        let known: Vec<&str> = forecasts.iter().take(10).map(|f| f.series.as_str()).collect();
        Failure::option("--plot-series", wanted, &format!("the series are {}", known.join(", ")))
    })
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
