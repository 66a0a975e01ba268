//! The best, the median and the worst forecast of a back-test, from the table that `backtest -o` writes.
//!
//! Forecasts are compared by their mean absolute error as a multiple of seasonal naive's over all windows of the same
//! series, so that series of different size can be compared and the table is all that is needed. The model is the one
//! with the smallest mean of it that is not seasonal naive.

use std::collections::HashMap;
use std::ops::Range;

use forecast::TimeIndex;
use forecast::data::Cells;
use forecast::eval::metrics;
use forecast::plot::{FanChart, Line, SampleChart};

use super::backtest_rows::{BASELINE, Columns, Rows};
use super::failure::Failure;

/// History before a forecast: as many steps as it has, and no fewer than this.
const SHORTEST_HISTORY: usize = 24;

/// Draws the best, the median and the worst forecast of the best model.
pub(crate) fn sample(table: &[(String, Cells)]) -> Result<Vec<u8>, Failure> {
    let rows = Rows::new(table)?;
    let paths = rows.paths();
    let scales = scales(&rows);
    let ranked = rows.models.iter().map(|model| (model, ranked(&rows, &paths, model, &scales)));
    let mean = |errors: &[(f64, usize)]| errors.iter().map(|(e, _)| e).sum::<f64>() / errors.len() as f64;
    let best = ranked.filter(|(_, errors)| !errors.is_empty()).min_by(|(a, of_a), (b, of_b)| {
        // Seasonal naive is drawn only if it is alone.
        let key = |model: &Columns<'_>| model.name == BASELINE;
        key(a).cmp(&key(b)).then(mean(of_a).total_cmp(&mean(of_b)))
    });
    let Some((model, errors)) = best else {
        return Err(Failure::User(
            "the table has no forecast with an observed value to compare with".to_string(),
        ));
    };
    let (n, last) = (errors.len(), errors.len() - 1);
    let mut chosen = vec![("best", 0), ("median", n / 2), ("worst", last)];
    match n {
        1 => chosen = vec![("the only one", 0)],
        2 => chosen = vec![("best", 0), ("worst", last)],
        _ => {}
    }
    let words = chosen.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let forecasts = chosen.into_iter().map(|(word, rank)| {
        let (error, path) = errors[rank];
        panel(&rows, model, &paths[path], format!("{word}: {error:.2} of seasonal naive's error"))
    });
    let chart = SampleChart {
        title: format!("{}: {words} of {n} forecasts", model.name),
        forecasts: forecasts.collect(),
    };
    Ok(chart.render()?)
}

/// Mean absolute error of seasonal naive by series; where there is none, or it is zero, errors keep their units.
fn scales<'a>(rows: &'a Rows<'_>) -> HashMap<&'a str, f64> {
    let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
    let baseline = rows.models.iter().find(|model| model.name == BASELINE);
    for (row, id) in rows.ids.iter().enumerate() {
        let error = baseline.map_or(f64::NAN, |model| (rows.y[row] - model.mean[row]).abs());
        let (sum, n) = sums.entry(id).or_default();
        if !error.is_nan() {
            *sum += error;
            *n += 1.0;
        }
    }
    let scale = |(sum, n): (f64, f64)| if sum > 0.0 { sum / n } else { 1.0 };
    sums.into_iter().map(|(id, sums)| (id, scale(sums))).collect()
}

/// The errors of all paths that have one, with the position of the path, the smallest first.
fn ranked(
    rows: &Rows<'_>,
    paths: &[Range<usize>],
    model: &Columns<'_>,
    scales: &HashMap<&str, f64>,
) -> Vec<(f64, usize)> {
    let errors = paths.iter().enumerate().map(|(at, path)| {
        let error = metrics::mae(&rows.y[path.clone()], &model.mean[path.clone()]);
        (error / scales.get(rows.ids[path.start].as_str()).copied().unwrap_or(1.0), at)
    });
    let mut errors: Vec<(f64, usize)> = errors.filter(|(error, _)| error.is_finite()).collect();
    // Stable: of equal errors the earlier path comes first.
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    errors
}

/// One forecast with what was observed around it; before it, as far as earlier windows of its series tell.
fn panel(rows: &Rows<'_>, model: &Columns<'_>, path: &Range<usize>, title: String) -> FanChart<'static> {
    let id = &rows.ids[path.start];
    let start = rows.stamps[path.start];
    let before = |row: &usize| rows.ids[*row] == *id && rows.stamps[*row] < start;
    let earlier: Vec<usize> = (0..rows.ids.len()).filter(before).collect();
    let first = earlier.iter().map(|row| rows.stamps[*row]).min().unwrap_or(start);
    let index = rows.grid_from(first);
    let (index, len) = match index.position(start) {
        Some(len) => (index, len),
        None => (TimeIndex { start, ..index }, 0),
    };
    let shown = path.len().max(SHORTEST_HISTORY).min(len);
    let mut history = vec![f64::NAN; shown];
    for row in earlier {
        let position = index.position(rows.stamps[row]).and_then(|at| at.checked_sub(len - shown));
        if let Some(value) = position.and_then(|at| history.get_mut(at)) {
            *value = rows.y[row];
        }
    }
    // What came before and after is one line.
    history.extend(&rows.y[path.clone()]);
    let observed = index.slice(len - shown..len + path.len());
    FanChart {
        title,
        value_label: format!("after {}, {id}", rows.cutoff(path)),
        history: Line::new(observed.slice(0..0), Vec::new()),
        forecast: rows.line(model.mean, path),
        bands: rows.bands(model, path),
        actual: Some(Line::new(observed, history)),
    }
}
