//! Covariates as what a network takes: numbers scaled, a category as a column each of 0 and 1.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, s};

use super::declaration::Known;
use super::schema::{CovariateColumn, CovariateSchema};
use super::values::Covariates;
use crate::data::{Scaler, Series};
use crate::{Error, Result};

/// Inputs of a step, at most: a batch holds them for every step of its windows.
const MOST_INPUTS: usize = 2_000;

/// The columns of a schema as inputs of a network. What is missing is 0: the mean of a number, none of the categories.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputColumns {
    schema: CovariateSchema,
    /// One for each column of the schema; that of a category changes nothing.
    scalers: Vec<Scaler>,
}

/// How many inputs a step has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InputWidths {
    /// Of what is known ahead, and of what never changes.
    pub(crate) known: usize,
    /// Of what is known in the past only.
    pub(crate) past: usize,
}

impl InputColumns {
    /// Numbers scaled by mean and standard deviation over the `training` ranges of all series.
    pub(crate) fn fit(schema: &CovariateSchema, series: &[Series], training: &[Range<usize>]) -> Self {
        let mut positions = [0; 3];
        let scalers = schema.columns().iter().map(|column| {
            let position = &mut positions[column.known as usize];
            *position += 1;
            match column.vocabulary {
                Some(_) => Scaler::default(),
                None => standard(series, column.known, *position - 1, training),
            }
        });
        InputColumns { scalers: scalers.collect(), schema: schema.clone() }
    }

    /// With scalers that are known.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are more or fewer of them than columns.
    pub(crate) fn with_scalers(schema: &CovariateSchema, scalers: Vec<Scaler>) -> Result<Self> {
        let n_columns = schema.columns().len();
        if scalers.len() != n_columns {
            let rule = format!("there must be one for each of the {n_columns} covariates");
            return Err(Error::option("the number of scalers", scalers.len(), rule));
        }
        Ok(InputColumns { schema: schema.clone(), scalers })
    }

    /// The same, if there are not too many for a network.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are.
    pub(crate) fn checked(self) -> Result<Self> {
        let InputWidths { known, past } = self.widths();
        if known + past > MOST_INPUTS {
            let rule = format!(
                "a network takes at most {MOST_INPUTS}, one for each number and each category; declare fewer, or set \
                 covariates = ignore"
            );
            return Err(Error::option("the number of inputs of the covariates", known + past, rule));
        }
        Ok(self)
    }

    pub(crate) fn schema(&self) -> &CovariateSchema {
        &self.schema
    }

    pub(crate) fn scalers(&self) -> &[Scaler] {
        &self.scalers
    }

    /// How many inputs the columns become that are known so.
    pub(crate) fn n_columns(&self, known: Known) -> usize {
        self.schema.of(known).iter().map(CovariateColumn::n_one_hot).sum()
    }

    pub(crate) fn widths(&self) -> InputWidths {
        let known = self.n_columns(Known::Future) + self.n_columns(Known::Static);
        InputWidths { known, past: self.n_columns(Known::Past) }
    }

    /// Writes the inputs of the steps at `range`; of those beyond `values` everything is missing.
    ///
    /// # Shapes
    /// `values` `(step, covariate)`, `out` `(range.len(), n_columns)`.
    pub(crate) fn fill(
        &self,
        known: Known,
        values: ArrayView2<'_, f64>,
        range: Range<usize>,
        mut out: ArrayViewMut2<'_, f32>,
    ) {
        for (step, out) in range.zip(out.rows_mut()) {
            match step < values.nrows() {
                true => self.fill_row(known, values.row(step), out),
                false => self.fill_row(known, ArrayView1::from(&[][..]), out),
            }
        }
    }

    /// Writes the inputs of one step; covariates that `values` lacks are missing. Shape of `out` `(n_columns)`.
    pub(crate) fn fill_row(
        &self,
        known: Known,
        values: ArrayView1<'_, f64>,
        mut out: ArrayViewMut1<'_, f32>,
    ) {
        let columns = self.schema.of(known);
        let first: usize = match known {
            Known::Past => 0,
            Known::Future => self.schema.of(Known::Past).len(),
            Known::Static => self.schema.columns().len() - columns.len(),
        };
        out.fill(0.0);
        let mut at = 0;
        for (i, column) in columns.iter().enumerate() {
            let value = values.get(i).copied().unwrap_or(f64::NAN);
            let width = column.n_one_hot();
            if column.vocabulary.is_none() {
                let scaled = self.scalers[first + i].scale(value);
                out[at] =
                    if scaled.is_nan() { 0.0 } else { scaled.clamp(f32::MIN.into(), f32::MAX.into()) as f32 };
            } else if value >= 0.0 && (value as usize) < width {
                out[at + value as usize] = 1.0;
            }
            at += width;
        }
    }

    /// The inputs of the steps at `range` of a series, which may reach beyond its end.
    pub(crate) fn rows(&self, covariates: &Covariates, range: Range<usize>) -> InputRows {
        let fixed = ArrayView1::from(covariates.static_values());
        let mut of_static = vec![0.0; self.n_columns(Known::Static)];
        self.fill_row(Known::Static, fixed, ArrayViewMut1::from(&mut of_static[..]));
        let of = |known: Known, values: ArrayView2<'_, f64>| {
            // What is not there is missing: no row is needed for it.
            let within = range.start..range.end.min(values.nrows()).max(range.start);
            let mut rows = Array2::zeros((within.len(), self.n_columns(known)));
            self.fill(known, values, within, rows.view_mut());
            rows
        };
        InputRows {
            first: range.start,
            future: of(Known::Future, covariates.future()),
            past: of(Known::Past, covariates.past()),
            fixed: of_static,
        }
    }
}

/// The inputs of consecutive steps of an index; those of all other steps are missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct InputRows {
    /// The step of the first row.
    first: usize,
    /// Of what is known ahead. Shape `(step, column)`.
    future: Array2<f32>,
    /// Of what is known in the past only. Shape `(step, column)`.
    past: Array2<f32>,
    /// Of what never changes.
    fixed: Vec<f32>,
}

impl InputRows {
    /// The same rows, of an index on which the first of them is another step.
    pub(crate) fn beginning_at(self, first: usize) -> Self {
        InputRows { first, ..self }
    }

    /// Adds what is known ahead of a step, then what never changes.
    pub(crate) fn extend_known(&self, step: usize, to: &mut Vec<f32>) {
        extend(&self.future, self.row(step), to);
        to.extend_from_slice(&self.fixed);
    }

    /// Adds what is known in the past only of a step.
    pub(crate) fn extend_past(&self, step: usize, to: &mut Vec<f32>) {
        extend(&self.past, self.row(step), to);
    }

    fn row(&self, step: usize) -> Option<usize> {
        step.checked_sub(self.first)
    }
}

/// Adds a row, zeros where there is none.
fn extend(rows: &Array2<f32>, row: Option<usize>, to: &mut Vec<f32>) {
    match row.filter(|row| *row < rows.nrows()) {
        Some(row) => to.extend(rows.slice(s![row, ..])),
        None => to.resize(to.len() + rows.ncols(), 0.0),
    }
}

/// Mean and standard deviation of a numeric covariate over the training ranges of all series.
fn standard(series: &[Series], known: Known, position: usize, training: &[Range<usize>]) -> Scaler {
    let of_series = |(series, range): (&Series, &Range<usize>)| -> Vec<f64> {
        let (covariates, range) =
            (series.covariates(), range.start.min(series.n_steps())..range.end.min(series.n_steps()));
        let column = match known {
            Known::Static => return vec![covariates.static_values()[position]],
            Known::Past => covariates.past(),
            Known::Future => covariates.future(),
        };
        column.slice(s![range, position]).iter().copied().collect()
    };
    let mut sums = (0.0, 0.0);
    let each = |visit: &mut dyn FnMut(f64)| {
        for (series, range) in series.iter().zip(training) {
            of_series((series, range)).into_iter().filter(|value| !value.is_nan()).for_each(&mut *visit);
        }
    };
    each(&mut |value| sums = (sums.0 + 1.0, sums.1 + value));
    let center = if sums.0 > 0.0 { sums.1 / sums.0 } else { 0.0 };
    let mut squares = 0.0;
    each(&mut |value| squares += (value - center) * (value - center));
    let spread = (squares / f64::max(sums.0, 1.0)).sqrt();
    let is_usable = center.is_finite() && spread.is_finite() && spread > f64::EPSILON * center.abs();
    Scaler {
        center: if center.is_finite() { center } else { 0.0 },
        spread: if is_usable { spread } else { 1.0 },
    }
}

#[cfg(test)]
// What is compared is copied.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::data::TimeIndex;
    use ndarray::array;

    #[test]
    fn more_inputs_than_a_network_takes_are_refused() {
        let of = |n: usize| {
            let categories: Vec<String> = (0..n).map(|at| format!("\"{at:05}\"")).collect();
            let vocabulary = format!(r#"{{"categories": [{}], "unseen": "error"}}"#, categories.join(", "));
            let json = format!(r#"[{{"name": "k", "known": "past", "vocabulary": {vocabulary}}}]"#);
            InputColumns::fit(&serde_json::from_str(&json).unwrap(), &[], &[]).checked()
        };
        assert_eq!(of(2_000).unwrap().widths().past, 2_000);
        assert!(of(2_001).unwrap_err().to_string().contains("covariates is 2001"), "{:?}", of(2_001));
    }

    #[test]
    fn rows_are_found_by_their_step_and_what_is_not_there_is_missing() {
        let schema: CovariateSchema = serde_json::from_str(
            r#"[{"name": "wind", "known": "past"}, {"name": "price", "known": "future"},
                {"name": "sky", "known": "future", "vocabulary": {"categories": ["rain", "sun"], "unseen": "error"}},
                {"name": "size", "known": "static"}]"#,
        )
        .unwrap();
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), 2);
        let future = array![[10.0, 0.0], [20.0, 1.0], [f64::NAN, f64::NAN]];
        let parts = (array![[1.0], [3.0]], future, vec![7.0]);
        let covariates = Covariates::new(&schema, "s", &index, parts).unwrap();
        let unit = Scaler::default();
        let scalers =
            vec![Scaler { center: 2.0, spread: 1.0 }, Scaler { center: 10.0, spread: 5.0 }, unit, unit];
        let columns = InputColumns::with_scalers(&schema, scalers).unwrap();
        assert_eq!(columns.widths(), InputWidths { known: 4, past: 1 });
        assert!(InputColumns::with_scalers(&schema, Vec::new()).is_err());
        let rows = columns.rows(&covariates, 1..9).beginning_at(5);
        let known = |step: usize| {
            let mut row = Vec::new();
            rows.extend_known(step, &mut row);
            row
        };
        let past = |step: usize| {
            let mut row = Vec::new();
            rows.extend_past(step, &mut row);
            row
        };
        assert_eq!(known(5), [2.0, 0.0, 1.0, 7.0]);
        assert_eq!((known(6), known(99), known(4)), (vec![0.0, 0.0, 0.0, 7.0], known(6), known(6)));
        assert_eq!((past(5), past(6), past(4)), (vec![1.0], vec![0.0], vec![0.0]));
    }
}
