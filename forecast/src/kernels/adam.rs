//! Adam and AdamW on flat parameters, in one pass over memory.
//!
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `p = p (1 - rate w) - rate (m / (1 - b1^t)) /
//! (sqrt(v / (1 - b2^t)) + epsilon)` (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1; the decay of weights `w`
//! apart from the gradient as in Loshchilov and Hutter 2019, arXiv 1711.05101).

use burn::tensor::{Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;

use super::fused::{change, is_fused};

/// The constants of Adam.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `beta1` | 0.9 | memory of the mean gradient | `[0, 1)` |
/// | `beta2` | 0.999 | memory of the mean square | `[0, 1)` |
/// | `epsilon` | 1e-8 | added to the root of the mean square | above 0 |
/// | `weight_decay` | 0 | share of a parameter taken off in a step of rate 1 | `[0, inf)` |
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Adam {
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) epsilon: f64,
    pub(crate) weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Adam {
    /// One step, in place. `m` and `v` are the running means, 0 at first; `step` counts from 1. All slices have the
    /// length of the shortest.
    pub(crate) fn step(
        &self,
        params: &mut [f32],
        grads: &[f32],
        (m, v): (&mut [f32], &mut [f32]),
        rate: f64,
        step: u64,
    ) {
        let steps = step.min(i32::MAX as u64) as i32;
        let (b1, b2) = (self.beta1 as f32, self.beta2 as f32);
        let (rest1, rest2) = ((1.0 - self.beta1) as f32, (1.0 - self.beta2) as f32);
        let kept = (1.0 - rate * self.weight_decay) as f32;
        let stride = (rate / (1.0 - self.beta1.powi(steps))) as f32;
        let root = (1.0 / (1.0 - self.beta2.powi(steps)).sqrt()) as f32;
        let epsilon = self.epsilon as f32;
        let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
        let chunks = params.par_chunks_mut(CHUNK).zip(grads.par_chunks(CHUNK)).zip(moments);
        chunks.for_each(|((p, g), (m, v))| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                        *m = b1 * *m + rest1 * g;
                        *v = b2 * *v + rest2 * (g * g);
                        *p = *p * kept - stride * *m / (v.sqrt() * root + epsilon);
                    }
                },
            );
        });
    }

    /// One step of a parameter without autodiff: the tensor after it. On the CPU in place, if nothing else holds it.
    pub(crate) fn step_tensor<const D: usize>(
        &self,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        moments: (&mut [f32], &mut [f32]),
        rate: f64,
        step: u64,
    ) -> Tensor<D> {
        if !is_fused(&parameter) {
            let (shape, device, dtype) = (parameter.dims(), parameter.device(), parameter.dtype());
            let mut values: Vec<f32> = parameter.into_data().iter::<f32>().collect();
            let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
            self.step(&mut values, &gradient, moments, rate, step);
            return Tensor::from_data(TensorData::new(values, shape), (&device, dtype));
        }
        change(parameter, gradient, |values, gradient| self.step(values, gradient, moments, rate, step))
    }
}

/// Elements that one thread takes at a time.
const CHUNK: usize = 1 << 15;

#[cfg(test)]
mod tests {
    use super::super::check::{assert_close, draw, numbers};
    use super::*;
    use burn::module::{Module, Param};
    use burn::optim::{AdamWConfig, GradientsParams};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Point {
        at: Param<Tensor<1>>,
    }

    #[test]
    fn steps_are_those_of_burn() {
        let adam = Adam { beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weight_decay: 0.1 };
        let config = AdamWConfig::new().with_beta_1(0.8).with_beta_2(0.95).with_epsilon(1e-6);
        let mut optimiser = config.with_weight_decay(0.1).init();
        let n = 70_001;
        let f32s = |seed: u64| -> Vec<f32> { draw(n, seed).into_iter().map(|x| x as f32).collect() };
        let device = Device::flex().autodiff();
        let mut point = Point { at: Param::from_data(TensorData::new(f32s(1), [n]), &device) };
        let mut ours = Tensor::<1>::from_data(TensorData::new(f32s(1), [n]), &Device::flex());
        let mut values = f32s(1);
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let (mut m2, mut v2) = (m.clone(), v.clone());
        for step in 1..=5 {
            let gradient = f32s(1 + step);
            let tensor = Tensor::<1>::from_data(TensorData::new(gradient.clone(), [n]), &Device::flex());
            let mut gradients = GradientsParams::new();
            gradients.register(point.at.id, tensor.clone());
            point = optimiser.step(0.01, point, gradients);
            ours = adam.step_tensor(ours, tensor, (&mut m, &mut v), 0.01, step);
            adam.step(&mut values, &gradient, (&mut m2, &mut v2), 0.01, step);
        }
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        assert_eq!(numbers(ours), values);
        assert_close("parameters", &values, &numbers(point.at.val()), 2e-6);
    }
}
