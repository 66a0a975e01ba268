//! Columns one after another, each time the one that lowers the squared error most.
//!
//! Orthogonal least squares (Chen, Cowan and Grant 1991, *Orthogonal Least Squares Learning Algorithm for Radial Basis
//! Function Networks*, section III) from second-order statistics: a Cholesky factor of the Gram matrix whose pivots the
//! target chooses. It finds fewer columns for the same error than a path of the lasso, whose penalty shrinks what it
//! takes and so takes neighbours as well, where the target is nothing but a combination of the columns.

use ndarray::{Array2, ArrayView1};
use pulp::Arch;

/// A column of which this share of its square, or less, is not in the others tells nothing new.
const DEPENDENT: f64 = 1e-10;
/// No column is added that lowers the error by less than this share of what the first one did.
const NOTHING: f64 = 1e-16;

/// Up to `most` columns, ascending.
///
/// Shapes: `gram` `(column, column)`, the Gram matrix about the means, `cross` `(column)`, its products with the target.
/// `ridge` is added to the diagonal. Takes `most^2 n / 2` multiplications.
pub(in crate::ar) fn forward(
    gram: &Array2<f64>,
    cross: ArrayView1<'_, f64>,
    ridge: f64,
    most: usize,
) -> Vec<usize> {
    let mut taken = Arch::new().dispatch(|| one_by_one(gram, cross, ridge, most));
    taken.sort_unstable();
    taken
}

/// In the order in which they are taken. Compiled for the processor at hand.
#[inline(always)]
fn one_by_one(gram: &Array2<f64>, cross: ArrayView1<'_, f64>, ridge: f64, most: usize) -> Vec<usize> {
    let n = gram.nrows();
    let whole: Vec<f64> = gram.diag().iter().map(|square| square + ridge).collect();
    // What the columns taken leave of each column's square, and of its product with the target.
    let (mut left, mut products) = (whole.clone(), cross.to_vec());
    let mut factor: Vec<f64> = Vec::with_capacity(most.min(n) * n); // (columns taken, column)
    let mut taken = Vec::new();
    let mut least = 0.0;
    while taken.len() < most {
        let mut best = (0.0, n);
        for column in 0..n {
            let gain = products[column] * products[column] / left[column];
            if gain > best.0 && left[column] > DEPENDENT * whole[column] {
                best = (gain, column);
            }
        }
        let (gain, column) = best;
        if column == n || gain < least {
            break;
        }
        if taken.is_empty() {
            least = NOTHING * gain;
        }
        let mut row = gram.row(column).to_vec();
        row[column] += ridge;
        // Four at a time, so that the row is read and written less often.
        let mut fours = factor.chunks_exact(4 * n);
        for four in &mut fours {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| &four[at * n..][..n]);
            let shares = [a, b, c, d].map(|before| before[column]);
            for (at, row) in row.iter_mut().enumerate() {
                *row -= shares[0] * a[at] + shares[1] * b[at] + shares[2] * c[at] + shares[3] * d[at];
            }
        }
        for before in fours.remainder().chunks_exact(n) {
            let share = before[column];
            row.iter_mut().zip(before).for_each(|(row, before)| *row -= share * before);
        }
        let pivot = left[column].sqrt();
        let product = products[column] / pivot;
        for (at, row) in row.iter_mut().enumerate() {
            *row /= pivot;
            left[at] -= *row * *row;
            products[at] -= product * *row;
        }
        // Zero but for rounding; never taken again.
        left[column] = 0.0;
        factor.extend(row);
        taken.push(column);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::cholesky::Cholesky;
    use ndarray::{Array1, s};

    /// Columns that are not independent of each other, the last one a combination of two.
    fn columns() -> Array2<f64> {
        let mut x = Array2::from_shape_fn((60, 9), |(row, column)| {
            let near = ((row * 7 + column) % 13) as f64;
            near + ((row * (column + 3) * 5) % 17) as f64 / 4.0 - 8.0
        });
        let sum = &x.column(1) + &x.column(4);
        x.column_mut(8).assign(&sum);
        x
    }

    fn squared_error(x: &Array2<f64>, y: &Array1<f64>, columns: &[usize], ridge: f64) -> f64 {
        let part = x.select(ndarray::Axis(1), columns);
        let factor = Cholesky::new(&part.t().dot(&part), ridge).unwrap().unwrap();
        let cross = part.t().dot(y).insert_axis(ndarray::Axis(1));
        let weights = factor.solve(&cross).unwrap().row(0).to_owned();
        y.dot(y) - 2.0 * weights.dot(&cross.column(0))
            + weights.dot(&part.t().dot(&part).dot(&weights))
            + ridge * weights.dot(&weights)
    }

    #[test]
    fn each_column_is_the_one_that_lowers_the_error_most() {
        let x = columns();
        let y = Array1::from_shape_fn(60, |row| ((row * row * 3 + row) % 23) as f64 - 11.0);
        let (gram, cross) = (x.t().dot(&x), x.t().dot(&y));
        let ridge = 0.5;
        let mut due: Vec<usize> = Vec::new();
        for most in 1..=6 {
            // Every column tried, each with a fit of its own.
            let with = |column: usize| [&due[..], &[column]].concat();
            let others = (0..9).filter(|column| !due.contains(column));
            let error = |column: &usize| squared_error(&x, &y, &with(*column), ridge);
            let next = others.min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
            due.push(next);
            let mut sorted = due.clone();
            sorted.sort_unstable();
            assert_eq!(forward(&gram, cross.view(), ridge, most), sorted, "{most}");
        }
    }

    #[test]
    fn what_tells_the_target_is_found_and_what_tells_nothing_new_is_left_out() {
        let x = columns();
        let y = 2.0 * &x.column(2) - 0.5 * &x.column(5) + 3.0 * &x.column(7);
        let (gram, cross) = (x.t().dot(&x), x.t().dot(&y));
        let found = forward(&gram, cross.view(), 0.0, 9);
        assert!([2, 5, 7].iter().all(|column| found.contains(column)), "{found:?}");
        // Of three columns of which one is the sum of the others two are taken.
        let all =
            forward(&gram, x.t().dot(&Array1::from_shape_fn(60, |row| (row % 5) as f64)).view(), 0.0, 9);
        assert_eq!(all.len(), 8, "{all:?}");
        assert!(forward(&gram, Array1::zeros(9).view(), 0.0, 9).is_empty());
        assert!(forward(&gram.slice(s![..0, ..0]).to_owned(), Array1::zeros(0).view(), 0.0, 9).is_empty());
    }
}
