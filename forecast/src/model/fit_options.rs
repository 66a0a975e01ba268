//! How to fit, and what for.

use std::path::PathBuf;

use super::{Band, Cancel, ForecastOptions, check_count};
use crate::data::Scaling;
use crate::nn::DeviceKind;
use crate::{Error, Result};

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
/// A network (`informer`, `ssm`) is trained once: on the steps before the validation range, keeping the weights that do best
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
