//! What the heads of `ssm` learn: how far values scatter, and when.
#![allow(clippy::unwrap_used, reason = "helpers of tests outside of test functions")]

use std::f64::consts::TAU;

use forecast::data::TimeIndex;
use forecast::eval::metrics::quantile_loss;
use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, Series};
use forecast_datasets::Seasonal;
use ndarray::Array2;

const HORIZON: usize = 12;
const N_TRAINING: usize = 1_000;
const N_STEPS: usize = 1_200;
const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

/// Half of each day is loud.
fn spread(hour: usize) -> f64 {
    if hour % 24 < 12 { 2.0 } else { 0.3 }
}

/// A daily season, and noise whose size changes with the hour.
fn series() -> Series {
    let noise = Seasonal { level: 0.0, slope: 0.0, seasons: Vec::new(), noise_std: 1.0 };
    let noise = noise.generate(N_STEPS, 5).unwrap();
    let season = |hour: usize| 10.0 * (TAU * hour as f64 / 24.0).sin();
    let values = Array2::from_shape_fn((N_STEPS, 1), |(hour, _)| season(hour) + spread(hour) * noise[hour]);
    let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), N_STEPS);
    Series::new("s", index, values, &["y".into()]).unwrap()
}

fn fit(series: &Series, settings: &[(&str, &str)]) -> Model {
    let small = [
        ("lookback", "48"),
        ("d_model", "16"),
        ("d_state", "8"),
        ("dropout", "0"),
        ("learning_rate", "0.01"),
        ("epochs", "12"),
    ];
    let config = small
        .iter()
        .chain(settings)
        .fold(ModelConfig::parse("ssm").unwrap(), |config, (key, value)| config.with(key, value).unwrap());
    let panel = Panel::new(vec!["y".into()], vec![series.slice(0..N_TRAINING)]).unwrap();
    let options = FitOptions { horizon: Some(HORIZON), season_length: Some(24), ..FitOptions::default() };
    Model::fit(&config, &panel, &options).unwrap().model
}

/// Forecasts of steps that no fit has seen, each with the number of its first step.
fn forecasts(model: &Model, series: &Series, quantiles: &[f64]) -> Vec<(usize, Forecast)> {
    let options =
        ForecastOptions { horizon: HORIZON, quantiles: quantiles.to_vec(), ..ForecastOptions::default() };
    let cutoffs = (N_TRAINING..N_STEPS - HORIZON).step_by(5);
    let of = |cutoff| model.forecast_series(&series.slice(0..cutoff), &options).unwrap();
    cutoffs.map(|cutoff| (cutoff, of(cutoff))).collect()
}

/// The mean pinball loss over all levels; `path` gives the values of the forecast for one of them, by its number.
fn pinball<'a>(
    series: &Series,
    forecasts: &'a [(usize, Forecast)],
    path: impl Fn(&'a Forecast, usize) -> &'a Array2<f64>,
) -> f64 {
    let of = |(cutoff, forecast): &'a (usize, Forecast)| {
        let actual: Vec<f64> = (0..HORIZON).map(|step| series.values()[[cutoff + step, 0]]).collect();
        let losses = (0..LEVELS.len()).map(|level| {
            let values: Vec<f64> = path(forecast, level).iter().copied().collect();
            quantile_loss(&actual, &values, LEVELS[level])
        });
        losses.sum::<f64>() / LEVELS.len() as f64
    };
    forecasts.iter().map(of).sum::<f64>() / forecasts.len() as f64
}

#[test]
fn heads_tell_loud_hours_from_quiet_ones_and_lose_less_than_a_point() {
    let series = series();
    let point = forecasts(&fit(&series, &[]), &series, &[]);
    let of_point = pinball(&series, &point, |forecast, _| &forecast.mean);
    for settings in [
        &[("head", "quantiles")][..],
        &[("head", "gaussian")],
        &[("head", "student-t")],
        &[("head", "quantiles"), ("decoder", "mask"), ("normalisation", "last-value")],
    ] {
        let model = fit(&series, &[settings, &[("intervals", "head")]].concat());
        let own = forecasts(&model, &series, &LEVELS);
        let of_head = pinball(&series, &own, |forecast, level| &forecast.quantiles[level].values);
        assert!(of_head < 0.85 * of_point, "{settings:?}: {of_head}, a point {of_point}");
        // The mean width of 80 % intervals, hour by hour.
        let (mut widths, mut counts) = ([0.0; 2], [0.0; 2]);
        for (cutoff, forecast) in &own {
            for step in 0..HORIZON {
                let hour = usize::from(spread(cutoff + step) < 1.0);
                let [lower, upper] = [0, 2].map(|level| forecast.quantiles[level].values[[step, 0]]);
                assert!(lower <= forecast.mean[[step, 0]] && forecast.mean[[step, 0]] <= upper);
                widths[hour] += upper - lower;
                counts[hour] += 1.0;
            }
        }
        let [loud, quiet] = [0, 1].map(|hour| widths[hour] / counts[hour]);
        assert!(loud > 2.0 * quiet, "{settings:?}: {loud} at loud hours, {quiet} at quiet ones");
    }
}
