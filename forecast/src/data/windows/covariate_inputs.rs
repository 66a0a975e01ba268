//! Covariates of a panel as inputs of a network, read where the panel keeps them.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayViewMut1, ArrayViewMut2};

use crate::data::covariates::{InputColumns, Known};
use crate::data::panel::Panel;
use crate::data::scaler::Scaler;
use crate::{Error, Result};

/// The covariates of all series. What is missing is 0.
#[derive(Debug, Clone)]
pub(super) struct CovariateInputs<'a> {
    pub(super) panel: &'a Panel,
    columns: InputColumns,
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
        let columns = InputColumns::fit(panel.covariate_schema(), panel.series(), training);
        Ok(CovariateInputs { panel, columns })
    }

    /// With scalers that are known.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are more or fewer of them than columns.
    pub(super) fn with_scalers(panel: &'a Panel, scalers: Vec<Scaler>) -> Result<Self> {
        Ok(CovariateInputs { panel, columns: InputColumns::with_scalers(panel.covariate_schema(), scalers)? })
    }

    /// One for each column of the schema.
    pub(super) fn scalers(&self) -> &[Scaler] {
        self.columns.scalers()
    }

    pub(super) fn names(&self, known: Known) -> Vec<String> {
        self.panel.covariate_schema().one_hot_names(known)
    }

    pub(super) fn n_columns(&self, known: Known) -> usize {
        self.columns.n_columns(known)
    }

    /// Writes the past covariates, or those known ahead, of the steps at `range`; beyond what is known, everything is
    /// missing. Shape `(range.len(), n_columns)`.
    pub(super) fn fill(&self, known: Known, series: usize, range: Range<usize>, out: ArrayViewMut2<'_, f32>) {
        let covariates = self.panel.series()[series].covariates();
        let values = match known {
            Known::Past => covariates.past(),
            Known::Future | Known::Static => covariates.future(),
        };
        self.columns.fill(known, values, range, out);
    }

    /// Writes the static covariates of a series. Shape `(n_columns)`.
    pub(super) fn fill_static(&self, series: usize, out: ArrayViewMut1<'_, f32>) {
        let values = self.panel.series()[series].covariates().static_values();
        self.columns.fill_row(Known::Static, ArrayView1::from(values), out);
    }
}
