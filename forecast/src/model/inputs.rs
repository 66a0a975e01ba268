//! The covariates that a network takes, on their way through states.

use ndarray::Array2;

use super::regressed::{StepCovariates, Tail};
use super::{Model, State, Warning};
use crate::data::{Covariates, InputColumns, InputRows, Known, Series};
use crate::{Error, Result};

impl Model {
    /// The covariates that a stream goes on with after a history of which the last `n_fed` steps were fed.
    pub(super) fn tail_of(
        &self,
        inputs: &InputColumns,
        history: &Series,
        (n_fed, kept): (usize, usize),
    ) -> Tail {
        let fed = history.tail(n_fed);
        let has_static = !inputs.schema().of(Known::Static).is_empty();
        let fixed = if has_static { fed.covariates().static_values() } else { &[] };
        Tail::of(fed.covariates(), self.parts.family.steps_told(kept)).with_fixed(fixed)
    }

    /// The inputs of the next step of a state: those given, else what was known ahead of it. Then they count as seen.
    ///
    /// # Errors
    /// [`Error::BadOption`] and [`Error::Infinite`] for values that no cell of a column has; the state is then as it
    /// was.
    pub(super) fn next_inputs(
        &self,
        inputs: &InputColumns,
        state: &mut State,
        given: Option<&StepCovariates<'_>>,
    ) -> Result<InputRows> {
        let schema = inputs.schema();
        let n = (schema.of(Known::Past).len(), schema.of(Known::Future).len());
        let none = Tail::default();
        let tail = state.tail.as_ref().unwrap_or(&none);
        if !tail.is_sound(schema) {
            return Err(Error::option("state", state.series(), "it must come from this model"));
        }
        let (past, future) = match given {
            Some(given) => (given.past.to_vec(), given.known_ahead.to_vec()),
            None => (vec![f64::NAN; n.0], tail.next_ahead(n.1)),
        };
        let row = |values: Vec<f64>| {
            let shape = (1, values.len());
            Array2::from_shape_vec(shape, values).map_err(|error| Error::Internal(error.to_string()))
        };
        let parts = (row(past)?, row(future)?, tail.fixed());
        let step = Covariates::new(schema, state.series(), &state.index().future(1), parts)?;
        let reach = self.parts.family.steps_told(self.kept_steps());
        let n_steps = state.index().len;
        state.tail.get_or_insert_default().push(given, n, reach);
        Ok(inputs.rows(&step, 0..1).beginning_at(n_steps))
    }

    /// The inputs of the last steps of a state and of the `horizon` steps that follow; `None` of a model without.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a state of another model.
    pub(super) fn inputs_of(&self, state: &State, horizon: usize) -> Result<Option<InputRows>> {
        let Some(inputs) = &self.parts.inputs else { return Ok(None) };
        let series = self.carrier(state, 0)?;
        Ok(Some(rows(inputs, state, &series, horizon)))
    }

    /// [`Model::inputs_of`], once it is known that a forecast of `horizon` steps lacks nothing that has to be known.
    ///
    /// # Errors
    /// [`Error::MissingAhead`] lists the covariates that are not known; [`Error::BadOption`] for more steps than past
    /// covariates serve, and for a state of another model.
    pub(super) fn inputs_ahead(&self, state: &State, horizon: usize) -> Result<Option<InputRows>> {
        let Some(inputs) = &self.parts.inputs else { return Ok(None) };
        let (schema, calibrated) = (inputs.schema(), self.header().horizon);
        if !schema.of(Known::Past).is_empty() && horizon > calibrated {
            let rule = format!(
                "past covariates are not known beyond the steps that the network forecasts at once, {calibrated}; ask \
                 for no more, or fit with a longer horizon"
            );
            return Err(Error::option("horizon", horizon, rule));
        }
        let series = self.carrier(state, 0)?;
        schema.check_ahead(state.series(), series.index(), series.covariates(), horizon)?;
        Ok(Some(rows(inputs, state, &series, horizon)))
    }

    /// What the reader of a forecast should know of the covariates before it.
    pub(super) fn missing_inputs(&self, state: &State) -> Option<Warning> {
        self.parts.inputs.as_ref()?;
        let tail = state.tail.as_ref()?;
        let (n_missing, n_steps) = tail.n_missing(self.lookback());
        (n_missing > 0).then(|| Warning {
            reason: "COVARIATES_MISSING",
            message: format!(
                "{n_missing} of the last {n_steps} steps lacked a covariate: the network took the mean of a number, and \
                 none of the categories"
            ),
        })
    }
}

/// The inputs of a state's last steps, whose covariates `series` carries, and of those that follow.
fn rows(inputs: &InputColumns, state: &State, series: &Series, horizon: usize) -> InputRows {
    let n = series.n_steps();
    inputs.rows(series.covariates(), 0..n.saturating_add(horizon)).beginning_at(state.index().len - n)
}
