//! How a fitted family does on the windows that it was not fitted on.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::Family;
use super::family::prime;
use super::fit::FitReport;
use super::lag_windows::LagWindows;
use super::plan::Plan;
use super::recent::{last_errors, one_step_errors};
use crate::data::{Panel, Scaler, Series};
use crate::eval::conformal::{Residuals, Window};
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
            let shape = (self.horizon, self.recency.scale_steps);
            let lags = LagWindows::new(family, family_slot, series, &scalers[slot], &cutoffs, shape);
            let windows = cutoffs.into_par_iter().with_min_len(FEWEST_A_THREAD).map(|cutoff| {
                if let Some(window) = lags.as_ref().and_then(|lags| lags.window(series, cutoff)) {
                    return window;
                }
                let history = series.slice(0..cutoff);
                let (memory, _) = prime(family, family_slot, &history, &scalers[slot], kept);
                let mut forecast = Array2::zeros((self.horizon, scalers[slot].len()));
                family.forecast(family_slot, &memory, 0, forecast.view_mut());
                for (mut column, scaler) in forecast.columns_mut().into_iter().zip(&scalers[slot]) {
                    column.mapv_inplace(|v| scaler.unscale(v));
                }
                let errors = one_step_errors(family, family_slot, &memory, &scalers[slot], kept);
                let last = last_errors(&errors, 0, self.recency.scale_steps);
                Window { residuals: &series.slice(cutoff..cutoff + self.horizon).values() - &forecast, last }
            });
            Residuals { windows: windows.collect() }
        };
        panel.series().par_iter().enumerate().zip(ranges).map(residuals).collect()
    }

    /// Scores on the validation range beside seasonal naive's on the same windows.
    pub(super) fn report(&self, panel: &Panel, cuts: &[usize], residuals: &[Residuals]) -> FitReport {
        let season = self.season_length;
        let (mut model, mut naive) = (Vec::new(), Vec::new());
        let mut n_windows = 0;
        for ((series, cut), residuals) in panel.series().iter().zip(cuts).zip(residuals) {
            n_windows += residuals.windows.len();
            for channel in 0..panel.channels().len() {
                let values = series.values().column(channel).to_vec();
                let scale = metrics::naive_scale(&values[..*cut], season);
                // The last season before the cutoff, repeated.
                let seasonal = |cutoff: usize, h: usize| {
                    cutoff.checked_sub(season - h % season).map_or(f64::NAN, |at| values[at])
                };
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                let cutoffs = self.cutoffs(&(*cut..series.n_steps()));
                for (window, cutoff) in residuals.windows.iter().zip(cutoffs) {
                    for (h, residual) in window.residuals.column(channel).iter().enumerate() {
                        let error = (values[cutoff + h] - seasonal(cutoff, h)).abs();
                        theirs.push(error);
                        // Both are scored on the same steps.
                        ours.push(if error.is_nan() { error } else { residual.abs() });
                    }
                }
                model.push((metrics::mean(&ours), scale));
                naive.push((metrics::mean(&theirs), scale));
            }
        }
        FitReport {
            n_windows,
            mase: mean_scaled(&model),
            seasonal_naive_mase: mean_scaled(&naive),
            mae: mean_unscaled(&model),
            seasonal_naive_mae: mean_unscaled(&naive),
            warnings: Vec::new(),
        }
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
