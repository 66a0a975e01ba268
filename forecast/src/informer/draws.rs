//! Numbers drawn from a seed by their position alone: first weights, and the keys that measure a query.
//!
//! The first weights are spread as in the reference code: the convolution of an embedding normally with variance
//! `2 / fan_in` (He et al. 2015, arXiv 1502.01852), other weights and all their biases evenly up to `1 / sqrt(fan_in)`.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::mix;
use crate::data::random;

/// Where the parameters of a network come from, one stream for each.
#[derive(Debug)]
pub(super) struct Draws<'a> {
    /// `None` where other numbers will take the place of all.
    seed: Option<u64>,
    device: &'a Device,
    n_drawn: u64,
}

impl<'a> Draws<'a> {
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Draws { seed: Some(mix(seed)), device, n_drawn: 0 }
    }

    /// Zeros, whose memory is not touched.
    pub(super) fn none(device: &'a Device) -> Self {
        Draws { seed: None, device, n_drawn: 0 }
    }

    /// Where the parameters are.
    pub(super) fn device(&self) -> &'a Device {
        self.device
    }

    /// Evenly from `-1 / sqrt(fan_in)` to `1 / sqrt(fan_in)`.
    pub(super) fn even<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        self.parameter(shape, |stream, i| (2.0 * random::unit(stream, i) - 1.0) * bound)
    }

    /// Normally, with this standard deviation.
    pub(super) fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |stream, i| random::normal(stream, i, deviation))
    }

    /// The same number everywhere.
    pub(super) fn constant<const D: usize>(&mut self, shape: [usize; D], value: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |_, _| value)
    }

    fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        draw: impl Fn(u64, u64) -> f64,
    ) -> Param<Tensor<D>> {
        let n: usize = shape.iter().product();
        let values: Vec<f32> = match self.seed.map(|seed| mix(seed ^ self.n_drawn)) {
            Some(stream) => (0..n as u64).map(|i| draw(stream, i) as f32).collect(),
            None => vec![0.0; n],
        };
        self.n_drawn += 1;
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

/// Numbers of keys, evenly with replacement, `(query, sample)` row by row.
pub(crate) fn keys(stream: u64, n_queries: usize, n_samples: usize, n_keys: usize) -> Vec<u32> {
    let stream = mix(stream);
    let draw = |i: usize| ((u128::from(mix(stream ^ i as u64)) * n_keys as u128) >> 64) as u32;
    (0..n_queries * n_samples).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_spread_of_the_reference_and_follow_from_the_seed() {
        let device = Device::flex();
        let values = |param: Param<Tensor<2>>| param.val().try_into_vec_as::<f32>().unwrap();
        let of = |seed| {
            let mut draws = Draws::new(seed, &device);
            (values(draws.even([100, 200], 100)), values(draws.normal([100, 200], 0.3)))
        };
        let (even, normal) = of(1);
        assert_eq!((&even, &normal), (&of(1).0, &of(1).1));
        assert_ne!(even, of(2).0);
        assert!(even.iter().all(|w| w.abs() <= 0.1));
        let variance = |x: &[f32]| x.iter().map(|w| f64::from(w * w)).sum::<f64>() / x.len() as f64;
        assert!((variance(&even) / (0.01 / 3.0) - 1.0).abs() < 0.03, "{}", variance(&even));
        assert!((variance(&normal) / 0.09 - 1.0).abs() < 0.03, "{}", variance(&normal));
        // A fourth moment of 3 tells normal numbers from even ones, which have 1.8.
        let fourth = normal.iter().map(|w| f64::from(w / 0.3).powi(4)).sum::<f64>() / normal.len() as f64;
        assert!((fourth - 3.0).abs() < 0.2, "{fourth}");
    }

    #[test]
    fn keys_are_drawn_evenly() {
        let drawn = keys(5, 700, 10, 7);
        assert_eq!((drawn.len(), &drawn), (7_000, &keys(5, 700, 10, 7)));
        assert_ne!(drawn, keys(6, 700, 10, 7));
        for key in 0..7 {
            let count = drawn.iter().filter(|k| **k == key).count();
            assert!((880..1120).contains(&count), "key {key}: {count}");
        }
    }
}
