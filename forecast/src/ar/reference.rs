//! Fits held against the lag matrix: coefficients by `linfa-linear` (Householder QR), errors by the textbook.

use forecast_datasets::ArProcess;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, Axis, s};

use super::cholesky::Cholesky;
use super::lag_matrix::LagMatrix;
use super::{Ar, fit};
use crate::data::{Series, TimeIndex};
use crate::model::{Cancel, LagRule, Shape, Training};
use crate::{Error, ModelConfig, Result};

fn noise(n: usize, seed: u64) -> Vec<f64> {
    ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }.generate(n, seed).unwrap()
}

fn series(columns: &[Vec<f64>]) -> Series {
    let n = columns[0].len();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
    let values = Array2::from_shape_fn((n, columns.len()), |(step, channel)| columns[channel][step]);
    Series::new("s", index, values, &names).unwrap()
}

fn fitted(settings: &[(&str, &str)], series: &[Series], horizon: usize) -> Result<Ar> {
    let mut config = ModelConfig::parse("ar")?;
    for (key, value) in settings {
        config = config.with(key, value)?;
    }
    let shape = Shape {
        season_length: 1,
        frequency: "1h".parse::<crate::Step>()?.into(),
        n_steps: series[0].n_steps(),
        horizon,
        n_series: series.len(),
        stretches: Shape::stretches(series),
        has_gaps: Shape::has_gaps(series),
        seed: 1,
    };
    let ModelConfig::Ar(config) = config else { return Err(Error::Internal(String::new())) };
    let channels: Vec<String> = (0..series[0].values().ncols()).map(|at| format!("c{at}")).collect();
    fit(
        &config.resolve(&shape)?,
        &Training {
            series,
            channels: &channels,
            horizon,
            cuts: None,
            checkpoint: None,
            weights: None,
            fingerprint: "",
            device: crate::nn::DeviceKind::Cpu,
            inputs: None,
            cancel: &Cancel::default(),
        },
    )
}

/// Intercept and weights, lag 1 first, by Householder QR on the lag matrix.
fn by_linfa(values: &[f64], order: usize, step: usize) -> Vec<f64> {
    let matrix = LagMatrix::new(values, order, step);
    let target = matrix.targets.column(step - 1).to_owned();
    let data = DatasetBase::new(matrix.lags, target);
    let model = linfa_linear::LinearRegression::new().fit(&data).unwrap();
    std::iter::once(model.intercept()).chain(model.params().iter().copied()).collect()
}

fn ours(ar: &Ar, channel: usize, step: usize) -> Vec<f64> {
    let channel = if ar.weights.dim().1 == 1 { 0 } else { channel };
    let weights = ar.weights.slice(s![0, channel, step, ..]);
    std::iter::once(ar.intercepts[[0, channel, step]]).chain(weights.iter().rev().copied()).collect()
}

fn assert_close(ours: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(ours.len(), expected.len());
    let scale = expected.iter().skip(1).fold(0.0, |most: f64, v| most.max(v.abs()));
    for (a, b) in ours.iter().zip(expected) {
        assert!((a - b).abs() <= relative * b.abs().max(scale), "{a} {b}");
    }
}

#[test]
fn coefficients_are_those_of_linfa_on_the_lag_matrix_also_far_from_zero_and_with_gaps() {
    let far: Vec<f64> = noise(900, 2).iter().map(|value| 1e4 + value).collect();
    let mut gappy = noise(1_500, 3);
    [0, 200, 201, 777].iter().for_each(|at| gappy[*at] = f64::NAN);
    for (values, order) in [(noise(400, 1), 1), (noise(400, 1), 30), (far, 12), (gappy, 60)] {
        let ar =
            fitted(&[("order", &order.to_string())], &[series(std::slice::from_ref(&values))], 5).unwrap();
        assert_close(&ours(&ar, 0, 0), &by_linfa(&values, order, 1), 1e-8);
    }
}

#[test]
fn a_model_of_differences_is_a_fit_of_the_differences() {
    let values: Vec<f64> = noise(700, 8).iter().enumerate().map(|(t, v)| v + 0.1 * (t % 24) as f64).collect();
    let all = series(std::slice::from_ref(&values));
    let changes: Vec<f64> = values.iter().zip(&values[24..]).map(|(before, value)| value - before).collect();
    let expected = by_linfa(&changes, 6, 1);
    let ar = fitted(&[("order", "30"), ("difference", "24")], &[all], 1).unwrap();
    let ours = ours(&ar, 0, 0);
    assert_eq!(ours.len(), 31);
    // One lag of the differences is one of the series and, with the other sign, one 24 steps before.
    let of_differences: Vec<f64> = (0..7).map(|i| if i == 0 { ours[0] } else { ours[i] }).collect();
    assert_close(&of_differences, &expected, 1e-7);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-8, "{a} {b}");
    (1..6).for_each(|lag| near(ours[24 + lag], -expected[lag]));
    near(ours[24], 1.0);
    (7..24).for_each(|lag| near(ours[lag], 0.0));
}

#[test]
fn direct_coefficients_are_a_fit_of_each_step() {
    let values = noise(600, 4);
    let settings = [("lookbacks", "9"), ("anchor", "none"), ("ridge", "0"), ("strategy", "direct")];
    let ar = fitted(&settings, &[series(std::slice::from_ref(&values))], 4).unwrap();
    assert_eq!(ar.weights.dim(), (1, 1, 4, 9));
    for step in 1..=4 {
        // All steps are fitted on the windows that are complete for the last.
        let part = &values[..values.len() - (4 - step)];
        assert_close(&ours(&ar, 0, step - 1), &by_linfa(part, 9, step), 1e-8);
    }
}

#[test]
fn channels_that_share_are_fitted_on_the_rows_of_all() {
    let (a, b) = (noise(300, 5), noise(300, 6));
    let both: Vec<f64> = a.iter().chain(&[f64::NAN]).chain(&b).copied().collect();
    let channels = series(&[a.clone(), b.clone()]);
    let shared = fitted(&[("order", "7"), ("pool_channels", "true")], &[channels], 1).unwrap();
    assert_eq!(shared.weights.dim(), (1, 1, 1, 7));
    assert_close(&ours(&shared, 1, 0), &by_linfa(&both, 7, 1), 1e-8);
    let pooled = fitted(&[("order", "7"), ("pooled", "true")], &[series(&[a]), series(&[b])], 1).unwrap();
    assert_close(&ours(&pooled, 0, 0), &by_linfa(&both, 7, 1), 1e-8);
}

#[test]
fn short_series_take_after_all_and_long_ones_after_themselves() {
    let process = |phi: f64, n: usize, seed: u64| {
        ArProcess { coefficients: vec![phi], ..ArProcess::default() }.generate(n, seed).unwrap()
    };
    // Ten short series of one kind, and a long one of another.
    let mut all: Vec<Series> = (0..10).map(|seed| series(&[process(0.8, 60, seed)])).collect();
    all.push(series(&[process(-0.5, 600, 99)]));
    let fit = |shrinkage: &str| fitted(&[("order", "4"), ("shrinkage", shrinkage)], &all, 1).unwrap();
    let (own, chosen, pooled) = (fit("0"), fit("validation"), fit("1"));
    let first = |ar: &Ar, slot: usize| ar.weights[[slot, 0, 0, 3]];
    let error = |ar: &Ar| (0..10).map(|slot| (first(ar, slot) - 0.8).abs()).sum::<f64>();
    assert!((first(&pooled, 0) - first(&pooled, 10)).abs() < 1e-12);
    assert!((first(&chosen, 10) + 0.5).abs() < 0.15, "{}", first(&chosen, 10));
    assert!(error(&chosen) < error(&pooled), "{} {}", error(&chosen), error(&pooled));
    assert!(own.errors.is_none() && (first(&own, 10) + 0.5).abs() < 0.15);
    let half = fit("0.5");
    assert!((first(&half, 3) - f64::midpoint(first(&own, 3), first(&pooled, 3))).abs() < 1e-12);
}

#[test]
fn the_mean_over_look_backs_is_the_mean_of_fits_on_the_same_windows() {
    let values = noise(500, 7);
    let all = series(std::slice::from_ref(&values));
    let settings = [("lookbacks", "4,10"), ("anchor", "last,mean"), ("ridge", "0.1,1")];
    let both = fitted(&settings, &[all], 3).unwrap();
    // The shorter one alone sees more windows: those before the first of the longer one.
    let late = series(&[values[6..].to_vec()]);
    let short = fitted(&[("lookbacks", "4"), ("ridge", "0.1")], &[late], 3).unwrap();
    let all = series(std::slice::from_ref(&values));
    let long = fitted(&[("lookbacks", "10"), ("ridge", "1"), ("anchor", "mean")], &[all], 3).unwrap();
    for step in 0..3 {
        let (mut short, long) = (ours(&short, 0, step), ours(&long, 0, step));
        short.resize(11, 0.0);
        let mean: Vec<f64> = short.iter().zip(&long).map(|(a, b)| 0.5 * (a + b)).collect();
        assert_close(&ours(&both, 0, step), &mean, 1e-6);
    }
}

#[test]
fn windows_anchored_without_a_ridge_are_differences_fitted_by_least_squares() {
    let values: Vec<f64> = noise(400, 8)
        .iter()
        .scan(0.0, |sum, v| {
            *sum += v;
            Some(*sum)
        })
        .collect();
    for anchor in ["last", "mean"] {
        let settings = [("lookbacks", "5"), ("anchor", anchor), ("ridge", "0"), ("strategy", "recursive")];
        let ar = fitted(&settings, &[series(std::slice::from_ref(&values))], 1).unwrap();
        let weights = &ours(&ar, 0, 0)[1..];
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        // Weights that add up to 1 are differences: y_t - y_(t-1) on the four differences before it.
        let matrix = LagMatrix::new(&values, 5, 1);
        let lags = &matrix.lags.slice(s![.., 1..]) - &matrix.lags.slice(s![.., ..1]);
        let target = &matrix.targets.column(0) - &matrix.lags.column(0);
        let model = linfa_linear::LinearRegression::new().with_intercept(false);
        let model = model.fit(&DatasetBase::new(lags, target)).unwrap();
        assert_close(&weights[1..], model.params().as_slice().unwrap(), 1e-6);
    }
}

#[test]
fn standard_errors_are_those_of_the_textbook() {
    let values = noise(300, 9);
    let ar = fitted(&[("order", "4")], &[series(std::slice::from_ref(&values))], 1).unwrap();
    let coefficients = ours(&ar, 0, 0);
    let matrix = LagMatrix::new(&values, 4, 1);
    let n = matrix.lags.nrows();
    let fitted = matrix.lags.dot(&Array1::from(coefficients[1..].to_vec())) + coefficients[0];
    let rest = &matrix.targets.column(0) - &fitted;
    let variance = rest.dot(&rest) / (n - 5) as f64;
    let centred = &matrix.lags - &matrix.lags.mean_axis(Axis(0)).unwrap();
    let gram = centred.t().dot(&centred);
    let inverse = Cholesky::new(&gram, 0.0).unwrap().unwrap().solve(&Array2::eye(4)).unwrap();
    let errors = LagRule::standard_errors(&ar, 0, 0).unwrap();
    for (ours, square) in errors.iter().zip(inverse.diag()) {
        assert!((ours - (variance * square).sqrt()).abs() < 1e-9, "{ours}");
    }
    // AR(3) of 300 steps: the truth lies within four standard errors.
    let truth = [0.2, 0.3, -0.5, 0.0];
    let within = |((w, e), truth): ((&f64, &f64), &f64)| (w - truth).abs() < 4.0 * e;
    assert!(coefficients[1..].iter().zip(&errors).zip(&truth).all(within), "{coefficients:?} {errors:?}");
}

#[test]
fn a_criterion_cuts_the_order_and_the_autocorrelation_method_agrees_on_long_series() {
    let values = noise(20_000, 10);
    let all = || [series(std::slice::from_ref(&values))];
    let chosen = fitted(&[("order", "40"), ("criterion", "bic")], &all(), 1).unwrap();
    let weights = &ours(&chosen, 0, 0)[1..];
    assert_eq!((weights.len(), weights.iter().filter(|w| w.abs() > 0.0).count()), (40, 3));
    let plain = fitted(&[("order", "40")], &all(), 1).unwrap();
    for criterion in [None, Some("bic")] {
        let mut settings = vec![("order", "40"), ("method", "autocorrelation")];
        settings.extend(criterion.map(|name| ("criterion", name)));
        let other = fitted(&settings, &all(), 1).unwrap();
        let reference = if criterion.is_some() { &chosen } else { &plain };
        let pairs = ours(&other, 0, 0).into_iter().zip(ours(reference, 0, 0));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 0.01), "{criterion:?}");
    }
}

#[test]
fn an_unstable_recursion_is_told_and_projected() {
    let growing: Vec<f64> =
        noise(120, 11).iter().enumerate().map(|(i, v)| v + 1.05f64.powi(i as i32)).collect();
    let all = || [series(std::slice::from_ref(&growing))];
    let kept = fitted(&[("order", "3")], &all(), 1).unwrap();
    let root = LagRule::unstable_root(&kept, 0, 0).unwrap();
    assert!((root - 1.05).abs() < 0.02, "{root}");
    let projected = fitted(&[("order", "3"), ("unstable", "project")], &all(), 1).unwrap();
    assert_eq!(LagRule::unstable_root(&projected, 0, 0), None);
}

#[test]
fn lags_that_repeat_each_other_say_the_rank_and_the_fix() {
    let cycle: Vec<f64> = (0..300).map(|i| [1.0, 2.0, 5.0, 3.0][i % 4]).collect();
    let message =
        fitted(&[("order", "12")], &[series(std::slice::from_ref(&cycle))], 1).unwrap_err().to_string();
    // A cycle of four has three independent lags beside the intercept.
    assert!(message.contains("only 3 of its 12 lags are independent"), "{message}");
    assert!(message.contains("ridge"), "{message}");
    let settings = [("order", "12"), ("ridge", "0.001")];
    assert!(fitted(&settings, &[series(&[cycle])], 1).is_ok());
    let short = fitted(&[("order", "12")], &[series(&[noise(24, 1)])], 1).unwrap_err().to_string();
    assert!(short.contains("12 complete rows for the 13 coefficients of order 12"), "{short}");
    let missing = fitted(&[("order", "2")], &[series(&[vec![f64::NAN; 50]])], 1).unwrap_err().to_string();
    assert!(missing.contains("0 complete rows"), "{missing}");
}
