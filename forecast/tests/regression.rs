//! Regression with autoregressive errors: what the calendar and the covariates explain is found, put into forecasts,
//! streamed, saved, and asked for where it is not known.
#![allow(clippy::unwrap_used, reason = "helpers of tests outside of test functions")]

use forecast::data::{CovariateDeclaration, CovariateFlags};
use forecast::model::StepCovariates;
use forecast::{
    Error, FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions, Series, State,
};
use forecast_datasets::ArProcess;
use ndarray::s;

const HORIZON: usize = 6;
const N: usize = 1_200;

fn noise(n: usize, seed: u64) -> Vec<f64> {
    ArProcess { coefficients: vec![0.7], ..ArProcess::default() }.generate(n, seed).unwrap()
}

/// Hours: a daily season, 3 for each degree, 5 on holidays, 2 for each unit of wind six hours ago, and noise that
/// follows itself. The last `ahead` rows have no value.
fn csv(n: usize, ahead: usize) -> String {
    let (errors, degrees, wind) = (noise(n, 1), noise(n, 2), noise(n, 3));
    let mut csv = "ds,y,degrees,day,wind\n".to_string();
    let start: jiff::civil::DateTime = "2024-01-01T00:00".parse().unwrap();
    for t in 0..n {
        let day = ["work", "work", "work", "holiday", "half"][(t / 24) % 5];
        let value = 100.0
            + 8.0 * (t as f64 * std::f64::consts::TAU / 24.0).sin()
            + 3.0 * degrees[t]
            + if day == "holiday" { 5.0 } else { 0.0 }
            + if t >= 6 { 2.0 * wind[t - 6] } else { 0.0 }
            + 0.5 * errors[t];
        let stamp = start + jiff::SignedDuration::from_hours(t as i64);
        let (y, wind) = match t + ahead < n {
            true => (value.to_string(), wind[t].to_string()),
            false => (String::new(), String::new()),
        };
        csv += &format!("{stamp},{y},{},{day},{wind}\n", degrees[t]);
    }
    csv
}

fn options() -> ReadOptions {
    let flags = CovariateFlags {
        future_col: vec!["degrees".into(), "day".into()],
        past_col: vec!["wind".into()],
        categorical_col: vec!["day".into()],
        ..CovariateFlags::default()
    };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    ReadOptions { covariates, target_columns: vec!["y".into()], ..ReadOptions::default() }
}

fn panel(n: usize, ahead: usize) -> Panel {
    Panel::read_csv(csv(n, ahead).as_bytes(), "load.csv", &options()).unwrap()
}

fn config(settings: &[(&str, &str)]) -> ModelConfig {
    let ar = ModelConfig::parse("ar").unwrap().with("order", "5").unwrap();
    settings.iter().fold(ar, |config, (key, value)| config.with(key, value).unwrap())
}

fn fitted(config: &ModelConfig, panel: &Panel) -> Model {
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(24), ..FitOptions::default() };
    Model::fit(config, panel, &options).unwrap().model
}

fn asked() -> ForecastOptions {
    ForecastOptions { horizon: HORIZON, levels: vec![80.0], ..ForecastOptions::default() }
}

fn bits(forecast: &Forecast) -> Vec<u64> {
    let interval = &forecast.intervals[0];
    forecast.mean.iter().chain(&interval.lower).chain(&interval.upper).map(|v| v.to_bits()).collect()
}

/// Mean squared error over cutoffs of the end of a longer series.
fn error(model: &Model) -> f64 {
    let whole = panel(N + 400, 0);
    let series = &whole.series()[0];
    let cutoffs = (N..N + 400 - HORIZON).step_by(7);
    let errors = cutoffs.flat_map(|cutoff| {
        let forecast = model.forecast_series(&series.slice(0..cutoff), &asked()).unwrap();
        let labels = series.values().slice_move(s![cutoff..cutoff + HORIZON, ..]);
        (&labels - &forecast.mean).mapv(|error| error * error).into_iter().collect::<Vec<_>>()
    });
    let errors: Vec<f64> = errors.collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

#[test]
fn what_made_the_series_is_found_and_pays() {
    let panel = panel(N, 0);
    let model = fitted(&config(&[("fourier", "1D:1")]), &panel);
    let weights = model.regression_weights(0, 0);
    let of = |name: &str| weights.iter().find(|(column, _)| column == name).unwrap().1;
    assert!((of("degrees") - 3.0).abs() < 0.1, "{weights:?}");
    assert!((of("wind(-6)") - 2.0).abs() < 0.1, "{weights:?}");
    assert!((of("sin-1D-1") - 8.0).abs() < 0.5 && of("cos-1D-1").abs() < 0.5, "{weights:?}");
    assert!((of("day=holiday") - of("day=work") - 5.0).abs() < 0.7, "{weights:?}");
    let with = error(&model);
    let without = error(&fitted(&config(&[("covariates", "ignore"), ("fourier", "1D:1")]), &panel));
    // The errors have a variance of a quarter over 0.51, the degrees alone of nine times that.
    assert!(with < 0.6 && without > 10.0, "{with} {without}");
    assert!(fitted(&config(&[("covariates", "ignore")]), &panel).regression_weights(0, 0).is_empty());
}

/// Steps at which a degree counts 8 before step 600 and 2 from there on.
fn insulated(n: usize) -> Panel {
    let (errors, degrees) = (noise(n, 4), noise(n, 5));
    let value = |t: usize| 50.0 + if t < 600 { 8.0 } else { 2.0 } * degrees[t] + 0.1 * errors[t];
    let rows: String = (0..n).map(|t| format!("{t},{},{}\n", value(t), degrees[t])).collect();
    let flags = CovariateFlags { future_col: vec!["degrees".into()], ..CovariateFlags::default() };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    let options = ReadOptions { covariates, target_columns: vec!["y".into()], ..ReadOptions::default() };
    Panel::read_csv(format!("ds,y,degrees\n{rows}").as_bytes(), "load.csv", &options).unwrap()
}

#[test]
fn the_newest_rows_count_most_where_a_half_life_says_so() {
    let panel = insulated(1_200);
    let per_degree = |settings: &[(&str, &str)]| {
        let weights = fitted(&config(settings), &panel).regression_weights(0, 0);
        weights.iter().find(|(column, _)| column == "degrees").unwrap().1
    };
    let plain = per_degree(&[]);
    assert!(plain > 4.0 && plain < 6.0, "half of the rows say 8, half of them 2: {plain}");
    // The first 600 steps count 2^-10 of the rest and less.
    let newest = per_degree(&[("half_life", "60")]);
    assert!((newest - 2.0).abs() < 0.1, "{newest}");
    // One that is far longer than the series is none.
    assert!((per_degree(&[("half_life", "100000000")]) - plain).abs() < 1e-3);
}

#[test]
fn a_half_life_that_says_nothing_is_refused() {
    let message = |settings: &[(&str, &str)]| {
        let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
        let config = config(&[&[("covariates", "ignore")], settings].concat());
        Model::fit(&config, &insulated(300), &options).unwrap_err().to_string()
    };
    assert!(message(&[("half_life", "90")]).contains("half_life is 90, but it goes with fourier"));
    let of_day = message(&[("half_life", "90D"), ("fourier", "24:1")]);
    assert!(of_day.contains("give a count of steps"), "{of_day}");
    assert!(ModelConfig::parse("ar").unwrap().with("half_life", "-3D").is_err());
}

#[test]
fn a_penalty_leaves_out_columns_that_tell_nothing() {
    let panel = panel(N, 0);
    let ar_net = ModelConfig::parse("ar-net").unwrap().with("order", "20").unwrap();
    let ar_net = ar_net.with("fourier", "1D:1,7D:3").unwrap();
    let model = fitted(&ar_net, &panel);
    let weights = model.regression_weights(0, 0);
    let of = |name: &str| weights.iter().find(|(column, _)| column == name).unwrap().1;
    assert!((of("degrees") - 3.0).abs() < 0.1 && (of("wind(-6)") - 2.0).abs() < 0.1, "{weights:?}");
    let weekly = weights.iter().filter(|(name, _)| name.contains("7D"));
    assert!(
        weekly.clone().count() == 6 && weekly.filter(|(_, weight)| *weight == 0.0).count() >= 5,
        "{weights:?}"
    );
}

#[test]
fn a_line_goes_on() {
    let errors = noise(400, 4);
    let rows = (0..400).map(|t| format!("{t},{}\n", 5.0 + 0.25 * t as f64 + errors[t]));
    let csv = format!("ds,y\n{}", rows.collect::<String>());
    let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
    let ahead = |trend: &str| {
        let model = fitted(&config(&[("trend", trend)]), &panel);
        let options = ForecastOptions { horizon: 200, ..ForecastOptions::default() };
        model.forecast_next(&options).unwrap()[0].mean[[199, 0]]
    };
    let truth = 5.0 + 0.25 * 599.0 + errors.iter().sum::<f64>() / 400.0;
    // Without it the recursion has to make a line of its lags.
    let (linear, none) = ((ahead("linear") - truth).abs(), (ahead("none") - truth).abs());
    assert!(linear < 1.0 && none > 3.0 * linear, "{linear} {none}");
}

/// A state that has seen a series from its first step on, told its covariates step by step.
fn streamed(model: &Model, series: &Series) -> State {
    let mut state = model.start(&series.slice(0..0)).unwrap();
    let covariates = series.covariates();
    for step in 0..series.n_steps() {
        let (past, ahead) = (covariates.past().row(step).to_vec(), covariates.future().row(step).to_vec());
        let values = series.values().row(step).to_vec();
        let step = StepCovariates { past: &past, known_ahead: &ahead };
        model.observe_with(&mut state, &values, &step).unwrap();
    }
    state
}

#[test]
fn a_stream_forecasts_what_its_window_does_and_so_does_a_saved_model() {
    let panel = panel(N, HORIZON);
    let series = &panel.series()[0];
    let whole = series.slice(0..N - HORIZON);
    for settings in [vec![("fourier", "1D:2")], vec![("covariate_lags", "3"), ("strategy", "direct")]] {
        let model = fitted(&config(&settings), &panel);
        let expected = model.forecast_series(&whole, &asked()).unwrap();
        assert_eq!(expected.mean.dim(), (HORIZON, 1));
        let part = whole.slice(100..N - HORIZON);
        let mut state = streamed(&model, &part);
        let ahead = whole.covariates().future().slice_move(s![N - HORIZON.., ..]);
        model.know_ahead(&mut state, ahead).unwrap();
        assert_eq!(state.n_known_ahead(), HORIZON);
        assert_eq!(bits(&model.forecast_from(&state, &asked()).unwrap()), bits(&expected), "{settings:?}");
        let text = serde_json::to_string(&state).unwrap();
        let again: State = serde_json::from_str(&text).unwrap();
        assert_eq!(again, state);
        let file = model.to_bytes().unwrap();
        let loaded = Model::from_bytes(&file, "m.longcast".as_ref()).unwrap();
        assert_eq!(loaded.to_bytes().unwrap(), file);
        assert_eq!(bits(&loaded.forecast_series(&whole, &asked()).unwrap()), bits(&expected));
        // The history that is stored knows what the data knew ahead.
        assert_eq!(
            bits(&loaded.forecast_next(&asked()).unwrap()[0]),
            bits(&model.forecast_next(&asked()).unwrap()[0])
        );
    }
}

#[test]
fn what_is_known_ahead_can_come_later_from_a_file() {
    let panel = panel(N, HORIZON);
    let model = fitted(&config(&[]), &panel);
    let text = csv(N, 0);
    let rows = text.lines().skip(1 + N - HORIZON).map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        format!("{},{},{}\n", cells[0], cells[2], cells[3])
    });
    let ahead = format!("ds,degrees,day\n{}", rows.collect::<String>());
    let past = panel.map_in_order(|series| series.slice(0..N - HORIZON));
    let known = model.history_panel().unwrap();
    assert_eq!(known.covariate_schema().columns().len(), 3);
    let known = known.with_future_bytes(ahead.as_bytes(), "next.csv", &ReadOptions::default()).unwrap();
    let ours = model.forecast(&known, &asked()).unwrap();
    assert_eq!(ours[0].mean, model.forecast(&past, &asked()).unwrap()[0].mean);
}

#[test]
fn covariates_that_are_not_there_are_named() {
    let panel = panel(N, 0);
    let model = fitted(&config(&[]), &panel);
    let series = &panel.series()[0];
    let message = |error: Error| error.to_string();
    // Nothing is known after the end.
    let said = message(model.forecast_series(series, &asked()).unwrap_err());
    assert!(said.contains("degrees") && said.contains("2024-02-20"), "{said}");
    let bare = Panel::read_csv(
        csv(N, 0).as_bytes(),
        "t.csv",
        &ReadOptions { target_columns: vec!["y".into()], ..ReadOptions::default() },
    );
    let bare = bare.unwrap();
    let said = message(model.forecast_series(&bare.series()[0], &asked()).unwrap_err());
    assert!(said.contains("wind, day, degrees"), "{said}");
    let options = ForecastOptions { horizon: HORIZON + 1, ..ForecastOptions::default() };
    let whole = series.slice(0..N - HORIZON - 1);
    let said = message(model.forecast_series(&whole, &options).unwrap_err());
    assert!(said.contains("past covariates enter with the lag of the fit's horizon, 6"), "{said}");
    let mut state = model.start(&whole).unwrap();
    let wrong = StepCovariates { past: &[], known_ahead: &[1.0, 0.0] };
    let said = message(model.observe_with(&mut state, &[1.0], &wrong).unwrap_err());
    assert!(said.contains("past covariates is 0"), "{said}");
    let said = message(model.know_ahead(&mut state, ndarray::array![[1.0]].view()).unwrap_err());
    assert!(said.contains("columns known ahead is 1"), "{said}");
    let said = message(model.know_ahead(&mut state, ndarray::array![[7.0, 1.0]].view()).unwrap_err());
    assert!(said.contains("its codes are the whole numbers below 3"), "{said}");
}

#[test]
fn a_missing_covariate_makes_its_step_missing() {
    let panel = panel(N, HORIZON);
    let model = fitted(&config(&[]), &panel);
    let whole = panel.series()[0].slice(0..N - HORIZON);
    let mut state = model.start(&whole.slice(0..N - HORIZON - 1)).unwrap();
    let nothing = StepCovariates { past: &[f64::NAN], known_ahead: &[f64::NAN, f64::NAN] };
    model.observe_with(&mut state, &[120.0], &nothing).unwrap();
    let ahead = whole.covariates().future().slice_move(s![N - HORIZON.., ..]);
    model.know_ahead(&mut state, ahead).unwrap();
    let forecast = model.forecast_from(&state, &asked()).unwrap();
    assert_eq!(forecast.warnings[0].reason, "MISSING_FILLED");
    assert!(forecast.mean.iter().all(|value| value.is_finite()));
}

/// The panel without every so-manieth cell of some columns.
fn with_gaps(gaps: &[(usize, usize)]) -> Panel {
    let rows = csv(N, 0);
    let rows = rows.lines().enumerate().map(|(i, line)| {
        let mut cells: Vec<&str> = line.split(',').collect();
        for (column, every) in gaps {
            if i % every == 1 {
                cells[*column] = "";
            }
        }
        cells.join(",") + "\n"
    });
    Panel::read_csv(rows.collect::<String>().as_bytes(), "load.csv", &options()).unwrap()
}

#[test]
fn covariates_that_teach_nothing_for_their_gaps_are_told() {
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(24), ..FitOptions::default() };
    let warnings = |panel: &Panel| Model::fit(&config(&[]), panel, &options).unwrap().report.warnings;
    let told = warnings(&with_gaps(&[(2, 5)]));
    assert_eq!(told.iter().map(|warning| warning.reason).collect::<Vec<_>>(), ["COVARIATES_UNUSED"]);
    let due = "series \"y\": no covariate has a weight; \"degrees\" is missing at ";
    assert!(
        told[0].message.starts_with(due) && told[0].message.contains("fill it in"),
        "{}",
        told[0].message
    );
    assert!(warnings(&with_gaps(&[(2, 400)])).is_empty());
    assert!(warnings(&panel(N, 0)).is_empty());
}

#[test]
fn a_covariate_whose_gaps_leave_no_complete_rows_is_named() {
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(24), ..FitOptions::default() };
    let refused = |gaps: &[(usize, usize)]| {
        Model::fit(&config(&[("order", "120")]), &with_gaps(gaps), &options).unwrap_err()
    };
    for (column, name) in [(2, "degrees"), (3, "day"), (4, "wind")] {
        let error = refused(&[(column, 100)]);
        assert_eq!(error.series(), Some("y"));
        let due = format!("since covariate \"{name}\" is missing at ");
        assert!(error.to_string().contains(&due), "{error}");
        assert!(error.to_string().contains("fill it in, leave it out, or use an order of"), "{error}");
    }
    // Where the series itself is missing more often, no covariate is blamed.
    for gaps in [&[(1, 100)][..], &[(1, 100), (2, 400)]] {
        let message = refused(gaps).to_string();
        assert!(message.contains("complete rows") && !message.contains("covariate"), "{message}");
    }
}

#[test]
fn the_settings_of_a_model_name_the_ridge_that_was_chosen() {
    let panel = panel(N, 0);
    let open = ModelConfig::parse("ar").unwrap().with("lookbacks", "6,12").unwrap();
    let ridge = |config: &ModelConfig| match config {
        ModelConfig::Ar(config) => config.ridge.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ridge(&open), None);
    let model = fitted(&open, &panel);
    let chosen = ridge(&model.header().config).unwrap();
    assert!(chosen.len() == 2 && chosen.iter().all(|share| *share > 0.0), "{chosen:?}");
    // Settings that are taken up again make the same coefficients.
    let again = fitted(&model.header().config, &panel);
    assert_eq!(model.coefficients(0, 0), again.coefficients(0, 0));
}

#[test]
fn a_season_with_a_half_life_is_told_as_one_and_none_is_none() {
    let panel = panel(N, 0);
    let settings = [("fourier", "1D:2"), ("half_life", "5D"), ("covariates", "ignore")];
    let model = fitted(&config(&settings), &panel);
    let told = model.explain(&panel.series()[0], 0, 3).unwrap();
    let names: Vec<&str> = told.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["season 1D"]);
    let parts = told.contributions.iter().map(|c| c.contribution).chain([told.base, told.columns[0].1]);
    assert!((parts.sum::<f64>() - told.forecast).abs() < 1e-9 * told.forecast.abs().max(1.0));
    let none = fitted(&config(&[("fourier", "none"), ("covariates", "ignore")]), &panel);
    assert!(none.explain(&panel.series()[0], 0, 3).unwrap().columns.is_empty());
}
