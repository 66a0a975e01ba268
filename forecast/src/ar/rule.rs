//! A fitted autoregression: how it forecasts a window, and its tensors.

use ndarray::{Array3, Array4, ArrayView1, Axis, s};

use super::config::ArConfig;
use super::stability::unstable_root;
use crate::model::{LagRule, Tensor, Tensors};
use crate::{Error, Result};

/// Coefficients of every series and channel that has its own.
#[derive(Debug)]
pub(crate) struct Ar {
    /// Weights in the order of the window, oldest lag first. Shape `(slot, channel, step, order)`; one channel
    /// where all share.
    pub(super) weights: Array4<f64>,
    /// Shape `(slot, channel, step)`.
    pub(super) intercepts: Array3<f64>,
    /// Standard errors of the weights, lag 1 first, where there is one step. Shape `(slot, channel, order)`.
    pub(super) errors: Option<Array3<f64>>,
    /// How often each lag is chosen from random halves of the data, lag 1 first. Shape `(slot, channel, order)`.
    pub(super) frequencies: Option<Array3<f64>>,
    /// Of each row of the weights, where in the window those that are not zero are, if they are few.
    pub(super) lags: Vec<Option<Vec<usize>>>,
    /// The ridge of each look-back, where it was fitted just now and all sets of coefficients have the same.
    pub(super) ridges: Option<Vec<f64>>,
}

/// Weights are few if at most one of so many is not zero.
const FEW: usize = 3;

/// A model from its tensors.
///
/// # Errors
/// [`Error::Internal`] with the tensor whose shape is wrong; the caller knows the file.
pub(crate) fn load(config: &ArConfig, tensors: &Tensors, n_slots: usize, n_channels: usize) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let get = |name: &str, shape: &[usize]| match tensors.get(name) {
        Some(tensor) if tensor.shape == shape => Ok(tensor.values().into_owned()),
        Some(tensor) => {
            Err(Error::Internal(format!("tensor {name} has shape {:?} where {shape:?} is due", tensor.shape)))
        }
        None => Err(Error::Internal(format!("tensor {name} is missing"))),
    };
    let n_groups = if config.pool_channels == Some(true) { 1 } else { n_channels };
    // One step has the tensors that recursions always had.
    let (weights, intercepts, n_steps) = if let Some(direct) = tensors.get("ar.direct.weights") {
        let n_steps = direct.shape.get(2).copied().filter(|n| *n > 0).unwrap_or(1);
        let weights = get("ar.direct.weights", &[n_slots, n_groups, n_steps, order])?;
        (weights, get("ar.direct.intercepts", &[n_slots, n_groups, n_steps])?, n_steps)
    } else {
        let weights = get("ar.weights", &[n_slots, n_groups, order])?;
        (weights, get("ar.intercepts", &[n_slots, n_groups])?, 1)
    };
    let shape = |error: ndarray::ShapeError| Error::Internal(error.to_string());
    let of_lags = |name: &str| match tensors.get(name) {
        Some(_) => {
            let values = get(name, &[n_slots, n_groups, order])?;
            Array3::from_shape_vec((n_slots, n_groups, order), values).map(Some).map_err(shape)
        }
        None => Ok(None),
    };
    Ok(Ar {
        weights: Array4::from_shape_vec((n_slots, n_groups, n_steps, order), weights).map_err(shape)?,
        intercepts: Array3::from_shape_vec((n_slots, n_groups, n_steps), intercepts).map_err(shape)?,
        errors: of_lags("ar.standard_errors")?,
        frequencies: of_lags("ar.selection_frequencies")?,
        lags: Vec::new(),
        ridges: None,
    }
    .indexed())
}

impl Ar {
    /// With the places of the weights that are not zero.
    pub(super) fn indexed(mut self) -> Self {
        let used = |row: ArrayView1<'_, f64>| {
            let used: Vec<usize> = (0..row.len()).filter(|lag| row[*lag] != 0.0).collect();
            (used.len() * FEW <= row.len()).then_some(used)
        };
        self.lags = self.weights.rows().into_iter().map(used).collect();
        self
    }

    /// Where the coefficients of a channel are.
    fn group(&self, channel: usize) -> usize {
        if self.weights.dim().1 == 1 { 0 } else { channel }
    }

    /// True if there are coefficients of that series and channel.
    fn has(&self, slot: usize, group: usize) -> bool {
        let (n_slots, n_groups, ..) = self.weights.dim();
        slot < n_slots && group < n_groups
    }
}

impl LagRule for Ar {
    fn lookback(&self) -> usize {
        self.weights.dim().3
    }

    fn forecast_channel(&self, slot: usize, channel: usize, window: &[f64], out: &mut [f64]) {
        let group = self.group(channel);
        let weights = self.weights.slice(s![slot, group, .., ..]); // (step, order)
        let intercepts = self.intercepts.slice(s![slot, group, ..]); // (step)
        let first_row = (slot * self.weights.dim().1 + group) * intercepts.len();
        let lags = |h: usize| self.lags.get(first_row + h).and_then(Option::as_deref);
        // The order of the sum is the same: what is left out is zero.
        let of_row = |h: usize, window: &[f64]| match (lags(h), weights.row(h).to_slice()) {
            (Some(lags), Some(row)) => lags.iter().map(|lag| row[*lag] * window[*lag]).sum(),
            _ => dot(weights.row(h).iter(), window),
        };
        if let ([intercept], [only]) = (intercepts.as_slice().unwrap_or_default(), &mut *out) {
            *only = intercept + of_row(0, window);
            return;
        }
        if let Some(intercept) = intercepts.first().filter(|_| intercepts.len() == 1) {
            // The window slides over its own forecasts.
            let order = window.len();
            let mut path = Vec::with_capacity(order + out.len());
            path.extend_from_slice(window);
            for (h, out) in out.iter_mut().enumerate() {
                *out = intercept + of_row(0, &path[h..h + order]);
                path.push(*out);
            }
            return;
        }
        let step = |h: usize, window: &[f64]| match lags(h) {
            Some(_) => intercepts[h] + of_row(h, window),
            None => intercepts[h] + weights.row(h).dot(&ArrayView1::from(window)),
        };
        let n_direct = intercepts.len().min(out.len());
        for (h, out) in out[..n_direct].iter_mut().enumerate() {
            *out = step(h, window);
        }
        if n_direct < out.len() {
            let order = window.len();
            let mut path = Vec::with_capacity(order + out.len());
            path.extend_from_slice(window);
            path.extend_from_slice(&out[..n_direct]);
            for start in (n_direct..out.len()).step_by(n_direct) {
                for h in 0..n_direct.min(out.len() - start) {
                    path.push(step(h, &path[start..start + order]));
                }
            }
            out[n_direct..].copy_from_slice(&path[order + n_direct..]);
        }
    }

    fn tensors(&self) -> Tensors {
        let mut tensors = if self.weights.dim().2 == 1 {
            let (weights, intercepts) =
                (self.weights.index_axis(Axis(2), 0), self.intercepts.index_axis(Axis(2), 0));
            Tensors::from([
                ("ar.weights".to_string(), Tensor::from(&weights.to_owned())),
                ("ar.intercepts".to_string(), Tensor::from(&intercepts.to_owned())),
            ])
        } else {
            Tensors::from([
                ("ar.direct.weights".to_string(), Tensor::from(&self.weights)),
                ("ar.direct.intercepts".to_string(), Tensor::from(&self.intercepts)),
            ])
        };
        for (name, of_lags) in
            [("ar.standard_errors", &self.errors), ("ar.selection_frequencies", &self.frequencies)]
        {
            if let Some(of_lags) = of_lags {
                tensors.insert(name.to_string(), Tensor::from(of_lags));
            }
        }
        tensors
    }

    fn n_direct_steps(&self) -> usize {
        self.weights.dim().2
    }

    fn coefficients(&self, slot: usize, channel: usize, step: usize) -> Option<(f64, Vec<f64>)> {
        let group = self.group(channel);
        if !self.has(slot, group) || step >= self.weights.dim().2 {
            return None;
        }
        let weights = self.weights.slice(s![slot, group, step, ..]);
        Some((self.intercepts[[slot, group, step]], weights.iter().rev().copied().collect()))
    }

    fn standard_errors(&self, slot: usize, channel: usize) -> Option<Vec<f64>> {
        let errors = self.errors.as_ref().filter(|_| self.has(slot, self.group(channel)))?;
        Some(errors.slice(s![slot, self.group(channel), ..]).to_vec())
    }

    fn selection_frequency(&self, slot: usize, channel: usize) -> Option<Vec<f64>> {
        let frequencies = self.frequencies.as_ref().filter(|_| self.has(slot, self.group(channel)))?;
        Some(frequencies.slice(s![slot, self.group(channel), ..]).to_vec())
    }

    fn unstable_root(&self, slot: usize, channel: usize) -> Option<f64> {
        if self.weights.dim().2 > 1 {
            return None;
        }
        unstable_root(&LagRule::coefficients(self, slot, channel, 0)?.1)
    }

    fn ridges(&self) -> Option<Vec<f64>> {
        self.ridges.clone()
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

    fn ar(n_steps: usize, weights: Vec<f64>, intercepts: Vec<f64>) -> Ar {
        let order = weights.len() / n_steps;
        Ar {
            weights: Array4::from_shape_vec((1, 1, n_steps, order), weights).unwrap(),
            intercepts: Array3::from_shape_vec((1, 1, n_steps), intercepts).unwrap(),
            errors: None,
            frequencies: None,
            lags: Vec::new(),
            ridges: None,
        }
        .indexed()
    }

    #[test]
    fn forecasts_follow_the_recursion() {
        // y_t = 1 + 0.5 y_(t-1) - 0.25 y_(t-2), weights oldest lag first.
        let ar = ar(1, vec![-0.25, 0.5], vec![1.0]);
        let mut out = [0.0; 3];
        ar.forecast_channel(0, 0, &[4.0, 8.0], &mut out);
        assert_eq!(out, [4.0, 1.0, 0.5]);
        ar.forecast_channel(0, 0, &[4.0, 8.0], &mut out[..1]);
        assert_eq!(out[0], 4.0);
        assert_eq!(LagRule::coefficients(&ar, 0, 0, 0), Some((1.0, vec![0.5, -0.25])));
        assert_eq!(LagRule::coefficients(&ar, 0, 0, 1), None);
        assert_eq!(LagRule::unstable_root(&ar, 0, 0), None);
    }

    #[test]
    fn tensors_of_one_step_and_of_several_are_read_again() {
        for (n_steps, weights, intercepts) in
            [(1, vec![0.25, 0.5], vec![1.0]), (2, vec![0.0, 1.0, 1.0, -1.0], vec![1.0, 0.0])]
        {
            let one = ar(n_steps, weights, intercepts);
            let config = ArConfig { order: Some(2), ..ArConfig::default() };
            let again = load(&config, &LagRule::tensors(&one), 1, 1).unwrap();
            assert_eq!((&again.weights, &again.intercepts), (&one.weights, &one.intercepts));
            assert!(load(&config, &LagRule::tensors(&one), 2, 1).is_err());
        }
    }

    #[test]
    fn direct_forecasts_go_on_block_after_block() {
        // One step: 1 + y_0, two steps: y_(-1) - y_0; lookback 2, oldest lag first.
        let ar = ar(2, vec![0.0, 1.0, 1.0, -1.0], vec![1.0, 0.0]);
        let mut out = [0.0; 5];
        ar.forecast_channel(0, 0, &[4.0, 8.0], &mut out);
        // (9, -4), then from (9, -4): (-3, 13), then from (-3, 13): 14.
        assert_eq!(out, [9.0, -4.0, -3.0, 13.0, 14.0]);
        for n in 1..5 {
            let mut shorter = vec![0.0; n];
            ar.forecast_channel(0, 0, &[4.0, 8.0], &mut shorter);
            assert_eq!(shorter, out[..n]);
        }
    }
}
