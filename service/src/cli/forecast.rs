//! `longcast forecast`: what follows.

use forecast::data::encode;
use forecast::{Forecast, Model, Panel, Series, table};

use super::args::ForecastArguments;
use super::console::Console;
use super::failure::Failure;
use super::output::{self, Outputs};
use super::{charts, input};

pub(crate) fn run(arguments: &ForecastArguments, console: &Console) -> Result<(), Failure> {
    let format = if console.is_json() && arguments.output.is_none() && arguments.format.is_none() {
        Some("json")
    } else {
        arguments.format.as_deref()
    };
    output::check_table(arguments.output.as_deref(), format)?;
    output::check_chart(arguments.plot.as_deref())?;
    let model = Model::load(&arguments.model)?;
    let options = input::forecast_options(&arguments.spec, &model)?;
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
    let columns = table(&forecasts, model.header().config.name());
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.plot {
        let at = position(&forecasts, arguments.plot_series.as_deref())?;
        outputs.add(path, charts::fan(&model, &history(&model, panel.as_ref(), at)?, &forecasts[at])?);
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
