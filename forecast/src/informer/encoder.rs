//! The encoder: attention and a two-layer network in turn, the sequence halved between layers; several encoders on
//! ever shorter ends of the input stand side by side (section 3.2).

use burn::module::Module;

use super::attention::{Ask, Attention, AttentionOptions, Merge};
use super::config::{AttentionKind, InformerConfig};
use super::distil::Distil;
use super::draws::Draws;
use super::layers::{FeedForward, Norm};
use super::pass::{Pass, Site, Sites};
use super::sequence::Sequence;
use crate::kernels::Mask;

/// `x = LN(x + attention(x))`, then the two-layer network.
#[derive(Module, Debug)]
pub(super) struct EncoderLayer {
    pub(super) attention: Attention,
    pub(super) attention_norm: Norm,
    pub(super) feed_forward: FeedForward,
    #[module(skip)]
    site: Site,
}

impl EncoderLayer {
    pub(super) fn new(
        kind: AttentionKind,
        config: &InformerConfig,
        draws: &mut Draws<'_>,
        sites: &mut Sites,
    ) -> Self {
        let InformerConfig { d_model, n_heads, d_ff, activation, .. } = *config;
        let options = AttentionOptions { kind, n_heads, mask: Mask::None, merge: Merge::Plain };
        EncoderLayer {
            attention: Attention::new(d_model, options, draws, sites),
            attention_norm: Norm::new(d_model, draws),
            feed_forward: FeedForward::new(d_model, d_ff, activation, draws, sites),
            site: sites.next(),
        }
    }

    fn pack(&mut self) {
        self.attention.pack();
        self.feed_forward.pack();
    }

    pub(super) fn forward(&self, x: Sequence, pass: &Pass<'_>) -> Sequence {
        let ask = Ask { n_last: x.length(), site: self.site };
        let attended = self.attention.forward(&x, &x, ask, pass);
        let normed = self.attention_norm.forward(attended, Some(x.rows.clone()));
        x.with(self.feed_forward.forward(normed, pass))
    }
}

/// Layers with distilling between them, and a norm.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    pub(super) layers: Vec<EncoderLayer>,
    /// One after each layer but the last; none without distilling.
    pub(super) distils: Vec<Distil>,
    pub(super) norm: Norm,
    /// Steps that it reads.
    pub(super) length: usize,
}

impl Encoder {
    /// An encoder of the last `length` steps with the first `depth` of the configured layers.
    pub(super) fn new(
        (length, depth): (usize, usize),
        config: &InformerConfig,
        draws: &mut Draws<'_>,
        sites: &mut Sites,
    ) -> Self {
        let kinds = &config.encoder_layers[..depth.min(config.encoder_layers.len())];
        let n_distils = if config.distil { depth.saturating_sub(1) } else { 0 };
        Encoder {
            layers: kinds.iter().map(|kind| EncoderLayer::new(*kind, config, draws, sites)).collect(),
            distils: (0..n_distils).map(|_| Distil::new(config.d_model, draws)).collect(),
            norm: Norm::new(config.d_model, draws),
            length,
        }
    }

    pub(super) fn pack(&mut self) {
        self.layers.iter_mut().for_each(EncoderLayer::pack);
        self.distils.iter_mut().for_each(Distil::pack);
    }

    pub(super) fn forward(&self, x: Sequence, pass: &Pass<'_>) -> Sequence {
        let mut x = x.last(self.length);
        for (at, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, pass);
            if let Some(distil) = self.distils.get(at) {
                x = distil.forward(&x, pass);
            }
        }
        x.with(self.norm.forward(x.rows.clone(), None))
    }
}
