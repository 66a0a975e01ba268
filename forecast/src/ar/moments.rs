//! Second-order statistics of a least-squares problem, and what follows from them without the data.
//!
//! With `X` `(row, column)` and `Y` `(row, target)`, all that a linear model needs is `X'X`, `X'Y`, the diagonal of
//! `Y'Y`, and the sums. Statistics of disjoint rows add up, so that series and channels are pooled by adding.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip, s};

/// Second-order statistics of a least-squares problem: all that the linear family needs of the data.
///
/// Columns are lags, lag 1 first; targets are steps ahead, step 1 first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    /// `X'X`. Shape `(column, column)`.
    pub(crate) gram: Array2<f64>,
    /// `X'Y`. Shape `(column, target)`.
    pub(crate) cross: Array2<f64>,
    /// The diagonal of `Y'Y`. Shape `(target)`.
    pub(crate) energy: Array1<f64>,
    /// Sum of each column. Shape `(column)`.
    pub(crate) column_sums: Array1<f64>,
    /// Sum of each target. Shape `(target)`.
    pub(crate) target_sums: Array1<f64>,
    /// Rows that were summed.
    pub(crate) rows: usize,
}

impl Moments {
    /// The statistics of no rows.
    pub(crate) fn zeros(n_columns: usize, n_targets: usize) -> Self {
        Moments {
            gram: Array2::zeros((n_columns, n_columns)),
            cross: Array2::zeros((n_columns, n_targets)),
            energy: Array1::zeros(n_targets),
            column_sums: Array1::zeros(n_columns),
            target_sums: Array1::zeros(n_targets),
            rows: 0,
        }
    }

    #[cfg(test)]
    /// Adds the statistics of other rows of the same columns and targets.
    pub(crate) fn add(&mut self, other: &Moments) {
        self.gram += &other.gram;
        self.cross += &other.cross;
        self.energy += &other.energy;
        self.column_sums += &other.column_sums;
        self.target_sums += &other.target_sums;
        self.rows += other.rows;
    }

    /// The statistics of the first columns alone: of the same rows, with a shorter look-back.
    pub(crate) fn leading(&self, n_columns: usize) -> Self {
        Moments {
            gram: self.gram.slice(s![..n_columns, ..n_columns]).to_owned(),
            cross: self.cross.slice(s![..n_columns, ..]).to_owned(),
            energy: self.energy.clone(),
            column_sums: self.column_sums.slice(s![..n_columns]).to_owned(),
            target_sums: self.target_sums.clone(),
            rows: self.rows,
        }
    }

    /// The statistics of the first target and every `every`-th after it alone.
    pub(crate) fn every_target(&self, every: usize) -> Self {
        let step = isize::try_from(every).unwrap_or(isize::MAX).max(1);
        Moments {
            gram: self.gram.clone(),
            cross: self.cross.slice(s![.., ..;step]).to_owned(),
            energy: self.energy.slice(s![..;step]).to_owned(),
            column_sums: self.column_sums.clone(),
            target_sums: self.target_sums.slice(s![..;step]).to_owned(),
            rows: self.rows,
        }
    }

    /// The statistics about the means of columns and targets, so that the intercept is concentrated out.
    ///
    /// With weights `w` of the centred problem the intercept is `mean(y) - w . mean(x)`
    /// ([`Moments::intercepts`]).
    pub(crate) fn centred(&self) -> Self {
        let n = self.rows as f64;
        let mut centred = self.clone();
        let means = &self.column_sums / n;
        rank_one(&mut centred.gram, self.column_sums.view(), means.view());
        let target_means = &self.target_sums / n;
        rank_one(&mut centred.cross, self.column_sums.view(), target_means.view());
        centred.energy -= &(&self.target_sums * &target_means);
        centred.column_sums.fill(0.0);
        centred.target_sums.fill(0.0);
        centred
    }

    /// The intercept of each target for weights `(target, column)` of the centred problem.
    pub(crate) fn intercepts(&self, weights: &Array2<f64>) -> Array1<f64> {
        let n = self.rows as f64;
        (&self.target_sums - &weights.dot(&self.column_sums)) / n
    }

    /// The statistics of the same rows, with what `weights` `(target, column)` and `intercepts` `(target)` say of them as
    /// targets.
    pub(crate) fn with_targets_of(&self, weights: &Array2<f64>, intercepts: &Array1<f64>) -> Self {
        let products = weights.dot(&self.gram); // (target, column)
        let sums = weights.dot(&self.column_sums); // (target)
        let n = self.rows as f64;
        let mut cross = products.t().to_owned();
        rank_one(&mut cross, (-&self.column_sums).view(), intercepts.view());
        let squares = Zip::from(products.rows()).and(weights.rows()).map_collect(|a, b| a.dot(&b));
        Moments {
            gram: self.gram.clone(),
            cross,
            energy: squares + &(2.0 * intercepts * &sums) + &(n * intercepts * intercepts),
            column_sums: self.column_sums.clone(),
            target_sums: sums + &(n * intercepts),
            rows: self.rows,
        }
    }

    /// The statistics after `by` is added to every value of columns and targets.
    #[cfg(test)]
    pub(crate) fn shifted(&self, by: f64) -> Self {
        let n = self.rows as f64;
        let mut shifted = self.clone();
        let ones = Array1::ones(self.column_sums.len());
        let half = &self.column_sums * by + 0.5 * n * by * by;
        rank_one(&mut shifted.gram, (-&half).view(), ones.view());
        rank_one(&mut shifted.gram, ones.view(), (-&half).view());
        for ((column, target), value) in shifted.cross.indexed_iter_mut() {
            *value += by * (self.column_sums[column] + self.target_sums[target] + n * by);
        }
        shifted.energy += &(2.0 * by * &self.target_sums + n * by * by);
        shifted.column_sums += n * by;
        shifted.target_sums += n * by;
        shifted
    }

    /// The statistics of `x - a` and `y - a`, where each row has its own anchor `a = u . x`.
    ///
    /// No row is needed: with `B = I - 1 u'` the columns become `X B'`, so that
    /// `X'X` becomes `X'X - 1 g' - g 1' + (u . g) 1 1'` with `g = X'X u`, two rank-one updates.
    ///
    /// # Shapes
    /// `anchor`: `u`, `(column)`; its entries add up to 1.
    pub(crate) fn anchored(&self, anchor: &Array1<f64>) -> Self {
        let g = self.gram.dot(anchor); // (column)
        let square = anchor.dot(&g); // sum of a a
        let with_targets = self.cross.t().dot(anchor); // (target), sum of a y
        let sum = anchor.dot(&self.column_sums); // sum of a
        let mut anchored = self.clone();
        let ones = Array1::ones(anchor.len());
        let half = &g - 0.5 * square;
        rank_one(&mut anchored.gram, half.view(), ones.view());
        rank_one(&mut anchored.gram, ones.view(), half.view());
        // (x - a)(y - a) = x y - x a - a y + a a
        Zip::indexed(&mut anchored.cross)
            .for_each(|(column, target), value| *value += square - g[column] - with_targets[target]);
        anchored.energy += &(square - 2.0 * &with_targets);
        anchored.column_sums -= sum;
        anchored.target_sums -= sum;
        anchored
    }
}

/// `matrix -= a b'`.
fn rank_one(matrix: &mut Array2<f64>, a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) {
    Zip::from(matrix.axis_iter_mut(Axis(0))).and(a).for_each(|mut row, a| row.scaled_add(-a, &b));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::lag_matrix::assert_close;

    /// Six rows of three columns and two targets.
    fn data() -> (Array2<f64>, Array2<f64>) {
        let value = |row: usize, at: usize| ((7 * row * row + 3 * at + row * at) % 11) as f64 + 40.0;
        (
            Array2::from_shape_fn((6, 3), |(row, at)| value(row, at)),
            Array2::from_shape_fn((6, 2), |(row, at)| value(row, at + 5)),
        )
    }

    fn of(x: &Array2<f64>, y: &Array2<f64>) -> Moments {
        Moments {
            gram: x.t().dot(x),
            cross: x.t().dot(y),
            energy: y.columns().into_iter().map(|y| y.dot(&y)).collect(),
            column_sums: x.sum_axis(Axis(0)),
            target_sums: y.sum_axis(Axis(0)),
            rows: x.nrows(),
        }
    }

    #[test]
    fn what_follows_from_the_statistics_is_what_the_changed_rows_give() {
        let (x, y) = data();
        let plain = of(&x, &y);
        let centred_rows = |of: &Array2<f64>| of - &of.mean_axis(Axis(0)).unwrap();
        assert_close(&plain.centred(), &of(&centred_rows(&x), &centred_rows(&y)), 1e-10);
        assert_close(&plain.shifted(3.0), &of(&(&x + 3.0), &(&y + 3.0)), 1e-10);
        assert_close(&plain.leading(2), &of(&x.slice(s![.., ..2]).to_owned(), &y), 1e-10);
        assert_close(&plain.every_target(2), &of(&x, &y.slice(s![.., ..1]).to_owned()), 1e-10);
        let weights = ndarray::arr2(&[[0.5, -1.0, 2.0], [3.0, 0.0, 0.25]]);
        let intercepts = ndarray::arr1(&[7.0, -2.0]);
        let told = x.dot(&weights.t()) + &intercepts;
        assert_close(&plain.with_targets_of(&weights, &intercepts), &of(&x, &told), 1e-10);
        for anchor in [[1.0, 0.0, 0.0], [1.0 / 3.0; 3], [0.5, 0.25, 0.25]] {
            let anchor = Array1::from(anchor.to_vec());
            let a = x.dot(&anchor).insert_axis(Axis(1));
            assert_close(&plain.anchored(&anchor), &of(&(&x - &a), &(&y - &a)), 1e-9);
        }
        let mut both = of(&x.slice(s![..2, ..]).to_owned(), &y.slice(s![..2, ..]).to_owned());
        both.add(&of(&x.slice(s![2.., ..]).to_owned(), &y.slice(s![2.., ..]).to_owned()));
        assert_close(&both, &plain, 1e-10);
    }
}
