//! From continuous to discrete time: `x' = A x + B u` at steps of `dt`, state by state.
//!
//! Zero-order hold keeps the input constant within a step: `z = exp(dt A)`, factor `(z - 1) / A`. The bilinear rule
//! (Tustin 1947) is `z = (1 + dt A / 2) / (1 - dt A / 2)`, factor `dt / (1 - dt A / 2)`.

use realfft::num_complex::Complex64;
use serde::{Deserialize, Serialize};

/// How a state space is put on a grid of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discretisation {
    /// The trapezoidal rule, as in S4.
    Bilinear,
    /// The input is constant within a step, as in S4D.
    Zoh,
}

/// One state of one channel in continuous time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) dt: f64,
    pub(crate) a: Complex64,
    /// The output's factor times the input's, `C B`.
    pub(crate) c: Complex64,
}

/// The same in discrete time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Discrete {
    /// What the state is multiplied by in a step.
    pub(crate) z: Complex64,
    /// The output's factor times the input's.
    pub(crate) w: Complex64,
}

impl Mode {
    /// In steps.
    pub(crate) fn discrete(self, discretisation: Discretisation) -> Discrete {
        let Mode { dt, a, c } = self;
        match discretisation {
            Discretisation::Zoh => Discrete { z: (a * dt).exp(), w: c * hold(a, dt) },
            Discretisation::Bilinear => {
                let less = 1.0 / (1.0 - a * (dt / 2.0));
                Discrete { z: (1.0 + a * (dt / 2.0)) * less, w: c * dt * less }
            }
        }
    }

    /// The gradients of `ln dt`, `ln(-Re a)`, `Im a`, `Re c`, `Im c` from those of `z` and `w`. A gradient of a
    /// complex number is the derivative by its real part plus `i` times that by its imaginary part.
    pub(crate) fn gradients(
        self,
        discretisation: Discretisation,
        of_z: Complex64,
        of_w: Complex64,
    ) -> [f64; 5] {
        let Mode { dt, a, c } = self;
        // w = c e; the derivatives of z and e by a and dt.
        let (e, z_by_a, z_by_dt, e_by_a, e_by_dt) = match discretisation {
            Discretisation::Zoh => {
                let z = (a * dt).exp();
                let e = hold(a, dt);
                (e, z * dt, z * a, (z * dt - e) / a, z)
            }
            Discretisation::Bilinear => {
                let less = 1.0 / (1.0 - a * (dt / 2.0));
                let square = less * less;
                (less * dt, square * dt, square * a, square * (dt * dt / 2.0), square)
            }
        };
        let of_c = of_w * e.conj();
        let of_a = of_z * z_by_a.conj() + of_w * (c * e_by_a).conj();
        let of_dt = (of_z * z_by_dt.conj() + of_w * (c * e_by_dt).conj()).re;
        [of_dt * dt, of_a.re * a.re, of_a.im, of_c.re, of_c.im]
    }
}

/// `(exp(a dt) - 1) / a`, without cancellation where `a dt` is small.
fn hold(a: Complex64, dt: f64) -> Complex64 {
    let x = a * dt;
    // exp(x) - 1 = exp(re) (cos(im) - 1) + (exp(re) - 1) + i exp(re) sin(im)
    let (sin, cos_less) = (x.im.sin(), -2.0 * (x.im / 2.0).sin().powi(2));
    let grown = x.re.exp();
    Complex64::new(grown * cos_less + x.re.exp_m1(), grown * sin) / a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rules_agree_with_the_integral_for_small_steps() {
        let (a, c) = (Complex64::new(-0.5, 3.0), Complex64::new(1.0, -2.0));
        for discretisation in [Discretisation::Bilinear, Discretisation::Zoh] {
            let Discrete { z, w } = Mode { dt: 1e-5, a, c }.discrete(discretisation);
            // After time 1 with an input of 1: c (exp(a) - 1) / a.
            let n = 100_000;
            let sum = w * (z.powi(n) - 1.0) / (z - 1.0);
            let due = c * (a.exp() - 1.0) / a;
            assert!((sum - due).norm() < 1e-9 * due.norm(), "{discretisation:?}: {sum} for {due}");
        }
    }

    #[test]
    fn a_hold_of_a_short_step_keeps_its_digits() {
        let (a, dt) = (Complex64::new(-1e-3, 1e-3), 1e-9);
        let x = a * dt;
        let due = (1.0 + x / 2.0) * dt;
        assert!((hold(a, dt) - due).norm() < 1e-15 * dt);
    }
}
