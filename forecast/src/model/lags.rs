//! The memory of a lag family: its last steps, always as one slice.

use serde::{Deserialize, Serialize};

/// The last `kept` steps of every channel in a mirrored ring: each value is written twice, `kept` apart,
/// so that a window is one contiguous slice and a step costs two writes a channel.
///
/// A forecast needs the last `lookback` steps; what is kept beyond them tells how the forecasts before it did.
/// A fresh memory holds zeros: the center of the training range, as the scaling defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lags {
    lookback: usize,
    kept: usize,
    /// `(channel, 2 * kept)`.
    values: Vec<f64>,
    /// Which of the last steps had a missing value. `(channel, kept)`.
    missing: Vec<bool>,
    head: usize,
    /// Steps seen, counted no further than `kept`.
    seen: usize,
}

impl Lags {
    /// A memory of `kept` steps, at least `lookback`.
    pub(crate) fn new(lookback: usize, kept: usize, n_channels: usize) -> Self {
        let kept = kept.max(lookback);
        Lags {
            lookback,
            kept,
            values: vec![0.0; 2 * kept * n_channels],
            missing: vec![false; kept * n_channels],
            head: 0,
            seen: 0,
        }
    }

    pub(crate) fn n_channels(&self) -> usize {
        self.missing.len() / self.kept
    }

    /// Steps before the last one whose window is complete: [`Lags::window`] takes ages up to this.
    pub(crate) fn recall(&self) -> usize {
        self.seen.saturating_sub(self.lookback)
    }

    /// Steps that are still here, missing ones included.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// The window of a channel as it was `age` steps ago, oldest first. Shape `(lookback)`.
    pub(crate) fn window(&self, channel: usize, age: usize) -> &[f64] {
        let end = 2 * self.kept * channel + self.head + self.kept - age;
        &self.values[end - self.lookback..end]
    }

    /// The value of the step `age` steps before the last, NaN where it was missing.
    pub(crate) fn observed(&self, channel: usize, age: usize) -> f64 {
        let at = self.head + self.kept - 1 - age;
        let in_ring = if at < self.kept { at } else { at - self.kept };
        if self.missing[channel * self.kept + in_ring] {
            return f64::NAN;
        }
        self.values[2 * self.kept * channel + at]
    }

    /// All steps of a channel that are still here, oldest first; `None` if a value was missing. Shape `(seen)`.
    pub(crate) fn complete(&self, channel: usize) -> Option<&[f64]> {
        let missing = &self.missing[channel * self.kept..][..self.kept];
        // All of them, without a way out: many are looked at at a time.
        let is_complete = !missing.iter().fold(false, |any, missing| any | missing);
        let end = 2 * self.kept * channel + self.head + self.kept;
        is_complete.then(|| &self.values[end - self.seen..end])
    }

    /// Writes the first steps of a fresh memory of one channel at once, none of them missing; false if they do not fit.
    pub(crate) fn fill(&mut self, steps: impl ExactSizeIterator<Item = f64>) -> bool {
        let n = steps.len();
        if self.n_channels() != 1 || (self.seen, self.head) != (0, 0) || n > self.kept {
            return false;
        }
        let (first, second) = self.values.split_at_mut(self.kept);
        for ((first, second), step) in first.iter_mut().zip(second).zip(steps) {
            (*first, *second) = (step, step);
        }
        (self.head, self.seen) = (n % self.kept, n);
        true
    }

    /// Writes the newest value of a channel; [`Lags::advance`] ends the step.
    pub(crate) fn write(&mut self, channel: usize, value: f64, is_missing: bool) {
        let start = 2 * self.kept * channel + self.head;
        self.values[start] = value;
        self.values[start + self.kept] = value;
        self.missing[channel * self.kept + self.head] = is_missing;
    }

    /// Ends a step.
    pub(crate) fn advance(&mut self) {
        self.head = if self.head + 1 < self.kept { self.head + 1 } else { 0 };
        self.seen = (self.seen + 1).min(self.kept);
    }

    /// How many of the last `lookback` steps had a missing value.
    pub(crate) fn n_missing(&self) -> usize {
        let is_missing = |age: &usize| (0..self.n_channels()).any(|c| self.observed(c, *age).is_nan());
        (0..self.lookback).filter(is_missing).count()
    }

    /// Bytes of everything that is kept.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&self.values[..]) + self.missing.len() + size_of::<Self>()
    }

    /// True if the parts fit each other, for memories that come from outside.
    pub(crate) fn is_sound(&self, lookback: usize, n_channels: usize) -> bool {
        self.lookback == lookback
            && lookback > 0
            && self.kept >= lookback
            && n_channels.checked_mul(self.kept) == Some(self.missing.len())
            && 2 * self.missing.len() == self.values.len()
            && self.head < self.kept
            && self.seen <= self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_last_steps_oldest_first_whatever_came_before() {
        for kept in [3, 5] {
            let mut lags = Lags::new(3, kept, 2);
            for step in 0..11 {
                for channel in 0..2 {
                    let value = f64::from(step) + 100.0 * channel as f64;
                    lags.write(channel, value, step == 9 && channel == 1);
                }
                lags.advance();
            }
            assert_eq!(lags.window(0, 0), [8.0, 9.0, 10.0]);
            assert_eq!(lags.window(1, 0), [108.0, 109.0, 110.0]);
            assert_eq!((lags.n_missing(), lags.n_channels(), lags.recall()), (1, 2, kept - 3));
            assert!(lags.observed(1, 1).is_nan() && lags.observed(0, 1) > 8.0);
        }
    }

    #[test]
    fn steps_written_at_once_are_those_written_one_after_the_other() {
        for kept in [3, 5] {
            for n in 0..=kept {
                let (mut at_once, mut in_turn) = (Lags::new(3, kept, 1), Lags::new(3, kept, 1));
                assert!(at_once.fill((0..n).map(|step| step as f64)));
                for step in 0..n {
                    in_turn.write(0, step as f64, false);
                    in_turn.advance();
                }
                assert_eq!(at_once, in_turn, "{n} of {kept}");
                let steps: Vec<f64> = (0..n).map(|step| step as f64).collect();
                assert_eq!(at_once.complete(0), Some(&steps[..]));
                // Only a fresh one, of one channel, that holds them all.
                assert_eq!(at_once.fill([1.0; 2].into_iter()), n == 0);
                in_turn.write(0, 0.5, true);
                in_turn.advance();
                assert_eq!(in_turn.complete(0), None);
            }
        }
        assert!(
            !Lags::new(3, 3, 2).fill([1.0].into_iter()) && !Lags::new(3, 3, 1).fill([1.0; 4].into_iter())
        );
    }

    #[test]
    fn earlier_windows_are_what_the_window_was_then() {
        let mut lags = Lags::new(2, 5, 1);
        for step in 0..9 {
            lags.write(0, f64::from(step), false);
            lags.advance();
        }
        let windows: Vec<&[f64]> = (0..=lags.recall()).map(|age| lags.window(0, age)).collect();
        assert_eq!(windows, [[7.0, 8.0], [6.0, 7.0], [5.0, 6.0], [4.0, 5.0]]);
    }
}
