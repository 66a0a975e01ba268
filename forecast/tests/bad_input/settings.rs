//! Settings out of their range.

use forecast::eval::{BacktestOptions, Refit, backtest};
use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Step};

use crate::{config, fit, hourly, message, noise};

#[test]
fn an_unknown_model_lists_the_known_ones() {
    assert_eq!(
        message(ModelConfig::parse("arima")),
        "unknown model \"arima\"; known models are naive, seasonal-naive, drift, window-mean, ar, ar-net, neural-ar, informer, ssm"
    );
}

#[test]
fn an_unknown_setting_lists_the_known_ones() {
    let message = message(ModelConfig::parse("ar").unwrap().with("ordre", "3"));
    assert_eq!(
        message,
        "ordre is 3, but the settings of ar are anchor, covariate_lags, covariates, criterion, density, difference, direct_steps, fourier, half_life, l1_ratio, lambda, lookbacks, method, most_lags, order, penalty, pool_channels, pooled, ridge, ridge_season, shrinkage, stability, strategy, trend, unstable"
    );
}

#[test]
fn a_setting_of_the_wrong_kind_is_named_with_its_value() {
    for (key, value) in [("order", "-3"), ("order", "many"), ("order", "1.5"), ("pooled", "3")] {
        let message = message(ModelConfig::parse("ar").unwrap().with(key, value));
        assert!(message.starts_with(&format!("{key} is ")) && message.contains(value), "{message}");
    }
}

#[test]
fn lookbacks_of_nothing_are_refused() {
    for (model, key) in [("ar", "order"), ("seasonal-naive", "season_length"), ("window-mean", "lookback")] {
        let message = message(fit(&config(model, &[(key, "0")]), &noise(200), 2));
        assert_eq!(message, format!("{key} is 0, but it must be at least 1"));
    }
    let drift = message(fit(&config("drift", &[("lookback", "1")]), &noise(200), 2));
    assert_eq!(drift, "lookback is 1, but a drift needs at least 2 steps");
}

#[test]
fn horizon_0_is_refused_wherever_a_horizon_is_given() {
    let naive = config("naive", &[]);
    assert_eq!(message(fit(&naive, &noise(200), 0)), "horizon is 0, but it must be at least 1");
    let model = fit(&naive, &noise(200), 2).unwrap();
    let options = ForecastOptions { horizon: 0, ..Default::default() };
    let expected = "horizon is 0, but it must lie between 1 and 1000000";
    assert_eq!(message(model.forecast_next(&options)), expected);
    let options = BacktestOptions { horizon: 0, ..Default::default() };
    let message = message(backtest(&[], &hourly(&noise(200)), &options));
    assert_eq!(message, "horizon is 0, but it must be at least 1");
}

#[test]
fn a_horizon_that_would_fill_the_memory_is_refused() {
    let model = fit(&config("naive", &[]), &noise(200), 2).unwrap();
    for horizon in [1_000_001, usize::MAX] {
        let options = ForecastOptions { horizon, ..Default::default() };
        let expected = format!("horizon is {horizon}, but it must lie between 1 and 1000000");
        assert_eq!(message(model.forecast_next(&options)), expected);
    }
}

#[test]
fn levels_outside_of_0_to_100_percent_are_refused() {
    let model = fit(&config("naive", &[]), &noise(200), 2).unwrap();
    for level in [0.0, 100.0, 101.0, -5.0, f64::NAN, f64::INFINITY] {
        let options = ForecastOptions { horizon: 2, levels: vec![80.0, level], ..Default::default() };
        let message = message(model.forecast_next(&options));
        let expected = format!("level is {level}, but it must lie between 0 and 100 percent, both excluded");
        assert_eq!(message, expected);
    }
}

#[test]
fn quantiles_outside_of_0_to_1_are_refused() {
    let model = fit(&config("naive", &[]), &noise(200), 2).unwrap();
    for quantile in [0.0, 1.0, 50.0, -0.1, f64::NAN] {
        let options = ForecastOptions {
            horizon: 2,
            levels: vec![],
            quantiles: vec![0.5, quantile],
            ..Default::default()
        };
        let message = message(model.forecast_next(&options));
        assert_eq!(
            message,
            format!("quantile is {quantile}, but it must lie between 0 and 1, both excluded")
        );
    }
}

#[test]
fn intervals_beyond_the_calibrated_horizon_say_how_far_they_go() {
    let model = fit(&config("naive", &[]), &noise(200), 6).unwrap();
    let options = ForecastOptions { horizon: 7, levels: vec![80.0], ..Default::default() };
    let message = message(model.forecast_next(&options));
    assert!(
        message.starts_with("horizon is 7, but the model's intervals are calibrated for 6 steps"),
        "{message}"
    );
    assert!(message.ends_with("or fit again with horizon 7"), "{message}");
}

#[test]
fn an_interval_wider_than_the_calibration_allows_says_which_one_it_does_allow() {
    // 30 hours: 29 windows of one step that have a step before them, enough for level 93.
    let model = fit(&config("naive", &[]), &noise(30), 1).unwrap();
    let at = |level: f64| {
        model.forecast_next(&ForecastOptions { horizon: 1, levels: vec![level], ..Default::default() })
    };
    let message = message(at(95.0));
    assert!(message.contains("needs 39 calibration windows at step 1, but the model has 29"), "{message}");
    assert!(message.contains("the widest interval that they allow is level 93"), "{message}");
    assert!(at(93.0).is_ok());
}

#[test]
fn a_validation_share_that_leaves_nothing_is_refused() {
    for validation in [0.0, 1.0, -0.2, f64::NAN] {
        let options = FitOptions { validation: Some(validation), ..FitOptions::default() };
        let message = message(Model::fit(&config("naive", &[]), &hourly(&noise(200)), &options));
        assert_eq!(
            message,
            format!("validation is {validation}, but it must lie between 0 and 1, both excluded")
        );
    }
}

#[test]
fn a_season_of_nothing_is_refused() {
    let options = FitOptions { season_length: Some(0), ..FitOptions::default() };
    let message = message(Model::fit(&config("naive", &[]), &hourly(&noise(200)), &options));
    assert_eq!(message, "season_length is 0, but it must be at least 1");
}

#[test]
fn a_series_too_short_for_a_backtest_says_what_it_needs() {
    let options = BacktestOptions { horizon: 24, n_windows: 10, ..BacktestOptions::default() };
    let models = [config("ar", &[("order", "48")])];
    assert_eq!(
        message(backtest(&models, &hourly(&noise(311)), &options)),
        "series \"load\" has 311 steps, but lookback 48, horizon 24 and 10 windows 24 steps apart need 312; use \
         fewer windows or a shorter lookback"
    );
}

#[test]
fn backtests_of_nothing_are_refused() {
    for (field, options) in [
        ("n_windows", BacktestOptions { n_windows: 0, ..Default::default() }),
        ("step_size", BacktestOptions { step_size: Some(0), ..Default::default() }),
    ] {
        let message = message(backtest(&[], &hourly(&noise(400)), &options));
        assert_eq!(message, format!("{field} is 0, but it must be at least 1"));
    }
    let expected = "refit is 0, but it must be true, false or a number of windows";
    assert_eq!(message("0".parse::<Refit>()), expected);
}

#[test]
fn a_step_that_is_none_names_the_units() {
    for text in ["0h", "fortnight", "-1h", "1.5h", ""] {
        let message = message(text.parse::<Step>());
        assert!(
            message.starts_with(&format!("freq is \"{text}\"")) && message.contains("15min or 1h"),
            "{message}"
        );
    }
}

#[test]
fn data_of_another_step_or_other_channels_are_refused() {
    let model = fit(&config("naive", &[]), &noise(200), 2).unwrap();
    let mut panel = hourly(&noise(200));
    let quarter: Step = "15min".parse().unwrap();
    panel = panel.map_in_order(|series| {
        let index = forecast::TimeIndex { step: quarter, ..series.index().clone() };
        let values = series.values().to_owned();
        forecast::Series::new(series.id(), index, values, &["kW".to_string()]).unwrap()
    });
    let options = ForecastOptions { horizon: 2, ..Default::default() };
    assert_eq!(
        message(model.forecast(&panel, &options)),
        "series \"load\" has a step of 15min, but the model was fitted on steps of 1h"
    );
}
