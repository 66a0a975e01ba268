//! What is known at a cutoff about the errors just before it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::ranks::each_sorted;
use super::sort::Before;
use super::{ByWindow, Outer};

/// No model looks back further than this for errors, in steps.
const LONGEST_RECALL: usize = 100_000;
/// The running scale is told from this many one-step errors.
const SCALE_STEPS: usize = 24;
/// Steps that are looked back for outcomes, at least, and seasons.
const SHORTEST_RECALL: usize = 500;
const SEASONS_RECALLED: usize = 2;
/// About as many forecasts are made again to see how they did.
const N_RECALLED: usize = 100;
/// What all calibration windows of the fit weigh together beside them, as a share of their number.
const TRAINING_SHARE: f64 = 0.1;
/// Share of the scores of the fit, on each side, that lie further out than scaling carries a recent error.
const OUTER_SHARE: f64 = 0.01;

/// How the errors before a cutoff enter its intervals; written into the model file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recency {
    pub(crate) scale_steps: usize,
    /// Steps before the cutoff whose outcomes are looked at.
    pub(crate) recall: usize,
    /// Steps from one of the forecasts that are made again to the next.
    pub(crate) stride: usize,
    pub(crate) training_share: f64,
    /// Share of the scores of the fit, on each side, beyond which scaling does not carry a recent error; files
    /// saved before there was such a bound have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outer_share: Option<f64>,
}

/// Sum and number of the last absolute one-step errors of a channel, in the units of the series.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct LastErrors {
    pub(crate) sum: f64,
    pub(crate) n: usize,
}

/// The errors of the forecasts before a cutoff, in the units of its intervals.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recent {
    /// What a score is multiplied by at the cutoff, one a channel.
    pub(crate) scale: Vec<f64>,
    /// Scores of earlier forecasts, the latest first, NaN where the outcome is not known.
    pub(crate) scores: ByWindow,
    /// How far out the scores of single steps lie at most.
    pub(crate) outer: Outer,
}

/// The same with the scores of each step and channel bounded and sorted, for any number of quantiles.
#[derive(Debug)]
pub(crate) struct SortedRecent<'a> {
    pub(crate) recent: &'a Recent,
    /// Those that are numbers.
    sorted: Vec<f64>,
    /// Where those of a step and channel stand. Shape `(channel, horizon)`.
    ranges: Vec<Range<usize>>,
}

impl Recent {
    /// Nothing but a scale.
    pub(crate) fn of_scale(scale: Vec<f64>) -> Self {
        Recent { scale, scores: ByWindow::default(), outer: Outer::default() }
    }

    /// Bounds and sorts the scores of each step and channel.
    pub(crate) fn sorted(&self) -> SortedRecent<'_> {
        let scores = &self.scores;
        let mut sorted = Vec::with_capacity(scores.n_windows() * scores.window_len());
        let mut ranges = Vec::with_capacity(scores.window_len());
        for channel in 0..scores.n_channels() {
            let before = |first| Before { within: self.outer.within(channel, first), ..Before::default() };
            each_sorted(scores.paths(channel), scores.horizon(), before, |_, of_step| {
                ranges.push(sorted.len()..sorted.len() + of_step.len());
                sorted.extend_from_slice(of_step);
            });
        }
        SortedRecent { recent: self, sorted, ranges }
    }
}

impl SortedRecent<'_> {
    /// The sorted scores of one step and channel.
    pub(crate) fn scores(&self, step: usize, channel: usize) -> &[f64] {
        let at = channel * self.recent.scores.horizon() + step;
        self.ranges.get(at).map_or(&[], |range| &self.sorted[range.clone()])
    }
}

impl LastErrors {
    /// The running scale: the mean of the last errors, in which the long-run mean counts as `weight` of them; with
    /// infinite weight the long-run mean alone.
    pub(crate) fn scale(&self, long_run: f64, weight: f64) -> f64 {
        let n = weight + self.n as f64;
        let scale = self.sum / n + weight / n * long_run;
        // Also where the weight is infinite: a quotient of infinities is no number.
        if scale.is_normal() { scale } else { long_run }
    }
}

impl Recency {
    /// The rule for data with this season.
    pub(crate) fn new(season_length: usize) -> Self {
        let seasons = season_length.saturating_mul(SEASONS_RECALLED);
        let recall = seasons.clamp(SHORTEST_RECALL, LONGEST_RECALL);
        // A stride that shares no factor with the season visits all of its phases.
        let fewest = recall / N_RECALLED;
        let stride = (fewest..).find(|s| gcd(*s, season_length) == 1).unwrap_or(fewest);
        Recency {
            scale_steps: SCALE_STEPS,
            recall,
            stride,
            training_share: TRAINING_SHARE,
            outer_share: Some(OUTER_SHARE),
        }
    }

    /// True if a rule from a file is one that can be followed.
    pub(crate) fn is_sound(&self) -> bool {
        *self == Recency::none()
            || (1..=LONGEST_RECALL).contains(&self.scale_steps)
                && (1..=LONGEST_RECALL).contains(&self.recall)
                && (1..=self.recall).contains(&self.stride)
                && (0.0..=1.0).contains(&self.training_share)
                && self.outer_share.is_none_or(|share| (0.0..=0.5).contains(&share))
    }

    /// The rule for models that do not look at the errors before a cutoff: split conformal prediction.
    pub(crate) fn none() -> Self {
        Recency { scale_steps: 0, recall: 0, stride: 1, training_share: 1.0, outer_share: None }
    }

    /// How much each of `n_training` scores weighs beside `n_recent` ones that weigh 1 each.
    ///
    /// Without recent ones it is 1, so that ranks are those of split conformal prediction; with each recent one
    /// the training scores weigh less, until all of them together weigh `training_share` of the recent ones.
    pub(crate) fn training_weight(&self, n_training: usize, n_recent: usize) -> f64 {
        let n_training = n_training as f64;
        let floor = (self.training_share * n_recent as f64 / n_training).min(1.0);
        if n_training > 0.0 { (1.0 / (1 + n_recent) as f64).max(floor) } else { 0.0 }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_scale_moves_from_the_long_run_to_the_last_errors() {
        let scale = |sum, n| LastErrors { sum, n }.scale(10.0, 10.0);
        assert!((scale(0.0, 0) - 10.0).abs() < 1e-12);
        assert!((scale(0.0, 24) - 100.0 / 34.0).abs() < 1e-12);
        assert!((scale(24.0 * 44.0, 24) - 34.0).abs() < 1e-12);
        assert!((scale(10.0 * 40.0, 10) - 25.0).abs() < 1e-12);
        // An overflow falls back to the long run.
        assert!((scale(f64::INFINITY, 24) - 10.0).abs() < 1e-12);
        assert!((LastErrors { sum: 96.0, n: 24 }.scale(10.0, f64::INFINITY) - 10.0).abs() < 1e-12);
    }

    #[test]
    fn scores_of_each_step_are_sorted_and_infinite_ones_left_out() {
        let mut scores = ByWindow::zeros(40, 2, 12);
        for (at, score) in scores.values_mut().iter_mut().enumerate() {
            *score = match at % 11 {
                3 => f64::NAN,
                7 => f64::INFINITY,
                _ => (at * 7919 % 101) as f64 - 50.0,
            };
        }
        let recent = Recent { scores, ..Recent::of_scale(vec![1.0; 2]) };
        let sorted = recent.sorted();
        for channel in 0..2 {
            for step in 0..12 {
                let known = recent.scores.at(channel, step).filter(|score| score.is_finite());
                assert_eq!(sorted.scores(step, channel), crate::data::sorted(known.collect()));
            }
        }
        assert!(Recent::of_scale(vec![1.0]).sorted().scores(0, 0).is_empty());
    }

    #[test]
    fn training_scores_weigh_one_each_alone_and_the_given_share_beside_many_recent_ones() {
        let recency = Recency::new(24);
        assert!((recency.training_weight(400, 0) - 1.0).abs() < 1e-12);
        assert!((400.0 * recency.training_weight(400, 100) - 10.0).abs() < 1e-9);
        assert!((400.0 * recency.training_weight(400, 9) - 40.0).abs() < 1e-9);
        // Fewer than their share are not blown up.
        assert!((recency.training_weight(7, 100) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_forecasts_that_are_made_again_visit_all_phases_of_the_season() {
        for season_length in [1, 7, 24, 96, 168, 1440, 10_000_000] {
            let recency = Recency::new(season_length);
            assert!(recency.is_sound(), "{recency:?}");
            assert_eq!(gcd(recency.stride, season_length), 1);
            assert!(recency.recall >= (2 * season_length).min(LONGEST_RECALL));
        }
    }
}
