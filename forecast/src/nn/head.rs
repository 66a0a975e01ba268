//! From what a network puts out to a forecast: a number, quantiles, or the parameters of a distribution.
//!
//! | head | outputs of a value | parameters |
//! |---|---|---|
//! | point | 1 | the forecast |
//! | quantiles | one a level | the quantiles; those that cross are sorted when they are forecast |
//! | gaussian | 2 | location, scale = softplus + 1e-5 |
//! | student-t | 3 | location, scale = softplus + 1e-5, degrees of freedom = 2 + softplus |
//!
//! Shapes: outputs and parameters `(batch, horizon, channel, output)`, labels and masks `(batch, horizon, channel)`.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use serde::{Deserialize, Serialize};

use super::loss::{Masked, gaussian, huber, mae, mse, pinball, student_t};
use super::marginal::{Marginal, median};
use super::normaliser::WindowMap;
use crate::{Error, Result};

/// The kinds of heads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// One number.
    #[default]
    Point,
    /// Quantiles of some levels.
    Quantiles,
    /// A normal distribution.
    Gaussian,
    /// Student's distribution, whose variance is finite.
    StudentT,
}

/// What a point head minimises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointLoss {
    /// The mean of squared errors.
    #[default]
    Mse,
    /// The mean of absolute errors.
    Mae,
    /// Half of the squared error up to an error of 1, and the absolute error less one half beyond (Huber 1964).
    Huber,
}

/// Where intervals come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalKind {
    /// From the errors on the validation range, whatever the head.
    #[default]
    Conformal,
    /// The quantiles of the head, as the network has learned them.
    Head,
}

/// A head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    kind: HeadKind,
    loss: PointLoss,
    levels: Vec<f64>,
}

/// No distribution is narrower than this, in the units of what the network puts out.
const SMALLEST_SCALE: f64 = 1e-5;
/// From this on Student's distribution has a variance.
const FEWEST_FREEDOM: f64 = 2.0;
const MOST_LEVELS: usize = 99;

/// One number, whose squared error is minimised.
/// The levels of a head of quantiles where nothing is said.
pub(crate) const USUAL_LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

static POINT: Head = Head { kind: HeadKind::Point, loss: PointLoss::Mse, levels: Vec::new() };

impl Head {
    /// The head of a network that says nothing of it.
    pub(crate) fn point() -> &'static Self {
        &POINT
    }

    /// A head; `loss` is that of points, `levels` are those of quantiles.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the levels of quantiles are none, more than 99, not between 0 and 1, or not rising.
    pub(crate) fn new(kind: HeadKind, loss: PointLoss, levels: &[f64]) -> Result<Self> {
        if kind != HeadKind::Quantiles {
            return Ok(Head { kind, loss, levels: Vec::new() });
        }
        if levels.is_empty() || levels.len() > MOST_LEVELS {
            let rule = format!("there must be from 1 to {MOST_LEVELS}");
            return Err(Error::option("number of quantiles", levels.len(), rule));
        }
        if let Some(bad) = levels.iter().find(|level| !(**level > 0.0 && **level < 1.0)) {
            return Err(Error::option("quantiles", bad, "each must be between 0 and 1"));
        }
        if let Some(pair) = levels.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Error::option(
                "quantiles",
                pair[1],
                format!("it follows {}; they must rise", pair[0]),
            ));
        }
        Ok(Head { kind, loss, levels: levels.to_vec() })
    }

    /// That it has the intervals that are asked of it.
    ///
    /// # Errors
    /// [`Error::BadOption`] for those of a point.
    pub(crate) fn check_intervals(&self, intervals: IntervalKind) -> Result<()> {
        if intervals == IntervalKind::Head && self.kind == HeadKind::Point {
            let rule = "a point head has none; use conformal, or another head";
            return Err(Error::option("intervals", "head", rule));
        }
        Ok(())
    }

    /// Refuses settings that would do nothing beside the others; `quantiles` are those of the settings.
    ///
    /// # Errors
    /// [`Error::BadOption`] with `loss` or `quantiles`.
    pub(crate) fn check_used(&self, quantiles: &[f64]) -> Result<()> {
        let loss = match self.loss {
            PointLoss::Mse => None,
            PointLoss::Mae => Some("mae"),
            PointLoss::Huber => Some("huber"),
        };
        if let Some(loss) = loss.filter(|_| self.kind != HeadKind::Point) {
            let rule = "it is what a point head minimises; leave it out, or use head = point";
            return Err(Error::option("loss", loss, rule));
        }
        if self.kind != HeadKind::Quantiles && quantiles != USUAL_LEVELS {
            let listed = quantiles.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            let rule = "they are those of a head of quantiles; leave them out, or use head = quantiles";
            return Err(Error::option("quantiles", listed, rule));
        }
        Ok(())
    }

    /// How many numbers a network has to put out for each value.
    pub(crate) fn n_outputs(&self) -> usize {
        match self.kind {
            HeadKind::Point => 1,
            HeadKind::Quantiles => self.levels.len(),
            HeadKind::Gaussian => 2,
            HeadKind::StudentT => 3,
        }
    }

    /// Parameters from outputs.
    pub(crate) fn parameters(&self, outputs: Tensor<4>) -> Tensor<4> {
        let positive = |at: usize, least: f64| {
            softplus(outputs.clone().narrow(3, at, 1), 1.0).add_scalar(least) // (batch, horizon, channel, 1)
        };
        let location = || outputs.clone().narrow(3, 0, 1);
        match self.kind {
            HeadKind::Point | HeadKind::Quantiles => outputs,
            HeadKind::Gaussian => Tensor::cat(vec![location(), positive(1, SMALLEST_SCALE)], 3),
            HeadKind::StudentT => {
                let parts = vec![location(), positive(1, SMALLEST_SCALE), positive(2, FEWEST_FREEDOM)];
                Tensor::cat(parts, 3)
            }
        }
    }

    /// Parameters in the units that windows had before they were normalised.
    pub(crate) fn denormalise(&self, parameters: Tensor<4>, map: &WindowMap) -> Tensor<4> {
        match self.kind {
            HeadKind::Point | HeadKind::Quantiles => map.restore4(parameters),
            HeadKind::Gaussian | HeadKind::StudentT => {
                let location = map.restore4(parameters.clone().narrow(3, 0, 1));
                let scale = map.restore_scale4(parameters.clone().narrow(3, 1, 1));
                let rest = (self.n_outputs() > 2).then(|| parameters.narrow(3, 2, 1));
                Tensor::cat([location, scale].into_iter().chain(rest).collect(), 3)
            }
        }
    }

    /// [`Head::parameters`] of one value in plain numbers, in units whose 0 is at `offset`, as those of windows that
    /// were normalised by it.
    ///
    /// # Shapes
    /// `outputs` and `parameters` `(n_outputs)`.
    pub(crate) fn plain_parameters(&self, outputs: &[f32], offset: f64, parameters: &mut [f64]) {
        for (at, (to, output)) in parameters.iter_mut().zip(outputs).enumerate() {
            let output = f64::from(*output);
            *to = match (self.kind, at) {
                (HeadKind::Point | HeadKind::Quantiles, _) | (_, 0) => offset + output,
                (_, 1) => plain_softplus(output) + SMALLEST_SCALE,
                _ => plain_softplus(output) + FEWEST_FREEDOM,
            };
        }
    }

    /// [`Marginal::point`] of [`Head::marginal`], to the same bits, without an allocation: quantiles are sorted where
    /// they are.
    pub(crate) fn point_of(&self, parameters: &mut [f64]) -> f64 {
        if self.kind == HeadKind::Quantiles {
            parameters.sort_unstable_by(f64::total_cmp);
            return median(&self.levels, parameters);
        }
        parameters.first().copied().unwrap_or(f64::NAN)
    }

    /// The loss of parameters, over the labels that are there.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub(crate) fn loss(&self, parameters: Tensor<4>, labels: Tensor<3>, mask: Tensor<3>) -> Result<Masked> {
        let part = |at: usize| parameters.clone().narrow(3, at, 1).squeeze_dim::<3>(3);
        match (self.kind, self.loss) {
            (HeadKind::Point, PointLoss::Mse) => mse(part(0), labels, mask),
            (HeadKind::Point, PointLoss::Mae) => mae(part(0), labels, mask),
            (HeadKind::Point, PointLoss::Huber) => huber(part(0), labels, mask),
            (HeadKind::Quantiles, _) => pinball(parameters, labels, mask, &self.levels),
            (HeadKind::Gaussian, _) => gaussian(part(0), part(1), labels, mask),
            (HeadKind::StudentT, _) => student_t(part(0), part(1), part(2), labels, mask),
        }
    }

    /// The forecast of one value from its parameters, of which there are [`Head::n_outputs`]; quantiles are sorted
    /// (Chernozhukov et al. 2010, Econometrica 78: no level is worse for it, taken together).
    pub(crate) fn marginal(&self, parameters: &[f64]) -> Marginal {
        match (self.kind, parameters) {
            (HeadKind::Quantiles, values) => {
                let mut values = values.to_vec();
                values.sort_by(f64::total_cmp);
                Marginal::Quantiles { levels: self.levels.clone(), values }
            }
            (HeadKind::Gaussian, [location, scale, ..]) => {
                Marginal::Gaussian { location: *location, scale: *scale }
            }
            (HeadKind::StudentT, [location, scale, freedom, ..]) => {
                Marginal::StudentT { location: *location, scale: *scale, freedom: *freedom }
            }
            (_, values) => Marginal::Point(values.first().copied().unwrap_or(f64::NAN)),
        }
    }
}

/// `ln(1 + e^x)`.
fn plain_softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];
    const KINDS: [HeadKind; 4] =
        [HeadKind::Point, HeadKind::Quantiles, HeadKind::Gaussian, HeadKind::StudentT];

    fn head(kind: HeadKind) -> Head {
        Head::new(kind, PointLoss::Mse, &LEVELS).unwrap()
    }

    fn tensor(values: Vec<f32>, shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn settings_of_other_heads_are_refused_with_what_to_do() {
        for (kind, loss, levels, said) in [
            (HeadKind::Gaussian, PointLoss::Huber, &LEVELS[..], "loss is huber"),
            (HeadKind::Point, PointLoss::Mse, &[0.2, 0.8], "quantiles is 0.2,0.8"),
        ] {
            let message = Head::new(kind, loss, levels).unwrap().check_used(levels).unwrap_err().to_string();
            assert!(message.contains(said) && message.contains("leave"), "{message}");
        }
        for kind in KINDS {
            head(kind).check_used(&LEVELS).unwrap();
        }
        Head::new(HeadKind::Point, PointLoss::Mae, &LEVELS).unwrap().check_used(&LEVELS).unwrap();
    }

    #[test]
    fn scales_are_positive_and_distributions_have_a_variance_whatever_comes_out() {
        for kind in KINDS {
            let head = head(kind);
            for value in [-1e30, -50.0, 0.0, 3.0, 1e30] {
                let n = head.n_outputs();
                let parameters: Vec<f64> = head
                    .parameters(tensor(vec![value; n], [1, 1, 1, n]))
                    .into_data()
                    .iter::<f32>()
                    .map(f64::from)
                    .collect();
                match head.marginal(&parameters) {
                    Marginal::Gaussian { scale, .. } => assert!(scale > 0.0 && scale.is_finite()),
                    Marginal::StudentT { scale, freedom, .. } => {
                        assert!(scale > 0.0 && scale.is_finite() && freedom >= 2.0);
                    }
                    other => assert!((other.point() - f64::from(value)).abs() < 1e-12),
                }
            }
        }
    }

    #[test]
    fn quantiles_that_cross_are_sorted_when_they_are_forecast() {
        let forecast = head(HeadKind::Quantiles).marginal(&[3.0, 1.0, 2.0]);
        let sorted = LEVELS.map(|level| forecast.quantile(level).unwrap());
        assert!(
            sorted.iter().zip([1.0, 2.0, 3.0]).all(|(ours, due)| (ours - due).abs() < 1e-12),
            "{sorted:?}"
        );
    }

    #[test]
    fn plain_numbers_are_those_of_tensors_and_points_those_of_marginals() {
        for kind in KINDS {
            let head = head(kind);
            let n = head.n_outputs();
            for outputs in [[0.5, -3.0, 40.0], [-2.0, 0.0, 0.25], [7.0, 25.0, -25.0]] {
                let device = Device::flex();
                let zero = Tensor::<3>::zeros([1, 1, 1], &device);
                let map = WindowMap::offset(zero + 1.5);
                let due = head.parameters(tensor(outputs[..n].to_vec(), [1, 1, 1, n]));
                let due: Vec<f32> = head.denormalise(due, &map).into_data().iter::<f32>().collect();
                let mut found = vec![0.0; n];
                head.plain_parameters(&outputs[..n], 1.5, &mut found);
                for (ours, due) in found.iter().zip(&due) {
                    let due = f64::from(*due);
                    assert!((ours - due).abs() < 1e-6 * due.abs().max(1e-3), "{kind:?}: {ours} for {due}");
                }
                let point = head.marginal(&found).point();
                assert_eq!(head.point_of(&mut found).to_bits(), point.to_bits(), "{kind:?}");
            }
        }
    }

    #[test]
    fn levels_out_of_range_are_refused_with_the_rule() {
        for (levels, said) in [
            (&[][..], "number of quantiles is 0"),
            (&[0.5; 100], "number of quantiles is 100"),
            (&[0.1, 1.0], "quantiles is 1, but each must be between 0 and 1"),
            (&[f64::NAN], "quantiles is NaN"),
            (&[0.5, 0.1], "it follows 0.5; they must rise"),
        ] {
            let message = Head::new(HeadKind::Quantiles, PointLoss::Mse, levels).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
        assert!(Head::new(HeadKind::Gaussian, PointLoss::Mse, &[]).is_ok());
    }
}
