//! The triangular root of an information matrix, beside the rotated target.

use serde::{Deserialize, Serialize};

/// Rows of `R` from the diagonal on, each followed by its entry of the rotated target `z`: the information matrix is
/// `R'R`, the coefficients solve `R w = z`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Triangle(pub(super) Vec<f64>);

impl Triangle {
    /// The same root for each of `size` coefficients, all of which are zero.
    pub(super) fn diagonal(size: usize, root: f64) -> Self {
        let mut entries = Vec::with_capacity(row_start(size, size));
        for i in 0..size {
            entries.push(root);
            entries.extend(std::iter::repeat_n(0.0, size - i));
        }
        Triangle(entries)
    }

    /// The same root for each of these coefficients.
    pub(super) fn at(coefficients: &[f64], root: f64) -> Self {
        let size = coefficients.len();
        let mut triangle = Triangle::diagonal(size, root);
        for (i, coefficient) in coefficients.iter().enumerate() {
            triangle.0[row_start(i, size) + size - i] = root * coefficient;
        }
        triangle
    }

    /// True if this is a triangle for `size` coefficients that can be solved.
    pub(super) fn is_of(&self, size: usize) -> bool {
        self.0.len() == row_start(size, size)
            && self.0.iter().all(|entry| entry.is_finite())
            && (0..size).all(|i| self.row(i, size)[0] > 0.0)
    }

    pub(super) fn row(&self, i: usize, size: usize) -> &[f64] {
        let start = row_start(i, size);
        &self.0[start..start + size - i + 1]
    }

    pub(super) fn scale(&mut self, factor: f64) {
        self.0.iter_mut().for_each(|entry| *entry *= factor);
    }

    /// Takes a row with its target at the end into the triangle by Givens rotations (Golub and Van Loan, algorithm
    /// 5.1.3). Its entries before `first` are zero; what is left of it is of no use.
    pub(super) fn rotate(&mut self, row: &mut [f64], first: usize) {
        let size = row.len() - 1;
        let mut start = row_start(first, size);
        for j in first..size {
            let of_triangle = &mut self.0[start..start + size - j + 1];
            start += of_triangle.len();
            let of_row = &mut row[j..];
            if of_row[0] == 0.0 {
                continue;
            }
            let length = of_triangle[0].hypot(of_row[0]);
            let (cos, sin) = (of_triangle[0] / length, of_row[0] / length);
            for (r, x) in of_triangle.iter_mut().zip(of_row) {
                (*r, *x) = (cos * *r + sin * *x, cos * *x - sin * *r);
            }
        }
    }

    /// Solves `R w = z` by substitution from the last coefficient to the first.
    pub(super) fn solve(&self, coefficients: &mut [f64]) {
        let size = coefficients.len();
        for i in (0..size).rev() {
            let row = self.row(i, size);
            let later = row[1..size - i].iter().zip(&coefficients[i + 1..]);
            let known: f64 = later.map(|(r, w)| r * w).sum();
            coefficients[i] = (row[size - i] - known) / row[0];
        }
    }
}

/// Where row `i` begins; rows have `size + 1`, `size`, ... 2 entries.
fn row_start(i: usize, size: usize) -> usize {
    i * (size + 1) - i * i.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_rows_add_up_to_the_normal_equations() {
        let rows =
            [[1.0, 2.0, -1.0, 4.0], [0.5, 0.0, 3.0, -2.0], [0.0, 1.5, 1.0, 1.0], [2.0, -1.0, 0.0, 0.3]];
        let mut triangle = Triangle::diagonal(3, 0.1);
        for (i, row) in rows.iter().enumerate() {
            triangle.rotate(&mut row.clone(), usize::from(i == 2));
        }
        assert!(triangle.is_of(3) && !triangle.is_of(2));
        let mut weights = [0.0; 3];
        triangle.solve(&mut weights);
        for i in 0..3 {
            let gram = |j: usize| rows.iter().map(|row| row[i] * row[j]).sum::<f64>();
            let explained = (0..3).map(|j| gram(j) * weights[j]).sum::<f64>() + 0.01 * weights[i];
            assert!((explained - gram(3)).abs() < 1e-13, "{weights:?}");
            // R'R itself, one entry of it.
            let r = |k: usize, j: usize| if j < k { 0.0 } else { triangle.row(k, 3)[j - k] };
            let square: f64 = (0..3).map(|k| r(k, i) * r(k, 2)).sum();
            assert!((square - gram(2) - if i == 2 { 0.01 } else { 0.0 }).abs() < 1e-13);
        }
    }
}
