//! Fitting: split, scale, fit the family, calibrate on what it has not seen, and fit once more on everything.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::family::feed_start;
use super::header::fingerprint;
use super::plan::Plan;
use super::recent::kept_steps;
use super::{
    Band, Cancel, Family, ForecastOptions, Header, Model, ModelConfig, Parts, Training, Warning, check_count,
};
use crate::ar::ArConfig;
use crate::data::{Panel, Scaler, Scaling, Series, scale_series};
use crate::eval::conformal::{Calibration, Residuals, Scored};
use crate::nn::{Control, DeviceKind, TrainingEvent, TrainingReport};
use crate::regression::{Regression, Regressors};
use crate::{Error, Result};

/// Steps of each series that are stored with the model, at least, so that a chart has something to show.
const SHORTEST_HISTORY: usize = 336;

/// Warnings of one fit, at most.
const MOST_WARNINGS: usize = 10;

/// How to fit.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | the longest usual season (hour, day, week) from 24 to 1,440 steps, less for short series | longest horizon with intervals | at least 1 |
/// | `validation` | a year, at least a fifth and at most 0.4 of the steps | share of the steps, at the end, that the model is scored and first calibrated on | above 0, below 1 |
/// | `scaling` | standard | how series are scaled; `naive` and `seasonal-naive` repeat values as they are | |
/// | `season_length` | the one that stands out in the data | steps of one season, for seasonal naive and MASE | at least 1 |
/// | `refit` | yes | fit the final coefficients on all steps, the validation range included | |
/// | `seed` | 1 | seed of every random choice, stored with the model; networks may be told another among their settings | |
/// | `calibration_windows` | 500 of the validation range and of each earlier block | windows of each series that intervals are calibrated on, together | at least 1 |
/// | `unit` | none | unit of the values, for charts | |
/// | `checkpoint` | none | file that a training by gradient keeps its state in, of one that trains once | |
/// | `resume` | no | go on from that file, if it is there | |
/// | `cancel` | never | ends the fit from another thread | |
/// | `weights` | none | a PyTorch checkpoint of the reference code (`.pth` or `.safetensors`) in place of a training; of `informer` | |
/// | `device` | cpu | where a network is trained; it forecasts on the CPU | cpu, and what the program was built for |
///
/// A network (`informer`) is trained once: on the steps before the validation range, keeping the weights that do best
/// on it. The same range is what it is scored and calibrated on, and `refit` and earlier blocks have no part in it.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// The longest horizon that intervals can be asked for, in steps.
    pub horizon: Option<usize>,
    /// Share of the steps of each series, at its end, that the model is scored on. Intervals are calibrated on it
    /// and on blocks of about its length before it. Errors of operational series change with the time of year, so
    /// a whole year is taken where the data allow it.
    pub validation: Option<f64>,
    /// How series are scaled.
    pub scaling: Scaling,
    /// Steps of one season.
    pub season_length: Option<usize>,
    /// True if the final coefficients are fitted on all steps. The intervals then belong to a model that saw
    /// less, which errs on the wide side.
    pub refit: bool,
    /// Seed of every random choice, stored with the model; networks may be told another among their settings.
    pub seed: u64,
    /// Windows of each series that intervals are calibrated on, together; level 99 needs 199 of them.
    pub calibration_windows: Option<usize>,
    /// Unit of the values, for charts; empty if not known.
    pub unit: String,
    /// The file that a training by gradient keeps its state in.
    pub checkpoint: Option<PathBuf>,
    /// True if it goes on from there: a run that was killed ends with the same bits.
    pub resume: bool,
    /// A PyTorch checkpoint in place of a training.
    pub weights: Option<PathBuf>,
    /// Where a network is trained.
    pub device: DeviceKind,
    /// Ends the fit from another thread, with [`Error::Cancelled`].
    pub cancel: Cancel,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            horizon: None,
            validation: None,
            scaling: Scaling::Standard,
            season_length: None,
            refit: true,
            seed: 1,
            calibration_windows: None,
            unit: String::new(),
            checkpoint: None,
            resume: false,
            weights: None,
            device: DeviceKind::Cpu,
            cancel: Cancel::default(),
        }
    }
}

/// A fitted model and how it did.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The model.
    pub model: Model,
    /// How it did on the validation range.
    pub report: FitReport,
}

/// How a model did on the validation range, before it was fitted on everything.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// Windows that were scored, over all series.
    pub n_windows: usize,
    /// Mean absolute scaled error of the model; NaN where the scale is zero.
    pub mase: f64,
    /// The same for seasonal naive on the same windows.
    pub seasonal_naive_mase: f64,
    /// Mean absolute error of the model, in the units of the series.
    pub mae: f64,
    /// The same for seasonal naive.
    pub seasonal_naive_mae: f64,
    /// What the reader should know of the final coefficients, at most ten of them: `UNSTABLE_FIT`.
    pub warnings: Vec<Warning>,
    /// How a network was trained.
    pub training: Option<TrainingReport>,
}

/// What a fit is for, hence what it can leave out; the forecasts are the same, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A model to keep, with everything that its file holds.
    Model,
    /// Forecasts of the series that it is fitted on with intervals of single steps: nothing is scored, no whole
    /// paths are calibrated, and no data are kept.
    Intervals,
    /// The same without intervals: nothing is calibrated either.
    Points,
}

impl Purpose {
    /// What is needed to forecast with these options.
    pub(crate) fn of(options: &ForecastOptions) -> Self {
        match options {
            ForecastOptions { levels, quantiles, .. } if levels.is_empty() && quantiles.is_empty() => {
                Purpose::Points
            }
            ForecastOptions { band: Band::EachStep, .. } => Purpose::Intervals,
            _ => Purpose::Model,
        }
    }
}

impl FitReport {
    /// Of a model that was not scored.
    fn none() -> Self {
        FitReport {
            n_windows: 0,
            mase: f64::NAN,
            seasonal_naive_mase: f64::NAN,
            mae: f64::NAN,
            seasonal_naive_mae: f64::NAN,
            warnings: Vec::new(),
            training: None,
        }
    }
}

impl FitOptions {
    /// Checks what can be checked without data.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(share) = self.validation.filter(|share| !(*share > 0.0 && *share < 1.0)) {
            return Err(Error::option("validation", share, "it must lie between 0 and 1, both excluded"));
        }
        for (field, value) in [
            ("horizon", self.horizon),
            ("season_length", self.season_length),
            ("calibration_windows", self.calibration_windows),
        ] {
            value.map_or(Ok(1), |value| check_count(field, value))?;
        }
        Ok(())
    }
}

impl Model {
    /// Fits a model to a panel.
    ///
    /// Coefficients and scalers see the training range only while the model is scored on the windows whose labels
    /// lie in the validation range. Intervals are calibrated on these windows and, block by block, on those of the
    /// steps before, each with coefficients that were fitted on all steps but the block's. Then, unless `refit` is
    /// off, coefficients are fitted on all steps.
    ///
    /// # Errors
    /// [`Error::BadOption`] for settings, [`Error::TooShort`] if a series is shorter than lookback + horizon,
    /// [`Error::AllMissing`], [`Error::Constant`], [`Error::TooFewRows`] and [`Error::Singular`] for data that
    /// cannot be fitted; each names the series; [`Error::Cancelled`].
    pub fn fit(config: &ModelConfig, panel: &Panel, options: &FitOptions) -> Result<Fitted> {
        Self::fit_for(config, panel, options, Purpose::Model, &mut |_| Control::Continue)
    }

    /// [`Model::fit`] with a training by gradient that tells `watch` of every step and epoch, and stops where it says
    /// so: then with what was best so far.
    ///
    /// # Errors
    /// As [`Model::fit`].
    pub fn fit_watched(
        config: &ModelConfig,
        panel: &Panel,
        options: &FitOptions,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<Fitted> {
        Self::fit_for(config, panel, options, Purpose::Model, watch)
    }

    /// [`Model::fit`], without what `purpose` does not need.
    ///
    /// # Errors
    /// As [`Model::fit`].
    pub(crate) fn fit_for(
        config: &ModelConfig,
        panel: &Panel,
        options: &FitOptions,
        purpose: Purpose,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<Fitted> {
        options.check()?;
        options.cancel.check()?;
        check_observed(panel)?;
        let told = options.weights.as_deref().map(|path| config.of_weights(path, options.horizon));
        let told = told.transpose()?;
        let config = told.as_ref().unwrap_or(config);
        let plan = Plan::new(config, panel, options)?;
        let cuts = plan.cuts(panel, options)?;
        let of_data = if options.checkpoint.is_some() { fingerprint(panel) } else { String::new() };
        let mut watch = |event: &TrainingEvent| match options.cancel.is_cancelled() {
            true => Control::Stop,
            false => watch(event),
        };
        let first = match config.is_trained_once() {
            true => {
                let checkpoint = options.checkpoint.as_deref().map(|path| (path, options.resume));
                let device = options.device;
                let once =
                    Once { checkpoint, weights: options.weights.as_deref(), fingerprint: &of_data, device };
                fit_family(&plan, panel, &cuts, Some(once), &mut watch)?
            }
            false => {
                check_trains(options)?;
                fit_family(&plan, panel, &cuts, None, &mut watch)?
            }
        };
        let (calibration, mut report) = plan.calibrate(panel, &cuts, &first, purpose)?;
        let ends: Vec<usize> = panel.series().iter().map(Series::n_steps).collect();
        let is_final = !options.refit || config.is_trained_once() || plan.fits_alike();
        let Scaled { family, scalers, regression } = match is_final {
            true => first,
            false => fit_family(&plan, panel, &ends, None, &mut watch)?,
        };
        options.cancel.check()?;
        report.training = family.training_report().cloned();
        report.warnings = unstable(family.as_ref(), panel, &plan);
        let approximation = family.approximation();
        report.warnings.extend(approximation.map(|message| Warning { reason: "APPROXIMATED", message }));
        let (history, fingerprint) = match purpose {
            Purpose::Model => (plan.history(panel)?, fingerprint(panel)),
            _ => Default::default(),
        };
        let mut header = plan.header(panel, options, &report, &history, fingerprint);
        header.config = header.config.with_chosen(family.as_ref());
        let parts = Parts::new(header, family, with_mean(scalers), regression, calibration, history);
        let mut model = Model { parts: Arc::new(parts) };
        if purpose == Purpose::Model {
            let golden = model.golden();
            let header = Header { golden, ..model.header().clone() };
            model = model.with_header(header);
        }
        Ok(Fitted { model, report })
    }
}

impl Plan {
    /// The intervals' scores, from the validation range and from each block before it, and how `first`, which was
    /// fitted on the steps before `cuts`, does on the validation range.
    fn calibrate(
        &self,
        panel: &Panel,
        cuts: &[usize],
        first: &Scaled,
        purpose: Purpose,
    ) -> Result<(Calibration, FitReport)> {
        let shape = (self.horizon, panel.channels().len());
        if purpose == Purpose::Points {
            return Ok((Calibration::none(panel.series().len(), shape, self.recency), FitReport::none()));
        }
        let validation: Vec<Range<usize>> =
            panel.series().iter().zip(cuts).map(|(series, cut)| *cut..series.n_steps()).collect();
        let mut residuals = first.residuals(self, panel, &validation)?;
        self.cancel.check()?;
        let (report, scored) = match purpose {
            Purpose::Model => (self.report(panel, cuts, &residuals), Scored::StepsAndPaths),
            _ => (FitReport::none(), Scored::Steps),
        };
        let ends: Vec<usize> = panel.series().iter().map(Series::n_steps).collect();
        let blocks =
            if self.config.is_trained_once() { Vec::new() } else { self.earlier_blocks(panel, cuts) };
        for block in blocks {
            self.cancel.check()?;
            if self.fits_alike() {
                let more = first.residuals(self, panel, &block)?;
                residuals.iter_mut().zip(more).for_each(|(all, more)| all.append(more));
                continue;
            }
            let others = without(panel, &block)?;
            // What cannot be fitted without the block leaves no errors on it.
            let Ok(fitted) = fit_family(self, &others, &ends, None, &mut |_| Control::Continue) else {
                continue;
            };
            let more = fitted.residuals(self, panel, &block)?;
            residuals.iter_mut().zip(more).for_each(|(all, more)| all.append(more));
        }
        self.cancel.check()?;
        Ok((Calibration::new(&residuals, shape, self.recency, scored), report))
    }

    /// The end of each series: what a forecast depends on, and enough for a chart.
    fn history(&self, panel: &Panel) -> Result<Vec<Series>> {
        let lookback = self.config.lookback();
        let kept = lookback.max(2 * self.horizon).max(SHORTEST_HISTORY);
        let reach = self.regressors.as_ref().map_or(0, Regressors::reach);
        let tail = |series: &Series| {
            let fed = series.n_steps()
                - feed_start(series, lookback, kept_steps(lookback, self.horizon, Some(&self.recency)));
            Ok(series.tail(kept.max(fed).saturating_add(reach)).compact())
        };
        panel.series().iter().map(tail).collect()
    }
}

/// A fitted family, the scalers of each series and channel that it was fitted on, and what is taken out of them first.
struct Scaled {
    family: Box<dyn Family>,
    scalers: Vec<Vec<Scaler>>,
    regression: Option<Regression>,
}

impl Scaled {
    /// [`Plan::residuals`] of what is left of the series: what is put back into forecasts is in the labels too.
    fn residuals(&self, plan: &Plan, panel: &Panel, ranges: &[Range<usize>]) -> Result<Vec<Residuals>> {
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

/// Refuses what belongs to a training alone.
fn check_trains(options: &FitOptions) -> Result<()> {
    let rule = "it goes with a model that is trained once, such as informer";
    match &options.checkpoint {
        Some(path) => Err(Error::option("checkpoint", path.display(), rule)),
        None if options.device != DeviceKind::Cpu => Err(Error::option("device", options.device, rule)),
        None => Ok(()),
    }
}

/// What a family that is fitted once needs besides.
#[derive(Debug, Clone, Copy)]
struct Once<'a> {
    checkpoint: Option<(&'a Path, bool)>,
    weights: Option<&'a Path>,
    fingerprint: &'a str,
    device: DeviceKind,
}

/// Scalers and family fitted on the steps before `ends`; one that is fitted once watches how it does after them.
fn fit_family(
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
        cancel: &plan.cancel,
    };
    let family = config.fit(&training, watch)?;
    plan.cancel.check()?;
    Ok(Scaled { family, scalers, regression })
}

/// The first recursions that more than double within the horizon.
fn unstable(family: &dyn Family, panel: &Panel, plan: &Plan) -> Vec<Warning> {
    let is_shared = plan.config.is_shared();
    let n_slots = if is_shared { 1 } else { panel.series().len() };
    let places = panel.series().iter().take(n_slots).enumerate().flat_map(|(slot, series)| {
        panel.channels().iter().enumerate().map(move |(channel, name)| (slot, series, channel, name))
    });
    let warning = |(slot, series, channel, name): (usize, &Series, usize, &String)| {
        let root = family.unstable_root(slot, channel)?;
        if plan.horizon as f64 * root.ln() < 2f64.ln() {
            return None;
        }
        let whose = if is_shared { "all series".to_string() } else { format!("series \"{}\"", series.id()) };
        let fix = match plan.config {
            ModelConfig::Ar(_) | ModelConfig::ArNet(_) => "unstable = project, a ridge, or strategy = direct",
            _ => "strategy = direct, or fewer lags",
        };
        let message = format!(
            "the recursion fitted to {whose}, channel \"{name}\", grows by {root:.6} a step: forecasts far ahead \
             run away; fit with {fix}"
        );
        Some(Warning { reason: "UNSTABLE_FIT", message })
    };
    places.filter_map(warning).take(MOST_WARNINGS).collect()
}

fn stays_finite(series: &Series, scalers: &[Scaler]) -> bool {
    let values = series.values();
    let mut channels = values.columns().into_iter().zip(scalers);
    // All values, without a way out: several are looked at at a time.
    channels.all(|(channel, scaler)| {
        !channel.fold(false, |is_infinite, value| is_infinite | scaler.scale(*value).is_infinite())
    })
}

/// The panel with the steps of each range missing.
fn without(panel: &Panel, ranges: &[Range<usize>]) -> Result<Panel> {
    let blank = |(series, range): (&Series, &Range<usize>)| {
        let mut values = series.values().to_owned();
        values.slice_mut(ndarray::s![range.clone(), ..]).fill(f64::NAN);
        series.with_values(values, panel.channels())
    };
    panel.with_series(panel.series().iter().zip(ranges).map(blank).collect::<Result<_>>()?)
}

/// A series without any value cannot be fitted, scored or forecast.
fn check_observed(panel: &Panel) -> Result<()> {
    for series in panel.series() {
        for (channel, name) in panel.channels().iter().enumerate() {
            if series.n_observed(channel) == 0 {
                return Err(Error::AllMissing {
                    series: series.id().to_string(),
                    place: format!("channel \"{name}\""),
                    steps: series.n_steps(),
                });
            }
        }
    }
    Ok(())
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

/// The scalers of every series and, for series that were not seen, their mean.
fn with_mean(mut scalers: Vec<Vec<Scaler>>) -> Vec<Vec<Scaler>> {
    let n = scalers.len() as f64;
    let n_channels = scalers.first().map_or(0, Vec::len);
    let mean = (0..n_channels)
        .map(|channel| Scaler {
            center: scalers.iter().map(|slot| slot[channel].center).sum::<f64>() / n,
            spread: scalers.iter().map(|slot| slot[channel].spread).sum::<f64>() / n,
        })
        .collect();
    scalers.push(mean);
    scalers
}
