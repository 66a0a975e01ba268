//! Least squares on a support that changes little from one solution to the next: a Cholesky factor that grows.

use super::problem::Problem;
use crate::{Error, Result};

/// A lag whose variance, given those before it, is this share of its own or less is a combination of them.
const DEPENDENT: f64 = 1e-10;

/// `A = LL'` on some columns, in the order in which they came, and `L^-1 b`.
#[derive(Debug, Default)]
pub(super) struct SupportFactor {
    /// Columns, in the order of the factor; those that depend on earlier ones are left out.
    columns: Vec<usize>,
    /// What was asked for, in order.
    asked: Vec<(usize, usize)>,
    /// Rows of `L`, up to the diagonal.
    rows: Vec<Vec<f64>>,
    /// `L^-1 b`.
    solved: Vec<f64>,
}

impl SupportFactor {
    /// The unpenalised weights on `columns`, and the mean squared error. A column that depends on those before it has
    /// none.
    ///
    /// Costs the square of the support for each column that is new, given in the same order as the last time.
    pub(super) fn solve(&mut self, problem: &Problem<'_>, columns: &[usize]) -> (Vec<(usize, f64)>, f64) {
        let kept = self.asked.iter().zip(columns).take_while(|((old, _), new)| old == *new).count();
        let n_kept = self.asked.get(kept).map_or(self.columns.len(), |(_, position)| *position);
        self.asked.truncate(kept);
        self.columns.truncate(n_kept);
        self.rows.truncate(n_kept);
        self.solved.truncate(n_kept);
        for column in &columns[kept..] {
            self.asked.push((*column, self.columns.len()));
            self.push(problem, *column);
        }
        let explained: f64 = self.solved.iter().map(|v| v * v).sum();
        let weights = self.columns.iter().copied().zip(self.substituted()).collect();
        (weights, (problem.energy_per_row - explained).max(0.0))
    }

    fn push(&mut self, problem: &Problem<'_>, column: usize) {
        let mut row = Vec::with_capacity(self.columns.len() + 1);
        for (i, other) in self.columns.iter().enumerate() {
            let known = dot(&row, &self.rows[i][..i]);
            row.push((problem.covariance(column, *other) - known) / self.rows[i][i]);
        }
        let variance = problem.variances[column];
        let pivot = variance - dot(&row, &row);
        if pivot.is_nan() || pivot <= DEPENDENT * variance {
            return;
        }
        let root = pivot.sqrt();
        self.solved.push((problem.covariances[column] - dot(&row, &self.solved)) / root);
        row.push(root);
        self.rows.push(row);
        self.columns.push(column);
    }

    /// `L'^-1 L^-1 b`.
    fn substituted(&self) -> Vec<f64> {
        let mut weights = self.solved.clone();
        for i in (0..weights.len()).rev() {
            let row = &self.rows[i];
            weights[i] /= row[i];
            let weight = weights[i];
            for (earlier, l) in weights[..i].iter_mut().zip(row) {
                *earlier -= weight * l;
            }
        }
        weights
    }
}

impl Problem<'_> {
    /// The upper triangular root of the information matrix of an intercept and some columns, not centred: its rows
    /// from the diagonal on, each followed by the entry of the rotated target.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a column that is not there or depends on the others.
    pub(in crate::ar) fn root(&self, columns: &[usize]) -> Result<Vec<f64>> {
        if let Some(bad) = columns.iter().find(|column| **column >= self.n_columns()) {
            return Err(Error::option("column", bad, format!("it must be below {}", self.n_columns())));
        }
        let mut factor = SupportFactor::default();
        factor.solve(self, columns);
        if let Some(i) = (0..columns.len()).find(|i| factor.columns.get(*i) != Some(&columns[*i])) {
            return Err(Error::option(
                "column",
                columns[i],
                "it must not depend on the others: leave it out",
            ));
        }
        let root = (self.n_rows() as f64).sqrt();
        let mut triangle = vec![root];
        triangle.extend(columns.iter().map(|column| root * self.mean(*column)));
        triangle.push(root * self.intercept(&[]));
        for i in 0..columns.len() {
            triangle.extend(factor.rows[i..].iter().map(|row| root * row[i]));
            triangle.push(root * factor.solved[i]);
        }
        Ok(triangle)
    }
}

/// `a'b`, in four sums, which processors add side by side.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for i in 0..4 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    fn problem() -> Problem<'static> {
        let mut x = Array2::from_shape_fn((80, 6), |(t, j)| (t as f64 * (1.0 + 0.37 * j as f64)).sin() + 2.0);
        // Column 4 is made of columns 0 and 1.
        let made = &x.column(0) - &(2.0 * &x.column(1));
        x.column_mut(4).assign(&made);
        let y = Array1::from_shape_fn(80, |t| x[[t, 0]] + 0.3 * x[[t, 5]] + ((t * 5) % 7) as f64);
        Problem::from_rows(x.view(), y.view()).unwrap()
    }

    /// The residual of least squares is orthogonal to every column of the support.
    fn check(problem: &Problem<'_>, refit: &mut SupportFactor, columns: &[usize], n_free: usize) {
        let (found, mse) = refit.solve(problem, columns);
        assert_eq!(found.len(), n_free, "{columns:?}");
        let mut weights = vec![0.0; 6];
        found.iter().for_each(|(j, w)| weights[*j] = *w);
        for j in columns {
            let explained: f64 = (0..6).map(|i| problem.covariance(*j, i) * weights[i]).sum();
            assert!((problem.covariances[*j] - explained).abs() < 1e-12, "{columns:?} column {j}");
        }
        let sse = problem.sse(&weights, problem.intercept(&weights));
        assert!((mse * 80.0 / sse - 1.0).abs() < 1e-11, "{columns:?}: {mse}");
    }

    #[test]
    fn supports_that_grow_shrink_and_repeat_give_least_squares() {
        let (problem, mut refit) = (problem(), SupportFactor::default());
        for columns in [&[][..], &[3], &[3, 0], &[3, 0, 5], &[0, 5], &[0, 5], &[0, 5, 1, 2], &[2], &[]] {
            check(&problem, &mut refit, columns, columns.len());
        }
    }

    #[test]
    fn a_column_that_depends_on_earlier_ones_gets_no_weight() {
        let (problem, mut refit) = (problem(), SupportFactor::default());
        check(&problem, &mut refit, &[0, 1, 4, 5], 3);
        check(&problem, &mut refit, &[0, 1, 4], 2);
        check(&problem, &mut refit, &[0, 1, 4, 3, 2], 4);
        check(&problem, &mut refit, &[4, 1, 5], 3);
    }
}
