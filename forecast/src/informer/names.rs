//! Names and layouts of the reference code (zhouhaoyi/Informer2020) for the tensors of ours.
//!
//! A linear layer is `(out, in)` there and `(in, out)` here, a layer of the two-layer network `(out, in, 1)`, a
//! convolution `(out, in, 3)` there and `(3 * in, out)` here. Tables of the calendar are one each there, and one below
//! the other here.

use super::embedding::CALENDAR;
use super::weights::{Weight, WeightMismatch, Weights};

/// The names of the reference code for ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// True if there are several encoders.
    pub(super) is_stack: bool,
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

    /// What stands before the layers of an encoder.
    pub(super) fn encoder(&self, i: usize) -> String {
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
                    ["layers", j, rest @ ..] => {
                        format!("{encoder}.attn_layers.{j}.{}", in_layer(rest, "norm2"))
                    }
                    ["distils", j, "conv", parameter] => {
                        format!("{encoder}.conv_layers.{j}.downConv.{parameter}")
                    }
                    ["distils", j, "norm", parameter] => {
                        format!("{encoder}.conv_layers.{j}.norm.{}", of_norm(parameter))
                    }
                    _ => format!("{encoder}.norm.{}", of_norm(parts[parts.len() - 1])),
                }
            }
            ["decoder", "layers", j, ref rest @ ..] => {
                format!("decoder.layers.{j}.{}", in_layer(rest, "norm3"))
            }
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
