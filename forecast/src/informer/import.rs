//! Turns weights of the reference code (zhouhaoyi/Informer2020) into ours.
//!
//! A linear layer is `(out, in)` there and `(in, out)` here, a convolution `(out, in, 3)` there and `(3 * in, out)`
//! here. What shapes tell about the architecture is taken from them; heads, kinds of attention, factor, lookback and
//! `mix` leave no trace in a checkpoint and have to be said.

use std::path::Path;

use burn::tensor::Device;

use super::config::{AttentionKind, EmbeddingKind, InformerConfig};
use super::embedding::CALENDAR;
use super::network::{Informer, Shape};
use super::state_dict::{read_state_dict, unreadable};
use super::weights::{Weight, WeightMismatch, Weights, to_weights, with_weights};
use crate::{Error, Result};

/// A network and the settings that its weights told.
#[derive(Debug)]
pub(crate) struct Imported {
    /// With every size from the checkpoint.
    pub(crate) config: InformerConfig,
    /// The network with the weights of the checkpoint.
    pub(crate) network: Informer,
}

/// The network of a checkpoint.
///
/// # Errors
/// [`Error::Io`]; [`Error::Unreadable`] with the first tensor that is missing, left over or of another shape;
/// [`Error::BadOption`] if a setting does not go with the checkpoint.
pub(crate) fn import(
    path: &Path,
    config: &InformerConfig,
    horizon: usize,
    device: &Device,
) -> Result<Imported> {
    from_state_dict(read_state_dict(path)?, config, horizon, device).map_err(|error| match error {
        ImportError::Option(error) => error,
        ImportError::Checkpoint(reason) => {
            unreadable(path, format!("{reason}: it is a checkpoint of another architecture"))
        }
    })
}

/// Why a state dict is no network of ours.
#[derive(Debug)]
pub(super) enum ImportError {
    Option(Error),
    Checkpoint(WeightMismatch),
}

impl From<Error> for ImportError {
    fn from(error: Error) -> Self {
        ImportError::Option(error)
    }
}

impl From<WeightMismatch> for ImportError {
    fn from(mismatch: WeightMismatch) -> Self {
        ImportError::Checkpoint(mismatch)
    }
}

/// The network of a state dict.
pub(super) fn from_state_dict(
    mut state: Weights,
    config: &InformerConfig,
    horizon: usize,
    device: &Device,
) -> Result<Imported, ImportError> {
    let (config, shape) = told(&state, config, horizon)?;
    state.retain(|name, _| !is_constant(name));
    let names = Names::of(&state);
    let network = Informer::new(&config, shape, device)?;
    let take = |(name, ours): (String, Weight)| {
        let weight = names.take(&mut state, &name, &ours.shape)?;
        Ok((name, weight))
    };
    let weights = to_weights(&network)?.into_iter().map(take).collect::<Result<Weights, WeightMismatch>>()?;
    if let Some((name, weight)) = state.pop_first() {
        return Err(WeightMismatch::LeftOver { name, found: weight.shape }.into());
    }
    Ok(Imported { network: with_weights(network, weights)?, config })
}

/// True for what the reference code saves although it never changes.
fn is_constant(name: &str) -> bool {
    [".position_embedding.pe", ".num_batches_tracked", "_embed.emb.weight"].iter().any(|end| name.ends_with(end))
}

/// The settings with those in place of the given ones that shapes tell. A tensor that is not there tells nothing.
fn told(
    state: &Weights,
    config: &InformerConfig,
    horizon: usize,
) -> Result<(InformerConfig, Shape), ImportError> {
    let size = |name: &str, axis: usize| state.get(name).and_then(|weight| weight.shape.get(axis)).copied();
    let count = |name: &dyn Fn(usize) -> String| (0..).take_while(|i| state.contains_key(&name(*i))).count();
    let names = Names::of(state);
    let encoder = |i: usize| names.encoder(i);
    let depth = |i: usize| count(&|j| format!("{}.attn_layers.{j}.norm1.weight", encoder(i)));
    let n_encoders = if names.is_stack { count(&|i| format!("{}.norm.weight", encoder(i))) } else { 1 };
    let depths: Vec<usize> = (0..n_encoders).map(depth).collect();
    let deepest = depths.iter().copied().max().unwrap_or(0);
    let distilled = (0..n_encoders).any(|i| state.contains_key(&format!("{}.conv_layers.0.downConv.weight", encoder(i))));
    let time = |name: &str| format!("enc_embedding.temporal_embedding.{name}");
    let tables = |end: &str| {
        let has = |part: &str| state.contains_key(&time(&format!("{part}_embed{end}")));
        has("hour").then(|| CALENDAR.len() - 1 + usize::from(has("minute")))
    };
    let (embedding, n_marks) = match (size(&time("embed.weight"), 1), tables(".weight"), tables(".emb.weight")) {
        (Some(n_marks), ..) => (EmbeddingKind::TimeF, n_marks),
        (_, Some(n_marks), _) => (EmbeddingKind::Learned, n_marks),
        (.., Some(n_marks)) => (EmbeddingKind::Fixed, n_marks),
        (None, None, None) => (config.embedding, 0),
    };
    let kept: Vec<usize> = config.stacks.iter().copied().filter(|depth| *depth > 0).collect();
    let stacks = match names.is_stack {
        true if kept == depths => config.stacks.clone(),
        true => depths,
        false => Vec::new(),
    };
    let n_decoder_layers = count(&|j| format!("decoder.layers.{j}.norm1.weight"));
    let shape = Shape {
        n_channels: size("enc_embedding.value_embedding.tokenConv.weight", 1).unwrap_or(1),
        n_marks,
        n_outputs: size("projection.weight", 0).unwrap_or(1),
        horizon,
    };
    let told = InformerConfig {
        d_model: size("projection.weight", 1).unwrap_or(config.d_model),
        d_ff: size(&format!("{}.attn_layers.0.conv1.weight", encoder(0)), 0).unwrap_or(config.d_ff),
        encoder_layers: kinds("encoder_layers", &config.encoder_layers, deepest)?,
        decoder_layers: kinds("decoder_layers", &config.decoder_layers, n_decoder_layers)?,
        distil: if deepest > 1 { distilled } else { config.distil },
        stacks,
        embedding,
        ..config.clone()
    };
    Ok((told, shape))
}

/// The kind of each layer, if the checkpoint has so many.
fn kinds(field: &str, given: &[AttentionKind], n_layers: usize) -> Result<Vec<AttentionKind>> {
    match given {
        _ if n_layers == 0 || n_layers == given.len() => Ok(given.to_vec()),
        [first, others @ ..] if others.iter().all(|kind| kind == first) => Ok(vec![*first; n_layers]),
        _ => {
            let rule = format!("the checkpoint has {n_layers} layers; give one kind for all of them, or as many");
            Err(Error::option(format!("number of {field}"), given.len(), rule))
        }
    }
}

/// The names of the reference code for ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// True if there are several encoders.
    is_stack: bool,
    has_minutes: bool,
}

/// How a tensor of the reference code lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Same,
    /// `(out, in)`.
    Linear,
    /// `(out, in, 1)`.
    Pointwise,
    /// `(out, in, 3)`.
    Conv,
    /// One table of several.
    Tables,
}

impl Names {
    pub(super) fn of(state: &Weights) -> Self {
        Names {
            is_stack: state.keys().any(|name| name.starts_with("encoder.encoders.")),
            has_minutes: state.keys().any(|name| name.contains(".minute_embed.")),
        }
    }

    fn encoder(&self, i: usize) -> String {
        if self.is_stack { format!("encoder.encoders.{i}") } else { "encoder".to_string() }
    }

    /// Takes what the tensor with our name and shape is made of.
    pub(super) fn take(
        &self,
        state: &mut Weights,
        name: &str,
        shape: &[usize],
    ) -> Result<Weight, WeightMismatch> {
        let layout = layout(name);
        if layout == Layout::Tables {
            let tables = ["month", "day", "weekday", "hour", "minute"].iter().zip(CALENDAR);
            let n_tables = CALENDAR.len() - usize::from(!self.has_minutes);
            let mut values = Vec::new();
            for (part, n_rows) in tables.take(n_tables) {
                let theirs = format!("{}.{part}_embed.weight", self.theirs(name));
                values.extend(take(state, theirs, vec![n_rows, shape[1]])?.values);
            }
            return Ok(Weight { shape: shape.to_vec(), values });
        }
        let expected = match (layout, shape) {
            (Layout::Linear, [n_in, n_out]) => vec![*n_out, *n_in],
            (Layout::Pointwise, [n_in, n_out]) => vec![*n_out, *n_in, 1],
            (Layout::Conv, [n_in, n_out]) => vec![*n_out, *n_in / 3, 3],
            _ => shape.to_vec(),
        };
        let values = take(state, self.theirs(name), expected)?.values;
        let values = match (layout, shape) {
            (Layout::Linear | Layout::Pointwise, [n_in, n_out]) => {
                let at = |i: usize| values[(i % n_out) * n_in + i / n_out];
                (0..values.len()).map(at).collect()
            }
            (Layout::Conv, [taps, n_out]) => {
                // Ours is (tap, in, out).
                let n_in = taps / 3;
                let at = |i: usize| {
                    let (tap, channel, out) = (i / (n_in * n_out), i / n_out % n_in, i % n_out);
                    values[(out * n_in + channel) * 3 + tap]
                };
                (0..values.len()).map(at).collect()
            }
            _ => values,
        };
        Ok(Weight { shape: shape.to_vec(), values })
    }

    /// Their name for ours; for tables what stands before the name of each.
    pub(super) fn theirs(&self, ours: &str) -> String {
        let parts: Vec<&str> = ours.split('.').collect();
        match parts[..] {
            [embedding @ ("encoder_embedding" | "decoder_embedding"), ref rest @ ..] => {
                let inside = match rest {
                    ["value", parameter] => format!("value_embedding.tokenConv.{parameter}"),
                    ["time", parameter] => format!("temporal_embedding.embed.{parameter}"),
                    _ => "temporal_embedding".to_string(),
                };
                format!("{}_embedding.{inside}", &embedding[..3])
            }
            ["encoders", i, ref rest @ ..] => {
                let encoder = self.encoder(i.parse().unwrap_or(0));
                match rest {
                    ["layers", j, rest @ ..] => format!("{encoder}.attn_layers.{j}.{}", in_layer(rest, "norm2")),
                    ["distils", j, "conv", parameter] => format!("{encoder}.conv_layers.{j}.downConv.{parameter}"),
                    ["distils", j, "norm", parameter] => {
                        format!("{encoder}.conv_layers.{j}.norm.{}", of_norm(parameter))
                    }
                    _ => format!("{encoder}.norm.{}", of_norm(parts[parts.len() - 1])),
                }
            }
            ["decoder", "layers", j, ref rest @ ..] => format!("decoder.layers.{j}.{}", in_layer(rest, "norm3")),
            ["decoder", "norm", parameter] => format!("decoder.norm.{}", of_norm(parameter)),
            _ => ours.to_string(),
        }
    }
}

/// Their name inside a layer, whose last norm is `last_norm`.
fn in_layer(parts: &[&str], last_norm: &str) -> String {
    match parts {
        [attention, "output", parameter] => format!("{attention}.out_projection.{parameter}"),
        ["feed_forward", "expand", parameter] => format!("conv1.{parameter}"),
        ["feed_forward", "contract", parameter] => format!("conv2.{parameter}"),
        ["feed_forward", "norm", parameter] => format!("{last_norm}.{}", of_norm(parameter)),
        ["attention_norm" | "self_norm", parameter] => format!("norm1.{}", of_norm(parameter)),
        ["cross_norm", parameter] => format!("norm2.{}", of_norm(parameter)),
        [attention, projection, parameter] => format!("{attention}.{projection}_projection.{parameter}"),
        _ => parts.join("."),
    }
}

/// Their name of a parameter of a norm.
fn of_norm(ours: &str) -> &str {
    match ours {
        "gain" => "weight",
        "mean" => "running_mean",
        "variance" => "running_var",
        other => other,
    }
}

fn layout(ours: &str) -> Layout {
    let parts: Vec<&str> = ours.split('.').collect();
    match parts[..] {
        [.., "calendar"] => Layout::Tables,
        [.., "value" | "conv", "weight"] if !ours.contains("attention") => Layout::Conv,
        [.., "feed_forward", _, "weight"] => Layout::Pointwise,
        [.., "weight"] => Layout::Linear,
        _ => Layout::Same,
    }
}

fn take(state: &mut Weights, name: String, expected: Vec<usize>) -> Result<Weight, WeightMismatch> {
    match state.remove(&name) {
        None => Err(WeightMismatch::Missing { name, expected }),
        Some(weight) if weight.shape != expected => {
            Err(WeightMismatch::Shape { name, found: weight.shape, expected })
        }
        Some(weight) => Ok(weight),
    }
}
