//! One fit of a family: series scaled, what they are regressed on taken out, and what is left fitted.

use std::ops::Range;
use std::path::Path;

use super::plan::Plan;
use super::{Family, Training};
use crate::ar::ArConfig;
use crate::data::{Panel, Scaler, Scaling, Series, scale_series};
use crate::eval::conformal::Residuals;
use crate::nn::{Control, DeviceKind, TrainingEvent};
use crate::regression::Regression;
use crate::{Error, Result};

/// A fitted family, the scalers of each series and channel that it was fitted on, and what is taken out of them first.
pub(super) struct Scaled {
    pub(super) family: Box<dyn Family>,
    pub(super) scalers: Vec<Vec<Scaler>>,
    pub(super) regression: Option<Regression>,
}

impl Scaled {
    /// [`Plan::residuals`] of what is left of the series: what is put back into forecasts is in the labels too.
    pub(super) fn residuals(
        &self,
        plan: &Plan,
        panel: &Panel,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Residuals>> {
        let left =
            self.regression.as_ref().map(|regression| taken_out(regression, panel, &self.scalers, plan));
        let left = left.transpose()?;
        Ok(plan.residuals(left.as_ref().unwrap_or(panel), ranges, self.family.as_ref(), &self.scalers))
    }
}

/// The panel without what the regression explains.
fn taken_out(regression: &Regression, panel: &Panel, scalers: &[Vec<Scaler>], plan: &Plan) -> Result<Panel> {
    let series = panel.series().iter().zip(scalers).enumerate().map(|(at, (series, scalers))| {
        let slot = if plan.config.is_shared() { 0 } else { at };
        regression.taken_out(slot, series, scalers, panel.channels())
    });
    panel.with_series(series.collect::<Result<_>>()?)
}

/// What a family that is fitted once needs besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Once<'a> {
    pub(super) checkpoint: Option<(&'a Path, bool)>,
    pub(super) weights: Option<&'a Path>,
    pub(super) fingerprint: &'a str,
    pub(super) device: DeviceKind,
}

/// Scalers and family fitted on the steps before `ends`; one that is fitted once watches how it does after them.
pub(super) fn fit_family(
    plan: &Plan,
    panel: &Panel,
    ends: &[usize],
    once: Option<Once<'_>>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Result<Scaled> {
    let config = &plan.config;
    let mut scalers = Vec::with_capacity(ends.len());
    let mut scaled = Vec::with_capacity(ends.len());
    for (series, end) in panel.series().iter().zip(ends) {
        if plan.scaling == Scaling::None && !config.learns() {
            scalers.push(vec![Scaler::default(); panel.channels().len()]);
            continue;
        }
        let of_series = Scaler::fit(plan.scaling, series, 0..*end);
        let training = series.slice(0..if once.is_some() { series.n_steps() } else { *end });
        // What learns nothing only has to know that its numbers stay numbers.
        if config.learns() || !stays_finite(&training, &of_series) {
            scaled.push(scale_series(&training, &of_series, panel.channels())?);
        }
        scalers.push(of_series);
    }
    if config.learns() {
        check_varies(panel, ends, config.is_shared())?;
    }
    let regression = match &plan.regressors {
        Some(regressors) => {
            let is_sparse = config.regressed().is_some_and(ArConfig::is_sparse);
            let regression = Regression::fit(regressors, &scaled, config.is_shared(), is_sparse)?;
            // On the scale of the model a spread is 1.
            let unit = vec![Scaler::default(); panel.channels().len()];
            for (at, series) in scaled.iter_mut().enumerate() {
                let slot = if config.is_shared() { 0 } else { at };
                *series = regression.taken_out(slot, series, &unit, panel.channels())?;
            }
            Some(regression)
        }
        None => None,
    };
    let training = Training {
        series: &scaled,
        channels: panel.channels(),
        horizon: plan.horizon,
        cuts: once.map(|_| ends),
        checkpoint: once.and_then(|once| once.checkpoint),
        weights: once.and_then(|once| once.weights),
        fingerprint: once.map_or("", |once| once.fingerprint),
        device: once.map_or(DeviceKind::Cpu, |once| once.device),
        inputs: plan.inputs.as_ref(),
        cancel: &plan.cancel,
    };
    let family = config.fit(&training, watch)?;
    plan.cancel.check()?;
    Ok(Scaled { family, scalers, regression })
}

fn stays_finite(series: &Series, scalers: &[Scaler]) -> bool {
    let values = series.values();
    let mut channels = values.columns().into_iter().zip(scalers);
    // All values, without a way out: several are looked at at a time.
    channels.all(|(channel, scaler)| {
        !channel.fold(false, |is_infinite, value| is_infinite | scaler.scale(*value).is_infinite())
    })
}

/// Nothing can be fitted where no value differs from another; families that share their coefficients need one
/// series that varies, the others every one.
fn check_varies(panel: &Panel, ends: &[usize], is_shared: bool) -> Result<()> {
    for (channel, name) in panel.channels().iter().enumerate() {
        let mut constant = None;
        let mut n_varying = 0;
        for (series, end) in panel.series().iter().zip(ends) {
            let part = series.slice(0..*end);
            let values = part.values();
            let mut observed = values.column(channel).into_iter().copied().filter(|v| !v.is_nan());
            let Some(first) = observed.next() else {
                let place = format!("channel \"{name}\" of the training range");
                return Err(Error::AllMissing { series: series.id().to_string(), place, steps: *end });
            };
            if observed.any(|v| v.to_bits() != first.to_bits()) {
                n_varying += 1;
                continue;
            }
            constant.get_or_insert(Error::Constant {
                series: series.id().to_string(),
                channel: name.clone(),
                observed: part.n_observed(channel),
                value: first,
            });
        }
        match constant {
            Some(error) if !is_shared || n_varying == 0 => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
