//! `longcast plot`: charts from what other commands saved.

use std::path::Path;

use forecast::Model;
use forecast::data::{Cells, Format, decode};

use super::args::{Chart, PlotArguments};
use super::console::Console;
use super::failure::Failure;
use super::{charts, input, output};

pub(crate) fn run(arguments: &PlotArguments, console: &Console) -> Result<(), Failure> {
    output::check_chart(Some(arguments.chart.path()))?;
    let png = match &arguments.chart {
        Chart::Forecast { model, series, spec, .. } => {
            let model = Model::load(model)?;
            let options = input::forecast_options(spec, &model)?;
            let at = position(&model, series.as_deref())?;
            let history = &model.history()[at];
            let forecast = model.forecast_series(history, &options)?;
            charts::fan(&model, history, &forecast)?
        }
        Chart::Coefficients { model, series, .. } => {
            let model = Model::load(model)?;
            charts::coefficients(&model, position(&model, series.as_deref())?)?
        }
        Chart::Backtest { table, series, .. } => charts::backtest(&read_table(table)?, series.as_deref())?,
        Chart::Horizon { table, .. } => charts::horizon_error(&read_table(table)?)?,
        Chart::Missing { data, input, .. } => charts::missing_map(&input::read(data, input, console)?)?,
    };
    output::file(arguments.chart.path(), png, console)
}

fn position(model: &Model, series: Option<&str>) -> Result<usize, Failure> {
    let Some(wanted) = series else { return Ok(0) };
    let ids = &model.header().series;
    ids.iter().position(|id| id == wanted).ok_or_else(|| {
        let known: Vec<&str> = ids.iter().take(10).map(String::as_str).collect();
        Failure::option("--series", wanted, &format!("the model knows {}", known.join(", ")))
    })
}

fn read_table(path: &Path) -> Result<Vec<(String, Cells)>, Failure> {
    let format = Format::of_path(path)?;
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::User(format!("cannot read \"{}\": {error}", path.display())))?;
    Ok(decode(&bytes, &path.display().to_string(), format)?)
}
