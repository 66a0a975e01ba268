//! Weights of the columns, some thousand rows at a time: the rows of a long series are never all there.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::columns::Regressors;
use super::cyclic::Cyclic;
use super::whiten::{filter_of, filtered};
use crate::Result;
use crate::ar::least_squares;
use crate::data::{Scaler, Series, Step};

/// Rows that are made at a time.
const ROWS: usize = 16_384;
/// Estimates of the filter.
const N_FILTERS: usize = 2;
/// A sine that is nowhere larger is a zero that was rounded.
const LEAST_WAVE: f64 = 1e-9;

/// Second-order statistics of filtered rows: the columns, then the target.
#[derive(Debug)]
pub(super) struct Sums {
    /// Shape `(column + 1, column + 1)`.
    pub(super) products: Array2<f64>,
    /// Shape `(column + 1)`.
    pub(super) sums: Array1<f64>,
    /// Rows.
    pub(super) n: usize,
    /// What they count together.
    pub(super) count: f64,
}

impl Sums {
    pub(super) fn new(n_columns: usize) -> Self {
        let k = n_columns + 1;
        Sums { products: Array2::zeros((k, k)), sums: Array1::zeros(k), n: 0, count: 0.0 }
    }

    /// Adds what a row is and counts, but not to the number of rows.
    pub(super) fn add(&mut self, columns: ArrayView1<'_, f64>, target: f64, count: f64) {
        let row: Array1<f64> = columns.iter().copied().chain([target]).collect();
        for (mut to, value) in self.products.outer_iter_mut().zip(&row) {
            to.scaled_add(count * value, &row);
        }
        self.sums.scaled_add(count, &row);
        self.count += count;
    }

    fn solve(self, is_sparse: bool) -> Result<Array1<f64>> {
        // What the rows count is about each other: together they are as many as there are.
        let scale = if self.count > 0.0 { self.n as f64 / self.count } else { 1.0 };
        least_squares(&(self.products * scale), &(self.sums * scale), self.n, is_sparse)
    }
}

/// The rows of some series, from which any number of channels are solved.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    regressors: &'a Regressors,
    series: &'a [Series],
    standards: Vec<Scaler>,
    /// Where all columns come back.
    cyclic: Option<Cyclic>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(regressors: &'a Regressors, series: &'a [Series], step: Step) -> Result<Self> {
        let cyclic = Cyclic::of(regressors, series);
        let standards = match &cyclic {
            Some(cyclic) => cyclic.standards().to_vec(),
            None => standards(regressors, series, step)?,
        };
        Ok(Rows { regressors, series, standards, cyclic })
    }

    /// Center and spread of each column.
    pub(super) fn standards(&self) -> &[Scaler] {
        &self.standards
    }

    /// Weights of the standardised columns for one channel of all series, pooled, or of one. Shape `(column)`.
    pub(super) fn weights(
        &self,
        only: Option<usize>,
        channel: usize,
        is_sparse: bool,
    ) -> Result<Array1<f64>> {
        let first = only.unwrap_or(0);
        let series = only.map_or(self.series, |at| &self.series[at..=at]);
        let mut filter = Vec::new();
        // Waves alone are told as well by plain least squares (Grenander & Rosenblatt, Statistical Analysis of Stationary
        // Time Series, 1957), which follows newer rows more closely; and a season is there as a whole or not at all.
        let is_season = self.regressors.follows_a_season();
        let (n_filters, is_sparse) = if is_season { (0, false) } else { (N_FILTERS, is_sparse) };
        for _ in 0..n_filters {
            let weights = self.sums(series, first, channel, &filter)?.solve(false)?;
            let errors = match &self.cyclic {
                Some(cyclic) => cyclic.errors(series, first, channel, &weights),
                None => errors(self.regressors, &self.standards, series, channel, &weights)?,
            };
            let runs: Vec<&[f64]> =
                errors.iter().flat_map(|errors| errors.split(|error| error.is_nan())).collect();
            filter = filter_of(&runs);
        }
        self.sums(series, first, channel, &filter)?.solve(is_sparse)
    }

    fn sums(&self, series: &[Series], first: usize, channel: usize, filter: &[f64]) -> Result<Sums> {
        match &self.cyclic {
            Some(cyclic) => Ok(cyclic.sums(series, first, channel, filter)),
            None => sums(self.regressors, &self.standards, series, channel, filter),
        }
    }
}

/// A column's center and spread; one that does not vary has the spread 1.
pub(super) fn standard(center: f64, spread: f64, is_wave: bool) -> Scaler {
    let least = if is_wave { LEAST_WAVE } else { 1e-12 * center.abs().max(1e-300) };
    Scaler { center, spread: if spread.is_finite() && spread > least { spread } else { 1.0 } }
}

/// Center and spread of each column over the rows of some series without a missing value.
fn standards(regressors: &Regressors, series: &[Series], step: Step) -> Result<Vec<Scaler>> {
    let n_columns = regressors.n_columns(step);
    let (mut n, mut sums) = (0.0, Array1::<f64>::zeros(n_columns));
    each_rows(regressors, series, step, 0, |_, rows, _| {
        for row in rows.outer_iter().filter(|row| row.iter().all(|value| !value.is_nan())) {
            sums += &row;
            n += 1.0;
        }
    })?;
    let means = sums / f64::max(n, 1.0);
    let mut squares = Array1::<f64>::zeros(n_columns);
    each_rows(regressors, series, step, 0, |_, rows, _| {
        for row in rows.outer_iter().filter(|row| row.iter().all(|value| !value.is_nan())) {
            squares += &(&row - &means).mapv(|value| value * value);
        }
    })?;
    let n_waves = regressors.n_waves(step);
    let of_column = |(at, (center, squares)): (usize, (&f64, &f64))| {
        standard(*center, (squares / f64::max(n, 1.0)).sqrt(), at < n_waves)
    };
    Ok(means.iter().zip(&squares).enumerate().map(of_column).collect())
}

/// The sums over filtered rows.
fn sums(
    regressors: &Regressors,
    standards: &[Scaler],
    series: &[Series],
    channel: usize,
    filter: &[f64],
) -> Result<Sums> {
    let k = standards.len();
    let mut sums = Sums::new(k);
    let Some(step) = series.first().map(|series| series.index().step) else { return Ok(sums) };
    each_rows(regressors, series, step, filter.len(), |of_one, rows, first| {
        let mut both = Array2::zeros((rows.nrows(), k + 1));
        for (row, mut to) in rows.outer_iter().zip(both.outer_iter_mut()) {
            for ((to, value), scaler) in to.iter_mut().zip(row).zip(standards) {
                *to = scaler.scale(*value);
            }
        }
        let values = of_one.values().slice_move(s![first..first + rows.nrows(), channel]);
        both.column_mut(k).assign(&values);
        let is_complete: Vec<bool> = both.outer_iter().map(|row| row.iter().all(|v| !v.is_nan())).collect();
        let mut start = 0;
        for run in is_complete.split(|is_complete| !is_complete) {
            let end = start + run.len();
            if run.len() > filter.len() {
                let columns = both.slice(s![start..end, ..]);
                let mut white = Array2::zeros((run.len() - filter.len(), k + 1));
                for (column, mut to) in columns.columns().into_iter().zip(white.columns_mut()) {
                    to.assign(&ArrayView1::from(&filtered(&column.to_vec(), filter)));
                }
                let after = of_one.n_steps() - first - start - filter.len() - 1;
                let counts = Array1::from_shape_fn(white.nrows(), |row| regressors.row_weight(after - row));
                let counted = &white * &counts.view().insert_axis(Axis(1));
                sums.products += &white.t().dot(&counted);
                sums.sums += &counted.sum_axis(Axis(0));
                sums.count += counts.sum();
                sums.n += white.nrows();
            }
            start = end + 1;
        }
    })?;
    Ok(sums)
}

/// What the columns do not explain, NaN where a row is not complete; one vector a series.
fn errors(
    regressors: &Regressors,
    standards: &[Scaler],
    series: &[Series],
    channel: usize,
    weights: &Array1<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut errors: Vec<Vec<f64>> = Vec::with_capacity(series.len());
    let Some(step) = series.first().map(|series| series.index().step) else { return Ok(errors) };
    each_rows(regressors, series, step, 0, |of_one, rows, first| {
        if first == 0 {
            errors.push(Vec::with_capacity(of_one.n_steps()));
        }
        let values = of_one.values();
        let Some(errors) = errors.last_mut() else { return };
        for (row, value) in rows.outer_iter().zip(values.slice(s![first.., channel])) {
            errors.push(value - explained(row, standards, weights.view()));
        }
    })?;
    Ok(errors)
}

/// What a row explains, on the scale of the model.
pub(super) fn explained(row: ArrayView1<'_, f64>, standards: &[Scaler], weights: ArrayView1<'_, f64>) -> f64 {
    let columns = row.iter().zip(standards).zip(weights);
    // A column without a weight may be missing.
    let used = columns.filter(|(_, weight)| **weight != 0.0);
    used.map(|((value, scaler), weight)| weight * scaler.scale(*value)).sum()
}

/// Visits the rows of every series some at a time, with the series and the first step; each piece begins `overlap` steps
/// before the end of the one before.
fn each_rows(
    regressors: &Regressors,
    series: &[Series],
    step: Step,
    overlap: usize,
    mut visit: impl FnMut(&Series, Array2<f64>, usize),
) -> Result<()> {
    let n_columns = regressors.n_columns(step);
    for of_one in series {
        let n = of_one.n_steps();
        let mut first = 0;
        loop {
            let end = (first + ROWS + overlap).min(n);
            let mut rows = Array2::zeros((end - first, n_columns));
            regressors.fill(of_one, first..end, rows.view_mut())?;
            visit(of_one, rows, first);
            if end == n {
                break;
            }
            first = end - overlap;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CovariateSchema, TimeIndex, Zone};
    use crate::regression::Entry;

    /// Series with a missing stretch, and rows of them by the cycle and one by one.
    fn check(terms: &[&str], zone: &str, half_life: Option<f64>) {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        let start = zone.nanos("2024-03-20T07:00:00".parse().unwrap()).unwrap();
        let step: Step = "1h".parse().unwrap();
        let series: Vec<Series> = (0..3usize)
            .map(|at| {
                let index = TimeIndex::new(
                    start + at as i64 * 5 * 3_600_000_000_000,
                    step,
                    zone.clone(),
                    700 + 90 * at,
                );
                let value = |t: usize| {
                    let noise = ((t * t * 31 + t * (17 + at)) % 101) as f64 / 50.0 - 1.0;
                    if (300..310 + at).contains(&t) { f64::NAN } else { noise + ((t + at) % 24) as f64 / 6.0 }
                };
                let values = Array2::from_shape_fn((index.len, 1), |(t, _)| value(t));
                Series::new(format!("s{at}"), index, values, &["y".to_string()]).unwrap()
            })
            .collect();
        let terms: Vec<_> = terms.iter().map(|term| term.parse().unwrap()).collect();
        let entry = Entry { covariate_lags: 0, horizon: 1, half_life };
        let regressors =
            Regressors::new(&terms, None, &CovariateSchema::default(), entry, step).unwrap().unwrap();
        let fast = Rows::new(&regressors, &series, step).unwrap();
        assert!(fast.cyclic.is_some());
        let slow = Rows {
            cyclic: None,
            standards: standards(&regressors, &series, step).unwrap(),
            ..Rows::new(&regressors, &series, step).unwrap()
        };
        for (a, b) in fast.standards.iter().zip(&slow.standards) {
            assert!((a.center - b.center).abs() < 1e-12 && (a.spread - b.spread).abs() < 1e-12);
        }
        let filter = [0.5, -0.2, 0.1];
        for only in [None, Some(2)] {
            let (first, of) = (only.unwrap_or(0), only.map_or(&series[..], |at| &series[at..=at]));
            let (a, b) =
                (fast.sums(of, first, 0, &filter).unwrap(), slow.sums(of, first, 0, &filter).unwrap());
            assert_eq!(a.n, b.n);
            assert!((a.count - b.count).abs() < 1e-9 * b.count);
            let close =
                |a: &Array1<f64>, b: &Array1<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9 * 1e3);
            assert!(close(&a.sums, &b.sums));
            assert!(close(&a.products.flatten().to_owned(), &b.products.flatten().to_owned()));
            for is_sparse in [false, true] {
                let (a, b) =
                    (fast.weights(only, 0, is_sparse).unwrap(), slow.weights(only, 0, is_sparse).unwrap());
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-8), "{terms:?} {a} {b}");
                assert!(is_sparse || a.iter().any(|weight| weight.abs() > 0.1));
            }
        }
    }

    #[test]
    fn columns_that_come_back_are_solved_as_rows_one_by_one() {
        check(&["1D:12"], "UTC", None);
        check(&["1D:3", "7D:2"], "UTC", Some(150.0));
        // An hour is left out on the last of March.
        check(&["1D:12"], "Europe/Rome", Some(150.0));
    }

    #[test]
    fn a_sine_of_rounding_errors_has_no_weight() {
        let step: Step = "1h".parse().unwrap();
        let index = TimeIndex::new(0, step, Zone::default(), 480);
        let noise = |t: usize| ((t * t * 31 + t * 17) % 101) as f64 / 500.0;
        let values = Array2::from_shape_fn((480, 1), |(t, _)| f64::from(u8::from(t % 2 == 0)) + noise(t));
        let series = [Series::new("s", index, values, &["y".to_string()]).unwrap()];
        let entry = Entry { covariate_lags: 0, horizon: 1, half_life: None };
        let terms = ["1D:12".parse().unwrap()];
        let regressors =
            Regressors::new(&terms, None, &CovariateSchema::default(), entry, step).unwrap().unwrap();
        let weights = Rows::new(&regressors, &series, step).unwrap().weights(None, 0, false).unwrap();
        // sin-1D-12 is sin(pi t): zero. cos-1D-12 is all there is.
        assert!(weights[22].abs() < 1e-9 && (weights[23] - 0.5).abs() < 0.05, "{weights}");
    }
}
