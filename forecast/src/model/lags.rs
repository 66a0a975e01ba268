//! The memory of a lag family: its last `lookback` steps, always as one slice.

use serde::{Deserialize, Serialize};

/// The last steps of every channel in a mirrored ring: each value is written twice, `lookback` apart,
/// so that the window is one contiguous slice and a step costs two writes a channel.
///
/// A fresh memory holds zeros: the center of the training range, as the scaling defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lags {
    lookback: usize,
    /// `(channel, 2 * lookback)`.
    values: Vec<f64>,
    /// Which of the last steps had a missing value.
    missing: Vec<bool>,
    head: usize,
}

impl Lags {
    pub(crate) fn new(lookback: usize, n_channels: usize) -> Self {
        Lags {
            lookback,
            values: vec![0.0; 2 * lookback * n_channels],
            missing: vec![false; lookback],
            head: 0,
        }
    }

    pub(crate) fn n_channels(&self) -> usize {
        self.values.len() / (2 * self.lookback)
    }

    /// The window of a channel, oldest first. Shape `(lookback)`.
    pub(crate) fn window(&self, channel: usize) -> &[f64] {
        let start = 2 * self.lookback * channel + self.head;
        &self.values[start..start + self.lookback]
    }

    /// Writes the newest value of a channel; [`Lags::advance`] ends the step.
    pub(crate) fn write(&mut self, channel: usize, value: f64) {
        let start = 2 * self.lookback * channel + self.head;
        self.values[start] = value;
        self.values[start + self.lookback] = value;
    }

    /// Ends a step.
    pub(crate) fn advance(&mut self, is_missing: bool) {
        self.missing[self.head] = is_missing;
        self.head = (self.head + 1) % self.lookback;
    }

    /// How many of the last `lookback` steps had a missing value.
    pub(crate) fn n_missing(&self) -> usize {
        self.missing.iter().filter(|missing| **missing).count()
    }

    /// True if the parts fit each other, for memories that come from outside.
    pub(crate) fn is_sound(&self, lookback: usize, n_channels: usize) -> bool {
        self.lookback == lookback
            && lookback > 0
            && self.missing.len() == lookback
            && self.values.len() == 2 * lookback * n_channels
            && self.head < lookback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_last_steps_oldest_first_whatever_came_before() {
        let mut lags = Lags::new(3, 2);
        for step in 0..11 {
            for channel in 0..2 {
                lags.write(channel, f64::from(step) + 100.0 * channel as f64);
            }
            lags.advance(step == 9);
        }
        assert_eq!(lags.window(0), [8.0, 9.0, 10.0]);
        assert_eq!(lags.window(1), [108.0, 109.0, 110.0]);
        assert_eq!((lags.n_missing(), lags.n_channels()), (1, 2));
    }
}
