//! Rows of one series onto a regular grid; absent stamps become missing steps.

use std::collections::HashMap;

use ndarray::Array2;

use super::business_days::are_business_days;
use super::calendar::Calendar;
use super::opening::Opening;
use super::panel::RowCounts;
use super::read::ReadOptions;
use super::series::Series;
use super::stamp::Stamps;
use super::step::Step;
use super::time::{TimeIndex, Zone};
use crate::{Error, Result};

/// A grid may have this many steps a row, and [`FREE_STEPS`] more: beyond that a stamp must be wrong.
const STEPS_PER_ROW: usize = 100;
const FREE_STEPS: usize = 100_000;

/// The rows of one series.
#[derive(Debug)]
pub(crate) struct Rows {
    id: String,
    rows: Vec<usize>,
    out_of_order: usize,
}

impl Rows {
    pub(crate) fn new(id: String, rows: Vec<usize>) -> Self {
        Rows { id, rows, out_of_order: 0 }
    }

    /// Sorts by stamp, equal stamps in file order, and counts rows that came too late.
    pub(crate) fn sort(&mut self, stamps: &[i64]) {
        let mut newest = i64::MIN;
        for row in &self.rows {
            self.out_of_order += usize::from(stamps[*row] < newest);
            newest = newest.max(stamps[*row]);
        }
        if self.out_of_order > 0 {
            self.rows.sort_by_key(|row| (stamps[*row], *row));
        }
    }

    /// Refuses several rows for one stamp.
    pub(crate) fn check_distinct(&self, stamps: &Stamps) -> Result<()> {
        let same = |a: &usize, b: &usize| stamps.values[*a] == stamps.values[*b];
        match self.rows.chunk_by(same).find(|rows| rows.len() > 1) {
            Some(rows) => Err(Error::DuplicateStamp {
                series: self.id.clone(),
                stamp: stamps.tell(stamps.values[rows[0]]),
                count: rows.len(),
            }),
            None => Ok(()),
        }
    }

    fn stamps<'a>(&'a self, stamps: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
        self.rows.iter().map(|row| stamps[*row])
    }
}

/// The most frequent distance between neighbouring stamps, as a fixed or calendar step.
pub(crate) fn infer_step(rows: &[Rows], stamps: &Stamps) -> Result<Step> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for series in rows {
        for (a, b) in series.stamps(&stamps.values).zip(series.stamps(&stamps.values).skip(1)) {
            // Stamps too far apart for their distance to be a number are found off the grid later.
            if let Some(distance) = b.checked_sub(a).filter(|distance| *distance > 0) {
                *counts.entry(distance).or_default() += 1;
            }
        }
    }
    // The shorter of two equally frequent distances, so that the answer does not depend on a hash.
    let Some((distance, _)) = counts.iter().max_by_key(|(distance, n)| (**n, -**distance)) else {
        let longest = rows.iter().max_by_key(|rows| rows.rows.len());
        return Err(Error::UnknownStep {
            series: longest.map_or_else(String::new, |rows| rows.id.clone()),
            steps: longest.map_or(0, |rows| rows.rows.len()),
        });
    };
    if stamps.is_index {
        return Ok(Step::Index(*distance));
    }
    let fits = |step: &Step| {
        rows.iter().all(|rows| {
            let mut all = rows.stamps(&stamps.values);
            let Some(start) = all.next() else { return true };
            let index = grid(rows, stamps, start, *step);
            all.all(|stamp| index.position(stamp).is_some())
        })
    };
    Ok(candidates(*distance, stamps).into_iter().find(fits).unwrap_or(Step::Nanos(*distance)))
}

/// Business days, if the step is a day and the stamps leave out every weekend.
pub(crate) fn infer_opening(rows: &[Rows], stamps: &Stamps, step: Step) -> Option<Opening> {
    let is_day = matches!(step, Step::Days(1) | Step::Nanos(86_400_000_000_000));
    let all = rows.iter().map(|rows| rows.stamps(&stamps.values));
    (is_day && are_business_days(all, &stamps.zone)).then(Opening::business_days)
}

/// The grid of a step that begins at `start`; of month ends, if only those hold all stamps.
fn grid(rows: &Rows, stamps: &Stamps, start: i64, step: Step) -> TimeIndex {
    let plain = TimeIndex::new(start, step, stamps.zone.clone(), 0);
    let holds_all = |index: &TimeIndex| rows.stamps(&stamps.values).all(|s| index.position(s).is_some());
    match plain.on_month_ends() {
        Some(ends) if !holds_all(&plain) && holds_all(&ends) => ends,
        _ => plain,
    }
}

/// The index of a set of stamps in any order, repeated or not, with the step told from them.
///
/// # Errors
/// [`Error::UnknownStep`] if fewer than two stamps differ.
pub fn infer_index(stamps: &[i64], is_index: bool, zone: &Zone) -> Result<TimeIndex> {
    let stamps = Stamps { values: stamps.to_vec(), zone: zone.clone(), is_index, note: None };
    let mut rows = Rows::new("time stamps".to_string(), (0..stamps.values.len()).collect());
    rows.sort(&stamps.values);
    let step = infer_step(std::slice::from_ref(&rows), &stamps)?;
    let start = rows.stamps(&stamps.values).next().unwrap_or(0);
    let end = rows.stamps(&stamps.values).last().unwrap_or(0);
    let mut index = grid(&rows, &stamps, start, step);
    if let Some(opening) = infer_opening(std::slice::from_ref(&rows), &stamps, step) {
        index = index.with_opening(&opening)?;
    }
    Ok(TimeIndex { len: index.position(end).unwrap_or(0) + 1, ..index })
}

/// Steps that may have produced a distance in nanoseconds, the likeliest first.
fn candidates(distance: i64, stamps: &Stamps) -> Vec<Step> {
    const DAY: i64 = 86_400_000_000_000;
    const HOUR: i64 = DAY / 24;
    let mut steps = Vec::new();
    let days = (distance + HOUR) / DAY;
    let near_days = days >= 1 && (distance - days * DAY).abs() <= HOUR;
    if near_days && stamps.zone.has_uneven_days() {
        steps.extend(i32::try_from(days).map(Step::Days));
    }
    steps.push(Step::Nanos(distance));
    for months in [1, 3, 6, 12] {
        // A month has 28 to 31 days.
        if (28 * i64::from(months)..=31 * i64::from(months)).contains(&days) {
            steps.push(Step::Months(months));
        }
    }
    steps
}

/// A series on its grid.
#[derive(Debug)]
pub(crate) struct Regular {
    pub(crate) series: Series,
    pub(crate) counts: RowCounts,
    /// Steps between the two closest rows with different stamps; 0 if there are no two.
    pub(crate) closest: usize,
}

/// Puts the rows of a series on the grid of `step`, or on the slots of a calendar of that step.
pub(crate) fn regularise(
    rows: &Rows,
    stamps: &Stamps,
    values: &[Vec<f64>],
    (step, calendar): (Step, Option<&Calendar>),
    channels: &[String],
    options: &ReadOptions,
) -> Result<Regular> {
    let start = rows.rows.first().map_or(0, |row| stamps.values[*row]);
    let mut index = grid(rows, stamps, start, step);
    if let Some(calendar) = calendar {
        index = index.beginning_on(calendar);
    }
    let frequency = index.frequency();
    let first = index.start;
    let tell = |stamp: i64| stamps.tell(stamp);
    let irregular = |stamp: i64| match calendar {
        Some(calendar) if !calendar.is_open(stamp) => Error::OutsideOpening {
            series: rows.id.clone(),
            stamp: tell(stamp),
            opening: calendar.opening().short(),
        },
        _ => Error::Irregular {
            series: rows.id.clone(),
            stamp: tell(stamp),
            step: frequency.to_string(),
            start: tell(first),
        },
    };
    if stamps.is_index != matches!(step, Step::Index(_)) {
        let kind = if stamps.is_index { "integers" } else { "time stamps" };
        return Err(Error::option("freq", step, format!("the time column holds {kind}")));
    }
    let end = rows.rows.last().map_or(start, |row| stamps.values[*row]);
    index.len = match index.position(end) {
        Some(position) => position + 1,
        // The last stamp is off the grid; the first that is off it tells more.
        None => {
            let off = rows.stamps(&stamps.values).find(|stamp| index.position(*stamp).is_none());
            return Err(irregular(off.unwrap_or(end)));
        }
    };
    if index.len > rows.rows.len() * STEPS_PER_ROW + FREE_STEPS {
        return Err(Error::TooSparse {
            series: rows.id.clone(),
            steps: index.len,
            step: frequency.to_string(),
            start: tell(start),
            end: tell(end),
            rows: rows.rows.len(),
        });
    }

    let mut grid = Array2::from_elem((index.len, channels.len()), f64::NAN); // (step, channel)
    let mut counts =
        RowCounts { rows: rows.rows.len(), out_of_order: rows.out_of_order, ..RowCounts::default() };
    let (mut n_filled, mut last, mut closest) = (0, 0, 0);
    let mut at = 0;
    while at < rows.rows.len() {
        let stamp = stamps.values[rows.rows[at]];
        let same = rows.rows[at..].iter().take_while(|row| stamps.values[**row] == stamp).count();
        let position = index.position(stamp).ok_or_else(|| irregular(stamp))?;
        if n_filled > 0 {
            let distance = position - last;
            closest = if closest == 0 { distance } else { closest.min(distance) };
        }
        last = position;
        for (channel, column) in values.iter().enumerate() {
            let group = &rows.rows[at..at + same];
            grid[[position, channel]] = match group {
                [only] => column[*only],
                group => options.duplicates.merge(group.iter().map(|row| column[*row])),
            };
        }
        counts.duplicates += same - 1;
        n_filled += 1;
        at += same;
    }
    counts.absent = index.len - n_filled;
    Ok(Regular { series: Series::new(rows.id.clone(), index, grid, channels)?, counts, closest })
}
