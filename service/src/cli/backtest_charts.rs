//! Charts of a back-test over all of its windows, from the table that `backtest -o` writes.

use forecast::TimeIndex;
use forecast::data::Cells;
use forecast::eval::metrics;
use forecast::plot::{BacktestChart, BacktestModel, CalibrationChart, HorizonErrorChart, Line};

use super::backtest_rows::{BASELINE, Rows};
use super::failure::Failure;

/// Cutoffs in a back-test chart, and steps of them together, about; more would be a solid area.
const MOST_CUTOFFS: usize = 6;
const MOST_STEPS: usize = 504;

/// Forecasts against actuals over the last cutoffs of one series.
pub(crate) fn against_actuals(table: &[(String, Cells)], series: Option<&str>) -> Result<Vec<u8>, Failure> {
    let rows = Rows::new(table)?;
    let wanted = series.unwrap_or(&rows.ids[0]);
    let mut paths = rows.paths();
    paths.retain(|path| rows.ids[path.start] == wanted);
    if paths.is_empty() {
        return Err(Failure::option("--series", wanted, "the table has no such series"));
    }
    let shown = (MOST_STEPS / paths[0].len().max(1)).clamp(1, MOST_CUTOFFS);
    paths.drain(..paths.len().saturating_sub(shown));
    // Actuals of overlapping windows are the same numbers; the first window has no gap before it.
    let start = rows.stamps[paths[0].start];
    let index = rows.grid_from(start);
    let mut actual: Vec<f64> = Vec::new();
    for row in paths.iter().cloned().flatten() {
        if let Some(position) = index.position(rows.stamps[row]) {
            if actual.len() <= position {
                actual.resize(position + 1, f64::NAN);
            }
            actual[position] = rows.y[row];
        }
    }
    // Bands of several models would hide each other, so only one that stands alone beside its baseline has them.
    let alone = rows.models.iter().filter(|model| model.name != BASELINE).count() == 1;
    let models = rows.models.iter().map(|model| {
        let with_bands = alone && model.name != BASELINE && !model.bounds.is_empty();
        BacktestModel {
            name: model.name.to_string(),
            forecasts: paths.iter().map(|path| rows.line(model.mean, path)).collect(),
            bands: if with_bands {
                paths.iter().map(|path| rows.bands(model, path)).collect()
            } else {
                Vec::new()
            },
        }
    });
    let chart = BacktestChart {
        title: format!("{wanted}: forecasts from the last {} cutoffs", paths.len()),
        value_label: wanted.to_string(),
        actual: Line::new(TimeIndex { len: actual.len(), ..index }, actual),
        models: models.collect(),
    };
    Ok(chart.render()?)
}

/// Mean absolute error by step ahead of the cutoff, over all series and cutoffs; the steps of a gap have none.
pub(crate) fn error_by_step(table: &[(String, Cells)]) -> Result<Vec<u8>, Failure> {
    let rows = Rows::new(table)?;
    let paths = rows.paths();
    let horizon = paths.iter().map(std::ops::Range::len).max().unwrap_or(0);
    let gap = rows.gap(&paths[0]);
    let error_at = |values: &[f64], step: usize| {
        let at = paths.iter().filter(|path| path.len() > step).map(|path| path.start + step);
        let (y, f): (Vec<f64>, Vec<f64>) = at.map(|row| (rows.y[row], values[row])).unzip();
        metrics::mae(&y, &f)
    };
    let models = rows.models.iter().map(|model| {
        let errors = (0..horizon).map(|step| error_at(model.mean, step));
        (model.name.to_string(), std::iter::repeat_n(f64::NAN, gap).chain(errors).collect())
    });
    let chart = HorizonErrorChart {
        title: format!("Error by step ahead, {} forecasts", paths.len()),
        error_label: "mean absolute error".to_string(),
        step: rows.step(),
        models: models.collect(),
    };
    Ok(chart.render()?)
}

/// The share of values inside the intervals of each model, over all series, cutoffs and steps.
pub(crate) fn calibration(table: &[(String, Cells)]) -> Result<Vec<u8>, Failure> {
    let rows = Rows::new(table)?;
    let models = rows.models.iter().filter(|model| !model.bounds.is_empty()).map(|model| {
        let coverage = model
            .bounds
            .iter()
            .map(|(level, lower, upper)| (*level, 100.0 * metrics::coverage(rows.y, lower, upper)));
        (model.name.to_string(), coverage.collect())
    });
    let models: Vec<(String, Vec<(f64, f64)>)> = models.collect();
    if models.is_empty() {
        return Err(Failure::User(
            "the table has no intervals; back-test with levels, for example --level 50,80,95".to_string(),
        ));
    }
    let chart = CalibrationChart {
        title: format!("Calibration of intervals, {} forecasts", rows.paths().len()),
        models,
    };
    Ok(chart.render()?)
}
