//! How much of the errors just before a cutoff enters its running scale: what gives the better intervals.

use ndarray::Array2;

use super::ranks::Outermost;
use super::residuals::Residuals;

/// As how many errors the long-run mean may count beside the last ones; the first of equally good ones is taken.
const WEIGHTS: [f64; 3] = [f64::INFINITY, 40.0, 10.0];
/// The miscoverage of the intervals that are compared.
const ALPHA: f64 = 0.1;
/// Steps that are looked at, evenly spaced.
const MOST_STEPS: usize = 8;

/// The weight of the long-run mean with the smallest mean interval score (Gneiting and Raftery 2007, *Strictly
/// proper scoring rules*, equation 43) of 90 % intervals on the calibration windows of one channel.
pub(super) fn long_run_weight(
    residuals: &[Residuals],
    channel: usize,
    horizon: usize,
    spread: &Array2<f64>, // (slot, channel)
) -> f64 {
    let mut weighed = WEIGHTS.map(|weight| Weighed::new(residuals, channel, spread, weight));
    let stride = horizon.div_ceil(MOST_STEPS).max(1);
    let mut scores = [0.0; WEIGHTS.len()];
    let mut errors = Vec::new();
    for step in (0..horizon).step_by(stride) {
        errors.clear();
        residuals.iter().for_each(|series| errors.extend(series.errors.at(channel, step)));
        let of_step = interval_scores(&errors, &mut weighed);
        scores.iter_mut().zip(of_step).for_each(|(score, of_step)| *score += of_step);
    }
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score < scores[best] {
            best = i;
        }
    }
    WEIGHTS[best]
}

/// The windows of all series as one weight sees them.
struct Weighed {
    /// What errors are divided by.
    scales: Vec<f64>,
    /// The same in long-run scales of each series.
    relative: Vec<f64>,
    /// The scores of a step, then what each adds to the interval score.
    scores: Vec<f64>,
    /// Scores that are finite, where not all are.
    finite: Vec<f64>,
    outermost: Outermost,
}

impl Weighed {
    fn new(residuals: &[Residuals], channel: usize, spread: &Array2<f64>, weight: f64) -> Self {
        let (mut scales, mut relative) = (Vec::new(), Vec::new());
        for (slot, series) in residuals.iter().enumerate() {
            let long_run = spread[[slot, channel]];
            let from = scales.len();
            scales.extend(series.scales(channel, long_run, weight));
            relative.extend(scales[from..].iter().map(|scale| scale / long_run));
        }
        let (scores, finite) = (Vec::with_capacity(scales.len()), Vec::new());
        Weighed { scales, relative, scores, finite, outermost: Outermost::default() }
    }

    /// Takes the errors of a step. Returns how many windows have a score; what each adds is then in `scores`.
    fn take(&mut self, errors: &[f64]) -> usize {
        self.scores.clear();
        self.scores.extend(errors.iter().zip(&self.scales).map(|(error, scale)| error / scale));
        let all_are = self.scores.iter().fold(true, |all_are, score| all_are & score.is_finite());
        let finite = if all_are {
            &self.scores
        } else {
            self.finite.clear();
            self.finite.extend(self.scores.iter().filter(|score| score.is_finite()));
            &self.finite
        };
        let n = finite.len();
        if n == 0 {
            self.scores.fill(0.0);
            return 0;
        }
        let tail = ((ALPHA / 2.0 * (n + 1) as f64) as usize).clamp(1, n);
        let (lower, upper) = self.outermost.find(finite, tail);
        let positive = |distance: f64| if distance > 0.0 { distance } else { 0.0 };
        for (score, relative) in self.scores.iter_mut().zip(&self.relative) {
            let miss = positive(lower - *score) + positive(*score - upper);
            let adds = relative * (upper - lower + 2.0 / ALPHA * miss);
            *score = if score.is_finite() { adds } else { 0.0 };
        }
        n
    }
}

/// The mean interval scores of one step with each weight, in long-run scales of each series.
fn interval_scores<const N: usize>(errors: &[f64], weighed: &mut [Weighed; N]) -> [f64; N] {
    let n = weighed.each_mut().map(|weighed| weighed.take(errors));
    let scores = weighed.each_ref().map(|weighed| &weighed.scores[..errors.len()]);
    let mut sums = [0.0; N];
    // All weights at a time: a sum waits for its last term, and meanwhile the others go on.
    for window in 0..errors.len() {
        sums.iter_mut().zip(&scores).for_each(|(sum, scores)| *sum += scores[window]);
    }
    let mut means = [0.0; N];
    for ((mean, sum), n) in means.iter_mut().zip(sums).zip(n) {
        *mean = if n == 0 { 0.0 } else { sum / n as f64 };
    }
    means
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the weight is one of the list")]
mod tests {
    use super::*;
    use crate::eval::conformal::LastErrors;

    /// Errors of uniform size times what `size` says of a window, after errors of the size that `told` says.
    fn weight(size: impl Fn(usize) -> f64, told: impl Fn(usize) -> f64) -> f64 {
        long_run_weight(&[residuals(600, size, told)], 0, 3, &Array2::from_elem((2, 1), 1.0))
    }

    fn residuals(n: usize, size: impl Fn(usize) -> f64, told: impl Fn(usize) -> f64) -> Residuals {
        let mut residuals = Residuals::zeros(n, 1, 3);
        for (i, path) in residuals.errors.values_mut().chunks_mut(3).enumerate() {
            path.fill(size(i) * (((i * 37) % 101) as f64 / 50.0 - 1.0));
            residuals.last[i] = LastErrors { sum: 24.0 * told(i), n: 24 };
        }
        residuals
    }

    /// The definition, with sorted scores.
    fn naive(series: &[Residuals], step: usize, spread: &Array2<f64>, weight: f64) -> f64 {
        let mut scored = Vec::new();
        for (slot, residuals) in series.iter().enumerate() {
            let long_run = spread[[slot, 0]];
            for (error, last) in residuals.errors.at(0, step).zip(&residuals.last) {
                let scale = last.scale(long_run, weight);
                if (error / scale).is_finite() {
                    scored.push((error / scale, scale / long_run));
                }
            }
        }
        let n = scored.len();
        let sorted = crate::data::sorted(scored.iter().map(|(score, _)| *score).collect());
        let tail = ((ALPHA / 2.0 * (n + 1) as f64) as usize).max(1);
        let (lower, upper) = (sorted[tail - 1], sorted[n - tail]);
        let one = |(score, scale): &(f64, f64)| {
            let miss = (lower - score).max(0.0) + (score - upper).max(0.0);
            scale * (upper - lower + 2.0 / ALPHA * miss)
        };
        scored.iter().map(one).sum::<f64>() / n as f64
    }

    #[test]
    fn scores_are_those_of_the_definition_to_the_bit() {
        let size = |i: usize| 0.5 + (i % 7) as f64;
        for n in [1, 30, 119, 700] {
            let mut all = [residuals(n, size, |i| size(i + 1)), residuals(n / 2, size, |_| 0.0)];
            // A missing outcome, and a score that is too large for a number.
            all[0].errors.values_mut()[n / 2] = f64::NAN;
            all[0].errors.values_mut()[(n / 3) * 3 + 2] = f64::MAX;
            let spread = Array2::from_shape_fn((3, 1), |(slot, _)| 1e-3 + slot as f64);
            let mut weighed = WEIGHTS.map(|weight| Weighed::new(&all, 0, &spread, weight));
            for step in 0..3 {
                let errors: Vec<f64> = all.iter().flat_map(|series| series.errors.at(0, step)).collect();
                let found = interval_scores(&errors, &mut weighed);
                if errors.iter().any(|error| error.abs() < f64::MAX) {
                    assert_eq!(found, WEIGHTS.map(|weight| naive(&all, step, &spread, weight)), "{n} {step}");
                }
            }
        }
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
