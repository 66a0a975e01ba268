//! Covariates of a panel as inputs of a network: numbers scaled, a category as a column each of 0 and 1.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2, s};

use crate::data::covariates::{CovariateColumn, Known};
use crate::data::panel::Panel;
use crate::data::scaler::Scaler;
use crate::data::series::Series;
use crate::{Error, Result};

/// The covariates of all series, read where the panel keeps them. What is missing is 0.
#[derive(Debug, Clone)]
pub(super) struct CovariateInputs<'a> {
    pub(super) panel: &'a Panel,
    /// One for each column of the schema.
    pub(super) scalers: Vec<Scaler>,
}

impl<'a> CovariateInputs<'a> {
    /// Scaled by mean and standard deviation over the `training` ranges of all series.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are fewer ranges than series.
    pub(super) fn new(panel: &'a Panel, training: &[Range<usize>]) -> Result<Self> {
        if training.len() < panel.series().len() {
            let rule = format!("there must be one for each of the {} series", panel.series().len());
            return Err(Error::option("the number of training ranges", training.len(), rule));
        }
        let columns = panel.covariate_schema().columns().iter();
        let mut positions = [0; 3];
        let scalers = columns.map(|column| {
            let position = &mut positions[column.known as usize];
            *position += 1;
            match column.vocabulary {
                Some(_) => Scaler::default(),
                None => standard(panel, column.known, *position - 1, training),
            }
        });
        Ok(CovariateInputs { panel, scalers: scalers.collect() })
    }

    /// With scalers that are known.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are more or fewer of them than columns.
    pub(super) fn with_scalers(panel: &'a Panel, scalers: Vec<Scaler>) -> Result<Self> {
        let n_columns = panel.covariate_schema().columns().len();
        if scalers.len() != n_columns {
            let rule = format!("there must be one for each of the {n_columns} covariates");
            return Err(Error::option("the number of scalers", scalers.len(), rule));
        }
        Ok(CovariateInputs { panel, scalers })
    }

    pub(super) fn names(&self, known: Known) -> Vec<String> {
        self.panel.covariate_schema().one_hot_names(known)
    }

    pub(super) fn n_columns(&self, known: Known) -> usize {
        self.panel.covariate_schema().of(known).iter().map(CovariateColumn::n_one_hot).sum()
    }

    /// Writes the past covariates, or those known ahead, of the steps at `range`; beyond what is known, everything is
    /// missing. Shape `(range.len(), n_columns)`.
    pub(super) fn fill(
        &self,
        known: Known,
        series: usize,
        range: Range<usize>,
        mut out: ArrayViewMut2<'_, f32>,
    ) {
        let covariates = self.panel.series()[series].covariates();
        let values = match known {
            Known::Past => covariates.past(),
            Known::Future | Known::Static => covariates.future(),
        };
        for (step, out) in range.zip(out.rows_mut()) {
            match step < values.nrows() {
                true => self.fill_row(known, values.row(step), out),
                // Beyond what is known, everything is missing.
                false => self.fill_row(known, ArrayView1::from(&[][..]), out),
            }
        }
    }

    /// Writes the static covariates of a series. Shape `(n_columns)`.
    pub(super) fn fill_static(&self, series: usize, out: ArrayViewMut1<'_, f32>) {
        let values = self.panel.series()[series].covariates().static_values();
        self.fill_row(Known::Static, ArrayView1::from(values), out);
    }

    /// Writes the covariates of one step; those that `values` lacks are missing.
    fn fill_row(&self, known: Known, values: ArrayView1<'_, f64>, mut out: ArrayViewMut1<'_, f32>) {
        let schema = self.panel.covariate_schema();
        let columns = schema.of(known);
        let first: usize = match known {
            Known::Past => 0,
            Known::Future => schema.of(Known::Past).len(),
            Known::Static => schema.columns().len() - columns.len(),
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
}

/// Mean and standard deviation of a numeric covariate over the training ranges of all series.
fn standard(panel: &Panel, known: Known, position: usize, training: &[Range<usize>]) -> Scaler {
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
        for (series, range) in panel.series().iter().zip(training) {
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
