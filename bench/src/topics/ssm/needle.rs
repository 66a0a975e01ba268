//! The long-lag needle: `y(t) = 0.99 y(t - k) + noise`, white noise to whoever looks back fewer than `k` steps.
//!
//! Each family is fitted with a look-back that reaches `k`, or as far as it can, and scored on every window of the test
//! range: error over the variance of the series, which is 0.02 for who knows the needle and 1 for who does not. A family
//! that cannot look back so far, or not in the time given, has no score, and the record says why.

use std::time::Instant;

use forecast::data::SplitRule;
use forecast::eval::{Ltsf, LtsfOptions};
use forecast::plot::GrowthChart;
use forecast::{ModelConfig, Panel, ReadOptions};
use forecast_datasets::Needle;

use super::charts;
use crate::console;
use crate::error::{Error, Result};
use crate::measure::Spread;
use crate::record::Record;
use crate::topics::Setting;

const COEFFICIENT: f64 = 0.99;
/// A needle is found by an error below this share of the variance.
const FOUND: f64 = 0.1;
/// Steps that are forecast, none of which depends on another.
const HORIZON: usize = 64;
/// The most seconds that a training by gradient is given.
const TIME_LIMIT: &str = "300";

/// A family and its settings.
struct Seeker {
    name: &'static str,
    model: &'static str,
    settings: fn(usize) -> Vec<(&'static str, String)>,
}

const SEEKERS: [Seeker; 6] = [
    Seeker {
        name: "seasonal_naive",
        model: "seasonal-naive",
        settings: |k| vec![("season_length", k.to_string())],
    },
    Seeker { name: "ar_net", model: "ar-net", settings: |k| vec![("order", (k + 1).to_string())] },
    Seeker {
        name: "informer",
        model: "informer",
        settings: |k| {
            let small = [
                ("d_model", "16"),
                ("n_heads", "2"),
                ("d_ff", "32"),
                ("label_length", "16"),
                ("time_limit", TIME_LIMIT),
            ];
            let lookback = [("lookback", (k + 1).to_string())];
            small.map(|(key, value)| (key, value.to_string())).into_iter().chain(lookback).collect()
        },
    },
    Seeker { name: "s4", model: "ssm", settings: |k| state_space("s4", k) },
    Seeker { name: "s4d", model: "ssm", settings: |k| state_space("s4d", k) },
    Seeker {
        name: "sgconv",
        model: "ssm",
        settings: |k| {
            // Two scales, both as fine as the steps, and as strong.
            let width = ((k + HORIZON + 1).next_power_of_two() / 2).max(2).to_string();
            let fixed = [("decay", "1"), ("state_rate", "1")].map(|(key, value)| (key, value.to_string()));
            let mut settings = state_space("sgconv", k);
            settings.extend(fixed.into_iter().chain([("kernel_dim", width)]));
            settings
        },
    },
];

/// Unknown steps follow the window, so that one kernel answers for all of them.
fn state_space(mixer: &'static str, k: usize) -> Vec<(&'static str, String)> {
    let fixed = [
        ("mixer", mixer),
        ("decoder", "mask"),
        ("anchor", "none"),
        ("d_model", "8"),
        ("n_layers", "1"),
        ("dropout", "0"),
        ("batch_size", "16"),
        ("learning_rate", "0.03"),
        ("epochs", "40"),
        ("time_limit", TIME_LIMIT),
    ];
    // Every label once where that is a few seconds, else fewer.
    let every = if k > 10_000 { k / 100 } else { (k / 100).clamp(1, HORIZON) };
    let stride = [("lookback", (k + 1).to_string()), ("stride", every.to_string())];
    fixed.map(|(key, value)| (key, value.to_string())).into_iter().chain(stride).collect()
}

/// How one family did.
struct Found {
    share: f64,
    n_parameters: usize,
    seconds: f64,
}

pub(super) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let lags: &[usize] = if setting.is_quick { &[100] } else { &[1_000, 10_000, 100_000] };
    let mut records = Vec::new();
    let mut curves: Vec<(String, Vec<(f64, f64)>)> =
        SEEKERS.iter().map(|seeker| (seeker.name.replace('_', " "), Vec::new())).collect();
    for lag in lags {
        let panel = panel(*lag, 6 * lag + 2_000)?;
        for (seeker, curve) in SEEKERS.iter().zip(&mut curves) {
            let name = format!("needle_k{lag}_{}", seeker.name);
            let found = match seek(seeker, *lag, &panel) {
                Ok(found) => found,
                // A family that cannot is a result.
                Err(Error::Forecast(reason)) => {
                    console::note(format!("{name}: not found, {reason}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Found { share, n_parameters, seconds } = found;
            console::note(format!(
                "{name}: error {share:.4} of the variance, {n_parameters} weights, {seconds:.0} s"
            ));
            let record = Record::new(&name, "of the variance", Spread::of([share]));
            let is_bar = *lag == 10_000 && seeker.name == "sgconv";
            records.push(if is_bar { record.at_most(FOUND) } else { record });
            let of = |what: &str, unit, value: f64| {
                Record::new(&format!("{name}_{what}"), unit, Spread::of([value]))
            };
            records.push(of("parameters", "weights", n_parameters as f64));
            records.push(of("fit", "s", seconds));
            curve.1.push((*lag as f64, share));
        }
    }
    if let Some(folder) = charts(setting)? {
        let chart = GrowthChart {
            title: "Who finds one value k steps back: error over variance, 0.02 at best".to_string(),
            size_label: "k (steps)".to_string(),
            value_label: "error / variance".to_string(),
            curves: curves.into_iter().filter(|(_, points)| !points.is_empty()).collect(),
        };
        forecast::write_atomically(folder.join("ssm-needle.png"), &chart.render()?)?;
    }
    Ok(records)
}

/// A series of variance 1.
fn panel(lag: usize, n_steps: usize) -> Result<Panel> {
    let noise_std = (1.0 - COEFFICIENT * COEFFICIENT).sqrt();
    let needle = Needle { lag, coefficient: COEFFICIENT, noise_std };
    let values = needle.generate(n_steps, 1)?;
    let rows: String = values.iter().enumerate().map(|(t, value)| format!("{t},{value}\n")).collect();
    Ok(Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "needle.csv", &ReadOptions::default())?)
}

fn seek(seeker: &Seeker, lag: usize, panel: &Panel) -> Result<Found> {
    let mut config = ModelConfig::parse(seeker.model)?;
    for (key, value) in (seeker.settings)(lag) {
        config = config.with(key, &value)?;
    }
    // Enough windows to score, and no more than take seconds.
    let n = panel.series()[0].n_steps() as f64;
    let (validation, test) = (1_000.0 / n, 1_000.0 / n);
    let split = SplitRule::Ratio { train: 1.0 - validation - test, validation };
    let options = LtsfOptions { horizons: vec![HORIZON], split, season_length: Some(lag) };
    let start = Instant::now();
    let ltsf = Ltsf::new(panel, &options)?;
    let scores = ltsf.score(&config)?;
    let score = scores.first().ok_or_else(|| Error::Unexpected("no score".to_string()))?;
    let seconds = if score.fit_seconds > 0.0 { score.fit_seconds } else { start.elapsed().as_secs_f64() };
    // Values are scaled by the training range, so that the variance is 1.
    Ok(Found { share: score.mse, n_parameters: score.n_parameters, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_autoregression_and_a_global_convolution_find_a_needle_that_the_mean_does_not() {
        // As many steps to train on for each weight as with long lags.
        let panel = panel(50, 3_200).unwrap();
        let share = |name: &str| {
            let seeker = SEEKERS.iter().find(|seeker| seeker.name == name).unwrap();
            seek(seeker, 50, &panel).unwrap().share
        };
        assert!(share("ar_net") < FOUND && share("sgconv") < FOUND);
        assert!(share("seasonal_naive") < FOUND);
        let mean = Seeker { name: "mean", model: "window-mean", settings: |_| Vec::new() };
        assert!(seek(&mean, 50, &panel).unwrap().share > 0.5);
    }
}
