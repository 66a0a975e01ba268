//! All windows of a panel as one numbered set: nothing is kept for a window, and little for a series.

use std::ops::Range;

use super::order::WindowOrder;
use super::window::{Window, WindowSpec};
use crate::data::panel::Panel;
use crate::{Error, Result};

/// The windows of many series, numbered from 0: series by series, the windows of each oldest first.
///
/// A window is found by its number in `O(log n_series)`; memory does not depend on how many there are.
#[derive(Debug, Clone)]
pub struct WindowSet<'a> {
    panel: &'a Panel,
    spec: WindowSpec,
    spans: Vec<Span>, // never empty
    too_short: Vec<usize>,
    n_windows: usize,
}

/// The windows of one series, of which there is at least one.
#[derive(Debug, Clone, Copy)]
struct Span {
    series: usize,
    first_number: usize,
    first_cutoff: usize,
}

impl<'a> WindowSet<'a> {
    /// All windows whose labels lie in `labels`, one range for each series of the panel, in its order.
    ///
    /// Inputs may reach back before a range, labels never leave it. Unlike [`WindowSpec::windows`], a range may
    /// begin at 0, as training ranges do: its first window is the first one with `lookback` steps before it.
    /// A series without any window is no error as long as another has one; see [`WindowSet::too_short`].
    ///
    /// # Errors
    /// If no series has a window, [`Error::TooShort`] names the one that comes closest, or [`Error::BadOption`]
    /// says that no range holds a horizon. [`Error::BadOption`] also if a field of `spec` is 0, a range reaches
    /// beyond its series, there are more or fewer ranges than series, or the panel has no channel.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions, data::{WindowSet, WindowSpec}};
    /// let csv = b"unique_id,ds,y\na,1,10\na,2,20\na,3,30\na,4,40\nb,1,50\nb,2,60\n";
    /// let panel = Panel::read_csv(csv, "t.csv", &ReadOptions::default())?;
    /// let whole = || panel.series().iter().map(|series| 0..series.n_steps());
    /// let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
    /// let set = WindowSet::new(spec, &panel, whole())?;
    /// assert_eq!((set.n_windows(), set.too_short()), (2, &[1][..])); // "b" has two steps only
    /// let (series, window) = set.get(1).unwrap();
    /// assert_eq!((series, window.cutoff, window.label[[0, 0]]), (0, 3, 40.0));
    /// assert!(WindowSet::new(WindowSpec { lookback: 4, ..spec }, &panel, whole()).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn new(
        spec: WindowSpec,
        panel: &'a Panel,
        labels: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Self> {
        spec.check()?;
        let n_series = panel.series().len();
        if panel.channels().is_empty() {
            return Err(Error::option("channels", 0, "there must be at least one"));
        }
        let labels: Vec<Range<usize>> = labels.into_iter().take(n_series + 1).collect();
        if labels.len() != n_series {
            let found = if labels.len() > n_series { "more".to_string() } else { labels.len().to_string() };
            let rule = format!("there must be one for each of the {n_series} series");
            return Err(Error::option("the number of label ranges", found, rule));
        }
        let mut set = WindowSet { panel, spec, spans: Vec::new(), too_short: Vec::new(), n_windows: 0 };
        for (position, labels) in labels.iter().enumerate() {
            set.add(position, labels)?;
        }
        if set.spans.is_empty() { Err(no_window(&spec, panel, &labels)) } else { Ok(set) }
    }

    fn add(&mut self, position: usize, labels: &Range<usize>) -> Result<()> {
        let WindowSpec { lookback, horizon, stride } = self.spec;
        self.spec.check_labels(&self.panel.series()[position], labels)?;
        let first_cutoff = labels.start.max(lookback);
        let Some(last_cutoff) = labels.end.checked_sub(horizon).filter(|last| *last >= first_cutoff) else {
            self.too_short.push(position);
            return Ok(());
        };
        self.spans.push(Span { series: position, first_number: self.n_windows, first_cutoff });
        let n_windows = (last_cutoff - first_cutoff) / stride + 1;
        self.n_windows = self.n_windows.checked_add(n_windows).ok_or_else(|| {
            Error::option("stride", stride, "that gives more windows than can be numbered; use a longer one")
        })?;
        Ok(())
    }

    /// How many windows there are; at least 1.
    #[must_use]
    pub fn n_windows(&self) -> usize {
        self.n_windows
    }

    /// The positions in the panel of the series that have no window: their ranges are too short for one.
    #[must_use]
    pub fn too_short(&self) -> &[usize] {
        &self.too_short
    }

    /// The shape of the windows.
    #[must_use]
    pub fn spec(&self) -> WindowSpec {
        self.spec
    }

    /// The panel that the windows are views of.
    #[must_use]
    pub fn panel(&self) -> &'a Panel {
        self.panel
    }

    /// A window by its number, and the position of its series in the panel; `None` beyond the last.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<(usize, Window<'a>)> {
        (number < self.n_windows).then(|| self.at(number))
    }

    /// All windows in an order, each with the position of its series in the panel.
    pub fn windows(&self, order: WindowOrder) -> impl ExactSizeIterator<Item = (usize, Window<'a>)> {
        let permutation = order.permutation(self.n_windows);
        (0..self.n_windows)
            .map(move |position| self.at(permutation.as_ref().map_or(position, |p| p.at(position))))
    }

    /// The window of a number below `n_windows`.
    #[inline]
    pub(in crate::data) fn at(&self, number: usize) -> (usize, Window<'a>) {
        // The first span begins at 0, so there is one before the first that begins later.
        let after = self.spans.partition_point(|span| span.first_number <= number);
        let span = self.spans[after - 1];
        let cutoff = span.first_cutoff + (number - span.first_number) * self.spec.stride;
        (span.series, self.spec.at(self.panel.series()[span.series].values(), cutoff))
    }
}

/// What keeps the series that comes closest to having a window from it.
fn no_window(spec: &WindowSpec, panel: &Panel, labels: &[Range<usize>]) -> Error {
    let ranges = || panel.series().iter().zip(labels);
    let roomy = ranges().filter(|(_, labels)| labels.len() >= spec.horizon).max_by_key(|(_, l)| l.end);
    if let Some((series, labels)) = roomy {
        let WindowSpec { lookback, horizon, .. } = *spec;
        return Error::TooShort { series: series.id().to_string(), steps: labels.end, lookback, horizon };
    }
    let longest = ranges().max_by_key(|(_, labels)| labels.len());
    let rule = longest.map_or_else(String::new, |(series, labels)| {
        format!("the longest range of labels, of series \"{}\", has {} steps", series.id(), labels.len())
    });
    Error::option("horizon", spec.horizon, rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Series;
    use crate::data::TimeIndex;
    use ndarray::Array2;

    /// Series of these lengths; the value of a step tells its series and its place.
    fn panel(lengths: &[usize]) -> Panel {
        let series = lengths.iter().enumerate().map(|(i, n)| {
            let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), *n);
            let values = Array2::from_shape_fn((*n, 1), |(step, _)| (1_000 * i + step) as f64);
            Series::new(format!("s{i}"), index, values, &["y".into()]).unwrap()
        });
        Panel::new(vec!["y".into()], series.collect()).unwrap()
    }

    fn spec(lookback: usize, horizon: usize, stride: usize) -> WindowSpec {
        WindowSpec { lookback, horizon, stride }
    }

    #[test]
    fn numbers_run_through_the_windows_of_each_series_and_skip_the_short_ones() {
        let panel = panel(&[9, 3, 14, 4, 5]);
        let labels = [4..9, 2..3, 0..14, 3..3, 1..5];
        for spec in [spec(3, 2, 1), spec(1, 1, 3), spec(2, 3, 2), spec(4, 1, 1)] {
            let set = WindowSet::new(spec, &panel, labels.clone()).unwrap();
            let mut naive = Vec::new();
            for (i, labels) in labels.iter().enumerate() {
                let cutoffs = (labels.start.max(spec.lookback)..labels.end).step_by(spec.stride);
                naive.extend(cutoffs.filter(|c| c + spec.horizon <= labels.end).map(|cutoff| (i, cutoff)));
            }
            let found: Vec<_> = (0..set.n_windows()).map(|number| set.get(number).unwrap()).collect();
            assert_eq!(found.iter().map(|(i, window)| (*i, window.cutoff)).collect::<Vec<_>>(), naive);
            for (i, window) in found {
                let place = |value: &f64| *value as usize;
                let steps = 1_000 * i + window.cutoff - spec.lookback..1_000 * i + window.cutoff;
                assert!(window.input.iter().map(place).eq(steps.clone()));
                assert!(window.label.iter().map(place).eq(steps.end..steps.end + spec.horizon));
            }
            let without = (0..5).filter(|i| naive.iter().all(|(series, _)| series != i));
            assert_eq!(set.too_short(), without.collect::<Vec<_>>());
            assert!(set.get(set.n_windows()).is_none() && set.get(usize::MAX).is_none());
        }
    }

    #[test]
    fn one_series_with_its_lookback_before_the_labels_has_the_windows_of_the_iterator() {
        let panel = panel(&[40]);
        let spec = spec(7, 3, 2);
        let set = WindowSet::new(spec, &panel, std::iter::once(9..33)).unwrap();
        let windows = spec.windows(&panel.series()[0], 9..33).unwrap();
        assert_eq!(set.windows(WindowOrder::InTime).len(), windows.len());
        for ((_, ours), theirs) in set.windows(WindowOrder::InTime).zip(windows) {
            assert_eq!((ours.cutoff, ours.input, ours.label), (theirs.cutoff, theirs.input, theirs.label));
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_the_series_and_the_fix() {
        let panel = panel(&[5, 8]);
        let message = |spec, labels: &[Range<usize>]| {
            WindowSet::new(spec, &panel, labels.iter().cloned()).unwrap_err().to_string()
        };
        assert_eq!(
            message(spec(6, 3, 1), &[0..5, 0..8]),
            "series \"s1\" has 8 steps, but lookback 6 + horizon 3 needs 9; use a lookback of at most 5"
        );
        assert!(message(spec(1, 1, 1), &[0..5, 0..9]).contains("series \"s1\" has 8 steps"));
        assert_eq!(
            message(spec(1, 4, 1), &[2..5, 5..8]),
            "horizon is 4, but the longest range of labels, of series \"s1\", has 3 steps"
        );
        for n_ranges in [0, 1, 3] {
            assert!(
                message(spec(1, 1, 1), &vec![0..5; n_ranges])
                    .contains("there must be one for each of the 2 series")
            );
        }
        assert!(message(spec(1, 1, 0), &[0..5, 0..8]).contains("stride is 0"));
        let most = usize::MAX;
        assert!(message(spec(1, most, 1), &[0..5, 0..8]).contains("horizon"));
        assert!(message(spec(most, 1, most), &[0..5, 0..8]).contains("\"s1\" has 8 steps"));
    }
}
