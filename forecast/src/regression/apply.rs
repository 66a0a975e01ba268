//! A fitted regression: taken out of series, put back into forecasts, saved.

use std::ops::Range;
use std::sync::OnceLock;

use ndarray::{Array2, Array3, ArrayView1, Axis};
use rayon::prelude::*;

use super::columns::Regressors;
use super::solve::{Rows, explained};
use super::table::Table;
use crate::data::{Scaler, Series, Step, TimeIndex};
use crate::model::{Tensor, Tensors};
use crate::{Error, Result};

/// Rows that are made at a time.
const ROWS: usize = 16_384;

/// What the columns add to each channel.
#[derive(Debug, Clone)]
pub(crate) struct Regression {
    regressors: Regressors,
    /// Center and spread of each column over the training rows.
    standards: Vec<Scaler>,
    /// Of standardised columns, on the scale of the model. Shape `(slot, channel, column)`.
    weights: Array3<f64>,
    /// Made for the grid of the first series that is asked for.
    table: OnceLock<Option<Table>>,
}

impl Regression {
    /// The weights of every series and channel, or of all series together.
    ///
    /// `series` are scaled, with covariates. With `is_sparse`, columns that do not pay are left out.
    pub(crate) fn fit(
        regressors: &Regressors,
        series: &[Series],
        is_shared: bool,
        is_sparse: bool,
    ) -> Result<Self> {
        let Some(first) = series.first() else {
            return Err(Error::Internal("a regression without series".to_string()));
        };
        let (step, n_channels) = (first.index().step, first.values().ncols());
        let rows = Rows::new(regressors, series, step)?;
        let n_slots = if is_shared { 1 } else { series.len() };
        let solved: Vec<_> = (0..n_slots * n_channels)
            .into_par_iter()
            .map(|at| {
                let (slot, channel) = (at / n_channels, at % n_channels);
                rows.weights((!is_shared).then_some(slot), channel, is_sparse)
            })
            .collect::<Result<_>>()?;
        let standards = rows.standards().to_vec();
        let mut all = Array3::zeros((n_slots, n_channels, standards.len()));
        for (at, weights) in solved.into_iter().enumerate() {
            let mut of_slot = all.index_axis_mut(Axis(0), at / n_channels);
            of_slot.row_mut(at % n_channels).assign(&weights);
        }
        Ok(Regression { regressors: regressors.clone(), standards, weights: all, table: OnceLock::new() })
    }

    /// The columns.
    pub(crate) fn regressors(&self) -> &Regressors {
        &self.regressors
    }

    /// Name and weight of each column in the units of the series for one unit of the column, for a channel with this
    /// spread.
    pub(crate) fn weights(&self, slot: usize, channel: usize, step: Step, spread: f64) -> Vec<(String, f64)> {
        let names = self.regressors.names(step);
        let weights = self.weights.index_axis(Axis(0), slot.min(self.weights.dim().0 - 1));
        let of_column =
            |(name, (weight, scaler)): (String, (&f64, &Scaler))| (name, spread * weight / scaler.spread);
        names.into_iter().zip(weights.row(channel).iter().zip(&self.standards)).map(of_column).collect()
    }

    /// True if no column of a slot adds anything.
    pub(crate) fn is_silent(&self, slot: usize) -> bool {
        let slot = slot.min(self.weights.dim().0 - 1);
        self.weights.index_axis(Axis(0), slot).iter().all(|weight| *weight == 0.0)
    }

    /// What the columns add to the steps at `range` of a series, which may reach beyond its end, in the units of the
    /// series; NaN where a covariate that matters is missing. Shape `(range.len(), channel)`.
    pub(crate) fn offsets(
        &self,
        slot: usize,
        series: &Series,
        range: Range<usize>,
        scalers: &[Scaler],
    ) -> Result<Array2<f64>> {
        let mut offsets = Array2::zeros((range.len(), scalers.len()));
        let known = range.clone().map_while(|step| self.at_once(slot, series.index(), step));
        let mut n_known = 0;
        for (known, mut to) in known.zip(offsets.outer_iter_mut()) {
            for ((to, scaled), scaler) in to.iter_mut().zip(known).zip(scalers) {
                *to = scaler.spread * scaled;
            }
            n_known += 1;
        }
        let range = range.start + n_known..range.end;
        let weights = self.weights.index_axis(Axis(0), slot.min(self.weights.dim().0 - 1));
        for first in range.clone().step_by(ROWS) {
            let end = (first + ROWS).min(range.end);
            let mut rows = Array2::zeros((end - first, self.standards.len()));
            self.regressors.fill(series, first..end, rows.view_mut())?;
            for (at, row) in rows.outer_iter().enumerate() {
                for (channel, scaler) in scalers.iter().enumerate() {
                    let scaled = explained(row, &self.standards, weights.row(channel));
                    offsets[[n_known + first - range.start + at, channel]] = scaler.spread * scaled;
                }
            }
        }
        Ok(offsets)
    }

    /// What the columns add to a step of an index, on the scale of the model, one value a channel, without an
    /// allocation; `None` where it takes more than the calendar.
    pub(crate) fn at_once(&self, slot: usize, index: &TimeIndex, step: usize) -> Option<ArrayView1<'_, f64>> {
        let table =
            self.table.get_or_init(|| Table::new(&self.regressors, index, &self.standards, &self.weights));
        table.as_ref()?.at(slot.min(self.weights.dim().0 - 1), index, step)
    }

    /// What each column adds to one step of a channel with this spread, in the units of the series; 0 where a covariate
    /// is missing.
    pub(crate) fn contributions(
        &self,
        slot: usize,
        channel: usize,
        series: &Series,
        step: usize,
        spread: f64,
    ) -> Result<Vec<f64>> {
        let weights = self.weights.index_axis(Axis(0), slot.min(self.weights.dim().0 - 1));
        let mut row = Array2::zeros((1, self.standards.len()));
        self.regressors.fill(series, step..step + 1, row.view_mut())?;
        let of_column = |((value, scaler), weight): ((&f64, &Scaler), &f64)| {
            let contribution = spread * weight * scaler.scale(*value);
            if contribution.is_nan() { 0.0 } else { contribution }
        };
        Ok(row.iter().zip(&self.standards).zip(weights.row(channel)).map(of_column).collect())
    }

    /// The series without what the columns add: what the family models. A step whose covariates are missing is
    /// missing.
    pub(crate) fn taken_out(
        &self,
        slot: usize,
        series: &Series,
        scalers: &[Scaler],
        channels: &[String],
    ) -> Result<Series> {
        let offsets = self.offsets(slot, series, 0..series.n_steps(), scalers)?;
        series.with_values(&series.values() - &offsets, channels)
    }

    /// Everything that was learned.
    pub(crate) fn tensors(&self) -> Tensors {
        let standards = Array2::from_shape_fn((self.standards.len(), 2), |(column, i)| {
            if i == 0 { self.standards[column].center } else { self.standards[column].spread }
        });
        Tensors::from([
            ("regression.weights".to_string(), Tensor::from(&self.weights)),
            ("regression.standards".to_string(), Tensor::from(&standards)),
        ])
    }

    /// A regression from its tensors.
    ///
    /// # Errors
    /// [`Error::Internal`] with what does not fit; the caller knows the file.
    pub(crate) fn load(
        regressors: &Regressors,
        tensors: &Tensors,
        (n_slots, n_channels, n_columns): (usize, usize, usize),
    ) -> Result<Self> {
        let get = |name: &str, shape: &[usize]| match tensors.get(name) {
            Some(tensor)
                if tensor.shape == shape && tensor.values().iter().all(|value| value.is_finite()) =>
            {
                Ok(tensor.values().into_owned())
            }
            _ => {
                Err(Error::Internal(format!("tensor {name} is missing or has another shape than {shape:?}")))
            }
        };
        let weights = get("regression.weights", &[n_slots, n_channels, n_columns])?;
        let standards = get("regression.standards", &[n_columns, 2])?;
        Ok(Regression {
            regressors: regressors.clone(),
            standards: standards.chunks_exact(2).map(|s| Scaler { center: s[0], spread: s[1] }).collect(),
            weights: Array3::from_shape_vec((n_slots, n_channels, n_columns), weights)
                .map_err(|error| Error::Internal(error.to_string()))?,
            table: OnceLock::new(),
        })
    }
}
