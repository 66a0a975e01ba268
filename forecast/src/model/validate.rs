//! How a fitted family does on the windows that it was not fitted on.

use ndarray::Array2;
use rayon::prelude::*;

use super::Family;
use super::family::prime;
use super::fit::FitReport;
use super::plan::Plan;
use crate::data::{Panel, Scaler, Series};
use crate::eval::conformal::Residuals;
use crate::eval::metrics;

impl Plan {
    /// Label minus forecast of every window, in the units of the series.
    pub(super) fn residuals(
        &self,
        panel: &Panel,
        cuts: &[usize],
        family: &dyn Family,
        scalers: &[Vec<Scaler>],
    ) -> Vec<Residuals> {
        let residuals = |((slot, series), cut): ((usize, &Series), &usize)| {
            let family_slot = if self.config.is_shared() { 0 } else { slot };
            let cutoffs: Vec<usize> = self.cutoffs(series.n_steps(), *cut).collect();
            let windows = cutoffs.into_par_iter().map(|cutoff| {
                let history = series.slice(0..cutoff);
                let mut memory = family.start(scalers[slot].len());
                prime(family, family_slot, &mut memory, &history, &scalers[slot]);
                let mut forecast = Array2::zeros((self.horizon, scalers[slot].len()));
                family.forecast(family_slot, &memory, forecast.view_mut());
                for (mut column, scaler) in forecast.columns_mut().into_iter().zip(&scalers[slot]) {
                    column.mapv_inplace(|v| scaler.unscale(v));
                }
                &series.slice(cutoff..cutoff + self.horizon).values() - &forecast
            });
            Residuals { windows: windows.collect() }
        };
        panel.series().par_iter().enumerate().zip(cuts).map(residuals).collect()
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
                let cutoffs = self.cutoffs(series.n_steps(), *cut);
                for (window, cutoff) in residuals.windows.iter().zip(cutoffs) {
                    for (h, residual) in window.column(channel).iter().enumerate() {
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
