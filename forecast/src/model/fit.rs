//! Fitting: split, scale, fit the family, calibrate on what it has not seen, and fit once more on everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;
use rayon::prelude::*;

use super::header::{Header, Stretch, fingerprint};
use super::{Family, Model, ModelConfig, Parts, Training};
use crate::data::{self, Panel, Scaler, Scaling, Series, Step, WindowSpec, scale_series};
use crate::eval::conformal::{Calibration, Residuals};
use crate::eval::metrics;
use crate::{Error, Result};

/// Windows that one series is calibrated on, at most.
const MOST_WINDOWS: usize = 500;
/// Shares of the steps that the default validation range lies between, and the year that it aims at.
const SMALLEST_VALIDATION: f64 = 0.2;
const LARGEST_VALIDATION: f64 = 0.4;
const YEAR_NANOS: i64 = 365 * 86_400_000_000_000;
/// Steps of each series that are stored with the model, at least, so that a chart has something to show.
const SHORTEST_HISTORY: usize = 336;

/// How to fit.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | one season, 24 to 1,440 steps, less for short series | longest horizon with intervals | at least 1 |
/// | `validation` | a year, at least a fifth and at most 0.4 of the steps | share of the steps, at the end, that intervals are calibrated on | above 0, below 1 |
/// | `scaling` | standard | how series are scaled | |
/// | `season_length` | the one that stands out in the data | steps of one season, for seasonal naive and MASE | at least 1 |
/// | `refit` | yes | fit the final coefficients on all steps, the validation range included | |
/// | `seed` | 1 | seed of every random choice | |
/// | `unit` | none | unit of the values, for charts | |
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// The longest horizon that intervals can be asked for, in steps.
    pub horizon: Option<usize>,
    /// Share of the steps of each series, at its end, that intervals are calibrated on. Errors of operational
    /// series change with the time of year, so a whole year is taken where the data allow it.
    pub validation: Option<f64>,
    /// How series are scaled.
    pub scaling: Scaling,
    /// Steps of one season.
    pub season_length: Option<usize>,
    /// True if the final coefficients are fitted on all steps. The intervals then belong to a model that saw
    /// less, which errs on the wide side.
    pub refit: bool,
    /// Seed of every random choice.
    pub seed: u64,
    /// Unit of the values, for charts; empty if not known.
    pub unit: String,
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
            unit: String::new(),
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
}

/// Everything that is decided before the first number is fitted.
struct Plan {
    config: ModelConfig,
    horizon: usize,
    season_length: usize,
}

impl Model {
    /// Fits a model to a panel.
    ///
    /// Coefficients and scalers see the training range only while intervals are calibrated on the windows whose
    /// labels lie in the validation range; then, unless `refit` is off, they are fitted on all steps.
    ///
    /// # Errors
    /// [`Error::BadOption`] for settings, [`Error::TooShort`] if a series is shorter than lookback + horizon,
    /// [`Error::AllMissing`], [`Error::Constant`], [`Error::TooFewRows`] and [`Error::Singular`] for data that
    /// cannot be fitted; each names the series.
    pub fn fit(config: &ModelConfig, panel: &Panel, options: &FitOptions) -> Result<Fitted> {
        let plan = Plan::new(config, panel, options)?;
        let cuts: Vec<usize> = panel
            .series()
            .iter()
            .map(|series| plan.cut(series, options))
            .collect::<Result<_>>()?;

        let (family, scalers) = plan.fit_family(panel, &cuts, options)?;
        let residuals = plan.residuals(panel, &cuts, family.as_ref(), &scalers)?;
        let report = plan.report(panel, &cuts, &residuals)?;
        let calibration = Calibration::new(&residuals, plan.horizon, panel.channels().len());
        drop(residuals);

        let ends: Vec<usize> = panel.series().iter().map(Series::n_steps).collect();
        let (family, scalers) = if options.refit {
            plan.fit_family(panel, &ends, options)?
        } else {
            (family, scalers)
        };
        let kept = plan
            .config
            .lookback()
            .max(2 * plan.horizon)
            .max(SHORTEST_HISTORY);
        let history: Vec<Series> = panel
            .series()
            .iter()
            .map(|series| compact(&series.tail(kept), panel.channels()))
            .collect::<Result<_>>()?;
        let header = plan.header(panel, options, &report, &history);
        let parts = Parts {
            header,
            family,
            scalers: with_mean(scalers),
            calibration,
            history,
        };
        Ok(Fitted {
            model: Model {
                parts: Arc::new(parts),
            },
            report,
        })
    }
}

/// A copy that does not keep the whole series alive.
fn compact(series: &Series, channels: &[String]) -> Result<Series> {
    Series::new(
        series.id(),
        series.index().clone(),
        series.values().to_owned(),
        channels,
    )
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

impl Plan {
    fn new(config: &ModelConfig, panel: &Panel, options: &FitOptions) -> Result<Self> {
        if let Some(share) = options
            .validation
            .filter(|share| !(*share > 0.0 && *share < 1.0))
        {
            return Err(Error::option(
                "validation",
                share,
                "it must lie between 0 and 1, both excluded",
            ));
        }
        if let Some(0) = options.horizon {
            return Err(Error::option("horizon", 0, "it must be at least 1"));
        }
        if let Some(0) = options.season_length {
            return Err(Error::option("season_length", 0, "it must be at least 1"));
        }
        let season_length = options
            .season_length
            .unwrap_or_else(|| data::season_length(panel));
        let config = config.resolve(season_length)?;
        let shortest = panel
            .series()
            .iter()
            .map(Series::n_steps)
            .min()
            .unwrap_or(0);
        let horizon = options.horizon.unwrap_or_else(|| {
            // Half of the validation range leaves as many windows as steps.
            let fits = validation_steps(shortest, panel.step(), options) / 2;
            season_length.clamp(24, 1440).min(fits.max(1))
        });
        Ok(Plan {
            config,
            horizon,
            season_length,
        })
    }

    /// Where the validation range of a series begins.
    fn cut(&self, series: &Series, options: &FitOptions) -> Result<usize> {
        let (n, lookback) = (series.n_steps(), self.config.lookback());
        if n < lookback + self.horizon {
            return Err(Error::TooShort {
                series: series.id().to_string(),
                steps: n,
                lookback,
                horizon: self.horizon,
            });
        }
        let validation = validation_steps(n, series.index().step, options).max(self.horizon);
        Ok((n - validation).max(lookback))
    }

    /// Scalers and family fitted on the steps before `ends`.
    fn fit_family(
        &self,
        panel: &Panel,
        ends: &[usize],
        options: &FitOptions,
    ) -> Result<(Box<dyn Family>, Vec<Vec<Scaler>>)> {
        let scalers: Vec<Vec<Scaler>> = panel
            .series()
            .iter()
            .zip(ends)
            .map(|(series, end)| Scaler::fit(options.scaling, series, 0..*end))
            .collect();
        let scaled = panel
            .series()
            .iter()
            .zip(ends)
            .zip(&scalers)
            .map(|((series, end), scalers)| {
                scale_series(&series.slice(0..*end), scalers, panel.channels())
            })
            .collect::<Result<Vec<_>>>()?;
        let family = self.config.fit(&Training {
            series: &scaled,
            channels: panel.channels(),
        })?;
        Ok((family, scalers))
    }

    /// Every window, or at most [`MOST_WINDOWS`] evenly spaced ones, whose labels lie after the cut.
    fn windows(&self, series: &Series, cut: usize) -> Result<Vec<usize>> {
        let total = series.n_steps() + 1 - self.horizon - cut;
        // A stride that shares no factor with the season visits all of its phases.
        let fewest = total.div_ceil(MOST_WINDOWS);
        let stride = (fewest..)
            .find(|s| gcd(*s, self.season_length) == 1)
            .unwrap_or(fewest);
        let spec = WindowSpec {
            lookback: self.config.lookback(),
            horizon: self.horizon,
            stride,
        };
        Ok(spec
            .windows(series, cut..series.n_steps())?
            .map(|window| window.cutoff)
            .collect())
    }

    fn residuals(
        &self,
        panel: &Panel,
        cuts: &[usize],
        family: &dyn Family,
        scalers: &[Vec<Scaler>],
    ) -> Result<Vec<Residuals>> {
        let jobs: Vec<(usize, usize)> = self.jobs(panel, cuts)?;
        let computed: Vec<(usize, Array2<f64>)> = jobs
            .into_par_iter()
            .map(|(slot, cutoff)| {
                let series = &panel.series()[slot];
                let shared = if self.config.is_shared() { 0 } else { slot };
                let forecast = self.forecast(series, cutoff, family, shared, &scalers[slot]);
                let label = series.slice(cutoff..cutoff + self.horizon);
                (slot, &label.values() - &forecast)
            })
            .collect();
        let mut residuals: Vec<Residuals> = cuts
            .iter()
            .map(|_| Residuals {
                windows: Vec::new(),
            })
            .collect();
        for (slot, residual) in computed {
            residuals[slot].windows.push(residual);
        }
        Ok(residuals)
    }

    /// Series and cutoff of every window that is scored.
    fn jobs(&self, panel: &Panel, cuts: &[usize]) -> Result<Vec<(usize, usize)>> {
        let mut jobs = Vec::new();
        for (slot, (series, cut)) in panel.series().iter().zip(cuts).enumerate() {
            jobs.extend(
                self.windows(series, *cut)?
                    .into_iter()
                    .map(|cutoff| (slot, cutoff)),
            );
        }
        Ok(jobs)
    }

    /// The forecast at a cutoff, in the units of the series. Shape `(horizon, channel)`.
    fn forecast(
        &self,
        series: &Series,
        cutoff: usize,
        family: &dyn Family,
        slot: usize,
        scalers: &[Scaler],
    ) -> Array2<f64> {
        let window = series.slice(cutoff - family.lookback()..cutoff);
        let mut memory = family.start(scalers.len());
        for row in window.values().rows() {
            let scaled = row
                .iter()
                .zip(scalers)
                .map(|(value, scaler)| scaler.scale(*value));
            let scaled: ndarray::Array1<f64> = scaled.collect();
            family.observe(slot, &mut memory, scaled.view());
        }
        let mut forecast = Array2::zeros((self.horizon, scalers.len()));
        family.forecast(slot, &memory, forecast.view_mut());
        for (mut column, scaler) in forecast.columns_mut().into_iter().zip(scalers) {
            column.mapv_inplace(|v| scaler.unscale(v));
        }
        forecast
    }

    /// Scores on the validation range beside seasonal naive's on the same windows.
    fn report(&self, panel: &Panel, cuts: &[usize], residuals: &[Residuals]) -> Result<FitReport> {
        let season = self.season_length;
        let (mut model, mut naive) = (Vec::new(), Vec::new());
        let mut n_windows = 0;
        for (slot, (series, cut)) in panel.series().iter().zip(cuts).enumerate() {
            let cutoffs = self.windows(series, *cut)?;
            n_windows += cutoffs.len();
            for channel in 0..panel.channels().len() {
                let values = series.values().column(channel).to_vec();
                let scale = metrics::naive_scale(&values[..*cut], season);
                let label = |cutoff: usize, h: usize| values[cutoff + h];
                let seasonal = |cutoff: usize, h: usize| {
                    let back = season - h % season;
                    cutoff.checked_sub(back).map_or(f64::NAN, |at| values[at])
                };
                let mut ours = Vec::with_capacity(cutoffs.len() * self.horizon);
                let mut theirs = Vec::with_capacity(ours.capacity());
                for (window, cutoff) in residuals[slot].windows.iter().zip(&cutoffs) {
                    ours.extend(window.column(channel).iter().map(|r| r.abs()));
                    theirs.extend(
                        (0..self.horizon).map(|h| (label(*cutoff, h) - seasonal(*cutoff, h)).abs()),
                    );
                }
                model.push((metrics::mean(&ours), scale));
                naive.push((metrics::mean(&theirs), scale));
            }
        }
        let mae = |rows: &[(f64, f64)]| {
            metrics::mean(&rows.iter().map(|(mae, _)| *mae).collect::<Vec<_>>())
        };
        let mase = |rows: &[(f64, f64)]| {
            metrics::mean(
                &rows
                    .iter()
                    .map(|(mae, scale)| mae / scale)
                    .filter(|m| m.is_finite())
                    .collect::<Vec<_>>(),
            )
        };
        Ok(FitReport {
            n_windows,
            mase: mase(&model),
            seasonal_naive_mase: mase(&naive),
            mae: mae(&model),
            seasonal_naive_mae: mae(&naive),
        })
    }

    fn header(
        &self,
        panel: &Panel,
        options: &FitOptions,
        report: &FitReport,
        history: &[Series],
    ) -> Header {
        let scores = [
            ("validation_mae", report.mae),
            ("validation_mase", report.mase),
            ("validation_seasonal_naive_mae", report.seasonal_naive_mae),
            ("validation_seasonal_naive_mase", report.seasonal_naive_mase),
            ("validation_windows", report.n_windows as f64),
        ];
        // JSON has no NaN: a score that is not defined is left out.
        let metrics: BTreeMap<String, f64> = scores
            .into_iter()
            .filter(|(_, score)| score.is_finite())
            .map(|(name, score)| (name.to_string(), score))
            .collect();
        Header {
            longcast: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config.clone(),
            scaling: options.scaling,
            step: panel.step(),
            zone: panel
                .series()
                .first()
                .map_or_else(Default::default, |s| s.index().zone.clone()),
            channels: panel.channels().to_vec(),
            series: panel
                .series()
                .iter()
                .map(|series| series.id().to_string())
                .collect(),
            season_length: self.season_length,
            horizon: self.horizon,
            unit: options.unit.clone(),
            fingerprint: fingerprint(panel),
            metrics,
            seed: options.seed,
            history: history
                .iter()
                .map(|series| Stretch {
                    start: series.index().start,
                    len: series.n_steps(),
                })
                .collect(),
        }
    }
}

/// Steps of the validation range of a series with `n`.
fn validation_steps(n: usize, step: Step, options: &FitOptions) -> usize {
    let share = |share: f64| (n as f64 * share).round() as usize;
    match (options.validation, step.approximate_nanos()) {
        (Some(given), _) => share(given),
        (None, 0) => share(SMALLEST_VALIDATION),
        (None, nanos) => {
            let year = usize::try_from(YEAR_NANOS / nanos).unwrap_or(usize::MAX);
            year.clamp(share(SMALLEST_VALIDATION), share(LARGEST_VALIDATION))
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
