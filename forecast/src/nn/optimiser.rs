//! Adam and AdamW over the tensors of a network, with a state that can be read out and put back.
//!
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `w -= rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + e)` with
//! the constants 0.9, 0.999 and 1e-8 (Kingma and Ba 2015, arXiv 1412.6980). A decay of the weights is added to `g` by
//! Adam, and taken off `w` by AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101).

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gradients::FlatGradients;
use crate::{Error, Result};

/// The optimisers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    /// The decay of weights is a part of the gradient.
    #[default]
    Adam,
    /// The decay of weights is apart from the gradient.
    AdamW,
}

/// How some tensors of a network differ from the rest in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ParameterGroup {
    /// Their share of the learning rate.
    pub(crate) rate_share: f64,
    /// Their share of the decay of weights.
    pub(crate) decay_share: f64,
}

impl Default for ParameterGroup {
    fn default() -> Self {
        ParameterGroup { rate_share: 1.0, decay_share: 1.0 }
    }
}

/// The memory of one tensor; empty before its first gradient.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moments {
    /// Steps with a gradient.
    pub(crate) n_steps: u64,
    /// The running mean of gradients.
    pub(crate) mean: Vec<f32>,
    /// The running mean of their squares.
    pub(crate) square: Vec<f32>,
}

/// An optimiser of one network.
#[derive(Debug)]
pub(crate) struct Optimiser {
    kind: OptimiserKind,
    weight_decay: f64,
    groups: Vec<ParameterGroup>,
    moments: Vec<Moments>,
}

/// One step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The learning rate.
    pub(crate) rate: f64,
    /// What gradients are multiplied by: 1, or less where they are clipped.
    pub(crate) gradient_share: f64,
}

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

impl Optimiser {
    /// An optimiser without memory; `group` tells that of a tensor from its path in the network.
    pub(crate) fn new<N: Module>(
        network: &N,
        kind: OptimiserKind,
        weight_decay: f64,
        group: &dyn Fn(&str) -> ParameterGroup,
    ) -> Self {
        let mut grouper = Grouper { path: Vec::new(), group, groups: Vec::new() };
        network.visit(&mut grouper);
        let moments = vec![Moments::default(); grouper.groups.len()];
        Optimiser { kind, weight_decay, groups: grouper.groups, moments }
    }

    /// The network after one step; tensors without a gradient stay as they are.
    ///
    /// # Errors
    /// [`Error::Internal`] if the gradients are those of another network.
    pub(crate) fn step<N: Module>(&mut self, network: N, gradients: &FlatGradients, step: Step) -> Result<N> {
        let is_alike = gradients.of_tensors.len() == self.moments.len();
        let mut stepper = Stepper { optimiser: self, gradients, step, next: 0, is_alike };
        let network = network.map(&mut stepper);
        let reason = || Error::Internal("the gradients are those of another network".to_string());
        if stepper.is_alike { Ok(network) } else { Err(reason()) }
    }

    /// The memory, one entry for each tensor of the network in its order.
    pub(crate) fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Puts a memory back.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is that of more or fewer tensors.
    pub(crate) fn restore(&mut self, moments: Vec<Moments>) -> Result<()> {
        if moments.len() != self.moments.len() {
            let (found, due) = (moments.len(), self.moments.len());
            return Err(Error::Internal(format!("a memory of {found} tensors for a network of {due}")));
        }
        self.moments = moments;
        Ok(())
    }
}

/// One step of one tensor. All slices have the same length; `decay` is that of AdamW, `penalty` that of Adam.
fn step_tensor(
    weights: &mut [f32],
    gradients: &[f32],
    moments: &mut Moments,
    Factors { rate, gradient_share, decay, penalty }: Factors,
) {
    moments.n_steps += 1;
    let n_steps = moments.n_steps.min(i32::MAX as u64) as i32;
    // The corrections of both means as one factor, and epsilon as it is after it (section 2 of Kingma and Ba).
    let root = (1.0 - BETA_2.powi(n_steps)).sqrt();
    let correction = root / (1.0 - BETA_1.powi(n_steps));
    let epsilon = EPSILON * root;
    let means = moments.mean.par_chunks_mut(CHUNK).zip(moments.square.par_chunks_mut(CHUNK));
    let chunks = weights.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK)).zip(means);
    chunks.for_each(|((weights, gradients), (means, squares))| {
        // With the widest vectors that the processor has; each operation rounds as it does on its own.
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (((weight, gradient), mean), square) in
                    weights.iter_mut().zip(gradients).zip(means).zip(squares)
                {
                    let gradient = *weight * penalty + *gradient * gradient_share;
                    *mean = *mean * BETA_1 + gradient * (1.0 - BETA_1);
                    *square = *square * BETA_2 + gradient * gradient * (1.0 - BETA_2);
                    let delta = *mean * correction / (square.sqrt() + epsilon);
                    *weight = *weight * decay - delta * rate;
                }
            },
        );
    });
}

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 15;

/// The numbers of a step for one tensor.
#[derive(Debug, Clone, Copy)]
struct Factors {
    rate: f32,
    gradient_share: f32,
    decay: f32,
    penalty: f32,
}

struct Grouper<'a> {
    path: Vec<String>,
    group: &'a dyn Fn(&str) -> ParameterGroup,
    groups: Vec<ParameterGroup>,
}

impl ModuleVisitor for Grouper<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.groups.push((self.group)(&self.path.join(".")));
    }
}

struct Stepper<'a> {
    optimiser: &'a mut Optimiser,
    gradients: &'a FlatGradients,
    step: Step,
    next: usize,
    is_alike: bool,
}

impl Stepper<'_> {
    /// Changes the weights of tensor `at` in place.
    fn step_weights(&mut self, at: usize, weights: &mut [f32], gradients: &[f32]) {
        let Optimiser { kind, weight_decay, groups, moments } = &mut *self.optimiser;
        let (group, moments) = (groups[at], &mut moments[at]);
        if moments.mean.is_empty() {
            (moments.mean, moments.square) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        }
        if gradients.len() != weights.len() || moments.mean.len() != weights.len() {
            self.is_alike = false;
            return;
        }
        let rate = self.step.rate * group.rate_share;
        let weight_decay = *weight_decay * group.decay_share;
        let (decay, penalty) = match kind {
            OptimiserKind::Adam => (1.0, weight_decay),
            OptimiserKind::AdamW => (1.0 - rate * weight_decay, 0.0),
        };
        let gradient_share = self.step.gradient_share as f32;
        let factors =
            Factors { rate: rate as f32, gradient_share, decay: decay as f32, penalty: penalty as f32 };
        step_tensor(weights, gradients, moments, factors);
    }
}

impl ModuleMapper for Stepper<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.next;
        self.next += 1;
        let all = self.gradients;
        let Some(gradients) = all.of_tensors.get(at).and_then(Option::as_ref) else {
            return param;
        };
        param.map(|tensor| {
            let device = tensor.device();
            // Only a tensor that is trained has a gradient.
            let mut data = tensor.inner().into_data();
            match (data.as_mut_slice::<f32>(), gradients.as_slice::<f32>()) {
                (Ok(weights), Ok(gradients)) if self.is_alike => self.step_weights(at, weights, gradients),
                _ => self.is_alike = false,
            }
            Tensor::from_data(data, &device).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Mlp, parameters};
    use burn::optim::{AdamConfig, AdamWConfig, GradientsParams};
    use burn::tensor::{Device, TensorData};

    fn gradients(network: &Mlp, step: usize) -> GradientsParams {
        let device = Device::flex().autodiff();
        let input = (0..4 * 7).map(|i| ((i * (step + 3)) % 11) as f32 / 4.0 - 1.0).collect();
        let input = Tensor::<2>::from_data(TensorData::new(input, [4, 7]), &device);
        GradientsParams::from_grads(network.forward(input).square().sum().backward(), network)
    }

    /// Ten steps of ours, and of an optimiser of burn's.
    fn compare(kind: OptimiserKind, weight_decay: f64) {
        let device = Device::flex().autodiff();
        let mut theirs = match kind {
            OptimiserKind::Adam => AdamConfig::new().with_epsilon(1e-8).init(),
            OptimiserKind::AdamW => {
                AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(weight_decay as f32).init()
            }
        };
        let mut network = Mlp::new(&[7, 5, 3], 1, &device);
        let mut expected = network.clone();
        let mut ours = Optimiser::new(&network, kind, weight_decay, &|_| ParameterGroup::default());
        for at in 0..10 {
            let rate = 0.01 / (at + 1) as f64;
            let flat = FlatGradients::new(&network, gradients(&network, at)).unwrap();
            network = ours.step(network, &flat, Step { rate, gradient_share: 1.0 }).unwrap();
            let of_theirs = gradients(&expected, at);
            expected = theirs.step(rate, expected, of_theirs);
        }
        let numbers = |network: &Mlp| -> Vec<f32> {
            parameters::read(network).unwrap().into_iter().flat_map(|p| p.values).collect()
        };
        for (ours, due) in numbers(&network).into_iter().zip(numbers(&expected)) {
            // Theirs of AdamW corrects both means one by one.
            let is_same = ours.to_bits() == due.to_bits() || kind == OptimiserKind::AdamW;
            assert!(is_same && (ours - due).abs() < 1e-6, "{kind:?}: {ours} for {due}");
        }
    }

    #[test]
    fn steps_are_those_of_burns_optimisers_and_of_adam_bit_for_bit() {
        compare(OptimiserKind::Adam, 0.0);
        compare(OptimiserKind::AdamW, 0.0);
        compare(OptimiserKind::AdamW, 0.1);
    }

    /// The recursion in 64 bits, of one number.
    #[test]
    fn decay_clipping_and_groups_do_what_they_say() {
        let rates = Step { rate: 0.1, gradient_share: 0.5 };
        for (kind, decay) in [(OptimiserKind::Adam, 0.2), (OptimiserKind::AdamW, 0.2)] {
            let (mut weight, mut moments) = ([0.7f32], Moments::default());
            let (mut w, mut m, mut v) = (0.7f64, 0.0f64, 0.0f64);
            let mut optimiser =
                Optimiser { kind, weight_decay: decay, groups: Vec::new(), moments: Vec::new() };
            optimiser.groups.push(ParameterGroup { rate_share: 0.25, decay_share: 0.5 });
            optimiser.moments.push(std::mem::take(&mut moments));
            let flat = FlatGradients { of_tensors: Vec::new() };
            for t in 1..6 {
                let gradient = f64::from(t) - 2.5;
                let mut stepper = Stepper {
                    optimiser: &mut optimiser,
                    gradients: &flat,
                    step: rates,
                    next: 0,
                    is_alike: true,
                };
                stepper.step_weights(0, &mut weight, &[gradient as f32]);
                let (rate, lambda) = (0.1 * 0.25, decay * 0.5);
                let is_apart = kind == OptimiserKind::AdamW;
                let g = 0.5 * gradient + if is_apart { 0.0 } else { lambda * w };
                (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
                let (m, v) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
                w = if is_apart { w - rate * lambda * w } else { w };
                w -= rate * m / (v.sqrt() + 1e-8);
                assert!((f64::from(weight[0]) - w).abs() < 1e-5, "{kind:?} {t}: {} for {w}", weight[0]);
            }
        }
    }

    #[test]
    fn groups_are_told_by_the_path_in_the_network() {
        let device = Device::flex().autodiff();
        let network = Mlp::new(&[7, 5, 3], 1, &device);
        let group = |path: &str| match path {
            "layers.1.bias" => ParameterGroup { rate_share: 0.0, decay_share: 1.0 },
            _ => ParameterGroup::default(),
        };
        let mut optimiser = Optimiser::new(&network, OptimiserKind::AdamW, 0.1, &group);
        let flat = FlatGradients::new(&network, gradients(&network, 1)).unwrap();
        let before = parameters::read(&network).unwrap();
        let after = optimiser.step(network, &flat, Step { rate: 0.1, gradient_share: 1.0 }).unwrap();
        for (before, after) in before.iter().zip(parameters::read(&after).unwrap()) {
            assert_eq!(before.values == after.values, after.path == "layers.1.bias", "{}", after.path);
        }
    }

    #[test]
    fn a_memory_put_back_goes_on_as_before_and_one_of_another_network_is_refused() {
        let device = Device::flex().autodiff();
        let group = |_: &str| ParameterGroup::default();
        let mut network = Mlp::new(&[7, 2], 1, &device);
        let mut first = Optimiser::new(&network, OptimiserKind::Adam, 0.0, &group);
        let step = Step { rate: 0.1, gradient_share: 1.0 };
        for at in 0..3 {
            let flat = FlatGradients::new(&network, gradients(&network, at)).unwrap();
            network = first.step(network, &flat, step).unwrap();
        }
        let mut second = Optimiser::new(&network, OptimiserKind::Adam, 0.0, &group);
        second.restore(first.moments().to_vec()).unwrap();
        let flat = FlatGradients::new(&network, gradients(&network, 9)).unwrap();
        let after = [first, second].map(|mut optimiser| {
            parameters::read(&optimiser.step(network.clone(), &flat, step).unwrap()).unwrap()
        });
        assert_eq!(after[0], after[1]);
        let deeper = Mlp::new(&[7, 2, 2], 1, &device);
        let mut other = Optimiser::new(&deeper, OptimiserKind::Adam, 0.0, &group);
        assert!(other.restore(vec![Moments::default(); 2]).is_err());
        assert!(other.step(deeper, &flat, step).is_err());
    }
}
