//! What columns that come back add, written once for each place of their cycle: a step then costs a look-up.

use ndarray::{Array3, ArrayView1, Axis, s};

use super::columns::Regressors;
use super::solve::explained;
use crate::data::{Cycle, Scaler, TimeIndex};

/// Numbers that are kept, at most.
const MOST_NUMBERS: usize = 4_000_000;

/// What the columns add, on the scale of the model.
#[derive(Debug, Clone)]
pub(super) struct Table {
    cycle: Cycle,
    /// Shape `(slot, place, channel)`.
    sums: Array3<f64>,
}

impl Table {
    /// `None` if the columns do not come back on this grid, or there are too many series.
    ///
    /// # Shapes
    /// `weights`: `(slot, channel, column)`.
    pub(super) fn new(
        regressors: &Regressors,
        index: &TimeIndex,
        standards: &[Scaler],
        weights: &Array3<f64>,
    ) -> Option<Self> {
        let cycle = regressors.cycle(index)?;
        let (n_slots, n_channels, _) = weights.dim();
        let n = n_slots.checked_mul(n_channels)?.checked_mul(cycle.n_rows())?;
        if n > MOST_NUMBERS {
            return None;
        }
        let of_place = |(slot, place, channel)| {
            explained(cycle.row(place), standards, weights.slice(s![slot, channel, ..]))
        };
        let sums = Array3::from_shape_fn((n_slots, cycle.n_rows(), n_channels), of_place);
        Some(Table { cycle, sums })
    }

    /// What a step of an index has, one value a channel; `None` for one that lies between two places.
    pub(super) fn at(&self, slot: usize, index: &TimeIndex, step: usize) -> Option<ArrayView1<'_, f64>> {
        let place = self.cycle.at(index, step)?;
        Some(self.sums.index_axis(Axis(0), slot).index_axis_move(Axis(0), place))
    }
}
