//! Other processes whose coefficients are known: the paper's AR with gaps between its lags, one lag far back, and the
//! run of the reference code's notebook.

use forecast::ar::neural::{NeuralArConfig, train};
use forecast_datasets::{ArProcess, Needle};

use super::fit::Fit;
use super::samples::{COEFFICIENTS, N_TRAINING};
use super::truth::{false_lags, found_lags, stpe};
use crate::console;
use crate::error::Result;
use crate::measure::Spread;
use crate::record::Record;

/// Lags of the sparse process, with the paper's coefficients.
const LAGS: [usize; 3] = [1, 3, 10];
/// Lag 1 first, as many as the process is made with.
const N_LAGS: usize = 21;
/// The needles, each with the order that is fitted.
const NEEDLES: [(usize, usize); 2] = [(1_000, 1_200), (5_000, 5_200)];
const NEEDLE_SEED: u64 = 3;
/// The notebook's run: noise, steps, lags, the share of them that is expected to matter.
const NOTEBOOK_NOISE: f64 = 0.1;
const NOTEBOOK_STEPS: usize = 10_000;
const NOTEBOOK_ORDER: usize = 10;
const NOTEBOOK_DENSITY: f64 = 0.3;
/// The most that its sTPE may be, in percent.
const MOST_NOTEBOOK_STPE: f64 = 2.5;

pub(super) fn known(is_quick: bool) -> Result<Vec<Record>> {
    let (orders, seeds): (&[usize], &[u64]) =
        if is_quick { (&[21, 200], &[1]) } else { (&[21, 200, 1_000], &[1, 2, 3, 4, 5]) };
    let mut records = Vec::new();
    for order in orders {
        console::note(format!("arnet: lags 1, 3 and 10 of {order}"));
        for (fit, n_seeds) in [(Fit::LeastSquares, 5), (Fit::Gradient, 1), (Fit::Solved, 5)] {
            // A training takes seconds where the others take milliseconds.
            if !is_quick || fit != Fit::Gradient {
                records.extend(with_gaps(fit, *order, &seeds[..seeds.len().min(n_seeds)])?);
            }
        }
    }
    for (lag, order) in &NEEDLES[..if is_quick { 1 } else { NEEDLES.len() }] {
        console::note(format!("arnet: one lag of {order}, {lag} steps back"));
        records.extend(needle(*lag, *order)?);
    }
    console::note("arnet: the run of the reference code's notebook");
    records.push(notebook(if is_quick { &[1] } else { &[1, 2] })?);
    Ok(records)
}

/// What a way to fit finds of the sparse process, as means over the seeds.
fn with_gaps(fit: Fit, order: usize, seeds: &[u64]) -> Result<[Record; 2]> {
    let mut truth = vec![0.0; N_LAGS];
    for (lag, coefficient) in LAGS.iter().zip(COEFFICIENTS) {
        truth[lag - 1] = coefficient;
    }
    let process = ArProcess { coefficients: truth.clone(), ..ArProcess::default() };
    let (mut errors, mut n_false) = (Vec::new(), Vec::new());
    for seed in seeds {
        let values = process.generate(N_TRAINING, *seed)?;
        let weights = fit.of(&values, order, LAGS.len() as f64 / order as f64)?.weights;
        errors.push(stpe(&weights, &truth));
        n_false.push(false_lags(&weights, &truth) as f64);
    }
    let record = |what: &str, unit, figures: Vec<f64>| {
        let name = format!("{}_sparse_p{order}_{what}", fit.name());
        Record::new(&name, unit, Spread::around_mean(figures)).of_seeds(seeds)
    };
    Ok([record("stpe", "%", errors), record("false_lags", "lags", n_false)])
}

/// Whether the solved AR-Net finds the lag, and what else.
fn needle(lag: usize, order: usize) -> Result<[Record; 2]> {
    let needle = Needle { lag, ..Needle::default() };
    let mut truth = vec![0.0; lag];
    truth[lag - 1] = needle.coefficient;
    let values = needle.generate(N_TRAINING, NEEDLE_SEED)?;
    let weights = Fit::Solved.of(&values, order, 1.0 / order as f64)?.weights;
    let record = |what: &str, count: usize| {
        let name = format!("{}_needle_k{lag}_{what}", Fit::Solved.name());
        Record::new(&name, "lags", Spread::of([count as f64])).of_seeds(&[NEEDLE_SEED])
    };
    Ok([
        record("found", found_lags(&weights, &truth)).at_least(1.0),
        record("false_lags", false_lags(&weights, &truth)).at_most(0.0),
    ])
}

/// The sTPE of trainings on the notebook's data, scaled as a fit of a model scales them.
fn notebook(seeds: &[u64]) -> Result<Record> {
    let process =
        ArProcess { coefficients: COEFFICIENTS.to_vec(), noise_std: NOTEBOOK_NOISE, ..ArProcess::default() };
    let config = NeuralArConfig {
        order: Some(NOTEBOOK_ORDER),
        density: NOTEBOOK_DENSITY,
        ..NeuralArConfig::default()
    };
    let mut errors = Vec::new();
    for seed in seeds {
        let values = standardised(&process.generate(NOTEBOOK_STEPS, *seed)?);
        errors.push(stpe(&train(&values, &config)?.weights, &COEFFICIENTS));
    }
    let name = format!("{}_notebook_p{NOTEBOOK_ORDER}_stpe", Fit::Gradient.name());
    Ok(Record::new(&name, "%", Spread::around_mean(errors)).of_seeds(seeds).at_most(MOST_NOTEBOOK_STPE))
}

fn standardised(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    values.iter().map(|value| (value - mean) / spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_with_gaps_and_a_needle_are_found_and_no_others() {
        let [stpe, n_false] = with_gaps(Fit::Solved, 21, &[1]).unwrap();
        assert_eq!(
            (stpe.name(), n_false.name()),
            ("arnet_solved_sparse_p21_stpe", "arnet_solved_sparse_p21_false_lags")
        );
        assert!(stpe.value() < 1.5 && n_false.value() < 0.5);
        let [dense, n_false] = with_gaps(Fit::LeastSquares, 21, &[1]).unwrap();
        assert!(dense.value() > stpe.value() && (n_false.value() - 18.0).abs() < 0.5);
        let [found, n_false] = needle(300, 310).unwrap();
        assert!((found.value() - 1.0).abs() < 0.5 && n_false.value() < 0.5);
    }
}
