//! First weights, drawn from a seed by their position alone.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::mix;
use crate::data::random;

/// Where the parameters of a layer come from, one stream for each.
#[derive(Debug)]
pub(super) struct Draws<'a> {
    seed: u64,
    device: &'a Device,
    n_drawn: u64,
}

impl<'a> Draws<'a> {
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Draws { seed: mix(seed), device, n_drawn: 0 }
    }

    /// Normal numbers with mean 0 and this standard deviation.
    pub(super) fn normal(&mut self, n: usize, deviation: f64) -> Vec<f64> {
        let stream = self.stream();
        (0..n as u64).map(|i| random::normal(stream, i, deviation)).collect()
    }

    /// Numbers evenly between two.
    pub(super) fn even(&mut self, n: usize, from: f64, to: f64) -> Vec<f64> {
        let stream = self.stream();
        (0..n as u64).map(|i| from + (to - from) * random::unit(stream, i)).collect()
    }

    fn stream(&mut self) -> u64 {
        self.n_drawn += 1;
        mix(self.seed ^ self.n_drawn)
    }

    /// Numbers that are trained.
    pub(super) fn parameter<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Param<Tensor<D>> {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    /// Numbers that are kept with a layer, and not trained.
    pub(super) fn constant<const D: usize>(&self, values: &[f64], shape: [usize; D]) -> Param<Tensor<D>> {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        Param::initialized(ParamId::new(), tensor.set_require_grad(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_spread_and_follow_from_the_seed() {
        let device = Device::flex();
        let of = |seed| {
            let mut draws = Draws::new(seed, &device);
            (draws.normal(20_000, 0.5), draws.even(20_000, -3.0, -1.0))
        };
        let (normal, even) = of(1);
        assert_eq!((&normal, &even), (&of(1).0, &of(1).1));
        assert!(normal != of(2).0 && even != of(2).1);
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!((variance / 0.25 - 1.0).abs() < 0.05, "{variance}");
        assert!(even.iter().all(|x| (-3.0..-1.0).contains(x)));
        assert!((even.iter().sum::<f64>() / 20_000.0 + 2.0).abs() < 0.02);
    }
}
