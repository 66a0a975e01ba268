//! Adaptive intervals keep their coverage on streams that change after the fit, where split intervals lose it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "measured numbers are printed; helpers of tests outside of test functions; what fails in them is a failed test"
)]

use forecast::data::{Series, TimeIndex};
use forecast::eval::metrics;
use forecast::{Adaptive, AdaptiveOptions, FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel};
use forecast_datasets::ArProcess;
use ndarray::Array2;

const LEVELS: [f64; 3] = [80.0, 90.0, 95.0];
const HORIZON: usize = 4;
const N_FITTED: usize = 4_000;
/// Steps of each half of the stream.
const N_HALF: usize = 6_000;

fn series(values: &[f64]) -> Series {
    let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), values.len());
    let values = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
    Series::new("s", index, values, &["y".to_string()]).unwrap()
}

fn fit(values: &[f64]) -> Model {
    let panel = Panel::new(vec!["y".to_string()], vec![series(values)]).unwrap();
    let config = ModelConfig::parse("ar").unwrap().with("order", "3").unwrap();
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(1), ..FitOptions::default() };
    Model::fit(&config, &panel, &options).unwrap().model
}

/// An AR(1) process whose innovations and level are scaled and moved by the step after the fit.
fn process(std: impl Fn(usize) -> f64, level: impl Fn(usize) -> f64) -> Vec<f64> {
    let noise =
        ArProcess { noise_std: 1.0, ..Default::default() }.generate(N_FITTED + 2 * N_HALF, 5).unwrap();
    let mut y = 0.0;
    let step = |(i, e): (usize, &f64)| {
        let after_fit = i.saturating_sub(N_FITTED);
        y = 0.7 * y + std(after_fit) * e;
        y + level(after_fit)
    };
    noise.iter().enumerate().map(step).collect()
}

/// Lower and upper bounds of each level, a pair of lists each, in the order of targets.
type Bounds = Vec<(Vec<f64>, Vec<f64>)>;

fn push(bounds: &mut Bounds, forecast: &Forecast, n: usize) {
    for (interval, (lower, upper)) in forecast.intervals.iter().zip(bounds) {
        lower.extend(interval.lower.iter().take(n));
        upper.extend(interval.upper.iter().take(n));
    }
}

/// Coverage of each level in percent, over the targets from `from` on.
fn coverage(y: &[f64], bounds: &Bounds, from: usize) -> Vec<f64> {
    let of = |(lower, upper): &(Vec<f64>, Vec<f64>)| {
        100.0 * metrics::coverage(&y[from..], &lower[from..], &upper[from..])
    };
    bounds.iter().map(of).collect()
}

/// Over the stream that follows the fit: adaptive coverage within 2 points of every level, on the whole and on
/// the second half, and where split intervals of the same model, from the lookback alone, miss by more.
fn check(name: &str, values: &[f64]) {
    let model = fit(&values[..N_FITTED]);
    let mut state = model.start(&series(&values[..N_FITTED])).unwrap();
    let options = AdaptiveOptions { horizon: HORIZON, levels: LEVELS.to_vec() };
    let mut adaptive = model.start_adaptive(&state, &options).unwrap();
    let split_options = ForecastOptions { horizon: HORIZON, levels: LEVELS.to_vec(), ..Default::default() };
    let empty = || vec![(Vec::new(), Vec::new()); LEVELS.len()];
    let (mut y, mut adapted, mut split) = (Vec::new(), empty(), empty());
    for at in N_FITTED..values.len() {
        let n = HORIZON.min(values.len() - at);
        y.extend_from_slice(&values[at..at + n]);
        push(&mut adapted, &model.adaptive_forecast(&adaptive, &state).unwrap(), n);
        let window = series(&values[at - model.lookback()..at]);
        push(&mut split, &model.forecast_series(&window, &split_options).unwrap(), n);
        model.observe(&mut state, &values[at..=at]).unwrap();
        model.adapt(&mut adaptive, &state, &values[at..=at]).unwrap();
    }
    for (part, from) in [("whole", 0), ("second half", N_HALF * HORIZON)] {
        let (adapted, split) = (coverage(&y, &adapted, from), coverage(&y, &split, from));
        println!("{name}, {part}: adaptive {adapted:.1?}, split {split:.1?}");
        for ((level, adapted), split) in LEVELS.iter().zip(adapted).zip(split) {
            assert!((adapted - level).abs() <= 2.0, "{name}, {part}: {level} % covers {adapted} %");
            assert!((split - level).abs() > (adapted - level).abs(), "{name}, {part}: {level} split {split}");
        }
    }
}

#[test]
fn coverage_holds_when_the_variance_doubles_half_way() {
    check("variance", &process(|i| if i < N_HALF { 1.0 } else { 2.0_f64.sqrt() }, |_| 0.0));
}

#[test]
fn coverage_holds_when_the_level_drifts() {
    check("level", &process(|_| 1.0, |i| 0.002 * i as f64));
}

#[test]
fn bounds_are_finite_and_nested_whatever_comes() {
    let values = process(|_| 1.0, |_| 0.0);
    let model = fit(&values[..N_FITTED]);
    let mut state = model.start(&series(&values[..N_FITTED])).unwrap();
    let options = AdaptiveOptions { horizon: HORIZON, levels: vec![95.0, 50.0, 80.0] };
    let mut adaptive = model.start_adaptive(&state, &options).unwrap();
    for i in 0..1_500 {
        // Ever larger leaps, then nothing at all, then gaps.
        let value = match i / 500 {
            0 => f64::from(i).powi(3) * if i % 2 == 0 { 1.0 } else { -1.0 },
            1 => 0.0,
            _ => {
                if i % 3 == 0 {
                    f64::NAN
                } else {
                    1.0
                }
            }
        };
        model.observe(&mut state, &[value]).unwrap();
        model.adapt(&mut adaptive, &state, &[value]).unwrap();
        let intervals = model.adaptive_forecast(&adaptive, &state).unwrap().intervals;
        let wider = |a: usize, b: usize| {
            let (a, b) = (&intervals[a], &intervals[b]);
            let below = a.lower.iter().zip(&b.lower).all(|(a, b)| a.is_finite() && a <= b);
            below && a.upper.iter().zip(&b.upper).all(|(a, b)| a.is_finite() && a >= b)
        };
        assert!(wider(0, 2) && wider(2, 1), "step {i}");
        assert!(intervals[1].lower.iter().zip(&intervals[1].upper).all(|(lower, upper)| lower <= upper));
    }
}

#[test]
fn it_is_plain_data_that_goes_on_with_the_same_bits() {
    let values = process(|_| 1.0, |_| 0.0);
    let model = fit(&values[..N_FITTED]);
    let mut state = model.start(&series(&values[..N_FITTED])).unwrap();
    let mut adaptive =
        model.start_adaptive(&state, &AdaptiveOptions { horizon: 2, ..Default::default() }).unwrap();
    let mut restored: Adaptive = adaptive.clone();
    for value in &values[N_FITTED..N_FITTED + 300] {
        model.observe(&mut state, &[*value]).unwrap();
        model.adapt(&mut adaptive, &state, &[*value]).unwrap();
        model.adapt(&mut restored, &state, &[*value]).unwrap();
        restored = serde_json::from_str(&serde_json::to_string(&restored).unwrap()).unwrap();
    }
    assert_eq!(restored, adaptive);
}

#[test]
fn what_does_not_fit_together_is_refused_and_changes_nothing() {
    let values = process(|_| 1.0, |_| 0.0);
    let model = fit(&values[..N_FITTED]);
    let mut state = model.start(&series(&values[..N_FITTED])).unwrap();
    let start =
        |horizon, levels: Vec<f64>| model.start_adaptive(&state, &AdaptiveOptions { horizon, levels });
    for (horizon, levels, expected) in [
        (0, vec![80.0], "horizon is 0"),
        (HORIZON + 1, vec![80.0], "calibrated for 4 steps"),
        (1, vec![], "at least one level"),
        (1, vec![100.0], "level is 100"),
        (1, vec![99.99], "level 99.99 needs"),
    ] {
        let message = start(horizon, levels).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut adaptive = start(2, vec![80.0]).unwrap();
    let before = adaptive.clone();
    let message = model.adapt(&mut adaptive, &state, &[1.0]).unwrap_err().to_string();
    assert!(message.contains("once after each observation"), "{message}");
    model.observe(&mut state, &[1.0]).unwrap();
    assert!(model.adaptive_forecast(&adaptive, &state).is_err());
    assert!(model.adapt(&mut adaptive, &state, &[1.0, 2.0]).is_err());
    assert_eq!(adaptive, before);
    model.adapt(&mut adaptive, &state, &[1.0]).unwrap();
    assert!(model.adaptive_forecast(&adaptive, &state).is_ok());
}

#[test]
fn what_is_judged_is_the_next_step_of_the_forecast() {
    let y = process(|i| if i > 300 { 3.0 } else { 1.0 }, |_| 0.0);
    let model = fit(&y[..N_FITTED]);
    let mut state = model.start(&series(&y[..N_FITTED])).unwrap();
    let options = AdaptiveOptions { horizon: HORIZON, levels: vec![80.0] };
    let mut adaptive = model.start_adaptive(&state, &options).unwrap();
    let (mut n_inside, mut n) = (0, 0);
    for value in &y[N_FITTED..N_FITTED + 1_000] {
        let forecast = model.adaptive_forecast(&adaptive, &state).unwrap();
        let interval = &forecast.intervals[0];
        let is_inside = (interval.lower[[0, 0]]..=interval.upper[[0, 0]]).contains(value);
        adaptive.judge(&[*value], &mut |level, judged| {
            assert_eq!((level, judged), (0, is_inside), "outcome {n}");
            n += 1;
        });
        n_inside += usize::from(is_inside);
        model.observe(&mut state, &[*value]).unwrap();
        model.adapt(&mut adaptive, &state, &[*value]).unwrap();
    }
    assert_eq!(n, 1_000);
    assert!(n_inside > 700 && n_inside < 900, "{n_inside}");
    adaptive.judge(&[f64::NAN], &mut |_, _| unreachable!("a missing value was judged"));
}
