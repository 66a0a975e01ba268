//! Passes over the windows of a panel in batches, in order or shuffled.

use super::batch::Batch;
use super::exogenous::Exogenous;
use super::order::{Permutation, WindowOrder};
use super::window_scaling::WindowScaling;
use super::window_set::WindowSet;
use crate::data::covariates::Known;
use crate::data::scaler::Scaler;
use crate::{Error, Result};

/// How batches are made.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `batch_size` | 32 | windows of a batch; the last one of a pass has what is left | at least 1; a batch holds at most 2^28 values |
/// | `order` | in time | the order of the windows | |
/// | `scalers` | none | the scalers of each series, one for each channel, fitted on the training range | finite, spreads positive |
/// | `scaling` | none | scaling of each window by its own input, after that of its series | |
/// | `exogenous` | none | calendar features and covariates beside the values | of the same panel |
#[derive(Debug, Clone, Copy)]
pub struct BatchOptions<'a> {
    /// Windows of a batch.
    pub batch_size: usize,
    /// The order of the windows.
    pub order: WindowOrder,
    /// `(series, channel)`, in the panel's order; `None` leaves values as they are.
    pub scalers: Option<&'a [Vec<Scaler>]>,
    /// Scaling of each window by its own input.
    pub scaling: WindowScaling,
    /// Calendar features and covariates beside the values; `None` for none.
    pub exogenous: Option<&'a Exogenous<'a>>,
}

impl Default for BatchOptions<'_> {
    fn default() -> Self {
        BatchOptions {
            batch_size: 32,
            order: WindowOrder::InTime,
            scalers: None,
            scaling: WindowScaling::None,
            exogenous: None,
        }
    }
}

/// One pass over the windows of a set, batch by batch.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    set: &'a WindowSet<'a>,
    options: BatchOptions<'a>,
    permutation: Option<Permutation>,
    next: usize,
}

/// A batch holds no more values, inputs and labels together: 1 GiB, and as much again for their masks.
const MOST_VALUES: usize = 1 << 28;

impl WindowSet<'_> {
    /// One pass over all windows in batches; nothing is copied and nothing allocated until one is filled.
    ///
    /// # Errors
    /// [`Error::BadOption`] if an option is out of its range, or `scalers` are not one for each series and channel.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions};
    /// use forecast::data::{Batch, BatchOptions, WindowOrder, WindowScaling, WindowSet, WindowSpec};
    /// let panel = Panel::read_csv(b"ds,y\n1,10\n2,\n3,30\n4,40\n5,50\n6,80\n", "t.csv", &ReadOptions::default())?;
    /// let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
    /// let set = WindowSet::new(spec, &panel, [0..6])?;
    /// let mut batch = Batch::default();
    /// for epoch in 0..10 {
    ///     let order = WindowOrder::Shuffled { seed: 1, epoch };
    ///     let options = BatchOptions { batch_size: 3, order, ..BatchOptions::default() };
    ///     let (mut batches, mut n_rows) = (set.batches(&options)?, 0);
    ///     while batches.fill(&mut batch) {
    ///         n_rows += batch.n_rows(); // 3, then 1: all four windows are there
    ///     }
    ///     assert_eq!(n_rows, set.n_windows());
    /// }
    ///
    /// let options = BatchOptions { scaling: WindowScaling::Last, ..BatchOptions::default() };
    /// assert!(set.batches(&options)?.fill(&mut batch));
    /// assert_eq!(batch.inputs().shape(), [4, 2, 1]); // (batch, lookback, channel)
    /// assert_eq!((batch.inputs()[[1, 0, 0]], batch.input_mask()[[1, 0, 0]]), (0.0, 0.0)); // missing at 2
    /// assert_eq!(batch.labels()[[1, 0, 0]], 10.0); // 40 - 30
    /// assert_eq!(batch.scalers()[[1, 0]].unscale(10.0), 40.0);
    /// assert!(set.batches(&BatchOptions { batch_size: 0, ..options }).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn batches<'a>(&'a self, options: &BatchOptions<'a>) -> Result<Batches<'a>> {
        let (n_windows, batch_size) = (self.n_windows(), options.batch_size);
        if batch_size == 0 {
            return Err(Error::option("batch_size", batch_size, "it must be at least 1"));
        }
        let n_columns = |known| options.exogenous.map_or(0, |exogenous| exogenous.n_columns(known));
        let width = self.panel().channels().len() + n_columns(Known::Future);
        let values_of_one = (self.spec().lookback + self.spec().horizon)
            .saturating_mul(width)
            .saturating_add(self.spec().lookback.saturating_mul(n_columns(Known::Past)))
            .saturating_add(n_columns(Known::Static));
        if batch_size.min(n_windows).saturating_mul(values_of_one) > MOST_VALUES {
            let rule = match MOST_VALUES / values_of_one {
                0 => format!("one window alone has more than {MOST_VALUES} values; use a shorter lookback"),
                most => format!("with {values_of_one} values in a window it must be at most {most}"),
            };
            return Err(Error::option("batch_size", batch_size, rule));
        }
        options.scalers.map_or(Ok(()), |scalers| self.check_scalers(scalers))?;
        if options.exogenous.is_some_and(|exogenous| !std::ptr::eq(exogenous.panel(), self.panel())) {
            let rule = "they must be made of the panel of the windows";
            return Err(Error::option("exogenous", "inputs of another panel", rule));
        }
        Ok(Batches {
            set: self,
            options: *options,
            permutation: options.order.permutation(n_windows),
            next: 0,
        })
    }

    fn check_scalers(&self, scalers: &[Vec<Scaler>]) -> Result<()> {
        let (series, channels) = (self.panel().series(), self.panel().channels());
        if scalers.len() != series.len() {
            let rule = format!("there must be one list for each of the {} series", series.len());
            return Err(Error::option("scalers", format!("{} lists", scalers.len()), rule));
        }
        for (series, scalers) in series.iter().zip(scalers) {
            if scalers.len() != channels.len() {
                let rule = format!("series \"{}\" has {} channels", series.id(), channels.len());
                return Err(Error::option("scalers", format!("a list of {}", scalers.len()), rule));
            }
            let is_map = |s: &Scaler| s.center.is_finite() && s.spread.is_normal() && s.spread > 0.0;
            if let Some(bad) = scalers.iter().find(|scaler| !is_map(scaler)) {
                let rule = format!("series \"{}\" needs finite ones with positive spreads", series.id());
                return Err(Error::option("scalers", format!("{bad:?}"), rule));
            }
        }
        Ok(())
    }
}

impl<'a> Batches<'a> {
    /// A pass over the same windows in another order, from its beginning.
    #[must_use]
    pub fn reordered(&self, order: WindowOrder) -> Batches<'a> {
        let permutation = order.permutation(self.set.n_windows());
        Batches { set: self.set, options: BatchOptions { order, ..self.options }, permutation, next: 0 }
    }

    /// How many batches a pass has, the last one included.
    #[must_use]
    pub fn n_batches(&self) -> usize {
        self.set.n_windows().div_ceil(self.options.batch_size)
    }

    /// Fills `batch` with the next windows and returns true; false after the last ones, and the batch is empty.
    ///
    /// Allocates only if the batch has not yet had this shape.
    pub fn fill(&mut self, batch: &mut Batch) -> bool {
        let is_filled = self.fill_at(self.next, batch);
        self.next += usize::from(is_filled);
        is_filled
    }

    /// Fills `batch` with the batch of this number, from 0, whatever was filled before; false if there is none.
    ///
    /// It depends on the number alone, so threads can share a pass, or one fill while another trains.
    pub fn fill_at(&self, batch_idx: usize, batch: &mut Batch) -> bool {
        let BatchOptions { batch_size, scalers, scaling, exogenous, .. } = self.options;
        let n_windows = self.set.n_windows();
        let first = batch_idx.saturating_mul(batch_size).min(n_windows);
        let n_channels = self.set.panel().channels().len();
        batch.make_room(batch_size.min(n_windows), self.set.spec(), n_channels, exogenous);
        for position in first..n_windows.min(first.saturating_add(batch_size)) {
            let number = self.permutation.as_ref().map_or(position, |p| p.at(position));
            let (series, window) = self.set.at(number);
            batch.push(series, &window, exogenous, |channel, input| {
                scaling.fit(input, scalers.map(|scalers| scalers[series][channel]))
            });
        }
        batch.n_rows() > 0
    }
}

#[cfg(test)]
// What is compared is copied or computed in the same way.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::data::{Scaling, TimeIndex, Window, WindowSpec};
    use crate::{Panel, Series};
    use ndarray::{Array2, ArrayView2, Axis, ShapeBuilder};

    /// Three series of two channels with gaps, the second too short for the windows below.
    fn panel() -> Panel {
        let channels = ["a".to_string(), "b".to_string()];
        let series = [30, 6, 21].into_iter().enumerate().map(|(i, n)| {
            let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
            let value = |(step, channel): (usize, usize)| match (step * 7 + channel * 3 + i) % 6 {
                0 => f64::NAN,
                _ => (i + 1) as f64 * ((step * step + channel) % 17) as f64 + 0.1,
            };
            // Columns first: not every series lies in memory as most do.
            let values = Array2::from_shape_fn((n, 2).set_f(i == 2), value);
            Series::new(format!("s{i}"), index, values, &channels).unwrap()
        });
        Panel::new(channels.to_vec(), series.collect()).unwrap()
    }

    const SPEC: WindowSpec = WindowSpec { lookback: 5, horizon: 3, stride: 1 };
    const KINDS: [WindowScaling; 4] =
        [WindowScaling::None, WindowScaling::Standard, WindowScaling::Mean, WindowScaling::Last];

    fn set(panel: &Panel) -> WindowSet<'_> {
        WindowSet::new(SPEC, panel, panel.series().iter().map(|series| 0..series.n_steps())).unwrap()
    }

    fn scalers(panel: &Panel) -> Vec<Vec<Scaler>> {
        panel.series().iter().map(|s| Scaler::fit(Scaling::Standard, s, 0..s.n_steps())).collect()
    }

    /// Series and cutoff of a window, its scalers, and inputs and labels with their masks.
    type Row = ((usize, usize), Vec<Scaler>, [Vec<f32>; 4]);

    fn rows(batch: &Batch) -> Vec<Row> {
        let row = |i: usize| {
            let parts = [batch.inputs(), batch.input_mask(), batch.labels(), batch.label_mask()];
            let copies = parts.map(|part| part.index_axis(Axis(0), i).iter().copied().collect());
            ((batch.series()[i], batch.cutoffs()[i]), batch.scalers().row(i).to_vec(), copies)
        };
        (0..batch.n_rows()).map(row).collect()
    }

    /// All windows at once, each value by itself.
    fn naive(set: &WindowSet<'_>, options: &BatchOptions<'_>) -> Vec<Row> {
        let row = |(series, window): (usize, Window<'_>)| {
            let of_series = |channel: usize| options.scalers.map(|scalers| scalers[series][channel]);
            let columns = window.input.columns().into_iter().enumerate();
            let scalers: Vec<Scaler> =
                columns.map(|(channel, input)| options.scaling.fit(input, of_series(channel))).collect();
            let value = |((_, channel), v): ((usize, usize), &f64)| match v.is_nan() {
                true => 0.0,
                false => ((v - scalers[channel].center) * (1.0 / scalers[channel].spread)) as f32,
            };
            let values = |part: ArrayView2<'_, f64>| part.indexed_iter().map(value).collect();
            let mask = |part: ArrayView2<'_, f64>| part.iter().map(|v| f32::from(!v.is_nan())).collect();
            let copies = [values(window.input), mask(window.input), values(window.label), mask(window.label)];
            ((series, window.cutoff), scalers, copies)
        };
        set.windows(options.order).map(row).collect()
    }

    #[test]
    fn batches_hold_what_a_plain_loop_copies_and_only_the_last_is_smaller() {
        let panel = panel();
        let (set, of_series) = (set(&panel), scalers(&panel));
        for (scaling, batch_size) in KINDS.into_iter().flat_map(|kind| [1, 4, 7, 500].map(|n| (kind, n))) {
            for order in [WindowOrder::InTime, WindowOrder::Shuffled { seed: 5, epoch: 2 }] {
                let options =
                    BatchOptions { batch_size, order, scalers: Some(&of_series), scaling, exogenous: None };
                let (mut batches, mut batch) = (set.batches(&options).unwrap(), Batch::default());
                let expected = naive(&set, &options);
                for expected in expected.chunks(batch_size) {
                    assert!(batches.fill(&mut batch));
                    assert_eq!(rows(&batch), expected, "{options:?}");
                }
                assert!(!batches.fill(&mut batch) && !batches.fill(&mut batch) && batch.n_rows() == 0);
                assert_eq!(batches.n_batches(), expected.len().div_ceil(batch_size));
            }
        }
    }

    #[test]
    fn a_batch_depends_on_its_number_alone() {
        let panel = panel();
        let set = set(&panel);
        let order = WindowOrder::Shuffled { seed: 5, epoch: 2 };
        let options = BatchOptions { batch_size: 4, order, ..BatchOptions::default() };
        let (batches, mut batch, expected) =
            (set.batches(&options).unwrap(), Batch::default(), naive(&set, &options));
        for batch_idx in (0..batches.n_batches()).rev() {
            assert!(batches.fill_at(batch_idx, &mut batch));
            assert_eq!(rows(&batch), expected[4 * batch_idx..expected.len().min(4 * batch_idx + 4)]);
        }
        for batch_idx in [batches.n_batches(), usize::MAX] {
            assert!(!batches.fill_at(batch_idx, &mut batch) && batch.inputs().is_empty());
        }
    }

    #[test]
    fn windows_without_an_observed_input_keep_the_scaler_of_their_series() {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), 8);
        let values = Array2::from_shape_fn((8, 1), |(step, _)| if step < 5 { f64::NAN } else { 7.0 });
        let series = Series::new("s", index, values, &["y".into()]).unwrap();
        let panel = Panel::new(vec!["y".into()], vec![series]).unwrap();
        let (set, of_series) = (set(&panel), vec![vec![Scaler { center: 1.0, spread: 2.0 }]]);
        for scaling in KINDS {
            let mut batch = Batch::default();
            for (scalers, label) in [(Some(&of_series[..]), 3.0), (None, 7.0)] {
                let options = BatchOptions { scaling, scalers, ..BatchOptions::default() };
                assert!(set.batches(&options).unwrap().fill(&mut batch));
                assert!(batch.inputs().iter().chain(batch.input_mask()).all(|value| *value == 0.0));
                assert!(batch.labels().iter().all(|value| *value == label));
                assert!(batch.label_mask().iter().all(|value| *value == 1.0));
            }
        }
    }

    #[test]
    fn options_out_of_their_range_say_what_would_do() {
        let panel = panel();
        let set = set(&panel);
        let message = |options: BatchOptions<'_>| set.batches(&options).unwrap_err().to_string();
        assert!(message(BatchOptions { batch_size: 0, ..Default::default() }).contains("batch_size is 0"));
        let scaler = Scaler::default();
        for (lists, told) in [
            (vec![vec![scaler; 2]; 2], "one list for each of the 3 series"),
            (vec![vec![scaler; 3]; 3], "series \"s0\" has 2 channels"),
            (vec![vec![Scaler { spread: 0.0, ..scaler }; 2]; 3], "positive spreads"),
            (vec![vec![Scaler { center: f64::NAN, ..scaler }; 2]; 3], "positive spreads"),
        ] {
            let message = message(BatchOptions { scalers: Some(&lists), ..Default::default() });
            assert!(message.contains(told), "{message}");
        }
    }

    #[test]
    fn batches_that_no_memory_holds_are_refused() {
        const N: usize = 65_536 + 4_999;
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), N);
        let series = Series::new("s", index, Array2::zeros((N, 1)), &["y".into()]).unwrap();
        let panel = Panel::new(vec!["y".into()], vec![series]).unwrap();
        let set = WindowSet::new(
            WindowSpec { lookback: 65_512, horizon: 24, stride: 1 },
            &panel,
            std::iter::once(0..N),
        )
        .unwrap();
        let message = |batch_size| {
            set.batches(&BatchOptions { batch_size, ..Default::default() }).unwrap_err().to_string()
        };
        assert!(message(usize::MAX).ends_with("with 65536 values in a window it must be at most 4096"));
        assert!(message(4_097).starts_with("batch_size is 4097"));
        let options = BatchOptions { batch_size: 4_096, ..Default::default() };
        assert_eq!(set.batches(&options).unwrap().n_batches(), 2);
    }
}
