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

impl Mixture<'_> {
    /// The weighted quantile `q`, rounded away from the middle; the outermost score where weight is wanting.
    pub(super) fn quantile(&self, q: f64, side: Side) -> Option<f64> {
        let total = self.training_weight * self.training.len() as f64 + self.recent.len() as f64;
        // What lies on the far side of the quantile, the score to come included; the walk begins there, so the
        // few scores in the tail are all that is looked at.
        let beyond = match side {
            Side::Lower => q * (total + 1.0),
            Side::Upper => (1.0 - q) * (total + 1.0),
        };
        let most = beyond + 1e-9 * beyond.max(1.0);
        match side {
            Side::Lower => self.walk(most, |scores, n| scores[n], |a, b| a <= b),
            Side::Upper => self.walk(most, |scores, n| scores[scores.len() - 1 - n], |a, b| a >= b),
        }
    }

    /// The innermost score for which those outside of it and the score to come weigh at most `most`, at least the
    /// outermost. `nth` is a score counted from the outside, `is_outer` whether one lies no less far out than another.
    fn walk(
        &self,
        most: f64,
        nth: impl Fn(&[f64], usize) -> f64,
        is_outer: impl Fn(f64, f64) -> bool,
    ) -> Option<f64> {
        let (n_training, n_recent) = (self.training.len(), self.recent.len());
        let (mut training, mut recent) = (0, 0);
        let (mut weight, mut last) = (0.0, None);
        // A score may be the bound while those outside of it and the score to come weigh no more.
        while training + recent < n_training + n_recent && (last.is_none() || weight + 1.0 <= most) {
            // Which kind comes next cannot be foreseen, so neither is a branch.
            let of_training =
                if n_training > 0 { nth(self.training, training.min(n_training - 1)) } else { 0.0 };
            let of_recent = if n_recent > 0 { nth(self.recent, recent.min(n_recent - 1)) } else { 0.0 };
            let takes_training =
                training < n_training && (recent == n_recent || is_outer(of_training, of_recent));
            training += usize::from(takes_training);
            recent += usize::from(!takes_training);
            weight += if takes_training { self.training_weight } else { 1.0 };
            last = Some(if takes_training { of_training } else { of_recent });
        }
        last
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
                for q in [0.01, 0.05, 0.1, 0.5, 0.77, 0.9, 0.975] {
                    for side in [Side::Lower, Side::Upper] {
                        let found = mixture.quantile(q, side).unwrap();
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
        assert_eq!(empty.quantile(0.5, Side::Upper), None);
    }
}
