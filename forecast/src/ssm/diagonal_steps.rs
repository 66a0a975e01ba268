//! Steps of a diagonal state space: `x' = z x + u`, `y = 2 Re(sum of w x') + D u`.
//!
//! The input's factor stands in `w`, so a state is that of the paper divided by it.

use pulp::{Arch, Simd, WithSimd};

use super::discretise::Discrete;
use super::recurrence::{Blocks, Lanes, WIDTH};

/// The numbers of all channels in blocks.
#[derive(Debug)]
pub(super) struct DiagonalSteps {
    /// States of a channel.
    n: usize,
    /// Of each state of each block: `z`, `2 w`, real and imaginary parts.
    states: Vec<[Lanes; 4]>,
    /// D of each block.
    skip: Vec<Lanes>,
}

impl DiagonalSteps {
    /// Shapes: `modes` `(channel, state)`, `skip` `(channel)`.
    pub(super) fn new(modes: &[Discrete], skip: &[f64]) -> Self {
        let n = modes.len() / skip.len().max(1);
        let n_blocks = skip.len().div_ceil(WIDTH);
        let mut steps = DiagonalSteps {
            n,
            states: vec![[[0.0; WIDTH]; 4]; n * n_blocks],
            skip: vec![[0.0; WIDTH]; n_blocks],
        };
        for (channel, skip) in skip.iter().enumerate() {
            let (block, lane) = (channel / WIDTH, channel % WIDTH);
            steps.skip[block][lane] = *skip as f32;
            for at in 0..n {
                let Discrete { z, w } = modes[channel * n + at];
                let numbers = [z.re, z.im, 2.0 * w.re, 2.0 * w.im];
                for (to, from) in steps.states[block * n + at].iter_mut().zip(numbers) {
                    to[lane] = from as f32;
                }
            }
        }
        steps
    }
}

impl Blocks for DiagonalSteps {
    fn n_state(&self) -> usize {
        self.n * 2 * WIDTH
    }

    fn step(&self, block: usize, state: &mut [f32], u: &Lanes) -> Lanes {
        let states = &self.states[block * self.n..(block + 1) * self.n];
        Arch::new().dispatch(Step { states, skip: &self.skip[block], state, u })
    }
}

struct Step<'a> {
    states: &'a [[Lanes; 4]],
    skip: &'a Lanes,
    state: &'a mut [f32],
    u: &'a Lanes,
}

impl WithSimd for Step<'_> {
    type Output = Lanes;

    // Plain loops: what they are compiled for is that of the caller.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Lanes {
        let Step { states, skip, state, u } = self;
        let (mut first, mut second) = ([0.0; WIDTH], [0.0; WIDTH]);
        let (parts, _) = state.as_chunks_mut::<WIDTH>();
        for (parts, [z_re, z_im, w_re, w_im]) in parts.chunks_exact_mut(2).zip(states) {
            for i in 0..WIDTH {
                let (re, im) = (parts[0][i], parts[1][i]);
                let new_re = z_re[i].mul_add(re, (-z_im[i]).mul_add(im, u[i]));
                let new_im = z_re[i].mul_add(im, z_im[i] * re);
                first[i] = w_re[i].mul_add(new_re, first[i]);
                second[i] = w_im[i].mul_add(new_im, second[i]);
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
