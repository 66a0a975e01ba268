//! How a fitted family does on the windows that it was not fitted on.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::family::prime;
use super::fit_report::FitReport;
use super::lag_windows::LagWindows;
use super::plan::Plan;
use super::recent::{last_errors, one_step_errors};
use super::{Beside, Family};
use crate::data::{Panel, Scaler, Series};
use crate::eval::conformal::{LastErrors, Residuals};
use crate::eval::metrics;

/// Windows that are worth a thread.
const FEWEST_A_THREAD: usize = 64;

impl Plan {
    /// Label minus forecast, in the units of the series, of the windows whose labels lie in the range of their
    /// series.
    pub(super) fn residuals(
        &self,
        panel: &Panel,
        ranges: &[Range<usize>],
        family: &dyn Family,
        scalers: &[Vec<Scaler>],
    ) -> Vec<Residuals> {
        let kept = self.config.lookback() + self.recency.scale_steps;
        let residuals = |((slot, series), range): ((usize, &Series), &Range<usize>)| {
            let family_slot = if self.config.is_shared() { 0 } else { slot };
            let cutoffs: Vec<usize> = self.cutoffs(range).collect();
            let scalers = &scalers[slot];
            let shape = (self.horizon, self.recency.scale_steps);
            // Rows are asked for by their step; those of the past from before a cutoff alone.
            let inputs = self.inputs.as_ref().map(|inputs| inputs.rows(series.covariates(), 0..usize::MAX));
            let inputs = inputs.as_ref();
            let lags = LagWindows::new(family, family_slot, series, scalers, &cutoffs, shape);
            let window = |cutoff: usize, errors: &mut [f64], last: &mut [LastErrors]| {
                // Whoever asked for the errors looks at the flag before it uses them.
                if self.cancel.is_cancelled() {
                    return;
                }
                let lags = lags.as_ref();
                if lags.and_then(|lags| lags.window(cutoff, errors, last)).is_some() {
                    return;
                }
                let history = series.slice(0..cutoff);
                let (memory, _) = prime(family, family_slot, &history, scalers, kept, inputs);
                let mut forecast = Array2::zeros((self.horizon, scalers.len()));
                let beside = Beside::new(history.index(), inputs);
                family.forecast(family_slot, &memory, 0, beside, forecast.view_mut());
                let labels = series.values();
                for (channel, (path, scaler)) in
                    errors.chunks_exact_mut(self.horizon).zip(scalers).enumerate()
                {
                    for (step, error) in path.iter_mut().enumerate() {
                        let forecast = scaler.unscale(forecast[[step, channel]]);
                        *error = labels[[cutoff + step, channel]] - forecast;
                    }
                }
                let errors =
                    one_step_errors(family, family_slot, &memory, beside, scalers, self.recency.scale_steps);
                for (channel, last) in last.iter_mut().enumerate() {
                    *last = last_errors(&errors, channel, 0, self.recency.scale_steps);
                }
            };
            let mut residuals = Residuals::zeros(cutoffs.len(), scalers.len(), self.horizon);
            let window_len = residuals.errors.window_len();
            let errors = residuals.errors.values_mut().par_chunks_exact_mut(window_len);
            let last = residuals.last.par_chunks_exact_mut(scalers.len().max(1));
            cutoffs
                .par_iter()
                .with_min_len(FEWEST_A_THREAD)
                .zip(errors.zip(last))
                .for_each(|(cutoff, (errors, last))| window(*cutoff, errors, last));
            residuals
        };
        panel.series().par_iter().enumerate().zip(ranges).map(residuals).collect()
    }

    /// Scores on the validation range beside seasonal naive's on the same windows.
    pub(super) fn report(&self, panel: &Panel, cuts: &[usize], residuals: &[Residuals]) -> FitReport {
        let season = self.season_length;
        let (mut model, mut naive) = (Vec::new(), Vec::new());
        let mut n_windows = 0;
        for ((series, cut), residuals) in panel.series().iter().zip(cuts).zip(residuals) {
            n_windows += residuals.errors.n_windows();
            for channel in 0..panel.channels().len() {
                let values = series.values().column(channel).to_vec();
                let scale = metrics::naive_scale(&values[..*cut], season);
                // The last season before the cutoff, repeated.
                let seasonal = |cutoff: usize, h: usize| {
                    cutoff.checked_sub(season - h % season).map_or(f64::NAN, |at| values[at])
                };
                let (mut ours, mut theirs) = (Mean::default(), Mean::default());
                let cutoffs = self.cutoffs(&(*cut..series.n_steps()));
                for (window, cutoff) in cutoffs.enumerate() {
                    for (h, residual) in residuals.errors.path(window, channel).iter().enumerate() {
                        let error = (values[cutoff + h] - seasonal(cutoff, h)).abs();
                        theirs.add(error);
                        // Both are scored on the same steps.
                        ours.add(if error.is_nan() { error } else { residual.abs() });
                    }
                }
                model.push((ours.value(), scale));
                naive.push((theirs.value(), scale));
            }
        }
        FitReport {
            n_windows,
            mase: mean_scaled(&model),
            seasonal_naive_mase: mean_scaled(&naive),
            mae: mean_unscaled(&model),
            seasonal_naive_mae: mean_unscaled(&naive),
            warnings: Vec::new(),
            training: None,
        }
    }
}

/// The mean of numbers, those that are missing left out; NaN if there are none.
#[derive(Default)]
struct Mean {
    sum: f64,
    n: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        if !value.is_nan() {
            self.sum += value;
            self.n += 1.0;
        }
    }

    fn value(&self) -> f64 {
        self.sum / self.n
    }
}

/// Mean of error over scale, where the scale is not zero.
fn mean_scaled(errors: &[(f64, f64)]) -> f64 {
    let scaled: Vec<f64> = errors.iter().map(|(mae, scale)| mae / scale).filter(|m| m.is_finite()).collect();
    metrics::mean(&scaled)
}

fn mean_unscaled(errors: &[(f64, f64)]) -> f64 {
    metrics::mean(&errors.iter().map(|(mae, _)| *mae).collect::<Vec<_>>())
}
