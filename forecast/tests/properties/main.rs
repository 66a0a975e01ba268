//! What holds for all inputs, tried on random ones from a seeded generator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

mod backtests;
mod batches;
mod covariates;
mod coverage;
mod index;
mod leakage;
mod open_panels;
mod opening;
mod order;
mod random;
mod round_trips;
mod scaling;
mod sources;
mod steps;

use forecast::data::{Cells, Series, TimeIndex, Zone};
use forecast::{FitOptions, Forecast, Model, ModelConfig, Panel, Step};
use ndarray::Array2;

/// A grid that starts at a civil time such as `2024-01-31T00:00:00` in a zone, local if that is empty.
fn grid(step: Step, zone: &str, start: &str, len: usize) -> TimeIndex {
    let start: jiff::Timestamp = match zone {
        "" => format!("{start}Z").parse().unwrap(),
        _ if zone.starts_with(['+', '-']) => format!("{start}{zone}").parse().unwrap(),
        _ => {
            let zone = jiff::tz::TimeZone::get(zone).unwrap();
            zone.to_timestamp(start.parse().unwrap()).unwrap()
        }
    };
    let start = i64::try_from(start.as_nanosecond()).unwrap();
    TimeIndex::new(start, step, Zone::try_from(zone.to_string()).unwrap(), len)
}

/// A panel of series with one channel, `y`.
fn panel(series: &[(String, TimeIndex, Vec<f64>)]) -> Panel {
    let channels = ["y".to_string()];
    let series = series.iter().map(|(id, index, values)| {
        let values = Array2::from_shape_vec((index.len, 1), values.clone()).unwrap();
        Series::new(id.as_str(), index.clone(), values, &channels).unwrap()
    });
    Panel::new(channels.to_vec(), series.collect()).unwrap()
}

/// Stamps as the cells of a column.
fn stamp_cells(index: &TimeIndex, stamps: Vec<i64>) -> Cells {
    match index.step {
        Step::Index(_) => Cells::Integers(stamps),
        _ => Cells::Stamps(stamps, index.zone.clone()),
    }
}

/// A panel in long form: the columns `unique_id, ds, y` with one row for each series and step.
fn long_table(panel: &Panel) -> Vec<(String, Cells)> {
    let rows = || panel.series().iter().flat_map(|series| (0..series.n_steps()).map(move |i| (series, i)));
    let ids = rows().map(|(series, _)| series.id().to_string()).collect();
    let stamps = rows().map(|(series, i)| series.index().stamp(i)).collect();
    let values = rows().map(|(series, i)| series.values()[[i, 0]]).collect();
    vec![
        ("unique_id".to_string(), Cells::Text(ids)),
        ("ds".to_string(), stamp_cells(panel.series()[0].index(), stamps)),
        ("y".to_string(), Cells::Numbers(values)),
    ]
}

/// The rows of a table at these positions, in this order.
fn rows_at(table: &[(String, Cells)], rows: &[usize]) -> Vec<(String, Cells)> {
    fn pick<T: Clone>(cells: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|row| cells[*row].clone()).collect()
    }
    let columns = table.iter().map(|(name, cells)| {
        let cells = match cells {
            Cells::Text(cells) => Cells::Text(pick(cells, rows)),
            Cells::Numbers(cells) => Cells::Numbers(pick(cells, rows)),
            Cells::Integers(cells) => Cells::Integers(pick(cells, rows)),
            Cells::Stamps(cells, zone) => Cells::Stamps(pick(cells, rows), zone.clone()),
        };
        (name.clone(), cells)
    });
    columns.collect()
}

/// Bits of values in their order; every NaN is the same missing value.
fn bits<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<u64> {
    values.into_iter().map(|v| if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// Bits of the mean and of all bounds.
fn forecast_bits(forecast: &Forecast) -> Vec<u64> {
    let bounds = forecast.intervals.iter().flat_map(|interval| interval.lower.iter().chain(&interval.upper));
    bits(forecast.mean.iter().chain(bounds))
}

fn ar(order: usize) -> ModelConfig {
    ModelConfig::parse("ar").unwrap().with("order", &order.to_string()).unwrap()
}

fn fit(config: &ModelConfig, panel: &Panel, horizon: usize) -> Model {
    let options = FitOptions { horizon: Some(horizon), ..FitOptions::default() };
    Model::fit(config, panel, &options).unwrap().model
}
