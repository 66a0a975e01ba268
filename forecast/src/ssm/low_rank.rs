//! Steps of a state space that is diagonal plus rank 1, in 64 bits: the bilinear rule on `A - p p*`.
//!
//! With `D = 1 / (2/dt - A)`, `a = D (2/dt + A)`, `m = p* D p` and the real number `r = p* x`, the identity of Woodbury
//! gives `x' = a x + 2 D b u - D p (r + s)`, `s = p* D ((2/dt + A) x - p r + 2 b u) / (1 + m)`; and
//! `r + s = Re(k x) + h u` for one vector `k`: a step costs O(N). States come in conjugate pairs, of which one is kept,
//! so `p* x = 2 Re(sum of conj(p) x)`.
//!
//! C and `C (I - step^L)`, from which the kernel of L steps is made, are turned into each other by a real matrix of
//! N x N: ill-conditioned where the state hardly decays in L steps, hence 64 bits.

use faer::Mat;
use faer::linalg::solvers::Solve;
use realfft::num_complex::Complex64;

use crate::kernels::LowRankChannel;

/// A step of one channel.
#[derive(Debug, Clone)]
pub(super) struct LowRankStep {
    pub(super) a: Vec<Complex64>,
    /// `2 D b`.
    pub(super) input: Vec<Complex64>,
    /// `D p`.
    pub(super) along: Vec<Complex64>,
    /// `k`.
    pub(super) seen: Vec<Complex64>,
    /// `h`.
    pub(super) direct: f64,
}

impl LowRankStep {
    pub(super) fn new(channel: &LowRankChannel) -> Self {
        let rate = 2.0 / channel.dt;
        let states = || channel.a.iter().zip(&channel.p).zip(&channel.b);
        let inverse = |a: &Complex64| 1.0 / (rate - a);
        let m: f64 = states().map(|((a, p), _)| 2.0 * p.norm_sqr() * inverse(a).re).sum();
        let direct: f64 = states().map(|((a, p), b)| 4.0 * (p.conj() * inverse(a) * b).re).sum();
        let step = |a: &Complex64| inverse(a) * (rate + a);
        LowRankStep {
            a: channel.a.iter().map(step).collect(),
            input: states().map(|((a, _), b)| 2.0 * inverse(a) * b).collect(),
            along: states().map(|((a, p), _)| inverse(a) * p).collect(),
            seen: states().map(|((a, p), _)| 2.0 * p.conj() * (1.0 + step(a)) / (1.0 + m)).collect(),
            direct: direct / (1.0 + m),
        }
    }

    /// The state after an input.
    #[cfg(test)]
    pub(super) fn step(&self, x: &mut [Complex64], u: f64) {
        let r: f64 = self.seen.iter().zip(&*x).map(|(k, x)| (k * x).re).sum::<f64>() + self.direct * u;
        for (n, x) in x.iter_mut().enumerate() {
            *x = self.a[n] * *x + self.input[n] * u - self.along[n] * r;
        }
    }

    /// The state matrix on real parts, then imaginary parts.
    fn matrix(&self) -> Mat<f64> {
        let n = self.a.len();
        Mat::from_fn(2 * n, 2 * n, |row, column| {
            let (i, j) = (row % n, column % n);
            let diagonal = match (i == j, row < n, column < n) {
                (false, ..) => 0.0,
                (true, true, true) | (true, false, false) => self.a[i].re,
                (true, true, false) => -self.a[i].im,
                (true, false, true) => self.a[i].im,
            };
            let along = if row < n { self.along[i].re } else { self.along[i].im };
            let seen = if column < n { self.seen[j].re } else { -self.seen[j].im };
            diagonal - along * seen
        })
    }

    /// `I - step^length`.
    fn forgotten(&self, length: usize) -> Mat<f64> {
        let mut square = self.matrix();
        let mut power = Mat::<f64>::identity(square.nrows(), square.nrows());
        let mut left = length;
        while left > 0 {
            if left % 2 == 1 {
                power = &power * &square;
            }
            left /= 2;
            if left > 0 {
                square = &square * &square;
            }
        }
        Mat::<f64>::identity(power.nrows(), power.nrows()) - power
    }

    /// `C (I - step^length)`, from which a kernel of that length is made.
    pub(super) fn shortened(&self, c: &[Complex64], length: usize) -> Vec<Complex64> {
        states(&(row(c) * self.forgotten(length)))
    }

    /// C from `C (I - step^length)`.
    pub(super) fn lengthened(&self, c: &[Complex64], length: usize) -> Vec<Complex64> {
        let system = self.forgotten(length).transpose().to_owned();
        let found = system.partial_piv_lu().solve(row(c).transpose());
        states(&found.transpose().to_owned())
    }
}

/// `y = 2 Re(C x)` on real parts, then imaginary parts.
fn row(c: &[Complex64]) -> Mat<f64> {
    let n = c.len();
    Mat::from_fn(1, 2 * n, |_, at| if at < n { 2.0 * c[at].re } else { -2.0 * c[at - n].im })
}

fn states(row: &Mat<f64>) -> Vec<Complex64> {
    let n = row.ncols() / 2;
    (0..n).map(|at| Complex64::new(row[(0, at)] / 2.0, -row[(0, n + at)] / 2.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::hippo::NormalPlusLowRank;
    use super::*;
    use crate::kernels::CauchyGrid;

    fn channel(n: usize, dt: f64) -> LowRankChannel {
        let parts = NormalPlusLowRank::new(n).unwrap();
        let c = (0..n / 2).map(|at| Complex64::new((at as f64).cos(), (1.7 * at as f64).sin())).collect();
        LowRankChannel { dt, a: parts.lambda, p: parts.p, b: parts.b, c }
    }

    /// The kernel by the recurrence.
    fn stepped(channel: &LowRankChannel, length: usize) -> Vec<f64> {
        let step = LowRankStep::new(channel);
        let mut x = vec![Complex64::new(0.0, 0.0); channel.a.len()];
        let after = |l: usize| {
            step.step(&mut x, if l == 0 { 1.0 } else { 0.0 });
            channel.c.iter().zip(&x).map(|(c, x)| 2.0 * (c * x).re).sum::<f64>()
        };
        (0..length).map(after).collect()
    }

    #[test]
    fn the_kernel_is_the_recurrence_in_64_bits_at_every_length() {
        for (n, dt, length) in [
            (8, 0.1, 1),
            (64, 0.01, 16),
            (64, 0.001, 33),
            (64, 0.1, 64),
            (64, 0.01, 1024),
            (64, 0.003, 16_384),
        ] {
            let full = channel(n, dt);
            let due = stepped(&full, length);
            let c = LowRankStep::new(&full).shortened(&full.c, length);
            let kernel = LowRankChannel { c: c.clone(), ..full.clone() }.kernel(&CauchyGrid::new(length));
            let largest = due.iter().fold(0.0, |largest: f64, k| largest.max(k.abs()));
            let error = kernel.iter().zip(&due).map(|(k, due)| (k - due).abs()).fold(0.0, f64::max);
            assert!(error < 1e-9 * largest, "{n} {dt} {length}: {error:e} of {largest:e}");
            // And beyond the length, by C itself.
            let again = LowRankStep::new(&full).lengthened(&c, length);
            let longer = LowRankChannel { c: again, ..full.clone() };
            let c = LowRankStep::new(&full).shortened(&longer.c, 3 * length + 1);
            let kernel = LowRankChannel { c, ..full.clone() }.kernel(&CauchyGrid::new(3 * length + 1));
            let due = stepped(&full, 3 * length + 1);
            let error = kernel.iter().zip(&due).map(|(k, due)| (k - due).abs()).fold(0.0, f64::max);
            assert!(error < 1e-8 * largest, "{n} {dt} beyond {length}: {error:e} of {largest:e}");
        }
    }
}
