//! AR-Net of one array, for those who have numbers and no panel.

use super::config::NeuralArConfig;
use super::fit::learn;
use crate::ar::config::Strategy;
use crate::data::Step;
use crate::model::{Cancel, Shape};
use crate::{Error, Result};

/// `y_t = intercept + sum_i weights[i - 1] y_(t-i) + e_t`, and how its training went.
#[derive(Debug, Clone, PartialEq)]
pub struct ArNet {
    /// Lag 1 first. Shape `(order)`.
    pub weights: Vec<f64>,
    /// In the units of the series.
    pub intercept: f64,
    /// The mean loss of each epoch, without the regulariser.
    pub losses: Vec<f64>,
}

/// AR-Net of a series, missing values NaN: windows with one are left out. Values are taken as they are, and learning
/// rate and `lambda` are meant for a variance of about 1.
///
/// # Errors
/// [`Error::TooFewRows`] if no window is complete, [`Error::Diverged`] if the training comes to nothing,
/// [`Error::BadOption`] for settings: there has to be an order, and neither hidden layers nor several steps.
///
/// # Example
/// ```
/// use forecast::ar::neural::{NeuralArConfig, train};
/// let mut y = vec![1.0, -1.0];
/// for t in 2..500 {
///     y.push(0.5 * y[t - 1] - 0.25 * y[t - 2] + ((t * t) % 7) as f64 / 3.0 - 0.7);
/// }
/// let config = NeuralArConfig { order: Some(2), ..NeuralArConfig::default() };
/// let net = train(&y, &config)?;
/// assert!(net.losses[net.losses.len() - 1] < net.losses[0]);
/// let exact = forecast::ar::classic(&y, 2, Default::default())?;
/// assert!(net.weights.iter().zip(&exact.weights).all(|(a, b)| (a - b).abs() < 0.1));
/// assert!(train(&y, &NeuralArConfig::default()).is_err());
/// # Ok::<(), forecast::Error>(())
/// ```
pub fn train(values: &[f64], config: &NeuralArConfig) -> Result<ArNet> {
    if config.order.is_none() {
        return Err(Error::option("order", "open", "it must be given for a single array"));
    }
    if let Some(at) = values.iter().position(|value| value.is_infinite()) {
        let rule = "it must be finite, or NaN where missing";
        return Err(Error::option(format!("value {at}"), values[at], rule));
    }
    let lengths = values.split(|value| value.is_nan()).map(<[f64]>::len).collect();
    let shape = Shape {
        season_length: 1,
        frequency: Step::Index(1).into(),
        n_steps: values.len(),
        horizon: 1,
        n_series: 1,
        stretches: vec![lengths],
        has_gaps: values.iter().any(|value| value.is_nan()),
        seed: 1,
    };
    let config = config.resolve(&shape)?;
    if config.strategy == Some(Strategy::Direct) {
        return Err(Error::option("strategy", "direct", "it must be recursive for a single array"));
    }
    let learned = learn(&config, "the values", &[values.to_vec()], 1, &Cancel::default())?;
    let [linear] = &learned.layers[..] else {
        return Err(Error::option("hidden", "given", "a single array has a linear layer alone"));
    };
    Ok(ArNet {
        weights: linear.weights.row(0).iter().rev().copied().collect(),
        intercept: linear.biases[0],
        losses: learned.losses,
    })
}
