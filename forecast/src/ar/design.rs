//! The lag matrix: one row for each complete window of the training range.

use ndarray::{Array1, Array2};

use crate::data::{Series, WindowSpec};
use crate::{Error, Result};

/// A least-squares problem: `target ~ lags`, rows with a missing value dropped.
#[derive(Debug)]
pub(super) struct Design {
    /// What to call the problem in messages.
    pub(super) name: String,
    /// Lagged values, oldest lag first. Shape `(row, order)`.
    pub(super) lags: Array2<f64>,
    /// Shape `(row)`.
    pub(super) target: Array1<f64>,
}

impl Design {
    /// Stacks the complete windows of one channel of all series.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] if there are fewer complete rows than coefficients.
    pub(super) fn new(series: &[Series], channel: usize, order: usize) -> Result<Self> {
        let label = match series {
            [one] => one.id().to_string(),
            several => format!("{} and {} more", several[0].id(), several.len() - 1),
        };
        let spec = WindowSpec { lookback: order, horizon: 1, stride: 1 };
        let mut lags = Vec::new();
        let mut target = Vec::new();
        for one in series.iter().filter(|one| one.n_steps() > order) {
            for window in spec.windows(one, order..one.n_steps())? {
                let input = window.input.column(channel);
                let label = window.label[[0, channel]];
                if label.is_nan() || input.iter().any(|v| v.is_nan()) {
                    continue;
                }
                match input.to_slice() {
                    Some(steps) => lags.extend_from_slice(steps),
                    None => lags.extend(input.iter().copied()),
                }
                target.push(label);
            }
        }
        let rows = target.len();
        if rows < order + 1 {
            let longest = longest_order(series, channel);
            return Err(Error::TooFewRows { series: label, rows, order, longest });
        }
        let lags = Array2::from_shape_vec((rows, order), lags)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Design { name: label, lags, target: Array1::from_vec(target) })
    }
}

/// The longest order that has a complete row for each of its coefficients; 0 if none has.
fn longest_order(series: &[Series], channel: usize) -> usize {
    let mut runs = Vec::new();
    for one in series {
        let values = one.values().column(channel).to_vec();
        let complete = values.split(|v| v.is_nan()).map(<[f64]>::len);
        runs.extend(complete.filter(|len| *len > 0));
    }
    // A run of `len` values has `len - order` complete rows, so longer orders have ever fewer.
    let fits = |order: usize| runs.iter().map(|len| len.saturating_sub(order)).sum::<usize>() > order;
    let (mut low, mut high) = (0, runs.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}
