//! A convolution with a long kernel, step by step and exactly: O(log^2 L) a step on average.
//!
//! Steps of a block of 16 are summed as they come. Where `2^q` divides the number of steps, the last `2^q` inputs add what
//! they add to the next `2^q` outputs, by one transform: every pair of an input and an output meets exactly once, in the
//! smallest interval of the dyadic grid that holds both (fast online convolution; van der Hoeven 2002). Beyond the
//! length of the kernel nothing meets, so the transforms and the memory are bounded by it.

use crate::kernels::{FEWEST_STEPS, MiddleProduct};

/// The kernels of all channels.
#[derive(Debug)]
pub(super) struct OnlineConvolution {
    d: usize,
    /// The first lags, `(lag, d)`.
    near: Vec<f32>,
    skip: Vec<f32>,
    /// For blocks of 16 steps, of 32, and so on to the length of the kernel.
    products: Vec<MiddleProduct>,
    /// Numbers of room that the longest of them takes.
    room: usize,
}

/// Steps that are summed as they come.
const NEAR: usize = FEWEST_STEPS;

impl OnlineConvolution {
    /// Shapes: `kernel` `(d, lag)`, `skip` `(d)`.
    pub(super) fn new(kernel: &[f64], skip: &[f64]) -> Self {
        let d = skip.len();
        let n_lags = kernel.len() / d.max(1);
        let by_lag: Vec<f32> = (0..n_lags * d).map(|at| kernel[at % d * n_lags + at / d] as f32).collect(); // (lag, d)
        let longest = n_lags.next_power_of_two().max(NEAR);
        let lengths = std::iter::successors(Some(NEAR), |n| Some(2 * n)).take_while(|n| *n <= longest);
        let products: Vec<_> = lengths.map(|n_steps| MiddleProduct::new(&by_lag, d, n_steps)).collect();
        let room = products.last().map_or(0, MiddleProduct::room);
        let mut near = by_lag;
        near.resize(near.len().min(NEAR * d), 0.0);
        OnlineConvolution { d, near, skip: skip.iter().map(|x| *x as f32).collect(), products, room }
    }

    /// Steps that are remembered.
    fn memory(&self) -> usize {
        self.products.last().map_or(NEAR, MiddleProduct::n_steps)
    }

    /// Numbers of a state: the last inputs, and what is known of the next outputs.
    pub(super) fn n_state(&self) -> usize {
        2 * self.memory() * self.d
    }

    /// Step number `at`. Shapes: `u` and `y` `(d)`.
    pub(super) fn step(&self, state: &mut [f32], at: u64, u: &[f32], y: &mut [f32]) {
        let (d, memory) = (self.d, self.memory());
        let (inputs, outputs) = state.split_at_mut(memory * d);
        let place = (at % memory as u64) as usize;
        inputs[place * d..(place + 1) * d].copy_from_slice(u);
        let known = &mut outputs[place * d..(place + 1) * d];
        y.copy_from_slice(known);
        known.fill(0.0);
        // The inputs of the same block of 16.
        let first = place - place % NEAR;
        for (lag, k) in self.near.chunks(d).enumerate().take(place - first + 1) {
            let u = &inputs[(place - lag) * d..][..d];
            for ((y, k), u) in y.iter_mut().zip(k).zip(u) {
                *y += k * u;
            }
        }
        for ((y, skip), u) in y.iter_mut().zip(&self.skip).zip(u) {
            *y += skip * u;
        }
        let n_seen = at.wrapping_add(1);
        let depth = n_seen.trailing_zeros().min(memory.trailing_zeros());
        if let Some(product) =
            depth.checked_sub(NEAR.trailing_zeros()).and_then(|at| self.products.get(at as usize))
        {
            let n_steps = product.n_steps();
            let end = place + 1;
            let next = (end % memory) * d;
            let seen = &inputs[(end - n_steps) * d..end * d];
            product.add_to(&mut outputs[next..next + n_steps * d], seen, self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        (0..n as u64).map(|i| (crate::data::mix(seed ^ i) >> 40) as f64 / (1u64 << 23) as f64 - 1.0).collect()
    }

    #[test]
    fn every_output_is_the_sum_over_all_lags_for_ever() {
        for (d, n_lags, n_steps) in [(1, 1, 50), (3, 5, 200), (2, 16, 100), (5, 33, 400), (9, 100, 1000)] {
            let (kernel, skip) = (numbers(d * n_lags, 1), numbers(d, 2));
            let u = numbers(n_steps * d, 3);
            let online = OnlineConvolution::new(&kernel, &skip);
            let mut state = vec![0.0; online.n_state()];
            let mut y = vec![0.0; d];
            for t in 0..n_steps {
                let input: Vec<f32> = u[t * d..(t + 1) * d].iter().map(|x| *x as f32).collect();
                online.step(&mut state, t as u64, &input, &mut y);
                for channel in 0..d {
                    let term = |lag: usize| kernel[channel * n_lags + lag] * u[(t - lag) * d + channel];
                    let due =
                        (0..=t.min(n_lags - 1)).map(term).sum::<f64>() + skip[channel] * u[t * d + channel];
                    assert!(
                        (f64::from(y[channel]) - due).abs() < 2e-5,
                        "{n_lags} {t}: {} for {due}",
                        y[channel]
                    );
                }
            }
        }
    }
}
