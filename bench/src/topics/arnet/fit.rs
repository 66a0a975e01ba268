//! The ways to fit an autoregression of one array, from numbers in memory to coefficients.

use std::hint::black_box;
use std::time::Instant;

use forecast::ar::neural::{self, NeuralArConfig, Recipe};
use forecast::ar::sparse::{Criterion, PathOptions, Problem, path, select};
use forecast::ar::{ClassicOptions, Method, classic};
use serde::Deserialize;

use crate::error::Result;

/// A way to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Exact, with standard errors.
    LeastSquares,
    /// The equations of Yule and Walker.
    Autocorrelation,
    /// AR-Net's objective along its path, the choice along it, and a refit of the lags that are left.
    Solved,
    /// The same path from autocorrelations alone.
    SolvedQuick,
    /// AR-Net as its paper trains it.
    Gradient,
}

/// A fit that was made once.
#[derive(Debug, Deserialize)]
pub(super) struct Fitted {
    pub(super) seconds: f64,
    /// Lag 1 first.
    pub(super) weights: Vec<f64>,
}

impl Fit {
    /// What records call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Fit::LeastSquares => "classic_ar",
            Fit::Autocorrelation => "autocorrelation_ar",
            Fit::Solved => "arnet_solved",
            Fit::SolvedQuick => "autocorrelation_arnet",
            Fit::Gradient => "arnet_gradient",
        }
    }

    /// Fits `order` lags; `density` is the share of them that is expected to matter, which training alone asks for.
    ///
    /// # Errors
    /// Those of the library.
    pub(super) fn of(self, values: &[f64], order: usize, density: f64) -> Result<Fitted> {
        let start = Instant::now();
        let weights = match self {
            Fit::LeastSquares => {
                let options = ClassicOptions::default();
                classic(values, order, options)?.weights
            }
            Fit::Autocorrelation => {
                let options = ClassicOptions { method: Method::Autocorrelation, ..ClassicOptions::default() };
                classic(values, order, options)?.weights
            }
            Fit::Solved => chosen(&Problem::from_series(values, order)?)?,
            Fit::SolvedQuick => chosen(&Problem::from_autocorrelations(values, order)?)?,
            Fit::Gradient => {
                let config = NeuralArConfig {
                    order: Some(order),
                    recipe: Recipe::Original,
                    density,
                    ..NeuralArConfig::default()
                };
                neural::train(values, &config)?.weights
            }
        };
        Ok(Fitted { seconds: start.elapsed().as_secs_f64(), weights: black_box(weights) })
    }
}

fn chosen(problem: &Problem<'_>) -> Result<Vec<f64>> {
    let path = path(problem, &PathOptions::default())?;
    Ok(select(problem, &path, Criterion::default())?.weights.clone())
}
