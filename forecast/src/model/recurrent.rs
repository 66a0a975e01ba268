//! The memory of a recurrent family: what its recurrences carry, and a few steps to look back at.

use serde::{Deserialize, Serialize};

use crate::ssm::MixerState;

/// What recurrences carry after the steps that were seen, and what a forecast of one of the last steps would need.
///
/// Its size does not depend on how much was seen. The newest step has age 0. What a memory from outside counts is
/// checked once, when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRecurrent")]
pub(crate) struct Recurrent {
    /// Of every layer, sequence by sequence. Shape `(sequence, layer)`.
    pub(crate) states: Vec<MixerState>,
    /// What the head reads of the last steps, as a ring. Shape `(kept, width)`.
    outputs: Vec<f32>,
    /// Scaled values of the last steps as a ring, filled where they were missing: by the network's forecast, or with a
    /// mask by the last value that was observed. Shape `(step, channel)`.
    values: Vec<f64>,
    /// Which of them were missing. Shape `(step, channel)`.
    missing: Vec<bool>,
    /// Of each channel, how many of the newest values are missing.
    newest_missing: Vec<usize>,
    /// Of the last `lookback` steps, as a ring of bits, which had a missing value.
    incomplete: Vec<u64>,
    n_incomplete: usize,
    lookback: usize,
    kept: usize,
    /// Steps seen; rings turn with it.
    n_steps: u64,
}

/// As it is written down.
#[derive(Deserialize)]
struct RawRecurrent {
    states: Vec<MixerState>,
    outputs: Vec<f32>,
    values: Vec<f64>,
    missing: Vec<bool>,
    newest_missing: Vec<usize>,
    incomplete: Vec<u64>,
    n_incomplete: usize,
    lookback: usize,
    kept: usize,
    n_steps: u64,
}

impl TryFrom<RawRecurrent> for Recurrent {
    type Error = &'static str;

    fn try_from(raw: RawRecurrent) -> Result<Self, &'static str> {
        let n_set: u64 = raw.incomplete.iter().map(|word| u64::from(word.count_ones())).sum();
        if n_set != raw.n_incomplete as u64 {
            return Err("a memory counts other steps as incomplete than it names");
        }
        if raw.n_steps >= u64::MAX / 2 {
            return Err("a memory has seen more steps than there can be");
        }
        if !(raw.outputs.iter().all(|x| x.is_finite()) && raw.values.iter().all(|x| x.is_finite())) {
            return Err("a memory has numbers that are not finite");
        }
        Ok(Recurrent {
            states: raw.states,
            outputs: raw.outputs,
            values: raw.values,
            missing: raw.missing,
            newest_missing: raw.newest_missing,
            incomplete: raw.incomplete,
            n_incomplete: raw.n_incomplete,
            lookback: raw.lookback,
            kept: raw.kept,
            n_steps: raw.n_steps,
        })
    }
}

/// Sizes of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecurrentShape {
    /// Steps after which a fresh memory forecasts as well as any.
    pub(crate) lookback: usize,
    /// Steps that can be looked back at, at least 1.
    pub(crate) kept: usize,
    pub(crate) n_channels: usize,
    /// Numbers that the head reads of a step.
    pub(crate) width: usize,
}

/// Steps whose values are kept, at most, so that another model can begin with them: a lookback that is no longer.
const MOST_VALUES: usize = 4_096;
/// Bits of a word.
const WORD: usize = u64::BITS as usize;

impl Recurrent {
    /// A memory that has seen nothing.
    pub(crate) fn new(states: Vec<MixerState>, shape: RecurrentShape) -> Self {
        let RecurrentShape { lookback, kept, n_channels, width } = shape;
        let n_values = n_values(lookback, kept) * n_channels;
        Recurrent {
            states,
            outputs: vec![0.0; kept * width],
            values: vec![0.0; n_values],
            missing: vec![false; n_values],
            newest_missing: vec![0; n_channels],
            incomplete: vec![0; lookback.div_ceil(WORD)],
            n_incomplete: 0,
            lookback,
            kept,
            n_steps: 0,
        }
    }

    /// Steps within the lookback of which a value was missing.
    pub(crate) fn n_missing(&self) -> usize {
        self.n_incomplete
    }

    /// How many of the newest values of a channel are missing.
    pub(crate) fn newest_missing(&self, channel: usize) -> usize {
        self.newest_missing.get(channel).copied().unwrap_or(0)
    }

    /// How many steps ago the first forecast was possible whose outputs are still here.
    pub(crate) fn recall(&self) -> usize {
        let ready = self.n_steps.saturating_sub(self.lookback as u64);
        usize::try_from(ready).unwrap_or(usize::MAX).min(self.kept - 1)
    }

    /// How many of the last steps' values are still here.
    pub(crate) fn remembered(&self) -> usize {
        usize::try_from(self.n_steps).unwrap_or(usize::MAX).min(n_values(self.lookback, self.kept))
    }

    /// The scaled value of the step of this age, NaN where it was missing.
    pub(crate) fn observed(&self, channel: usize, age: usize) -> f64 {
        let at = self.value_place(age) + channel;
        if self.missing[at] { f64::NAN } else { self.values[at] }
    }

    /// The scaled values of the step of this age, filled where they were missing. Shape `(channel)`.
    pub(crate) fn filled(&self, age: usize) -> &[f64] {
        &self.values[self.value_place(age)..][..self.newest_missing.len()]
    }

    /// What the head reads of the step of this age. Shape `(width)`.
    pub(crate) fn output(&self, age: usize) -> &[f32] {
        let width = self.outputs.len() / self.kept;
        &self.outputs[self.place(age, self.kept) * width..][..width]
    }

    /// Adds a step: its values, filled where `observed` is NaN, and what the head reads of it.
    ///
    /// # Shapes
    /// `filled` and `observed` `(channel)`, `output` `(width)`.
    pub(crate) fn push(&mut self, filled: &[f64], observed: impl Iterator<Item = f64>, output: &[f32]) {
        let n_channels = self.newest_missing.len();
        let next = (self.n_steps % self.kept as u64) as usize * output.len();
        self.outputs[next..][..output.len()].copy_from_slice(output);
        let next = (self.n_steps % n_values(self.lookback, self.kept) as u64) as usize * n_channels;
        self.values[next..][..n_channels].copy_from_slice(filled);
        let missing = &mut self.missing[next..][..n_channels];
        let mut is_incomplete = false;
        for ((missing, newest), observed) in missing.iter_mut().zip(&mut self.newest_missing).zip(observed) {
            *missing = observed.is_nan();
            *newest = if *missing { newest.saturating_add(1) } else { 0 };
            is_incomplete |= *missing;
        }
        let bit = (self.n_steps % self.lookback as u64) as usize;
        let (word, mask) = (&mut self.incomplete[bit / WORD], 1u64 << (bit % WORD));
        self.n_incomplete -= usize::from(*word & mask != 0);
        self.n_incomplete += usize::from(is_incomplete);
        *word = if is_incomplete { *word | mask } else { *word & !mask };
        self.n_steps += 1;
    }

    /// Bytes of everything that is kept.
    pub(crate) fn n_bytes(&self) -> usize {
        self.states.iter().map(MixerState::n_bytes).sum::<usize>()
            + size_of_val(&self.outputs[..])
            + size_of_val(&self.values[..])
            + self.missing.len()
            + size_of_val(&self.newest_missing[..])
            + size_of_val(&self.incomplete[..])
            + size_of::<Self>()
    }

    /// True if the sizes of all parts fit, at the cost of a few comparisons; states are checked by whose they are.
    pub(crate) fn is_sound(&self, lookback: usize, n_channels: usize, width: usize) -> bool {
        let kept = self.kept;
        self.lookback == lookback
            && lookback > 0
            && kept > 0
            && kept.checked_mul(width) == Some(self.outputs.len())
            && n_values(lookback, kept).checked_mul(n_channels) == Some(self.values.len())
            && self.values.len() == self.missing.len()
            && self.newest_missing.len() == n_channels
            && self.incomplete.len() == lookback.div_ceil(WORD)
    }

    /// Where a step of this age is in a ring of so many steps.
    fn place(&self, age: usize, n_steps: usize) -> usize {
        let n_steps = n_steps as u64;
        ((self.n_steps % n_steps + n_steps - 1 - age as u64 % n_steps) % n_steps) as usize
    }

    /// Where the values of a step of this age begin.
    fn value_place(&self, age: usize) -> usize {
        self.place(age, n_values(self.lookback, self.kept)) * self.newest_missing.len()
    }
}

/// Steps whose values are kept.
fn n_values(lookback: usize, kept: usize) -> usize {
    lookback.min(MOST_VALUES).max(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(lookback: usize, kept: usize) -> Recurrent {
        Recurrent::new(Vec::new(), RecurrentShape { lookback, kept, n_channels: 2, width: 3 })
    }

    fn feed(memory: &mut Recurrent, steps: std::ops::Range<usize>) {
        for step in steps {
            let values = [0, 1].map(|channel| (10 * step + channel) as f64);
            let observed = if step % 5 == 3 { [values[0], f64::NAN] } else { values };
            memory.push(&values, observed.into_iter(), &[step as f32; 3]);
        }
    }

    #[test]
    fn the_last_steps_are_there_by_their_age_and_no_others() {
        for (lookback, kept) in [(1, 1), (3, 2), (4, 7), (70, 5)] {
            let mut memory = memory(lookback, kept);
            for n in 1..200 {
                feed(&mut memory, n - 1..n);
                assert_eq!(memory.recall(), n.saturating_sub(lookback).min(kept - 1));
                assert_eq!(memory.remembered(), n.min(lookback.max(kept)));
                let oldest = memory.remembered() - 1;
                assert_eq!(memory.filled(oldest)[..1], [10.0 * (n - 1 - oldest) as f64]);
                for age in 0..kept.min(n) {
                    let step = n - 1 - age;
                    assert_eq!(memory.filled(age), [10.0 * step as f64, 10.0 * step as f64 + 1.0]);
                    assert_eq!(memory.output(age), [step as f32; 3]);
                    assert_eq!(memory.observed(1, age).is_nan(), step % 5 == 3);
                }
                let due = (n.saturating_sub(lookback)..n).filter(|step| step % 5 == 3).count();
                assert_eq!(memory.n_missing(), due, "{n} steps, lookback {lookback}");
                assert_eq!(memory.newest_missing(1), usize::from((n - 1) % 5 == 3));
            }
            assert!(memory.is_sound(lookback, 2, 3) && !memory.is_sound(lookback + 1, 2, 3));
        }
    }

    #[test]
    fn a_memory_from_text_is_the_same_and_one_whose_parts_do_not_fit_is_not_sound() {
        let mut memory = memory(6, 3);
        feed(&mut memory, 0..11);
        let text = serde_json::to_string(&memory).unwrap();
        let mut back: Recurrent = serde_json::from_str(&text).unwrap();
        assert_eq!(back, memory);
        feed(&mut back, 11..20);
        feed(&mut memory, 11..20);
        assert_eq!(back, memory);
        back.outputs.pop();
        assert!(!back.is_sound(6, 2, 3));
        let refused = |field: &str, value: serde_json::Value, said: &str| {
            let mut json = serde_json::to_value(&memory).unwrap();
            json[field] = value;
            let message = serde_json::from_value::<Recurrent>(json).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        };
        refused("n_incomplete", 5.into(), "incomplete");
        refused("n_steps", u64::MAX.into(), "more steps");
        let state = serde_json::json!([{"values": [1.0], "n_steps": u64::MAX}]);
        refused("states", state, "a state has seen more steps");
        let state = serde_json::json!([{"values": [1e300], "n_steps": 1}]);
        refused("states", state, "not finite");
    }
}
