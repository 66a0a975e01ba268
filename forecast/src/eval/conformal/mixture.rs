//! Weighted conformal quantiles: the scores of the fit, and those of the forecasts just before a cutoff.
//!
//! With weights `w_i` fixed before the data are seen, the interval between the weighted quantiles of the scores,
//! in which the score to come counts with weight 1, covers at least the nominal share less
//! `sum_i w_i / (1 + sum w) d_TV(i)`, where `d_TV(i)` tells how far the data were from exchangeable at `i`
//! (Barber, Candes, Ramdas, Tibshirani 2023, *Conformal prediction beyond exchangeability*, theorem 2): recent
//! scores weigh more because they differ less.

use super::Side;

/// Sorted scores of two kinds.
#[derive(Debug)]
pub(super) struct Mixture<'a> {
    /// Sorted, each of weight `training_weight`.
    pub(super) training: &'a [f64],
    pub(super) training_weight: f64,
    /// Sorted, each of weight 1.
    pub(super) recent: &'a [f64],
}

/// A walk over scores of both kinds, from the outermost on a side inwards, with few of those in the tail looked at.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    mixture: &'a Mixture<'a>,
    side: Side,
    /// Scores of each kind that were passed, what they weigh, and the innermost of them. Some of one kind that lie further
    /// out than the last of the other may not be among them; they come next.
    training: usize,
    recent: usize,
    weight: f64,
    last: Option<f64>,
}

impl Mixture<'_> {
    pub(super) fn walk(&self, side: Side) -> Walk<'_> {
        Walk { mixture: self, side, training: 0, recent: 0, weight: 0.0, last: None }
    }
}

impl Walk<'_> {
    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// The weighted quantile `q`, rounded away from the middle; the outermost score where weight is wanting. Further in
    /// than those that were asked before.
    pub(super) fn quantile(&mut self, q: f64) -> Option<f64> {
        let Mixture { training, training_weight, recent } = self.mixture;
        let total = training_weight * training.len() as f64 + recent.len() as f64;
        // What lies on the far side of the quantile, the score to come included.
        let beyond = match self.side {
            Side::Lower => q * (total + 1.0),
            Side::Upper => (1.0 - q) * (total + 1.0),
        };
        let most = beyond + 1e-9 * beyond.max(1.0);
        match self.side {
            Side::Lower => self.go_on(most, |scores, n| scores[n], |a, b| a <= b),
            Side::Upper => self.go_on(most, |scores, n| scores[scores.len() - 1 - n], |a, b| a >= b),
        }
        self.last
    }

    /// Goes on to the innermost score for which those outside of it and the score to come weigh at most `most`, at least
    /// to the outermost. `nth` is a score counted from the outside, `is_outer` whether one lies no less far out than
    /// another.
    fn go_on(&mut self, most: f64, nth: impl Fn(&[f64], usize) -> f64, is_outer: impl Fn(f64, f64) -> bool) {
        let Mixture { training: of_training, training_weight, recent: of_recent } = *self.mixture;
        let Walk { mut training, mut recent, mut weight, mut last, .. } = *self;
        // A score may be the bound while those outside of it and the score to come weigh no more.
        while last.is_none() || weight + 1.0 <= most {
            // Of each kind as many as weigh half of what is left: the kind of which the last one of them lies further
            // out is passed at once, for at most the others and half of the rest lie outside of it.
            let half = 0.5 * (most - 1.0 - weight);
            let n_training = ((half / training_weight) as usize).clamp(1, of_training.len().max(1));
            let n_recent = (half as usize).max(1);
            let n_training = n_training.min(of_training.len() - training);
            let n_recent = n_recent.min(of_recent.len() - recent);
            let takes_training = match (n_training, n_recent) {
                (0, 0) => break,
                (0, _) => false,
                (_, 0) => true,
                _ => is_outer(
                    nth(of_training, training + n_training - 1),
                    nth(of_recent, recent + n_recent - 1),
                ),
            };
            let passed = if takes_training {
                training += n_training;
                weight += training_weight * n_training as f64;
                nth(of_training, training - 1)
            } else {
                recent += n_recent;
                weight += n_recent as f64;
                nth(of_recent, recent - 1)
            };
            last = last.filter(|last| is_outer(passed, *last)).or(Some(passed));
        }
        *self = Walk { training, recent, weight, last, ..*self };
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the quantile is one of the scores")]
mod tests {
    use super::*;

    /// The definition: the score to come sits at infinity with weight 1.
    fn naive(mixture: &Mixture<'_>, q: f64, side: Side) -> f64 {
        let sign = if side == Side::Lower { -1.0 } else { 1.0 };
        let q = if side == Side::Lower { 1.0 - q } else { q };
        let mut all: Vec<(f64, f64)> =
            mixture.training.iter().map(|s| (sign * s, mixture.training_weight)).collect();
        all.extend(mixture.recent.iter().map(|s| (sign * s, 1.0)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = all.iter().map(|(_, w)| w).sum::<f64>() + 1.0;
        let mut below = 0.0;
        for (score, weight) in &all {
            below += weight;
            if below >= q * total - 1e-9 * total {
                return sign * score;
            }
        }
        sign * all.last().unwrap().0
    }

    #[test]
    fn quantiles_are_those_of_the_definition() {
        let training: Vec<f64> = (0..57).map(|i| f64::from((i * 37) % 101)).collect();
        let recent: Vec<f64> = (0..23).map(|i| f64::from((i * 53) % 89) + 20.5).collect();
        let (training, recent) = (crate::data::sorted(training), crate::data::sorted(recent));
        for training_weight in [0.0, 0.13, 1.0, 2.5] {
            for (training, recent) in [
                (&training[..], &recent[..]),
                (&training[..], &[]),
                (&[], &recent[..]),
                (&training[..1], &[]),
            ] {
                let mixture = Mixture { training, training_weight, recent };
                for side in [Side::Lower, Side::Upper] {
                    let mut walk = mixture.walk(side);
                    for tail in [0.01, 0.05, 0.05, 0.1, 0.5, 0.77, 0.9, 0.975] {
                        let q = if side == Side::Lower { tail } else { 1.0 - tail };
                        let found = walk.quantile(q).unwrap();
                        assert_eq!(found, mixture.walk(side).quantile(q).unwrap());
                        if training_weight > 0.0 || !recent.is_empty() {
                            assert_eq!(found, naive(&mixture, q, side), "{mixture:?} {q} {side:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_score_has_no_quantile() {
        let empty = Mixture { training: &[], training_weight: 1.0, recent: &[] };
        assert_eq!(empty.walk(Side::Upper).quantile(0.5), None);
    }
}
