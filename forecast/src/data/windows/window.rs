//! Windows over a series: lookback and label as views, made lazily, never copied.

use std::ops::Range;

use ndarray::{ArrayView2, Axis};

use crate::data::series::Series;
use crate::{Error, Result};

/// The shape of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSpec {
    /// Steps of input, at least 1.
    pub lookback: usize,
    /// Steps of label, at least 1.
    pub horizon: usize,
    /// Steps from one window to the next, at least 1.
    pub stride: usize,
}

/// One window. Shapes: input `(lookback, channel)`, label `(horizon, channel)`; NaN where missing.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Position of the first label step in the series.
    pub cutoff: usize,
    /// The steps before the cutoff.
    pub input: ArrayView2<'a, f64>,
    /// The steps from the cutoff on.
    pub label: ArrayView2<'a, f64>,
}

/// An iterator over windows, oldest first.
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    values: ArrayView2<'a, f64>, // (step, channel)
    spec: WindowSpec,
    cutoffs: std::iter::StepBy<Range<usize>>,
}

impl WindowSpec {
    /// Iterates over the windows whose labels lie in `labels`, oldest first.
    ///
    /// # Shapes
    /// Each window: input `(lookback, channel)`, label `(horizon, channel)`; views, no copy.
    /// Inputs may reach back before `labels.start`; labels never leave `labels`.
    ///
    /// # Errors
    /// [`Error::TooShort`] if `labels` holds fewer than `horizon` steps, or fewer than `lookback` steps
    /// precede it; [`Error::BadOption`] if a field is 0 or `labels` reaches beyond the series.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions, data::WindowSpec};
    /// let panel = Panel::read_csv(b"ds,y\n1,10\n2,20\n3,30\n4,40\n", "t.csv", &ReadOptions::default())?;
    /// let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
    /// let labels: Vec<f64> =
    ///     spec.windows(&panel.series()[0], 2..4)?.map(|window| window.label[[0, 0]]).collect();
    /// assert_eq!(labels, [30.0, 40.0]);
    /// assert!(spec.windows(&panel.series()[0], 1..4).is_err()); // only one step precedes the labels
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn windows<'a>(&self, series: &'a Series, labels: Range<usize>) -> Result<Windows<'a>> {
        self.check()?;
        self.check_labels(series, &labels)?;
        if labels.start < self.lookback || labels.len() < self.horizon {
            return Err(Error::TooShort {
                series: series.id().to_string(),
                steps: labels.end,
                lookback: self.lookback,
                horizon: self.horizon,
            });
        }
        let cutoffs = (labels.start..labels.end + 1 - self.horizon).step_by(self.stride);
        Ok(Windows { values: series.values(), spec: *self, cutoffs })
    }

    /// The window at a cutoff, which has to have `lookback` steps before and `horizon` after it.
    #[inline]
    pub(in crate::data) fn at<'a>(&self, values: ArrayView2<'a, f64>, cutoff: usize) -> Window<'a> {
        let (before, after) = values.split_at(Axis(0), cutoff);
        let (_, input) = before.split_at(Axis(0), cutoff - self.lookback);
        let (label, _) = after.split_at(Axis(0), self.horizon);
        Window { cutoff, input, label }
    }

    /// Whether the fields are in their ranges.
    pub(in crate::data) fn check(&self) -> Result<()> {
        let WindowSpec { lookback, horizon, stride } = *self;
        for (field, value) in [("lookback", lookback), ("horizon", horizon), ("stride", stride)] {
            if value == 0 {
                return Err(Error::option(field, value, "it must be at least 1"));
            }
        }
        Ok(())
    }

    /// Whether labels end where the series does or before.
    pub(in crate::data) fn check_labels(&self, series: &Series, labels: &Range<usize>) -> Result<()> {
        if labels.end <= series.n_steps() {
            return Ok(());
        }
        let rule = format!("series \"{}\" has {} steps", series.id(), series.n_steps());
        Err(Error::option("labels", format!("{labels:?}"), rule))
    }
}

impl<'a> Iterator for Windows<'a> {
    type Item = Window<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.cutoffs.next().map(|cutoff| self.spec.at(self.values, cutoff))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.cutoffs.size_hint()
    }
}

impl ExactSizeIterator for Windows<'_> {}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::data::TimeIndex;
    use ndarray::Array2;

    fn series(n: usize) -> Series {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
        let values = Array2::from_shape_fn((n, 2), |(step, channel)| (10 * step + channel) as f64);
        Series::new("s", index, values, &["a".into(), "b".into()]).unwrap()
    }

    #[test]
    fn every_window_is_there_and_none_leaves_its_range() {
        let series = series(11);
        for (lookback, horizon, stride) in [(3, 2, 1), (1, 1, 3), (4, 5, 2)] {
            let spec = WindowSpec { lookback, horizon, stride };
            let windows: Vec<_> = spec.windows(&series, 4..10).unwrap().collect();
            let naive: Vec<usize> = (4..10).step_by(stride).filter(|c| c + horizon <= 10).collect();
            assert_eq!(windows.iter().map(|w| w.cutoff).collect::<Vec<_>>(), naive);
            for window in windows {
                assert_eq!(window.input.dim(), (lookback, 2));
                assert_eq!(window.label.dim(), (horizon, 2));
                assert_eq!(window.label[[0, 1]], (10 * window.cutoff + 1) as f64);
                assert_eq!(window.input[[lookback - 1, 0]], (10 * (window.cutoff - 1)) as f64);
            }
        }
    }

    #[test]
    fn windows_are_views_into_the_series() {
        let series = series(6);
        let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
        let window = spec.windows(&series, 2..6).unwrap().next().unwrap();
        assert_eq!(window.input.as_ptr(), series.values().as_ptr());
    }

    #[test]
    fn short_ranges_say_both_numbers_and_the_longest_lookback() {
        let spec = WindowSpec { lookback: 96, horizon: 24, stride: 1 };
        let message = spec.windows(&series(90), 90..90).unwrap_err().to_string();
        assert_eq!(
            message,
            "series \"s\" has 90 steps, but lookback 96 + horizon 24 needs 120; use a lookback of at most 66"
        );
        let zero = WindowSpec { lookback: 1, horizon: 0, stride: 1 };
        assert!(zero.windows(&series(9), 1..9).unwrap_err().to_string().contains("horizon is 0"));
    }
}
