//! Scalers: fitted on a range, the same for every later value.

use std::ops::Range;
use std::str::FromStr;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::data::series::Series;
use crate::{Error, Result};

/// The kinds of scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Mean 0 and population standard deviation 1.
    #[default]
    Standard,
    /// Median 0 and interquartile range 1.
    Robust,
    /// The smallest value becomes 0, the largest 1.
    MinMax,
    /// Values as they are.
    None,
}

impl FromStr for Scaling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "standard" => Ok(Scaling::Standard),
            "robust" => Ok(Scaling::Robust),
            "min-max" | "minmax" => Ok(Scaling::MinMax),
            "none" => Ok(Scaling::None),
            _ => Err(Error::option(
                "scaling",
                format!("\"{text}\""),
                "it must be standard, robust, min-max or none",
            )),
        }
    }
}

/// An affine map for each channel: `scaled = (value - center) / scale`.
///
/// A channel whose spread is zero or that has no observed value is only centred.
///
/// # Example
/// ```
/// use forecast::data::{Scaler, Scaling};
/// let scaler = Scaler::of_values(Scaling::MinMax, &[2.0, f64::NAN, 6.0]);
/// assert_eq!((scaler.scale(3.0), scaler.unscale(0.25)), (0.25, 3.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaler {
    /// What becomes 0, in the units of the series.
    pub center: f64,
    /// What becomes 1 above the center, in the units of the series; positive.
    pub spread: f64,
}

impl Default for Scaler {
    /// The map that leaves values as they are.
    fn default() -> Self {
        Scaler { center: 0.0, spread: 1.0 }
    }
}

impl Scaler {
    /// One scaler for each channel of a series, fitted on `range` of its steps and nothing else.
    #[must_use]
    pub fn fit(scaling: Scaling, series: &Series, range: Range<usize>) -> Vec<Self> {
        let part = series.slice(range);
        part.values()
            .columns()
            .into_iter()
            .map(|channel| Self::of_observed(scaling, observed(channel.iter())))
            .collect()
    }

    /// A scaler of values, NaN where missing.
    #[must_use]
    pub fn of_values(scaling: Scaling, values: &[f64]) -> Self {
        Self::of_observed(scaling, observed(values.iter()))
    }

    fn of_observed(scaling: Scaling, observed: Vec<f64>) -> Self {
        let is_constant = observed.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
        let (center, spread) = match scaling {
            _ if observed.is_empty() => (0.0, 1.0),
            Scaling::None => (0.0, 1.0),
            Scaling::Standard => {
                let n = observed.len() as f64;
                let mean = mean_of(&observed);
                let variance = observed.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
                (mean, variance.sqrt())
            }
            Scaling::Robust => {
                let sorted = sorted(observed);
                (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25))
            }
            Scaling::MinMax => {
                let min = observed.iter().copied().fold(f64::INFINITY, f64::min);
                let max = observed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                (min, max - min)
            }
        };
        // Rounding leaves a nearly constant channel with a spread of about one ulp of its mean, and a constant
        // one of many values with more.
        let is_flat = is_constant || spread <= center.abs() * 1e-14 || !spread.is_normal();
        Scaler { center, spread: if is_flat { 1.0 } else { spread } }
    }

    /// A value on the scale of the model.
    #[must_use]
    pub fn scale(&self, value: f64) -> f64 {
        (value - self.center) / self.spread
    }

    /// A scaled value in the units of the series.
    #[must_use]
    pub fn unscale(&self, scaled: f64) -> f64 {
        scaled * self.spread + self.center
    }
}

/// A series on the scale of the model; missing values stay missing.
pub(crate) fn scale_series(series: &Series, scalers: &[Scaler], channels: &[String]) -> Result<Series> {
    let mut values: Array2<f64> = series.values().to_owned(); // (step, channel)
    for (mut column, scaler) in values.columns_mut().into_iter().zip(scalers) {
        column.mapv_inplace(|v| scaler.scale(v));
    }
    series.with_values(values, channels)
}

fn observed<'a>(values: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.copied().collect();
    values.retain(|v| !v.is_nan());
    values
}

/// The mean of finite numbers, also where their sum is too large for one.
fn mean_of(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if mean.is_finite() { mean } else { values.iter().map(|v| v / n).sum() }
}

/// Sorts numbers without NaN.
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile of sorted values by linear interpolation (Hyndman and Fan's type 7); NaN if there are none.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = q * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unscale_inverts_scale() {
        let values = [3.5, -2.0, 1e6, f64::NAN, 0.25, 17.0];
        for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::None] {
            let scaler = Scaler::of_values(scaling, &values);
            for v in values.iter().filter(|v| !v.is_nan()) {
                let back = scaler.unscale(scaler.scale(*v));
                assert!((back - v).abs() <= 1e-10 * 1e6, "{scaling:?}: {back} is not {v}");
            }
        }
    }

    #[test]
    fn each_kind_does_what_its_name_says() {
        let values = [1.0, 2.0, 3.0, 4.0, f64::NAN];
        let standard = Scaler::of_values(Scaling::Standard, &values);
        assert!((standard.center - 2.5).abs() < 1e-12 && (standard.spread - 1.25f64.sqrt()).abs() < 1e-12);
        let robust = Scaler::of_values(Scaling::Robust, &values);
        assert!((robust.center - 2.5).abs() < 1e-12 && (robust.spread - 1.5).abs() < 1e-12);
    }

    #[test]
    fn constant_and_empty_channels_are_only_centred() {
        for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax] {
            for n in [1, 7, 1_000_000] {
                let scaler = Scaler::of_values(scaling, &vec![0.1; n]);
                assert!((scaler.spread - 1.0).abs() < 1e-12, "{scaling:?}, {n} values");
            }
            assert!((Scaler::of_values(scaling, &[f64::NAN]).scale(2.0) - 2.0).abs() < 1e-12);
        }
    }
}
