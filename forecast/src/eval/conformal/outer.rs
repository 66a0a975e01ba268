//! How far scaling carries a recent error.
//!
//! An error from before a burst was divided by a small running scale; multiplied with the large one of a cutoff in the
//! burst it is larger than any error was. So the score of a recent step lies no further out than all but a small share
//! of the scores of the fit, or than the error itself, if that is larger. Whole paths are scored without this bound:
//! their errors come in bursts, and bands hold fewer of them with it.

use super::Calibration;
use super::lanes::LANES;
use super::sort::Within;

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

    /// What bounds the scores of the steps of a channel from one on; `None` where nothing does.
    pub(super) fn within(&self, channel: usize, first: usize) -> Option<Within<'_>> {
        let bounds = self.bounds.get(channel)?.get(first..).filter(|bounds| !bounds.is_empty())?;
        let mut within = Within {
            lowest: [f64::NEG_INFINITY; LANES],
            highest: [f64::INFINITY; LANES],
            ratios: self.ratios.get(channel)?,
        };
        for ((lowest, highest), bounds) in within.lowest.iter_mut().zip(&mut within.highest).zip(bounds) {
            (*lowest, *highest) = *bounds;
        }
        Some(within)
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

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are chosen, not computed")]
mod tests {
    use super::*;
    use crate::eval::conformal::{ByWindow, Recency, Recent};

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
            let recent = Recent {
                scores,
                outer: Outer::new(&calibration, 1, vec![vec![0.5]]),
                ..Recent::of_scale(vec![1.0])
            };
            recent.sorted().scores(0, 0)[0]
        };
        let rule = Recency::new(1);
        assert_eq!(bounded(10.0, rule), 2.5);
        assert_eq!(bounded(f64::INFINITY, rule), 5.0);
        assert_eq!(bounded(10.0, Recency { outer_share: None, ..rule }), 5.0);
    }
}
