//! The step of series, told from their stamps.

use std::collections::HashMap;

use crate::data::ingest::read::ReadOptions;
use crate::data::ingest::rows::{SeriesRows, Unsorted};
use crate::data::time::business_days::are_business_days;
use crate::data::time::calendar::Calendar;
use crate::data::time::index::TimeIndex;
use crate::data::time::opening::Opening;
use crate::data::time::stamp::{Axis, Stamps};
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// What the series of a panel are put on: steps, or the slots of opening times.
#[derive(Debug, Clone)]
pub(in crate::data) struct Grid {
    pub(in crate::data) step: Step,
    pub(in crate::data) calendar: Option<Calendar>,
    /// What was assumed, for the report.
    pub(in crate::data) notes: Vec<String>,
}

impl Grid {
    /// The grid that the options give, or else the one told from the stamps.
    ///
    /// # Errors
    /// [`Error::UnknownStep`] if it cannot be told, [`Error::BadOption`] if step and opening do not fit.
    pub(in crate::data) fn of<'a>(
        options: &ReadOptions,
        series: impl Iterator<Item = SeriesRows<'a>> + Clone,
        axis: &Axis,
    ) -> Result<Self> {
        let step = match options.freq {
            Some(step) => on_calendar(step, axis),
            None => infer_step(series.clone(), axis)?,
        };
        let mut notes = Vec::new();
        let mut opening = options.opening.clone();
        if opening.is_none() && options.freq.is_none() && are_all_business_days(series, axis, step) {
            opening = Some(Opening::business_days());
            let note =
                "no row lies on a weekend: read as business days; give --freq D to count weekends as missing";
            notes.push(note.to_string());
        }
        let calendar = opening.map(|opening| Calendar::new(&opening, step, &axis.zone)).transpose()?;
        Ok(Grid { step, calendar, notes })
    }

    pub(in crate::data) fn opening(&self) -> Option<Opening> {
        self.calendar.as_ref().map(|calendar| calendar.opening().clone())
    }

    /// The index that begins at the first of sorted stamps.
    pub(in crate::data) fn index(&self, stamps: &[i64], axis: &Axis) -> TimeIndex {
        let index = grid(stamps, axis, self.step);
        match &self.calendar {
            Some(calendar) => index.beginning_on(calendar),
            None => index,
        }
    }
}

/// A day in a zone with daylight saving is a calendar day; an index counts in integers.
fn on_calendar(step: Step, axis: &Axis) -> Step {
    const DAY: i64 = 86_400_000_000_000;
    match step {
        Step::Nanos(nanos) if nanos % DAY == 0 && axis.zone.has_uneven_days() => {
            i32::try_from(nanos / DAY).map_or(step, Step::Days)
        }
        other => other,
    }
}

/// True if the step is a day and the stamps leave out every weekend.
fn are_all_business_days<'a>(series: impl Iterator<Item = SeriesRows<'a>>, axis: &Axis, step: Step) -> bool {
    let is_day = matches!(step, Step::Days(1) | Step::Nanos(86_400_000_000_000));
    is_day && are_business_days(series.map(|rows| rows.stamps.iter().copied()), &axis.zone)
}

/// The most frequent distance between neighbouring stamps, as a fixed or calendar step.
///
/// # Errors
/// [`Error::UnknownStep`] if no series has two stamps that differ.
fn infer_step<'a>(series: impl Iterator<Item = SeriesRows<'a>> + Clone, axis: &Axis) -> Result<Step> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for rows in series.clone() {
        if let Some(distance) = rows.spacing {
            *counts.entry(distance).or_default() += rows.len() - 1;
            continue;
        }
        // Stamps too far apart for their distance to be a number are found off the grid later.
        let distances = rows.stamps.windows(2).filter_map(|pair| pair[1].checked_sub(pair[0]));
        let mut run = (0, 0);
        for distance in distances.filter(|distance| *distance > 0) {
            if distance == run.0 {
                run.1 += 1;
            } else {
                *counts.entry(run.0).or_default() += run.1;
                run = (distance, 1);
            }
        }
        *counts.entry(run.0).or_default() += run.1;
    }
    counts.remove(&0);
    // The shorter of two equally frequent distances, so that the answer does not depend on a hash.
    let Some((distance, _)) = counts.iter().max_by_key(|(distance, n)| (**n, -**distance)) else {
        let longest = series.max_by_key(SeriesRows::len);
        return Err(Error::UnknownStep {
            series: longest.as_ref().map_or_else(String::new, |rows| rows.id.to_string()),
            steps: longest.map_or(0, |rows| rows.len()),
        });
    };
    if axis.is_index {
        return Ok(Step::Index(*distance));
    }
    let fits = |step: &Step| {
        series.clone().all(|rows| {
            let index = grid(rows.stamps, axis, *step);
            rows.stamps.iter().all(|stamp| index.position(*stamp).is_some())
        })
    };
    let candidates = candidates(*distance, axis);
    match &candidates[..] {
        [only] => Ok(*only),
        several => Ok(several.iter().copied().find(fits).unwrap_or(Step::Nanos(*distance))),
    }
}

/// The grid of a step that begins at the first of sorted stamps; of month ends, if only those hold all stamps.
fn grid(stamps: &[i64], axis: &Axis, step: Step) -> TimeIndex {
    let start = stamps.first().copied().unwrap_or(0);
    let plain = TimeIndex::new(start, step, axis.zone.clone(), 0);
    let holds_all = |index: &TimeIndex| stamps.iter().all(|stamp| index.position(*stamp).is_some());
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
    let axis = Axis { is_index, ..Axis::new(zone.clone()) };
    let rows = Unsorted {
        ids: vec!["time stamps".to_string()],
        runs: vec![(0, stamps.len())],
        stamps: Stamps { values: stamps.to_vec(), axis: axis.clone() },
        values: Vec::new(),
        has_infinite: false,
        bad: Default::default(),
    };
    let rows = rows.sorted();
    let grid = Grid::of(&ReadOptions::default(), rows.all(), &axis)?;
    let sorted = rows.series(0).stamps;
    let index = grid.index(sorted, &axis);
    let end = sorted.last().copied().unwrap_or(index.start);
    Ok(TimeIndex { len: index.position(end).unwrap_or(0) + 1, ..index })
}

/// Steps that may have produced a distance in nanoseconds, the likeliest first.
fn candidates(distance: i64, axis: &Axis) -> Vec<Step> {
    const DAY: i64 = 86_400_000_000_000;
    const HOUR: i64 = DAY / 24;
    let mut steps = Vec::new();
    let days = distance.saturating_add(HOUR) / DAY;
    let near_days = days >= 1 && (distance - days * DAY).abs() <= HOUR;
    if near_days && axis.zone.has_uneven_days() {
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
