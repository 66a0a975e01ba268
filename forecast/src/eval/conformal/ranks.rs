//! Scores in order, and the few outermost of them, without a branch that cannot be foreseen.

use super::lanes::LANES;
use super::sort::{Before, sort};

/// Calls `take` with each step of paths and its scores in ascending order, what is missing or infinite left out; zeros have
/// no sign. `before` says what becomes of the numbers of the steps from one on, as many as there are lanes.
pub(super) fn each_sorted<'a>(
    paths: impl Iterator<Item = &'a [f64]> + Clone,
    horizon: usize,
    before: impl Fn(usize) -> Before<'a>,
    mut take: impl FnMut(usize, &mut Vec<f64>),
) {
    let (mut rows, mut of_step) = (Vec::new(), Vec::new());
    for first in (0..horizon).step_by(LANES) {
        let n_steps = LANES.min(horizon - first);
        rows.clear();
        rows.extend(paths.clone().map(|path| match path[first..].first_chunk::<LANES>() {
            Some(whole) => *whole,
            None => {
                let mut row = [f64::NAN; LANES];
                row[..n_steps].copy_from_slice(&path[first..]);
                row
            }
        }));
        let n_known = sort(&mut rows, &before(first));
        for (lane, n_known) in n_known[..n_steps].iter().enumerate() {
            of_step.clear();
            of_step.extend(rows[..*n_known].iter().map(|row| row[lane]));
            take(first + lane, &mut of_step);
        }
    }
}

/// The `k`-th smallest and the `k`-th largest of numbers without NaN, which are put into another order; `k` lies
/// between 1 and their number.
pub(super) fn outermost(values: &mut [f64], k: usize) -> (f64, f64) {
    let largest = values.len() - k;
    let (_, lowest, _) = values.select_nth_unstable_by(k - 1, f64::total_cmp);
    let lowest = *lowest;
    let (_, highest, _) = values.select_nth_unstable_by(largest, f64::total_cmp);
    (lowest, *highest)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
mod tests {
    use super::*;
    use crate::eval::conformal::ByWindow;

    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919) % 101) as f64 * if i % 3 == 0 { -0.5 } else { 0.25 }).collect()
    }

    #[test]
    fn the_scores_of_each_step_are_sorted_and_what_is_missing_is_left_out() {
        let special = [0.0, -0.0, f64::MIN_POSITIVE, -5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for (n, horizon) in [(0, 3), (1, 1), (2, 8), (19, 9), (64, 24), (257, 5)] {
            let mut scores = ByWindow::zeros(n, 2, horizon);
            let numbers = numbers(2 * n * horizon);
            for (at, (score, number)) in scores.values_mut().iter_mut().zip(numbers).enumerate() {
                *score = *special.get(at % 23).unwrap_or(&number);
            }
            for channel in 0..2 {
                let mut steps = Vec::new();
                each_sorted(
                    scores.paths(channel),
                    horizon,
                    |_| Before::default(),
                    |step, found| {
                        let known = scores.at(channel, step).filter(|score| score.is_finite());
                        assert_eq!(*found, crate::data::sorted(known.collect()), "{n} {step}");
                        steps.push(step);
                    },
                );
                assert!(steps.into_iter().eq(0..horizon));
            }
        }
    }

    #[test]
    fn the_outermost_numbers_are_those_of_the_sorted_ones() {
        for n in [1, 2, 5, 31, 200] {
            for k in (1..=n).filter(|k| *k < 20 || k % 37 == 0 || *k == n) {
                let mut values = numbers(n);
                let sorted = crate::data::sorted(values.clone());
                assert_eq!(outermost(&mut values, k), (sorted[k - 1], sorted[n - k]), "{k} of {n}");
            }
        }
        let found = outermost(&mut [f64::INFINITY, 1.0, f64::NEG_INFINITY], 1);
        assert_eq!(found, (f64::NEG_INFINITY, f64::INFINITY));
    }
}
