//! The table that `backtest -o` writes, taken apart for charts.

use std::borrow::Cow;
use std::ops::Range;

use forecast::data::{Cells, Zone, infer_index};
use forecast::plot::{Band, Line};
use forecast::{Step, TimeIndex};

use super::failure::Failure;

/// The model that stands beside every other.
pub(super) const BASELINE: &str = "seasonal-naive";

/// Steps of a grid for each row of a path, at most: what is closed for longer is left out.
const MOST_SPREAD: usize = 1_000;

/// The columns of a back-test.
pub(super) struct Rows<'a> {
    pub(super) ids: Cow<'a, [String]>,
    pub(super) stamps: Vec<i64>,
    cutoffs: Vec<i64>,
    pub(super) y: &'a [f64],
    pub(super) models: Vec<Columns<'a>>,
    /// The grid of the first series.
    grid: TimeIndex,
}

/// The columns of one model.
pub(super) struct Columns<'a> {
    pub(super) name: &'a str,
    pub(super) mean: &'a [f64],
    /// Level in percent, lower and upper bounds.
    pub(super) bounds: Vec<(f64, &'a [f64], &'a [f64])>,
}

impl<'a> Rows<'a> {
    /// Takes a table apart.
    pub(super) fn new(table: &'a [(String, Cells)]) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::User(format!("the table has {what}; give a file that `longcast backtest -o` wrote"))
        };
        let cells = |name: &str| table.iter().find(|(column, _)| column == name).map(|(_, cells)| cells);
        let find = |name: &str| cells(name).ok_or_else(|| wrong(&format!("no column \"{name}\"")));
        // Ids may look like numbers.
        let ids = match find("unique_id")? {
            Cells::Text(ids) => Cow::Borrowed(&ids[..]),
            Cells::Integers(ids) => Cow::Owned(ids.iter().map(i64::to_string).collect()),
            Cells::Numbers(ids) => Cow::Owned(ids.iter().map(f64::to_string).collect()),
            _ => return Err(wrong("a column \"unique_id\" that is not text")),
        };
        let Cells::Numbers(y) = find("y")? else {
            return Err(wrong("a column \"y\" that is not numbers"));
        };
        let (cutoffs, _) = stamps(find("cutoff")?)?;
        let (stamps, zone) = stamps(find("ds")?)?;
        let Some(first) = ids.first() else { return Err(wrong("no rows")) };
        let is_index = matches!(find("ds")?, Cells::Integers(_) | Cells::Numbers(_));
        let of_first = stamps.iter().zip(&cutoffs).zip(ids.iter()).filter(|(_, id)| *id == first);
        // A cutoff is one step before the forecast, which is all that a single step tells.
        let of_first: Vec<i64> = of_first.flat_map(|((stamp, cutoff), _)| [*stamp, *cutoff]).collect();
        let grid = infer_index(&of_first, is_index, &zone)?;
        Ok(Rows { ids, stamps, cutoffs, y, models: models(table), grid })
    }

    /// Ranges of rows that share series and cutoff, in order.
    pub(super) fn paths(&self) -> Vec<Range<usize>> {
        let mut paths: Vec<Range<usize>> = Vec::new();
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

    /// The values of a path at its stamps.
    pub(super) fn line(&self, values: &[f64], path: &Range<usize>) -> Line<'static> {
        let (index, values) = self.spread(values, path);
        Line::new(index, values)
    }

    /// The distance between stamps.
    pub(super) fn step(&self) -> Step {
        self.grid.step
    }

    /// The grid from a stamp on, with no step yet.
    pub(super) fn grid_from(&self, start: i64) -> TimeIndex {
        let plain = TimeIndex { start, len: 0, origin: None, calendar: None, ..self.grid.clone() };
        let open =
            self.grid.frequency().opening.and_then(|opening| plain.clone().with_opening(&opening).ok());
        open.unwrap_or(plain)
    }

    /// The grid of a path, and where its rows lie on it: steps that are closed have none.
    fn place(&self, path: &Range<usize>) -> (TimeIndex, Vec<usize>) {
        let grid = self.grid_from(self.stamps[path.start]);
        let positions: Option<Vec<usize>> = path.clone().map(|row| grid.position(self.stamps[row])).collect();
        let fits = |positions: &Vec<usize>| positions.iter().all(|at| *at < MOST_SPREAD * path.len());
        let positions = positions.filter(fits).unwrap_or_else(|| (0..path.len()).collect());
        let len = positions.iter().max().map_or(0, |last| last + 1);
        (TimeIndex { len, ..grid }, positions)
    }

    /// Values of a path on its grid, NaN where it has no row.
    fn spread(&self, values: &[f64], path: &Range<usize>) -> (TimeIndex, Vec<f64>) {
        let (index, positions) = self.place(path);
        let mut spread = vec![f64::NAN; index.len];
        positions.into_iter().zip(&values[path.clone()]).for_each(|(at, value)| spread[at] = *value);
        (index, spread)
    }

    /// The intervals of a model on a path.
    pub(super) fn bands(&self, model: &Columns<'_>, path: &Range<usize>) -> Vec<Band> {
        let band = |(level, lower, upper): &(f64, &[f64], &[f64])| Band {
            level: *level,
            lower: self.spread(lower, path).1,
            upper: self.spread(upper, path).1,
        };
        model.bounds.iter().map(band).collect()
    }

    /// The last stamp that the models saw before a path, as people write it.
    pub(super) fn cutoff(&self, path: &Range<usize>) -> String {
        let stamp = self.cutoffs[path.start];
        self.grid.format(stamp)
    }

    /// Steps between the cutoff of a path and its first row.
    pub(super) fn gap(&self, path: &Range<usize>) -> usize {
        let index = self.grid_from(self.cutoffs[path.start]);
        index.position(self.stamps[path.start]).map_or(0, |first| first.saturating_sub(1))
    }
}

/// Every column of numbers that is none of the others, with the bounds beside it.
fn models(table: &[(String, Cells)]) -> Vec<Columns<'_>> {
    let column = |wanted: &str| match table.iter().find(|(name, _)| name == wanted) {
        Some((_, Cells::Numbers(values))) => Some(&values[..]),
        _ => None,
    };
    let bounds = |model: &str| {
        let lower = format!("{model}-lo-");
        let levels = table.iter().filter_map(|(name, _)| name.strip_prefix(&lower));
        let bounds = levels.filter_map(|level| {
            let upper = column(&format!("{model}-hi-{level}"))?;
            Some((level.parse().ok()?, column(&format!("{lower}{level}"))?, upper))
        });
        bounds.collect()
    };
    let is_model = |name: &str| {
        !matches!(name, "unique_id" | "ds" | "cutoff" | "y")
            && !name.contains("-lo-")
            && !name.contains("-hi-")
    };
    let models = table.iter().filter_map(|(name, cells)| match cells {
        Cells::Numbers(mean) if is_model(name) => Some(Columns { name, mean, bounds: bounds(name) }),
        _ => None,
    });
    models.collect()
}

fn stamps(cells: &Cells) -> Result<(Vec<i64>, Zone), Failure> {
    match cells {
        Cells::Stamps(stamps, zone) => Ok((stamps.clone(), zone.clone())),
        Cells::Integers(stamps) => Ok((stamps.clone(), Zone::Local)),
        Cells::Numbers(numbers) => Ok((numbers.iter().map(|v| *v as i64).collect(), Zone::Local)),
        Cells::Text(text) => Ok(forecast::data::parse_stamps(text)?),
    }
}
