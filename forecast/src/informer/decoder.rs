//! The decoder: masked self-attention, attention to what was encoded, and a two-layer network in each layer.
//!
//! All steps are decoded at once from the start token and zeros (section 3.3, equation 7). Only the steps to forecast
//! are asked for, so the last layer computes the others no further than the keys and values of its self-attention.

use burn::module::Module;

use super::attention::{Ask, Attention, AttentionOptions, Merge};
use super::config::{AttentionKind, InformerConfig};
use super::draws::Draws;
use super::layers::{FeedForward, Norm};
use super::pass::{Pass, Site, Sites};
use super::sequence::Sequence;
use crate::kernels::Mask;

/// `x = LN(x + self-attention(x))`, `x = LN(x + cross-attention(x, memory))`, then the two-layer network.
#[derive(Module, Debug)]
pub(super) struct DecoderLayer {
    pub(super) self_attention: Attention,
    pub(super) self_norm: Norm,
    pub(super) cross_attention: Attention,
    pub(super) cross_norm: Norm,
    pub(super) feed_forward: FeedForward,
    #[module(skip)]
    sites: [Site; 2],
}

impl DecoderLayer {
    fn new(kind: AttentionKind, config: &InformerConfig, draws: &mut Draws<'_>, sites: &mut Sites) -> Self {
        let InformerConfig { d_model, n_heads, d_ff, activation, mix, cross_attention, .. } = *config;
        let merge = if mix { Merge::Mixed } else { Merge::Plain };
        let own = AttentionOptions { kind, n_heads, mask: Mask::Causal, merge };
        let cross = AttentionOptions {
            kind: cross_attention,
            n_heads: config.cross_heads(),
            mask: Mask::None,
            merge: Merge::Plain,
        };
        DecoderLayer {
            self_attention: Attention::new(d_model, own, draws, sites),
            self_norm: Norm::new(d_model, draws),
            cross_attention: Attention::new(d_model, cross, draws, sites),
            cross_norm: Norm::new(d_model, draws),
            feed_forward: FeedForward::new(d_model, d_ff, activation, draws, sites),
            sites: [sites.next(), sites.next()],
        }
    }

    fn pack(&mut self) {
        self.self_attention.pack();
        self.cross_attention.pack();
        self.feed_forward.pack();
    }

    /// The last `n_last` steps.
    pub(super) fn forward(&self, x: Sequence, memory: &Sequence, n_last: usize, pass: &Pass<'_>) -> Sequence {
        // ProbSparse attention chooses among all steps.
        let n_asked = match self.cross_attention.kind() {
            AttentionKind::Full => n_last,
            AttentionKind::Prob => x.length(),
        };
        let ask = Ask { n_last: n_asked, site: self.sites[0] };
        let attended = self.self_attention.forward(&x, &x, ask, pass);
        let x = x.last(n_asked);
        let x = x.with(self.self_norm.forward(attended, Some(x.rows.clone())));
        let ask = Ask { n_last, site: self.sites[1] };
        let crossed = self.cross_attention.forward(&x, memory, ask, pass);
        let x = x.last(n_last);
        let normed = self.cross_norm.forward(crossed, Some(x.rows.clone()));
        x.with(self.feed_forward.forward(normed, pass))
    }
}

/// Layers and a norm.
#[derive(Module, Debug)]
pub(super) struct Decoder {
    pub(super) layers: Vec<DecoderLayer>,
    pub(super) norm: Norm,
}

impl Decoder {
    pub(super) fn new(config: &InformerConfig, draws: &mut Draws<'_>, sites: &mut Sites) -> Self {
        let kinds = config.decoder_layers.iter();
        Decoder {
            layers: kinds.map(|kind| DecoderLayer::new(*kind, config, draws, sites)).collect(),
            norm: Norm::new(config.d_model, draws),
        }
    }

    pub(super) fn pack(&mut self) {
        self.layers.iter_mut().for_each(DecoderLayer::pack);
    }

    /// The last `n_last` steps.
    pub(super) fn forward(&self, x: Sequence, memory: &Sequence, n_last: usize, pass: &Pass<'_>) -> Sequence {
        let last = self.layers.len().saturating_sub(1);
        let x = self.layers.iter().enumerate().fold(x, |x, (at, layer)| {
            let n_asked = if at < last { x.length() } else { n_last };
            layer.forward(x, memory, n_asked, pass)
        });
        x.with(self.norm.forward(x.rows.clone(), None))
    }
}
