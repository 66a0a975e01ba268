//! Forecasts as the conventional long table.

use super::Forecast;
use crate::data::{Cells, Step, label};

/// The columns `unique_id, ds, <model>, <model>-lo-80, <model>-hi-80, <model>-q-0.1, ...`, one row for each
/// series, channel and step. The forecasts come from one call, so they share their levels and quantiles.
///
/// # Example
/// ```
/// assert!(forecast::table(&[], "ar").is_empty());
/// ```
#[must_use]
pub fn table(forecasts: &[Forecast], model: &str) -> Vec<(String, Cells)> {
    table_of(forecasts, model, forecasts.len())
}

/// [`table`] of forecasts that are some of `n_series`: whether ids need the channel depends on all of them.
pub(crate) fn table_of(forecasts: &[Forecast], model: &str, n_series: usize) -> Vec<(String, Cells)> {
    let Some(first) = forecasts.first() else {
        return Vec::new();
    };
    let paths: Vec<(&Forecast, usize)> = forecasts
        .iter()
        .flat_map(|forecast| (0..forecast.channels.len()).map(move |channel| (forecast, channel)))
        .collect();
    let ids = paths
        .iter()
        .flat_map(|(forecast, channel)| {
            let id = label(&forecast.series, &forecast.channels, n_series, *channel);
            std::iter::repeat_n(id, forecast.index.len)
        })
        .collect();
    let n_rows = paths.iter().map(|(forecast, _)| forecast.index.len).sum();
    let mut stamps = Vec::with_capacity(n_rows);
    paths.iter().for_each(|(forecast, _)| stamps.extend(forecast.index.stamps()));
    let stamps = match first.index.step {
        Step::Index(_) => Cells::Integers(stamps),
        _ => Cells::Stamps(stamps, first.index.zone.clone()),
    };
    let numbers = |of: &dyn Fn(&Forecast) -> &ndarray::Array2<f64>| {
        let mut numbers = Vec::with_capacity(n_rows);
        for (forecast, channel) in &paths {
            let path = of(forecast).column(*channel);
            match path.to_slice() {
                Some(path) => numbers.extend_from_slice(path),
                None => numbers.extend(path),
            }
        }
        Cells::Numbers(numbers)
    };
    let mut table = vec![
        ("unique_id".to_string(), Cells::Text(ids)),
        ("ds".to_string(), stamps),
        (model.to_string(), numbers(&|forecast| &forecast.mean)),
    ];
    for (i, interval) in first.intervals.iter().enumerate() {
        let level = interval.level;
        table.push((format!("{model}-lo-{level}"), numbers(&|f| &f.intervals[i].lower)));
        table.push((format!("{model}-hi-{level}"), numbers(&|f| &f.intervals[i].upper)));
    }
    for (i, quantile) in first.quantiles.iter().enumerate() {
        table.push((format!("{model}-q-{}", quantile.level), numbers(&|f| &f.quantiles[i].values)));
    }
    table
}
