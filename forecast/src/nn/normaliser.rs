//! Normalisation of each window by its own input, inside a network: what goes in loses its level (and its spread),
//! what comes out gets it back.
//!
//! RevIN (Kim et al., ICLR 2022): `x' = g (x - mean) / sqrt(var + 1e-5) + b` with a learned `g` and `b` for each
//! channel, mean and population variance those of what the window has observed, and back `y = (y' - b) / g
//! sqrt(var + 1e-5) + mean`. Last value (NLinear, Zeng et al., AAAI 2023): `x' = x - last observed x`.
//!
//! Shapes: inputs and masks `(batch, lookback, channel)`, outputs `(batch, horizon, channel)`.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

/// The kinds of normalisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Not at all: the training range has scaled them.
    #[default]
    #[serde(alias = "range")]
    None,
    /// The last observed value becomes 0.
    #[serde(alias = "last")]
    LastValue,
    /// Mean 0 and standard deviation 1, and then a learned affine map of each channel.
    #[serde(rename = "revin")]
    RevIn,
}

/// Normalises windows; of RevIN with what it has learned.
#[derive(Module, Debug)]
pub(crate) struct Normaliser {
    /// `g`, shape `(channel)`; of RevIN alone.
    factors: Option<Param<Tensor<1>>>,
    /// `b`, shape `(channel)`; of RevIN alone.
    offsets: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: Normalisation,
}

/// The way back: `factor y + offset`, shapes `(batch, 1, channel)`; `None` where nothing was changed.
#[derive(Debug, Clone)]
pub(crate) struct WindowMap {
    map: Option<(Option<Tensor<3>>, Tensor<3>)>,
}

/// Added to the variance, as in the paper's code.
const EPSILON: f64 = 1e-5;

impl Normaliser {
    /// A normaliser whose learned map changes nothing yet.
    pub(crate) fn new(kind: Normalisation, n_channels: usize, device: &Device) -> Self {
        let of_revin = |tensor: Tensor<1>| (kind == Normalisation::RevIn).then(|| Param::from_tensor(tensor));
        Normaliser {
            factors: of_revin(Tensor::ones([n_channels], device)),
            offsets: of_revin(Tensor::zeros([n_channels], device)),
            kind,
        }
    }

    /// The inputs normalised, and the way back. A missing input, whose mask is 0, has to be a finite number and
    /// becomes 0; a channel without an observed one is taken to be 0 throughout.
    pub(crate) fn normalise(&self, input: Tensor<3>, mask: Tensor<3>) -> (Tensor<3>, WindowMap) {
        match self.kind {
            Normalisation::None => (input, WindowMap { map: None }),
            Normalisation::LastValue => {
                let last = last_observed(input.clone() * mask.clone(), mask.clone());
                ((input - last.clone()) * mask, WindowMap { map: Some((None, last)) })
            }
            Normalisation::RevIn => {
                let n = mask.clone().sum_dim(1).clamp_min(1.0); // (batch, 1, channel)
                let mean = (input.clone() * mask.clone()).sum_dim(1) / n.clone();
                let centred = (input - mean.clone()) * mask.clone();
                let deviation = (centred.clone().square().sum_dim(1) / n).add_scalar(EPSILON).sqrt();
                let of_channels = |param: &Option<Param<Tensor<1>>>| {
                    param.as_ref().map(|param| param.val().unsqueeze::<3>()) // (1, 1, channel)
                };
                let (Some(g), Some(b)) = (of_channels(&self.factors), of_channels(&self.offsets)) else {
                    return (centred / deviation.clone(), WindowMap { map: Some((Some(deviation), mean)) });
                };
                let normalised = (centred / deviation.clone() * g.clone() + b.clone()) * mask;
                // The paper's code keeps the divisor from 0 by the square of its epsilon.
                let factor = deviation / g.add_scalar(EPSILON * EPSILON);
                let offset = mean - b * factor.clone();
                (normalised, WindowMap { map: Some((Some(factor), offset)) })
            }
        }
    }
}

impl WindowMap {
    /// The way back to values relative to what was not subtracted by a normaliser. Shape `(batch, 1, channel)`.
    pub(crate) fn offset(offset: Tensor<3>) -> Self {
        WindowMap { map: Some((None, offset)) }
    }

    /// Outputs in the units of the inputs.
    pub(crate) fn restore(&self, output: Tensor<3>) -> Tensor<3> {
        match &self.map {
            None => output,
            Some((None, offset)) => output + offset.clone(),
            Some((Some(factor), offset)) => output * factor.clone() + offset.clone(),
        }
    }

    /// The same of several outputs for each value. Shape `(batch, horizon, channel, output)`.
    pub(crate) fn restore4(&self, output: Tensor<4>) -> Tensor<4> {
        match &self.map {
            None => output,
            Some((None, offset)) => output + offset.clone().unsqueeze_dim::<4>(3),
            Some((Some(factor), offset)) => {
                output * factor.clone().unsqueeze_dim::<4>(3) + offset.clone().unsqueeze_dim::<4>(3)
            }
        }
    }

    /// Scales in the units of the inputs; they stay positive.
    pub(crate) fn restore_scale4(&self, scale: Tensor<4>) -> Tensor<4> {
        match &self.map {
            Some((Some(factor), _)) => scale * factor.clone().abs().unsqueeze_dim::<4>(3),
            _ => scale,
        }
    }
}

/// The last value whose mask is 1, of values that are 0 elsewhere; 0 if there is none. Shape `(batch, 1, channel)`.
pub(crate) fn last_observed(input: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
    let length = input.dims()[1] as i64;
    // Steps count from 1, so that the largest is one that was observed.
    let steps = Tensor::<1, Int>::arange(1..length + 1, &input.device()).float();
    let steps = steps.unsqueeze_dim::<2>(0).unsqueeze_dim::<3>(2); // (1, lookback, 1)
    let last = (mask * steps).argmax(1); // (batch, 1, channel)
    input.gather(1, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    const KINDS: [Normalisation; 3] = [Normalisation::None, Normalisation::LastValue, Normalisation::RevIn];

    fn tensor(values: &[f32], shape: [usize; 3]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn close(found: &[f32], due: &[f32]) {
        assert!(found.len() == due.len(), "{found:?} {due:?}");
        assert!(
            found.iter().zip(due).all(|(a, b)| (a - b).abs() < 1e-5 * b.abs().max(1.0)),
            "{found:?} {due:?}"
        );
    }

    /// With learned maps other than at the start.
    fn normaliser(kind: Normalisation) -> Normaliser {
        let learned = |values: [f32; 2]| {
            let tensor = Tensor::<1>::from_data(TensorData::new(values.to_vec(), [2]), &Device::flex());
            (kind == Normalisation::RevIn).then(|| Param::from_tensor(tensor))
        };
        Normaliser { factors: learned([1.5, -0.5]), offsets: learned([0.25, -2.0]), kind }
    }

    #[test]
    fn what_was_normalised_comes_back() {
        let values: Vec<f32> = (0..3 * 7 * 2).map(|i| ((i * i) % 17) as f32 * 3.0 - 20.0).collect();
        let input = tensor(&values, [3, 7, 2]);
        for kind in KINDS {
            let (normalised, map) = normaliser(kind).normalise(input.clone(), Tensor::ones_like(&input));
            close(&numbers(map.restore(normalised.clone())), &values);
            close(&numbers(map.restore4(normalised.unsqueeze_dim(3))), &values);
        }
    }

    #[test]
    fn statistics_are_those_of_what_was_observed() {
        // Channel 0: 1, -, 5, 9 and then 4, -, -, -; channel 1: nothing, and then -, 2, 2, -.
        let values = [1.0, 0.0, 0.0, 0.0, 5.0, 0.0, 9.0, 0.0, 4.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0];
        let mask = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let of = |kind| {
            let normaliser = Normaliser::new(kind, 2, &Device::flex());
            normaliser.normalise(tensor(&values, [2, 4, 2]), tensor(&mask, [2, 4, 2]))
        };
        let (last, map) = of(Normalisation::LastValue);
        let due = [-8.0, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0, 0.0];
        close(&numbers(last), &[&due[..], &[0.0; 8]].concat());
        close(&numbers(map.restore(Tensor::zeros([2, 1, 2], &Device::flex()))), &[9.0, 0.0, 4.0, 2.0]);
        let (revin, map) = of(Normalisation::RevIn);
        let spread = (32.0f32 / 3.0 + 1e-5).sqrt();
        let due = [-4.0 / spread, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0 / spread, 0.0];
        close(&numbers(revin), &[&due[..], &[0.0; 8]].concat());
        close(&numbers(map.restore(Tensor::zeros([2, 1, 2], &Device::flex()))), &[5.0, 0.0, 4.0, 2.0]);
        let flat = 1e-5f32.sqrt();
        let scales = map.restore_scale4(Tensor::ones([2, 1, 2, 1], &Device::flex()));
        close(&numbers(scales), &[spread, flat, flat, flat]);
    }

    #[test]
    fn scales_stay_positive_where_the_learned_factor_is_not() {
        let input = tensor(&[1.0, 1.0, 3.0, 3.0], [1, 2, 2]);
        let (_, map) = normaliser(Normalisation::RevIn).normalise(input.clone(), Tensor::ones_like(&input));
        let scales = numbers(map.restore_scale4(Tensor::ones([1, 1, 2, 1], &Device::flex())));
        close(&scales, &[1.0 / 1.5, 2.0]);
    }
}
