//! Adaptive intervals for streams: plain data beside a [`State`] that learns from each outcome how wide an
//! interval has to be.
//!
//! Each horizon step, channel, level and tail has a level of its own, moved when its outcome arrives: the one for
//! `h` steps ahead is judged by the forecast that was made `h` steps ago. The bound is the conformal quantile at
//! that level of the last 200 scores, which begin as those of the fit. Over a long stream the share of misses in
//! each tail is on target whatever the series does (`eval/conformal/tracker.rs`).
//!
//! Intervals are never infinite: a level that leaves the range from 0 to one half is taken as its end, so the
//! bound is the outermost of the last scores, or their median; outcomes beyond it enter the scores and move it out.

use std::collections::VecDeque;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::forecast::Missing;
use super::{Forecast, ForecastOptions, Interval, Model, State};
use crate::data::sorted;
use crate::eval::conformal::Tracker;
use crate::eval::rearrange;
use crate::{Error, Result};

/// Scores that are kept for each step and channel.
const N_SCORES: usize = 200;
/// Of `N_SCORES`, so that the scores of the fit are not forgotten from one end: shares no factor with it.
const SHUFFLE: usize = 77;
/// The forecasts that wait for their outcomes hold at most this many numbers: 80 MB.
const MOST_NUMBERS: usize = 10_000_000;

/// What to adapt.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizon` | 24 | steps ahead | at least 1, at most the calibrated horizon |
/// | `levels` | 80 and 95 | central intervals, in percent | at least one; between 0 and 100, both excluded |
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptiveOptions {
    /// Steps ahead.
    pub horizon: usize,
    /// Central intervals, in percent.
    pub levels: Vec<f64>,
}

impl Default for AdaptiveOptions {
    fn default() -> Self {
        AdaptiveOptions { horizon: 24, levels: vec![80.0, 95.0] }
    }
}

/// What the outcomes of a stream say of the width of its intervals: plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    series: String,
    /// Steps that the state had seen.
    n_steps: usize,
    horizon: usize,
    n_channels: usize,
    levels: Vec<f64>,
    /// A ring for each channel and step. Shape `(channel, horizon, N_SCORES)`.
    scores: Vec<f64>,
    /// Where the next score goes. Shape `(channel, horizon)`.
    next: Vec<usize>,
    /// Shape `(channel, horizon, level, 2)`, the lower tail first.
    trackers: Vec<Tracker>,
    /// Forecasts whose outcomes are not all known, the oldest first.
    pending: VecDeque<Pending>,
}

/// A forecast that waits for its outcomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    /// Steps that the state had seen.
    made_at: usize,
    /// In the units of the series. Shape `(horizon, channel)`.
    mean: Vec<f64>,
    /// What a score is multiplied by, one a channel.
    scale: Vec<f64>,
}

impl Adaptive {
    /// The series that this adapts to.
    #[must_use]
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The levels, in percent.
    #[must_use]
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Tells of the next step whether its interval of each level holds the outcome `values`, NaN where missing: to be
    /// asked after a forecast and before [`Model::adapt`]. Each level is judged by its own bounds, as they are before
    /// bounds that cross are put in order.
    ///
    /// `judged` is called with the position of a level and the answer, for each channel that has an outcome; not at all
    /// while the state was short of its lookback.
    pub fn judge(&self, values: &[f64], judged: &mut dyn FnMut(usize, bool)) {
        let Some(next) = self.pending.back().filter(|pending| pending.made_at == self.n_steps) else {
            return;
        };
        for (channel, value) in values.iter().enumerate().take(self.n_channels) {
            let score = (value - next.mean[channel]) / next.scale[channel];
            if !score.is_finite() {
                continue;
            }
            let scores = &self.scores[self.ring(channel, 0)];
            let n_at_or_below = scores.iter().filter(|s| **s <= score).count();
            let n_at_or_above = scores.iter().filter(|s| **s >= score).count();
            for (level, tails) in self.trackers[self.tails(channel, 0)].chunks_exact(2).enumerate() {
                // At or above the score of the lower rank, and at or below that of the upper one.
                let is_inside = n_at_or_below >= rank(&tails[0]) && n_at_or_above >= rank(&tails[1]);
                judged(level, is_inside);
            }
        }
    }

    /// The ring of a step and channel.
    fn ring(&self, channel: usize, step: usize) -> std::ops::Range<usize> {
        let at = (channel * self.horizon + step) * N_SCORES;
        at..at + N_SCORES
    }

    /// The trackers of a step and channel.
    fn tails(&self, channel: usize, step: usize) -> std::ops::Range<usize> {
        let n = 2 * self.levels.len();
        let at = (channel * self.horizon + step) * n;
        at..at + n
    }

    /// Moves the levels of one step and channel, then keeps the score.
    fn take(&mut self, channel: usize, step: usize, score: f64) {
        let ring = self.ring(channel, step);
        let scores = &self.scores[ring.clone()];
        let n_beyond = |is_beyond: &dyn Fn(f64) -> bool| scores.iter().filter(|s| is_beyond(**s)).count();
        // The largest tail level at which the outcome is covered; none beyond the outermost score.
        let beta = |n: usize| if n == 0 { 0.0 } else { (n + 1) as f64 / (N_SCORES + 1) as f64 };
        let betas = [beta(n_beyond(&|s| s <= score)), beta(n_beyond(&|s| s >= score))];
        let tails = self.tails(channel, step);
        for (tracker, beta) in self.trackers[tails].iter_mut().zip(betas.into_iter().cycle()) {
            tracker.observe(beta);
        }
        let next = &mut self.next[channel * self.horizon + step];
        self.scores[ring.start + *next] = score;
        *next = (*next + 1) % N_SCORES;
    }

    /// The lower and the upper score of every level, for one step and channel.
    fn bounds(&self, channel: usize, step: usize) -> Vec<f64> {
        let scores = sorted(self.scores[self.ring(channel, step)].to_vec());
        let tails = self.trackers[self.tails(channel, step)].iter().enumerate();
        tails
            .map(|(i, tracker)| {
                let rank = rank(tracker);
                if i.is_multiple_of(2) { scores[rank - 1] } else { scores[N_SCORES - rank] }
            })
            .collect()
    }

    fn is_sound(&self, n_channels: usize) -> bool {
        let places = self.horizon.checked_mul(n_channels);
        let n = |each: usize| places.and_then(|places| places.checked_mul(each));
        let width = self.horizon.checked_mul(n_channels);
        self.n_channels == n_channels
            && n(N_SCORES) == Some(self.scores.len())
            && n(1) == Some(self.next.len())
            && n(2 * self.levels.len()) == Some(self.trackers.len())
            && self.next.iter().all(|next| *next < N_SCORES)
            && self.pending.len() <= self.horizon
            && self.pending.iter().all(|p| Some(p.mean.len()) == width && p.scale.len() == n_channels)
    }
}

/// The score that is the bound of a tail, counted from the outside, the outermost at least.
fn rank(tracker: &Tracker) -> usize {
    let rank = tracker.level().clamp(0.0, 0.5) * (N_SCORES + 1) as f64;
    (rank as usize).clamp(1, N_SCORES)
}

impl Model {
    /// Intervals that begin as those of the fit, for the stream that `state` is at.
    ///
    /// # Errors
    /// [`Error::BadOption`] for the options, [`Error::NotCalibrated`] if the fit had too few windows for a level,
    /// and those of [`Model::forecast_from`], except that a state may still be short of the lookback.
    ///
    /// # Example
    /// ```
    /// # use forecast::{AdaptiveOptions, FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let rows: String = (0..600).map(|i| format!("{i},{}\n", (i * 7919 % 101) as f64)).collect();
    /// # let csv = format!("ds,y\n{rows}");
    /// # let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default())?;
    /// # let fit = FitOptions { horizon: Some(2), ..FitOptions::default() };
    /// # let model = Model::fit(&ModelConfig::parse("naive")?, &panel, &fit)?.model;
    /// let mut state = model.start(&panel.series()[0])?;
    /// let options = AdaptiveOptions { horizon: 2, levels: vec![80.0] };
    /// let mut adaptive = model.start_adaptive(&state, &options)?;
    /// let before = model.adaptive_forecast(&adaptive, &state)?;
    /// for step in 0..100 {
    ///     let value = [900.0, -800.0][step % 2]; // far beyond what the fit has seen
    ///     model.observe(&mut state, &[value])?;
    ///     model.adapt(&mut adaptive, &state, &[value])?; // once after each observation
    /// }
    /// let after = model.adaptive_forecast(&adaptive, &state)?;
    /// let width = |f: &forecast::Forecast| f.intervals[0].upper[[0, 0]] - f.intervals[0].lower[[0, 0]];
    /// assert!(width(&after) > 2.0 * width(&before));
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn start_adaptive(&self, state: &State, options: &AdaptiveOptions) -> Result<Adaptive> {
        let n_channels = self.header().channels.len();
        if options.levels.is_empty() {
            return Err(Error::option("levels", "empty", "there must be at least one level to adapt"));
        }
        let (horizon, levels) = (options.horizon, options.levels.clone());
        let split = ForecastOptions { horizon, levels: levels.clone(), ..ForecastOptions::default() };
        split.check(self)?;
        let pending = horizon.checked_mul(horizon).and_then(|n| n.checked_mul(n_channels));
        let scores =
            horizon.checked_mul(N_SCORES + 40 * levels.len()).and_then(|n| n.checked_mul(n_channels));
        if pending.zip(scores).is_none_or(|(pending, scores)| pending.max(scores) > MOST_NUMBERS) {
            let rule =
                format!("its forecasts and scores are more than {MOST_NUMBERS} numbers; use fewer steps");
            return Err(Error::option("horizon", horizon, rule));
        }
        self.check_levels(&split)?;
        let mut adaptive = Adaptive {
            series: state.series().to_string(),
            n_steps: state.index().len,
            horizon,
            n_channels,
            scores: Vec::with_capacity(n_channels * horizon * N_SCORES),
            next: vec![0; n_channels * horizon],
            trackers: Vec::with_capacity(n_channels * horizon * levels.len() * 2),
            levels,
            pending: VecDeque::new(),
        };
        for channel in 0..n_channels {
            for step in 0..horizon {
                let known = self.parts.calibration.training_scores(channel, step);
                let quantile = |i: usize| {
                    let rank = ((i * SHUFFLE) % N_SCORES * 2 + 1) * known.len() / (2 * N_SCORES);
                    known.get(rank).copied().unwrap_or(0.0)
                };
                adaptive.scores.extend((0..N_SCORES).map(quantile));
                for level in &adaptive.levels {
                    let tail = (1.0 - level / 100.0) / 2.0;
                    adaptive.trackers.extend([Tracker::new(tail), Tracker::new(tail)]);
                }
            }
        }
        self.issue(&mut adaptive, state)?;
        Ok(adaptive)
    }

    /// Learns from the outcome `values` that [`Model::observe`] has just given to `state`, NaN where missing.
    ///
    /// The cost does not depend on how long the stream is: one forecast, and for each step the scores that are kept.
    ///
    /// # Errors
    /// [`Error::BadOption`] if `adaptive` does not belong to the state or is not exactly one step behind it,
    /// [`Error::WrongChannels`]; `adaptive` is then as it was. Values that are not finite count as missing.
    pub fn adapt(&self, adaptive: &mut Adaptive, state: &State, values: &[f64]) -> Result<()> {
        self.check_adaptive(adaptive, state, 1)?;
        if values.len() != adaptive.n_channels {
            return Err(Error::WrongChannels {
                series: adaptive.series.clone(),
                found: format!("{} values", values.len()),
                expected: self.header().channels.join(", "),
            });
        }
        let pending = std::mem::take(&mut adaptive.pending);
        for forecast in &pending {
            let Some(step) = adaptive.n_steps.checked_sub(forecast.made_at).filter(|s| *s < adaptive.horizon)
            else {
                continue;
            };
            for (channel, value) in values.iter().enumerate() {
                let mean = forecast.mean[step * adaptive.n_channels + channel];
                let score = (value - mean) / forecast.scale[channel];
                if score.is_finite() {
                    adaptive.take(channel, step, score);
                }
            }
        }
        adaptive.pending = pending;
        adaptive.n_steps += 1;
        while adaptive.pending.len() >= adaptive.horizon {
            adaptive.pending.pop_front();
        }
        self.issue(adaptive, state)
    }

    /// The forecast that follows the last observed step of `state`, with the adaptive intervals.
    ///
    /// # Errors
    /// Those of [`Model::forecast_from`]; [`Error::BadOption`] if `adaptive` has not seen the steps of the state.
    pub fn adaptive_forecast(&self, adaptive: &Adaptive, state: &State) -> Result<Forecast> {
        self.check_adaptive(adaptive, state, 0)?;
        let options = ForecastOptions { horizon: adaptive.horizon, ..ForecastOptions::default() };
        let mut forecast = self.forecast_from(state, &options)?;
        let scale = self.scale_of(state)?;
        // Bounds of all levels, from the lowest to the highest.
        let n_levels = adaptive.levels.len();
        let mut bounds = vec![forecast.mean.clone(); 2 * n_levels];
        for channel in 0..adaptive.n_channels {
            for step in 0..adaptive.horizon {
                for (bound, score) in bounds.iter_mut().zip(adaptive.bounds(channel, step)) {
                    bound[[step, channel]] += score * scale[channel];
                }
            }
        }
        // Each bound learns for itself, so one may cross another.
        let mut order: Vec<usize> = (0..2 * n_levels).collect();
        let quantile = |i: usize| {
            let tail = (1.0 - adaptive.levels[i / 2] / 100.0) / 2.0;
            if i.is_multiple_of(2) { tail } else { 1.0 - tail }
        };
        order.sort_by(|a, b| quantile(*a).total_cmp(&quantile(*b)));
        let mut ordered: Vec<Array2<f64>> = order.iter().map(|i| bounds[*i].clone()).collect();
        rearrange(&mut ordered);
        for (i, bound) in order.into_iter().zip(ordered) {
            bounds[i] = bound;
        }
        let mut bounds = bounds.into_iter();
        for level in &adaptive.levels {
            if let (Some(lower), Some(upper)) = (bounds.next(), bounds.next()) {
                forecast.intervals.push(Interval { level: *level, lower, upper });
            }
        }
        Ok(forecast)
    }

    /// Puts the forecast of a state into the queue, if the state has seen enough for one.
    fn issue(&self, adaptive: &mut Adaptive, state: &State) -> Result<()> {
        if state.index().len < self.lookback() {
            return Ok(());
        }
        let options = ForecastOptions { horizon: adaptive.horizon, ..ForecastOptions::default() };
        let mean = self.forecast_from(state, &options)?.mean.iter().copied().collect();
        let scale = self.scale_of(state)?;
        adaptive.pending.push_back(Pending { made_at: adaptive.n_steps, mean, scale });
        Ok(())
    }

    /// The fit has to have scores enough for every level at every step.
    fn check_levels(&self, options: &ForecastOptions) -> Result<()> {
        let mean = Array2::zeros((options.horizon, self.header().channels.len()));
        let scale = vec![1.0; self.header().channels.len()];
        let recent = crate::eval::conformal::Recent::of_scale(scale);
        self.spread(&mean, &recent, &Missing::default(), options).map(|_| ())
    }

    fn check_adaptive(&self, adaptive: &Adaptive, state: &State, behind: usize) -> Result<()> {
        let is_ours = adaptive.series == state.series()
            && adaptive.is_sound(self.header().channels.len())
            && adaptive.horizon <= self.header().horizon
            && adaptive.n_steps.checked_add(behind) == Some(state.index().len);
        if is_ours {
            return Ok(());
        }
        let rule = "it must have been started for this state and adapt once after each observation";
        Err(Error::option("adaptive", &adaptive.series, rule))
    }
}
