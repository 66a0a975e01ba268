//! Steps of a diagonal state space: `x' = z x + u`, `y = 2 Re(sum of w x') + D u`.
//!
//! The input's factor stands in `w`, so a state is that of the paper divided by it.

use pulp::{Arch, Simd, WithSimd};

use super::blocks::{Blocks, Coefficients, Lanes, WIDTH, with_input};
use super::discretise::Discrete;

/// Of each state `z` and `2 w`, real and imaginary parts; of each channel D.
#[derive(Debug)]
pub(super) struct DiagonalSteps(Coefficients<4, 1>);

impl DiagonalSteps {
    /// Shapes: `modes` `(channel, state)`, `skip` `(channel)`.
    pub(super) fn new(modes: &[Discrete], skip: &[f64]) -> Self {
        let n = modes.len() / skip.len().max(1);
        let mut all = Coefficients::zeros(n, skip.len());
        for (channel, skip) in skip.iter().enumerate() {
            let modes = modes[channel * n..(channel + 1) * n].iter();
            all.put(channel, modes.map(|Discrete { z, w }| [z.re, z.im, 2.0 * w.re, 2.0 * w.im]), [*skip]);
        }
        DiagonalSteps(all)
    }
}

impl Blocks for DiagonalSteps {
    fn n_state(&self) -> usize {
        self.0.n_state()
    }

    fn step(&self, block: usize, state: &mut [f32], u: &Lanes) -> Lanes {
        let (states, [skip]) = self.0.of(block);
        Arch::new().dispatch(Step { states, skip, state, u })
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
        with_input(skip, u, &first, &second)
    }
}
