//! Adam and AdamW on flat parameters, in one pass over memory.
//!
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `p = p (1 - rate w) - rate (m / (1 - b1^t)) /
//! (sqrt(v / (1 - b2^t)) + epsilon)` (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1; the decay of weights `w`
//! apart from the gradient as in Loshchilov and Hutter 2019, arXiv 1711.05101).

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
        let root = (1.0 / (1.0 - self.beta2.powi(steps))) as f32;
        let epsilon = self.epsilon as f32;
        for (((p, g), m), v) in params.iter_mut().zip(grads).zip(m).zip(v) {
            *m = b1 * *m + rest1 * g;
            *v = b2 * *v + rest2 * g * g;
            *p = *p * kept - stride * *m / ((*v * root).sqrt() + epsilon);
        }
    }
}
