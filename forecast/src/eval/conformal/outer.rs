//! How far scaling carries a recent error.
//!
//! An error from before a burst was divided by a small running scale; multiplied with the large one of a cutoff in the
//! burst it is larger than any error was. So the score of a recent step lies no further out than all but a small share
//! of the scores of the fit, or than the error itself, if that is larger. Whole paths are scored without this bound:
//! their errors come in bursts, and bands hold fewer of them with it.

use super::{ByWindow, Calibration};

/// The bounds of the scores of recent steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outer {
    /// The outer scores of the fit, below and above. Shape `(channel, step)`; no steps where nothing is scaled.
    bounds: Vec<Vec<(f64, f64)>>,
    /// The running scale of each recent forecast over that of the cutoff. Shape `(channel, window)`.
    ratios: Vec<Vec<f64>>,
}

impl Outer {
    /// Bounds for the steps of a horizon; `ratios` of shape `(channel, window)`.
    pub(crate) fn new(calibration: &Calibration, horizon: usize, ratios: Vec<Vec<f64>>) -> Self {
        let share = calibration.recency.and_then(|recency| recency.outer_share);
        let of_channel = |(channel, weight): (usize, &f64)| match share {
            Some(share) if weight.is_finite() => (0..horizon)
                .map(|step| outermost(calibration.training_scores(channel, step), share))
                .collect(),
            _ => Vec::new(),
        };
        let bounds = calibration.long_run_weight.iter().enumerate().map(of_channel).collect();
        Outer { bounds, ratios }
    }

    /// Bounds scores of recent steps.
    pub(super) fn bound(&self, scores: &mut ByWindow) {
        let n_channels = scores.n_channels();
        for channel in 0..n_channels {
            let (Some(bounds), Some(ratios)) = (self.bounds.get(channel), self.ratios.get(channel)) else {
                continue;
            };
            for (path, ratio) in scores.paths_mut(channel).zip(ratios) {
                for (score, bounds) in path.iter_mut().zip(bounds) {
                    *score = within(*bounds, *score, *score * ratio);
                }
            }
        }
    }
}

/// The scores that a share of sorted ones lies beyond on each side.
fn outermost(scores: &[f64], share: f64) -> (f64, f64) {
    let n_beyond = ((share * (scores.len() + 1) as f64) as usize).saturating_sub(1);
    match scores.len() {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        n => (scores[n_beyond], scores[n - 1 - n_beyond]),
    }
}

/// A score within bounds that reach at least to the error as it was, told by its score on the scale of now.
fn within((lowest, highest): (f64, f64), score: f64, as_it_was: f64) -> f64 {
    let (lowest, highest) = (lowest.min(as_it_was), highest.max(as_it_was));
    // What is missing lies beyond neither and stays so.
    if score < lowest {
        lowest
    } else if score > highest {
        highest
    } else {
        score
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are chosen, not computed")]
mod tests {
    use super::*;
    use crate::eval::conformal::Recency;

    #[test]
    fn scaling_carries_an_error_to_the_outer_scores_or_to_what_it_was() {
        for (score, as_it_was, expected) in [
            (1.0, 0.5, 1.0),
            (9.0, 1.0, 3.0),
            (9.0, 4.0, 4.0),
            (-9.0, -1.0, -2.0),
            (-9.0, -4.0, -4.0),
            // Where the scale has become smaller, errors do with it.
            (9.0, 20.0, 9.0),
            (-9.0, -20.0, -9.0),
            (f64::INFINITY, 1.0, 3.0),
        ] {
            assert_eq!(within((-2.0, 3.0), score, as_it_was), expected, "{score} {as_it_was}");
        }
        assert!(within((-2.0, 3.0), f64::NAN, f64::NAN).is_nan());
    }

    #[test]
    fn outermost_scores_leave_their_share_beyond_them_on_each_side() {
        let scores: Vec<f64> = (1..=199).map(f64::from).collect();
        // Rank 2 of 200, as of the bounds of level 98.
        assert_eq!(outermost(&scores, 0.01), (2.0, 198.0));
        assert_eq!(outermost(&scores, 0.5), (100.0, 100.0));
        assert_eq!(outermost(&scores[..5], 0.01), (1.0, 5.0));
        assert_eq!(outermost(&scores[..1], 0.5), (1.0, 1.0));
        assert_eq!(outermost(&[], 0.01), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn nothing_is_bounded_where_nothing_is_scaled_or_a_file_has_no_such_rule() {
        let bounded = |weight: f64, recency: Recency| {
            let mut calibration = Calibration::none(1, (1, 1), recency);
            calibration.scores = ndarray::Array3::from_elem((1, 1, 9), 1.0);
            calibration.long_run_weight = vec![weight];
            let mut scores = ByWindow::zeros(1, 1, 1);
            scores.values_mut()[0] = 5.0;
            Outer::new(&calibration, 1, vec![vec![0.5]]).bound(&mut scores);
            scores.path(0, 0)[0]
        };
        let rule = Recency::new(1);
        assert_eq!(bounded(10.0, rule), 2.5);
        assert_eq!(bounded(f64::INFINITY, rule), 5.0);
        assert_eq!(bounded(10.0, Recency { outer_share: None, ..rule }), 5.0);
    }
}
