//! State spaces and global convolutions: layers that are a convolution when they train and a recurrence when they
//! stream.

mod diagonal_steps;
mod discretise;
mod draws;
mod hippo;
mod low_rank;
mod low_rank_steps;
mod mixer;
mod mixer_config;
mod numbers;
mod online_conv;
mod recurrence;
mod reduce;
mod s4;
mod s4d;
mod sgconv;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod golden;

pub use discretise::Discretisation;
pub use mixer_config::{Direction, MAX_KERNEL, MixerConfig, MixerKind, StateInit};

pub(crate) use discretise::{Discrete, Mode};
pub(crate) use mixer::{Mixer, StreamingForm};
pub(crate) use recurrence::{MixerState, Recurrence};
