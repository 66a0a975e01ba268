//! Fitting: split, scale, fit the family, calibrate on what it has not seen, and fit once more on everything.

use std::sync::Arc;

use super::family::feed_start;
use super::fit_family::{Once, Scaled, fit_family, unheard};
use super::fit_options::{FitOptions, Purpose};
use super::fit_report::Fitted;
use super::header::{fingerprint, fingerprint_with_covariates};
use super::plan::Plan;
use super::recent::kept_steps;
use super::{Family, Header, Model, ModelConfig, Parts, Warning};
use crate::data::{Panel, Scaler, Series};
use crate::nn::{Control, DeviceKind, TrainingEvent};
use crate::regression::Regressors;
use crate::{Error, Result};

/// Steps of each series that are stored with the model, at least, so that a chart has something to show.
const SHORTEST_HISTORY: usize = 336;

/// Warnings of one fit, at most.
pub(super) const MOST_WARNINGS: usize = 10;

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
        let of_data = match (&options.checkpoint, &plan.inputs) {
            (None, _) => String::new(),
            (Some(_), None) => fingerprint(panel),
            // What a training goes on with has to be the same.
            (Some(_), Some(_)) => fingerprint_with_covariates(panel)?,
        };
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
        let heard = regression.as_ref().map(|of| unheard(of, panel, &ends, plan.config.is_shared()));
        report.warnings.extend(heard.into_iter().flatten());
        let approximation = family.approximation();
        report.warnings.extend(approximation.map(|message| Warning { reason: "APPROXIMATED", message }));
        let (history, fingerprint) = match purpose {
            Purpose::Model => (plan.history(panel)?, fingerprint(panel)),
            _ => Default::default(),
        };
        let mut header = plan.header(panel, options, &report, &history, fingerprint);
        header.config = header.config.with_chosen(family.as_ref());
        let parts =
            Parts::new(header, family, with_mean(scalers), (regression, plan.inputs), calibration, history);
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

/// Refuses what belongs to a training alone.
fn check_trains(options: &FitOptions) -> Result<()> {
    let rule = "it goes with a model that is trained once, such as informer or ssm";
    match &options.checkpoint {
        Some(path) => Err(Error::option("checkpoint", path.display(), rule)),
        None if options.device != DeviceKind::Cpu => Err(Error::option("device", options.device, rule)),
        None => Ok(()),
    }
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
