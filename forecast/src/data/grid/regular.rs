//! Rows of one series onto a regular grid; absent stamps become missing steps.

use ndarray::Array2;

use super::aggregate::{Aggregation, Duplicates};
use super::infer::Grid;
use super::resample::resample;
use crate::data::covariates::{CovariateSchema, OnGrid, Policy, n_rows_of_series};
use crate::data::ingest::read::ReadOptions;
use crate::data::ingest::rows::SeriesRows;
use crate::data::panel::RowCounts;
use crate::data::series::Series;
use crate::data::time::index::TimeIndex;
use crate::data::time::stamp::Axis;
use crate::data::time::step::Step;
use crate::{Error, Result};

/// A grid may have this many steps a row, and [`FREE_STEPS`] more: beyond that a stamp must be wrong.
const STEPS_PER_ROW: usize = 100;
const FREE_STEPS: usize = 100_000;
/// Of many channels, those take no more values than this.
const FREE_VALUES: usize = 10_000_000;
/// Steps of a series from which its own step can be told.
const FEWEST_TO_TELL: usize = 4;

/// What the columns of rows are: the channels, then the covariates in the order of their schema.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct Columns<'a> {
    pub(in crate::data) channels: &'a [String],
    pub(in crate::data) covariates: &'a CovariateSchema,
}

/// A series on its grid.
#[derive(Debug)]
pub(in crate::data) struct Regular {
    pub(in crate::data) series: Series,
    pub(in crate::data) counts: RowCounts,
}

/// Puts the rows of a series on a grid. Rows beyond the last target that say what is known ahead are no steps of
/// the series.
///
/// # Errors
/// [`Error::VaryingStatic`], [`Error::DuplicateStamp`] and [`Error::OutOfOrder`] where the policy refuses them, [`Error::Irregular`] and
/// [`Error::OutsideOpening`] for stamps off the grid, [`Error::MixedSteps`] for a series with a step of its own, [`Error::TooSparse`], and
/// [`Error::Infinite`].
pub(in crate::data) fn regularise(
    rows: &SeriesRows<'_>,
    axis: &Axis,
    grid: &Grid,
    columns: Columns<'_>,
    options: &ReadOptions,
) -> Result<Regular> {
    let step = grid.step;
    if rows.out_of_order > 0 && options.out_of_order == crate::data::OutOfOrder::Error {
        return Err(Error::OutOfOrder { series: rows.id.to_string(), count: rows.out_of_order });
    }
    if axis.is_index != matches!(step, Step::Index(_)) {
        let kind = if axis.is_index { "integers" } else { "time stamps" };
        return Err(Error::option("freq", step, format!("the time column holds {kind}")));
    }
    if let Some(aggregation) = options.aggregate {
        return resample(rows, axis, step, columns, aggregation);
    }
    let index = spanning(grid.index(rows.stamps, axis), rows, axis)?;
    let n_rows = n_rows_of_series(rows, columns.channels.len(), columns.covariates);
    let last_stamp = rows.stamps[..n_rows].last().copied().unwrap_or(index.start);
    let n_steps = if n_rows == rows.len() { index.len } else { index.position(last_stamp).unwrap_or(0) + 1 };
    let mut covariates = OnGrid::new(columns.covariates, rows, columns.channels.len(), [n_steps, index.len]);
    let policy = Policy::of_duplicates(options.duplicates);
    let channels = columns.channels;
    let index = TimeIndex { len: n_steps, ..index };
    let mut counts = RowCounts { rows: rows.len(), out_of_order: rows.out_of_order, ..RowCounts::default() };
    let fixed = match step {
        Step::Nanos(step) | Step::Index(step) if grid.calendar.is_none() => Some(step),
        _ => None,
    };
    let is_plain = columns.covariates.columns().is_empty()
        && options.duplicates != Duplicates::Merge(Aggregation::Count)
        && rows.len() == index.len;
    if is_plain && rows.spacing.is_some() && rows.spacing == fixed {
        // A row a step: nothing is absent or repeated, and columns are taken as they are.
        let values = rows.first_columns(channels.len());
        let series = match rows.has_infinite {
            true => Series::shared(rows.id, index, values, channels)?,
            false => Series::finite(rows.id, index, values, channels)?,
        };
        return Ok(Regular { series, counts });
    }
    let mut values = Array2::from_elem((index.len, channels.len()), f64::NAN); // (step, channel)
    let (mut n_filled, mut closest) = (0, usize::MAX);
    let mut last: Option<(i64, usize)> = None;
    for (stamp, group) in rows.by_stamp() {
        if group.len() > 1 && options.duplicates == Duplicates::Error {
            let stamp = axis.tell(stamp);
            return Err(Error::DuplicateStamp { series: rows.id.to_string(), stamp, count: group.len() });
        }
        let position = match (last, fixed) {
            // Neighbours are told without a division.
            (Some((before, at)), Some(step)) if before.checked_add(step) == Some(stamp) => at + 1,
            _ => index.position(stamp).ok_or_else(|| irregular(rows, axis, &index, stamp))?,
        };
        covariates.set(position, group.clone(), policy);
        counts.duplicates += group.len() - 1;
        if position >= n_steps {
            counts.ahead += 1;
            last = Some((stamp, position));
            continue;
        }
        if let Some((_, at)) = last {
            closest = closest.min(position - at);
        }
        last = Some((stamp, position));
        for channel in 0..channels.len() {
            let cells = &rows.column(channel)[group.clone()];
            values[[position, channel]] = match (cells, options.duplicates) {
                ([only], Duplicates::Merge(aggregation)) if aggregation != Aggregation::Count => *only,
                (rows, Duplicates::Merge(aggregation)) => aggregation.merge(rows),
                (only, Duplicates::Error) => only[0],
            };
        }
        n_filled += 1;
    }
    counts.absent = index.len - n_filled;
    if options.freq.is_none() && n_filled >= FEWEST_TO_TELL && closest > 1 {
        // It never has two neighbouring steps: it is not on the panel's step but on one of its own.
        return Err(Error::MixedSteps {
            series: rows.id.to_string(),
            found: step.times(closest).unwrap_or(step).to_string(),
            expected: step.to_string(),
        });
    }
    let covariates = covariates.finish(&index, axis)?;
    let series = Series::new(rows.id, index, values, channels)?.with_covariates(covariates)?;
    Ok(Regular { series, counts })
}

/// The grid up to the last row.
pub(in crate::data) fn spanning(index: TimeIndex, rows: &SeriesRows<'_>, axis: &Axis) -> Result<TimeIndex> {
    let end = rows.stamps.last().copied().unwrap_or(index.start);
    let Some(position) = index.position(end) else {
        // The last stamp is off the grid; the first that is off it tells more.
        let off = rows.stamps.iter().find(|stamp| index.position(**stamp).is_none());
        return Err(irregular(rows, axis, &index, off.copied().unwrap_or(end)));
    };
    let len = position.saturating_add(1);
    let free = FREE_STEPS.min(FREE_VALUES / rows.values.len().max(1));
    if len > rows.len().saturating_mul(STEPS_PER_ROW).saturating_add(free) {
        return Err(Error::TooSparse {
            series: rows.id.to_string(),
            steps: len,
            step: index.frequency().to_string(),
            start: axis.tell(index.start),
            end: axis.tell(end),
            rows: rows.len(),
        });
    }
    Ok(TimeIndex { len, ..index })
}

/// What is wrong with a stamp off the grid.
pub(in crate::data) fn irregular(rows: &SeriesRows<'_>, axis: &Axis, index: &TimeIndex, stamp: i64) -> Error {
    if let Some(calendar) = index.calendar.as_ref().filter(|calendar| !calendar.is_open(stamp)) {
        return Error::OutsideOpening {
            series: rows.id.to_string(),
            stamp: axis.tell(stamp),
            opening: calendar.opening().short(),
        };
    }
    Error::Irregular {
        series: rows.id.to_string(),
        stamp: axis.tell(stamp),
        step: index.frequency().to_string(),
        start: axis.tell(index.start),
    }
}
