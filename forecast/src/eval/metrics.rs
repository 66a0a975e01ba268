//! Metrics of point forecasts, quantiles and intervals; steps whose target is missing (NaN) are left out.
//!
//! With `y` the target, `f` the forecast, `n` the observed steps, and `m` the season:
//!
//! | metric | formula | range | 0/0 | as in |
//! |---|---|---|---|---|
//! | [`mae`] | `mean abs(y - f)` | `[0, inf)` | | utilsforecast |
//! | [`mse`], [`rmse`] | `mean (y - f)^2`, its root | `[0, inf)` | | utilsforecast |
//! | [`bias`] | `mean (f - y)` | real | | |
//! | [`mape`] | `mean abs(y - f) / abs(y)` over steps with `y != 0`, a fraction | `[0, inf)` | step left out | utilsforecast |
//! | [`smape`] | `mean abs(y - f) / (abs(y) + abs(f))` | `[0, 1]` | 0 | utilsforecast; GluonTS's is twice this |
//! | [`wape`] | `sum abs(y - f) / sum abs(y)` | `[0, inf)` | NaN | utilsforecast `nd` |
//! | [`mase`] | `mae / naive_scale` | `[0, inf)` | NaN, and for `x/0` too | Hyndman and Koehler 2006, seasonal form |
//! | [`rmsse`] | `sqrt(mse / naive_square_scale)` | `[0, inf)` | NaN, and for `x/0` too | M5, seasonal form |
//! | [`quantile_loss`] | `mean max(q (y - f), (q - 1)(y - f))`, no factor 2 | `[0, inf)` | | utilsforecast |
//! | [`wql`] | `2 mean_q(sum of quantile losses) / (sum abs(y) + eps)` | `[0, inf)` | | utilsforecast `scaled_crps` |
//! | [`coverage`] | share of `lo <= y <= hi`, bounds included | `[0, 1]` | | utilsforecast |
//! | [`winkler`] | `mean (hi - lo) + (2 / alpha) (distance outside)`, `alpha = 1 - level / 100` | `[0, inf)` | | Gneiting and Raftery 2007 |
//!
//! A training range that repeats itself every season, a constant one above all, has a scale of 0: MASE and RMSSE
//! are not defined there, which is NaN (utilsforecast 0.2.17 gives infinity, and NaN for a perfect forecast). A mean
//! over series leaves such series out.
//!
//! All give NaN where no step is observed. Slices of one call have one length; what is longer is not read.

/// Mean of the values that are not NaN; NaN if there are none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    mean_of(values.iter().copied())
}

fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = sum_of(values);
    sum / n
}

/// Sum and count of the values that are not NaN.
fn sum_of(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.filter(|v| !v.is_nan()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0))
}

fn pairs<'a>(y: &'a [f64], f: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    y.iter().copied().zip(f.iter().copied())
}

/// Mean absolute error, in the units of the series.
///
/// # Example
/// ```
/// use forecast::eval::metrics::mae;
/// assert_eq!(mae(&[1.0, f64::NAN, 3.0], &[2.0, 9.0, 3.0]), 0.5);
/// assert!(mae(&[f64::NAN], &[1.0]).is_nan());
/// ```
#[must_use]
pub fn mae(y: &[f64], f: &[f64]) -> f64 {
    mean_of(pairs(y, f).map(|(y, f)| (y - f).abs()))
}

/// Mean squared error, in squared units of the series.
#[must_use]
pub fn mse(y: &[f64], f: &[f64]) -> f64 {
    mean_of(pairs(y, f).map(|(y, f)| (y - f) * (y - f)))
}

/// Root of the mean squared error, in the units of the series.
#[must_use]
pub fn rmse(y: &[f64], f: &[f64]) -> f64 {
    mse(y, f).sqrt()
}

/// Mean of forecast minus target: positive where forecasts are too high.
#[must_use]
pub fn bias(y: &[f64], f: &[f64]) -> f64 {
    mean_of(pairs(y, f).map(|(y, f)| f - y))
}

/// Mean absolute error as a fraction of the target, over steps whose target is not zero.
#[must_use]
pub fn mape(y: &[f64], f: &[f64]) -> f64 {
    mean_of(pairs(y, f).filter(|(y, _)| y.abs() > 0.0).map(|(y, f)| (y - f).abs() / y.abs()))
}

/// Symmetric relative error in `[0, 1]`: no factor 2, no 100; a step with both zero counts 0.
#[must_use]
pub fn smape(y: &[f64], f: &[f64]) -> f64 {
    mean_of(pairs(y, f).map(|(y, f)| {
        let size = y.abs() + f.abs();
        if size > 0.0 || size.is_nan() { (y - f).abs() / size } else { 0.0 }
    }))
}

/// Sum of absolute errors over sum of absolute targets (also called ND).
#[must_use]
pub fn wape(y: &[f64], f: &[f64]) -> f64 {
    let (errors, _) = sum_of(pairs(y, f).map(|(y, f)| (y - f).abs()));
    errors / sum_of(y.iter().map(|y| y.abs())).0
}

/// Mean absolute error of seasonal naive, one season ahead, over a training range: the scale of [`mase`].
///
/// NaN if no pair one season apart was observed.
#[must_use]
pub fn naive_scale(train: &[f64], season_length: usize) -> f64 {
    mean_of(train.iter().zip(train.iter().skip(season_length)).map(|(a, b)| (b - a).abs()))
}

/// Mean squared error of seasonal naive over a training range: the scale of [`rmsse`].
#[must_use]
pub fn naive_square_scale(train: &[f64], season_length: usize) -> f64 {
    mean_of(train.iter().zip(train.iter().skip(season_length)).map(|(a, b)| (b - a) * (b - a)))
}

/// Mean absolute scaled error, with [`naive_scale`]; not defined, NaN, if that is 0, as of a constant training range.
///
/// # Example
/// ```
/// use forecast::eval::metrics::{mase, naive_scale};
/// assert_eq!(mase(&[4.0, 5.0], &[5.0, 5.0], naive_scale(&[1.0, 2.0, 3.0, 4.0], 2)), 0.25);
/// assert!(mase(&[4.0], &[5.0], naive_scale(&[3.0; 8], 2)).is_nan());
/// ```
#[must_use]
pub fn mase(y: &[f64], f: &[f64], scale: f64) -> f64 {
    scaled(mae(y, f), scale)
}

/// Root mean squared scaled error, with [`naive_square_scale`]; not defined, NaN, if that is 0.
#[must_use]
pub fn rmsse(y: &[f64], f: &[f64], square_scale: f64) -> f64 {
    scaled(mse(y, f), square_scale).sqrt()
}

/// An error divided by a scale; NaN if that is 0 or NaN.
pub(crate) fn scaled(error: f64, scale: f64) -> f64 {
    if scale > 0.0 { error / scale } else { f64::NAN }
}

/// Pinball loss of a quantile forecast, in the units of the series.
#[must_use]
pub fn quantile_loss(y: &[f64], f: &[f64], q: f64) -> f64 {
    mean_of(pairs(y, f).map(|(y, f)| {
        let error = y - f;
        // `max` would turn a missing target into the other argument.
        if error >= 0.0 { q * error } else { (q - 1.0) * error }
    }))
}

/// Weighted quantile loss over several quantiles, each with its forecast (also called scaled CRPS).
#[must_use]
pub fn wql(y: &[f64], quantiles: &[(f64, &[f64])]) -> f64 {
    let losses: Vec<f64> = quantiles.iter().map(|(q, f)| quantile_loss(y, f, *q)).collect();
    let (size, n) = sum_of(y.iter().map(|y| y.abs()));
    2.0 * mean(&losses) * n / (size + f64::EPSILON)
}

/// Share of targets inside an interval, bounds included.
#[must_use]
pub fn coverage(y: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
    mean_of(y.iter().zip(lower.iter().zip(upper)).map(|(y, (lower, upper))| {
        if y.is_nan() { f64::NAN } else { f64::from(u8::from(lower <= y && y <= upper)) }
    }))
}

/// Winkler (interval) score of a central interval with `level` percent, in the units of the series.
#[must_use]
pub fn winkler(y: &[f64], lower: &[f64], upper: &[f64], level: f64) -> f64 {
    let alpha = 1.0 - level / 100.0;
    mean_of(y.iter().zip(lower.iter().zip(upper)).map(|(y, (lower, upper))| {
        let outside = (lower - y).max(0.0) + (y - upper).max(0.0);
        // A missing target must stay missing.
        (upper - lower) + (2.0 / alpha) * outside + 0.0 * y
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_over_zero_is_as_documented() {
        let zeros = [0.0, 0.0];
        assert_eq!(smape(&zeros, &zeros).to_bits(), 0f64.to_bits());
        assert!(mape(&zeros, &zeros).is_nan() && wape(&zeros, &zeros).is_nan());
        let constant = naive_scale(&[3.0; 8], 2);
        assert!(mase(&[3.0], &[3.0], constant).is_nan());
        assert!(mase(&[3.0], &[4.0], constant).is_nan());
        assert!(rmsse(&[3.0], &[4.0], naive_square_scale(&[3.0; 8], 2)).is_nan());
    }

    #[test]
    fn missing_targets_count_nowhere() {
        let (y, f) = ([1.0, f64::NAN, 3.0], [2.0, 100.0, 5.0]);
        let (y2, f2) = ([1.0, 3.0], [2.0, 5.0]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-15, "{a} {b}");
        for metric in [mae, mse, rmse, bias, mape, smape, wape] {
            close(metric(&y, &f), metric(&y2, &f2));
        }
        close(quantile_loss(&y, &f, 0.3), quantile_loss(&y2, &f2, 0.3));
        close(coverage(&y, &[0.0; 3], &[2.0; 3]), 0.5);
        close(winkler(&y, &[0.0; 3], &[2.0; 3], 80.0), winkler(&y2, &[0.0; 2], &[2.0; 2], 80.0));
    }
}
