//! Charts of models, forecasts and data.

use forecast::model::{Coefficient, ValueOrigin};
use forecast::plot::{Band, CoefficientChart, ContributionChart, FanChart, Line, MissingMap};
use forecast::{Explanation, Forecast, Model, Panel, Series, TimeIndex};

use super::failure::Failure;
use super::lags::decimals;

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

/// The coefficients of one series and channel of a model for a step ahead, with the band of chance at a level in
/// percent.
pub(crate) fn coefficients(
    model: &Model,
    (series, channel): (usize, usize),
    step: usize,
    level: f64,
) -> Result<Vec<u8>, Failure> {
    let header = model.header();
    let coefficients = model.coefficients_at(series, channel, step)?;
    let intervals = model.coefficient_intervals(series, channel, level)?;
    let of = match coefficients.n_steps {
        Some(1) => String::new(),
        _ => format!(", step {}", coefficients.step),
    };
    let by_lag = |of: &dyn Fn(&Coefficient) -> Option<f64>| {
        let mut values = vec![f64::NAN; coefficients.lookback];
        for c in &coefficients.lags {
            values[c.lag - 1] = of(c).unwrap_or(f64::NAN);
        }
        values
    };
    let with_frequencies = coefficients.lags.iter().any(|c| c.frequency.is_some());
    let chart = CoefficientChart {
        title: format!(
            "{}: coefficients of {}({}){of}",
            name_of(model, &coefficients.series, channel),
            header.config.name(),
            coefficients.lookback
        ),
        frequency: header.frequency(),
        coefficients: by_lag(&|c| Some(c.weight)),
        band: intervals.map(|all| (level, all.iter().map(|(lo, hi)| (hi - lo) / 2.0).collect())),
        frequencies: with_frequencies.then(|| by_lag(&|c| c.frequency)),
    };
    Ok(chart.render()?)
}

/// What each past value adds to a forecast.
pub(crate) fn contributions(
    model: &Model,
    explanation: &Explanation,
    label: &str,
) -> Result<Vec<u8>, Failure> {
    let window = &explanation.window;
    let mut contributions = vec![f64::NAN; window.len];
    let mut filled = vec![false; window.len];
    for c in &explanation.contributions {
        contributions[window.len - c.lag] = c.contribution;
        filled[window.len - c.lag] = c.origin == ValueOrigin::Filled;
    }
    let number = |value: f64| format!("{value:.*}", decimals([explanation.forecast]));
    let unit = &model.header().unit;
    let chart = ContributionChart {
        title: format!(
            "{label}, {}: {} by {} = base {} and these contributions",
            window.format(explanation.stamp),
            number(explanation.forecast),
            model.header().config.name(),
            number(explanation.base),
        ),
        value_label: value_label("contribution", unit),
        window: window.clone(),
        contributions,
        filled,
        step: explanation.step,
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
