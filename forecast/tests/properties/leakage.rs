//! Nothing that is learned depends on values that lie after the range it is learned from.

use std::collections::BTreeMap;

use forecast::data::{Cells, Scaling};
use forecast::eval::{BacktestOptions, Intervals, Refit, TrainingRange, backtest};
use forecast::{FitOptions, Model, ModelConfig, Panel};
use forecast_datasets::ArProcess;
use safetensors::SafeTensors;

use crate::random::Draws;
use crate::{ar, bits, grid, panel};

const N_STEPS: usize = 500;
/// The first step of the test range.
const TEST: usize = 400;

fn values() -> Vec<f64> {
    let process = ArProcess { coefficients: vec![0.6, 0.2], intercept: 10.0, ..ArProcess::default() };
    process.generate(N_STEPS, 3).unwrap()
}

fn hourly(values: &[f64]) -> Panel {
    let index = grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", values.len());
    panel(&[("s".to_string(), index, values.to_vec())])
}

/// The same values, with everything from `start` on replaced, some of it by nothing.
fn changed_from(start: usize, values: &[f64], seed: u64) -> Vec<f64> {
    let mut draws = Draws::new(seed);
    let mut changed = values.to_vec();
    for value in &mut changed[start..] {
        *value = if draws.chance(20) { f64::NAN } else { 1e6 * (draws.unit() - 0.3) };
    }
    changed
}

fn fit(config: &ModelConfig, panel: &Panel, scaling: Scaling, refit: bool) -> Model {
    let options = FitOptions {
        horizon: Some(6),
        validation: Some(0.25),
        season_length: Some(24),
        scaling,
        refit,
        ..FitOptions::default()
    };
    Model::fit(config, panel, &options).unwrap().model
}

/// The numbers of a model file by name.
fn tensors(model: &Model) -> BTreeMap<String, Vec<u8>> {
    let bytes = model.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

/// Coefficients, scalers, calibration, scores, season and fingerprint: the whole file is the same.
#[test]
fn no_value_of_the_test_range_leaves_a_trace_in_a_model_fitted_before_it() {
    let values = values();
    let before_test = |values: &[f64]| hourly(values).map_in_order(|series| series.slice(0..TEST));
    for name in ModelConfig::NAMES {
        let config = if name == "ar" { ar(5) } else { ModelConfig::parse(name).unwrap() };
        for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::None] {
            let file = |values: &[f64]| fit(&config, &before_test(values), scaling, true).to_bytes().unwrap();
            for seed in 0..5 {
                assert_eq!(file(&values), file(&changed_from(TEST, &values, seed)), "{name}, {scaling:?}");
            }
        }
    }
}

/// Without a refit, what is fitted sees the training range only, and the validation range only calibrates.
#[test]
fn no_value_of_the_validation_range_moves_coefficients_or_scalers() {
    let values = values();
    // A quarter of the steps is for validation.
    let cut = N_STEPS - N_STEPS / 4;
    for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::None] {
        let learned = |values: &[f64], refit| tensors(&fit(&ar(5), &hourly(values), scaling, refit));
        let expected = learned(&values, false);
        let changed = changed_from(cut, &values, 9);
        let found = learned(&changed, false);
        for name in ["ar.weights", "ar.intercepts", "scalers"] {
            assert_eq!(found[name], expected[name], "{name}, {scaling:?}");
        }
        for name in ["calibration.scores", "calibration.spread", "history"] {
            assert_ne!(found[name], expected[name], "{name}, {scaling:?}");
        }
        // And the comparison can tell: a refit does look at the validation range.
        assert_ne!(
            learned(&changed, true)["ar.weights"],
            learned(&values, true)["ar.weights"],
            "{scaling:?}"
        );
        // One step earlier belongs to the training range.
        let earlier = learned(&changed_from(cut - 1, &values, 9), false);
        assert_ne!(earlier["ar.weights"], expected["ar.weights"], "{scaling:?}");
    }
}

const GAP: usize = 3;
const WINDOWS: usize = 4;
const REACH: usize = 6;

/// The steps up to the cutoff of a window.
fn cutoff(window: usize) -> usize {
    N_STEPS - GAP - REACH - (WINDOWS - 1 - window) * REACH
}

/// The bits of all forecasts and bounds of a back-test, a list each window.
fn forecasts_by_window(
    values: &[f64],
    training: TrainingRange,
    refit: Refit,
    intervals: Intervals,
) -> Vec<Vec<u64>> {
    let options = BacktestOptions {
        horizon: REACH,
        n_windows: WINDOWS,
        gap: GAP,
        training,
        refit,
        levels: vec![50.0],
        intervals,
        fit: FitOptions { season_length: Some(24), ..FitOptions::default() },
        ..BacktestOptions::default()
    };
    let table = backtest(&[ar(5)], &hourly(values), &options).unwrap().table();
    let mut windows = vec![Vec::new(); WINDOWS];
    for (name, cells) in &table {
        let Cells::Numbers(numbers) = cells else { continue };
        for (window, numbers) in numbers.chunks(REACH).enumerate().filter(|_| name != "y") {
            windows[window].extend(bits(numbers));
        }
    }
    windows
}

#[test]
fn nothing_after_a_cutoff_changes_what_a_backtest_forecasts_at_it() {
    let values = values();
    let expanding = TrainingRange::Expanding;
    let runs = [expanding, TrainingRange::Sliding(150)].into_iter().flat_map(|training| {
        let refits = [Refit::Never, Refit::Every(1), Refit::Every(2)];
        refits.map(|refit| (training, refit, Intervals::Fitted))
    });
    for run in runs.chain([(expanding, Refit::Every(3), Intervals::Adaptive)]) {
        let forecasts = |values: &[f64]| forecasts_by_window(values, run.0, run.1, run.2);
        let expected = forecasts(&values);
        for window in 0..WINDOWS {
            for seed in 0..3 {
                let found = forecasts(&changed_from(cutoff(window), &values, seed));
                assert_eq!(found[..=window], expected[..=window], "{run:?}, {window}");
            }
            // And the comparison can tell: the last step that the models see changes the forecast.
            let mut changed = values.clone();
            changed[cutoff(window) - 1] += 1.0;
            let found = forecasts(&changed);
            assert_ne!(found[window], expected[window], "{run:?}, {window}");
            assert_eq!(found[..window], expected[..window], "{run:?}, {window}");
        }
    }
}

#[test]
fn a_sliding_range_forgets_what_lies_before_it() {
    let values = values();
    let sliding = TrainingRange::Sliding(150);
    let expected = forecasts_by_window(&values, sliding, Refit::Every(1), Intervals::Fitted);
    for window in 0..WINDOWS {
        let start = cutoff(window) - 150;
        let changed_before = |end: usize| {
            let mut changed = values.clone();
            changed[..end].copy_from_slice(&changed_from(0, &values, 5)[..end]);
            changed
        };
        let found = forecasts_by_window(&changed_before(start), sliding, Refit::Every(1), Intervals::Fitted);
        assert_eq!(found[window..], expected[window..], "{window}");
        let found =
            forecasts_by_window(&changed_before(start + 1), sliding, Refit::Every(1), Intervals::Fitted);
        assert_ne!(found[window], expected[window], "{window}");
    }
}
