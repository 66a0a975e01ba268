//! Losses of single windows that add up to the score of their series: what a leaderboard resamples.
//!
//! Every metric that models can be ranked by is a function of one ratio, `score = g(sum of a / sum of b)`, with sums over
//! windows:
//!
//! | metric | `a` | `b` | `g` |
//! |---|---|---|---|
//! | `mae`, `mse`, `winkler-80` | sum of the errors of the steps | observed steps | |
//! | `rmse` | of squared errors | observed steps | root |
//! | `mape`, `smape` | of relative errors | steps that count | |
//! | `wape`, `wql` | of errors, of quantile losses | sum of `abs(y)` | |
//! | `mase`, `rmsse` | of errors, of squared errors | observed steps | divided by the scale, its root |

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::backtest::Backtest;
use super::metrics;
use super::scores::scales;
use crate::{Error, Result};

/// A metric that is smaller for the better model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Mae,
    Mse,
    Rmse,
    Mape,
    Smape,
    Wape,
    Mase,
    Rmsse,
    Wql,
    /// Of the level at this position.
    Winkler(usize),
}

/// The losses of all windows of the series where they are defined for every model.
#[derive(Debug)]
pub(super) struct Losses {
    loss: Loss,
    /// Shape `(series, model, window)`.
    a: Array3<f64>,
    /// Shape `(series, window)`: what counts is the same for all models.
    b: Array2<f64>,
    /// The scale of each series; 1 for metrics without.
    scales: Vec<f64>,
    /// Series where the loss is not defined.
    pub(super) n_left_out: usize,
}

impl Loss {
    /// The loss of this name.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the names that there are.
    pub(super) fn parse(name: &str, levels: &[f64]) -> Result<Self> {
        let winkler: Vec<String> = levels.iter().map(|level| format!("winkler-{level}")).collect();
        if let Some(i) = winkler.iter().position(|known| known == name) {
            return Ok(Loss::Winkler(i));
        }
        let loss = match name {
            "mae" => Loss::Mae,
            "mse" => Loss::Mse,
            "rmse" => Loss::Rmse,
            "mape" => Loss::Mape,
            "smape" => Loss::Smape,
            "wape" => Loss::Wape,
            "mase" => Loss::Mase,
            "rmsse" => Loss::Rmsse,
            "wql" if !levels.is_empty() => Loss::Wql,
            _ => {
                let mut known = "mae, mse, rmse, mape, smape, wape, mase, rmsse".to_string();
                for more in winkler {
                    known = format!("{known}, {more}");
                }
                let quantiles = if levels.is_empty() { "with levels also wql and winkler" } else { "wql" };
                let rule = format!("models can be ranked by {known}; {quantiles}");
                return Err(Error::option("metric", name, rule));
            }
        };
        Ok(loss)
    }

    /// The sums `a` of one window and model.
    fn numerator(self, y: &[f64], paths: &[Vec<f64>], levels: &[f64]) -> f64 {
        let observed = observed(y);
        let sum = |mean: f64, n: f64| if n > 0.0 { mean * n } else { 0.0 };
        let f = &paths[0][..];
        match self {
            Loss::Mae | Loss::Mase | Loss::Wape => sum(metrics::mae(y, f), observed),
            Loss::Mse | Loss::Rmse | Loss::Rmsse => sum(metrics::mse(y, f), observed),
            Loss::Mape => sum(metrics::mape(y, f), not_zero(y)),
            Loss::Smape => sum(metrics::smape(y, f), observed),
            Loss::Winkler(i) => {
                sum(metrics::winkler(y, &paths[1 + 2 * i], &paths[2 + 2 * i], levels[i]), observed)
            }
            Loss::Wql => {
                let losses = levels.iter().enumerate().flat_map(|(i, level)| {
                    let tail = (1.0 - level / 100.0) / 2.0;
                    let loss = |q, path: usize| sum(metrics::quantile_loss(y, &paths[path], q), observed);
                    [loss(tail, 1 + 2 * i), loss(1.0 - tail, 2 + 2 * i)]
                });
                losses.sum::<f64>() / levels.len() as f64
            }
        }
    }

    /// The sum `b` of one window.
    fn denominator(self, y: &[f64]) -> f64 {
        match self {
            Loss::Mape => not_zero(y),
            Loss::Wape | Loss::Wql => y.iter().filter(|y| !y.is_nan()).map(|y| y.abs()).sum(),
            _ => observed(y),
        }
    }
}

fn observed(y: &[f64]) -> f64 {
    y.iter().filter(|y| !y.is_nan()).count() as f64
}

fn not_zero(y: &[f64]) -> f64 {
    y.iter().filter(|y| y.abs() > 0.0).count() as f64
}

impl Losses {
    pub(super) fn new(backtest: &Backtest, loss: Loss) -> Self {
        let (n_models, n_windows) = (backtest.models.len(), backtest.n_windows);
        let n_paths = 1 + 2 * backtest.levels.len();
        let of_unit = |unit: (usize, usize)| {
            let mut a = Array2::zeros((n_models, n_windows));
            let mut b = vec![0.0; n_windows];
            for window in 0..n_windows {
                let y = backtest.actual(unit, window).to_vec();
                b[window] = loss.denominator(&y);
                for model in 0..n_models {
                    let path = |path| backtest.path(model, path, unit, window).to_vec();
                    let paths: Vec<Vec<f64>> = (0..n_paths).map(path).collect();
                    a[[model, window]] = loss.numerator(&y, &paths, &backtest.levels);
                }
            }
            let scale = match loss {
                Loss::Mase => scales(backtest, unit).0,
                Loss::Rmsse => scales(backtest, unit).1,
                _ => 1.0,
            };
            (a, b, scale)
        };
        let units: Vec<_> = backtest.units().into_par_iter().map(of_unit).collect();
        let all = vec![1.0; n_windows];
        let is_defined = |(a, b, scale): &(Array2<f64>, Vec<f64>, f64)| {
            a.rows().into_iter().all(|a| {
                let a: Vec<f64> = a.to_vec();
                score(loss, &a, b, *scale, &all).is_finite()
            })
        };
        let n_units = units.len();
        let kept: Vec<_> = units.into_iter().filter(is_defined).collect();
        let mut losses = Losses {
            loss,
            a: Array3::zeros((kept.len(), n_models, n_windows)),
            b: Array2::zeros((kept.len(), n_windows)),
            scales: Vec::with_capacity(kept.len()),
            n_left_out: n_units - kept.len(),
        };
        for (i, (a, b, scale)) in kept.into_iter().enumerate() {
            losses.a.index_axis_mut(ndarray::Axis(0), i).assign(&a);
            losses.b.row_mut(i).assign(&ndarray::Array1::from(b));
            losses.scales.push(scale);
        }
        losses
    }

    /// Series where the loss is defined.
    pub(super) fn n_series(&self) -> usize {
        self.scales.len()
    }

    /// The score of a series and model with each window counted so many times; NaN if nothing counts.
    pub(super) fn score(&self, series: usize, model: usize, counts: &[f64]) -> f64 {
        let (a, b) = (self.a.slice(ndarray::s![series, model, ..]), self.b.row(series));
        let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) else { return f64::NAN };
        score(self.loss, a, b, self.scales[series], counts)
    }

    /// The score of a single window.
    pub(super) fn of_window(&self, series: usize, model: usize, window: usize) -> f64 {
        let (a, b) = (self.a[[series, model, window]], self.b[[series, window]]);
        score(self.loss, &[a], &[b], self.scales[series], &[1.0])
    }
}

fn score(loss: Loss, a: &[f64], b: &[f64], scale: f64, counts: &[f64]) -> f64 {
    let weighted = |values: &[f64]| values.iter().zip(counts).map(|(value, n)| value * n).sum::<f64>();
    let ratio = metrics::scaled(weighted(a), weighted(b));
    match loss {
        Loss::Mase => metrics::scaled(ratio, scale),
        Loss::Rmsse => metrics::scaled(ratio, scale).sqrt(),
        Loss::Rmse => ratio.sqrt(),
        _ => ratio,
    }
}
