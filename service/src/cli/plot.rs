//! `longcast plot`: charts from what other commands saved.

use std::path::Path;

use forecast::Model;
use forecast::data::{Cells, Format, decode};

use super::args::{Chart, PlotArguments};
use super::console::Console;
use super::failure::Failure;
use super::{backtest_charts, charts, coef, input, output, sample_chart};

pub(crate) fn run(arguments: &PlotArguments, console: &Console) -> Result<(), Failure> {
    output::check_chart(Some(arguments.chart.path()))?;
    let png = match &arguments.chart {
        Chart::Forecast { model, series, spec, .. } => {
            let model = Model::load(model)?;
            let options = input::forecast_options(spec, &model)?;
            let (at, channel) = find(&model, series.as_deref())?;
            let history = &model.history()[at];
            let forecast = model.forecast_series(history, &options)?;
            charts::fan(&model, history, &forecast, channel)?
        }
        Chart::Coefficients { model, series, .. } => {
            let model = Model::load(model)?;
            charts::coefficients(&model, find(&model, series.as_deref())?, 1, coef::LEVEL)?
        }
        Chart::Backtest { table, series, .. } => {
            backtest_charts::against_actuals(&read_table(table)?, series.as_deref())?
        }
        Chart::Horizon { table, .. } => backtest_charts::error_by_step(&read_table(table)?)?,
        Chart::Calibration { table, .. } => backtest_charts::calibration(&read_table(table)?)?,
        Chart::Sample { table, .. } => sample_chart::sample(&read_table(table)?)?,
        Chart::Missing { data, input, .. } => charts::missing_map(&input::read(data, input, console)?)?,
    };
    output::file(arguments.chart.path(), png, console)
}

fn find(model: &Model, series: Option<&str>) -> Result<(usize, usize), Failure> {
    let header = model.header();
    charts::find(header.series.iter().map(String::as_str), &header.channels, series, "--series")
}

fn read_table(path: &Path) -> Result<Vec<(String, Cells)>, Failure> {
    let format = Format::of_path(path)?;
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::User(format!("cannot read \"{}\": {error}", path.display())))?;
    Ok(decode(&bytes, &path.display().to_string(), format)?)
}
