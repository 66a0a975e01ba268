//! What all layers of one forward pass share: whether the network learns, its random numbers, its sampled keys.

use std::borrow::Cow;
use std::cell::RefCell;

use burn::tensor::Tensor;

use super::config::{InformerConfig, SampledKeys};
use super::draws::keys;
use crate::data::mix;
use crate::kernels::Dropout;

/// How a forward pass runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode<'a> {
    /// Whether the network learns.
    pub(crate) phase: Phase,
    /// Keys that measure the queries, for each ProbSparse attention in the order of the pass (encoders, then for each
    /// decoder layer self-attention and cross attention), `(L_Q, n_samples)` row by row; `None` draws them.
    pub(crate) samples: Option<&'a [Vec<u32>]>,
}

/// Whether the network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// With dropout and the batch's own statistics; `step` counts all steps of the training, and makes its random
    /// numbers differ from those of the others.
    Training {
        /// From 0.
        step: u64,
    },
    /// Without dropout, with running statistics and random numbers of the seed alone, so that a forecast repeats.
    Evaluation,
}

impl Mode<'_> {
    /// Step of a training, from 0.
    pub(crate) fn training(step: u64) -> Self {
        Mode { phase: Phase::Training { step }, samples: None }
    }

    /// A forecast.
    pub(crate) fn evaluation() -> Self {
        Mode { phase: Phase::Evaluation, samples: None }
    }
}

/// A place of the network that draws random numbers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site(u64);

/// Numbers the places of a network as it is built, in the order of a pass.
#[derive(Debug, Default)]
pub(super) struct Sites {
    n_sites: u64,
    n_sparse: usize,
}

impl Sites {
    pub(super) fn next(&mut self) -> Site {
        self.n_sites += 1;
        Site(self.n_sites)
    }

    /// The number of the next ProbSparse attention.
    pub(super) fn next_sparse(&mut self) -> usize {
        self.n_sparse += 1;
        self.n_sparse - 1
    }
}

/// What every layer of a forward pass needs to know.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    mode: Mode<'a>,
    stream: u64,
    dropout: f64,
    factor: usize,
    samples: SampledKeys,
    watched: Option<&'a RefCell<Vec<Tensor<3>>>>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(config: &InformerConfig, mode: Mode<'a>) -> Self {
        let InformerConfig { dropout, factor, samples, seed, .. } = *config;
        let stream = match mode.phase {
            Phase::Training { step } => mix(mix(seed) ^ mix(step.wrapping_add(1))),
            Phase::Evaluation => mix(seed),
        };
        Pass { mode, stream, dropout, factor, samples, watched: None }
    }

    /// The same pass; every attention layer leaves its weights here, in the order of the pass.
    pub(super) fn watch(self, weights: &'a RefCell<Vec<Tensor<3>>>) -> Self {
        Pass { watched: Some(weights), ..self }
    }

    /// Where attention layers leave their weights.
    pub(super) fn watched(&self) -> Option<&'a RefCell<Vec<Tensor<3>>>> {
        self.watched
    }

    pub(super) fn phase(&self) -> Phase {
        self.mode.phase
    }

    /// What is dropped at a place: something while the network learns.
    pub(super) fn dropout_at(&self, site: Site) -> Dropout {
        let rate = match self.mode.phase {
            Phase::Training { .. } => self.dropout,
            Phase::Evaluation => 0.0,
        };
        Dropout { rate, seed: self.stream ^ mix(site.0) }
    }

    /// [`n_selected`] of its factor.
    pub(super) fn n_selected(&self, length: usize) -> usize {
        n_selected(self.factor, length)
    }

    /// The keys that measure each query of a ProbSparse attention, and how many they are for each.
    pub(super) fn sampled(
        &self,
        sparse_idx: usize,
        site: Site,
        n_queries: usize,
        n_keys: usize,
    ) -> (Cow<'a, [u32]>, usize) {
        if let Some(given) = self.mode.samples.and_then(|samples| samples.get(sparse_idx)) {
            return (Cow::Borrowed(given), given.len() / n_queries.max(1));
        }
        match self.samples {
            SampledKeys::All => {
                let all = (0..n_queries).flat_map(|_| 0..n_keys as u32).collect();
                (Cow::Owned(all), n_keys)
            }
            SampledKeys::Seeded => {
                let n_samples = self.n_selected(n_keys);
                (Cow::Owned(keys(self.stream ^ mix(site.0), n_queries, n_samples, n_keys)), n_samples)
            }
        }
    }
}

/// `min(c ceil(ln L), L)`, at least 1: queries that attend, and keys that are sampled.
pub(crate) fn n_selected(factor: usize, length: usize) -> usize {
    let n = (length as f64).ln().ceil().max(0.0) as usize;
    factor.saturating_mul(n).clamp(1, length.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_rounded_up_before_the_factor() {
        let pass = Pass::new(&InformerConfig { factor: 5, ..InformerConfig::default() }, Mode::evaluation());
        // ceil(ln 96) is 5, ceil(ln 720) is 7; short sequences select all, and one step selects itself.
        assert_eq!([96, 720, 10, 2, 1].map(|length| pass.n_selected(length)), [25, 35, 10, 2, 1]);
    }

    #[test]
    fn keys_are_redrawn_in_each_step_and_the_same_in_each_forecast() {
        let config = InformerConfig::default();
        let site = Sites::default().next();
        let of = |mode| Pass::new(&config, mode).sampled(0, site, 96, 96).0.into_owned();
        assert_eq!(of(Mode::evaluation()), of(Mode::evaluation()));
        assert_eq!(of(Mode::training(3)), of(Mode::training(3)));
        assert_ne!(of(Mode::training(3)), of(Mode::training(4)));
        assert_ne!(of(Mode::training(0)), of(Mode::evaluation()));
        let all = InformerConfig { samples: SampledKeys::All, ..config };
        let (keys, n_samples) = Pass::new(&all, Mode::training(1)).sampled(0, site, 2, 3);
        assert_eq!((&keys[..], n_samples), (&[0, 1, 2, 0, 1, 2][..], 3));
    }
}
