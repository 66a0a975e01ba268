//! Differences of models from seasonal naive on the same windows of the same series.

use rayon::prelude::*;

use super::bootstrap::Design;
use super::losses::Losses;
use super::metrics;

/// The losses of several models beside those of seasonal naive on the same windows.
pub(super) struct Paired<'a> {
    pub(super) losses: &'a Losses,
    /// Position of seasonal naive.
    pub(super) baseline: usize,
    pub(super) n_models: usize,
}

impl Paired<'_> {
    /// The mean difference of each model, with windows and series counted so many times.
    pub(super) fn differences(&self, windows: &[f64], series: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_models];
        let mut n = 0.0;
        for (at, count) in series.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let theirs = self.losses.score(at, self.baseline, windows);
            // A resample may hold no observed window of a series; that is so for all models.
            if !theirs.is_finite() {
                continue;
            }
            n += count;
            for (model, sum) in sums.iter_mut().enumerate() {
                *sum += count * (self.losses.score(at, model, windows) - theirs);
            }
        }
        sums.into_iter().map(|sum| sum / n).collect()
    }

    /// The same for every resample; empty if there are too few windows for an interval.
    pub(super) fn resampled(&self, design: &Design, n_resamples: usize, seed: u64) -> Vec<Vec<f64>> {
        if !design.is_enough() {
            return Vec::new();
        }
        let differences = |number: usize| {
            let resample = design.resample(seed, number as u64);
            self.differences(&resample.windows, &resample.series)
        };
        (0..n_resamples).into_par_iter().map(differences).collect()
    }

    /// The share of series, or of windows where there is one series, with a smaller loss than seasonal naive's.
    pub(super) fn win_rate(&self, model: usize, n_windows: usize) -> f64 {
        let n_series = self.losses.n_series();
        let all = vec![1.0; n_windows];
        let pair = |of: &dyn Fn(usize) -> f64| (of(model), of(self.baseline));
        let pairs: Vec<(f64, f64)> = if n_series == 1 {
            (0..n_windows).map(|window| pair(&|m| self.losses.of_window(0, m, window))).collect()
        } else {
            (0..n_series).map(|series| pair(&|m| self.losses.score(series, m, &all))).collect()
        };
        let wins: Vec<f64> = pairs
            .into_iter()
            .filter(|(ours, theirs)| ours.is_finite() && theirs.is_finite())
            .map(|(ours, theirs)| match ours.total_cmp(&theirs) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            })
            .collect();
        metrics::mean(&wins)
    }
}
