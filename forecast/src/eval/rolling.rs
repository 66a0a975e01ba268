//! The run of a back-test: what is fitted when, what it forecasts, and which series have to be left out.

use std::mem::discriminant;

use ndarray::Array5;
use rayon::prelude::*;

use super::backtest::{Backtest, BacktestOptions, FailedSeries, Intervals, OnError, Refit};
use super::fold::{BacktestEvent, FoldScores, Scales};
use super::plan::{Blamed, Plan};
use crate::data::Panel;
use crate::model::{AdaptiveOptions, Forecast, Model, ModelConfig, StepCovariates};
use crate::{Error, Result};

/// Runs a back-test, if it has to without the series that cannot be tested, or without the channels of the only one.
pub(super) fn run(
    models: &[ModelConfig],
    stored: Option<&Model>,
    panel: &Panel,
    options: &BacktestOptions,
    watch: &mut dyn FnMut(BacktestEvent),
) -> Result<Backtest> {
    let is_wide = is_wide(panel);
    let names: Vec<String> = match is_wide {
        true => panel.channels().to_vec(),
        false => panel.series().iter().map(|series| series.id().to_string()).collect(),
    };
    let mut kept: Vec<usize> = (0..names.len()).collect();
    let mut failed: Vec<(usize, FailedSeries)> = Vec::new();
    loop {
        // What is left is tested as if the others had never been there: seasons, settings and intervals that
        // series share would depend on them.
        let rest = match (failed.is_empty(), is_wide) {
            (true, _) => panel.clone(),
            (false, false) => select(panel, &kept)?,
            (false, true) => {
                panel.select_channels(&kept.iter().map(|at| names[*at].clone()).collect::<Vec<_>>())?
            }
        };
        let plan = Plan::new(models, stored, &rest, options)?;
        let mut paths = Vec::new();
        let mut blamed = plan.too_short();
        if is_wide && !blamed.is_empty() {
            return Err(blamed.swap_remove(0).1);
        }
        if blamed.is_empty() {
            blamed = plan.run(&mut paths, watch)?;
        }
        if blamed.is_empty() {
            failed.sort_by_key(|(position, _)| *position);
            let failed = failed.into_iter().map(|(_, failed)| failed).collect();
            return plan.finish(paths, failed, panel);
        }
        // Stable: of several errors of a series the first counts.
        blamed.sort_by_key(|(position, _)| *position);
        blamed.dedup_by_key(|(position, _)| *position);
        if options.on_error == OnError::Stop || blamed.len() == kept.len() {
            return Err(blamed.swap_remove(0).1);
        }
        for (position, error) in blamed.into_iter().rev() {
            let position = kept.remove(position);
            failed
                .push((position, FailedSeries { series: names[position].clone(), error: error.to_string() }));
        }
    }
}

/// True for a file with a column for each of several channels of one series: they are left out one by one.
fn is_wide(panel: &Panel) -> bool {
    panel.series().len() == 1 && panel.channels().len() > 1
}

/// A model fitted at one cutoff, and the windows that it forecasts.
struct Segment<'a> {
    config: &'a ModelConfig,
    first_window: usize,
    /// By window, series, path, step and channel.
    numbers: &'a mut [f64],
}

impl Plan<'_> {
    /// Fits and forecasts; the numbers of each model go to `paths`. Returns the series that could not be.
    fn run(&self, paths: &mut Vec<Vec<f64>>, watch: &mut dyn FnMut(BacktestEvent)) -> Result<Blamed> {
        let [n_windows, rest @ ..] = self.dim();
        let of_window: usize = rest.iter().product();
        let windows = match self.options.refit {
            Refit::Never => n_windows,
            Refit::Every(k) => k.min(n_windows),
        };
        *paths = vec![vec![f64::NAN; n_windows * of_window]; self.configs.len()];
        let mut segments: Vec<Segment<'_>> = Vec::new();
        for (config, numbers) in self.configs.iter().zip(paths) {
            let parts = numbers.chunks_mut(windows * of_window).enumerate();
            segments.extend(parts.map(|(i, numbers)| Segment { config, first_window: i * windows, numbers }));
        }
        let mut blamed = Vec::new();
        let scales = Scales::of(self);
        let n_segments = segments.len();
        let mut n_done = 0;
        // No more models are in memory at a time than there are threads.
        for batch in segments.chunks_mut(rayon::current_num_threads()) {
            let outcomes: Vec<Result<Blamed>> =
                batch.par_iter_mut().map(|segment| self.run_segment(segment)).collect();
            self.fit.cancel.check()?;
            for (outcome, segment) in outcomes.into_iter().zip(batch) {
                blamed.extend(outcome?);
                if self.options.on_error == OnError::Stop {
                    if !blamed.is_empty() {
                        return Ok(blamed);
                    }
                    self.tell(segment, &scales, watch);
                }
                n_done += 1;
                watch(BacktestEvent::Fitted { n_done, n_segments });
            }
        }
        if self.options.on_error == OnError::LeaveOut && blamed.is_empty() {
            segments.iter().for_each(|segment| self.tell(segment, &scales, watch));
        }
        Ok(blamed)
    }

    /// The scores of every window, series and channel of a segment.
    fn tell(&self, segment: &Segment<'_>, scales: &Scales, watch: &mut dyn FnMut(BacktestEvent)) {
        let [_, n_series, n_paths, horizon, n_channels] = self.dim();
        for (i, numbers) in segment.numbers.chunks(n_paths * horizon * n_channels).enumerate() {
            let (window, series) = (segment.first_window + i / n_series, i % n_series);
            for channel in 0..n_channels {
                let fold = FoldScores::of(self, segment.config, (window, series, channel), numbers, scales);
                watch(BacktestEvent::Fold(fold));
            }
        }
    }

    fn run_segment(&self, segment: &mut Segment<'_>) -> Result<Blamed> {
        let mut positions = 0..self.panel.series().len();
        let past = self.panel.map_in_order(|_| {
            let position = positions.next().unwrap_or(0);
            self.history(position, segment.first_window)
        });
        let stored = self.stored.filter(|model| model.header().config.name() == segment.config.name());
        let model = match stored {
            Some(model) => model.clone(),
            None => match Model::fit(segment.config, &past, &self.fit) {
                Ok(fitted) => fitted.model,
                Err(error) => return self.blame(segment.config, &past, error),
            },
        };
        if self.options.intervals == Intervals::Adaptive {
            return self.of_channels(self.stream(&model, segment));
        }
        let [_, n_series, of_series @ ..] = self.dim();
        let forecasts = segment.numbers.par_chunks_mut(of_series.iter().product()).enumerate();
        let errors = forecasts.filter_map(|(i, numbers)| {
            if self.fit.cancel.is_cancelled() {
                return None;
            }
            let (window, series) = (segment.first_window + i / n_series, i % n_series);
            match model.forecast_series(&self.history(series, window), &self.forecast) {
                Ok(forecast) => {
                    self.keep(&forecast, numbers);
                    None
                }
                Err(error) => Some((series, error)),
            }
        });
        self.of_channels(errors.collect())
    }

    /// An error of a forecast of the only series names no channel that could be left out.
    fn of_channels(&self, mut blamed: Blamed) -> Result<Blamed> {
        match is_wide(self.panel) && self.options.on_error == OnError::LeaveOut && !blamed.is_empty() {
            true => Err(blamed.swap_remove(0).1),
            false => Ok(blamed),
        }
    }

    /// Forecasts from streams: each series step by step from the segment's first cutoff to its last.
    fn stream(&self, model: &Model, segment: &mut Segment<'_>) -> Blamed {
        let [_, n_series, of_series @ ..] = self.dim();
        let of_series: usize = of_series.iter().product();
        let n_windows = segment.numbers.len() / (n_series * of_series);
        let streamed: Vec<Result<Vec<f64>>> = (0..n_series)
            .into_par_iter()
            .map(|series| {
                let mut numbers = vec![f64::NAN; n_windows * of_series];
                self.stream_series(model, series, segment.first_window, &mut numbers)?;
                Ok(numbers)
            })
            .collect();
        let mut blamed = Vec::new();
        for (series, outcome) in streamed.into_iter().enumerate() {
            match outcome {
                Err(error) => blamed.push((series, error)),
                Ok(numbers) => {
                    let windows = segment.numbers.chunks_mut(n_series * of_series);
                    for (all, numbers) in windows.zip(numbers.chunks(of_series)) {
                        all[series * of_series..][..of_series].copy_from_slice(numbers);
                    }
                }
            }
        }
        blamed
    }

    fn stream_series(&self, model: &Model, series: usize, first: usize, numbers: &mut [f64]) -> Result<()> {
        let [.., n_paths, horizon, n_channels] = self.dim();
        let mut state = model.start(&self.history(series, first))?;
        let options =
            AdaptiveOptions { horizon: self.forecast.horizon, levels: self.forecast.levels.clone() };
        let mut adaptive = model.start_adaptive(&state, &options)?;
        let data = &self.panel.series()[series];
        let (values, covariates) = (data.values(), data.covariates());
        let is_told = !model.covariate_schema().is_empty();
        let mut step = Vec::with_capacity(n_channels);
        for (i, numbers) in numbers.chunks_mut(n_paths * horizon * n_channels).enumerate() {
            if i > 0 {
                self.fit.cancel.check()?;
                let cutoff = self.first_cutoffs[series] + (first + i) * self.step_size;
                for at in cutoff - self.step_size..cutoff {
                    step.clear();
                    step.extend(values.row(at));
                    match is_told {
                        false => model.observe(&mut state, &step)?,
                        true => {
                            let past = covariates.past().row(at).to_vec();
                            let known_ahead = covariates.future().row(at).to_vec();
                            let told = StepCovariates { past: &past, known_ahead: &known_ahead };
                            model.observe_with(&mut state, &step, &told)?;
                        }
                    }
                    model.adapt(&mut adaptive, &state, &step)?;
                }
            }
            self.keep(&model.adaptive_forecast(&adaptive, &state)?, numbers);
        }
        Ok(())
    }

    /// Keeps what follows the gap: the mean, then the lower and upper bounds of each level.
    fn keep(&self, forecast: &Forecast, numbers: &mut [f64]) {
        let bounds = forecast.intervals.iter().flat_map(|interval| [&interval.lower, &interval.upper]);
        let kept = std::iter::once(&forecast.mean)
            .chain(bounds)
            .flat_map(|path| path.rows().into_iter().skip(self.options.gap).flatten());
        for (number, value) in numbers.iter_mut().zip(kept) {
            *number = *value;
        }
    }

    /// Which series, or channels of the only one, are to blame for an error of a fit: those that cannot be fitted
    /// alone, in the same way if they share their coefficients, since those can be fitted to a series that gives none
    /// alone.
    fn blame(&self, config: &ModelConfig, past: &Panel, error: Error) -> Result<Blamed> {
        if matches!(error, Error::Cancelled) {
            return Err(error);
        }
        let named = error.series().and_then(|id| past.series().iter().position(|series| series.id() == id));
        let Some(named) = named else { return Err(error) };
        if self.options.on_error == OnError::Stop {
            return Ok(vec![(named, error)]);
        }
        let kind = discriminant(&error);
        let alone = |position: usize| match is_wide(past) {
            true => past.select_channels(&past.channels()[position..=position]),
            false => select(past, &[position]),
        };
        let n = if is_wide(past) { past.channels().len() } else { past.series().len() };
        let blame = |position: usize| {
            let error = alone(position).and_then(|panel| Model::fit(config, &panel, &self.fit)).err()?;
            (!config.is_shared() || discriminant(&error) == kind).then_some((position, error))
        };
        let mut blamed: Blamed = (0..n).into_par_iter().filter_map(blame).collect();
        if blamed.is_empty() {
            if is_wide(past) {
                return Err(error);
            }
            blamed.push((named, error));
        }
        Ok(blamed)
    }

    fn finish(self, paths: Vec<Vec<f64>>, failed: Vec<FailedSeries>, all: &Panel) -> Result<Backtest> {
        let dim = self.dim();
        // As before anything was left out.
        let labels = self.panel.series().iter().flat_map(|series| {
            let at = |name: &String| all.channels().iter().position(|channel| channel == name).unwrap_or(0);
            self.panel.channels().iter().map(move |name| all.label(series.id(), at(name)))
        });
        let labels = labels.collect();
        let shaped = |numbers| {
            Array5::from_shape_vec(dim, numbers).map_err(|error| Error::Internal(error.to_string()))
        };
        Ok(Backtest {
            models: self.configs.iter().map(|config| config.name().to_string()).collect(),
            n_windows: self.options.n_windows,
            step_size: self.step_size,
            horizon: self.options.horizon,
            gap: self.options.gap,
            season_length: self.season_length,
            levels: self.options.levels.clone(),
            failed,
            is_wide: is_wide(all),
            labels,
            panel: self.panel.clone(),
            first_cutoffs: self.first_cutoffs,
            paths: paths.into_iter().map(shaped).collect::<Result<_>>()?,
        })
    }
}

/// The panel of the series at these positions.
fn select(panel: &Panel, positions: &[usize]) -> Result<Panel> {
    let series = positions.iter().map(|position| panel.series()[*position].clone());
    Panel::of(panel.channels().to_vec(), panel.covariate_schema().clone(), series.collect())
}
