//! Steps of a state space that is diagonal plus rank 1: `r = Re(sum of k x) + h u`, `x' = a x + b u - p r`,
//! `y = 2 Re(sum of C x') + D u`; see `low_rank.rs`.

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex64;

use super::blocks::{Blocks, Coefficients, Lanes, WIDTH, with_input};
use super::low_rank::LowRankStep;
use crate::kernels::LowRankChannel;

/// Of each state `a`, `b`, `p`, `k` and `2 C`, real and imaginary parts; of each channel `h` and D.
#[derive(Debug)]
pub(super) struct LowRankSteps(Coefficients<10, 2>);

impl LowRankSteps {
    pub(super) fn new(channels: &[LowRankChannel], skip: &[f64]) -> Self {
        let n = channels.first().map_or(0, |channel| channel.a.len());
        let mut all = Coefficients::zeros(n, channels.len());
        for (at, (channel, skip)) in channels.iter().zip(skip).enumerate() {
            let step = LowRankStep::new(channel);
            let states = (0..n).map(|state| {
                let c: Complex64 = channel.c[state] * 2.0;
                let (a, b, p, k) = (step.a[state], step.input[state], step.along[state], step.seen[state]);
                [a.re, a.im, b.re, b.im, p.re, p.im, k.re, k.im, c.re, c.im]
            });
            all.put(at, states, [step.direct, *skip]);
        }
        LowRankSteps(all)
    }
}

impl Blocks for LowRankSteps {
    fn n_state(&self) -> usize {
        self.0.n_state()
    }

    fn step(&self, block: usize, state: &mut [f32], u: &Lanes) -> Lanes {
        let (states, channels) = self.0.of(block);
        Arch::new().dispatch(Step { states, channels, state, u })
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
        let r = with_input(direct, u, &first, &second);
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
        with_input(skip, u, &first, &second)
    }
}
