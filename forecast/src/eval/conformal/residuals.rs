//! From the errors of calibration windows to sorted scores.

use ndarray::{Array2, Array3};

use super::running::long_run_weight;
use super::{Calibration, LastErrors, Paths, Recency};

/// More scores than this for one step and channel are thinned to as many of their quantiles.
const MOST_SCORES: usize = 999;
/// The same for whole paths: enough for level 99.
pub(super) const MOST_PATHS: usize = 199;

/// The errors of one series, in its units.
#[derive(Debug, Default)]
pub(crate) struct Residuals {
    pub(crate) windows: Vec<Window>,
}

/// One forecast of a model that had not seen what followed.
#[derive(Debug)]
pub(crate) struct Window {
    /// Label minus forecast, NaN where the label is missing. Shape `(horizon, channel)`.
    pub(crate) residuals: Array2<f64>,
    /// The one-step errors just before the cutoff, one a channel.
    pub(crate) last: Vec<LastErrors>,
}

impl Residuals {
    /// Mean absolute one-step error of a channel; 1 if it has none or all are zero.
    fn spread(&self, channel: usize) -> f64 {
        let first =
            self.windows.iter().filter_map(|window| window.residuals.column(channel).first().copied());
        let (sum, n) = first.filter(|r| !r.is_nan()).fold((0.0, 0.0), |(sum, n), r| (sum + r.abs(), n + 1.0));
        let spread: f64 = sum / n;
        if spread.is_normal() { spread } else { 1.0 }
    }
}

impl Calibration {
    /// Pools the errors of all series; the last slot, for unseen series, gets the mean spread.
    pub(crate) fn new(residuals: &[Residuals], horizon: usize, n_channels: usize, recency: Recency) -> Self {
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
        // One path of scores a window.
        let scored = |channel: usize| -> Vec<Vec<f64>> {
            let windows =
                residuals.iter().enumerate().flat_map(|(slot, s)| s.windows.iter().map(move |w| (slot, w)));
            let scores = |(slot, window): (usize, &Window)| {
                let scale = window.last[channel].scale(spread[[slot, channel]], long_run_weight[channel]);
                window.residuals.column(channel).iter().map(|r| r / scale).collect()
            };
            windows.map(scores).collect()
        };
        let by_channel: Vec<Vec<Vec<f64>>> = (0..n_channels).map(scored).collect();
        let scores = sorted_scores(horizon, &by_channel, MOST_SCORES);
        let paths = Paths::new(horizon, &by_channel);
        Calibration { scores, spread, long_run_weight, paths: Some(paths), recency: Some(recency) }
    }
}

/// Sorted and thinned scores of each channel and step, padded with NaN. Shape `(channel, horizon, window)`.
pub(super) fn sorted_scores(horizon: usize, by_channel: &[Vec<Vec<f64>>], most: usize) -> Array3<f64> {
    let scores_at = |paths: &[Vec<f64>], step: usize| {
        let scores = paths.iter().map(|path| path[step]).filter(|score| !score.is_nan());
        thin(crate::data::sorted(scores.collect()), most)
    };
    let all: Vec<Vec<f64>> =
        by_channel.iter().flat_map(|paths| (0..horizon).map(|step| scores_at(paths, step))).collect();
    let n_kept = all.iter().map(Vec::len).max().unwrap_or(0);
    Array3::from_shape_fn((by_channel.len(), horizon, n_kept), |(channel, step, i)| {
        all[channel * horizon + step].get(i).copied().unwrap_or(f64::NAN)
    })
}

/// At most `most` of sorted scores: those at evenly spaced ranks.
fn thin(scores: Vec<f64>, most: usize) -> Vec<f64> {
    let n = scores.len();
    if n <= most {
        return scores;
    }
    (1..=most).map(|i| scores[i * (n + 1) / (most + 1) - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_quantiles() {
        let thinned = thin((0..50_000).map(f64::from).collect(), MOST_SCORES);
        assert_eq!(thinned.len(), MOST_SCORES);
        assert!((thinned[499] - 25_000.0).abs() < 30.0);
    }

    #[test]
    fn errors_are_divided_by_the_scale_of_their_own_cutoff() {
        // In turn errors of 2 and of 20, each after errors of its own size.
        let window = |i: usize| {
            let size = if i.is_multiple_of(2) { 2.0 } else { 20.0 };
            let residuals = Array2::from_elem((2, 1), if (i / 2).is_multiple_of(2) { size } else { -size });
            Window { residuals, last: vec![LastErrors { sum: 24.0 * size, n: 24 }] }
        };
        let residuals = [Residuals { windows: (0..100).map(window).collect() }];
        let found = Calibration::new(&residuals, 2, 1, Recency::new(1));
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
