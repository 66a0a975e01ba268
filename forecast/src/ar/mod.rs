//! Classic autoregression: each value is a weighted sum of the `p` values before it.
//!
//! `y_t = b + sum_(i=1..p) w_i y_(t-i) + e_t`, with `b` and `w` the least-squares solution over all complete
//! rows of the training range (conditional least squares: Hamilton, *Time Series Analysis*, section 5.2).
//! Steps further ahead follow recursively. Shapes: window `(p)`, weights `(p)`, forecast `(horizon)`.

mod design;
mod least_squares;
mod moments;
pub mod rls;
pub mod sparse;

use ndarray::{Array2, Array3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::usual_seasons;
use crate::model::{LagRule, Shape, Tensor, Tensors, Training, check_count};
use crate::{Error, Result};
use design::Design;

/// The default order lies between these.
const SHORTEST_DEFAULT_ORDER: usize = 24;
const LONGEST_DEFAULT_ORDER: usize = 336;
/// And leaves at least this many steps for each lag.
const STEPS_PER_LAG: usize = 10;

/// Settings of `ar`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `order` | the longest of one or two usual seasons (hour, day, week) from 24 to 336 lags | lags | at least 1 |
/// | `pooled` | false | one set of coefficients for all series, so that new ones can be forecast | |
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArConfig {
    /// How many lags the model looks at.
    pub order: Option<usize>,
    /// True if all series share one set of coefficients for each channel.
    #[serde(default)]
    pub pooled: bool,
}

impl ArConfig {
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let order = self.order.unwrap_or_else(|| default_order(shape));
        Ok(ArConfig { order: Some(check_count("order", order)?), ..self.clone() })
    }
}

/// The longest of one or two seasons that is not too long for a lag matrix and leaves enough rows.
fn default_order(shape: &Shape) -> usize {
    let longest = LONGEST_DEFAULT_ORDER.min(shape.n_steps / STEPS_PER_LAG);
    let seasons = usual_seasons(&shape.frequency).into_iter().chain([shape.season_length]);
    let lags = seasons.flat_map(|season| [season, 2 * season]).filter(|lags| *lags <= longest);
    lags.max().unwrap_or(0).max(SHORTEST_DEFAULT_ORDER.min(longest)).max(1)
}

/// A fitted autoregression.
#[derive(Debug)]
pub(crate) struct Ar {
    /// Weights in the order of the window, oldest lag first. Shape `(slot, channel, order)`.
    weights: Array3<f64>,
    /// Shape `(slot, channel)`.
    intercepts: Array2<f64>,
}

/// Least squares for each series, or for all together, and each channel.
///
/// # Errors
/// [`Error::TooFewRows`], [`Error::Singular`], each with the series.
pub(crate) fn fit(config: &ArConfig, training: &Training<'_>) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let n_channels = training.channels.len();
    let n_slots = if config.pooled { 1 } else { training.series.len() };
    let solved: Vec<(Vec<f64>, f64)> = (0..n_slots * n_channels)
        .into_par_iter()
        .map(|i| {
            let (slot, channel) = (i / n_channels, i % n_channels);
            let series = if config.pooled { training.series } else { &training.series[slot..=slot] };
            let design = Design::new(series, channel, order)?;
            least_squares::solve(design)
        })
        .collect::<Result<_>>()?;
    let mut ar = Ar {
        weights: Array3::zeros((n_slots, n_channels, order)),
        intercepts: Array2::zeros((n_slots, n_channels)),
    };
    for (i, (weights, intercept)) in solved.into_iter().enumerate() {
        let (slot, channel) = (i / n_channels, i % n_channels);
        ar.intercepts[[slot, channel]] = intercept;
        for (lag, weight) in weights.into_iter().enumerate() {
            ar.weights[[slot, channel, lag]] = weight;
        }
    }
    Ok(ar)
}

/// A model from its tensors.
///
/// # Errors
/// [`Error::Internal`] with the tensor whose shape is wrong; the caller knows the file.
pub(crate) fn load(config: &ArConfig, tensors: &Tensors, n_slots: usize, n_channels: usize) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let get = |name: &str, shape: &[usize]| match tensors.get(name) {
        Some(tensor) if tensor.shape == shape => Ok(tensor.values.clone()),
        Some(tensor) => {
            Err(Error::Internal(format!("tensor {name} has shape {:?} where {shape:?} is due", tensor.shape)))
        }
        None => Err(Error::Internal(format!("tensor {name} is missing"))),
    };
    let weights = get("ar.weights", &[n_slots, n_channels, order])?;
    let intercepts = get("ar.intercepts", &[n_slots, n_channels])?;
    let shape = |error: ndarray::ShapeError| Error::Internal(error.to_string());
    Ok(Ar {
        weights: Array3::from_shape_vec((n_slots, n_channels, order), weights).map_err(shape)?,
        intercepts: Array2::from_shape_vec((n_slots, n_channels), intercepts).map_err(shape)?,
    })
}

impl LagRule for Ar {
    fn lookback(&self) -> usize {
        self.weights.dim().2
    }

    fn forecast_channel(&self, slot: usize, channel: usize, window: &[f64], out: &mut [f64]) {
        let order = window.len();
        let weights = self.weights.slice(ndarray::s![slot, channel, ..]);
        let intercept = self.intercepts[[slot, channel]];
        if let [only] = out {
            *only = intercept + dot(weights.iter(), window);
            return;
        }
        // The window slides over its own forecasts.
        let mut path = Vec::with_capacity(order + out.len());
        path.extend_from_slice(window);
        for (h, out) in out.iter_mut().enumerate() {
            *out = intercept + dot(weights.iter(), &path[h..h + order]);
            path.push(*out);
        }
    }

    fn tensors(&self) -> Tensors {
        Tensors::from([
            ("ar.weights".to_string(), Tensor::from(&self.weights)),
            ("ar.intercepts".to_string(), Tensor::from(&self.intercepts)),
        ])
    }

    fn coefficients(&self, slot: usize, channel: usize) -> Option<(f64, Vec<f64>)> {
        let weights = self.weights.slice(ndarray::s![slot, channel, ..]);
        Some((self.intercepts[[slot, channel]], weights.iter().rev().copied().collect()))
    }
}

fn dot<'a>(weights: impl Iterator<Item = &'a f64>, window: &[f64]) -> f64 {
    weights.zip(window).map(|(w, y)| w * y).sum()
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn the_default_order_is_a_season_or_two_of_what_the_data_can_bear() {
        let order = |step: &str, season_length: usize, n_steps: usize| {
            default_order(&Shape { season_length, frequency: step.parse().unwrap(), n_steps })
        };
        assert_eq!(order("1h", 24, 26_304), 336);
        assert_eq!(order("1h", 24, 2_000), 168);
        assert_eq!(order("15min", 96, 10_000), 192);
        assert_eq!(order("5min", 288, 50_000), 288);
        assert_eq!(order("1D", 7, 3_000), 24);
        assert_eq!(order("1", 1, 100), 10);
        assert_eq!(order("1", 1, 5), 1);
    }

    #[test]
    fn forecasts_follow_the_recursion() {
        // y_t = 1 + 0.5 y_(t-1) - 0.25 y_(t-2), weights oldest lag first.
        let ar = Ar {
            weights: Array3::from_shape_vec((1, 1, 2), vec![-0.25, 0.5]).unwrap(),
            intercepts: Array2::from_elem((1, 1), 1.0),
        };
        let mut out = [0.0; 3];
        ar.forecast_channel(0, 0, &[4.0, 8.0], &mut out);
        assert_eq!(out, [4.0, 1.0, 0.5]);
        assert_eq!(LagRule::coefficients(&ar, 0, 0), Some((1.0, vec![0.5, -0.25])));
    }
}
