//! Classic autoregression: each value is a weighted sum of the `p` values before it.
//!
//! `y_t = b + sum_(i=1..p) w_i y_(t-i) + e_t`, with `b` and `w` the least-squares solution over all complete
//! rows of the training range (conditional least squares: Hamilton, *Time Series Analysis*, section 5.2).
//! Steps further ahead follow recursively. Shapes: window `(p)`, weights `(p)`, forecast `(horizon)`.

mod design;
mod least_squares;

use ndarray::{Array2, Array3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::{LagRule, Tensor, Tensors, Training, check_positive};
use crate::{Error, Result};
use design::Design;

/// The default order is two seasons of the data, but no fewer lags than the one and no more than the other.
const SHORTEST_DEFAULT_ORDER: usize = 24;
const LONGEST_DEFAULT_ORDER: usize = 336;

/// Settings of `ar`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `order` | two seasons of the data, at least 24, at most 336 | lags | at least 1 |
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
    pub(crate) fn resolve(&self, season_length: usize) -> Result<Self> {
        let order = self
            .order
            .unwrap_or((2 * season_length).clamp(SHORTEST_DEFAULT_ORDER, LONGEST_DEFAULT_ORDER));
        Ok(ArConfig {
            order: Some(check_positive("order", order)?),
            ..self.clone()
        })
    }
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
/// [`Error::Constant`], [`Error::TooFewRows`], [`Error::Singular`], each with the series.
pub(crate) fn fit(config: &ArConfig, training: &Training<'_>) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let n_channels = training.channels.len();
    let n_slots = if config.pooled {
        1
    } else {
        training.series.len()
    };
    let solved: Vec<(Vec<f64>, f64)> = (0..n_slots * n_channels)
        .into_par_iter()
        .map(|i| {
            let (slot, channel) = (i / n_channels, i % n_channels);
            let series = if config.pooled {
                training.series
            } else {
                &training.series[slot..=slot]
            };
            let design = Design::new(series, channel, &training.channels[channel], order)?;
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
pub(crate) fn load(
    config: &ArConfig,
    tensors: &Tensors,
    n_slots: usize,
    n_channels: usize,
) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let get = |name: &str, shape: &[usize]| match tensors.get(name) {
        Some(tensor) if tensor.shape == shape => Ok(tensor.values.clone()),
        Some(tensor) => Err(Error::Internal(format!(
            "tensor {name} has shape {:?} where {shape:?} is due",
            tensor.shape
        ))),
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
        Some((
            self.intercepts[[slot, channel]],
            weights.iter().rev().copied().collect(),
        ))
    }
}

fn dot<'a>(weights: impl Iterator<Item = &'a f64>, window: &[f64]) -> f64 {
    weights.zip(window).map(|(w, y)| w * y).sum()
}
