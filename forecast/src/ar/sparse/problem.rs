//! A least-squares problem with an intercept, told by its second-order statistics.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::ar::autocorrelation::autocovariances;
use crate::ar::fit::MOST_LAGS;
use crate::ar::moments::Moments;
use crate::ar::segments::complete_runs;
use crate::ar::sparse::lag_rows::{LagRows, LagSums};
use crate::model::check_count;
use crate::{Error, Result};

/// A column whose variance is this much smaller than its mean square is constant but for rounding.
const CONSTANT: f64 = 1e-13;

/// One target on some columns, of which only sums of squares and products are kept.
///
/// Columns and target are centred on the fly, which concentrates the intercept out: nothing of the size of the Gram
/// matrix is copied. Means that are much larger than the spread cost as many digits; scale such series first.
#[derive(Debug)]
pub struct Problem<'a> {
    gram: Gram<'a>,
    cross: Array1<f64>, // (column)
    sums: Array1<f64>,  // (column)
    energy: f64,
    target_sum: f64,
    rows: usize,
    /// The variance of each column, 0 where it is constant.
    pub(super) variances: Vec<f64>,
    /// The covariance of each column with the target, 0 where one of them is constant.
    pub(super) covariances: Vec<f64>,
    /// The variance of the target, 0 where it is constant.
    pub(super) energy_per_row: f64,
    /// What was subtracted from the series before the sums were taken.
    shift: f64,
}

/// Sums of products of every two columns.
#[derive(Debug)]
enum Gram<'a> {
    /// Shape `(column, column)`, row after row.
    Whole(Cow<'a, Array2<f64>>),
    /// Products that depend on the distance of two columns alone, `r_(p-1) .. r_1, r_0, r_1 .. r_(p-1)`: every row is a
    /// part of it.
    Toeplitz(Vec<f64>),
    /// Of the lags of a series, with the diagonal.
    Lags { rows: Box<LagRows>, squares: Vec<f64> },
}

impl Gram<'_> {
    fn row(&self, column: usize, p: usize) -> &[f64] {
        match self {
            // `checked` sees to the layout.
            Gram::Whole(all) => all.as_slice().map_or(&[], |all| &all[column * p..(column + 1) * p]),
            Gram::Toeplitz(both) => &both[p - 1 - column..2 * p - 1 - column],
            Gram::Lags { rows, .. } => rows.row(column),
        }
    }

    fn diagonal(&self, p: usize) -> Vec<f64> {
        match self {
            Gram::Lags { squares, .. } => squares.clone(),
            Gram::Whole(_) | Gram::Toeplitz(_) => (0..p).map(|j| self.row(j, p)[j]).collect(),
        }
    }
}

impl<'a> Problem<'a> {
    /// The problem of an explicit design.
    ///
    /// # Shapes
    /// `x` is `(row, column)`, `y` is `(row)`, no value missing.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no row or no column, the rows of `x` and `y` differ, or a sum is not finite.
    pub fn from_rows(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>) -> Result<Problem<'static>> {
        if x.nrows() != y.len() {
            let rule = format!("it must be the {} rows of the columns", x.nrows());
            return Err(Error::option("rows of the target", y.len(), rule));
        }
        let moments = Moments {
            gram: x.t().dot(&x),
            cross: x.t().dot(&y).insert_axis(Axis(1)),
            energy: Array1::from_elem(1, y.dot(&y)),
            column_sums: x.sum_axis(Axis(0)),
            target_sums: Array1::from_elem(1, y.sum()),
            rows: x.nrows(),
        };
        Problem::sum(&[&Problem::of(&moments, 0)?])
    }

    /// The problem of a series on its `order` lags, lag 1 first, in O(n log order + order^2); rows with a missing
    /// value, NaN, are left out.
    ///
    /// # Errors
    /// [`Error::BadOption`] for an order of 0 or of more than 20,000, if no row is complete, or a value is infinite.
    pub fn from_series(values: &[f64], order: usize) -> Result<Problem<'static>> {
        if check_count("order", order)? > MOST_LAGS {
            return Err(Error::option("order", order, format!("it must be at most {MOST_LAGS}")));
        }
        let runs: Vec<&[f64]> = complete_runs(values).collect();
        let (rows, sums) = LagRows::new(&runs, order)?;
        let LagSums { cross, squares, sums, energy, target_sum, n_rows } = sums;
        Problem {
            gram: Gram::Lags { rows: Box::new(rows), squares },
            cross: Array1::from(cross),
            sums: Array1::from(sums),
            energy,
            target_sum,
            rows: n_rows,
            variances: Vec::new(),
            covariances: Vec::new(),
            energy_per_row: 0.0,
            shift: 0.0,
        }
        .checked()
    }

    /// The problem of a series on its `order` lags by the method of autocorrelations, lag 1 first, in O(n log order):
    /// what lies beyond the ends counts as the mean, so that the sums of products depend on the distance of two lags
    /// alone. Agrees with [`Problem::from_series`] as the series grows. Missing values are NaN.
    ///
    /// # Errors
    /// As [`Problem::from_series`].
    pub fn from_autocorrelations(values: &[f64], order: usize) -> Result<Problem<'static>> {
        check_count("order", order)?;
        let (sum, n) = values.iter().filter(|v| !v.is_nan()).fold((0.0, 0), |(s, n), v| (s + v, n + 1));
        let mean = sum / f64::from(n.max(1));
        let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let runs: Vec<&[f64]> = complete_runs(&centred).collect();
        let r = autocovariances(&runs, order)?; // (order + 1)
        let both = r[1..order].iter().rev().chain(&r[..order]).copied().collect();
        Problem {
            gram: Gram::Toeplitz(both),
            cross: Array1::from_iter(r[1..].iter().copied()),
            sums: Array1::zeros(order),
            energy: r[0],
            target_sum: 0.0,
            rows: n as usize,
            variances: Vec::new(),
            covariances: Vec::new(),
            energy_per_row: 0.0,
            shift: mean,
        }
        .checked()
    }

    /// The problem of the first target.
    ///
    /// # Errors
    /// As [`Problem::of`].
    pub(in crate::ar) fn owned(moments: Moments) -> Result<Problem<'static>> {
        Problem {
            cross: moments.cross.column(0).to_owned(),
            sums: moments.column_sums,
            energy: moments.energy[0],
            target_sum: moments.target_sums[0],
            rows: moments.rows,
            gram: Gram::Whole(Cow::Owned(moments.gram)),
            variances: Vec::new(),
            covariances: Vec::new(),
            energy_per_row: 0.0,
            shift: 0.0,
        }
        .checked()
    }

    /// The problem of one target.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no row or no column, or a sum is not finite; [`Error::Internal`] for shapes
    /// that do not fit each other.
    pub(crate) fn of(moments: &'a Moments, target: usize) -> Result<Self> {
        let n_targets = moments.cross.ncols();
        if target >= n_targets.min(moments.energy.len()).min(moments.target_sums.len()) {
            return Err(Error::Internal(format!("target {target} of {n_targets}")));
        }
        Problem {
            gram: Gram::Whole(Cow::Borrowed(&moments.gram)),
            cross: moments.cross.column(target).to_owned(),
            sums: moments.column_sums.clone(),
            energy: moments.energy[target],
            target_sum: moments.target_sums[target],
            rows: moments.rows,
            variances: Vec::new(),
            covariances: Vec::new(),
            energy_per_row: 0.0,
            shift: 0.0,
        }
        .checked()
    }

    /// The problem of all rows of some problems with the same columns.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is none; [`Error::Internal`] if their columns differ.
    pub(super) fn sum(parts: &[&Problem<'_>]) -> Result<Problem<'static>> {
        let p = parts.first().map_or(0, |first| first.n_columns());
        if parts.iter().any(|part| part.n_columns() != p) {
            return Err(Error::Internal("blocks with different columns".to_string()));
        }
        let mut gram = Array2::zeros((p, p));
        let (mut cross, mut sums) = (Array1::zeros(p), Array1::zeros(p));
        let (mut energy, mut target_sum, mut rows) = (0.0, 0.0, 0);
        for part in parts {
            for (i, mut row) in gram.rows_mut().into_iter().enumerate() {
                row += &ArrayView1::from(part.products(i));
            }
            cross += &part.cross;
            sums += &part.sums;
            energy += part.energy;
            target_sum += part.target_sum;
            rows += part.rows;
        }
        let gram = Gram::Whole(Cow::Owned(gram));
        let (variances, covariances, energy_per_row, shift) = (Vec::new(), Vec::new(), 0.0, 0.0);
        Problem { gram, cross, sums, energy, target_sum, rows, variances, covariances, energy_per_row, shift }
            .checked()
    }

    /// How many columns there are.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.sums.len()
    }

    /// How many rows the statistics are of.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows
    }

    /// The intercept that belongs to some weights.
    pub(super) fn intercept(&self, weights: &[f64]) -> f64 {
        let explained: f64 = weights.iter().zip(&self.sums).map(|(w, sum)| w * sum).sum();
        (self.target_sum - explained) / self.rows as f64 + self.shifted(weights)
    }

    /// What an intercept has of the shift of the series.
    fn shifted(&self, weights: &[f64]) -> f64 {
        self.shift * (1.0 - weights.iter().sum::<f64>())
    }

    /// The covariance of two columns.
    pub(super) fn covariance(&self, i: usize, j: usize) -> f64 {
        self.products(i)[j] / self.rows as f64 - self.mean(i) * self.mean(j)
    }

    /// The smallest and the largest variance of columns that are not constant; infinity and 0 if there is none.
    pub(super) fn variance_range(&self) -> (f64, f64) {
        let varying = self.variances.iter().filter(|variance| **variance > 0.0);
        varying.fold((f64::INFINITY, 0.0), |(least, largest), v| (v.min(least), v.max(largest)))
    }

    pub(super) fn mean(&self, column: usize) -> f64 {
        self.sums[column] / self.rows as f64
    }

    /// Sums of products of one column with all, not centred.
    pub(super) fn products(&self, column: usize) -> &[f64] {
        self.gram.row(column, self.n_columns())
    }

    /// The sum of squared errors on these rows of any weights and intercept: no pass over the data.
    pub(in crate::ar) fn sse(&self, weights: &[f64], intercept: f64) -> f64 {
        let support: Vec<usize> = (0..weights.len()).filter(|j| weights[*j] != 0.0).collect();
        let (mut linear, mut square, mut sum) = (0.0, 0.0, 0.0);
        for i in &support {
            let products = self.products(*i);
            linear += weights[*i] * self.cross[*i];
            sum += weights[*i] * self.sums[*i];
            square += weights[*i] * support.iter().map(|j| weights[*j] * products[*j]).sum::<f64>();
        }
        let n = self.rows as f64;
        let intercept = intercept - self.shifted(weights);
        let of_intercept = intercept * (n * intercept - 2.0 * (self.target_sum - sum));
        (self.energy - 2.0 * linear + square + of_intercept).max(0.0)
    }

    fn checked(mut self) -> Result<Self> {
        let p = self.sums.len();
        if self.rows == 0 {
            return Err(Error::option(
                "rows",
                0,
                "it must be at least 1: use a longer series or a lower order",
            ));
        }
        if p == 0 {
            return Err(Error::option("order", 0, "it must be at least 1"));
        }
        if let Gram::Whole(whole) = &mut self.gram {
            if whole.dim() != (p, p) || self.cross.len() != p {
                return Err(Error::Internal(format!("{:?} sums of products for {p} columns", whole.dim())));
            }
            if !whole.is_standard_layout() {
                *whole = Cow::Owned(whole.as_standard_layout().into_owned());
            }
        }
        let diagonal = self.gram.diagonal(p);
        // Entries off the diagonal are at most as large as those on it.
        let sums = diagonal.iter().chain(&self.cross).chain(&self.sums).copied().collect::<Vec<f64>>();
        let mut sums = sums.into_iter().chain([self.energy, self.target_sum]);
        if let Some(value) = sums.find(|value| !value.is_finite()) {
            let rule = "it must be finite: scale the series, whose squares are too large to be summed";
            return Err(Error::option("sum of squares", value, rule));
        }
        let n = self.rows as f64;
        let spread = |square: f64, mean: f64| {
            let variance = square / n - mean * mean;
            if variance > CONSTANT * square / n { variance } else { 0.0 }
        };
        let target_mean = self.target_sum / n;
        self.energy_per_row = spread(self.energy, target_mean);
        self.variances = (0..p).map(|j| spread(diagonal[j], self.mean(j))).collect();
        let varies = |j: &usize| self.variances[*j] > 0.0 && self.energy_per_row > 0.0;
        let covariance = |j: usize| self.cross[j] / n - self.mean(j) * target_mean;
        self.covariances = (0..p).map(|j| if varies(&j) { covariance(j) } else { 0.0 }).collect();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design() -> (Array2<f64>, Array1<f64>) {
        let x = Array2::from_shape_fn((50, 4), |(t, j)| (((t + 3) * (5 + 2 * j)) % 23) as f64 / 7.0);
        let y = Array1::from_shape_fn(50, |t| 1.0 + x[[t, 0]] - 0.5 * x[[t, 2]] + ((t * t) % 11) as f64);
        (x, y)
    }

    #[test]
    fn errors_of_any_weights_are_those_of_a_pass_over_the_data() {
        let (x, y) = design();
        let problem = Problem::from_rows(x.view(), y.view()).unwrap();
        for (weights, intercept) in
            [([0.0; 4], 0.0), ([0.3, 0.0, -2.0, 0.1], 1.7), ([9.0, 1.0, 1.0, 1.0], -4.0)]
        {
            let errors = &y - x.dot(&Array1::from(weights.to_vec())) - intercept;
            let naive = errors.dot(&errors);
            assert!((problem.sse(&weights, intercept) / naive - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_sum_of_parts_is_the_whole() {
        let (x, y) = design();
        let part = |rows: std::ops::Range<usize>| {
            let rows = ndarray::Slice::from(rows);
            let axis = Axis(0);
            Problem::from_rows(x.slice_axis(axis, rows), y.slice_axis(axis, rows)).unwrap()
        };
        let whole = part(0..50);
        let sum = Problem::sum(&[&part(0..20), &part(20..50)]).unwrap();
        assert_eq!(sum.n_rows(), 50);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12 * (1.0 + b.abs());
        assert!((0..16).all(|i| close(sum.covariance(i / 4, i % 4), whole.covariance(i / 4, i % 4))));
        assert!(sum.covariances.iter().zip(&whole.covariances).all(|(a, b)| close(*a, *b)));
        assert!(close(sum.energy_per_row, whole.energy_per_row));
    }

    #[test]
    fn autocorrelations_give_the_problem_of_a_series_between_zeros_about_its_mean() {
        let values: Vec<f64> = (0..90).map(|t| 40.0 + ((t * t * 7) % 19) as f64).collect();
        let problem = Problem::from_autocorrelations(&values, 5).unwrap();
        let mean = values.iter().sum::<f64>() / 90.0;
        // Every row that holds any value, about the mean, which is also what lies beyond the ends.
        let at = |t: Option<usize>| t.and_then(|t| values.get(t)).map_or(0.0, |value| value - mean);
        let x = Array2::from_shape_fn((95, 5), |(t, lag)| at(t.checked_sub(1 + lag)));
        let y = Array1::from_shape_fn(95, |t| at(Some(t)));
        let weights = [0.3, -0.2, 0.0, 0.5, 0.1];
        let errors = &y - x.dot(&Array1::from(weights.to_vec()));
        let of_mean = mean * (1.0 - 0.7);
        assert!((problem.intercept(&weights) - of_mean).abs() < 1e-9);
        for intercept in [of_mean, 3.0] {
            let naive = errors.dot(&errors) + 90.0 * (intercept - of_mean).powi(2);
            assert!((problem.sse(&weights, intercept) / naive - 1.0).abs() < 1e-9, "{naive}");
        }
        assert!((problem.covariance(1, 4) - x.column(1).dot(&x.column(4)) / 90.0).abs() < 1e-9);
        assert!(Problem::from_autocorrelations(&values, 0).is_err());
        assert!(Problem::from_autocorrelations(&[f64::NAN; 9], 3).is_err());
    }

    #[test]
    fn bad_statistics_are_named() {
        let message = |rows: usize, columns: usize, value: f64| {
            let x = Array2::from_elem((rows, columns), value);
            Problem::from_rows(x.view(), Array1::ones(rows).view()).unwrap_err().to_string()
        };
        assert!(message(0, 3, 1.0).contains("rows"), "{}", message(0, 3, 1.0));
        assert!(message(3, 0, 1.0).contains("order"));
        assert!(message(3, 2, 1e200).contains("finite"));
        assert!(message(3, 2, f64::NAN).contains("finite"));
        let (x, y) = (Array2::ones((3, 1)), Array1::ones(2));
        assert!(Problem::from_rows(x.view(), y.view()).is_err());
    }
}
