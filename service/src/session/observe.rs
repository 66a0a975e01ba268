//! One row of a batch: what its time stamp means, and what is done with it.

use forecast::model::StepCovariates;

use super::engine::Engine;
use super::series::{Fit, Scratch, SeriesState};
use super::settings::TimeAction;
use super::trouble::{Refusal, Trouble, misfit, tell};

impl Engine {
    /// Takes one row, or says what is wrong with it.
    pub(super) fn take(
        &mut self,
        at: usize,
        stamp: Option<i64>,
        (values, covariates): (&[f64], &[f64]),
        sequence: u64,
        scratch: &mut Scratch,
        troubles: &mut Vec<Trouble>,
    ) {
        let Some(series) = self.series.get_mut(at) else {
            let message = format!("series_index is {at}, but the session has {} series", self.series.len());
            tell(troubles, (sequence, None, Refusal::SeriesIndex, TimeAction::Reject), || message);
            return;
        };
        let (model, settings) = (&self.model.model, &self.settings);
        let mut refuse =
            |series: &mut SeriesState, refusal, action, message: &dyn Fn(&SeriesState) -> String| {
                series.figures.n_refused +=
                    u64::from(matches!(action, TimeAction::Reject | TimeAction::Drop));
                tell(troubles, (sequence, Some(at), refusal, action), || message(series));
            };
        if values.iter().chain(covariates).any(|value| value.is_infinite()) {
            refuse(series, Refusal::Infinite, TimeAction::Reject, &|series| {
                format!("a value of series \"{}\" is infinite; send NaN where it is missing", series.id)
            });
            return;
        }
        if series.state.is_none() {
            let Some(stamp) = stamp else {
                refuse(series, Refusal::TimeRequired, TimeAction::Reject, &|series| {
                    format!(
                        "series \"{}\" has no start yet; send its first observation with a time stamp",
                        series.id
                    )
                });
                return;
            };
            if let Err(error) = series.restart(model, settings, stamp) {
                refuse(series, Refusal::OffGrid, TimeAction::Reject, &|_| error.to_string());
                return;
            }
        }
        let policy = settings.policies.get(at).copied().unwrap_or_default();
        let fit = stamp.map_or(Fit::Next, |stamp| series.fit(stamp));
        let Some(action) = policy.action(fit) else {
            self.observe(at, values, covariates, sequence, scratch);
            return;
        };
        let stamp = stamp.unwrap_or(series.next_stamp);
        let refusal = match fit {
            Fit::Late => Refusal::Late,
            Fit::Duplicate => Refusal::Duplicate,
            Fit::OffGrid => Refusal::OffGrid,
            Fit::Gap(_) | Fit::Next => Refusal::Gap,
        };
        let told = |series: &SeriesState| misfit(series, stamp, fit);
        if action == TimeAction::Reset
            && let Err(error) = series.clone().restart(model, settings, stamp)
        {
            refuse(series, Refusal::OffGrid, TimeAction::Reject, &|_| error.to_string());
            return;
        }
        refuse(series, refusal, action, &told);
        match (action, fit) {
            (TimeAction::Reset, _) => {
                // It was tried on a copy: it cannot fail.
                if series.restart(model, settings, stamp).is_ok() {
                    series.figures.n_resets += 1;
                    self.observe(at, values, covariates, sequence, scratch);
                }
            }
            (TimeAction::Impute, Fit::Gap(n)) => {
                if series.impute((model, settings, scratch), n, sequence).is_ok() {
                    self.observe(at, values, covariates, sequence, scratch);
                }
            }
            _ => {}
        }
    }

    fn observe(
        &mut self,
        at: usize,
        values: &[f64],
        covariates: &[f64],
        sequence: u64,
        scratch: &mut Scratch,
    ) {
        let (past, known_ahead) = covariates.split_at(self.n_past.min(covariates.len()));
        let told = StepCovariates { past, known_ahead };
        let told = (!covariates.is_empty()).then_some(&told);
        let context = (&self.model.model, &self.settings, scratch);
        if let Err(error) = self.series[at].take(context, values, told, sequence) {
            // Values and covariates were checked against the model: this is our fault.
            tracing::error!(%error, session = self.settings.name, sequence, "an observation was not taken");
        }
    }
}
