//! Networks that learn and forecast from series with many missing values.
#![allow(clippy::unwrap_used, reason = "helpers of tests outside of test functions")]

use forecast::data::TimeIndex;
use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, Series};
use forecast_datasets::{Season, Seasonal};
use ndarray::Array2;

const HORIZON: usize = 6;
const N_TRAINING: usize = 800;
const N_STEPS: usize = 1_000;

/// A daily season without noise, and the same with a quarter of the values missing, some of them in a row.
fn series() -> [Series; 2] {
    let season = Season { period: 24.0, amplitude: 8.0, phase: 0.0 };
    let recipe = Seasonal { level: 50.0, slope: 0.0, seasons: vec![season], noise_std: 0.1 };
    let values = recipe.generate(N_STEPS, 3).unwrap();
    let is_missing = |step: usize| step % 7 == 3 || (step * step) % 31 == 5 || (400..410).contains(&step);
    [false, true].map(|has_gaps| {
        let values = Array2::from_shape_fn((N_STEPS, 1), |(step, _)| {
            if has_gaps && is_missing(step) { f64::NAN } else { values[step] }
        });
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), N_STEPS);
        Series::new("s", index, values, &["y".into()]).unwrap()
    })
}

/// The mean absolute error of forecasts from histories with gaps, against what there was, of steps that no fit has seen.
fn error(settings: &[(&str, &str)]) -> f64 {
    let [whole, gappy] = series();
    let n_observed = gappy.n_observed(0);
    assert!((700..850).contains(&n_observed), "{n_observed}");
    let small = [
        ("lookback", "48"),
        ("d_model", "16"),
        ("d_state", "8"),
        ("dropout", "0"),
        ("learning_rate", "0.01"),
        ("epochs", "8"),
    ];
    let config = small
        .iter()
        .chain(settings)
        .fold(ModelConfig::parse("ssm").unwrap(), |config, (key, value)| config.with(key, value).unwrap());
    let panel = Panel::new(vec!["y".into()], vec![gappy.slice(0..N_TRAINING)]).unwrap();
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(24), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options).unwrap().model;
    let options = ForecastOptions { horizon: HORIZON, ..ForecastOptions::default() };
    let (mut sum, mut n) = (0.0, 0.0);
    for cutoff in (N_TRAINING..N_STEPS - HORIZON).step_by(3) {
        let forecast = model.forecast_series(&gappy.slice(0..cutoff), &options).unwrap();
        for step in 0..HORIZON {
            sum += (forecast.mean[[step, 0]] - whole.values()[[cutoff + step, 0]]).abs();
            n += 1.0;
        }
    }
    sum / n
}

/// A stream that is not told takes its own forecasts for what it has not seen, of which a training on gaps saw none.
#[test]
fn ssm_learns_from_what_is_there_in_every_form_and_streams_through_gaps_where_it_is_told_of_them() {
    for (form, is_stream) in [
        (&[][..], true),
        (&[("channels", "mixed"), ("mixer", "s4")], true),
        (&[("streaming", "window")], false),
        (&[("decoder", "mask"), ("normalisation", "last-value")], false),
    ] {
        // Without a word, the choice follows the gaps.
        let [untold, told] =
            [&[("mask", "false")][..], &[]].map(|mask| error(&[form, mask, &[("anchor", "none")]].concat()));
        // The mean distance of a sine of 8 from its center is 5.1.
        let message = format!("{form:?}: {untold} without a mask, {told} with one");
        println!("{message}");
        assert!(told < 0.8 && untold < if is_stream { 2.5 } else { 0.8 }, "{message}");
        assert!(!is_stream || told < 0.6 * untold, "{message}");
    }
}

#[test]
fn whether_a_network_is_told_of_gaps_follows_the_training_range_and_is_saved() {
    let [whole, gappy] = series();
    // A gap at the end, which is validated on, is none of the training range.
    let mut late = whole.values().to_owned();
    late.slice_mut(ndarray::s![N_STEPS - 5.., ..]).fill(f64::NAN);
    let late = Series::new("s", whole.index().clone(), late, &["y".into()]).unwrap();
    let ssm = [("d_model", "4"), ("d_state", "4"), ("lookback", "24")];
    let informer =
        [("d_model", "8"), ("n_heads", "2"), ("d_ff", "8"), ("lookback", "24"), ("label_length", "12")];
    for (name, small) in [("ssm", &ssm[..]), ("informer", &informer[..])] {
        let config = small
            .iter()
            .chain(&[("epochs", "1"), ("stride", "9")])
            .fold(ModelConfig::parse(name).unwrap(), |config, (key, value)| config.with(key, value).unwrap());
        for (data, due) in [(&whole, false), (&gappy, true), (&late, false)] {
            let panel = Panel::new(vec!["y".into()], vec![data.clone()]).unwrap();
            let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
            let model = Model::fit(&config, &panel, &options).unwrap().model;
            let loaded = Model::from_bytes(&model.to_bytes().unwrap(), "m.longcast".as_ref()).unwrap();
            loaded.check_golden().unwrap();
            let settings = serde_json::to_value(&loaded.header().config).unwrap();
            assert_eq!(settings["mask"], due, "{name}");
        }
    }
}
