//! A step of training of one layer, and a step of a stream, beside PyTorch, with the peak of memory. A layer is measured
//! in a process of its own, so that its memory is not that of layers before it.

use std::cell::RefCell;
use std::hint::black_box;
use std::io::{self, BufRead};
use std::time::Instant;

use forecast::ssm::{Layer, MixerConfig};
use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
use serde::{Deserialize, Serialize};

use super::LAYERS;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn, peak_bytes, reset_peak, resident_bytes};
use crate::peer::{Peer, SSM};
use crate::record::Record;
use crate::topics::Setting;

pub(super) const D_MODEL: usize = 128;
const D_STATE: usize = 64;
const BATCH: usize = 8;
const PYTORCH: &str = "PyTorch, the same layer";
/// Steps of a stream that are timed together.
const N_STEPS: usize = 20_000;
/// At most, for a step of a model of two layers.
const MOST_MICROSECONDS: f64 = 20.0;
/// At most, for the state of a stream of the default model.
const MOST_STATE_BYTES: f64 = 65_536.0;

/// The lookback of the default model on hourly data.
const DEFAULT_LOOKBACK: &str = "336";

/// What doing the work once took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Took {
    /// Time of the work alone.
    pub(super) seconds: f64,
    /// The most memory held during it, less what was held before the first time; `None` where the system does not tell.
    pub(super) growth_bytes: Option<f64>,
}

/// What is asked of PyTorch, and of [`serve`].
#[derive(Debug, Serialize, Deserialize)]
struct Question<'a> {
    task: &'a str,
    layer: &'a str,
    d_model: usize,
    d_state: usize,
    length: usize,
    batch: usize,
    layers: usize,
    steps: usize,
}

impl Took {
    /// Does the work once, with the clock and an eye on the memory; `before` is what was held before the first time, so
    /// that what is kept to be used again counts.
    fn of(before: Option<f64>, work: impl FnOnce() -> Result<()>) -> Result<Self> {
        let before = before.filter(|_| reset_peak());
        let start = Instant::now();
        work()?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(Took {
            seconds,
            growth_bytes: peak_bytes().zip(before).map(|(peak, before)| (peak - before).max(0.0)),
        })
    }
}

/// The settings of a layer by its name.
fn mixer(layer: &str, d_state: usize) -> Result<MixerConfig> {
    let kind = serde_json::from_value(layer.into())?;
    Ok(MixerConfig { kind, d_state, ..MixerConfig::default() })
}

/// Numbers between -1 and 1 that look like none.
fn inputs(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let draw = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..n).map(draw).collect()
}

pub(super) fn run(setting: &Setting) -> Result<Vec<Record>> {
    // PyTorch is too large to install for the quick form.
    let python = (setting.has_peers && !setting.is_quick).then(Python::with_torch).transpose()?;
    // A process for each measurement, as ours has: what one before it has left in the allocator is no growth.
    let started = || python.as_ref().map(|python| Peer::start(python, SSM)).transpose();
    let lengths: &[(usize, usize)] =
        if setting.is_quick { &[(1_024, 3)] } else { &[(1_024, 7), (4_096, 5), (16_384, 3)] };
    let mut records = Vec::new();
    for layer in LAYERS {
        for (length, n_runs) in lengths {
            records.extend(train(layer, *length, *n_runs, started()?)?);
        }
    }
    let peer = started()?.map(RefCell::new);
    records.extend(steps(setting, peer.as_ref())?);
    Ok(records)
}

/// The command of the process that [`serve`] runs in.
const COMMAND: &str = "layer";

/// Answers questions from standard input until it ends: the first one makes the layer and its inputs, each does the
/// work once.
pub(crate) fn serve() -> Result<()> {
    let mut made: Option<(Layer, Option<f64>)> = None;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::file("cannot read", "standard input", error))?;
        let question: Question<'_> = serde_json::from_str(&line)?;
        let Question { task, layer, d_model, d_state, length, batch, .. } = question;
        let u = inputs(batch * length * d_model);
        let (layer, before) = match &made {
            Some(made) => made,
            None => {
                let layer = Layer::new(&mixer(layer, d_state)?, d_model, length, 1)?;
                made.insert((layer, resident_bytes()))
            }
        };
        let took = Took::of(*before, || match task {
            "train" => {
                let (mean, gradient) = black_box(layer.forward_backward(u, batch)?);
                is_finite(mean, &gradient)
            }
            _ => {
                black_box(layer.forward(&u, batch)?);
                Ok(())
            }
        })?;
        console::lines(&[serde_json::to_string(&took)?])?;
    }
    Ok(())
}

/// A process that does the forward pass of one sequence each time that it is asked.
pub(super) fn forward(layer: &str, length: usize, n_runs: usize) -> Result<Vec<Took>> {
    let mut own = Peer::own(&[COMMAND])?;
    let question = Question { batch: 1, ..question("forward", layer, length) };
    Ok(in_turn(n_runs, &mut [Box::new(move || own.ask(&question)) as Candidate<'_, Took>])?.concat())
}

/// Forward and backward pass of one layer.
fn train(layer: &str, length: usize, n_runs: usize, peer: Option<Peer>) -> Result<Vec<Record>> {
    console::note(format!("ssm: {layer}, {length} steps, {n_runs} runs of each side, in turn"));
    let mut own = Peer::own(&[COMMAND])?;
    let mut sides: Vec<Candidate<'_, Took>> =
        vec![Box::new(move || own.ask(&question("train", layer, length)))];
    if let Some(mut peer) = peer {
        sides.push(Box::new(move || peer.ask(&question("train", layer, length))));
    }
    let measured = in_turn(n_runs, &mut sides)?;
    let time = |side: usize| Spread::of(measured[side].iter().map(|took| 1e3 * took.seconds));
    let memory = |side: usize| {
        let megabytes = measured[side].iter().filter_map(|took| took.growth_bytes).map(|bytes| bytes / 1e6);
        Spread::of(megabytes)
    };
    let name = format!("{layer}_train_L{length}");
    let mut records =
        vec![Record::new(&name, "ms", time(0)), Record::new(&format!("{name}_peak_memory"), "MB", memory(0))];
    if measured.len() > 1 {
        // A fifth of PyTorch's time, half for SGConv, and three tenths of its memory.
        let bar = if layer == "sgconv" { 2.0 } else { 5.0 };
        let [of_time, of_memory] = [0, 1].map(|at| records[at].clone());
        records = vec![
            of_time.beside(PYTORCH, time(1)).ratio_at_least(bar),
            of_memory.beside(PYTORCH, memory(1)).ratio_at_least(1.0 / 0.3),
        ];
    }
    Ok(records)
}

fn question<'a>(task: &'a str, layer: &'a str, length: usize) -> Question<'a> {
    Question {
        task,
        layer,
        d_model: D_MODEL,
        d_state: D_STATE,
        length,
        batch: BATCH,
        layers: 2,
        steps: N_STEPS / 20,
    }
}

fn is_finite(mean: f64, gradient: &[f32]) -> Result<()> {
    match mean.is_finite() && gradient.iter().all(|number| number.is_finite()) {
        true => Ok(()),
        false => Err(Error::Unexpected("a layer gave numbers that are not finite".to_string())),
    }
}

/// Observations of a model of two layers, all of its parts, and the recurrences of two layers alone, each beside the same
/// in PyTorch; and the model beside PyTorch's recurrences alone.
fn steps(setting: &Setting, peer: Option<&RefCell<Peer>>) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 3 } else { 11 };
    let mut records = Vec::new();
    for layer in ["s4d", "s4"] {
        let wide = [("mixer", layer), ("d_model", "128"), ("d_state", "64"), ("n_layers", "2")];
        let model = fitted(&wide)?;
        let mut state = model.start(&model.history()[0].slice(0..0))?;
        let ours: Candidate<'_, Took> = Box::new(move || {
            let took = Took::of(None, || {
                for t in 0..N_STEPS {
                    model.observe(&mut state, &[(t % 24) as f64])?;
                }
                Ok(())
            })?;
            Ok(Took { seconds: took.seconds / N_STEPS as f64, ..took })
        });
        let mut sides = vec![ours, recurrences(layer)?];
        if let Some(peer) = peer {
            for task in ["model_step", "step"] {
                sides.push(Box::new(move || peer.borrow_mut().ask(&question(task, layer, 1_024))));
            }
        }
        let measured = in_turn(n_runs, &mut sides)?;
        let time = |side: usize| Spread::of(measured[side].iter().map(|took| 1e6 * took.seconds));
        let name = format!("{layer}_step");
        let record = Record::new(&name, "us", time(0));
        records.push(if layer == "s4d" { record.at_most(MOST_MICROSECONDS) } else { record });
        if measured.len() > 2 {
            let beside = |name: String, [ours, theirs]: [usize; 2], peer| {
                Record::new(&name, "us", time(ours)).beside(peer, time(theirs))
            };
            let (model, alone) = ("PyTorch, the same model", "PyTorch, the recurrences of two layers");
            records.push(beside(format!("{name}_vs_pytorch"), [0, 2], model).ratio_at_least(8.0));
            records.push(beside(format!("{layer}_recurrences"), [1, 3], alone).ratio_at_least(8.0));
            records.push(beside(format!("{name}_vs_recurrences"), [0, 3], alone));
        }
    }
    let model = fitted(&[("lookback", DEFAULT_LOOKBACK)])?;
    let state = model.start(&model.history()[0])?;
    let bytes = Spread::of([state.n_bytes() as f64]);
    records.push(Record::new("ssm_state", "bytes", bytes).at_most(MOST_STATE_BYTES));
    Ok(records)
}

/// Steps of two layers, one after the other, and nothing else.
fn recurrences(layer: &str) -> Result<Candidate<'static, Took>> {
    let stream = |seed| Ok(Layer::new(&mixer(layer, D_STATE)?, D_MODEL, 1_024, seed)?.stream()?);
    let mut streams = [1, 2].map(stream).into_iter().collect::<Result<Vec<_>>>()?;
    let u = inputs(D_MODEL);
    Ok(Box::new(move || {
        let [mut x, mut y] = [u.clone(), u.clone()];
        let took = Took::of(None, || {
            for _ in 0..N_STEPS {
                x.copy_from_slice(&u);
                for stream in &mut streams {
                    stream.step(&x, &mut y)?;
                    std::mem::swap(&mut x, &mut y);
                }
            }
            Ok(())
        })?;
        is_finite(0.0, &black_box(x))?;
        Ok(Took { seconds: took.seconds / N_STEPS as f64, ..took })
    }))
}

/// A model of these settings, trained for one step: what it forecasts does not matter.
fn fitted(settings: &[(&str, &str)]) -> Result<Model> {
    let rows: String = (0..900).map(|t| format!("{t},{}\n", (t * t) % 24)).collect();
    let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "steps.csv", &ReadOptions::default())?;
    let short = [("epochs", "1"), ("stride", "50"), ("lookback", "96")];
    let mut config = ModelConfig::parse("ssm")?;
    for (key, value) in short.iter().chain(settings) {
        config = config.with(key, value)?;
    }
    let options = FitOptions { horizon: Some(24), season_length: Some(24), ..FitOptions::default() };
    Ok(Model::fit(&config, &panel, &options)?.model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_trained_and_the_default_model_steps_in_little_memory() {
        for layer in LAYERS {
            let ours = Layer::new(&mixer(layer, 8).unwrap(), 4, 33, 1).unwrap();
            let (mean, gradient) = ours.forward_backward(inputs(2 * 33 * 4), 2).unwrap();
            is_finite(mean, &gradient).unwrap();
            assert!(mean > 0.0 && gradient.len() == 2 * 33 * 4);
        }
        assert!(is_finite(1.0, &[f32::NAN]).is_err());
        let model = fitted(&[("lookback", DEFAULT_LOOKBACK)]).unwrap();
        let state = model.start(&model.history()[0]).unwrap();
        assert!((state.n_bytes() as f64) < MOST_STATE_BYTES, "{}", state.n_bytes());
    }
}
