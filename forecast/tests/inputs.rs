//! Covariates as inputs of networks: they are learned from, asked for where they are not known, streamed, saved, and
//! what is known in the past only is never read beyond a cutoff.
#![allow(clippy::unwrap_used, reason = "helpers of tests outside of test functions")]

use forecast::data::{CovariateDeclaration, CovariateFlags, Covariates, Known};
use forecast::eval::{BacktestOptions, Ltsf, LtsfOptions, backtest};
use forecast::model::StepCovariates;
use forecast::{
    Error, FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions, Series, State,
};
use forecast_datasets::ArProcess;
use ndarray::s;

const HORIZON: usize = 4;
const N: usize = 500;

fn noise(n: usize, coefficient: f64, seed: u64) -> Vec<f64> {
    let process = ArProcess { coefficients: vec![coefficient], ..ArProcess::default() };
    process.generate(n, seed).unwrap()
}

/// Two hourly sites, of levels that their region tells: 3 for each degree, which nobody can tell from the past, 5 on
/// holidays, 1 for each unit of wind an hour ago, and a little noise. The last `ahead` rows have no value.
fn csv(n: usize, ahead: usize) -> String {
    let mut csv = "unique_id,ds,y,degrees,day,wind,region\n".to_string();
    let start: jiff::civil::DateTime = "2024-01-01T00:00".parse().unwrap();
    for (seed, site) in [(0, "a"), (10, "b")] {
        let (degrees, wind) = (noise(n, 0.0, seed + 2), noise(n, 0.9, seed + 3));
        let small = noise(n, 0.0, seed + 1);
        for t in 0..n {
            let day = ["work", "work", "holiday", "half"][(t / 5 + t / 17) % 4];
            let value = if site == "a" { 20.0 } else { 30.0 }
                + 3.0 * degrees[t]
                + if day == "holiday" { 5.0 } else { 0.0 }
                + if t > 0 { wind[t - 1] } else { 0.0 }
                + 0.1 * small[t];
            let stamp = start + jiff::SignedDuration::from_hours(t as i64);
            let (y, wind) = match t + ahead < n {
                true => (value.to_string(), wind[t].to_string()),
                false => (String::new(), String::new()),
            };
            csv += &format!("{site},{stamp},{y},{},{day},{wind},r{site}\n", degrees[t]);
        }
    }
    csv
}

/// Which columns are declared.
fn options(columns: [&[&str]; 3]) -> ReadOptions {
    let [future, past, fixed] =
        columns.map(|columns| columns.iter().map(ToString::to_string).collect::<Vec<_>>());
    let categorical = ["day", "region"].map(String::from).into_iter();
    let categorical = categorical.filter(|name| future.contains(name) || fixed.contains(name)).collect();
    let flags = CovariateFlags {
        future_col: future,
        past_col: past,
        static_col: fixed,
        categorical_col: categorical,
    };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    ReadOptions { covariates, target_columns: vec!["y".into()], ..ReadOptions::default() }
}

const ALL: [&[&str]; 3] = [&["degrees", "day"], &["wind"], &["region"]];

fn panel(n: usize, ahead: usize, columns: [&[&str]; 3]) -> Panel {
    Panel::read_csv(csv(n, ahead).as_bytes(), "load.csv", &options(columns)).unwrap()
}

fn with(config: ModelConfig, settings: &[(&str, &str)]) -> ModelConfig {
    settings.iter().fold(config, |config, (key, value)| config.with(key, value).unwrap())
}

fn ssm(settings: &[(&str, &str)]) -> ModelConfig {
    let small = [("lookback", "16"), ("d_model", "8"), ("d_state", "4"), ("dropout", "0"), ("epochs", "1")];
    let small = with(ModelConfig::parse("ssm").unwrap(), &small);
    with(small, &[&[("learning_rate", "0.02"), ("stride", "1")][..], settings].concat())
}

fn informer(settings: &[(&str, &str)]) -> ModelConfig {
    let small =
        [("lookback", "16"), ("label_length", "8"), ("d_model", "16"), ("n_heads", "2"), ("d_ff", "16")];
    let small = with(ModelConfig::parse("informer").unwrap(), &small);
    let fast = [("encoder_layers", "full"), ("decoder_layers", "full"), ("dropout", "0"), ("epochs", "1")];
    with(small, &[&fast[..], &[("learning_rate", "0.005")], settings].concat())
}

/// Every way that a network takes covariates.
fn forms() -> Vec<ModelConfig> {
    vec![
        ssm(&[]),
        ssm(&[("mixer", "s4"), ("channels", "mixed"), ("calendar", "features"), ("mask", "true")]),
        ssm(&[("mixer", "sgconv"), ("kernel_dim", "4"), ("head", "quantiles"), ("intervals", "head")]),
        ssm(&[("streaming", "window"), ("normalisation", "revin")]),
        ssm(&[("decoder", "mask")]),
        informer(&[]),
        informer(&[("mask", "true"), ("head", "gaussian"), ("intervals", "head")]),
    ]
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

fn message(error: Error) -> String {
    error.to_string()
}

/// Mean squared error after cutoffs that no fit has seen.
fn error(model: &Model, whole: &Panel) -> f64 {
    let errors = whole.series().iter().flat_map(|series| {
        let cutoffs = (N..series.n_steps() - HORIZON).step_by(7);
        cutoffs.flat_map(|cutoff| {
            let options = ForecastOptions { horizon: HORIZON, ..ForecastOptions::default() };
            let forecast = model.forecast_series(&series.slice(0..cutoff), &options).unwrap();
            let labels = series.values().slice_move(s![cutoff..cutoff + HORIZON, ..]);
            (&labels - &forecast.mean).mapv(|error| error * error).into_iter().collect::<Vec<_>>()
        })
    });
    let errors: Vec<f64> = errors.collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

#[test]
fn a_network_learns_what_only_a_covariate_tells() {
    let (past, whole) = (panel(N, 0, ALL), panel(N + 100, 0, ALL));
    for (config, epochs) in
        [(ssm(&[]), "12"), (ssm(&[("decoder", "mask")]), "30"), (informer(&[("patience", "40")]), "40")]
    {
        let config = with(config, &[("epochs", epochs)]);
        let told = error(&fitted(&config, &past), &whole);
        let ignoring = fitted(&with(config.clone(), &[("covariates", "ignore")]), &past);
        assert!(ignoring.covariate_schema().is_empty());
        let untold = error(&ignoring, &whole);
        println!("{}: {told} with covariates, {untold} without", config.name());
        // The degrees alone have a variance of nine.
        assert!(untold > 9.0 && told < 0.4 * untold, "{}: {told} {untold}", config.name());
    }
}

/// Wind of an hour ago tells the next step, and no other column does.
#[test]
fn what_is_known_in_the_past_only_is_learned_from_too() {
    let columns: [&[&str]; 3] = [&["degrees", "day"], &["wind"], &["region"]];
    let without: [&[&str]; 3] = [&["degrees", "day"], &[], &["region"]];
    let config = ssm(&[("epochs", "20")]);
    let one_ahead = |columns| {
        let (past, whole) = (panel(N, 0, columns), panel(N + 100, 0, columns));
        let options = FitOptions { horizon: Some(1), season_length: Some(24), ..FitOptions::default() };
        let model = Model::fit(&config, &past, &options).unwrap().model;
        let series = &whole.series()[0];
        let options = ForecastOptions { horizon: 1, ..ForecastOptions::default() };
        let errors = (N..N + 99).map(|cutoff| {
            let forecast = model.forecast_series(&series.slice(0..cutoff), &options).unwrap();
            (series.values()[[cutoff, 0]] - forecast.mean[[0, 0]]).powi(2)
        });
        errors.sum::<f64>() / 99.0
    };
    let (told, untold) = (one_ahead(columns), one_ahead(without));
    println!("{told} with the wind, {untold} without");
    // An hour's news of the wind has a variance of 1.
    assert!(told < 0.6 * untold, "{told} {untold}");
}

/// A state that has seen a series from its first step on, told its covariates step by step.
fn streamed(model: &Model, series: &Series) -> State {
    let mut state = model.start(&series.slice(0..0)).unwrap();
    let covariates = series.covariates();
    // A slice knows what is ahead of it; this stream is told step by step.
    model.know_ahead(&mut state, covariates.future().slice_move(s![..0, ..])).unwrap();
    for step in 0..series.n_steps() {
        let (past, ahead) = (covariates.past().row(step).to_vec(), covariates.future().row(step).to_vec());
        let told = StepCovariates { past: &past, known_ahead: &ahead };
        model.observe_with(&mut state, &series.values().row(step).to_vec(), &told).unwrap();
    }
    state
}

#[test]
fn a_stream_forecasts_what_its_window_does_and_so_does_a_saved_model() {
    let panel = panel(N, HORIZON, ALL);
    let n = N - HORIZON;
    for config in forms() {
        let model = fitted(&config, &panel);
        assert_eq!(model.covariate_schema(), *panel.covariate_schema());
        let whole = panel.series()[1].slice(0..n);
        let lookback = model.lookback();
        let window = whole.slice(n - lookback..n);
        let expected = model.forecast_series(&window, &asked()).unwrap();
        let mut state = streamed(&model, &window);
        assert_eq!(state.n_known_ahead(), 0);
        assert!(model.forecast_from(&state, &asked()).is_err());
        model.know_ahead(&mut state, whole.covariates().future().slice_move(s![n.., ..])).unwrap();
        assert_eq!(bits(&model.forecast_from(&state, &asked()).unwrap()), bits(&expected), "{config:?}");
        let mut next = [0.0];
        model.next_step(&state, &mut next).unwrap();
        assert_eq!(next[0].to_bits(), expected.mean[[0, 0]].to_bits());
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
        // Of a long history nothing counts that a window does not hold, whatever a stream has seen.
        let long = model.forecast_series(&whole, &asked()).unwrap();
        let mut state = streamed(&model, &whole);
        model.know_ahead(&mut state, whole.covariates().future().slice_move(s![n.., ..])).unwrap();
        if !model.updates_online() {
            assert_eq!(bits(&model.forecast_from(&state, &asked()).unwrap()), bits(&long), "{config:?}");
        }
        let file = model.to_bytes().unwrap();
        let loaded = Model::from_bytes(&file, "m.longcast".as_ref()).unwrap();
        loaded.check_golden().unwrap();
        assert_eq!(loaded.to_bytes().unwrap(), file);
        assert_eq!(bits(&loaded.forecast_series(&window, &asked()).unwrap()), bits(&expected));
        // The history that is stored knows what the data knew ahead.
        let ours = loaded.forecast_next(&asked()).unwrap();
        assert_eq!(ours.iter().map(bits).collect::<Vec<_>>(), {
            let all = model.forecast(&panel, &asked()).unwrap();
            all.iter().map(bits).collect::<Vec<_>>()
        });
        // Together as alone.
        let both = model.forecast_many(panel.series(), &asked());
        assert_eq!(both.into_iter().map(|one| bits(&one.unwrap())).collect::<Vec<_>>(), {
            ours.iter().map(bits).collect::<Vec<_>>()
        });
        // What is known ahead counts for every step.
        let beyond = ForecastOptions { horizon: HORIZON + 1, ..ForecastOptions::default() };
        let said = message(model.forecast_series(&window.slice(0..lookback), &beyond).unwrap_err());
        assert!(said.contains("past covariates are not known beyond"), "{said}");
    }
}

/// The two forms of a state space see the same columns: one reads the window, the other takes step by step.
#[test]
fn a_network_forecasts_the_same_from_its_window_and_step_by_step() {
    let panel = panel(N, HORIZON, ALL);
    let [step, window] = ["step", "window"].map(|form| fitted(&ssm(&[("streaming", form)]), &panel));
    let options = ForecastOptions { horizon: HORIZON, ..ForecastOptions::default() };
    for series in panel.series() {
        let [step, window] =
            [&step, &window].map(|model| model.forecast_series(series, &options).unwrap().mean);
        assert!(step.iter().zip(&window).all(|(a, b)| (a - b).abs() < 1e-3 * b.abs()), "{step} for {window}");
    }
}

#[test]
fn what_is_known_ahead_carries_a_forecast_beyond_the_horizon() {
    let columns: [&[&str]; 3] = [&["degrees", "day"], &[], &["region"]];
    let panel = panel(N, 3 * HORIZON, columns);
    for config in [ssm(&[]), ssm(&[("streaming", "window")]), informer(&[])] {
        let model = fitted(&config, &panel);
        let series = &panel.series()[0];
        let options = |horizon| ForecastOptions { horizon, ..ForecastOptions::default() };
        let long = model.forecast_series(series, &options(3 * HORIZON)).unwrap();
        let short = model.forecast_series(series, &options(HORIZON)).unwrap();
        assert_eq!(long.mean.slice(s![..HORIZON, ..]), short.mean);
        // What is known of the last step is read there, and nowhere before.
        let mut future = series.covariates().future().to_owned();
        let last = future.nrows() - 1;
        future[[last, 1]] += 2.0;
        let parts = (ndarray::Array2::zeros((series.n_steps(), 0)), future, vec![0.0]);
        let changed = Covariates::new(panel.covariate_schema(), series.id(), series.index(), parts).unwrap();
        let other = series.clone().with_covariates(changed).unwrap();
        let other = model.forecast_series(&other, &options(3 * HORIZON)).unwrap();
        let n = 3 * HORIZON - 1;
        assert_ne!(other.mean[[n, 0]].to_bits(), long.mean[[n, 0]].to_bits(), "{config:?}");
        // A block is forecast at once, so that an informer may look ahead within it.
        assert_eq!(other.mean.slice(s![..2 * HORIZON, ..]), long.mean.slice(s![..2 * HORIZON, ..]));
        assert!(model.forecast_series(series, &options(3 * HORIZON + 1)).is_err());
    }
}

#[test]
fn covariates_that_are_not_there_are_named() {
    let panel = panel(N, 0, ALL);
    let series = &panel.series()[0];
    for config in [ssm(&[]), informer(&[])] {
        let model = fitted(&config, &panel);
        let said = message(model.forecast_series(series, &asked()).unwrap_err());
        assert!(said.contains("\"degrees\" at 2024-01-21 20:00:00"), "{said}");
        assert!(matches!(
            model.forecast_many(panel.series(), &asked()).remove(1),
            Err(Error::MissingAhead { n_series: 1, .. })
        ));
        // One row of those that follow lacks a value.
        let cut = N - HORIZON;
        let mut future = series.covariates().future().to_owned();
        future[[cut + 2, 1]] = f64::NAN;
        let parts =
            (series.covariates().past().to_owned(), future, series.covariates().static_values().to_vec());
        let holed = Covariates::new(panel.covariate_schema(), series.id(), series.index(), parts).unwrap();
        let holed = series.clone().with_covariates(holed).unwrap().slice(0..cut);
        let said = message(model.forecast_series(&holed, &asked()).unwrap_err());
        assert!(said.contains("\"degrees\" at 2024-01-21 18:00:00;"), "{said}");
        let bare = series.clone().with_covariates(Covariates::none(N)).unwrap();
        let said = message(model.forecast_series(&bare, &asked()).unwrap_err());
        assert!(said.contains("the model looks at wind, day, degrees, region"), "{said}");
        let mut state = model.start(&series.slice(0..cut)).unwrap();
        let before = state.clone();
        for (told, part) in [
            (StepCovariates { past: &[], known_ahead: &[1.0, 0.0] }, "past covariates is 0"),
            (StepCovariates { past: &[1.0], known_ahead: &[1.0] }, "covariates known ahead is 1"),
            (StepCovariates { past: &[1.0], known_ahead: &[7.0, 1.0] }, "whole numbers below 3"),
            (StepCovariates { past: &[f64::INFINITY], known_ahead: &[1.0, 1.0] }, "wind"),
        ] {
            let said = message(model.observe_with(&mut state, &[1.0], &told).unwrap_err());
            assert!(said.contains(part), "{said}");
            assert_eq!(state, before);
        }
        assert!(model.know_ahead(&mut state, ndarray::array![[1.0]].view()).is_err());
        // Without a word, what was known ahead counts, and the rest is missing, and said.
        let mut told = state.clone();
        model.observe(&mut state, &[20.0]).unwrap();
        let known = series.covariates().future().row(cut).to_vec();
        model
            .observe_with(&mut told, &[20.0], &StepCovariates { past: &[f64::NAN], known_ahead: &known })
            .unwrap();
        assert_eq!(state, told);
        let options = ForecastOptions { horizon: HORIZON - 1, ..ForecastOptions::default() };
        let forecast = model.forecast_from(&state, &options).unwrap();
        assert_eq!(forecast.warnings[0].reason, "COVARIATES_MISSING");
        let said = message(model.remembered(&state).unwrap_err());
        assert!(said.contains("states of models with covariates"), "{said}");
    }
    // A model without covariates takes none.
    let model = fitted(&ssm(&[("covariates", "ignore")]), &panel);
    let mut state = model.start(series).unwrap();
    let told = StepCovariates { past: &[1.0], known_ahead: &[] };
    assert!(message(model.observe_with(&mut state, &[1.0], &told).unwrap_err()).contains("the model has 0"));
}

#[test]
fn tables_of_an_informer_take_no_numbers() {
    for embedding in ["fixed", "learned"] {
        let config = informer(&[("embedding", embedding)]);
        let refused = |columns| {
            let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
            Model::fit(&config, &panel(N, 0, columns), &options).map(|_| ()).map_err(message)
        };
        for columns in [[&["degrees"][..], &[], &[]], [&[][..], &[], &["region"]]] {
            let said = refused(columns).unwrap_err();
            assert!(
                said.contains(&format!("embedding is {embedding}")) && said.contains("use timeF"),
                "{said}"
            );
        }
        // What is known in the past only stands beside values.
        refused([&[], &["wind"], &[]]).unwrap();
    }
}

/// The past columns from a step on are something else.
fn disturbed(panel: &Panel, from: usize) -> Panel {
    let covariates = panel.series().iter().map(|series| {
        let covariates = series.covariates();
        let mut past = covariates.past().to_owned();
        past.slice_mut(s![from.., ..]).mapv_inplace(|value| 1e3 - 7.0 * value);
        let parts = (past, covariates.future().to_owned(), covariates.static_values().to_vec());
        Covariates::new(panel.covariate_schema(), series.id(), series.index(), parts).unwrap()
    });
    let covariates = covariates.collect();
    panel.with_covariates(panel.covariate_schema().clone(), covariates).unwrap()
}

/// No window of a fit ends later than a horizon before the end: what is known in the past only is not read from there
/// on, neither in training nor in validation nor in the errors that intervals come from.
#[test]
fn the_past_is_never_read_beyond_a_cutoff() {
    let panel = panel(N, 0, ALL);
    let cutoff = N - HORIZON;
    let other = disturbed(&panel, cutoff);
    for config in forms() {
        let (ours, theirs) = (fitted(&config, &panel), fitted(&config, &other));
        assert_eq!(ours.header().metrics, theirs.header().metrics, "{config:?}");
        for (a, b) in panel.series().iter().zip(other.series()) {
            let past = a.slice(0..cutoff);
            let expected = bits(&ours.forecast_series(&past, &asked()).unwrap());
            assert_eq!(bits(&theirs.forecast_series(&past, &asked()).unwrap()), expected);
            assert_eq!(bits(&ours.forecast_series(&b.slice(0..cutoff), &asked()).unwrap()), expected);
        }
    }
    // Before it, it is.
    let earlier = disturbed(&panel, cutoff - 1);
    for config in [ssm(&[]), informer(&[])] {
        let model = fitted(&config, &panel);
        let forecast = |panel: &Panel| {
            bits(&model.forecast_series(&panel.series()[0].slice(0..cutoff), &asked()).unwrap())
        };
        assert_ne!(forecast(&panel), forecast(&earlier));
    }
    assert_eq!(panel.covariate_schema().of(Known::Past).len(), 1);
}

#[test]
fn back_tests_read_covariates_and_adaptive_intervals_too() {
    let panel = panel(N, 0, ALL);
    let models = [ssm(&[("epochs", "8")])];
    let options = BacktestOptions {
        horizon: HORIZON,
        n_windows: 5,
        levels: vec![80.0],
        fit: FitOptions { season_length: Some(24), ..FitOptions::default() },
        ..BacktestOptions::default()
    };
    let mse = |models: &[ModelConfig], options: &BacktestOptions| {
        let scores = backtest(models, &panel, options).unwrap().scores();
        let at = scores.models.iter().position(|model| model == "ssm").unwrap();
        let rows: Vec<f64> =
            scores.rows.iter().filter(|row| row.metric == "mse").map(|row| row.values[at]).collect();
        rows.iter().sum::<f64>() / rows.len() as f64
    };
    let told = mse(&models, &options);
    let untold = mse(&[with(models[0].clone(), &[("covariates", "ignore")])], &options);
    assert!(told < 0.5 * untold, "{told} {untold}");
    let adaptive = BacktestOptions { intervals: forecast::eval::Intervals::Adaptive, ..options };
    let streamed = mse(&models, &adaptive);
    assert!(streamed < 0.5 * untold, "{streamed} {untold}");
}

#[test]
fn the_literatures_protocol_reads_covariates() {
    let text = csv(N, 0);
    let one_site: String =
        text.lines().filter(|line| !line.starts_with("b,")).map(|line| format!("{line}\n")).collect();
    let panel = Panel::read_csv(one_site.as_bytes(), "load.csv", &options(ALL)).unwrap();
    let options =
        LtsfOptions { horizons: vec![2, HORIZON], season_length: Some(24), ..LtsfOptions::default() };
    let ltsf = Ltsf::new(&panel, &options).unwrap();
    let mse = |config: &ModelConfig| ltsf.score(config).unwrap().iter().map(|score| score.mse).sum::<f64>();
    for streaming in ["step", "window"] {
        let config = ssm(&[("epochs", "20"), ("streaming", streaming)]);
        let (told, untold) = (mse(&config), mse(&with(config.clone(), &[("covariates", "ignore")])));
        println!("{streaming}: {told} with covariates, {untold} without");
        assert!(told < 0.6 * untold, "{told} {untold}");
    }
}
