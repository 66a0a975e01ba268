//! Rolling-origin back-test: forecast from several cutoffs, score against what followed.
//!
//! A cutoff is the stamp of the last step that the models saw. With `n` the steps of a series, the last cutoff
//! is step `n - gap - horizon` (counted from 1), and the others lie `step_size` steps apart before it:
//!
//! ```text
//! training range .... cutoff | gap: forecast, not scored | horizon: forecast and scored |
//! ```

use std::str::FromStr;

use ndarray::{Array5, ArrayView1, s};
use serde::Serialize;

use super::fold::BacktestEvent;
use super::leaderboard::{Leaderboard, LeaderboardOptions};
use super::rolling;
use super::scores::Scores;
use super::step_scores::StepScores;
use crate::data::Panel;
use crate::model::{FitOptions, Model, ModelConfig};
use crate::{Error, Result, TimeIndex};

/// How to back-test.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | 24 | steps that are scored after each cutoff and its gap | at least 1 |
/// | `n_windows` | 10 | cutoffs, the last one `gap + horizon` before the end | at least 1 |
/// | `step_size` | the horizon | steps from one cutoff to the next | at least 1 |
/// | `gap` | 0 | steps between a cutoff and the first scored step | |
/// | `training` | expanding | what a model sees at a cutoff | sliding: at least lookback + gap + horizon |
/// | `refit` | never | when to fit again after the first cutoff | |
/// | `on_error` | stop | what happens to a series that cannot be fitted or is too short | |
/// | `levels` | none | intervals, in percent | between 0 and 100 |
/// | `intervals` | fitted | whether intervals learn between the cutoffs | |
/// | `fit` | defaults | how to fit; its horizon is replaced by `gap + horizon` | |
#[derive(Debug, Clone, PartialEq)]
pub struct BacktestOptions {
    /// Steps that are scored after each cutoff and its gap.
    pub horizon: usize,
    /// How many cutoffs.
    pub n_windows: usize,
    /// Steps from one cutoff to the next; the horizon if `None`.
    pub step_size: Option<usize>,
    /// Steps between a cutoff and the first scored step: forecast, but neither scored nor in the table. For
    /// data that arrive late, or forecasts that are needed some time ahead.
    pub gap: usize,
    /// What a model sees at a cutoff.
    pub training: TrainingRange,
    /// When to fit again.
    pub refit: Refit,
    /// What happens to a series that cannot be fitted or is too short.
    pub on_error: OnError,
    /// Intervals, in percent.
    pub levels: Vec<f64>,
    /// Whether intervals learn between the cutoffs.
    pub intervals: Intervals,
    /// How to fit.
    pub fit: FitOptions,
}

impl Default for BacktestOptions {
    fn default() -> Self {
        BacktestOptions {
            horizon: 24,
            n_windows: 10,
            step_size: None,
            gap: 0,
            training: TrainingRange::default(),
            refit: Refit::Never,
            on_error: OnError::default(),
            levels: Vec::new(),
            intervals: Intervals::default(),
            fit: FitOptions::default(),
        }
    }
}

/// What a model sees at a cutoff, when it is fitted and when it forecasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TrainingRange {
    /// All steps up to the cutoff.
    #[default]
    Expanding,
    /// The last so many steps up to the cutoff, or all where a series has fewer.
    Sliding(usize),
}

impl FromStr for TrainingRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<usize>()) {
            ("expanding", _) => Ok(TrainingRange::Expanding),
            (_, Ok(n)) if n > 0 => Ok(TrainingRange::Sliding(n)),
            _ => Err(Error::option("training", text, "it must be expanding or a number of steps")),
        }
    }
}

/// When a back-test fits again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// Once, at the first cutoff.
    Never,
    /// At every `k`-th cutoff; 1 is every one.
    Every(usize),
}

impl FromStr for Refit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<usize>()) {
            ("true", _) => Ok(Refit::Every(1)),
            ("false", _) => Ok(Refit::Never),
            (_, Ok(k)) if k > 0 => Ok(Refit::Every(k)),
            _ => Err(Error::option("refit", text, "it must be true, false or a number of windows")),
        }
    }
}

/// Where the intervals of a back-test come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Intervals {
    /// Those of [`Model::forecast`](crate::Model::forecast): calibrated when the model is fitted, weighed by what
    /// was seen just before the cutoff.
    #[default]
    Fitted,
    /// Those of [`Model::adaptive_forecast`](crate::Model::adaptive_forecast): from one fit to the next, a stream
    /// of all steps teaches them, as it would in use.
    Adaptive,
}

/// What happens when a series cannot be fitted by one of the models, or is too short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// The back-test ends with the first error.
    #[default]
    Stop,
    /// The series is left out for all models, so that their scores are of the same series, and told in
    /// [`Backtest::failed`]; of one series with several channels, the channels that cannot be fitted are. The result
    /// is that of a back-test without them.
    LeaveOut,
}

/// A series that was left out, or a channel of the only one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedSeries {
    /// The id of the series, or the name of the channel.
    pub series: String,
    /// The first error that it gave.
    pub error: String,
}

/// What a back-test found.
#[derive(Debug, Clone)]
pub struct Backtest {
    /// The models; seasonal naive is always among them.
    pub models: Vec<String>,
    /// Cutoffs of each series.
    pub n_windows: usize,
    /// Steps from one cutoff to the next.
    pub step_size: usize,
    /// Steps that are scored after each cutoff and its gap.
    pub horizon: usize,
    /// Steps between a cutoff and the first scored step.
    pub gap: usize,
    /// Steps of one season, as told from the data before the first cutoff.
    pub season_length: usize,
    /// Intervals, in percent.
    pub levels: Vec<f64>,
    /// The series or channels that were left out, in the order of the panel that was given.
    pub failed: Vec<FailedSeries>,
    /// True if the panel that was given is one series of several channels, of which [`Backtest::failed`] then tells.
    pub is_wide: bool,
    /// How every series and channel is called in tables.
    pub(super) labels: Vec<String>,
    /// The series that were not left out.
    pub(super) panel: Panel,
    /// Position after the first cutoff of each series.
    pub(super) first_cutoffs: Vec<usize>,
    /// The forecasts of each model, all that is kept of them: the point forecast, then the lower and the upper
    /// bounds of each level. Shape `(window, series, path, horizon, channel)`.
    pub(super) paths: Vec<Array5<f64>>,
}

/// Runs a rolling-origin back-test of several models, seasonal naive always among them.
///
/// Fits and forecasts of all models and cutoffs run in parallel where they do not depend on each other; the
/// numbers are the same for any number of threads.
///
/// # Errors
/// [`Error::BadOption`], [`Error::TooShortForBacktest`], and those of [`Model::fit`](crate::Model::fit) and
/// [`Model::forecast`](crate::Model::forecast); with [`OnError::LeaveOut`], what is wrong with single series is
/// an error only if no series is left.
pub fn backtest(models: &[ModelConfig], panel: &Panel, options: &BacktestOptions) -> Result<Backtest> {
    rolling::run(models, None, panel, options, &mut |_| ())
}

/// [`backtest`] that tells `watch` how it goes, always in the same order: with [`OnError::Stop`] the scores of each
/// fold soon after it is done, else all of them at the end, since leaving a series out changes those of others.
///
/// # Errors
/// As [`backtest`]; [`Error::Cancelled`] if the options of the fit have a flag that was set.
pub fn backtest_watched(
    models: &[ModelConfig],
    panel: &Panel,
    options: &BacktestOptions,
    watch: &mut dyn FnMut(BacktestEvent),
) -> Result<Backtest> {
    rolling::run(models, None, panel, options, watch)
}

/// [`backtest_watched`] of a model that is fitted already, beside models that are to be fitted: it forecasts from
/// every cutoff as it is, in place of a model of its family among `models`. It may have seen what it is scored on.
///
/// # Errors
/// As [`backtest_watched`], and those of [`Model::forecast`] where the data do not fit the model.
pub fn backtest_fitted(
    model: &Model,
    models: &[ModelConfig],
    panel: &Panel,
    options: &BacktestOptions,
    watch: &mut dyn FnMut(BacktestEvent),
) -> Result<Backtest> {
    rolling::run(models, Some(model), panel, options, watch)
}

impl Backtest {
    /// The scores of every model for every series and channel.
    #[must_use]
    pub fn scores(&self) -> Scores {
        Scores::of(self)
    }

    /// The same for each step ahead.
    ///
    /// # Errors
    /// [`Error::BadOption`] if they are more than can be held.
    pub fn scores_by_step(&self) -> Result<StepScores> {
        StepScores::of(self)
    }

    /// The models by one metric, each beside seasonal naive.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the metric is none that models can be ranked by, or for the number of resamples.
    pub fn leaderboard(&self, options: &LeaderboardOptions) -> Result<Leaderboard> {
        Leaderboard::of(self, options)
    }

    /// The series that were back-tested.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// Every series and channel, in the order of all tables.
    pub(super) fn units(&self) -> Vec<(usize, usize)> {
        let n_channels = self.panel.channels().len();
        (0..self.panel.series().len() * n_channels).map(|i| (i / n_channels, i % n_channels)).collect()
    }

    /// How a series and channel are called in tables.
    pub(super) fn label(&self, (series, channel): (usize, usize)) -> String {
        self.labels[series * self.panel.channels().len() + channel].clone()
    }

    /// Position of the first step after a cutoff.
    pub(super) fn cutoff(&self, series: usize, window: usize) -> usize {
        self.first_cutoffs[series] + window * self.step_size
    }

    /// The stamps of the scored steps after a cutoff.
    pub(super) fn index(&self, series: usize, window: usize) -> TimeIndex {
        let start = self.cutoff(series, window) + self.gap;
        self.panel.series()[series].index().slice(start..start + self.horizon)
    }

    /// What followed a cutoff and its gap. Shape `(horizon)`.
    pub(super) fn actual(&self, (series, channel): (usize, usize), window: usize) -> ArrayView1<'_, f64> {
        let start = self.cutoff(series, window) + self.gap;
        self.panel.series()[series].values().slice_move(s![start..start + self.horizon, channel])
    }

    /// One path of a model: 0 is the point forecast, `1 + 2 i` and `2 + 2 i` are the bounds of level `i`.
    /// Shape `(horizon)`.
    pub(super) fn path(
        &self,
        model: usize,
        path: usize,
        (series, channel): (usize, usize),
        window: usize,
    ) -> ArrayView1<'_, f64> {
        self.paths[model].slice(s![window, series, path, .., channel])
    }
}
