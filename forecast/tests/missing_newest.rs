//! After steps without a value, intervals are as wide as the forecast is far from what was seen.
#![allow(clippy::unwrap_used, reason = "helpers of tests outside of test functions")]

use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_datasets::ArProcess;

const HORIZON: usize = 8;

/// A random walk, more or less: errors grow with every step.
fn model() -> (Model, Panel) {
    model_of(&ModelConfig::parse("ar").unwrap().with("order", "3").unwrap())
}

fn model_of(config: &ModelConfig) -> (Model, Panel) {
    let process = ArProcess { coefficients: vec![0.98], ..ArProcess::default() };
    let values = process.generate(3_000, 7).unwrap();
    let rows: String = values.iter().enumerate().map(|(t, value)| format!("{t},{value}\n")).collect();
    let panel =
        Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(1), ..FitOptions::default() };
    (Model::fit(config, &panel, &options).unwrap().model, panel)
}

fn forecast(model: &Model, panel: &Panel, n_missing: usize, horizon: usize) -> Forecast {
    let mut state = model.start(&panel.series()[0]).unwrap();
    (0..n_missing).for_each(|_| model.observe(&mut state, &[f64::NAN]).unwrap());
    let options = ForecastOptions { horizon, levels: vec![80.0], quantiles: vec![0.9], ..Default::default() };
    model.forecast_from(&state, &options).unwrap()
}

fn width(forecast: &Forecast, step: usize) -> f64 {
    forecast.intervals[0].upper[[step, 0]] - forecast.intervals[0].lower[[step, 0]]
}

#[test]
fn the_interval_after_missing_steps_is_that_of_as_many_steps_more() {
    let (model, panel) = model();
    let whole = forecast(&model, &panel, 0, HORIZON);
    let gappy = forecast(&model, &panel, 3, HORIZON);
    assert!(width(&whole, 4) > 1.5 * width(&whole, 1));
    for step in 0..HORIZON {
        // The last calibrated step stands for those beyond; errors of the gap are not known, so scores differ a little.
        let same = (step + 3).min(HORIZON - 1);
        assert!((width(&gappy, step) / width(&whole, same) - 1.0).abs() < 0.25, "step {step}");
        assert!((gappy.quantiles[0].values[[step, 0]] - gappy.mean[[step, 0]]) > 0.0);
    }
    assert!(width(&gappy, 0) > 1.5 * width(&whole, 0));
    // The forecast itself goes on as it did.
    assert!((gappy.mean[[0, 0]] - whole.mean[[3, 0]]).abs() < 1e-9);
    let message = &gappy.warnings[0].message;
    assert!(message.contains("the newest 3 are among them"), "{message}");
    assert!(whole.warnings.is_empty());
}

#[test]
fn a_gap_that_has_ended_widens_nothing() {
    let (model, panel) = model();
    let mut state = model.start(&panel.series()[0]).unwrap();
    let last = panel.series()[0].values()[[2_999, 0]];
    [f64::NAN, last].into_iter().for_each(|value| model.observe(&mut state, &[value]).unwrap());
    let options = ForecastOptions { horizon: HORIZON, levels: vec![80.0], ..Default::default() };
    let after = model.forecast_from(&state, &options).unwrap();
    let whole = forecast(&model, &panel, 0, HORIZON);
    assert!((width(&after, 0) / width(&whole, 0) - 1.0).abs() < 0.15);
    assert!(after.warnings[0].message.ends_with("forecast"), "{}", after.warnings[0].message);
}

#[test]
fn networks_whose_newest_values_are_missing_widen_their_intervals_too() {
    let small = [("lookback", "12"), ("d_model", "4"), ("epochs", "1"), ("stride", "10")];
    let informer = [("label_length", "4"), ("n_heads", "2"), ("d_ff", "8")];
    let ssm = [("d_state", "4")];
    for (name, settings) in [
        ("informer", &informer[..]),
        ("ssm", &ssm),
        ("ssm", &[("mask", "true")]),
        ("ssm", &[("streaming", "window"), ("mask", "true")]),
        ("ssm", &[("normalisation", "last-value")]),
        ("ssm", &[("decoder", "mask"), ("mask", "true")]),
    ] {
        let config = small
            .iter()
            .chain(settings)
            .fold(ModelConfig::parse(name).unwrap(), |config, (key, value)| config.with(key, value).unwrap());
        let (model, panel) = model_of(&config);
        let (whole, gappy) = (forecast(&model, &panel, 0, HORIZON), forecast(&model, &panel, 3, HORIZON));
        assert!(width(&whole, 4) > 1.3 * width(&whole, 1), "{name}, {settings:?}");
        for step in 0..HORIZON {
            let same = (step + 3).min(HORIZON - 1);
            let ratio = width(&gappy, step) / width(&whole, same);
            assert!((ratio - 1.0).abs() < 1e-9, "{name}, {settings:?}, step {step}: {ratio}");
        }
        let message = &gappy.warnings[0].message;
        assert!(message.contains("the newest 3 are among them"), "{name}, {settings:?}: {message}");
        // The forecast stays with what was seen last, not with the center of the training range.
        let last = panel.series()[0].values()[[2_999, 0]];
        let far = (gappy.mean[[0, 0]] - last).abs();
        assert!(far < width(&whole, HORIZON - 1), "{name}, {settings:?}: {far} from {last}");
    }
}
