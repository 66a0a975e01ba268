//! Informer: an encoder-decoder that forecasts a long horizon in one pass (Zhou et al. 2021, arXiv 2012.07436).
//!
//! Observed values and time marks are embedded (`embedding.rs`), encoded by attention whose sequence is halved from
//! layer to layer (`encoder.rs`, `distil.rs`), and decoded together with a start token and the marks of the steps to
//! forecast (`decoder.rs`). `network.rs` puts them together; `config.rs` has the settings.

mod attention;
mod batch_norm;
mod config;
mod decoder;
mod distil;
mod draws;
mod embedding;
mod encoder;
mod family;
mod import;
mod layers;
mod maps;
mod names;
mod network;
mod pass;
mod sequence;
mod state_dict;
mod weights;
mod workload;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;

pub use crate::nn::IntervalKind;
pub use config::{AttentionKind, EmbeddingKind, FeedForwardActivation, InformerConfig, SampledKeys};
pub(crate) use draws::keys;
pub use family::InformerSettings;
pub(crate) use family::{fit, load};
pub use maps::AttentionMap;
pub(crate) use network::{Informer, Shape};
pub(crate) use pass::n_selected;
pub(crate) use weights::{from_tensors, of_network, to_tensors};
pub(crate) use workload::{EncoderLayers, forecast};
