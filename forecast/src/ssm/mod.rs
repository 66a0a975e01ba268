//! State spaces and global convolutions: layers that are a convolution when they train and a recurrence when they
//! stream.

mod ahead;
mod block;
mod blocks;
mod config;
mod diagonal_steps;
mod discretise;
mod draws;
mod family;
mod hippo;
mod layer;
mod layers;
mod low_rank;
mod low_rank_steps;
mod mixer;
mod mixer_config;
mod network;
mod numbers;
mod online_conv;
mod plain;
mod recurrence;
mod reduce;
mod room;
mod s4;
mod s4d;
mod settings;
mod sgconv;
mod stream;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;

pub use config::{
    Anchor, BlockNorm, CalendarUse, ChannelMixing, Decoder, RecurrenceForm, SsmConfig, Streaming,
};
pub use discretise::Discretisation;
pub use layer::{Layer, LayerStream};
pub use mixer_config::{Direction, MAX_KERNEL, MixerConfig, MixerKind, StateInit};
pub use settings::SsmSettings;

pub(crate) use discretise::{Discrete, Mode};
pub(crate) use family::{fit, load};
pub(crate) use mixer::{Mixer, StreamingForm};
pub(crate) use recurrence::{MixerState, Recurrence};
