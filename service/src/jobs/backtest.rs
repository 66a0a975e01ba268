//! A back-test: a panel in, scores of every fold and of each model out.

use std::collections::{BTreeMap, BTreeSet};

use forecast::eval::{Backtest, BacktestEvent, BacktestOptions, Scores, backtest_fitted, backtest_watched};
use forecast::{FitOptions, Panel};
use forecast_proto::v1;

use super::event::{Fold, ModelScores};
use super::job::Job;
use super::jobs::Shared;
use super::request::checked_fit;
use super::run::{Outcome, Stopped, refused_by_library};
use super::spec::{Violations, backtest_options};

/// What models are ranked by, if it is among the metrics.
const RANKED_BY: &str = "mase";

/// Back-tests, and tells each fold that an earlier attempt has not told.
pub(super) fn run(
    shared: &Shared,
    job: &Job,
    spec: &v1::BacktestSpec,
    panel: &Panel,
) -> Result<Outcome, Stopped> {
    let mut broken = Violations::default();
    let options = backtest_options(spec, &mut broken);
    broken.into_result()?;
    let stored = match spec.model.as_str() {
        "" => None,
        name => Some(shared.registry.model(name)?),
    };
    let mut fit = FitOptions::default();
    let mut configs = Vec::with_capacity(spec.models.len());
    for (at, model) in spec.models.iter().enumerate() {
        let (config, options) = checked_fit(model, &format!("spec.models[{at}]"))?;
        configs.push(config);
        fit = options;
    }
    let options =
        BacktestOptions { fit: FitOptions { cancel: job.cancel.clone(), horizon: None, ..fit }, ..options };
    let mut told = told_before(job)?;
    let wanted: BTreeSet<&str> = spec.metrics.iter().map(String::as_str).collect();
    let mut watch = |event: BacktestEvent| match event {
        BacktestEvent::Fitted { n_done, n_segments } => {
            let message = format!("{n_done} of {n_segments} fits are done");
            let share = n_done as f64 / n_segments.max(1) as f64;
            job.progress(&message, None, |job| job.progress = job.progress.max(share));
        }
        BacktestEvent::Fold(fold) => {
            let key = (fold.model.clone(), fold.unique_id.clone(), fold.cutoff);
            if told.remove(&key) {
                return;
            }
            let message = format!("{} on {} after cutoff {}", fold.model, fold.unique_id, fold.window + 1);
            let scores = kept(fold.scores, &wanted);
            let fold = Fold { unique_id: fold.unique_id, model: fold.model, cutoff: fold.cutoff, scores };
            job.progress(&message, Some(fold), |_| ());
        }
    };
    let outcome = match &stored {
        Some(model) => backtest_fitted(model, &configs, panel, &options, &mut watch),
        None => backtest_watched(&configs, panel, &options, &mut watch),
    };
    let outcome = outcome.map_err(|error| refused_by_library(&error, "spec"))?;
    let scores = summary(&outcome, &wanted);
    Ok(Box::new(move |job| job.scores = scores))
}

/// Model, series and cutoff of every fold that an earlier attempt has told: numbers are the same in each attempt.
fn told_before(job: &Job) -> Result<BTreeSet<(String, String, i64)>, Stopped> {
    let (_, last) = job.snapshot();
    let mut told = BTreeSet::new();
    let mut events = job.events(0).map_err(super::datasets::io_status)?;
    loop {
        let some = events.next_through(last, 1_000).map_err(super::datasets::io_status)?;
        if some.is_empty() {
            return Ok(told);
        }
        told.extend(
            some.into_iter()
                .filter_map(|event| event.fold)
                .map(|fold| (fold.model, fold.unique_id, fold.cutoff)),
        );
    }
}

/// The mean of each metric over all series, by model, the best first.
fn summary(outcome: &Backtest, wanted: &BTreeSet<&str>) -> Vec<ModelScores> {
    let scores: Scores = outcome.scores();
    let n_units = outcome.panel().series().len() * outcome.panel().channels().len();
    let metrics: Vec<String> = scores.metrics().into_iter().map(str::to_string).collect();
    let means: Vec<(String, Vec<f64>)> =
        metrics.into_iter().map(|metric| (metric.clone(), scores.mean(&metric))).collect();
    let rank = means.iter().find(|(metric, _)| metric == RANKED_BY).map(|(_, values)| values.clone());
    let mut models: Vec<(f64, ModelScores)> = scores
        .models
        .iter()
        .enumerate()
        .map(|(at, model)| {
            let own = means.iter().map(|(metric, values)| (metric.clone(), values[at])).collect();
            let scores = kept(own, wanted);
            let n_forecasts = (outcome.n_windows * n_units) as u64;
            let rank = rank.as_ref().map_or(f64::NAN, |rank| rank[at]);
            (rank, ModelScores { model: model.clone(), scores, n_forecasts })
        })
        .collect();
    // NaN comes last.
    models.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    models.into_iter().map(|(_, scores)| scores).collect()
}

/// The scores that were asked for and are defined.
fn kept(scores: Vec<(String, f64)>, wanted: &BTreeSet<&str>) -> BTreeMap<String, f64> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(name);
    scores.into_iter().filter(|(name, value)| is_wanted(name) && value.is_finite()).collect()
}
