//! Charts of models, forecasts and data.

use forecast::plot::{Band, CoefficientChart, FanChart, Line, MissingMap};
use forecast::{Forecast, Model, Panel, Series, TimeIndex};

use super::failure::Failure;

/// History in a fan chart: this many horizons before the cutoff.
const HISTORY_HORIZONS: usize = 2;
/// And no fewer steps than this.
const SHORTEST_HISTORY: usize = 48;
/// Steps times series of a missing-data map.
const MOST_CELLS: usize = 500_000_000;

/// The end of a history and the forecast of one channel.
pub(crate) fn fan(
    model: &Model,
    history: &Series,
    forecast: &Forecast,
    channel: usize,
) -> Result<Vec<u8>, Failure> {
    let header = model.header();
    let name = &header.channels[channel];
    let shown = (HISTORY_HORIZONS * forecast.index.len).max(SHORTEST_HISTORY);
    let tail = history.tail(shown);
    let chart = FanChart {
        title: format!(
            "{}: {} steps ahead by {}",
            name_of(model, &forecast.series, channel),
            forecast.index.len,
            header.config.name()
        ),
        value_label: value_label(name, &header.unit),
        history: Line::new(tail.index().clone(), tail.values().column(channel).to_vec()),
        forecast: Line::new(forecast.index.clone(), forecast.mean.column(channel).to_vec()),
        bands: forecast
            .intervals
            .iter()
            .map(|interval| Band {
                level: interval.level,
                lower: interval.lower.column(channel).to_vec(),
                upper: interval.upper.column(channel).to_vec(),
            })
            .collect(),
        actual: None,
    };
    Ok(chart.render()?)
}

/// What a chart is about: the series, and its channel where there are several; of a wide file only that.
fn name_of(model: &Model, series: &str, channel: usize) -> String {
    let header = model.header();
    match (header.channels.len(), header.series.len()) {
        (1, _) => series.to_string(),
        (_, 1) => header.channels[channel].clone(),
        _ => format!("{series}, {}", header.channels[channel]),
    }
}

/// The series and channel that a name stands for: the id of a series, a channel, or `id/channel`; the first
/// where there is no name.
pub(crate) fn find<'a>(
    series: impl Iterator<Item = &'a str> + Clone,
    channels: &[String],
    wanted: Option<&str>,
    flag: &str,
) -> Result<(usize, usize), Failure> {
    let Some(wanted) = wanted else { return Ok((0, 0)) };
    let channel = |name: &str| channels.iter().position(|channel| channel == name);
    let by_id = series.clone().position(|id| id == wanted).map(|at| (at, 0));
    let by_channel = || channel(wanted).map(|channel| (0, channel));
    let by_both = || {
        let (at, id) = series.clone().enumerate().find(|(_, id)| wanted.starts_with(&format!("{id}/")))?;
        Some((at, channel(&wanted[id.len() + 1..])?))
    };
    by_id.or_else(by_channel).or_else(by_both).ok_or_else(|| {
        let known: Vec<&str> = series.clone().take(10).collect();
        let rule = format!("the series are {}, their channels {}", known.join(", "), channels.join(", "));
        Failure::option(flag, wanted, &rule)
    })
}

fn value_label(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_string() } else { format!("{name} ({unit})") }
}

/// The coefficients of one series and channel of a model.
pub(crate) fn coefficients(model: &Model, series: usize, channel: usize) -> Result<Vec<u8>, Failure> {
    let header = model.header();
    let Some((_, coefficients)) = model.coefficients(series, channel) else {
        return Err(Failure::User(format!(
            "the model is {}, which has no coefficients",
            header.config.name()
        )));
    };
    let chart = CoefficientChart {
        title: format!(
            "{}: coefficients of {}({})",
            name_of(model, &header.series[series], channel),
            header.config.name(),
            coefficients.len()
        ),
        step: header.step,
        coefficients,
    };
    Ok(chart.render()?)
}

/// Where the values of a panel are missing, a strip for each series and channel.
pub(crate) fn missing_map(panel: &Panel) -> Result<Vec<u8>, Failure> {
    let indexes: Vec<&TimeIndex> = panel.series().iter().map(Series::index).collect();
    let first = indexes.iter().min_by_key(|index| index.start).map_or_else(
        || Err(Failure::Internal("a panel without series".to_string())),
        |index| Ok(TimeIndex { calendar: None, ..(*index).clone() }),
    )?;
    let end = indexes.iter().map(|index| index.end()).max().unwrap_or(first.start);
    // Series whose grids are shifted against each other share the grid of the first.
    let len = first.position_before(end) + 1;
    if len.saturating_mul(panel.series().len() * panel.channels().len()) > MOST_CELLS {
        let rule = "its series lie too far apart to draw on one axis; draw fewer of them";
        return Err(Failure::option("the missing-data map", format!("{len} steps wide"), rule));
    }
    let mut rows = Vec::new();
    for series in panel.series() {
        let index = series.index();
        let offset = first.position_before(index.start);
        // What is closed stays white; steps at odd distances share a cell.
        let at = |step: usize| match index.calendar {
            Some(_) => first.position_before(index.stamp(step)),
            None => offset + step,
        };
        for channel in 0..panel.channels().len() {
            let mut row = vec![None; len];
            for step in 0..series.n_steps() {
                if let Some(cell) = row.get_mut(at(step)) {
                    *cell = Some(cell.unwrap_or(true) && series.is_observed(step, channel));
                }
            }
            rows.push((panel.label(series.id(), channel), row));
        }
    }
    let chart = MissingMap { title: "Missing values".to_string(), index: TimeIndex { len, ..first }, rows };
    Ok(chart.render()?)
}
