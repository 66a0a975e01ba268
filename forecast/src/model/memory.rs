//! What a stream of observations leaves behind.

use serde::{Deserialize, Serialize};

use super::lags::Lags;
use super::recurrent::Recurrent;

/// What a stream of observations leaves behind: plain data that a [`State`](super::State) owns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub(crate) enum Memory {
    /// The last steps, for families that look at lags.
    Lags(Lags),
    /// What recurrences carry on, for families that look at no step twice.
    Recurrent(Recurrent),
}

impl Memory {
    /// The last steps, of a family that looks at lags.
    pub(crate) fn lags(&self) -> Option<&Lags> {
        match self {
            Memory::Lags(lags) => Some(lags),
            Memory::Recurrent(_) => None,
        }
    }

    /// [`Memory::lags`] to write to.
    pub(crate) fn lags_mut(&mut self) -> Option<&mut Lags> {
        match self {
            Memory::Lags(lags) => Some(lags),
            Memory::Recurrent(_) => None,
        }
    }

    /// What recurrences carry on, of a family that has some.
    pub(crate) fn recurrent(&self) -> Option<&Recurrent> {
        match self {
            Memory::Recurrent(recurrent) => Some(recurrent),
            Memory::Lags(_) => None,
        }
    }

    /// [`Memory::recurrent`] to write to.
    pub(crate) fn recurrent_mut(&mut self) -> Option<&mut Recurrent> {
        match self {
            Memory::Recurrent(recurrent) => Some(recurrent),
            Memory::Lags(_) => None,
        }
    }

    /// Steps within the lookback of which a value was missing.
    pub(crate) fn n_missing(&self) -> usize {
        match self {
            Memory::Lags(lags) => lags.n_missing(),
            Memory::Recurrent(recurrent) => recurrent.n_missing(),
        }
    }

    /// How many steps ago the first forecast was possible whose inputs the memory still has.
    pub(crate) fn recall(&self) -> usize {
        match self {
            Memory::Lags(lags) => lags.recall(),
            Memory::Recurrent(recurrent) => recurrent.recall(),
        }
    }

    /// How many of the last steps the memory still has, for [`Memory::observed`] of each.
    pub(crate) fn remembered(&self) -> usize {
        match self {
            Memory::Lags(lags) => lags.seen(),
            Memory::Recurrent(recurrent) => recurrent.remembered(),
        }
    }

    /// The scaled value of the step `age` steps before the last, NaN where it was missing; `age` is less than
    /// [`Memory::remembered`].
    pub(crate) fn observed(&self, channel: usize, age: usize) -> f64 {
        match self {
            Memory::Lags(lags) => lags.observed(channel, age),
            Memory::Recurrent(recurrent) => recurrent.observed(channel, age),
        }
    }

    /// Bytes of everything that is kept.
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Memory::Lags(lags) => lags.n_bytes(),
            Memory::Recurrent(recurrent) => recurrent.n_bytes(),
        }
    }

    /// How many of the newest values of a channel are missing, as far as the memory reaches.
    pub(crate) fn newest_missing(&self, channel: usize) -> usize {
        match self {
            Memory::Lags(lags) => {
                (0..lags.recall()).take_while(|age| lags.observed(channel, *age).is_nan()).count()
            }
            Memory::Recurrent(recurrent) => recurrent.newest_missing(channel),
        }
    }
}
