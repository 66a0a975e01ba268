//! Scores by step ahead: one row for each series, metric and step, one column a model.

use ndarray::Array4;
use rayon::prelude::*;

use super::backtest::Backtest;
use super::plan::MOST_NUMBERS;
use super::scores::{Pooled, scales};
use crate::data::Cells;
use crate::{Error, Result};

/// Scores of several models at each step of the horizon, over all windows.
#[derive(Debug, Clone)]
pub struct StepScores {
    /// The models, in the order of the last axis.
    pub models: Vec<String>,
    /// The series, or the channels of a wide file, in the order of the first axis.
    pub ids: Vec<String>,
    /// The metrics, in the order of the second axis.
    pub metrics: Vec<String>,
    /// Steps from a cutoff to the first scored step: `gap + 1`.
    pub first_step: usize,
    /// The scores, NaN where they are not defined. Shape `(series, metric, step, model)`.
    pub values: Array4<f64>,
}

impl StepScores {
    pub(super) fn of(backtest: &Backtest) -> Result<Self> {
        let units = backtest.units();
        let pooled = |unit, step: usize, scales| {
            Pooled::new(backtest, unit, step..step + 1, scales).scores(&backtest.levels)
        };
        let metrics: Vec<String> = match units.first() {
            Some(unit) => pooled(*unit, 0, (1.0, 1.0)).into_iter().map(|(metric, _)| metric).collect(),
            None => Vec::new(),
        };
        let dim = [units.len(), metrics.len(), backtest.horizon, backtest.models.len()];
        let numbers = dim.into_iter().try_fold(1usize, usize::checked_mul);
        if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
            let rule = format!(
                "the scores of all series and models at all steps are more than the {MOST_NUMBERS} numbers that are held at a time; use a shorter one"
            );
            return Err(Error::option("horizon", backtest.horizon, rule));
        }
        let mut values = Array4::from_elem(dim, f64::NAN);
        for (unit, mut of_unit) in units.iter().zip(values.outer_iter_mut()) {
            let scales = scales(backtest, *unit);
            let by_step: Vec<_> =
                (0..backtest.horizon).into_par_iter().map(|step| pooled(*unit, step, scales)).collect();
            for (step, scores) in by_step.into_iter().enumerate() {
                for (metric, (_, scores)) in scores.into_iter().enumerate() {
                    for (model, score) in scores.into_iter().enumerate() {
                        of_unit[[metric, step, model]] = score;
                    }
                }
            }
        }
        Ok(StepScores {
            models: backtest.models.clone(),
            ids: units.into_iter().map(|unit| backtest.label(unit)).collect(),
            metrics,
            first_step: backtest.gap + 1,
            values,
        })
    }

    /// The table `unique_id, metric, step, <model>, ...`; steps are counted from the cutoff, so the first is
    /// `gap + 1`.
    #[must_use]
    pub fn table(&self) -> Vec<(String, Cells)> {
        let (_, _, n_steps, _) = self.values.dim();
        let rows = || {
            let pairs = self.ids.iter().flat_map(|id| self.metrics.iter().map(move |metric| (id, metric)));
            pairs.flat_map(|(id, metric)| (0..n_steps).map(move |step| (id, metric, step)))
        };
        let steps = rows().map(|(_, _, step)| i64::try_from(self.first_step + step).unwrap_or(i64::MAX));
        let mut table = vec![
            ("unique_id".to_string(), Cells::Text(rows().map(|(id, _, _)| id.clone()).collect())),
            ("metric".to_string(), Cells::Text(rows().map(|(_, metric, _)| metric.clone()).collect())),
            ("step".to_string(), Cells::Integers(steps.collect())),
        ];
        for (model, name) in self.models.iter().enumerate() {
            let values = self.values.slice(ndarray::s![.., .., .., model]);
            table.push((name.clone(), Cells::Numbers(values.iter().copied().collect())));
        }
        table
    }
}
