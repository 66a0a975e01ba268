//! How much of the errors just before a cutoff enters its running scale: what gives the better intervals.

use ndarray::Array2;

use super::residuals::Residuals;

/// As how many errors the long-run mean may count beside the last ones; the first of equally good ones is taken.
const WEIGHTS: [f64; 3] = [f64::INFINITY, 40.0, 10.0];
/// The miscoverage of the intervals that are compared.
const ALPHA: f64 = 0.1;
/// Steps that are looked at, evenly spaced.
const MOST_STEPS: usize = 24;

/// The weight of the long-run mean with the smallest mean interval score (Gneiting and Raftery 2007, *Strictly
/// proper scoring rules*, equation 43) of 90 % intervals on the calibration windows of one channel.
pub(super) fn long_run_weight(
    residuals: &[Residuals],
    channel: usize,
    horizon: usize,
    spread: &Array2<f64>, // (slot, channel)
) -> f64 {
    let stride = horizon.div_ceil(MOST_STEPS).max(1);
    let score = |weight: f64| {
        let steps = (0..horizon).step_by(stride);
        steps.map(|step| interval_score(residuals, channel, step, spread, weight)).sum::<f64>()
    };
    let scores = WEIGHTS.map(score);
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score < scores[best] {
            best = i;
        }
    }
    WEIGHTS[best]
}

/// The mean interval score of one step, in long-run scales of each series.
fn interval_score(
    residuals: &[Residuals],
    channel: usize,
    step: usize,
    spread: &Array2<f64>,
    weight: f64,
) -> f64 {
    let mut scored = Vec::new();
    for (slot, series) in residuals.iter().enumerate() {
        let long_run = spread[[slot, channel]];
        for window in &series.windows {
            let scale = window.last[channel].scale(long_run, weight);
            let score = window.residuals[[step, channel]] / scale;
            if score.is_finite() {
                scored.push((score, scale / long_run));
            }
        }
    }
    let n = scored.len();
    if n == 0 {
        return 0.0;
    }
    let tail = ((ALPHA / 2.0 * (n + 1) as f64) as usize).clamp(1, n);
    let mut sizes: Vec<f64> = scored.iter().map(|(score, _)| *score).collect();
    let (_, lower, _) = sizes.select_nth_unstable_by(tail - 1, f64::total_cmp);
    let lower = *lower;
    let (_, upper, _) = sizes.select_nth_unstable_by(n - tail, f64::total_cmp);
    let upper = *upper;
    let one = |(score, scale): &(f64, f64)| {
        let miss = (lower - score).max(0.0) + (score - upper).max(0.0);
        scale * (upper - lower + 2.0 / ALPHA * miss)
    };
    scored.iter().map(one).sum::<f64>() / n as f64
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the weight is one of the list")]
mod tests {
    use super::*;
    use crate::eval::conformal::{LastErrors, Window};

    /// Errors of uniform size times what `size` says of a window, after errors of the size that `told` says.
    fn weight(size: impl Fn(usize) -> f64, told: impl Fn(usize) -> f64) -> f64 {
        let window = |i: usize| Window {
            residuals: Array2::from_elem((3, 1), size(i) * (((i * 37) % 101) as f64 / 50.0 - 1.0)),
            last: vec![LastErrors { sum: 24.0 * told(i), n: 24 }],
        };
        let residuals = [Residuals { windows: (0..600).map(window).collect() }];
        long_run_weight(&residuals, 0, 3, &Array2::from_elem((2, 1), 1.0))
    }

    #[test]
    fn the_last_errors_count_where_they_tell_how_large_the_next_are() {
        let bursts = |i: usize| if (i / 60).is_multiple_of(2) { 0.3 } else { 3.0 };
        assert_eq!(weight(bursts, bursts), 10.0);
        // Told the wrong way round, or nothing at all, they do not.
        assert_eq!(weight(bursts, |i| 3.3 - bursts(i)), f64::INFINITY);
        assert_eq!(weight(|_| 1.0, |_| 1.0), f64::INFINITY);
    }
}
