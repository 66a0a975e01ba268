//! One tail of an adaptive interval: the level that keeps the share of misses on target, found online.
//!
//! After each outcome every expert `i` moves its level by `gamma_i (a - 1{beta < alpha_i})` (adaptive conformal
//! inference: Gibbs and Candes 2021, equation 2), where `beta` is the largest level at which the outcome would
//! have been covered; so over `T` outcomes its share of misses is within `O(1 / (gamma_i T))` of `a` on any
//! sequence whatever. The levels are averaged with exponential weights of the pinball loss of `beta` (dynamically
//! tuned adaptive conformal inference: Gibbs and Candes 2024, algorithm 1, the average of section 3 in place of a
//! random draw), so that no step size has to be chosen.

use serde::{Deserialize, Serialize};

/// The step sizes of the experts, as in the paper.
const STEP_SIZES: [f64; 8] = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128];
/// Outcomes over which the weights are to follow the best expert.
const SPAN: f64 = 500.0;

/// The level of one tail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tracker {
    target: f64,
    levels: [f64; STEP_SIZES.len()],
    weights: [f64; STEP_SIZES.len()],
}

impl Tracker {
    /// Experts that begin at the target, a tail between 0 and one half.
    pub(crate) fn new(target: f64) -> Self {
        let n = STEP_SIZES.len();
        Tracker { target, levels: [target; STEP_SIZES.len()], weights: [1.0 / n as f64; STEP_SIZES.len()] }
    }

    /// The tail level to use for the next interval; it may leave the range from 0 to one half.
    pub(crate) fn level(&self) -> f64 {
        self.levels.iter().zip(self.weights).map(|(level, weight)| level * weight).sum()
    }

    /// Takes an outcome by the largest tail level at which it would have been covered.
    pub(crate) fn observe(&mut self, beta: f64) {
        let n = STEP_SIZES.len() as f64;
        let a = self.target;
        // The rates of section 3.2 for a change every `SPAN` outcomes.
        let variance = (1.0 - a).powi(2) * a.powi(3) + a.powi(2) * (1.0 - a).powi(3);
        let rate = (3.0 / SPAN).sqrt() * (((n * SPAN).ln() + 2.0) / variance).sqrt();
        let share = 1.0 / (2.0 * SPAN);
        let loss = |level: f64| a * (beta - level) - (beta - level).min(0.0);
        let mut total = 0.0;
        for (weight, level) in self.weights.iter_mut().zip(self.levels) {
            *weight *= (-rate * loss(level)).exp();
            total += *weight;
        }
        for weight in &mut self.weights {
            *weight = if total > 0.0 { (1.0 - share) * *weight / total + share / n } else { 1.0 / n };
        }
        for (level, step_size) in self.levels.iter_mut().zip(STEP_SIZES) {
            let miss = if beta < *level { 1.0 } else { 0.0 };
            *level += step_size * (a - miss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws between 0 and 1 from a fixed multiplicative generator.
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((*state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    #[test]
    fn misses_stay_on_target_while_the_scores_are_exchangeable_and_after_they_are_not() {
        for target in [0.1, 0.05, 0.025] {
            let mut tracker = Tracker::new(target);
            let mut seed = 11;
            for (name, power) in [("exchangeable", 1.0), ("too narrow", 2.0), ("too wide", 0.5)] {
                let n = 20_000;
                let mut misses = 0;
                for _ in 0..n {
                    let beta = uniform(&mut seed).powf(power);
                    misses += usize::from(beta < tracker.level());
                    tracker.observe(beta);
                }
                let share = misses as f64 / n as f64;
                assert!((share - target).abs() < 0.01, "{name}: {share} for {target}");
            }
        }
    }

    #[test]
    fn weights_are_a_distribution_whatever_comes() {
        let mut tracker = Tracker::new(0.025);
        for i in 0..5_000 {
            tracker.observe(if i < 3_000 { 0.0 } else { 1.0 });
            let total: f64 = tracker.weights.iter().sum();
            assert!((total - 1.0).abs() < 1e-9 && tracker.level().is_finite());
        }
    }
}
