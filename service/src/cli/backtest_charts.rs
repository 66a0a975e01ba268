//! Charts of a back-test, from the table that `backtest -o` writes.

use forecast::TimeIndex;
use forecast::data::{Cells, Zone, infer_index};
use forecast::plot::{BacktestChart, BacktestModel, Band, HorizonErrorChart, Line};

use super::failure::Failure;

/// The model that stands beside every other.
const BASELINE: &str = "seasonal-naive";
/// Cutoffs in a back-test chart, and steps of them together, about; more would be a solid area.
const MOST_CUTOFFS: usize = 6;
const MOST_STEPS: usize = 504;

/// Steps of a grid for each row of a path, at most: what is closed for longer is left out.
const MOST_SPREAD: usize = 1_000;

/// A back-test table, as `backtest -o` writes it, taken apart.
struct Rows<'a> {
    ids: &'a [String],
    stamps: Vec<i64>,
    cutoffs: Vec<i64>,
    y: &'a [f64],
    models: Vec<(&'a str, &'a [f64])>,
    /// The grid of the first series.
    grid: TimeIndex,
}

impl<'a> Rows<'a> {
    fn new(table: &'a [(String, Cells)]) -> Result<Self, Failure> {
        let find = |name: &str| {
            table.iter().find(|(column, _)| column == name).map(|(_, cells)| cells).ok_or_else(|| {
                Failure::User(format!(
                    "the table has no column \"{name}\"; give a file that `longcast backtest -o` wrote"
                ))
            })
        };
        let (Cells::Text(ids), Cells::Numbers(y)) = (find("unique_id")?, find("y")?) else {
            return Err(Failure::User("the columns unique_id and y must hold text and numbers".to_string()));
        };
        let (cutoffs, _) = stamps(find("cutoff")?)?;
        let (stamps, zone) = stamps(find("ds")?)?;
        let is_model = |name: &str| {
            !matches!(name, "unique_id" | "ds" | "cutoff" | "y")
                && !name.contains("-lo-")
                && !name.contains("-hi-")
        };
        let models = table
            .iter()
            .filter_map(|(name, cells)| match cells {
                Cells::Numbers(values) if is_model(name) => Some((name.as_str(), &values[..])),
                _ => None,
            })
            .collect();
        let is_index = matches!(find("ds")?, Cells::Integers(_) | Cells::Numbers(_));
        let of_first = stamps.iter().zip(ids).filter(|(_, id)| **id == ids[0]);
        let of_first: Vec<i64> = of_first.map(|(stamp, _)| *stamp).collect();
        let grid = infer_index(&of_first, is_index, &zone)?;
        Ok(Rows { ids, stamps, cutoffs, y, models, grid })
    }

    /// Ranges of rows that share series and cutoff, in order.
    fn paths(&self) -> Vec<std::ops::Range<usize>> {
        let mut paths: Vec<std::ops::Range<usize>> = Vec::new();
        for row in 0..self.ids.len() {
            match paths.last_mut() {
                Some(path)
                    if self.ids[path.start] == self.ids[row]
                        && self.cutoffs[path.start] == self.cutoffs[row] =>
                {
                    path.end = row + 1;
                }
                _ => paths.push(row..row + 1),
            }
        }
        paths
    }

    /// The grid from a stamp on, with no step yet.
    fn grid_from(&self, start: i64) -> TimeIndex {
        let plain = TimeIndex { start, len: 0, origin: None, calendar: None, ..self.grid.clone() };
        let open =
            self.grid.frequency().opening.and_then(|opening| plain.clone().with_opening(&opening).ok());
        open.unwrap_or(plain)
    }

    /// The grid of a path, and where its rows lie on it: steps that are closed have none.
    fn place(&self, path: &std::ops::Range<usize>) -> (TimeIndex, Vec<usize>) {
        let grid = self.grid_from(self.stamps[path.start]);
        let positions: Option<Vec<usize>> = path.clone().map(|row| grid.position(self.stamps[row])).collect();
        let fits = |positions: &Vec<usize>| positions.iter().all(|at| *at < MOST_SPREAD * path.len());
        let positions = positions.filter(fits).unwrap_or_else(|| (0..path.len()).collect());
        let len = positions.iter().max().map_or(0, |last| last + 1);
        (TimeIndex { len, ..grid }, positions)
    }

    /// Values of a path on its grid, NaN where it has no row.
    fn spread(&self, values: &[f64], path: &std::ops::Range<usize>) -> (TimeIndex, Vec<f64>) {
        let (index, positions) = self.place(path);
        let mut spread = vec![f64::NAN; index.len];
        positions.into_iter().zip(&values[path.clone()]).for_each(|(at, value)| spread[at] = *value);
        (index, spread)
    }

    fn line(&self, values: &[f64], path: &std::ops::Range<usize>) -> Line<'static> {
        let (index, values) = self.spread(values, path);
        Line::new(index, values)
    }
}

fn stamps(cells: &Cells) -> Result<(Vec<i64>, Zone), Failure> {
    match cells {
        Cells::Stamps(stamps, zone) => Ok((stamps.clone(), zone.clone())),
        Cells::Integers(stamps) => Ok((stamps.clone(), Zone::Local)),
        Cells::Numbers(numbers) => Ok((numbers.iter().map(|v| *v as i64).collect(), Zone::Local)),
        Cells::Text(text) => Ok(forecast::data::parse_stamps(text)?),
    }
}

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
    let alone = rows.models.iter().filter(|(name, _)| *name != BASELINE).count() == 1;
    let models = rows.models.iter().map(|(name, values)| BacktestModel {
        name: (*name).to_string(),
        forecasts: paths.iter().map(|path| rows.line(values, path)).collect(),
        bands: if alone && *name != BASELINE { bands(&rows, table, name, &paths) } else { Vec::new() },
    });
    let chart = BacktestChart {
        title: format!("{wanted}: forecasts from the last {} cutoffs", paths.len()),
        value_label: wanted.to_string(),
        actual: Line::new(TimeIndex { len: actual.len(), ..index }, actual),
        models: models.collect(),
    };
    Ok(chart.render()?)
}

/// The intervals of a model on each path, from the columns beside it; empty if the table has none.
fn bands(
    rows: &Rows<'_>,
    table: &[(String, Cells)],
    model: &str,
    paths: &[std::ops::Range<usize>],
) -> Vec<Vec<Band>> {
    let column = |name: &str| match table.iter().find(|(column, _)| column == name) {
        Some((_, Cells::Numbers(values))) => Some(values),
        _ => None,
    };
    let lower = format!("{model}-lo-");
    let levels = table.iter().filter_map(|(name, _)| name.strip_prefix(&lower));
    let bounds: Vec<(f64, &Vec<f64>, &Vec<f64>)> = levels
        .filter_map(|level| {
            let upper = column(&format!("{model}-hi-{level}"))?;
            Some((level.parse().ok()?, column(&format!("{lower}{level}"))?, upper))
        })
        .collect();
    if bounds.is_empty() {
        return Vec::new();
    }
    let on = |path: &std::ops::Range<usize>| {
        let band = |(level, lower, upper): &(f64, &Vec<f64>, &Vec<f64>)| Band {
            level: *level,
            lower: rows.spread(lower, path).1,
            upper: rows.spread(upper, path).1,
        };
        bounds.iter().map(band).collect()
    };
    paths.iter().map(on).collect()
}

/// Mean absolute error by step ahead, over all series and cutoffs.
pub(crate) fn error_by_step(table: &[(String, Cells)]) -> Result<Vec<u8>, Failure> {
    let rows = Rows::new(table)?;
    let paths = rows.paths();
    let horizon = paths.iter().map(std::ops::Range::len).max().unwrap_or(0);
    let error_at = |values: &[f64], step: usize| {
        let at = paths.iter().filter(|path| path.len() > step).map(|path| path.start + step);
        let (y, f): (Vec<f64>, Vec<f64>) = at.map(|row| (rows.y[row], values[row])).unzip();
        forecast::eval::metrics::mae(&y, &f)
    };
    let models = rows
        .models
        .iter()
        .map(|(name, values)| {
            ((*name).to_string(), (0..horizon).map(|step| error_at(values, step)).collect())
        })
        .collect();
    let chart = HorizonErrorChart {
        title: format!("Error by step ahead, {} forecasts", paths.len()),
        error_label: "mean absolute error".to_string(),
        step: rows.grid.step,
        models,
    };
    Ok(chart.render()?)
}
