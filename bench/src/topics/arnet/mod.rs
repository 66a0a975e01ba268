//! `arnet`: the experiments of the AR-Net paper (arXiv 1911.12436): coefficients found, and the time that fits take.
//!
//! The series are of the paper's AR(3) process, 125,000 steps, of which the first 100,000 are fitted and the rest
//! forecast one step ahead. Time is that of the fit alone, from an array in memory to coefficients.

mod charts;
mod growth;

use std::cell::RefCell;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use forecast::ar::neural::{self, NeuralArConfig, Recipe};
use forecast::ar::sparse::{Criterion, PathOptions, Problem, path, select};
use forecast::ar::{ClassicOptions, Method, classic};
use forecast_datasets::ArProcess;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn};
use crate::peer::{ARNET, ARNET_TORCH, Peer};
use crate::record::Record;
use crate::scratch::Scratch;

const COEFFICIENTS: [f64; 3] = [0.2, 0.3, -0.5];
const N_TRAINING: usize = 100_000;
const N_STEPS: usize = 125_000;
/// The most that the mean sTPE of solved AR-Net may be, in percent.
const MOST_STPE: f64 = 1.5;
/// Weights of two sides that fit the same may differ by this much: peers fit no intercept to a series of mean 0.
const TOLERANCE: f64 = 1e-4;

/// A way to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    LeastSquares,
    Autocorrelation,
    Solved,
    /// The same path from autocorrelations alone.
    SolvedQuick,
    /// As the paper trains it.
    Gradient,
}

/// A peer's way to fit, and the record that sets ours beside it.
struct Rival {
    ours: Fit,
    task: &'static str,
    suffix: &'static str,
    peer: &'static str,
    bar: f64,
    /// Whether the weights have to be the same.
    is_same: bool,
    is_slow: bool,
}

const RIVALS: [Rival; 6] = [
    Rival {
        ours: Fit::LeastSquares,
        task: "normal",
        suffix: "_vs_normal",
        peer: "numpy, normal equations of the lag matrix",
        bar: 20.0,
        is_same: true,
        is_slow: false,
    },
    Rival {
        ours: Fit::LeastSquares,
        task: "lstsq",
        suffix: "_vs_lstsq",
        peer: "numpy.linalg.lstsq on the lag matrix",
        bar: 100.0,
        is_same: true,
        is_slow: true,
    },
    Rival {
        ours: Fit::LeastSquares,
        task: "autoreg",
        suffix: "_vs_autoreg",
        peer: "statsmodels AutoReg",
        bar: 200.0,
        is_same: true,
        is_slow: true,
    },
    // The exact solution is held to ten times the time of the approximate one.
    Rival {
        ours: Fit::LeastSquares,
        task: "toeplitz",
        suffix: "_vs_toeplitz",
        peer: "scipy, FFT and solve_toeplitz",
        bar: 0.1,
        is_same: false,
        is_slow: false,
    },
    Rival {
        ours: Fit::Autocorrelation,
        task: "toeplitz",
        suffix: "_vs_toeplitz",
        peer: "scipy, FFT and solve_toeplitz",
        bar: 1.0 / 1.5,
        is_same: true,
        is_slow: false,
    },
    Rival {
        ours: Fit::SolvedQuick,
        task: "lasso",
        suffix: "_vs_lasso",
        peer: "scipy and scikit-learn, FFT and coordinate descent for one penalty",
        bar: 1.0 / 1.5,
        is_same: false,
        is_slow: false,
    },
];

#[derive(Debug, Serialize)]
struct Question<'a> {
    task: &'a str,
    series: &'a Path,
    order: usize,
    density: f64,
    seed: u64,
}

/// A fit that was made once.
#[derive(Debug, Deserialize)]
struct Fitted {
    seconds: f64,
    /// Lag 1 first.
    weights: Vec<f64>,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let (orders, n_seeds): (&[usize], u64) =
        if setting.is_quick { (&[10, 100], 2) } else { (&[10, 100, 1_000, 3_000], 5) };
    let scratch = Scratch::new("arnet")?;
    let peer = match setting.has_peers {
        true => Some(RefCell::new(Peer::start(&Python::with_packages()?, ARNET)?)),
        false => None,
    };
    let torch = match setting.has_peers && !setting.is_quick {
        true => Some(RefCell::new(Peer::start(&Python::with_torch()?, ARNET_TORCH)?)),
        false => None,
    };
    let mut records = Vec::new();
    for order in orders {
        console::note(format!("arnet: order {order}"));
        records.extend(accuracy(*order, n_seeds)?);
        records.extend(times(*order, setting, &scratch, peer.as_ref(), torch.as_ref())?);
    }
    console::note("arnet: growth");
    records.extend(growth::growth(setting.is_quick)?);
    if let Some(folder) = &setting.plots {
        charts::draw(&records, folder)?;
    }
    Ok(records)
}

/// The process, its mean over the training range taken away.
fn series(seed: u64) -> Result<Vec<f64>> {
    let mut values = series_of(N_STEPS, seed)?;
    let mean = values[..N_TRAINING].iter().sum::<f64>() / N_TRAINING as f64;
    values.iter_mut().for_each(|value| *value -= mean);
    Ok(values)
}

fn series_of(n: usize, seed: u64) -> Result<Vec<f64>> {
    let process = ArProcess { coefficients: COEFFICIENTS.to_vec(), ..ArProcess::default() };
    Ok(process.generate(n, seed)?)
}

fn fit(kind: Fit, values: &[f64], order: usize) -> Result<Fitted> {
    let start = Instant::now();
    let weights = match kind {
        Fit::LeastSquares => {
            let options = ClassicOptions::default();
            classic(values, order, options)?.weights
        }
        Fit::Autocorrelation => {
            let options = ClassicOptions { method: Method::Autocorrelation, ..ClassicOptions::default() };
            classic(values, order, options)?.weights
        }
        Fit::Solved => {
            let problem = Problem::from_series(values, order)?;
            let path = path(&problem, &PathOptions::default())?;
            select(&problem, &path, Criterion::default())?.weights.clone()
        }
        Fit::SolvedQuick => {
            let problem = Problem::from_autocorrelations(values, order)?;
            let path = path(&problem, &PathOptions::default())?;
            select(&problem, &path, Criterion::default())?.weights.clone()
        }
        Fit::Gradient => {
            let config = NeuralArConfig {
                order: Some(order),
                recipe: Recipe::Original,
                density: density(order),
                ..NeuralArConfig::default()
            };
            neural::train(values, &config)?.weights
        }
    };
    Ok(Fitted { seconds: start.elapsed().as_secs_f64(), weights: black_box(weights) })
}

/// The share of lags that the process has.
fn density(order: usize) -> f64 {
    COEFFICIENTS.len() as f64 / order as f64
}

/// How far the coefficients are from those of the process, and what that costs a forecast, over several seeds.
fn accuracy(order: usize, n_seeds: u64) -> Result<Vec<Record>> {
    let (mut of_classic, mut of_solved, mut false_lags, mut loss) = (vec![], vec![], vec![], vec![]);
    for seed in 1..=n_seeds {
        let values = series(seed)?;
        let fitted = |kind| fit(kind, &values[..N_TRAINING], order).map(|fitted| fitted.weights);
        let (classic, solved) = (fitted(Fit::LeastSquares)?, fitted(Fit::Solved)?);
        of_classic.push(stpe(&classic));
        of_solved.push(stpe(&solved));
        false_lags
            .push(solved.iter().skip(COEFFICIENTS.len()).filter(|weight| **weight != 0.0).count() as f64);
        loss.push(forecast_mse(&solved, &values) / forecast_mse(&COEFFICIENTS, &values));
    }
    let mean = |figures: &[f64]| figures.iter().sum::<f64>() / figures.len() as f64;
    // The median of a record is the mean here; least and greatest are of the seeds.
    let spread = |figures: &[f64]| Spread { median: mean(figures), ..Spread::of(figures.iter().copied()) };
    let name = |what: &str| format!("{what}_p{order}");
    Ok(vec![
        Record::new(&(name("classic_ar") + "_stpe"), "%", spread(&of_classic)),
        Record::new(&(name("arnet_solved") + "_stpe"), "%", spread(&of_solved)).at_most(MOST_STPE),
        Record::new(&(name("arnet_solved") + "_false_lags"), "lags", spread(&false_lags)),
        Record::new(&(name("arnet_solved") + "_mse_over_true"), "x", spread(&loss)),
    ])
}

/// `100 sum |w - v| / sum (|w| + |v|)` with the coefficients of the process.
fn stpe(weights: &[f64]) -> f64 {
    let truth = |i: usize| COEFFICIENTS.get(i).copied().unwrap_or(0.0);
    let pairs = weights
        .iter()
        .enumerate()
        .map(|(i, weight)| ((weight - truth(i)).abs(), weight.abs() + truth(i).abs()));
    let (error, scale) = pairs.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    100.0 * error / scale
}

/// One step ahead, over what was not fitted.
fn forecast_mse(weights: &[f64], values: &[f64]) -> f64 {
    let error = |t: usize| {
        let forecast: f64 = weights.iter().enumerate().map(|(i, weight)| weight * values[t - 1 - i]).sum();
        values[t] - forecast
    };
    (N_TRAINING..values.len()).map(|t| error(t) * error(t)).sum::<f64>() / (values.len() - N_TRAINING) as f64
}

/// Each way to fit beside each of its rivals: the quick ones many times, the slow ones a few.
fn times(
    order: usize,
    setting: &Setting,
    scratch: &Scratch,
    peer: Option<&RefCell<Peer>>,
    torch: Option<&RefCell<Peer>>,
) -> Result<Vec<Record>> {
    let all = series(1)?;
    let values = &all[..N_TRAINING];
    let file = write(values, scratch)?;
    let mut records = Vec::new();
    for is_slow in [false, true] {
        let n_runs = if is_slow || setting.is_quick { 3 } else { 21 };
        // The slow ones hold a lag matrix of 800 MB at order 1,000, and take minutes beyond.
        let is_done =
            |rival: &&Rival| peer.is_some() && rival.is_slow == is_slow && (!is_slow || order <= 1_000);
        let rivals: Vec<&Rival> =
            RIVALS.iter().filter(is_done).filter(|r| r.task != "normal" || order <= 1_000).collect();
        let kinds = [Fit::LeastSquares, Fit::Autocorrelation, Fit::Solved, Fit::SolvedQuick];
        let question = |task| Question { task, series: &file, order, density: density(order), seed: 1 };
        let mut sides: Vec<Candidate<'_, Fitted>> = Vec::new();
        for kind in kinds {
            sides.push(Box::new(move || fit(kind, values, order)));
        }
        if let Some(peer) = peer {
            for rival in &rivals {
                sides.push(Box::new(|| peer.borrow_mut().ask(&question(rival.task))));
            }
        }
        let n_before = sides.len();
        if let Some(torch) = torch.filter(|_| is_slow) {
            sides.push(Box::new(|| torch.borrow_mut().ask(&question("train"))));
        }
        if is_slow {
            sides.push(Box::new(move || fit(Fit::Gradient, values, order)));
        }
        let measured = in_turn(n_runs, &mut sides)?;
        drop(sides);
        let spread = |runs: &[Fitted]| Spread::of(runs.iter().map(|run| 1e3 * run.seconds));
        let name = |kind: Fit| match kind {
            Fit::LeastSquares => format!("classic_ar_p{order}"),
            Fit::Autocorrelation => format!("autocorrelation_ar_p{order}"),
            Fit::Solved => format!("arnet_solved_p{order}"),
            Fit::SolvedQuick => format!("autocorrelation_arnet_p{order}"),
            Fit::Gradient => format!("arnet_gradient_p{order}"),
        };
        if !is_slow {
            records.extend(
                kinds.iter().zip(&measured).map(|(kind, runs)| Record::new(&name(*kind), "ms", spread(runs))),
            );
        }
        for (rival, runs) in rivals.iter().zip(measured.iter().skip(kinds.len())) {
            let ours = &measured[rival.ours as usize];
            let name = name(rival.ours) + rival.suffix;
            if rival.is_same {
                check(&name, &ours[0], &runs[0], rival.peer)?;
            }
            // Bars are of order 1,000, those of time beside the quickest peers of 3,000 too.
            let record = Record::new(&name, "ms", spread(ours)).beside(rival.peer, spread(runs));
            records.push(if order >= 1_000 { record.ratio_at_least(rival.bar) } else { record });
        }
        if let Some((ours, peers)) = measured[n_before..].split_last().filter(|_| is_slow) {
            let peer = "PyTorch, ten epochs";
            let weights = &ours[0].weights;
            let loss = forecast_mse(weights, &all) / forecast_mse(&COEFFICIENTS, &all);
            let name = |kind: Fit, what: &str| name(kind) + what;
            let one = |kind: Fit, what: &str, unit, value| {
                Record::new(&name(kind, what), unit, Spread::of([value]))
            };
            records.push(one(Fit::Gradient, "_stpe", "%", stpe(weights)));
            records.push(one(Fit::Gradient, "_mse_over_true", "x", loss));
            match peers.first() {
                None => records.push(Record::new(&name(Fit::Gradient, ""), "ms", spread(ours))),
                Some(runs) => {
                    let record = |kind: Fit, ours: &[Fitted]| {
                        Record::new(&name(kind, "_vs_pytorch"), "ms", spread(ours)).beside(peer, spread(runs))
                    };
                    let bar = if order <= 1_000 { 200.0 } else { 100.0 };
                    records.push(record(Fit::Solved, &measured[2]).ratio_at_least(bar));
                    records.push(record(Fit::Gradient, ours));
                    let of_peer = Spread::of([stpe(&runs[0].weights)]);
                    records.push(Record::new(&format!("arnet_pytorch_p{order}_stpe"), "%", of_peer));
                }
            }
        }
    }
    Ok(records)
}

/// The series as the peers read it: 64-bit floats, one after the other.
fn write(values: &[f64], scratch: &Scratch) -> Result<PathBuf> {
    let path = scratch.folder().join("series.f64");
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    fs::write(&path, bytes).map_err(|error| Error::file("cannot write", &path, error))?;
    Ok(path)
}

fn check(record: &str, ours: &Fitted, theirs: &Fitted, peer: &'static str) -> Result<()> {
    let pairs = ours.weights.iter().zip(&theirs.weights);
    match pairs.into_iter().find(|(a, b)| a.is_nan() || b.is_nan() || (*a - *b).abs() > TOLERANCE) {
        Some((a, b)) => Err(Error::Differs { record: record.to_string(), ours: *a, peer, theirs: *b }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measure_of_coefficients_is_its_formula() {
        assert!(stpe(&COEFFICIENTS).abs() < 1e-12);
        // |0.1| and |0.2| of 1 and 1.3.
        assert!((stpe(&[0.3, 0.3, -0.5, 0.2]) - 100.0 * 0.3 / 2.3).abs() < 1e-9);
        assert!((stpe(&[0.0, 0.0, 0.0]) - 100.0).abs() < 1e-12);
    }

    #[test]
    fn every_way_to_fit_finds_the_process() {
        let values = series(3).unwrap();
        for kind in [Fit::LeastSquares, Fit::Autocorrelation, Fit::Solved, Fit::SolvedQuick, Fit::Gradient] {
            let weights = fit(kind, &values[..N_TRAINING], 5).unwrap().weights;
            assert!(stpe(&weights) < 3.0, "{kind:?}: {weights:?}");
            let loss = forecast_mse(&weights, &values) / forecast_mse(&COEFFICIENTS, &values);
            assert!((loss - 1.0).abs() < 0.01, "{kind:?}: {loss}");
        }
    }

    #[test]
    fn weights_that_differ_are_no_comparison() {
        let fitted = |weight| Fitted { seconds: 1.0, weights: vec![0.5, weight] };
        assert!(check("r", &fitted(0.1), &fitted(0.100_01), "p").is_ok());
        for odd in [0.2, f64::NAN] {
            let message = check("r", &fitted(0.1), &fitted(odd), "p").unwrap_err().to_string();
            assert!(message.contains("r: ours") && message.contains("0.1"), "{message}");
        }
    }
}
