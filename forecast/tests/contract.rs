//! One contract for every family: `check_family` is run for each configuration.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used)]

use forecast::data::{Series, TimeIndex};
use forecast::eval::metrics::mae;
use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel};
use forecast_datasets::{Season, Seasonal};
use ndarray::{Array2, s};

const HORIZON: usize = 12;
const SEASON: usize = 24;

fn options() -> ForecastOptions {
    ForecastOptions { horizon: HORIZON, levels: vec![80.0], quantiles: vec![0.5], ..Default::default() }
}

fn index(len: usize) -> TimeIndex {
    TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), len)
}

/// Two channels of trend, two seasons and noise.
fn seasonal(n: usize, seed: u64) -> Array2<f64> {
    let season = |period: f64, amplitude: f64| Season { period, amplitude, phase: 0.3 };
    let recipe = Seasonal {
        level: 50.0,
        slope: 0.002,
        seasons: vec![season(24.0, 8.0), season(12.0, 3.0)],
        noise_std: 1.0,
    };
    let columns = [recipe.generate(n, seed).unwrap(), recipe.generate(n, seed + 1).unwrap()];
    Array2::from_shape_fn((n, 2), |(step, channel)| columns[channel][step] * (1.0 + channel as f64))
}

fn panel(values: &[Array2<f64>]) -> Panel {
    let channels = vec!["a".to_string(), "b".to_string()];
    let series = values
        .iter()
        .enumerate()
        .map(|(i, v)| Series::new(format!("s{i}"), index(v.nrows()), v.clone(), &channels).unwrap())
        .collect();
    Panel::new(channels, series).unwrap()
}

fn fit(config: &ModelConfig, panel: &Panel) -> Model {
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(SEASON), ..FitOptions::default() };
    Model::fit(config, panel, &options).unwrap().model
}

fn bits(forecasts: &[Forecast]) -> Vec<u64> {
    let intervals = forecasts.iter().flat_map(|f| f.intervals.iter());
    let quantiles = forecasts.iter().flat_map(|f| f.quantiles.iter());
    forecasts
        .iter()
        .flat_map(|f| f.mean.iter())
        .chain(intervals.flat_map(|i| i.lower.iter().chain(&i.upper)))
        .chain(quantiles.flat_map(|q| q.values.iter()))
        .map(|v| v.to_bits())
        .collect()
}

fn in_pool<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// Everything that holds for every family.
fn check_family(config: &ModelConfig) {
    let name = config.name();
    let data = panel(&[seasonal(600, 1), seasonal(500, 5)]);
    let model = fit(config, &data);
    let forecasts = model.forecast(&data, &options()).unwrap();

    // Shape, finiteness, order of the bounds, stamps that follow the history.
    assert_eq!(forecasts.len(), 2, "{name}");
    for (forecast, series) in forecasts.iter().zip(data.series()) {
        assert_eq!(forecast.mean.dim(), (HORIZON, 2), "{name}");
        assert!(forecast.mean.iter().all(|v| v.is_finite()), "{name}");
        let interval = &forecast.intervals[0];
        assert!(interval.lower.iter().zip(&interval.upper).all(|(lo, hi)| lo <= hi), "{name}");
        assert_eq!(forecast.index.start, series.index().stamp(series.n_steps()), "{name}");
    }

    // The same bits with one thread and with several, from data and from the stored history.
    let again = |threads| in_pool(threads, || fit(config, &data).forecast(&data, &options()).unwrap());
    assert_eq!(bits(&forecasts), bits(&again(1)), "{name}");
    assert_eq!(bits(&forecasts), bits(&again(3)), "{name}");
    assert_eq!(bits(&forecasts), bits(&model.forecast_next(&options()).unwrap()), "{name}");

    check_streaming(config, &model, &data);
    check_long_streams(&model, data.channels());

    // A batch equals its single calls.
    for (series, forecast) in data.series().iter().zip(&forecasts) {
        let single = model.forecast_series(series, &options()).unwrap();
        assert_eq!(bits(&[single]), bits(std::slice::from_ref(forecast)), "{name}");
    }

    // Saved and loaded, the model forecasts the same bits and saves the same bytes.
    let bytes = model.to_bytes().unwrap();
    let loaded = Model::from_bytes(&bytes, "x.longcast".as_ref()).unwrap();
    assert_eq!(bits(&forecasts), bits(&loaded.forecast(&data, &options()).unwrap()), "{name}");
    assert_eq!(bytes, loaded.to_bytes().unwrap(), "{name}");
    assert_eq!(model.header(), loaded.header(), "{name}");

    check_explanations(&model, &data);
    check_no_leakage(config, &data);
    check_bad_input(&model, name);

    fn is_shareable<T: Send + Sync + Clone + 'static>(_: &T) {}
    is_shareable(&model);
}

/// From a fresh state, after `lookback` observations, the streamed forecast is the window's, also with gaps.
fn check_streaming(config: &ModelConfig, model: &Model, data: &Panel) {
    let name = config.name();
    for with_gap in [false, true] {
        let series = &data.series()[1];
        let mut window = series.tail(model.lookback()).values().to_owned();
        if with_gap && window.nrows() > 2 {
            window[[1, 0]] = f64::NAN;
        }
        let channels = data.channels();
        let at = series.n_steps() - window.nrows();
        let window_index = series.index().slice(at..series.n_steps());
        let window = Series::new(series.id(), window_index, window, channels).unwrap();
        let fresh = Series::new(series.id(), window.index().slice(0..0), Array2::zeros((0, 2)), channels);
        let mut state = model.start(&fresh.unwrap()).unwrap();
        for (step, row) in window.values().rows().into_iter().enumerate() {
            assert_eq!(state.index().len, step, "{name}");
            model.observe(&mut state, &row.to_vec()).unwrap();
        }
        let streamed = model.forecast_from(&state, &options()).unwrap();
        let windowed = model.forecast_series(&window, &options()).unwrap();
        assert_eq!(streamed, windowed, "{name}, gap {with_gap}");
        assert_eq!(streamed.index, windowed.index, "{name}");

        // A state is plain data: restored from text it goes on with the same bits.
        let text = serde_json::to_string(&state).unwrap();
        let restored: forecast::State = serde_json::from_str(&text).unwrap();
        assert_eq!(model.forecast_from(&restored, &options()).unwrap(), streamed, "{name}");
    }
}

/// True if a state goes on for ever, in place of the last steps.
fn is_recurrent(model: &Model) -> bool {
    model.updates_online() && model.header().config.name() == "ssm"
}

/// A long stream with gaps forecasts what the history does, intervals included, wherever it began.
fn check_long_streams(model: &Model, channels: &[String]) {
    let name = model.header().config.name();
    let n_steps = 1_600;
    let mut values = seasonal(n_steps, 9);
    values.slice_mut(s![900..903, 0]).fill(f64::NAN);
    values[[n_steps - 5, 1]] = f64::NAN;
    let whole = Series::new("s1", index(n_steps), values, channels).unwrap();
    if is_recurrent(model) {
        return check_long_memory(model, &whole);
    }
    let expected = model.forecast_series(&whole, &options()).unwrap();
    for begin in [0, 300] {
        let part = whole.slice(begin..n_steps);
        let mut state = model.start(&part.slice(0..0)).unwrap();
        for row in part.values().rows() {
            model.observe(&mut state, &row.to_vec()).unwrap();
        }
        let streamed = model.forecast_from(&state, &options()).unwrap();
        assert_eq!(bits(&[streamed]), bits(std::slice::from_ref(&expected)), "{name} from step {begin}");
    }
    // The recent errors are part of it: the lookback alone has the same mean and other bounds. Networks, whose
    // forecasts take long, do not look at them.
    if model.header().config.is_trained_once() {
        return;
    }
    let short = model.forecast_series(&whole.tail(model.lookback().max(6)), &options()).unwrap();
    assert_ne!(short.intervals, expected.intervals, "{name}");
}

/// A memory that is longer than any window forecasts as well as the windows that were learned from, at 200 cutoffs of a
/// long stream.
fn check_long_memory(model: &Model, whole: &Series) {
    let name = model.header().config.name();
    let options = ForecastOptions { horizon: HORIZON, ..ForecastOptions::default() };
    let mut state = model.start(&whole.slice(0..0)).unwrap();
    let (mut of_stream, mut of_window, mut n_cutoffs) = (0.0, 0.0, 0);
    for (cutoff, row) in (1..).zip(whole.values().rows()) {
        model.observe(&mut state, &row.to_vec()).unwrap();
        if cutoff < 400 || cutoff % 5 != 0 || cutoff + HORIZON > whole.n_steps() || n_cutoffs == 200 {
            continue;
        }
        n_cutoffs += 1;
        let window = whole.slice(cutoff - model.lookback()..cutoff);
        let actual = whole.values().slice(s![cutoff..cutoff + HORIZON, ..]).to_owned();
        let error = |forecast: Forecast| -> f64 {
            let pairs = forecast.mean.iter().zip(&actual).filter(|(_, actual)| !actual.is_nan());
            pairs.map(|(forecast, actual)| (forecast - actual).powi(2)).sum()
        };
        of_stream += error(model.forecast_from(&state, &options).unwrap());
        of_window += error(model.forecast_series(&window, &options).unwrap());
    }
    assert_eq!(n_cutoffs, 200);
    assert!(of_stream <= 1.1 * of_window, "{name}: {of_stream} after a long stream, {of_window} of windows");
}

/// Where a family has coefficients, base and contributions add up to its forecast of any step.
fn check_explanations(model: &Model, data: &Panel) {
    let name = model.header().config.name();
    for (series, channel, step) in
        data.series().iter().flat_map(|series| [(series, 0, 1), (series, 1, HORIZON), (series, 0, 40)])
    {
        let told = match model.explain(series, channel, step) {
            Ok(told) => told,
            Err(error) => {
                assert!(error.to_string().contains("no coefficients"), "{name}: {error}");
                continue;
            }
        };
        let options = ForecastOptions { horizon: step, ..Default::default() };
        let expected = model.forecast_series(series, &options).unwrap().mean[[step - 1, channel]];
        let columns: f64 = told.columns.iter().map(|(_, contribution)| contribution).sum();
        let sum = told.base + columns + told.contributions.iter().map(|c| c.contribution).sum::<f64>();
        assert!((sum - expected).abs() <= 1e-9 * expected.abs(), "{name}, step {step}: {sum}, {expected}");
    }
}

/// What happens at or after a cutoff changes nothing that is forecast at it.
fn check_no_leakage(config: &ModelConfig, data: &Panel) {
    let cut = |panel: &Panel| panel.map_in_order(|series| series.slice(0..400));
    let mut wild: Vec<Array2<f64>> = data.series().iter().map(|series| series.values().to_owned()).collect();
    for values in &mut wild {
        values.slice_mut(s![400.., ..]).mapv_inplace(|v| -3.0 * v + 1e6);
    }
    let of = |panel: &Panel| {
        let past = cut(panel);
        bits(&fit(config, &past).forecast(&past, &options()).unwrap())
    };
    assert_eq!(of(data), of(&panel(&wild)), "{}", config.name());
}

fn check_bad_input(model: &Model, name: &str) {
    let channels = vec!["a".to_string(), "b".to_string()];
    let series = |values: Array2<f64>, channels: &[String]| {
        Series::new("s0", index(values.nrows()), values, channels).unwrap()
    };
    let short = series(Array2::zeros((model.lookback() - 1, 2)), &channels);
    let message = model.forecast_series(&short, &options()).unwrap_err().to_string();
    assert!(message.contains("steps of history"), "{name}: {message}");
    let missing = series(Array2::from_elem((600, 2), f64::NAN), &channels);
    let message = model.forecast_series(&missing, &options()).unwrap_err().to_string();
    assert!(message.contains("no observed value in channel \"a\""), "{name}: {message}");
    let narrow = series(Array2::zeros((600, 1)), &channels[..1]);
    let message = model.forecast_series(&narrow, &options()).unwrap_err().to_string();
    assert!(message.contains("\"s0\" has the channels"), "{name}: {message}");
    for (horizon, levels, expected) in [
        (0, vec![], "horizon is 0"),
        (HORIZON, vec![0.0], "level is 0"),
        (HORIZON, vec![101.0], "level is 101"),
        (HORIZON + 1, vec![80.0], "calibrated for 12 steps"),
    ] {
        let options = ForecastOptions { horizon, levels, ..Default::default() };
        let message = model.forecast_next(&options).unwrap_err().to_string();
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn naive_keeps_the_contract() {
    check_family(&ModelConfig::parse("naive").unwrap());
}

#[test]
fn seasonal_naive_keeps_the_contract() {
    check_family(&ModelConfig::parse("seasonal-naive").unwrap());
}

#[test]
fn drift_keeps_the_contract() {
    check_family(&ModelConfig::parse("drift").unwrap());
}

#[test]
fn window_mean_keeps_the_contract() {
    check_family(&ModelConfig::parse("window-mean").unwrap());
}

#[test]
fn ar_keeps_the_contract() {
    let ar = ModelConfig::parse("ar").unwrap();
    check_family(&ar);
    check_family(&ar.with("pooled", "true").unwrap());
    check_family(&ar.with("order", "24").unwrap());
    check_family(&ar.with("lookbacks", "24,48").unwrap().with("pool_channels", "false").unwrap());
    check_family(&ar.with("order", "30").unwrap().with("difference", "24,1").unwrap());
    check_family(&ar.with("direct_steps", "5").unwrap().with("difference", "1").unwrap());
    check_family(&ar.with("fourier", "1D:2").unwrap().with("trend", "linear").unwrap());
    check_family(&ar.with("pooled", "true").unwrap().with("fourier", "12:1").unwrap());
    beats_seasonal_naive(&ar);
}

#[test]
fn ar_net_keeps_the_contract() {
    let ar_net = ModelConfig::parse("ar-net").unwrap();
    check_family(&ar_net);
    check_family(&ar_net.with("order", "40").unwrap().with("stability", "3").unwrap());
    check_family(&ar_net.with("lambda", "0.02").unwrap().with("pooled", "true").unwrap());
    beats_seasonal_naive(&ar_net);
}

#[test]
fn neural_ar_keeps_the_contract() {
    let neural = ModelConfig::parse("neural-ar").unwrap();
    check_family(&neural);
    check_family(&neural.with("order", "24").unwrap().with("density", "0.5").unwrap());
    check_family(&neural.with("hidden", "16").unwrap().with("epochs", "20").unwrap());
    check_family(&neural.with("pooled", "true").unwrap().with("pool_channels", "false").unwrap());
    beats_seasonal_naive(&neural);
}

#[test]
fn informer_keeps_the_contract() {
    let settings = [
        ("lookback", "48"),
        ("label_length", "24"),
        ("d_model", "16"),
        ("n_heads", "2"),
        ("d_ff", "32"),
        ("learning_rate", "0.005"),
        ("normalisation", "revin"),
    ];
    let small = ModelConfig::parse("informer").unwrap();
    let small = settings.iter().fold(small, |config, (key, value)| config.with(key, value).unwrap());
    check_family(&small.with("epochs", "2").unwrap());
    let full = small.with("encoder_layers", "full").unwrap().with("embedding", "learned").unwrap();
    let full = full.with("normalisation", "last-value").unwrap();
    check_family(&full.with("epochs", "1").unwrap().with("label_length", "0").unwrap());
    let own = [("epochs", "1"), ("head", "student-t"), ("intervals", "head"), ("mask", "true")];
    check_family(&own.iter().fold(small.clone(), |config, (key, value)| config.with(key, value).unwrap()));
    let long = [
        ("epochs", "100"),
        ("patience", "100"),
        ("learning_rate", "0.002"),
        ("schedule", "cosine"),
        ("dropout", "0"),
        ("d_model", "32"),
        ("d_ff", "64"),
        ("n_heads", "4"),
        ("encoder_layers", "prob"),
    ];
    beats_seasonal_naive(&long.iter().fold(small, |config, (key, value)| config.with(key, value).unwrap()));
}

#[test]
fn ssm_keeps_the_contract() {
    let settings = [
        ("lookback", "72"),
        ("d_model", "8"),
        ("d_state", "8"),
        ("n_layers", "2"),
        ("kernel_dim", "8"),
        ("epochs", "2"),
        ("learning_rate", "0.01"),
    ];
    let with = |config: ModelConfig, settings: &[(&str, &str)]| {
        settings.iter().fold(config, |config, (key, value)| config.with(key, value).unwrap())
    };
    let small = with(ModelConfig::parse("ssm").unwrap(), &settings);
    check_family(&small);
    check_family(&with(small.clone(), &[("mixer", "s4"), ("channels", "mixed"), ("norm", "layer")]));
    check_family(&with(small.clone(), &[("mixer", "sgconv"), ("calendar", "features")]));
    check_family(&with(small.clone(), &[("mixer", "sgconv"), ("recurrence", "reduced"), ("epochs", "1")]));
    check_family(&with(small.clone(), &[("normalisation", "last-value"), ("direction", "both")]));
    check_family(&with(small.clone(), &[("normalisation", "revin"), ("decoder", "mask"), ("mixer", "s4")]));
    let own = |head| with(small.clone(), &[("epochs", "1"), ("head", head), ("intervals", "head")]);
    check_family(&with(own("quantiles"), &[("channels", "mixed"), ("calendar", "features")]));
    check_family(&with(own("gaussian"), &[("mixer", "s4")]));
    check_family(&with(own("student-t"), &[("normalisation", "revin"), ("decoder", "mask")]));
    check_family(&with(small.clone(), &[("epochs", "1"), ("head", "student-t")]));
    check_family(&with(own("gaussian"), &[("mask", "true"), ("channels", "mixed")]));
    check_family(&with(small.clone(), &[("epochs", "1"), ("mask", "true"), ("decoder", "mask")]));
    let data = panel(&[seasonal(400, 1)]);
    let hindrance = |settings: &[(&str, &str)]| {
        let model = fit(&with(small.clone(), settings), &data);
        assert_eq!(model.updates_online(), model.hinders_online_updates().is_none());
        model.hinders_online_updates()
    };
    assert_eq!(hindrance(&[]), None);
    assert!(hindrance(&[("normalisation", "revin")]).unwrap().starts_with("normalisation is revin: "));
    assert!(hindrance(&[("streaming", "window")]).unwrap().starts_with("streaming is window: "));
    let long = [("epochs", "60"), ("patience", "60"), ("d_model", "16"), ("dropout", "0")];
    beats_seasonal_naive(&with(small, &long));
}

/// On data with two seasons, trend and noise, over 20 windows of a test range.
fn beats_seasonal_naive(config: &ModelConfig) {
    let values = seasonal(900, 11);
    let past = panel(&[values.slice(s![..600, ..]).to_owned()]);
    let error = |config: &ModelConfig| {
        let model = fit(config, &past);
        let all = panel(std::slice::from_ref(&values));
        let errors: Vec<f64> = (600..880)
            .step_by(14)
            .map(|cutoff| {
                let series = all.series()[0].slice(0..cutoff);
                let forecast = model.forecast_series(&series, &options()).unwrap();
                let actual = values.slice(s![cutoff..cutoff + HORIZON, ..]);
                mae(
                    &actual.iter().copied().collect::<Vec<_>>(),
                    &forecast.mean.iter().copied().collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(errors.len(), 20);
        errors.iter().sum::<f64>() / 20.0
    };
    let (ours, naive) = (error(config), error(&ModelConfig::parse("seasonal-naive").unwrap()));
    assert!(ours < naive, "{}: {ours} against seasonal naive's {naive}", config.name());
}
