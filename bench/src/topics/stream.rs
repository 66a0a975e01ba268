//! `stream`: what an observation costs with a forecast of the next step after it, and what learning from it costs, with
//! an autoregression of 720 lags of which 24 have a weight.
//!
//! Both sides count the forecasts that are above zero, which have to be equally many.

use std::cell::RefCell;

use forecast::ar::rls::RlsOptions;
use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions, State};
use forecast_datasets::ArProcess;
use serde::Serialize;

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Spread, in_turn};
use crate::peer::{Peer, STREAM};
use crate::record::Record;
use crate::rival::{Contest, Rival};

/// Every thirtieth lag up to 720 has this weight.
const LAGS: usize = 24;
const WEIGHT: f64 = 0.03;
const LOOKBACK: usize = 720;
const FITTED_STEPS: usize = 200_000;
/// At least 2,000,000 observations a second.
const MOST_NANOSECONDS: f64 = 500.0;

const RIVALS: [Rival; 1] = [Rival {
    record: "stream_ar_k24_vs_numpy",
    task: "numpy",
    peer: "numpy, a ring and a dot product",
    bar: Some(5.0),
}];

#[derive(Debug, Serialize)]
struct Shape {
    n_steps: usize,
    lags: Vec<usize>,
    weights: Vec<f64>,
    intercept: f64,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let (n_runs, n_steps) = if setting.is_quick { (3, 100_000) } else { (11, 1_000_000) };
    let peer = match setting.has_peers {
        true => Some(RefCell::new(Peer::start(&Python::with_packages()?, STREAM)?)),
        false => None,
    };
    console::note(format!("stream: {n_runs} runs of {n_steps} observations, in turn"));
    let (model, fresh) = fitted()?;
    let shape = shape(&model, n_steps)?;
    let contest =
        Contest { unit: "ns/observation", per_second: 1e9 / n_steps as f64, n_runs, rivals: &RIVALS };
    let measured = contest.run(|| observed(&model, &fresh, n_steps), peer.as_ref(), &shape)?;
    let mut records = contest.records(&measured);
    let per_second = 1e9 / n_steps as f64;
    let ours = Spread::of(measured[0].iter().map(|run| run.seconds * per_second));
    records.push(Record::new("stream_ar_k24", "ns/observation", ours).at_most(MOST_NANOSECONDS));
    let n_learnt = n_steps / 10;
    let learning = in_turn(
        n_runs,
        &mut [Box::new(|| {
            let start = std::time::Instant::now();
            learnt(&model, &fresh, n_learnt)?;
            Ok(start.elapsed().as_secs_f64() * 1e9 / n_learnt as f64)
        })],
    )?;
    let learning = Spread::of(learning.into_iter().flatten());
    records.push(Record::new("stream_ar_k24_learning", "ns/observation", learning));
    Ok(records)
}

/// The model, and the state that it begins with: 720 zeros, more or less.
fn fitted() -> Result<(Model, State)> {
    let mut coefficients = vec![0.0; LOOKBACK];
    coefficients.iter_mut().skip(29).step_by(30).for_each(|weight| *weight = WEIGHT);
    let process = ArProcess { coefficients, ..ArProcess::default() };
    let values = process.generate(FITTED_STEPS, 1).map_err(|error| Error::Unexpected(error.to_string()))?;
    let rows: String = values.iter().enumerate().map(|(t, value)| format!("{t},{value}\n")).collect();
    let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "process.csv", &ReadOptions::default())?;
    let config = ModelConfig::parse("ar-net")?.with("order", &LOOKBACK.to_string())?;
    let options = FitOptions { horizon: Some(1), season_length: Some(1), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options)?.model;
    let mut state = model.start(&panel.series()[0].slice(0..0))?;
    for _ in 0..LOOKBACK {
        model.observe(&mut state, &[0.0])?;
    }
    Ok((model, state))
}

fn shape(model: &Model, n_steps: usize) -> Result<Shape> {
    let (intercept, weights) = model.coefficients(0, 0).unwrap_or_default();
    let lags: Vec<usize> = (1..=weights.len()).filter(|lag| weights[lag - 1] != 0.0).collect();
    if lags.len() != LAGS {
        return Err(Error::Unexpected(format!(
            "{} lags have a weight where {LAGS} made the series",
            lags.len()
        )));
    }
    let weights = lags.iter().map(|lag| weights[lag - 1]).collect();
    Ok(Shape { n_steps, lags, weights, intercept })
}

/// The value of a step, as `peers/stream.py` has it.
fn value(t: i64) -> f64 {
    ((7_919 * t * t + 104_729 * t) % 1_009) as f64 / 100.0 - 5.0
}

/// Observes and forecasts; how many forecasts are above zero.
fn observed(model: &Model, fresh: &State, n_steps: usize) -> Result<f64> {
    let (mut state, mut next, mut n_above) = (fresh.clone(), [0.0], 0.0);
    for t in 0..n_steps as i64 {
        model.observe(&mut state, &[value(t)])?;
        model.next_step(&state, &mut next)?;
        n_above += f64::from(u8::from(next[0] > 0.0));
    }
    Ok(n_above)
}

/// Observes and learns with forgetting.
fn learnt(model: &Model, fresh: &State, n_steps: usize) -> Result<()> {
    let mut state = fresh.clone();
    let mut learner = model.start_learning(&state, &RlsOptions { forgetting: 0.999, prior: 10.0 })?;
    for t in 0..n_steps as i64 {
        model.observe(&mut state, &[value(t)])?;
        model.learn(&mut learner, &state)?;
    }
    Ok(())
}
