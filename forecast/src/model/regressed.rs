//! What a model is regressed on, on its way through states and files.

use std::collections::VecDeque;

use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};

use super::{Model, Slot, State, Tensor, Tensors};
use crate::data::{CovariateSchema, Covariates, Known, Panel, ReadReport, Series, TimeIndex};
use crate::regression::{Regression, Regressors};
use crate::{Error, Result};

/// Rows known ahead that a state takes, at most.
const MOST_AHEAD: usize = 1_000_000;

/// The covariates of the last steps of a stream, and those known of the next ones: plain data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    /// Of the last steps, the oldest first; `None` where missing.
    past: VecDeque<Vec<Option<f64>>>,
    /// Of the same steps, and of steps that follow.
    future: VecDeque<Vec<Option<f64>>>,
    /// Those that never change, for models that look at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fixed: Vec<Option<f64>>,
}

impl Tail {
    /// The last `reach` steps of a series and what it knows ahead.
    pub(super) fn of(covariates: &Covariates, reach: usize) -> Self {
        let from = covariates.n_steps().saturating_sub(reach);
        let rows = |values: ArrayView2<'_, f64>| {
            let values = values.slice_move(s![from.., ..]);
            values
                .outer_iter()
                .take(reach + MOST_AHEAD)
                .map(|row| row.iter().map(|v| kept(*v)).collect())
                .collect()
        };
        let (past, future) = (rows(covariates.past()), rows(covariates.future()));
        Tail { past, future, fixed: Vec::new() }
    }

    /// With covariates that never change.
    pub(super) fn with_fixed(self, fixed: &[f64]) -> Self {
        Tail { fixed: fixed.iter().map(|value| kept(*value)).collect(), ..self }
    }

    /// Those that never change.
    pub(super) fn fixed(&self) -> Vec<f64> {
        self.fixed.iter().map(|value| value.unwrap_or(f64::NAN)).collect()
    }

    /// What was known ahead of the next step, of `n` columns; NaN where it was not.
    pub(super) fn next_ahead(&self, n: usize) -> Vec<f64> {
        let known = self.future.get(self.past.len());
        (0..n).map(|i| known.and_then(|row| row[i]).unwrap_or(f64::NAN)).collect()
    }

    /// How many of the last steps lack a covariate, and of how many that is, at most `most`.
    pub(super) fn n_missing(&self, most: usize) -> (usize, usize) {
        let n = self.past.len().min(most);
        let rows = self.past.iter().zip(&self.future).skip(self.past.len() - n);
        let lacking = rows.filter(|(past, future)| past.iter().chain(*future).any(Option::is_none));
        (lacking.count(), n)
    }

    fn n_ahead(&self) -> usize {
        self.future.len().saturating_sub(self.past.len())
    }

    /// Takes one step; `given` counts before what was known ahead of it.
    pub(super) fn push(
        &mut self,
        given: Option<&StepCovariates<'_>>,
        (n_past, n_future): (usize, usize),
        reach: usize,
    ) {
        let at = self.past.len();
        let row = |values: &[f64], n: usize| (0..n).map(|i| values.get(i).and_then(|v| kept(*v))).collect();
        self.past.push_back(row(given.map_or(&[], |given| given.past), n_past));
        match (given, self.future.get_mut(at)) {
            (Some(given), Some(known)) => *known = row(given.known_ahead, n_future),
            (Some(given), None) => self.future.push_back(row(given.known_ahead, n_future)),
            (None, None) => self.future.push_back(row(&[], n_future)),
            (None, Some(_)) => {}
        }
        while self.past.len() > reach {
            self.past.pop_front();
            self.future.pop_front();
        }
    }

    pub(super) fn is_sound(&self, schema: &CovariateSchema) -> bool {
        let (n_past, n_future) = (schema.of(Known::Past).len(), schema.of(Known::Future).len());
        self.future.len() >= self.past.len()
            && self.fixed.len() == schema.of(Known::Static).len()
            && self.past.iter().all(|row| row.len() == n_past)
            && self.future.iter().all(|row| row.len() == n_future)
    }
}

fn kept(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

/// The covariates of one step of a stream, in the order of the model's schema, NaN where missing; categories as
/// their codes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepCovariates<'a> {
    /// Those known in the past only.
    pub past: &'a [f64],
    /// Those that were known ahead.
    pub known_ahead: &'a [f64],
}

impl Model {
    /// The covariates that forecasts of this model need; none for most.
    #[must_use]
    pub fn covariate_schema(&self) -> CovariateSchema {
        self.schema().cloned().unwrap_or_default()
    }

    fn schema(&self) -> Option<&CovariateSchema> {
        let header = self.header();
        header.regressors.as_ref().map(Regressors::schema).or(header.inputs.as_ref())
    }

    /// What a series is regressed on, and what one unit of each column adds to a channel of a training series, in the
    /// units of the series; empty for most models.
    #[must_use]
    pub fn regression_weights(&self, series: usize, channel: usize) -> Vec<(String, f64)> {
        let scaler = self.parts.scalers.get(series).and_then(|slot| slot.get(channel));
        match (&self.parts.regression, scaler) {
            (Some(regression), Some(scaler)) => {
                regression.weights(self.family_slot(series), channel, self.header().step, scaler.spread)
            }
            _ => Vec::new(),
        }
    }

    /// The stored ends of the training series with their covariates, as a panel that can be told what is known ahead.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn history_panel(&self) -> Result<Panel> {
        let (header, history) = (self.header(), self.history().to_vec());
        let (step, opening) = (header.step, header.opening.clone());
        let report = ReadReport { step, opening, ..ReadReport::default() };
        Panel::from_parts(header.channels.clone(), self.covariate_schema(), history, report)
    }

    /// Tells a state what is known ahead of its next steps; what it knew before is forgotten.
    ///
    /// # Shapes
    /// `rows`: `(step, covariate)`, in the order of [`Model::covariate_schema`].
    ///
    /// # Errors
    /// [`Error::BadOption`] for rows of another width or infinite values, and more than 1,000,000 of them.
    pub fn know_ahead(&self, state: &mut State, rows: ArrayView2<'_, f64>) -> Result<()> {
        let schema = self.covariate_schema();
        let n = schema.of(Known::Future).len();
        if rows.ncols() != n {
            return Err(Error::option("columns known ahead", rows.ncols(), format!("the model has {n}")));
        }
        if rows.nrows() > MOST_AHEAD {
            let rule = format!("it must be at most {MOST_AHEAD}");
            return Err(Error::option("rows known ahead", rows.nrows(), rule));
        }
        // The same checks as for a series.
        let index = state.index().future(rows.nrows());
        let past = Array2::from_elem((rows.nrows(), schema.of(Known::Past).len()), f64::NAN);
        let fixed = vec![f64::NAN; schema.of(Known::Static).len()];
        let checked = Covariates::new(&schema, state.series(), &index, (past, rows.to_owned(), fixed))?;
        let tail = state.tail.get_or_insert_default();
        tail.future.truncate(tail.past.len());
        let ahead = checked.future();
        tail.future.extend(ahead.outer_iter().map(|row| row.iter().map(|v| kept(*v)).collect::<Vec<_>>()));
        Ok(())
    }

    /// A history without what the model is regressed on, from `from` on, and the covariates that a stream goes on
    /// with.
    pub(super) fn left_of(
        &self,
        regression: &Regression,
        slot: Slot,
        history: &Series,
        from: usize,
    ) -> Result<(Series, Tail)> {
        let regressors = regression.regressors();
        let reach = regressors.reach();
        let first = from.saturating_sub(reach);
        let part = history.slice(first..history.n_steps());
        let scalers = &self.parts.scalers[slot.scale];
        let left = regression.taken_out(slot.family, &part, scalers, &self.header().channels)?;
        let tail = match regressors.has_covariates() {
            true => Tail::of(history.covariates(), reach),
            false => Tail::default(),
        };
        Ok((left.slice(from - first..part.n_steps()), tail))
    }

    /// That the covariates of a step are as many as the model has.
    pub(super) fn check_given(&self, given: &StepCovariates<'_>) -> Result<()> {
        let n = |known| self.schema().map_or(0, |schema| schema.of(known).len());
        for (field, found, expected) in [
            ("past covariates", given.past.len(), n(Known::Past)),
            ("covariates known ahead", given.known_ahead.len(), n(Known::Future)),
        ] {
            if found != expected {
                return Err(Error::option(field, found, format!("the model has {expected}")));
            }
        }
        Ok(())
    }

    /// What the next step of a state has of what the model is regressed on, one value a channel in the units of the
    /// series; NaN where a covariate is missing. Then the step's covariates count as seen.
    pub(super) fn next_offset(
        &self,
        regression: &Regression,
        slot: Slot,
        state: &mut State,
        given: Option<&StepCovariates<'_>>,
    ) -> Result<Vec<f64>> {
        let regressors = regression.regressors();
        let scalers = &self.parts.scalers[slot.scale];
        let schema = regressors.schema();
        let n = (schema.of(Known::Past).len(), schema.of(Known::Future).len());
        if !regressors.has_covariates() {
            let series = self.carrier(state, 0)?;
            return Ok(regression.offsets(slot.family, &series, 0..1, scalers)?.row(0).to_vec());
        }
        let mut tail = state.tail.take().unwrap_or_default();
        tail.push(given, n, regressors.reach() + 1);
        state.tail = Some(tail);
        // The carrier ends with the step itself, whose stamp is one after the index.
        let series = self.carrier(state, 1)?;
        let at = series.n_steps() - 1;
        let offsets = regression.offsets(slot.family, &series, at..at + 1, scalers)?;
        if let Some(tail) = &mut state.tail
            && tail.past.len() > regressors.reach()
        {
            tail.past.pop_front();
            tail.future.pop_front();
        }
        Ok(offsets.row(0).to_vec())
    }

    /// What is put back into the forecasts of the next `horizon` steps of a state. Shape `(horizon, channel)`.
    ///
    /// # Errors
    /// [`Error::MissingAhead`] lists the covariates that are not known; [`Error::BadOption`] for more steps than past
    /// covariates reach.
    pub(super) fn offsets_ahead(
        &self,
        regression: &Regression,
        slot: Slot,
        state: &State,
        horizon: usize,
    ) -> Result<Array2<f64>> {
        let regressors = regression.regressors();
        let schema = regressors.schema();
        let series = self.carrier(state, 0)?;
        if !schema.of(Known::Past).is_empty() && horizon > self.header().horizon {
            let rule = format!(
                "past covariates enter with the lag of the fit's horizon, {}; ask for no more steps, or fit with a \
                 longer horizon",
                self.header().horizon
            );
            return Err(Error::option("horizon", horizon, rule));
        }
        schema.check_ahead(state.series(), series.index(), series.covariates(), horizon)?;
        let n = series.n_steps();
        let scalers = &self.parts.scalers[slot.scale];
        let offsets = regression.offsets(slot.family, &series, n..n + horizon, scalers)?;
        // A past covariate that is missing where it would enter: nothing is known of its effect.
        Ok(offsets.mapv(|offset| if offset.is_nan() { 0.0 } else { offset }))
    }

    /// What each column adds to the forecast of a step ahead, from 1, of a channel, in the units of the series; the waves
    /// of a season count as one.
    ///
    /// # Errors
    /// As [`Model::offsets_ahead`].
    pub(super) fn column_contributions(
        &self,
        regression: &Regression,
        slot: Slot,
        state: &State,
        channel: usize,
        step: usize,
    ) -> Result<Vec<(String, f64)>> {
        self.offsets_ahead(regression, slot, state, step)?;
        let series = self.carrier(state, 0)?;
        let at = series.n_steps() + step - 1;
        let spread = self.parts.scalers[slot.scale][channel].spread;
        let contributions = regression.contributions(slot.family, channel, &series, at, spread)?;
        Ok(regression.regressors().told(contributions, self.header().step))
    }

    /// A series that carries the index and the covariates of a state's last steps, `more` of which are not yet in its
    /// index.
    pub(super) fn carrier(&self, state: &State, more: usize) -> Result<Series> {
        let schema = self.covariate_schema();
        let none = Tail::default();
        let tail = state.tail.as_ref().unwrap_or(&none);
        if !tail.is_sound(&schema) {
            return Err(Error::option("state", state.series(), "it must come from this model"));
        }
        let n = tail.past.len();
        let end = state.index().len + more;
        if n > end {
            return Err(Error::option("state", state.series(), "it must come from this model"));
        }
        let index: TimeIndex = state.index().slice(end - n..end);
        let matrix = |rows: &VecDeque<Vec<Option<f64>>>, n_columns: usize| {
            Array2::from_shape_fn((rows.len(), n_columns), |(row, column)| {
                rows[row][column].unwrap_or(f64::NAN)
            })
        };
        let past = matrix(&tail.past, schema.of(Known::Past).len());
        let future = matrix(&tail.future, schema.of(Known::Future).len());
        let covariates = Covariates::new(&schema, state.series(), &index, (past, future, tail.fixed()))?;
        let channels = &self.header().channels;
        let values = Array2::from_elem((n, channels.len()), f64::NAN);
        Series::new(state.series(), index, values, channels)?.with_covariates(covariates)
    }

    /// True if a history has the columns that the model looks at.
    pub(super) fn check_covariates(&self, series: &Series) -> Result<()> {
        let Some(schema) = self.schema().filter(|schema| !schema.is_empty()) else { return Ok(()) };
        let covariates = series.covariates();
        let n = |known: Known| schema.of(known).len();
        // A regression has no static columns, and does not mind those of a history.
        let n_static = if n(Known::Static) == 0 { 0 } else { covariates.static_values().len() };
        let found = [covariates.past().ncols(), covariates.future().ncols(), n_static];
        if found == [n(Known::Past), n(Known::Future), n(Known::Static)] {
            return Ok(());
        }
        // A stream that begins with nothing has nothing beside it, but for what never changes.
        if series.n_steps() == 0 && found == [0; 3] && n(Known::Static) == 0 {
            return Ok(());
        }
        let does = if self.parts.inputs.is_some() { "looks at" } else { "is regressed on" };
        let names = schema.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let rule =
            format!("the model {does} {names}: read the data with the model's covariates, a column for each");
        Err(Error::option(
            format!("the number of covariates of series \"{}\"", series.id()),
            found.iter().sum::<usize>(),
            rule,
        ))
    }
}

impl State {
    /// Steps whose known covariates the state has been told ahead.
    #[must_use]
    pub fn n_known_ahead(&self) -> usize {
        self.tail.as_ref().map_or(0, Tail::n_ahead)
    }
}

/// The covariates of stored histories, one after the other.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    schema: &'a CovariateSchema,
    past: &'a [f64],
    future: &'a [f64],
    ahead: &'a [f64],
    fixed: &'a [f64],
}

impl<'a> Stored<'a> {
    /// Those of a file; `None` if the model needs none.
    pub(super) fn of(schema: &'a CovariateSchema, tensors: &'a Tensors) -> Result<Option<Self>> {
        if schema.is_empty() {
            return Ok(None);
        }
        let get = |name: &str| {
            let tensor = tensors.get(name).and_then(Tensor::doubles);
            tensor.ok_or_else(|| Error::Internal(format!("tensor {name} is missing")))
        };
        let (past, future, ahead) = (get("history.past")?, get("history.future")?, get("history.ahead")?);
        let has_static = !schema.of(Known::Static).is_empty();
        let fixed = if has_static { get("history.static")? } else { &[] };
        Ok(Some(Stored { schema, past, future, ahead, fixed }))
    }

    /// A stored history with its covariates.
    pub(super) fn next(&mut self, series: Series) -> Result<Series> {
        let wrong = || Error::Internal("the stored covariates do not fit the header".to_string());
        let n = series.n_steps();
        let (n_past, n_future) = (self.schema.of(Known::Past).len(), self.schema.of(Known::Future).len());
        let (ahead, rest) = self.ahead.split_first().ok_or_else(wrong)?;
        if !(0.0..=MOST_AHEAD as f64).contains(ahead) {
            return Err(wrong());
        }
        self.ahead = rest;
        let take = |from: &mut &'a [f64], rows: usize, columns: usize| {
            let (values, rest) = from.split_at_checked(rows * columns).ok_or_else(wrong)?;
            *from = rest;
            Array2::from_shape_vec((rows, columns), values.to_vec()).map_err(|_| wrong())
        };
        let past = take(&mut self.past, n, n_past)?;
        let future = take(&mut self.future, n + *ahead as usize, n_future)?;
        let fixed = take(&mut self.fixed, 1, self.schema.of(Known::Static).len())?;
        let covariates = Covariates::new(
            self.schema,
            series.id(),
            series.index(),
            (past, future, fixed.into_raw_vec_and_offset().0),
        )?;
        series.with_covariates(covariates)
    }

    /// The tensors of some histories; none if they have no covariates.
    pub(super) fn tensors(schema: &CovariateSchema, history: &[Series]) -> Tensors {
        if schema.is_empty() {
            return Tensors::new();
        }
        let flat = |of: &dyn Fn(&Covariates) -> Vec<f64>| {
            let values: Vec<f64> = history.iter().flat_map(|series| of(series.covariates())).collect();
            Tensor::new(vec![values.len()], values)
        };
        let ahead = |covariates: &Covariates| covariates.n_ahead().min(MOST_AHEAD);
        let mut tensors = Tensors::from([
            ("history.past".to_string(), flat(&|covariates| covariates.past().iter().copied().collect())),
            (
                "history.future".to_string(),
                flat(&|covariates| {
                    let rows = covariates.n_steps() + ahead(covariates);
                    covariates.future().slice(s![..rows, ..]).iter().copied().collect()
                }),
            ),
            ("history.ahead".to_string(), flat(&|covariates| vec![ahead(covariates) as f64])),
        ]);
        if !schema.of(Known::Static).is_empty() {
            let fixed = flat(&|covariates| covariates.static_values().to_vec());
            tensors.insert("history.static".to_string(), fixed);
        }
        tensors
    }
}
