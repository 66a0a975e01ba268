//! Turns weights of the reference code (zhouhaoyi/Informer2020) into ours.
//!
//! What shapes tell about the architecture is taken from them; heads, kinds of attention, factor, lookback and
//! `mix` leave no trace in a checkpoint and have to be said.

use std::path::Path;

use burn::tensor::Device;

use super::config::{AttentionKind, EmbeddingKind, InformerConfig};
use super::embedding::CALENDAR;
use super::names::Names;
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
        ImportError::Checkpoint(reason @ WeightMismatch::NotFinite { .. }) => {
            unreadable(path, reason.to_string())
        }
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
    let network = Informer::empty(&config, shape, device)?;
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
    [".position_embedding.pe", ".num_batches_tracked", "_embed.emb.weight"]
        .iter()
        .any(|end| name.ends_with(end))
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
    let distilled =
        (0..n_encoders).any(|i| state.contains_key(&format!("{}.conv_layers.0.downConv.weight", encoder(i))));
    let time = |name: &str| format!("enc_embedding.temporal_embedding.{name}");
    let tables = |end: &str| {
        let has = |part: &str| state.contains_key(&time(&format!("{part}_embed{end}")));
        has("hour").then(|| CALENDAR.len() - 1 + usize::from(has("minute")))
    };
    let (embedding, n_marks) =
        match (size(&time("embed.weight"), 1), tables(".weight"), tables(".emb.weight")) {
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
        n_past: 0,
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
            let rule =
                format!("the checkpoint has {n_layers} layers; give one kind for all of them, or as many");
            Err(Error::option(format!("number of {field}"), given.len(), rule))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint that PyTorch has written: learned tables with quarters of an hour, one channel, width 4. Number
    /// `k` of a tensor is `(7 k + 5 n) mod 23 / 23 - 0.5`, where n is the length of its name, and 1 more in
    /// `running_var`.
    fn checkpoint() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/informer_layout.pth")
    }

    fn given() -> InformerConfig {
        InformerConfig { n_heads: 2, lookback: 10, label_length: 5, ..InformerConfig::default() }
    }

    #[test]
    fn a_pickle_of_pytorch_is_read_number_by_number() {
        let state = read_state_dict(&checkpoint()).unwrap();
        assert_eq!(state.len(), 86);
        for (name, weight) in &state {
            let more = if name.ends_with("running_var") { 1.0 } else { 0.0 };
            let value = |k: usize| ((7 * k + 5 * name.len()) % 23) as f32 / 23.0 - 0.5 + more;
            let due: Vec<f32> = (0..weight.values.len()).map(value).collect();
            assert!(weight.values.iter().zip(&due).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
        }
    }

    #[test]
    fn shapes_tell_the_architecture_and_layouts_are_turned() {
        let Imported { config, network } = import(&checkpoint(), &given(), 3, &Device::flex()).unwrap();
        assert_eq!((config.d_model, config.d_ff, config.embedding), (4, 6, EmbeddingKind::Learned));
        assert_eq!((config.encoder_layers.len(), config.decoder_layers.len(), config.distil), (2, 1, true));
        assert_eq!(network.shape(), Shape { n_channels: 1, n_marks: 5, n_past: 0, n_outputs: 1, horizon: 3 });
        let (ours, theirs) = (to_weights(&network).unwrap(), read_state_dict(&checkpoint()).unwrap());
        let table = &ours["decoder_embedding.calendar"];
        assert_eq!(table.shape, [80, 4]);
        let of_hour = &theirs["dec_embedding.temporal_embedding.hour_embed.weight"].values;
        // Months, days and weekdays come before.
        assert_eq!(table.values[52 * 4..76 * 4], of_hour[..]);
        let (conv, theirs_conv) =
            (&ours["encoders.0.distils.0.conv.weight"], &theirs["encoder.conv_layers.0.downConv.weight"]);
        assert_eq!((&conv.shape[..], &theirs_conv.shape[..]), (&[12, 4][..], &[4, 4, 3][..]));
        // The next step (tap 2), from channel 1 to channel 3.
        assert_eq!(
            conv.values[(2 * 4 + 1) * 4 + 3].to_bits(),
            theirs_conv.values[(3 * 4 + 1) * 3 + 2].to_bits()
        );
    }

    #[test]
    fn what_belongs_to_another_architecture_is_named() {
        let refused = |change: &dyn Fn(&mut Weights), given: &InformerConfig| {
            let mut state = read_state_dict(&checkpoint()).unwrap();
            change(&mut state);
            match from_state_dict(state, given, 3, &Device::flex()).unwrap_err() {
                ImportError::Option(error) => error.to_string(),
                ImportError::Checkpoint(mismatch) => mismatch.to_string(),
            }
        };
        let weight =
            |shape: &[usize]| Weight { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] };
        let query = "decoder.layers.0.self_attention.query_projection.weight";
        let missing = refused(&|state| drop(state.remove(query)), &given());
        assert_eq!(missing, format!("tensor {query} of shape [4, 4] is missing"));
        let other = refused(&|state| drop(state.insert(query.to_string(), weight(&[4, 5]))), &given());
        assert_eq!(other, format!("tensor {query} has shape [4, 5], but [4, 4] is due"));
        let left = refused(&|state| drop(state.insert("zeta".to_string(), weight(&[3]))), &given());
        assert_eq!(left, "tensor zeta of shape [3] is left over");
        let nothing = refused(&Weights::clear, &InformerConfig { d_model: 8, ..given() });
        assert!(nothing.starts_with("tensor dec") && nothing.ends_with("is missing"), "{nothing}");
        let heads = refused(&|_| {}, &InformerConfig { n_heads: 3, ..given() });
        assert!(heads.contains("n_heads is 3, but it must divide d_model, which is 4"), "{heads}");
        let kinds = vec![AttentionKind::Full, AttentionKind::Prob, AttentionKind::Full];
        let kinds = refused(&|_| {}, &InformerConfig { encoder_layers: kinds, ..given() });
        assert!(kinds.contains("number of encoder_layers is 3, but the checkpoint has 2 layers"), "{kinds}");
    }

    #[test]
    fn files_that_are_no_checkpoints_are_refused_with_their_name() {
        let folder = std::env::temp_dir().join(format!("longcast-import-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = std::fs::read(checkpoint()).unwrap();
        let cut = &bytes[..bytes.len() / 2];
        for (name, bytes) in
            [("cut.pth", cut), ("empty.pth", &[]), ("cut.safetensors", cut), ("text.pt", b"a,b\n1,2\n")]
        {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            let message = import(&path, &given(), 3, &Device::flex()).unwrap_err().to_string();
            assert!(message.starts_with("cannot read") && message.contains(name), "{message}");
        }
        let message = import(&folder.join("no.pth"), &given(), 3, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains("no.pth") && message.contains("check the path"), "{message}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
