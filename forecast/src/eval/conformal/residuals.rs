//! From the errors of calibration windows to sorted scores.

use ndarray::{Array2, Array3, ArrayView1, s};

use super::ranks::each_sorted;
use super::running::long_run_weight;
use super::sort::Before;
use super::{ByWindow, Calibration, LastErrors, Paths, Recency};

/// More scores than this for one step and channel are thinned to as many of their quantiles.
const MOST_SCORES: usize = 999;
/// The same for whole paths: enough for level 99.
pub(super) const MOST_PATHS: usize = 199;

/// The errors of the forecasts of one series, in its units, by a model that had not seen what followed.
#[derive(Debug, Default)]
pub(crate) struct Residuals {
    /// Label minus forecast, NaN where the label is missing.
    pub(crate) errors: ByWindow,
    /// The one-step errors just before each cutoff. Shape `(window, channel)`.
    pub(crate) last: Vec<LastErrors>,
}

/// What scores are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scored {
    /// Single steps.
    Steps,
    /// Single steps, and whole paths.
    StepsAndPaths,
}

impl Residuals {
    /// Windows without errors yet.
    pub(crate) fn zeros(n_windows: usize, n_channels: usize, horizon: usize) -> Self {
        Residuals {
            errors: ByWindow::zeros(n_windows, n_channels, horizon),
            last: vec![LastErrors::default(); n_windows * n_channels],
        }
    }

    /// Adds windows of the same shape behind those that are there.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.errors.append(&mut more.errors);
        self.last.append(&mut more.last);
    }

    /// What a channel's scores are divided by, window by window.
    pub(super) fn scales(&self, channel: usize, long_run: f64, weight: f64) -> impl Iterator<Item = f64> {
        let windows = self.last.chunks_exact(self.errors.n_channels().max(1));
        windows.map(move |last| last[channel].scale(long_run, weight))
    }

    /// Mean absolute one-step error of a channel; 1 if it has none or all are zero.
    fn spread(&self, channel: usize) -> f64 {
        let first = self.errors.at(channel, 0).filter(|r| !r.is_nan());
        let (sum, n) = first.fold((0.0, 0.0), |(sum, n), r| (sum + r.abs(), n + 1.0));
        let spread: f64 = sum / n;
        if spread.is_normal() { spread } else { 1.0 }
    }
}

impl Calibration {
    /// Pools the errors of all series; the last slot, for unseen series, gets the mean spread.
    pub(crate) fn new(
        residuals: &[Residuals],
        (horizon, n_channels): (usize, usize),
        recency: Recency,
        scored: Scored,
    ) -> Self {
        let n_series = residuals.len();
        let mut spread = Array2::zeros((n_series + 1, n_channels));
        for channel in 0..n_channels {
            for (slot, series) in residuals.iter().enumerate() {
                spread[[slot, channel]] = series.spread(channel);
                spread[[n_series, channel]] += spread[[slot, channel]] / n_series as f64;
            }
        }
        let long_run_weight: Vec<f64> =
            (0..n_channels).map(|channel| long_run_weight(residuals, channel, horizon, &spread)).collect();
        // What the errors of each window are divided by. Shape `(channel, window)`.
        let scales: Vec<Vec<f64>> = (0..n_channels)
            .map(|channel| {
                let of_series = |(slot, series): (usize, &Residuals)| {
                    series
                        .scales(channel, spread[[slot, channel]], long_run_weight[channel])
                        .collect::<Vec<f64>>()
                };
                residuals.iter().enumerate().flat_map(of_series).collect()
            })
            .collect();
        let paths = (scored == Scored::StepsAndPaths)
            .then(|| Paths::new(&scores(residuals, (horizon, n_channels), &scales)));
        let n_windows = scales.first().map_or(0, Vec::len);
        let errors = |channel: usize| residuals.iter().flat_map(move |series| series.errors.paths(channel));
        let scores = sorted_scores(errors, [n_channels, horizon, n_windows], &scales, MOST_SCORES);
        Calibration { scores, spread, long_run_weight, paths, recency: Some(recency) }
    }

    /// Without scores, for a model that is asked for point forecasts only.
    pub(crate) fn none(n_series: usize, (horizon, n_channels): (usize, usize), recency: Recency) -> Self {
        Calibration {
            scores: Array3::zeros((n_channels, horizon, 0)),
            spread: Array2::ones((n_series + 1, n_channels)),
            long_run_weight: vec![f64::INFINITY; n_channels],
            paths: None,
            recency: Some(recency),
        }
    }
}

/// The errors of all windows over their scales.
fn scores(residuals: &[Residuals], (horizon, n_channels): (usize, usize), scales: &[Vec<f64>]) -> ByWindow {
    let n_windows = scales.first().map_or(0, Vec::len);
    let mut scores = ByWindow::zeros(n_windows, n_channels, horizon);
    let errors = residuals.iter().flat_map(|series| {
        (0..series.errors.n_windows())
            .flat_map(move |window| (0..n_channels).map(move |channel| series.errors.path(window, channel)))
    });
    let paths = scores.values_mut().chunks_exact_mut(horizon.max(1)).zip(errors);
    for (at, (path, errors)) in paths.enumerate() {
        let scale = scales[at % n_channels][at / n_channels];
        path.iter_mut().zip(errors).for_each(|(score, error)| *score = error / scale);
    }
    scores
}

/// Sorted and thinned scores of each channel and step, padded with NaN, from the paths of each channel and what those of
/// each window are divided by, if there is something. Shape `(channel, horizon, window)`.
pub(super) fn sorted_scores<'a, P: Iterator<Item = &'a [f64]> + Clone>(
    paths: impl Fn(usize) -> P,
    [n_channels, horizon, n_windows]: [usize; 3],
    scales: &'a [Vec<f64>],
    most: usize,
) -> Array3<f64> {
    let n_most = n_windows.min(most);
    let mut all = Array3::from_elem((n_channels, horizon, n_most), f64::NAN);
    let mut n_kept = 0;
    for channel in 0..n_channels {
        let scales = scales.get(channel).map_or(&[][..], Vec::as_slice);
        let before = |_| Before { scales, within: None };
        each_sorted(paths(channel), horizon, before, |step, of_step| {
            thin(of_step, most);
            n_kept = n_kept.max(of_step.len());
            all.slice_mut(s![channel, step, ..of_step.len()]).assign(&ArrayView1::from(&of_step[..]));
        });
    }
    if n_kept < n_most { all.slice(s![.., .., ..n_kept]).to_owned() } else { all }
}

/// Keeps at most `most` of sorted scores: those at evenly spaced ranks.
fn thin(scores: &mut Vec<f64>, most: usize) {
    let n = scores.len();
    if n > most {
        // None is written over before it is read: the ranks lie at or above their places.
        (1..=most).for_each(|i| scores[i - 1] = scores[i * (n + 1) / (most + 1) - 1]);
        scores.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_quantiles() {
        let mut thinned: Vec<f64> = (0..50_000).map(f64::from).collect();
        thin(&mut thinned, MOST_SCORES);
        assert_eq!(thinned.len(), MOST_SCORES);
        assert!((thinned[499] - 25_000.0).abs() < 30.0);
    }

    #[test]
    fn errors_are_divided_by_the_scale_of_their_own_cutoff() {
        // In turn errors of 2 and of 20, each after errors of its own size.
        let mut residuals = Residuals::zeros(100, 1, 2);
        for (i, path) in residuals.errors.values_mut().chunks_mut(2).enumerate() {
            let size = if i.is_multiple_of(2) { 2.0 } else { 20.0 };
            path.fill(if (i / 2).is_multiple_of(2) { size } else { -size });
            residuals.last[i] = LastErrors { sum: 24.0 * size, n: 24 };
        }
        let found = Calibration::new(&[residuals], (2, 1), Recency::new(1), Scored::StepsAndPaths);
        assert!((found.spread[[0, 0]] - 11.0).abs() < 1e-12);
        assert!((found.long_run_weight[0] - 10.0).abs() < 1e-12);
        let scores = found.scores.slice(ndarray::s![0, 1, ..]).to_vec();
        let (small, large) = (2.0 / (158.0 / 34.0), 20.0 / (590.0 / 34.0));
        let expected = [-large, -small, small, large];
        for (quarter, expected) in scores.chunks(25).zip(expected) {
            assert!(quarter.iter().all(|score| (score - expected).abs() < 1e-12), "{scores:?}");
        }
    }
}
