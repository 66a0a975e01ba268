//! Every mistake that a user can make, each with the message that it gives: the series, the value, the fix.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

mod altered_models;
mod columns;
mod edge_cases;
mod files;
mod settings;
mod stamps;
mod values;

use forecast::data::{Series, TimeIndex};
use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions, Result};
use ndarray::Array2;

/// The message of an error that is the user's to mend.
fn message<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => {
            assert!(error.is_user_error(), "{error}");
            error.to_string()
        }
    }
}

/// The message that reading this text as `load.csv` gives.
fn refused(csv: &str) -> String {
    refused_with(csv, &ReadOptions::default())
}

fn refused_with(csv: &str, options: &ReadOptions) -> String {
    message(Panel::read_csv(csv.as_bytes(), "load.csv", options))
}

/// One hourly series called `load` with the channel `kW`.
fn hourly(values: &[f64]) -> Panel {
    let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), values.len());
    let channels = ["kW".to_string()];
    let values = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
    Panel::new(channels.to_vec(), vec![Series::new("load", index, values, &channels).unwrap()]).unwrap()
}

/// Values without a pattern, the same on every machine: a multiplicative generator modulo a prime.
fn noise(n: usize) -> Vec<f64> {
    let draws = std::iter::successors(Some(4321u64), |last| Some(last * 48_271 % 2_147_483_647));
    draws.take(n).map(|draw| draw as f64 / 2_147_483_647.0).collect()
}

fn config(model: &str, settings: &[(&str, &str)]) -> ModelConfig {
    let config = ModelConfig::parse(model).unwrap();
    settings.iter().fold(config, |config, (key, value)| config.with(key, value).unwrap())
}

fn fit(config: &ModelConfig, values: &[f64], horizon: usize) -> Result<Model> {
    let options = FitOptions { horizon: Some(horizon), ..FitOptions::default() };
    Ok(Model::fit(config, &hourly(values), &options)?.model)
}
