//! A stream of standard normal numbers that is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardUniform};

use super::elementary::ln;

/// Standard normal numbers by the polar method of Marsaglia and Bray (1964).
///
/// `rand_distr::StandardNormal` would be faster, but it calls the system's `exp` and `ln`, whose
/// last bit differs between machines.
pub(super) struct Noise {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Noise {
    /// Starts the stream of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), spare: None }
    }

    /// Returns the next number of mean 0 and variance 1.
    pub(super) fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.uniform(), self.uniform());
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * ln(square) / square).sqrt();
                self.spare = Some(v * scale);
                return u * scale;
            }
        }
    }

    /// Returns the next number that is uniform in [-1, 1).
    fn uniform(&mut self) -> f64 {
        let unit: f64 = StandardUniform.sample(&mut self.rng);
        2.0 * unit - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u32 = 1_000_000;

    /// Moments of the normal distribution are 0, 1, 0, 3; the standard error of the mean of
    /// `z^p` is `sqrt((E z^2p - (E z^p)^2) / n)`, with `E z^2, z^4, z^6, z^8 = 1, 3, 15, 105`.
    /// Five standard errors would fail one seed in a million.
    #[test]
    fn moments_are_those_of_the_normal_distribution() {
        let mut noise = Noise::new(1);
        let sample: Vec<f64> = (0..N).map(|_| noise.draw()).collect();
        for (power, moment, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let mean = sample.iter().map(|z| z.powi(power)).sum::<f64>() / f64::from(N);
            let bound = 5.0 * (variance / f64::from(N)).sqrt();
            assert!((mean - moment).abs() < bound, "moment {power} is {mean}");
        }
    }

    /// 0.26998 % of the normal distribution lies beyond three standard deviations; the count has
    /// a standard deviation of 52 here.
    #[test]
    fn tails_have_the_right_weight() {
        let mut noise = Noise::new(2);
        let n_beyond = (0..N).filter(|_| noise.draw().abs() > 3.0).count();
        assert!((2440..=2960).contains(&n_beyond), "{n_beyond} of {N}");
    }

    #[test]
    fn successive_numbers_are_uncorrelated() {
        let mut noise = Noise::new(3);
        let sample: Vec<f64> = (0..N).map(|_| noise.draw()).collect();
        for lag in 1..=4 {
            let products = sample.iter().zip(&sample[lag..]).map(|(a, b)| a * b);
            let mean = products.sum::<f64>() / f64::from(N);
            assert!(mean.abs() < 5.0 / f64::from(N).sqrt(), "lag {lag}: {mean}");
        }
    }
}
