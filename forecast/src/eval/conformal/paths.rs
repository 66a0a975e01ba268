//! Bands for whole paths: one score a window, the largest of its steps.
//!
//! Step `k` of a window counts with `max(s_k / u_k, -s_k / l_k)`, where `u_k` and `l_k` are the mean sizes of
//! positive and negative scores at that step, so that no step and no side takes the whole band; the score of the
//! path of `h` steps is the largest of its first `h`. A conformal quantile of that score gives a band that holds
//! the whole path with the nominal probability (simultaneous bands as in Diquigiovanni, Fontana, Vantini 2022,
//! *Conformal prediction bands for multivariate functional data*, section 3, with the modulation of each side).

use ndarray::Array3;

use super::ByWindow;
use super::residuals::{MOST_PATHS, sorted_scores};

/// Scores of whole paths.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paths {
    /// Sorted scores of the paths up to each step, padded with NaN. Shape `(channel, horizon, window)`.
    pub(crate) scores: Array3<f64>,
    /// What a score of 1 reaches below and above the forecast, in running scales. Shape `(channel, horizon, 2)`.
    pub(crate) reach: Array3<f64>,
}

impl Paths {
    /// From one path of scores a window and channel.
    pub(super) fn new(scores: &ByWindow) -> Self {
        let shape = (scores.n_channels(), scores.horizon(), 2);
        let reach = Array3::from_shape_fn(shape, |(channel, step, side)| {
            let scores = scores.at(channel, step).filter(|score| !score.is_nan());
            let sizes = scores.map(|score| if side == 0 { -score } else { score }.max(0.0));
            let (sum, n) = sizes.fold((0.0, 0.0), |(sum, n), size| (sum + size, n + 1.0));
            let mean: f64 = sum / n;
            mean
        });
        // A side without errors is as wide as the other, one without any as the scale.
        let reach = Array3::from_shape_fn(reach.raw_dim(), |(channel, step, side)| {
            let sides = [reach[[channel, step, side]], reach[[channel, step, 1 - side]], 1.0];
            sides.into_iter().find(|mean| mean.is_normal()).unwrap_or(1.0)
        });
        let mut paths = Paths { scores: Array3::zeros((0, 0, 0)), reach };
        // Running maxima first, so that each path is walked once.
        let mut maxima = scores.clone();
        if scores.horizon() > 0 {
            for (at, path) in maxima.values_mut().chunks_exact_mut(scores.horizon()).enumerate() {
                paths.maximise(at % scores.n_channels(), path);
            }
        }
        let shape = [scores.n_channels(), scores.horizon(), scores.n_windows()];
        paths.scores = sorted_scores(|channel| maxima.paths(channel), shape, &[], MOST_PATHS);
        paths
    }

    /// The score of a path of step scores; NaN if one of them is.
    pub(super) fn score(&self, channel: usize, path: impl Iterator<Item = f64>) -> f64 {
        path.enumerate().fold(0.0, |max: f64, (step, score)| self.larger(max, channel, step, score))
    }

    /// From the scores of the steps of a path to those of all its beginnings.
    fn maximise(&self, channel: usize, path: &mut [f64]) {
        let mut max: f64 = 0.0;
        for (step, score) in path.iter_mut().enumerate() {
            max = self.larger(max, channel, step, *score);
            *score = max;
        }
    }

    fn larger(&self, max: f64, channel: usize, step: usize, score: f64) -> f64 {
        let size = if score < 0.0 {
            -score / self.reach[[channel, step, 0]]
        } else {
            score / self.reach[[channel, step, 1]]
        };
        // What is not known makes the maximum unknown.
        if max.is_nan() || size.is_nan() { f64::NAN } else { max.max(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_of_a_path_is_its_largest_step_on_that_steps_side() {
        let mut scores = ByWindow::zeros(3, 1, 2);
        scores.values_mut().copy_from_slice(&[1.0, -4.0, 3.0, 8.0, -2.0, f64::NAN]);
        let paths = Paths::new(&scores);
        let reach: Vec<f64> = paths.reach.iter().copied().collect();
        let expected = [2.0 / 3.0, 4.0 / 3.0, 2.0, 4.0];
        assert!(reach.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{reach:?}");
        let first: Vec<f64> = paths.scores.slice(ndarray::s![0, 0, ..]).to_vec();
        assert!(first.iter().zip([0.75, 2.25, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{first:?}");
        let second: Vec<f64> = paths.scores.slice(ndarray::s![0, 1, ..]).to_vec();
        assert!((second[0] - 2.0).abs() < 1e-12 && (second[1] - 2.25).abs() < 1e-12 && second[2].is_nan());
        assert!((paths.score(0, [1.0, -4.0].into_iter()) - 2.0).abs() < 1e-12);
        assert!(paths.score(0, [f64::NAN, 1.0].into_iter()).is_nan());
    }

    #[test]
    fn a_side_without_errors_is_as_wide_as_the_other() {
        let mut scores = ByWindow::zeros(2, 2, 1); // (window, channel, step)
        scores.values_mut().copy_from_slice(&[2.0, 0.0, 4.0, 0.0]);
        let paths = Paths::new(&scores);
        assert!(paths.reach.iter().zip([3.0, 3.0, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
