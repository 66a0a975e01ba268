//! Recursive least squares against the batch solution, over long streams, and what it refuses.

use super::*;
use forecast_datasets::ArProcess;
use ndarray::{Array1, Array2};

const PHI: [f64; 4] = [0.6, -0.3, 0.2, 0.1];

fn series(n_steps: usize) -> Vec<f64> {
    ArProcess { coefficients: PHI.to_vec(), intercept: 2.0, ..ArProcess::default() }
        .generate(n_steps, 8)
        .unwrap()
}

/// Lags 1 to 4 of step `t`.
fn lags(y: &[f64], t: usize) -> [f64; 4] {
    [y[t - 1], y[t - 2], y[t - 3], y[t - 4]]
}

/// The error of each forecast before its step was learnt from.
fn learn(model: &mut RecursiveLeastSquares, y: &[f64], steps: std::ops::Range<usize>) -> Vec<f64> {
    steps.map(|t| model.update(&lags(y, t), y[t]).unwrap()).collect()
}

fn problem(y: &[f64]) -> Problem<'static> {
    let x = Array2::from_shape_fn((y.len() - 4, 4), |(t, j)| y[t + 3 - j]);
    Problem::from_rows(x.view(), Array1::from(y[4..].to_vec()).view()).unwrap()
}

/// `(X'WX + prior I)^-1 X'Wy` by elimination, `W` being powers of the forgetting factor.
fn batch(y: &[f64], options: RlsOptions) -> Vec<f64> {
    let mut system = Array2::<f64>::zeros((5, 6));
    let last = y.len() - 1;
    for t in 4..y.len() {
        let weight = options.forgetting.powi((last - t) as i32);
        let [a, b, c, d] = lags(y, t);
        let row = [1.0, a, b, c, d, y[t]];
        for i in 0..5 {
            for j in 0..6 {
                system[[i, j]] += weight * row[i] * row[j];
            }
        }
    }
    (0..5).for_each(|i| system[[i, i]] += options.prior);
    for i in 0..5 {
        for k in (0..5).filter(|k| *k != i) {
            let share = system[[k, i]] / system[[i, i]];
            for j in 0..6 {
                system[[k, j]] -= share * system[[i, j]];
            }
        }
    }
    (0..5).map(|i| system[[i, 5]] / system[[i, i]]).collect()
}

fn assert_close(model: &RecursiveLeastSquares, expected: &[f64], tolerance: f64) {
    assert_eq!(model.coefficients().len(), expected.len());
    for (a, b) in model.coefficients().iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{:?} is not {expected:?}", model.coefficients());
    }
}

#[test]
fn without_forgetting_it_is_the_batch_solution_after_100_000_steps() {
    let y = series(100_004);
    let options = RlsOptions::default();
    let mut model = RecursiveLeastSquares::new(4, options).unwrap();
    learn(&mut model, &y, 4..y.len());
    assert_close(&model, &batch(&y, options), 1e-8);
    // From the statistics of the first part, it is least squares on all, without a prior.
    let mut model =
        RecursiveLeastSquares::from_problem(&problem(&y[..1_004]), &[0, 1, 2, 3], options).unwrap();
    learn(&mut model, &y, 1_004..y.len());
    let plain = RlsOptions { prior: 0.0, ..options };
    assert_close(&model, &batch(&y, plain), 1e-8);
}

#[test]
fn the_start_from_statistics_is_least_squares_on_the_chosen_columns() {
    let y = series(3_000);
    let problem = problem(&y);
    let model = RecursiveLeastSquares::from_problem(&problem, &[3, 0], RlsOptions::default()).unwrap();
    let [intercept, of_lag_4, of_lag_1] = model.coefficients() else { panic!() };
    let sse = |w1: f64, w4: f64, b: f64| problem.sse(&[w1, 0.0, 0.0, w4], b);
    let best = sse(*of_lag_1, *of_lag_4, *intercept);
    for (a, b, c) in [(1e-3, 0.0, 0.0), (0.0, 1e-3, 0.0), (0.0, 0.0, 1e-2), (1e-3, -1e-3, 1e-2)] {
        for sign in [1.0, -1.0] {
            assert!(sse(of_lag_1 + sign * a, of_lag_4 + sign * b, intercept + sign * c) > best);
        }
    }
}

#[test]
fn forgetting_weighs_by_age() {
    let y = series(2_000);
    let options = RlsOptions { forgetting: 0.98, prior: 1e-9 };
    let mut model = RecursiveLeastSquares::new(4, options).unwrap();
    learn(&mut model, &y, 4..y.len());
    assert_close(&model, &batch(&y, options), 1e-8);
}

#[test]
fn ten_million_updates_with_forgetting_leave_it_as_good_as_new() {
    let y = series(100_000);
    let options = RlsOptions { forgetting: 0.999, prior: 1e-3 };
    let mut model = RecursiveLeastSquares::new(4, options).unwrap();
    for _ in 0..100 {
        learn(&mut model, &y, 4..y.len());
    }
    // The last 30,000 steps weigh all but e^-30.
    let mut fresh = RecursiveLeastSquares::new(4, options).unwrap();
    learn(&mut fresh, &y, 70_000..y.len());
    assert_close(&model, fresh.coefficients(), 1e-8);
}

#[test]
fn a_long_constant_stretch_does_not_wind_it_up() {
    let lively = series(4_000);
    let options = RlsOptions { forgetting: 0.99, prior: 1e-3 };
    let mut model = RecursiveLeastSquares::new(4, options).unwrap();
    learn(&mut model, &lively, 4..lively.len());
    let level = lively[3_999];
    for _ in 0..1_000_000 {
        model.update(&[level; 4], level).unwrap();
    }
    let size = model.size();
    let diagonal = (0..size).map(|i| model.state.triangle.row(i, size)[0]);
    assert!(diagonal.fold(f64::INFINITY, f64::min) >= (options.prior / 4.0).sqrt());
    assert!((model.predict(&[level; 4]) - level).abs() < 1e-4);
    assert!(model.coefficients().iter().all(|w| w.abs() < 2.0), "{:?}", model.coefficients());
    // The lively series again: no forecast is far off, and soon they are as good as any.
    let errors = learn(&mut model, &lively, 4..2_000);
    let largest = errors.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
    let mse = errors[200..].iter().map(|e| e * e).sum::<f64>() / (errors.len() - 200) as f64;
    assert!(largest < 12.0 && (0.9..1.2).contains(&mse), "largest {largest}, mse {mse}");
}

#[test]
fn what_cannot_be_used_is_not_learnt_from() {
    let mut model = RecursiveLeastSquares::new(2, RlsOptions { forgetting: 0.9, prior: 1.0 }).unwrap();
    model.update(&[1.0, 2.0], 3.0).unwrap();
    let before = model.clone();
    for (inputs, target) in [
        (&[1.0, f64::NAN][..], 1.0),
        (&[1.0, 2.0], f64::NAN),
        (&[f64::INFINITY, 2.0], 1.0),
        (&[1.0, 1e120], 1.0),
        (&[1.0], 1.0),
        (&[1.0, 2.0, 3.0], 1.0),
    ] {
        assert_eq!(model.update(inputs, target), None);
    }
    assert_eq!(model, before);
    for _ in 0..50 {
        model.update(&[1e100, -1e100], 1e100).unwrap();
        model.update(&[1e-100, 3.0], -1e100).unwrap();
    }
    assert!(model.coefficients().iter().all(|w| w.is_finite()));
}

#[test]
fn a_stored_session_goes_on_with_the_same_bits() {
    let y = series(500);
    let mut model = RecursiveLeastSquares::new(4, RlsOptions { forgetting: 0.95, prior: 0.1 }).unwrap();
    learn(&mut model, &y, 4..300);
    let text = serde_json::to_string(&model).unwrap();
    let mut taken_up: RecursiveLeastSquares = serde_json::from_str(&text).unwrap();
    for t in 300..500 {
        let errors = [&mut model, &mut taken_up].map(|m| m.update(&lags(&y, t), y[t]).unwrap().to_bits());
        assert_eq!(errors[0], errors[1]);
    }
    assert_eq!(model, taken_up);
    for (from, to) in [("\"next\":", "\"next\":9"), ("\"origin\":[", "\"origin\":[1.0,"), ("0.95", "0.5")] {
        let altered = text.replacen(from, to, 1);
        assert!(altered != text && serde_json::from_str::<RecursiveLeastSquares>(&altered).is_err(), "{to}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |n, forgetting, prior| {
        RecursiveLeastSquares::new(n, RlsOptions { forgetting, prior }).unwrap_err().to_string()
    };
    assert!(message(2, 0.0, 1.0).contains("forgetting") && message(2, f64::NAN, 1.0).contains("forgetting"));
    assert!(message(4, 0.79, 1.0).contains("forgetting") && message(0, 0.0, 1.0).contains("forgetting"));
    assert!(message(2, 1.0, 0.0).contains("prior") && message(2, 1.0, f64::NAN).contains("prior"));
    assert!(message(usize::MAX, 1.0, 1.0).contains("inputs"));
    let y = series(100);
    let start = |columns: &[usize]| {
        RecursiveLeastSquares::from_problem(&problem(&y), columns, RlsOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert!(start(&[0, 7]).contains("below 4") && start(&[2, 2]).contains("depend"));
}
