//! Normal equations by Cholesky factors: `G + ridge I = L L'`.
//!
//! Columns are lags, lag 1 first, so the leading part of the factor belongs to every shorter order: see
//! [`super::order`].

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltParams, LltRegularization};
use faer::linalg::cholesky::{llt, llt_pivoting};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{MatMut, MatRef, Par, Spec};
use ndarray::{Array1, Array2, ArrayView2};

use crate::{Error, Result};

/// A pivot that is smaller than this times the number of columns, as a share of its column's sum of squares, is
/// rounding: the column is a combination of those before it.
const PIVOT_TOLERANCE: f64 = 8.0 * f64::EPSILON;

/// The lower Cholesky factor of a positive definite matrix.
#[derive(Debug)]
pub(super) struct Cholesky {
    /// Column-major; what lies above the diagonal is of no meaning.
    lower: Vec<f64>,
    n: usize,
}

/// Columns of a least-squares problem that are combinations of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deficient {
    /// Columns that are no combination of others.
    pub(super) rank: usize,
}

impl Cholesky {
    /// The factor of `gram + ridge I`.
    ///
    /// # Errors
    /// [`Deficient`] with the rank, if the sum is not positive definite within rounding.
    pub(super) fn new(gram: &Array2<f64>, ridge: f64) -> Result<Result<Self, Deficient>> {
        let n = gram.nrows();
        let mut lower = ridged(gram, ridge);
        let params = Spec::<LltParams, f64>::default();
        let request = llt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, params);
        let mut buffer = memory(request)?;
        let factor = MatMut::from_column_major_slice_mut(&mut lower, n, n);
        let stack = MemStack::new(&mut buffer);
        let done =
            llt::factor::cholesky_in_place(factor, LltRegularization::default(), Par::Seq, stack, params);
        let smallest = |i: usize| PIVOT_TOLERANCE * n as f64 * (gram[[i, i]] + ridge);
        let is_rounding = |i: usize| {
            let pivot = lower[i * n + i];
            pivot.is_nan() || pivot * pivot <= smallest(i)
        };
        if done.is_err() || (0..n).any(is_rounding) {
            return Ok(Err(Deficient { rank: rank(gram, ridge)? }));
        }
        Ok(Ok(Cholesky { lower, n }))
    }

    /// The solution `w` of `L L' w = cross`. Shapes: `cross` `(column, target)`, result `(target, column)`.
    pub(super) fn solve(&self, cross: &Array2<f64>) -> Result<Array2<f64>> {
        let (n, n_targets) = cross.dim();
        let mut weights: Vec<f64> = cross.t().iter().copied().collect();
        let rhs = MatMut::from_column_major_slice_mut(&mut weights, n, n_targets);
        llt::solve::solve_in_place(self.factor(), rhs, Par::Seq, MemStack::new(&mut []));
        Array2::from_shape_vec((n_targets, n), weights).map_err(|error| Error::Internal(error.to_string()))
    }

    /// `L^-1 v` for one target.
    pub(super) fn forward(&self, v: &Array1<f64>) -> Array1<f64> {
        let mut solved = v.to_vec();
        let rhs = MatMut::from_column_major_slice_mut(&mut solved, self.n, 1);
        solve_lower_triangular_in_place(self.factor(), rhs, Par::Seq);
        Array1::from_vec(solved)
    }

    /// `L_k'^-1 z` for the leading `k` columns, `z` of length `k`: with `z = L^-1 v` the solution of order `k`.
    pub(super) fn backward(&self, z: &[f64]) -> Vec<f64> {
        let mut solved = z.to_vec();
        let k = z.len();
        let upper = self.factor().submatrix(0, 0, k, k).transpose();
        solve_upper_triangular_in_place(
            upper,
            MatMut::from_column_major_slice_mut(&mut solved, k, 1),
            Par::Seq,
        );
        solved
    }

    /// The diagonal of the inverse of `L_k L_k'`, `k` columns leading: the squared lengths of the columns of `L_k^-1`,
    /// which is the leading part of `L^-1`.
    pub(super) fn inverse_diagonal(&self, k: usize) -> Vec<f64> {
        let mut inverse = vec![0.0; self.n * self.n];
        let out = MatMut::from_column_major_slice_mut(&mut inverse, self.n, self.n);
        invert_lower_triangular(out, self.factor(), Par::Seq);
        let square = |column: &[f64]| column[..k].iter().map(|value| value * value).sum();
        inverse.chunks(self.n.max(1)).take(k).map(square).collect()
    }

    fn factor(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.lower, self.n, self.n)
    }
}

/// How many columns are no combination of others, pivots in the order of their size.
fn rank(gram: &Array2<f64>, ridge: f64) -> Result<usize> {
    let n = gram.nrows();
    let mut lower = ridged(gram, ridge);
    if !lower.iter().all(|value| value.is_finite()) {
        return Ok(0);
    }
    let largest = gram.diag().iter().fold(0.0, |most: f64, value| most.max(*value)) + ridge;
    let params = Spec::<llt_pivoting::factor::PivLltParams, f64>::default();
    let mut buffer =
        memory(llt_pivoting::factor::cholesky_in_place_scratch::<usize, f64>(n, Par::Seq, params))?;
    let (mut order, mut inverse) = (vec![0usize; n], vec![0usize; n]);
    let factor = MatMut::from_column_major_slice_mut(&mut lower, n, n);
    let stack = MemStack::new(&mut buffer);
    let done =
        llt_pivoting::factor::cholesky_in_place(factor, &mut order, &mut inverse, Par::Seq, stack, params);
    let stopped = done.map_or(n, |(info, _)| info.rank);
    let is_pivot = |i: &usize| {
        let pivot = lower[i * n + i];
        pivot * pivot > PIVOT_TOLERANCE * n as f64 * largest
    };
    Ok((0..stopped).take_while(is_pivot).count())
}

/// The matrix with `ridge` added to its diagonal, as a slice.
fn ridged(gram: &Array2<f64>, ridge: f64) -> Vec<f64> {
    let n = gram.nrows();
    let view: ArrayView2<'_, f64> = gram.view();
    // Symmetric, so that rows may be read as columns.
    let mut values: Vec<f64> =
        view.as_slice().map_or_else(|| view.iter().copied().collect(), <[f64]>::to_vec);
    values.iter_mut().step_by(n + 1).for_each(|value| *value += ridge);
    values
}

fn memory(request: faer::dyn_stack::StackReq) -> Result<MemBuffer> {
    MemBuffer::try_new(request).map_err(|_| Error::Internal("no memory for a factorisation".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of squares and products of `n` columns of noise, of which the last may be a sum of others.
    fn gram(n: usize, is_deficient: bool) -> Array2<f64> {
        let noise = forecast_datasets::ArProcess::default();
        let noise = noise.generate(3 * n * n, 11).unwrap();
        let mut x = Array2::from_shape_vec((3 * n, n), noise).unwrap();
        if is_deficient {
            let sum = &x.column(0) + &x.column(1);
            x.column_mut(n - 1).assign(&sum);
        }
        x.t().dot(&x)
    }

    #[test]
    fn solutions_solve_the_equations() {
        for (n, ridge) in [(1, 0.0), (7, 0.0), (40, 2.5), (150, 0.0)] {
            let gram = gram(n, false);
            let cross = Array2::from_shape_fn((n, 3), |(i, target)| (i * (target + 2) % 5) as f64);
            let factor = Cholesky::new(&gram, ridge).unwrap().unwrap();
            let ridged = &gram + &(Array2::<f64>::eye(n) * ridge);
            let weights = factor.solve(&cross).unwrap();
            let rest = ridged.dot(&weights.t()) - &cross;
            assert!(rest.iter().all(|value| value.abs() < 1e-9), "{n}");
            let inverse = factor.solve(&Array2::eye(n)).unwrap();
            let diagonal = factor.inverse_diagonal(n);
            assert!(diagonal.iter().zip(inverse.diag()).all(|(a, b)| (a - b).abs() < 1e-9 * b), "{n}");
            let z = factor.forward(&cross.column(0).to_owned());
            let back = factor.backward(z.as_slice().unwrap());
            assert!(back.iter().zip(weights.row(0)).all(|(a, b)| (a - b).abs() < 1e-9), "{n}");
        }
    }

    #[test]
    fn collinear_columns_are_found_and_a_ridge_helps() {
        for n in [3, 30, 200] {
            let gram = gram(n, true);
            assert_eq!(Cholesky::new(&gram, 0.0).unwrap().unwrap_err(), Deficient { rank: n - 1 }, "{n}");
            assert!(Cholesky::new(&gram, 1e-3).unwrap().is_ok(), "{n}");
        }
        let none = Array2::zeros((4, 4));
        assert_eq!(Cholesky::new(&none, 0.0).unwrap().unwrap_err(), Deficient { rank: 0 });
        let broken = Array2::from_elem((2, 2), f64::NAN);
        assert_eq!(Cholesky::new(&broken, 0.0).unwrap().unwrap_err(), Deficient { rank: 0 });
    }
}
