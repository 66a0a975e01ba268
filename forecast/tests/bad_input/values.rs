//! Values that no model can be fitted on or forecast from.

use forecast::{FitOptions, ForecastOptions, Model, ReadOptions, State};

use crate::{config, fit, hourly, message, noise, refused, refused_with};

#[test]
fn an_infinite_value_names_series_column_and_stamp() {
    let csv = |cell: &str| {
        format!("unique_id,ds,y\npump,2024-01-01,1\npump,2024-01-02,{cell}\npump,2024-01-03,3\n")
    };
    let expected = "series \"pump\" has an infinite value in \"y\" at 2024-01-02 00:00:00; leave the cell empty \
                    where the value is missing";
    for cell in ["1e999", "-1e999", "inf", "-inf"] {
        assert_eq!(refused(&csv(cell)), expected, "{cell}");
    }
    let named = ReadOptions { target_columns: vec!["y".into()], ..ReadOptions::default() };
    for cell in ["1e999", "-inf", "Infinity", "-Infinity"] {
        assert_eq!(refused_with(&csv(cell), &named), expected, "{cell}");
    }
}

#[test]
fn an_infinite_observation_is_refused_and_leaves_the_state_as_it_was() {
    let model = fit(&config("ar", &[("order", "3")]), &noise(200), 2).unwrap();
    let mut state = model.start(&hourly(&noise(10)).series()[0]).unwrap();
    let before = state.clone();
    let message = message(model.observe(&mut state, &[f64::NEG_INFINITY]));
    let expected = "series \"load\" has an infinite value in \"kW\" at 1970-01-01 10:00:00";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(state, before);
}

#[test]
fn a_constant_series_has_nothing_to_fit() {
    let ar = config("ar", &[("order", "3")]);
    let message = message(fit(&ar, &[5.0; 200], 2));
    assert!(message.starts_with("series \"load\" is constant: all "), "{message}");
    assert!(message.contains("\"kW\"") && message.ends_with("use --model naive"), "{message}");
    // And the fix that it names works.
    let naive = fit(&config("naive", &[]), &[5.0; 200], 2).unwrap();
    let forecast = &naive.forecast_next(&ForecastOptions { horizon: 2, ..Default::default() }).unwrap()[0];
    assert!(forecast.mean.iter().all(|v| (v - 5.0).abs() < 1e-12), "{:?}", forecast.mean);
}

#[test]
fn a_short_series_says_both_numbers_and_the_longest_lookback_that_fits() {
    let season = |n: usize| config("seasonal-naive", &[("season_length", &n.to_string())]);
    assert_eq!(
        message(fit(&season(96), &noise(90), 24)),
        "series \"load\" has 90 steps, but lookback 96 + horizon 24 needs 120; use a lookback of at most 66"
    );
    // And a lookback of 66 does fit, one of 67 does not.
    assert!(fit(&season(66), &noise(90), 24).is_ok());
    assert!(message(fit(&season(67), &noise(90), 24)).contains("lookback 67 + horizon 24 needs 91"));
}

#[test]
fn a_series_shorter_than_the_horizon_says_which_horizon_fits() {
    assert_eq!(
        message(fit(&config("naive", &[]), &noise(20), 24)),
        "series \"load\" has 20 steps, but lookback 1 + horizon 24 needs 25; use a horizon below 20"
    );
    assert!(fit(&config("naive", &[]), &noise(20), 19).is_ok());
}

#[test]
fn too_high_an_order_says_how_many_rows_there_are_and_which_order_fits() {
    // 90 steps, of which the last 36 are for validation: order 40 leaves 14 rows for 41 coefficients.
    assert_eq!(
        message(fit(&config("ar", &[("order", "40")]), &noise(90), 24)),
        "series \"load\" gives 14 complete rows for the 41 coefficients of order 40; use an order of at most 26"
    );
    assert!(fit(&config("ar", &[("order", "26")]), &noise(90), 24).is_ok());
}

#[test]
fn a_series_with_no_information_at_the_order_asked_for_has_no_unique_solution() {
    let cycle: Vec<f64> = (0..400).map(|i| [1.0, 2.0, 5.0, 3.0][i % 4]).collect();
    let message = message(fit(&config("ar", &[("order", "12")]), &cycle, 4));
    assert!(
        message.starts_with(
            "series \"load\": least squares of order 12 has no unique solution (only 3 of its 12 lags are independent)"
        ),
        "{message}"
    );
    assert!(message.ends_with("use a lower order, or a ridge such as ridge = 0.001"), "{message}");
}

#[test]
fn a_recursion_that_runs_away_is_warned_of_with_the_fix() {
    let growing: Vec<f64> = (0..).map(|i| 1.05f64.powi(i)).zip(noise(150)).map(|(a, b)| a + b).collect();
    let options = FitOptions { horizon: Some(24), ..FitOptions::default() };
    let warnings = |settings: &[(&str, &str)]| {
        Model::fit(&config("ar", settings), &hourly(&growing), &options).unwrap().report.warnings
    };
    let [warning] = &warnings(&[("order", "3")])[..] else { panic!("one warning is due") };
    assert_eq!(warning.reason, "UNSTABLE_FIT");
    let said = "the recursion fitted to series \"load\", channel \"kW\", grows by 1.0";
    assert!(warning.message.starts_with(said), "{}", warning.message);
    assert!(warning.message.contains("unstable = project"), "{}", warning.message);
    assert_eq!(warnings(&[("order", "3"), ("unstable", "project")]), []);
    assert_eq!(warnings(&[("lookbacks", "3")]), []);
}

#[test]
fn a_target_without_one_observed_value_is_refused() {
    let missing = vec![f64::NAN; 200];
    let message = message(fit(&config("ar", &[("order", "3")]), &missing, 2));
    assert!(message.starts_with("series \"load\" has no observed value in channel \"kW\""), "{message}");
    assert!(message.ends_with("all missing)"), "{message}");
    let csv: String = (0..50).map(|i| format!("{i},\n")).collect();
    assert!(refused(&format!("ds,y\n{csv}")).contains("no observed value in column \"y\" (50 steps"));
}

#[test]
fn a_series_of_nan_alone_cannot_be_forecast() {
    let options = ForecastOptions { horizon: 2, ..Default::default() };
    for (model, settings) in [("ar", vec![("order", "3")]), ("naive", vec![]), ("seasonal-naive", vec![])] {
        let model = fit(&config(model, &settings), &noise(200), 2).unwrap();
        assert_eq!(
            message(model.forecast(&hourly(&[f64::NAN; 200]), &options)),
            "series \"load\" has no observed value in channel \"kW\" (200 steps, all missing)"
        );
    }
}

#[test]
fn a_history_shorter_than_the_lookback_says_both_numbers() {
    let options = ForecastOptions { horizon: 2, ..Default::default() };
    let model = fit(&config("ar", &[("order", "6")]), &noise(200), 2).unwrap();
    let expected =
        "series \"load\" has 5 steps of history, but the model looks back 6; give it at least that many";
    assert_eq!(message(model.forecast(&hourly(&noise(5)), &options)), expected);
    let state = model.start(&hourly(&noise(5)).series()[0]).unwrap();
    assert_eq!(message(model.forecast_from(&state, &options)), expected);
}

#[test]
fn a_state_of_another_model_is_refused() {
    let long = fit(&config("ar", &[("order", "6")]), &noise(200), 2).unwrap();
    let short = fit(&config("ar", &[("order", "5")]), &noise(200), 2).unwrap();
    let mut state: State = long.start(&hourly(&noise(50)).series()[0]).unwrap();
    let refused = |model: &Model, state: &mut State| message(model.observe(state, &[1.0]));
    assert_eq!(refused(&short, &mut state), "state is load, but it must come from this model");
}
