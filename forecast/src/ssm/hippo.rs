//! First state matrices: HiPPO-LegS as normal plus low rank, and the diagonal ones of S4D.
//!
//! `A_nk = -sqrt((2n+1)(2k+1))` below the diagonal, `-(n+1)` on it (Gu et al. 2020, arXiv 2008.07669). With
//! `P_n = sqrt(n + 1/2)`, `A + P P^T = -1/2 I + K` and `K` skew, so `A = V (Lambda - p p*) V*` with unitary `V` (Gu et
//! al. 2022, arXiv 2111.00396, theorem 1). `K` is diagonalised as the Hermitian `-i K` in 64 bits: the eigenvectors of
//! `A` itself grow like `2^(4 N / 3)`. Diagonal matrices: Gu et al. 2022, arXiv 2206.11893.

use std::f64::consts::PI;

use faer::{Mat, Side, c64};
use realfft::num_complex::Complex64;

use super::mixer_config::StateInit;
use crate::{Error, Result};

/// HiPPO-LegS.
#[derive(Debug, Clone)]
pub(crate) struct Legs {
    /// Shape `(N, N)`.
    pub(crate) a: Mat<f64>,
    /// Shape `(N)`.
    pub(crate) b: Vec<f64>,
    /// The term of rank 1: `A + P P^T` is normal.
    pub(crate) p: Vec<f64>,
}

impl Legs {
    pub(crate) fn new(n: usize) -> Self {
        let root = |n: usize| ((2 * n + 1) as f64).sqrt();
        let entry = |row: usize, column: usize| match row.cmp(&column) {
            std::cmp::Ordering::Greater => -root(row) * root(column),
            std::cmp::Ordering::Equal => -((row + 1) as f64),
            std::cmp::Ordering::Less => 0.0,
        };
        Legs {
            a: Mat::from_fn(n, n, entry),
            b: (0..n).map(root).collect(),
            p: (0..n).map(|n| (n as f64 + 0.5).sqrt()).collect(),
        }
    }
}

/// LegS in the basis of the eigenvectors of its normal part: the states of negative imaginary part, of which the
/// others are conjugates.
#[derive(Debug, Clone)]
pub(crate) struct NormalPlusLowRank {
    /// Eigenvalues, ascending by imaginary part.
    pub(crate) lambda: Vec<Complex64>,
    /// `V* P`.
    pub(crate) p: Vec<Complex64>,
    /// `V* B`. Not clipped: the phase of an eigenvector is arbitrary, so a bound on the imaginary part is too.
    pub(crate) b: Vec<Complex64>,
    /// Eigenvectors, one a column, the first entry real and positive.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) v: Vec<Vec<Complex64>>,
}

impl NormalPlusLowRank {
    /// For an even N.
    ///
    /// # Errors
    /// [`Error::Internal`] if the eigenvalues cannot be found.
    pub(crate) fn new(n: usize) -> Result<Self> {
        let legs = Legs::new(n);
        // -i K with K = A + P P^T + 1/2 I.
        let hermitian = Mat::from_fn(n, n, |row, column| {
            let skew = legs.a[(row, column)] + legs.p[row] * legs.p[column];
            c64::new(0.0, if row == column { 0.0 } else { -skew })
        });
        let found = hermitian.self_adjoint_eigen(Side::Lower);
        let found =
            found.map_err(|error| Error::Internal(format!("eigenvalues of HiPPO-LegS: {error:?}")))?;
        let (values, vectors) = (found.S().column_vector(), found.U());
        let mut parts = NormalPlusLowRank { lambda: Vec::new(), p: Vec::new(), b: Vec::new(), v: Vec::new() };
        // In ascending order, so the negative ones come first.
        for at in 0..n / 2 {
            let turn = vectors[(0, at)].conj() / vectors[(0, at)].norm();
            let column: Vec<Complex64> = (0..n)
                .map(|row| {
                    let entry = vectors[(row, at)] * turn;
                    Complex64::new(entry.re, entry.im)
                })
                .collect();
            let project = |x: &[f64]| column.iter().zip(x).map(|(v, x)| v.conj() * x).sum::<Complex64>();
            parts.lambda.push(Complex64::new(-0.5, values[at].re));
            parts.p.push(project(&legs.p));
            parts.b.push(project(&legs.b));
            parts.v.push(column);
        }
        Ok(parts)
    }
}

/// The diagonal of a first state matrix and the input's factors, `(channel, N / 2)`.
#[derive(Debug, Clone)]
pub(crate) struct Diagonal {
    pub(crate) a: Vec<Complex64>,
    /// 1 but for LegS.
    pub(crate) b: Vec<Complex64>,
}

/// For `d` channels of N states.
///
/// # Errors
/// [`Error::Internal`] only.
pub(crate) fn diagonal(init: StateInit, d: usize, n: usize) -> Result<Diagonal> {
    let half = n / 2;
    let lin = |at: usize| Complex64::new(-0.5, PI * at as f64);
    let inv = |at: usize| {
        let n = n as f64;
        Complex64::new(-0.5, n / PI * (n / (2 * at + 1) as f64 - 1.0))
    };
    let one = Complex64::new(1.0, 0.0);
    let of_all = |state: &dyn Fn(usize) -> Complex64| -> Vec<Complex64> {
        (0..d * half).map(|at| state(at % half)).collect()
    };
    let a = match init {
        StateInit::Legs => {
            let parts = NormalPlusLowRank::new(n)?;
            let (a, b) = (of_all(&|at| parts.lambda[at].conj()), of_all(&|at| parts.b[at].conj()));
            return Ok(Diagonal { a, b });
        }
        StateInit::Lin => of_all(&lin),
        StateInit::Inv => of_all(&inv),
        StateInit::Real => of_all(&|at| Complex64::new(-((at + 1) as f64), 0.0)),
        StateInit::Diag => {
            let state = |at: usize| if at / half < d.div_ceil(2) { inv(at % half) } else { lin(at % half) };
            (0..d * half).map(state).collect()
        }
    };
    Ok(Diagonal { b: vec![one; a.len()], a })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_comes_back_from_its_parts() {
        for n in [2, 8, 64] {
            let (legs, parts) = (Legs::new(n), NormalPlusLowRank::new(n).unwrap());
            for row in 0..n {
                for column in 0..n {
                    // V (Lambda - p p*) V*, with the conjugate half.
                    let mut entry = 0.0;
                    let (mut left, mut right) = (0.0, 0.0);
                    for at in 0..n / 2 {
                        let v = &parts.v[at];
                        entry += 2.0 * (v[row] * parts.lambda[at] * v[column].conj()).re;
                        left += 2.0 * (v[row] * parts.p[at]).re;
                        right += 2.0 * (v[column] * parts.p[at]).re;
                    }
                    let due = legs.a[(row, column)];
                    assert!((entry - left * right - due).abs() < 1e-10 * (n * n) as f64, "{row} {column}");
                }
            }
        }
    }

    #[test]
    fn diagonal_matrices_are_those_of_the_paper() {
        let close =
            |x: Complex64, re: f64, im: f64| assert!((x - Complex64::new(re, im)).norm() < 1e-12, "{x}");
        let lin = diagonal(StateInit::Lin, 2, 8).unwrap();
        close(lin.a[3], -0.5, 3.0 * PI);
        close(lin.a[4], -0.5, 0.0);
        let inv = diagonal(StateInit::Inv, 1, 8).unwrap();
        close(inv.a[1], -0.5, 8.0 / PI * (8.0 / 3.0 - 1.0));
        close(diagonal(StateInit::Real, 1, 8).unwrap().a[3], -4.0, 0.0);
        let both = diagonal(StateInit::Diag, 4, 8).unwrap();
        assert_eq!((both.a[4], both.a[9]), (inv.a[0], lin.a[1]));
        let legs = diagonal(StateInit::Legs, 1, 8).unwrap();
        assert!(
            legs.a.iter().all(|a| (a.re + 0.5).abs() < 1e-12 && a.im > 0.0)
                && legs.b[0] != Complex64::new(1.0, 0.0)
        );
    }
}
