//! Adam over the parameters of a network, with the fused step of `kernels/adam.rs`.
//!
//! The running means are plain numbers in the order in which the network lists its parameters, so that they can be
//! saved and loaded beside it.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::kernels::adam::Adam;

/// Adam, and what it remembers of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Optimiser {
    options: Adam,
    /// Steps taken.
    step: u64,
    /// One for each parameter that numbers are trained of.
    moments: Vec<Moments>,
}

/// The running means of a parameter, row-major; empty before its first gradient.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Moments {
    /// Of its gradient.
    pub(crate) mean: Vec<f32>,
    /// Of its gradient's square.
    pub(crate) square: Vec<f32>,
}

impl Optimiser {
    /// Adam that has not seen a gradient yet.
    pub(crate) fn new(options: Adam) -> Self {
        Optimiser { options, step: 0, moments: Vec::new() }
    }

    /// Adam as it was after this many steps.
    pub(crate) fn resume(options: Adam, step: u64, moments: Vec<Moments>) -> Self {
        Optimiser { options, step, moments }
    }

    /// Steps taken, and the running means of each parameter.
    pub(crate) fn state(&self) -> (u64, &[Moments]) {
        (self.step, &self.moments)
    }

    /// The network after one step; parameters without a gradient stay as they are.
    pub(crate) fn step<N: Module>(&mut self, network: N, gradients: GradientsParams, rate: f64) -> N {
        self.step += 1;
        network.map(&mut Step { optimiser: self, gradients, rate, parameter: 0 })
    }
}

struct Step<'a> {
    optimiser: &'a mut Optimiser,
    gradients: GradientsParams,
    rate: f64,
    /// The number of the next parameter.
    parameter: usize,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.parameter;
        self.parameter += 1;
        let Optimiser { options, step, moments } = &mut *self.optimiser;
        if moments.len() <= at {
            moments.resize(at + 1, Moments::default());
        }
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let Moments { mean, square } = &mut moments[at];
        let (id, tensor, mapper) = param.consume();
        let is_trained = tensor.is_require_grad();
        let n = tensor.shape().num_elements();
        mean.resize(n, 0.0);
        square.resize(n, 0.0);
        let tensor = options.step_tensor(tensor.inner(), gradient, (mean, square), self.rate, *step);
        let tensor = Tensor::from_inner(tensor);
        let tensor = if is_trained { tensor.require_grad() } else { tensor };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::optim::AdamConfig;
    use burn::tensor::{Device, TensorData};

    #[derive(Module, Debug)]
    struct Network {
        a: Param<Tensor<2>>,
        unused: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }

    fn network() -> Network {
        let device = Device::flex().autodiff();
        let data = |n: usize| (0..n).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>();
        Network {
            a: Param::from_data(TensorData::new(data(6), [2, 3]), &device),
            unused: Param::from_data(TensorData::new(data(2), [2]), &device),
            b: Param::from_data(TensorData::new(data(3), [3]), &device),
        }
    }

    fn gradients(network: &Network) -> GradientsParams {
        let y = network.a.val().square() * network.b.val().unsqueeze::<2>();
        GradientsParams::from_grads(y.square().sum().backward(), network)
    }

    fn values(network: &Network) -> Vec<f32> {
        let [a, unused, b] = [network.a.val().flatten::<1>(0, 1), network.unused.val(), network.b.val()]
            .map(Tensor::into_data);
        [a, unused, b].iter().flat_map(|data| data.iter::<f32>().collect::<Vec<_>>()).collect()
    }

    #[test]
    fn networks_are_trained_as_by_burn_and_go_on_from_a_saved_state_with_the_same_bits() {
        let (mut ours, mut theirs) = (network(), network());
        let mut optimiser = Optimiser::new(Adam::default());
        let mut reference = AdamConfig::new().with_epsilon(1e-8).init();
        for step in 0..7 {
            let rate = 0.1 / (1.0 + f64::from(step));
            if step == 3 {
                let (steps, moments) = optimiser.state();
                assert_eq!((steps, moments.len(), moments[1].mean.len()), (3, 3, 0));
                optimiser = Optimiser::resume(Adam::default(), steps, moments.to_vec());
            }
            let gradient = gradients(&ours);
            ours = optimiser.step(ours, gradient, rate);
            let gradient = gradients(&theirs);
            theirs = reference.step(rate, theirs, gradient);
        }
        for (ours, theirs) in values(&ours).iter().zip(values(&theirs)) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }
}
