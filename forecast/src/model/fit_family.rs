//! One fit of a family: series scaled, what they are regressed on taken out, and what is left fitted.

use std::ops::Range;
use std::path::Path;

use ndarray::ArrayView1;

use super::fit::MOST_WARNINGS;
use super::plan::Plan;
use super::{Family, Training, Warning};
use crate::ar::ArConfig;
use crate::data::{Known, Panel, Scaler, Scaling, Series, scale_series};
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
    let family = config.fit(&training, watch).map_err(|error| match &regression {
        Some(regression) if regression.regressors().has_covariates() => for_covariates(error, panel, ends),
        _ => error,
    })?;
    plan.cancel.check()?;
    Ok(Scaled { family, scalers, regression })
}

/// Too few complete rows, told by the covariate that is missing most often: where one is missing, so is the step.
fn for_covariates(error: Error, panel: &Panel, ends: &[usize]) -> Error {
    let Error::TooFewRows { series, rows, order, longest } = error else { return error };
    let only = panel.series().iter().position(|one| one.id() == series);
    match worst_gaps(panel, ends, only) {
        Some(Gaps { covariate, missing, steps }) => {
            Error::CovariateGaps { series, covariate, missing, steps, rows, order, longest }
        }
        None => Error::TooFewRows { series, rows, order, longest },
    }
}

/// Whose covariates have gaps, and no weight.
pub(super) fn unheard(
    regression: &Regression,
    panel: &Panel,
    ends: &[usize],
    is_shared: bool,
) -> Vec<Warning> {
    let n_slots = match regression.regressors().has_covariates() {
        true if is_shared => 1,
        true => panel.series().len(),
        false => 0,
    };
    let of_slot = |slot: usize| {
        let gaps = worst_gaps(panel, ends, (!is_shared).then_some(slot))?;
        let Gaps { covariate, missing, steps } = gaps;
        let whose =
            if is_shared { String::new() } else { format!("series \"{}\": ", panel.series()[slot].id()) };
        let message = format!(
            "{whose}no covariate has a weight; \"{covariate}\" is missing at {missing} of {steps} steps, and only \
             stretches of steps that have all covariates teach something: fill it in, or leave it out"
        );
        Some(Warning { reason: "COVARIATES_UNUSED", message })
    };
    (0..n_slots).filter(|slot| regression.is_silent(*slot)).filter_map(of_slot).take(MOST_WARNINGS).collect()
}

/// Steps of a training range that a covariate is missing at.
struct Gaps {
    covariate: String,
    missing: usize,
    steps: usize,
}

/// The covariate that is missing most often, of one series or of all; `None` if none is missing more often than the
/// series themselves.
fn worst_gaps(panel: &Panel, ends: &[usize], only: Option<usize>) -> Option<Gaps> {
    let schema = panel.covariate_schema();
    let of_one = |at: usize| {
        let (covariates, steps) = (panel.series()[at].covariates(), ends[at]);
        let (past, future) = (covariates.past(), covariates.future());
        let columns = schema.of(Known::Past).iter().zip(past.columns());
        let columns = columns.chain(schema.of(Known::Future).iter().zip(future.columns()));
        let n_missing =
            |values: ArrayView1<'_, f64>| values.iter().take(steps).filter(|v| v.is_nan()).count();
        let gaps = columns.map(|(column, values)| {
            let missing = n_missing(values);
            Gaps { covariate: column.name.clone(), missing, steps }
        });
        let own = panel.series()[at].values().columns().into_iter().map(n_missing).max().unwrap_or(0);
        gaps.max_by_key(|gaps| gaps.missing).filter(|gaps| gaps.missing > own)
    };
    let all = only.map_or(0..panel.series().len(), |at| at..at + 1);
    all.filter_map(of_one).max_by_key(|gaps| gaps.missing)
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
