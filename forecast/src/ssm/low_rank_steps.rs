//! Steps of a state space that is diagonal plus rank 1: `r = Re(sum of k x) + h u`, `x' = a x + b u - p r`,
//! `y = 2 Re(sum of C x') + D u`; see `low_rank.rs`.

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex64;

use super::low_rank::LowRankStep;
use super::recurrence::{Blocks, Lanes, WIDTH};
use crate::kernels::LowRankChannel;

/// The numbers of all channels in blocks.
#[derive(Debug)]
pub(super) struct LowRankSteps {
    /// States of a channel.
    n: usize,
    /// Of each state of each block: `a`, `b`, `p`, `k`, `2 C`, real and imaginary parts.
    states: Vec<[Lanes; 10]>,
    /// `h` and D of each block.
    channels: Vec<[Lanes; 2]>,
}

impl LowRankSteps {
    pub(super) fn new(channels: &[LowRankChannel], skip: &[f64]) -> Self {
        let n = channels.first().map_or(0, |channel| channel.a.len());
        let n_blocks = channels.len().div_ceil(WIDTH);
        let mut steps = LowRankSteps {
            n,
            states: vec![[[0.0; WIDTH]; 10]; n * n_blocks],
            channels: vec![[[0.0; WIDTH]; 2]; n_blocks],
        };
        for (at, (channel, skip)) in channels.iter().zip(skip).enumerate() {
            let (block, lane) = (at / WIDTH, at % WIDTH);
            let step = LowRankStep::new(channel);
            steps.channels[block][0][lane] = step.direct as f32;
            steps.channels[block][1][lane] = *skip as f32;
            for state in 0..n {
                let c: Complex64 = channel.c[state] * 2.0;
                let values = [step.a[state], step.input[state], step.along[state], step.seen[state], c];
                let values = values.into_iter().flat_map(|value| [value.re, value.im]);
                for (to, from) in steps.states[block * n + state].iter_mut().zip(values) {
                    to[lane] = from as f32;
                }
            }
        }
        steps
    }
}

impl Blocks for LowRankSteps {
    fn n_state(&self) -> usize {
        self.n * 2 * WIDTH
    }

    fn step(&self, block: usize, state: &mut [f32], u: &Lanes) -> Lanes {
        let states = &self.states[block * self.n..(block + 1) * self.n];
        Arch::new().dispatch(Step { states, channels: &self.channels[block], state, u })
    }
}

struct Step<'a> {
    states: &'a [[Lanes; 10]],
    channels: &'a [Lanes; 2],
    state: &'a mut [f32],
    u: &'a Lanes,
}

impl WithSimd for Step<'_> {
    type Output = Lanes;

    // Plain loops: what they are compiled for is that of the caller.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Lanes {
        let Step { states, channels: [direct, skip], state, u } = self;
        let (parts, _) = state.as_chunks_mut::<WIDTH>();
        let (mut first, mut second) = ([0.0; WIDTH], [0.0; WIDTH]);
        for (parts, [.., k_re, k_im, _, _]) in parts.chunks_exact(2).zip(states) {
            for i in 0..WIDTH {
                first[i] = k_re[i].mul_add(parts[0][i], first[i]);
                second[i] = k_im[i].mul_add(parts[1][i], second[i]);
            }
        }
        let mut r = [0.0; WIDTH];
        for i in 0..WIDTH {
            r[i] = direct[i].mul_add(u[i], first[i] - second[i]);
        }
        (first, second) = ([0.0; WIDTH], [0.0; WIDTH]);
        for (parts, [a_re, a_im, b_re, b_im, p_re, p_im, _, _, c_re, c_im]) in
            parts.chunks_exact_mut(2).zip(states)
        {
            for i in 0..WIDTH {
                let (re, im) = (parts[0][i], parts[1][i]);
                let new_re = b_re[i].mul_add(u[i], -p_re[i] * r[i]);
                let new_re = a_re[i].mul_add(re, (-a_im[i]).mul_add(im, new_re));
                let new_im = b_im[i].mul_add(u[i], -p_im[i] * r[i]);
                let new_im = a_re[i].mul_add(im, a_im[i].mul_add(re, new_im));
                first[i] = c_re[i].mul_add(new_re, first[i]);
                second[i] = c_im[i].mul_add(new_im, second[i]);
                (parts[0][i], parts[1][i]) = (new_re, new_im);
            }
        }
        let mut y = [0.0; WIDTH];
        for i in 0..WIDTH {
            y[i] = skip[i].mul_add(u[i], first[i] - second[i]);
        }
        y
    }
}
