//! Calendar features of the steps of a panel, computed once for each grid that series share.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, Axis, s};

use crate::Result;
use crate::data::calendar_features::CalendarFeatures;
use crate::data::panel::Panel;
use crate::data::time::index::TimeIndex;
use crate::data::time::step::Step;

/// The calendar features of all series of a panel.
#[derive(Debug, Clone)]
pub(super) struct CalendarGrids {
    calendar: CalendarFeatures,
    n_columns: usize,
    pub(super) grids: Vec<Grid>,
    places: Vec<Place>,
}

/// Of a series: its grid, and where on it the series begins.
type Place = (usize, usize);

/// Calendar features of the steps of one grid. Shape `(step, feature)`.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    index: TimeIndex,
    rows: Array2<f32>,
}

impl CalendarGrids {
    /// # Errors
    /// As [`CalendarFeatures::check`].
    pub(super) fn new(panel: &Panel, calendar: &CalendarFeatures) -> Result<Self> {
        calendar.check(panel.step())?;
        let n_columns = calendar.n_columns(panel.step());
        let (grids, places) = grids(panel, calendar, n_columns)?;
        Ok(CalendarGrids { calendar: calendar.clone(), n_columns, grids, places })
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub(super) fn names(&self, step: Step) -> Vec<String> {
        self.calendar.names(step)
    }

    /// Writes the features of the steps at `range` of a series, which may reach beyond its end. Shape
    /// `(range.len(), n_columns)`.
    ///
    /// # Errors
    /// Those of the features.
    pub(super) fn fill(
        &self,
        series: usize,
        range: Range<usize>,
        mut out: ArrayViewMut2<'_, f32>,
    ) -> Result<()> {
        let (grid, offset) = self.places[series];
        let n_within = range.end.min(self.grids[grid].rows.nrows() - offset);
        let within = range.start..n_within.max(range.start);
        if !within.is_empty() {
            self.fill_within(series, within.clone(), out.slice_mut(s![..within.len(), ..]));
        }
        let beyond = within.end + offset..range.end + offset;
        let more = features(&self.calendar, &self.grids[grid].index, beyond, self.n_columns)?;
        out.slice_mut(s![within.len().., ..]).assign(&more);
        Ok(())
    }

    /// The same for steps that the series has.
    pub(super) fn fill_within(&self, series: usize, range: Range<usize>, mut out: ArrayViewMut2<'_, f32>) {
        let (grid, offset) = self.places[series];
        let on_grid = range.start + offset..range.end + offset;
        out.assign(&self.grids[grid].rows.slice(s![on_grid, ..]));
    }
}

/// The grids of all series, and where each series lies.
fn grids(panel: &Panel, calendar: &CalendarFeatures, n_columns: usize) -> Result<(Vec<Grid>, Vec<Place>)> {
    // From the earliest start on, so that a later series lies on a grid that has begun.
    let mut order: Vec<usize> = (0..panel.series().len()).collect();
    order.sort_by_key(|at| panel.series()[*at].index().start);
    let mut indices: Vec<TimeIndex> = Vec::new();
    let mut places = vec![(0, 0); panel.series().len()];
    for at in order {
        let index = panel.series()[at].index();
        // Series of different parts of an hour do not share steps: few grids are worth a look.
        let recent = indices.len().saturating_sub(8);
        let found = indices[recent..].iter().position(|grid| shares_steps(grid, index)).map(|i| i + recent);
        let grid = found.unwrap_or_else(|| {
            indices.push(TimeIndex { len: 0, ..index.clone() });
            indices.len() - 1
        });
        let offset = indices[grid].position(index.start).unwrap_or(0);
        let n_known = panel.series()[at].n_steps() + panel.series()[at].covariates().n_ahead();
        indices[grid].len = indices[grid].len.max(offset + n_known);
        places[at] = (grid, offset);
    }
    let rows = |index: TimeIndex| {
        let rows = features(calendar, &index, 0..index.len, n_columns)?;
        Ok(Grid { index, rows })
    };
    Ok((indices.into_iter().map(rows).collect::<Result<_>>()?, places))
}

/// True if the steps of `index` are steps of `grid` too. Calendar steps are only if both begin together: months
/// from the 28th on may meet at one step and part at the next.
fn shares_steps(grid: &TimeIndex, index: &TimeIndex) -> bool {
    let is_even = matches!(index.step, Step::Nanos(_) | Step::Index(_)) && index.calendar.is_none();
    let is_alike = grid.step == index.step && grid.zone == index.zone;
    match is_even {
        true => is_alike && grid.calendar.is_none() && grid.position(index.start).is_some(),
        false => TimeIndex { len: index.len, ..grid.clone() } == *index,
    }
}

/// Calendar features in 32 bits. They are computed some steps at a time, so that no second matrix is held.
fn features(
    calendar: &CalendarFeatures,
    index: &TimeIndex,
    range: Range<usize>,
    n_columns: usize,
) -> Result<Array2<f32>> {
    const STEPS: usize = 4_096;
    let mut rows = Array2::zeros((range.len(), n_columns));
    if n_columns == 0 {
        return Ok(rows);
    }
    let mut piece = Array2::zeros((STEPS.min(range.len()), n_columns));
    for (at, mut rows) in range.clone().step_by(STEPS).zip(rows.axis_chunks_iter_mut(Axis(0), STEPS)) {
        let mut piece = piece.slice_mut(s![..rows.nrows(), ..]);
        calendar.fill(index, at..at + rows.nrows(), piece.view_mut())?;
        rows.zip_mut_with(&piece, |row, value| *row = *value as f32);
    }
    Ok(rows)
}
