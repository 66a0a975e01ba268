//! One session as a pure function of what it was created with and the batches that it was given. The one clock here tells
//! how long a forecast took, and nothing depends on it.

use forecast::data::Known;
use forecast::{Forecast, Series};
use ndarray::Array2;

use super::batch::BatchView;
use super::error::SessionError;
use super::models::PinnedModel;
use super::series::{Scratch, SeriesState};
use super::settings::{Emission, Settings};
use super::trouble::Trouble;

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its series.
    pub series: usize,
    /// Its sequence number.
    pub sequence: u64,
}

/// A forecast of one series of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The forecast.
    pub forecast: Forecast,
    /// The last sequence number in the state.
    pub as_of: u64,
    /// The series.
    pub series: usize,
    /// How far the newest value lay from its forecast.
    pub surprise: Option<f64>,
    /// The time that it took.
    pub elapsed: std::time::Duration,
    /// If seasonal naive made it: the MASE of the model, the limit, and since when.
    pub fallback: Option<(f64, f64, u64)>,
}

/// One session: its settings, its series, and the next sequence number.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) settings: Settings,
    pub(super) model: PinnedModel,
    pub(super) epoch: u64,
    pub(super) next: u64,
    pub(super) series: Vec<SeriesState>,
    /// Forecasts of each series that were due since this engine was made.
    n_due: Vec<u64>,
    scratch: Scratch,
    pub(super) n_past: usize,
    n_covariates: usize,
}

impl Engine {
    /// A session after the histories of its series: an id, and what happened so far, if its start is known.
    ///
    /// # Errors
    /// [`SessionError::Library`] with the path of the series that the model refuses.
    pub fn new(
        settings: Settings,
        model: PinnedModel,
        histories: &[(String, Option<Series>)],
    ) -> Result<Self, SessionError> {
        let start = |(at, (id, history)): (usize, &(String, Option<Series>))| {
            SeriesState::new(&model.model, &settings, id, history.as_ref())
                .map_err(|error| SessionError::Library(Box::new(error), format!("history[{at}]")))
        };
        let series = histories.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        Ok(Engine::from_parts(settings, model, 0, 1, series))
    }

    /// A session whose parts were checked.
    pub(super) fn from_parts(
        settings: Settings,
        model: PinnedModel,
        epoch: u64,
        next: u64,
        mut series: Vec<SeriesState>,
    ) -> Self {
        series.iter_mut().for_each(SeriesState::find_next_stamp);
        let schema = model.model.covariate_schema();
        let n_past = schema.of(Known::Past).len();
        let n_covariates = n_past + schema.of(Known::Future).len();
        let scratch = Scratch::new(model.model.header().channels.len());
        let n_due = vec![0; series.len()];
        Engine { settings, model, epoch, next, series, n_due, scratch, n_past, n_covariates }
    }

    /// What it was created with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its model.
    #[must_use]
    pub fn model(&self) -> &PinnedModel {
        &self.model
    }

    /// The epoch of its last writer.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The next sequence number that it takes.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Its series.
    #[must_use]
    pub fn series(&self) -> &[SeriesState] {
        &self.series
    }

    /// What tells a reader whether a forecast of a series is due: how often it was, or, where time decides, how many steps
    /// the series has taken.
    #[must_use]
    pub fn due_count(&self, at: usize) -> u64 {
        match self.settings.emission {
            Emission::Every(_) => self.n_due.get(at).copied().unwrap_or(0),
            Emission::Interval(_) => self.series.get(at).map_or(0, |series| series.figures.n_taken),
            Emission::OnRequest => 0,
        }
    }

    /// Channels of its model and covariates of each row: what the columns of a batch are held against.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.model.model.header().channels.len(), self.n_covariates)
    }

    /// The rows of a batch that are new; none if all were seen before.
    ///
    /// # Errors
    /// [`SessionError::Gap`] if rows are missing before the first.
    pub fn new_rows<'a>(&self, batch: BatchView<'a>) -> Result<BatchView<'a>, SessionError> {
        if batch.first > self.next {
            return Err(SessionError::Gap { expected: self.next, got: batch.first });
        }
        let n_seen = usize::try_from(self.next - batch.first).unwrap_or(usize::MAX);
        Ok(batch.rows(n_seen, usize::MAX))
    }

    /// Takes the new rows of a batch. `due` is called after each row that makes a forecast due.
    ///
    /// # Errors
    /// [`SessionError::Gap`] if rows are missing before the first; nothing was taken then.
    pub fn apply(
        &mut self,
        batch: BatchView<'_>,
        troubles: &mut Vec<Trouble>,
        due: &mut dyn FnMut(&Engine, Step),
    ) -> Result<(), SessionError> {
        let rows = self.new_rows(batch)?;
        let n_channels = self.model.model.header().channels.len();
        let mut scratch = std::mem::take(&mut self.scratch);
        for row in 0..rows.n_rows {
            let values = &rows.values[row * n_channels..(row + 1) * n_channels];
            let at = if rows.series.is_empty() { 0 } else { rows.series[row] as usize };
            let covariates: &[f64] = match rows.covariates {
                [] => &[],
                all => &all[row * self.n_covariates..(row + 1) * self.n_covariates],
            };
            let sequence = rows.first + row as u64;
            let before = self.series.get(at).map_or(0, |series| series.figures.n_taken);
            self.take(
                at,
                rows.times.get(row).copied(),
                (values, covariates),
                sequence,
                &mut scratch,
                troubles,
            );
            self.next = sequence + 1;
            if self.is_due(at, before) {
                self.n_due[at] += 1;
                due(self, Step { series: at, sequence });
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    /// True if the steps that a series has taken since `before` make a forecast due.
    fn is_due(&self, at: usize, before: u64) -> bool {
        let (Emission::Every(n), Some(series)) = (self.settings.emission, self.series.get(at)) else {
            return false;
        };
        let n = u64::from(n.max(1));
        series.figures.n_taken / n > before / n
    }

    /// The same session on another model: its series start again from the last steps that they remember, and keep their
    /// figures.
    ///
    /// # Errors
    /// [`SessionError::Library`] if the old model does not remember steps, or the new one cannot go on from them.
    pub(super) fn with_model(&self, model: PinnedModel) -> Result<Self, SessionError> {
        let settings = Settings { revision: model.revision.clone(), ..self.settings.clone() };
        let moved = |(at, old): (usize, &SeriesState)| {
            let refused = |error| SessionError::Library(Box::new(error), format!("series[{at}]"));
            let history = old.state.as_ref().map(|state| self.model.model.remembered(state)).transpose();
            let history = history.map_err(refused)?;
            let mut new =
                SeriesState::new(&model.model, &settings, &old.id, history.as_ref()).map_err(refused)?;
            new.figures = old.figures.clone();
            new.fallback = old.fallback;
            Ok(new)
        };
        let series = self.series.iter().enumerate().map(moved).collect::<Result<Vec<_>, SessionError>>()?;
        let mut engine = Engine::from_parts(settings, model, self.epoch, self.next, series);
        engine.n_due.clone_from(&self.n_due);
        Ok(engine)
    }

    /// The forecast of a series now; with what is known ahead, for models that ask for it, shape `(step, covariate)`.
    ///
    /// # Errors
    /// [`SessionError::Library`] before the lookback, and [`SessionError::Field`] for a series that is not there.
    pub fn forecast(&self, at: usize, known_ahead: Option<&Array2<f64>>) -> Result<Made, SessionError> {
        let Some(series) = self.series.get(at) else {
            let rule = format!("it is {at}, but the session has {} series", self.series.len());
            return Err(SessionError::Field { field: "series_index".to_string(), rule });
        };
        let start = std::time::Instant::now();
        let model = &self.model.model;
        let state = match (known_ahead, &series.state) {
            (Some(rows), Some(state)) => {
                let mut state = state.clone();
                let refused = |error| SessionError::Library(Box::new(error), "known_ahead".to_string());
                model.know_ahead(&mut state, rows.view()).map_err(refused)?;
                Some(state)
            }
            _ => None,
        };
        let (forecast, is_naive) = series.forecast(model, &self.settings, state.as_ref())?;
        let fallback = match (series.fallback.since, self.settings.fallback) {
            (Some(since), Some(rule)) if is_naive => {
                Some((series.figures.mase().unwrap_or(f64::NAN), rule.mase_limit, since))
            }
            _ => None,
        };
        let as_of = self.next - 1;
        Ok(Made {
            forecast,
            as_of,
            series: at,
            surprise: series.figures.surprise,
            elapsed: start.elapsed(),
            fallback,
        })
    }
}
