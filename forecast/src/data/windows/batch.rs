//! A batch of windows for neural families: scaled, masked, 32-bit, in buffers that are used again.

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis, Zip, s};
use pulp::Arch;

use super::exogenous::Exogenous;
use super::window::{Window, WindowSpec};
use crate::data::covariates::Known;
use crate::data::scaler::Scaler;

/// Windows copied side by side. Empty until it is filled, and then as large as the batches it is filled with.
///
/// A value is scaled in 64 bits and then rounded to 32; beyond the range of those it becomes the largest of them.
/// Missing values are 0 here, and their mask says so: no NaN and no infinity reaches a network.
/// [`Batches`](crate::data::Batches) fills it.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    n_rows: usize,
    series: Vec<usize>,
    cutoffs: Vec<usize>,
    scalers: Array2<Scaler>,
    inputs: Masked,
    labels: Masked,
    known_ahead: Array3<f32>,
    past_covariates: Array3<f32>,
    static_covariates: Array2<f32>,
    map: Map,
}

/// Values, `(batch, step, channel)`, and their masks.
#[derive(Debug, Clone, Default)]
struct Masked {
    values: Array3<f32>,
    mask: Array3<f32>,
    // Whether the mask of a row is 1 throughout and need not be written for the next complete window: half of
    // what is written otherwise.
    is_complete: Vec<bool>,
}

/// The scalers of one window, over and over for the channels of some steps: long enough for a loop of the
/// processor's vectors, and short enough for its nearest memory.
#[derive(Debug, Clone, Default)]
struct Map {
    centers: Vec<f64>,
    factors: Vec<f64>,
}

/// The least length of a [`Map`].
const MAP_LENGTH: usize = 256;

impl Batch {
    /// How many windows there are; 0 before the first filling and after the last.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The position in the panel of each window's series. Shape `(batch)`.
    #[must_use]
    pub fn series(&self) -> &[usize] {
        &self.series[..self.n_rows]
    }

    /// The position in its series of each window's first label step. Shape `(batch)`.
    #[must_use]
    pub fn cutoffs(&self) -> &[usize] {
        &self.cutoffs[..self.n_rows]
    }

    /// What each window was scaled by; `unscale` brings forecasts back to the units of the series.
    /// Shape `(batch, channel)`.
    #[must_use]
    pub fn scalers(&self) -> ArrayView2<'_, Scaler> {
        self.scalers.slice(s![..self.n_rows, ..])
    }

    /// The steps before the cutoffs, scaled, 0 where missing. Shape `(batch, lookback, channel)`, contiguous.
    #[must_use]
    pub fn inputs(&self) -> ArrayView3<'_, f32> {
        self.inputs.values.slice(s![..self.n_rows, .., ..])
    }

    /// 1 where an input was observed, 0 where it is missing. Shape `(batch, lookback, channel)`, contiguous.
    #[must_use]
    pub fn input_mask(&self) -> ArrayView3<'_, f32> {
        self.inputs.mask.slice(s![..self.n_rows, .., ..])
    }

    /// The steps from the cutoffs on, scaled, 0 where missing. Shape `(batch, horizon, channel)`, contiguous.
    #[must_use]
    pub fn labels(&self) -> ArrayView3<'_, f32> {
        self.labels.values.slice(s![..self.n_rows, .., ..])
    }

    /// 1 where a label was observed, 0 where it is missing. Shape `(batch, horizon, channel)`, contiguous.
    #[must_use]
    pub fn label_mask(&self) -> ArrayView3<'_, f32> {
        self.labels.mask.slice(s![..self.n_rows, .., ..])
    }

    /// Calendar features and covariates that are known ahead, scaled, 0 where missing, in the columns of
    /// [`Exogenous::names`]. Shape `(batch, lookback + horizon, column)`, contiguous.
    #[must_use]
    pub fn known_ahead(&self) -> ArrayView3<'_, f32> {
        self.known_ahead.slice(s![..self.n_rows, .., ..])
    }

    /// Covariates that are known up to the cutoff, scaled, 0 where missing. Shape `(batch, lookback, column)`,
    /// contiguous.
    #[must_use]
    pub fn past_covariates(&self) -> ArrayView3<'_, f32> {
        self.past_covariates.slice(s![..self.n_rows, .., ..])
    }

    /// Covariates of each window's series, scaled, 0 where missing. Shape `(batch, column)`, contiguous.
    #[must_use]
    pub fn static_covariates(&self) -> ArrayView2<'_, f32> {
        self.static_covariates.slice(s![..self.n_rows, ..])
    }

    /// Empties the batch and makes room for so many windows; buffers that have it are kept.
    pub(in crate::data) fn make_room(
        &mut self,
        n_rows: usize,
        spec: WindowSpec,
        n_channels: usize,
        exogenous: Option<&Exogenous<'_>>,
    ) {
        let (_, lookback, _) = self.inputs.values.dim();
        let (capacity, horizon, found) = self.labels.values.dim();
        let widths = [Known::Future, Known::Past, Known::Static]
            .map(|known| exogenous.map_or(0, |exogenous| exogenous.n_columns(known)));
        let found_widths =
            [self.known_ahead.dim().2, self.past_covariates.dim().2, self.static_covariates.ncols()];
        self.n_rows = 0;
        let is_alike = (lookback, horizon, found) == (spec.lookback, spec.horizon, n_channels);
        if n_rows > capacity || !is_alike || widths != found_widths {
            *self = Batch::default(); // the old buffers go before the new ones come
            *self = Batch {
                n_rows: 0,
                series: vec![0; n_rows],
                cutoffs: vec![0; n_rows],
                scalers: Array2::from_elem((n_rows, n_channels), Scaler::default()),
                inputs: Masked::new((n_rows, spec.lookback, n_channels)),
                labels: Masked::new((n_rows, spec.horizon, n_channels)),
                known_ahead: Array3::zeros((n_rows, spec.lookback + spec.horizon, widths[0])),
                past_covariates: Array3::zeros((n_rows, spec.lookback, widths[1])),
                static_covariates: Array2::zeros((n_rows, widths[2])),
                map: Map::zeros(n_channels),
            };
        }
    }

    /// Copies a window into the next row, of which there has to be one; `fit` tells the scaler of a channel
    /// from its input.
    pub(in crate::data) fn push(
        &mut self,
        series: usize,
        window: &Window<'_>,
        exogenous: Option<&Exogenous<'_>>,
        fit: impl Fn(usize, ArrayView1<'_, f64>) -> Scaler,
    ) {
        let row = self.n_rows;
        (self.series[row], self.cutoffs[row]) = (series, window.cutoff);
        let mut scalers = self.scalers.row_mut(row);
        for (channel, scaler) in scalers.iter_mut().enumerate() {
            *scaler = fit(channel, window.input.column(channel));
        }
        self.map.set(scalers.view());
        self.inputs.set_row(row, window.input, &self.map);
        self.labels.set_row(row, window.label, &self.map);
        if let Some(exogenous) = exogenous {
            let (first, end) = (window.cutoff - window.input.nrows(), window.cutoff + window.label.nrows());
            exogenous.fill_within(series, first..end, self.known_ahead.index_axis_mut(Axis(0), row));
            exogenous.fill_past(
                series,
                first..window.cutoff,
                self.past_covariates.index_axis_mut(Axis(0), row),
            );
            exogenous.fill_static(series, self.static_covariates.row_mut(row));
        }
        self.n_rows += 1;
    }
}

impl Map {
    fn zeros(n_channels: usize) -> Self {
        let length = n_channels * MAP_LENGTH.div_ceil(n_channels);
        Map { centers: vec![0.0; length], factors: vec![0.0; length] }
    }

    fn set(&mut self, scalers: ArrayView1<'_, Scaler>) {
        for ((center, factor), scaler) in self.centers.iter_mut().zip(&mut self.factors).zip(scalers) {
            (*center, *factor) = (scaler.center, 1.0 / scaler.spread);
        }
        let (mut done, length) = (scalers.len(), self.centers.len());
        while done < length {
            let more = done.min(length - done);
            self.centers.copy_within(..more, done);
            self.factors.copy_within(..more, done);
            done += more;
        }
    }
}

impl Masked {
    fn new(shape: (usize, usize, usize)) -> Self {
        Masked { values: Array3::zeros(shape), mask: Array3::ones(shape), is_complete: vec![true; shape.0] }
    }

    /// Copies the steps of one window, `(step, channel)`.
    fn set_row(&mut self, row: usize, steps: ArrayView2<'_, f64>, map: &Map) {
        let mut values = self.values.index_axis_mut(Axis(0), row);
        let is_complete = match (values.as_slice_mut(), steps.as_slice()) {
            (Some(values), Some(steps)) => {
                let length = map.centers.len(); // whole steps, so each block begins with the first channel
                Arch::new().dispatch(|| {
                    let mut is_finite = true;
                    for (values, steps) in values.chunks_mut(length).zip(steps.chunks(length)) {
                        is_finite &= scale(values.iter_mut().zip(steps), map);
                    }
                    is_finite
                })
            }
            // A series that does not lie in memory step by step.
            _ => {
                let rows = values.outer_iter_mut().zip(steps.outer_iter());
                rows.fold(true, |all, (mut values, steps)| all & scale(values.iter_mut().zip(steps), map))
            }
        };
        let mut mask = self.mask.index_axis_mut(Axis(0), row);
        if !is_complete {
            // Only what is missing is NaN, also after scaling, since scalers are finite and not 0.
            Zip::from(values).and(mask).for_each(|value, mask| {
                *mask = if value.is_nan() { 0.0 } else { 1.0 };
                *value = finite(*value);
            });
        } else if !self.is_complete[row] {
            mask.fill(1.0);
        }
        self.is_complete[row] = is_complete;
    }
}

/// Scales up to one length of the map, and returns whether all of it is finite. To multiply takes a third of the time that
/// to divide does; without an early end the loop becomes one of vectors.
#[inline(always)]
fn scale<'a>(values: impl Iterator<Item = (&'a mut f32, &'a f64)>, map: &Map) -> bool {
    let mut is_finite = true;
    for (((scaled, value), center), factor) in values.zip(&map.centers).zip(&map.factors) {
        *scaled = ((value - center) * factor) as f32;
        is_finite &= scaled.is_finite();
    }
    is_finite
}

/// 0 for NaN, the largest number of its sign for an infinity.
#[inline]
fn finite(value: f32) -> f32 {
    // In this form, unlike with `clamp`, the loop above becomes one of vectors.
    let value = if value > f32::MAX { f32::MAX } else { value };
    let value = if value < f32::MIN { f32::MIN } else { value };
    if value.is_nan() { 0.0 } else { value }
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use ndarray::{Array1, ShapeBuilder};

    const NAN: f64 = f64::NAN;

    /// A batch of one window of these steps, the last of them the label, as they lie in memory row by row or
    /// column by column.
    fn batch(values: &[f64], n_channels: usize, by_column: bool, scalers: &[Scaler]) -> Batch {
        let shape = (values.len() / n_channels, n_channels);
        let by_row = ArrayView2::from_shape(shape, values).unwrap();
        let mut steps = Array2::zeros(shape.set_f(by_column));
        steps.assign(&by_row);
        let spec = WindowSpec { lookback: shape.0 - 1, horizon: 1, stride: 1 };
        let mut batch = Batch::default();
        batch.make_room(3, spec, n_channels, None);
        batch.push(4, &spec.at(steps.view(), shape.0 - 1), None, |channel, _| scalers[channel]);
        batch
    }

    #[test]
    fn values_are_scaled_by_channel_and_missing_ones_are_0_with_a_mask_of_0() {
        let scalers = [Scaler { center: 1.0, spread: 2.0 }, Scaler { center: 0.0, spread: 0.5 }];
        for by_column in [false, true] {
            let batch = batch(&[3.0, NAN, NAN, 4.0, 2.0, -1.0], 2, by_column, &scalers);
            assert_eq!(batch.inputs(), ndarray::array![[[1.0, 0.0], [0.0, 8.0]]]);
            assert_eq!(batch.input_mask(), ndarray::array![[[1.0, 0.0], [0.0, 1.0]]]);
            assert_eq!(batch.labels(), ndarray::array![[[0.5, -2.0]]]);
            assert_eq!(batch.label_mask(), ndarray::array![[[1.0, 1.0]]]);
            assert_eq!((batch.n_rows(), batch.series(), batch.cutoffs()), (1, &[4][..], &[2][..]));
            assert_eq!(batch.scalers().row(0).to_vec(), scalers);
        }
    }

    #[test]
    fn every_channel_meets_its_own_scaler_also_where_windows_are_longer_than_the_map() {
        for (n_channels, by_column) in
            [1, 2, 3, 7, 255, 256, 257, 600].into_iter().zip([false, true].into_iter().cycle())
        {
            let n_steps = 3 + 700 / n_channels;
            let value = |i: usize| (i * i % 1_013) as f64;
            let values: Vec<f64> = (0..n_steps * n_channels).map(value).collect();
            let scaler =
                |channel: usize| Scaler { center: channel as f64, spread: 1.0 + (channel % 5) as f64 };
            let scalers: Vec<Scaler> = (0..n_channels).map(scaler).collect();
            let batch = batch(&values, n_channels, by_column, &scalers);
            let found = batch.inputs().iter().chain(batch.labels()).copied().collect::<Array1<f32>>();
            for (i, found) in found.into_iter().enumerate() {
                let expected = scalers[i % n_channels].scale(values[i]) as f32;
                // To multiply by 1/5 is not quite to divide by 5.
                assert!((found - expected).abs() <= f32::EPSILON * expected.abs(), "{n_channels}: {i}");
            }
        }
    }

    #[test]
    fn masks_follow_from_one_window_of_a_row_to_the_next() {
        let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
        let mut batch = Batch::default();
        for values in
            [[1.0, 2.0, NAN], [NAN, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, NAN, NAN], [1.0; 3]]
        {
            let steps = Array2::from_shape_vec((3, 1), values.to_vec()).unwrap();
            batch.make_room(1, spec, 1, None);
            batch.push(0, &spec.at(steps.view(), 2), None, |_, _| Scaler::default());
            let mask = batch.input_mask().into_iter().chain(batch.label_mask()).copied().collect::<Vec<_>>();
            assert_eq!(mask, values.map(|value| f32::from(!value.is_nan())));
            assert!(batch.inputs().iter().chain(batch.labels()).all(|value| value.is_finite()));
        }
    }

    #[test]
    fn numbers_beyond_32_bits_become_the_largest_of_them() {
        let wide = Scaler { center: f64::MIN, spread: f64::MIN_POSITIVE };
        let batch = batch(&[f64::MAX, f64::MIN, NAN, -1.0], 1, false, &[wide]);
        assert_eq!(batch.inputs().iter().copied().collect::<Vec<_>>(), [f32::MAX, 0.0, 0.0]);
        let plain = self::batch(&[1e300, -1e39, 1e-60, 0.1], 1, false, &[Scaler::default()]);
        assert_eq!(plain.inputs().iter().copied().collect::<Vec<_>>(), [f32::MAX, f32::MIN, 0.0]);
        assert_eq!(plain.labels()[[0, 0, 0]], 0.1);
    }

    #[test]
    fn buffers_are_kept_where_they_have_room() {
        let spec = |lookback, horizon| WindowSpec { lookback, horizon, stride: 1 };
        let mut batch = Batch::default();
        assert_eq!((batch.n_rows(), batch.inputs().len(), batch.scalers().len()), (0, 0, 0));
        for (n_rows, spec, n_channels, is_kept) in [
            (4, spec(5, 2), 2, false),
            (4, spec(5, 2), 2, true),
            (3, spec(5, 2), 2, true),
            (5, spec(5, 2), 2, false),
            (5, spec(2, 5), 2, false),
            (5, spec(2, 5), 1, false),
            (5, spec(2, 4), 1, false),
        ] {
            let before =
                (batch.inputs.values.as_ptr(), batch.labels.values.as_ptr(), batch.inputs.values.dim());
            batch.make_room(n_rows, spec, n_channels, None);
            let after =
                (batch.inputs.values.as_ptr(), batch.labels.values.as_ptr(), batch.inputs.values.dim());
            assert!(!is_kept || before == after);
            assert_eq!(batch.labels.values.dim().1, spec.horizon);
            assert!(batch.inputs.values.dim().0 >= n_rows && batch.inputs.values.dim().1 == spec.lookback);
        }
    }
}
