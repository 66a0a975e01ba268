//! Weights of the columns, some thousand rows at a time: the rows of a long series are never all there.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::columns::Regressors;
use super::whiten::{filter_of, filtered};
use crate::Result;
use crate::ar::least_squares;
use crate::data::{Scaler, Series, Step};

/// Rows that are made at a time.
const ROWS: usize = 16_384;
/// Estimates of the filter.
const N_FILTERS: usize = 2;

/// Center and spread of each column over the rows of some series without a missing value; a column that does not vary
/// has the spread 1.
pub(super) fn standards(regressors: &Regressors, series: &[Series], step: Step) -> Result<Vec<Scaler>> {
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
    let scaler = |(center, squares): (&f64, &f64)| {
        let spread = (squares / f64::max(n, 1.0)).sqrt();
        let is_usable = spread.is_finite() && spread > 1e-12 * center.abs().max(1e-300);
        Scaler { center: *center, spread: if is_usable { spread } else { 1.0 } }
    };
    Ok(means.iter().zip(&squares).map(scaler).collect())
}

/// Weights of the standardised columns for one channel of some series, pooled. Shape `(column)`.
pub(super) fn weights(
    regressors: &Regressors,
    standards: &[Scaler],
    series: &[Series],
    channel: usize,
    is_sparse: bool,
) -> Result<Array1<f64>> {
    let mut weights = Array1::zeros(standards.len());
    let mut filter = Vec::new();
    for round in 0..=N_FILTERS {
        let is_last = round == N_FILTERS;
        weights = filtered_fit(regressors, standards, series, channel, &filter, is_sparse && is_last)?;
        if !is_last {
            let errors = errors(regressors, standards, series, channel, &weights)?;
            let runs: Vec<&[f64]> =
                errors.iter().flat_map(|errors| errors.split(|error| error.is_nan())).collect();
            filter = filter_of(&runs);
        }
    }
    Ok(weights)
}

/// Least squares on filtered rows.
fn filtered_fit(
    regressors: &Regressors,
    standards: &[Scaler],
    series: &[Series],
    channel: usize,
    filter: &[f64],
    is_sparse: bool,
) -> Result<Array1<f64>> {
    let (k, step) = (standards.len(), series[0].index().step);
    // Columns and the value, of rows without a missing value. Shape `(k + 1, k + 1)`, `(k + 1)`.
    let (mut products, mut sums, mut n, mut count) =
        (Array2::<f64>::zeros((k + 1, k + 1)), Array1::<f64>::zeros(k + 1), 0, 0.0);
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
                products += &white.t().dot(&counted);
                sums += &counted.sum_axis(Axis(0));
                count += counts.sum();
                n += white.nrows();
            }
            start = end + 1;
        }
    })?;
    // What the rows count is about each other: together they are as many as there are.
    let scale = if count > 0.0 { n as f64 / count } else { 1.0 };
    least_squares(&(products * scale), &(sums * scale), n, is_sparse)
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
