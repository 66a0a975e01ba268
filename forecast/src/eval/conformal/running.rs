//! How much of the errors just before a cutoff enters its running scale: what gives the better intervals.

use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};

use super::lanes::{self, FEW, LANES};
use super::ranks::outermost;
use super::residuals::Residuals;

/// As how many errors the long-run mean may count beside the last ones; the first of equally good ones is taken.
const WEIGHTS: [f64; 3] = [f64::INFINITY, 40.0, 10.0];
/// The miscoverage of the intervals that are compared.
const ALPHA: f64 = 0.1;
/// Steps that are looked at, evenly spaced: a lane each.
const MOST_STEPS: usize = LANES;

/// The weight of the long-run mean with the smallest mean interval score (Gneiting and Raftery 2007, *Strictly
/// proper scoring rules*, equation 43) of 90 % intervals on the calibration windows of one channel.
pub(super) fn long_run_weight(
    residuals: &[Residuals],
    channel: usize,
    horizon: usize,
    spread: &Array2<f64>, // (slot, channel)
) -> f64 {
    let stride = horizon.div_ceil(MOST_STEPS).max(1);
    let steps: Vec<usize> = (0..horizon).step_by(stride).collect();
    let n_windows: usize = residuals.iter().map(|series| series.errors.n_windows()).sum();
    let rows = (n_windows > 0 && tail(n_windows) <= FEW).then(|| rows(residuals, channel, &steps));
    let mut memory = Vec::new();
    let mut score = |weight: f64| {
        let weighed = Weighed::new(residuals, channel, spread, weight);
        let beside = rows.as_ref().and_then(|rows| weighed.scores_beside(rows, &mut memory));
        let scores = beside.unwrap_or_else(|| weighed.scores(residuals, channel, &steps));
        // Lanes without a step are not looked at.
        scores[..steps.len()].iter().sum::<f64>()
    };
    let scores = WEIGHTS.map(&mut score);
    let mut best = 0;
    for (i, score) in scores.iter().enumerate() {
        if *score < scores[best] {
            best = i;
        }
    }
    WEIGHTS[best]
}

/// The rank of the bounds of the intervals that are compared, from either end of `n` scores.
fn tail(n: usize) -> usize {
    ((ALPHA / 2.0 * (n + 1) as f64) as usize).clamp(1, n)
}

/// The errors of all windows, a lane for each step; zeros where there is none.
fn rows(residuals: &[Residuals], channel: usize, steps: &[usize]) -> Vec<[f64; LANES]> {
    let paths = residuals.iter().flat_map(|series| series.errors.paths(channel));
    let row = |path: &[f64]| {
        let mut row = [0.0; LANES];
        row.iter_mut().zip(steps).for_each(|(error, step)| *error = path[*step]);
        row
    };
    paths.map(row).collect()
}

/// The windows of all series as one weight sees them.
struct Weighed {
    /// What errors are divided by.
    scales: Vec<f64>,
    /// The same in long-run scales of each series.
    relative: Vec<f64>,
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
        Weighed { scales, relative }
    }

    /// The mean interval score of each step, in long-run scales of each series.
    fn scores(&self, residuals: &[Residuals], channel: usize, steps: &[usize]) -> [f64; LANES] {
        let mut means = [0.0; LANES];
        let (mut scores, mut finite) = (Vec::new(), Vec::new());
        for (mean, step) in means.iter_mut().zip(steps) {
            scores.clear();
            let errors = residuals.iter().flat_map(|series| series.errors.at(channel, *step));
            scores.extend(errors.zip(&self.scales).map(|(error, scale)| error / scale));
            finite.clear();
            finite.extend(scores.iter().copied().filter(|score| score.is_finite()));
            if finite.is_empty() {
                continue;
            }
            let n = finite.len();
            let bounds = outermost(&mut finite, tail(n));
            let mut sum = 0.0;
            for (score, relative) in scores.iter().zip(&self.relative).filter(|(score, _)| score.is_finite())
            {
                sum += added(*relative, bounds, *score);
            }
            *mean = sum / n as f64;
        }
        means
    }

    /// The same of all steps beside each other; `None` if a score is missing or infinite. `scores` is memory to use.
    fn scores_beside(&self, errors: &[[f64; LANES]], scores: &mut Vec<[f64; LANES]>) -> Option<[f64; LANES]> {
        scores.clear();
        scores.extend_from_slice(errors);
        Arch::new().dispatch(Beside { weighed: self, scores })
    }
}

/// [`Weighed::scores_beside`], compiled for the processor at hand.
struct Beside<'a> {
    weighed: &'a Weighed,
    /// Errors, which become scores.
    scores: &'a mut [[f64; LANES]],
}

impl WithSimd for Beside<'_> {
    type Output = Option<[f64; LANES]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Beside { weighed, scores } = self;
        let n = scores.len();
        // All of them, without a way out: several are looked at at a time.
        let mut are_finite = [true; LANES];
        for (row, scale) in scores.iter_mut().zip(&weighed.scales) {
            for lane in 0..LANES {
                row[lane] /= scale;
                are_finite[lane] &= row[lane].is_finite();
            }
        }
        if are_finite != [true; LANES] {
            return None;
        }
        let (lower, upper) = lanes::outermost(simd, scores, tail(n));
        let mut sums = [0.0; LANES];
        for (row, relative) in scores.iter().zip(&weighed.relative) {
            for lane in 0..LANES {
                sums[lane] += added(*relative, (lower[lane], upper[lane]), row[lane]);
            }
        }
        Some(sums.map(|sum| sum / n as f64))
    }
}

/// What a score adds to the interval score, in long-run scales of its series.
#[inline(always)]
fn added(relative: f64, (lower, upper): (f64, f64), score: f64) -> f64 {
    let positive = |distance: f64| if distance > 0.0 { distance } else { 0.0 };
    let miss = positive(lower - score) + positive(score - upper);
    relative * (upper - lower + 2.0 / ALPHA * miss)
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
        let steps = [0, 1, 2];
        for n in [1, 30, 119, 700] {
            let mut all = [residuals(n, size, |i| size(i + 1)), residuals(n / 2, size, |_| 0.0)];
            let spread = Array2::from_shape_fn((3, 1), |(slot, _)| 1e-3 + slot as f64);
            let check = |all: &[Residuals], is_complete: bool| {
                for weight in WEIGHTS {
                    let weighed = Weighed::new(all, 0, &spread, weight);
                    let found = weighed.scores(all, 0, &steps);
                    if is_complete || n > 1 {
                        assert_eq!(found[..3], steps.map(|step| naive(all, step, &spread, weight)), "{n}");
                    }
                    let beside = (n < 200)
                        .then(|| weighed.scores_beside(&rows(all, 0, &steps), &mut Vec::new()))
                        .flatten();
                    assert_eq!(beside.is_some(), is_complete && n < 200);
                    assert!(beside.is_none_or(|beside| beside == found), "{beside:?} {found:?}");
                }
            };
            check(&all, true);
            // A missing outcome, and a score that is too large for a number.
            all[0].errors.values_mut()[n / 2] = f64::NAN;
            all[0].errors.values_mut()[(n / 3) * 3 + 2] = f64::MAX;
            check(&all, false);
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
