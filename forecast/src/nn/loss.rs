//! Losses over what was observed: means over the values whose mask is 1, and 0 where none is.
//!
//! | loss | of a value `y` with forecast `f`, `e = y - f` |
//! |---|---|
//! | [`mse`] | `e^2` |
//! | [`mae`] | `abs(e)` |
//! | [`huber`] | `e^2 / 2` up to `abs(e) = 1`, `abs(e) - 1/2` beyond (Huber 1964) |
//! | [`pinball`] | `max(q e, (q - 1) e)`, mean over the levels `q` (Koenker and Bassett 1978) |
//! | [`gaussian`] | `ln(2 pi) / 2 + ln s + z^2 / 2`, `z = e / s` |
//! | [`student_t`] | `ln G(v/2) - ln G((v+1)/2) + ln(v pi) / 2 + ln s + (v+1)/2 ln(1 + z^2 / v)` |
//!
//! Shapes: forecasts, labels and masks `(batch, horizon, channel)`; of quantiles, forecasts
//! `(batch, horizon, channel, level)`. A missing label may be any finite number.

use std::f64::consts::PI;

use burn::tensor::{Tensor, TensorData};

use crate::{Error, Result};

/// A mean, and how many values it is over.
#[derive(Debug)]
pub(crate) struct Masked {
    /// Shape `(1)`.
    pub(crate) mean: Tensor<1>,
    /// Values with a mask of 1.
    pub(crate) n_values: f64,
}

/// The mean of squared errors.
///
/// # Errors
/// [`Error::Internal`] only, as all of these.
pub(crate) fn mse(forecasts: Tensor<3>, labels: Tensor<3>, mask: Tensor<3>) -> Result<Masked> {
    masked_mean(error(forecasts, labels, &mask).square(), &mask)
}

/// The mean of absolute errors.
pub(crate) fn mae(forecasts: Tensor<3>, labels: Tensor<3>, mask: Tensor<3>) -> Result<Masked> {
    masked_mean(error(forecasts, labels, &mask).abs(), &mask)
}

/// The mean of Huber's loss.
pub(crate) fn huber(forecasts: Tensor<3>, labels: Tensor<3>, mask: Tensor<3>) -> Result<Masked> {
    let size = error(forecasts, labels, &mask).abs();
    let within = size.clone().clamp_max(1.0);
    masked_mean(within.clone().square().mul_scalar(0.5) + (size - within), &mask)
}

/// The mean of the pinball loss over values and levels.
pub(crate) fn pinball(
    forecasts: Tensor<4>,
    labels: Tensor<3>,
    mask: Tensor<3>,
    levels: &[f64],
) -> Result<Masked> {
    let n_levels = levels.len();
    let device = forecasts.device();
    let as_tensor =
        |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, [1, 1, 1, n_levels]), &device);
    let levels = as_tensor(levels.iter().map(|level| *level as f32).collect());
    let mask_of_levels = mask.clone().unsqueeze_dim::<4>(3);
    let error = (labels.unsqueeze_dim::<4>(3) - forecasts) * mask_of_levels; // (batch, horizon, channel, level)
    // max(q e, (q - 1) e) = q e + max(0, -e)
    let loss = error.clone() * levels + error.neg().clamp_min(0.0);
    let of_values = loss.mean_dim(3).squeeze_dim::<3>(3);
    masked_mean(of_values, &mask)
}

/// The mean of the negative logarithm of a normal density.
pub(crate) fn gaussian(
    location: Tensor<3>,
    scale: Tensor<3>,
    labels: Tensor<3>,
    mask: Tensor<3>,
) -> Result<Masked> {
    let z = error(location, labels, &mask) / scale.clone();
    let loss = scale.log() + z.square().mul_scalar(0.5) + 0.5 * (2.0 * PI).ln();
    masked_mean(loss * mask.clone(), &mask)
}

/// The mean of the negative logarithm of Student's density with `freedom` degrees of freedom.
pub(crate) fn student_t(
    location: Tensor<3>,
    scale: Tensor<3>,
    freedom: Tensor<3>,
    labels: Tensor<3>,
    mask: Tensor<3>,
) -> Result<Masked> {
    let z = error(location, labels, &mask) / scale.clone();
    let tail = (z.square() / freedom.clone()).log1p() * freedom.clone().add_scalar(1.0).mul_scalar(0.5);
    let constant = freedom.clone().mul_scalar(PI).log().mul_scalar(0.5);
    let loss = scale.log() + tail + constant - log_gamma_half_step(freedom.mul_scalar(0.5));
    masked_mean(loss * mask.clone(), &mask)
}

/// `ln G(x + 1/2) - ln G(x)` for positive `x`, whose two terms would lose all digits of their difference.
///
/// From `x + 4` on it is the asymptotic series `ln(x) / 2 - 1/(8x) + 1/(192 x^3) - 1/(640 x^5) + 17/(14336 x^7)`
/// (Tricomi and Erdelyi 1951), correct to 1e-9; the steps down to `x` are `ln(1 + 1/(2x))` each.
fn log_gamma_half_step(x: Tensor<3>) -> Tensor<3> {
    let step = |k: f64| x.clone().add_scalar(k).recip().mul_scalar(0.5).log1p();
    let down = step(0.0) + step(1.0) + step(2.0) + step(3.0);
    let x = x.add_scalar(4.0);
    let inverse = x.clone().recip();
    let square = inverse.clone().square();
    let series = square.clone().mul_scalar(17.0 / 14_336.0).sub_scalar(1.0 / 640.0) * square.clone();
    let series = series.add_scalar(1.0 / 192.0) * square;
    x.log().mul_scalar(0.5) + series.sub_scalar(1.0 / 8.0) * inverse - down
}

/// What is left of the labels, 0 where they are missing: before anything could overflow there.
fn error(forecasts: Tensor<3>, labels: Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
    (labels - forecasts) * mask.clone()
}

/// The mean of values that are 0 where the mask is.
fn masked_mean(values: Tensor<3>, mask: &Tensor<3>) -> Result<Masked> {
    let mask = mask.to_data();
    let mask = mask.as_slice::<f32>().map_err(|error| Error::Internal(error.to_string()))?;
    let n_values = mask.iter().filter(|value| **value > 0.0).count() as f64;
    // One axis after the other: of millions of numbers at once, burn's sum depends on the number of threads.
    let sum = values.sum_dim(1).sum_dim(2).sum();
    Ok(Masked { mean: sum.div_scalar(n_values.max(1.0)), n_values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const LABELS: [f32; 6] = [1.0, -2.0, 0.5, 4.0, 1e30, -0.25];
    const MASK: [f32; 6] = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0];
    const FORECASTS: [f32; 6] = [0.5, -2.0, 9.0, 1.0, -1e30, 0.25];

    fn tensor(values: &[f32], device: &Device) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 2]), device)
    }

    fn value(masked: &Masked) -> f64 {
        f64::from(masked.mean.clone().into_scalar::<f32>())
    }

    /// A loss of three tensors of parameters, labels and mask.
    type Loss = fn([Tensor<3>; 3], Tensor<3>, Tensor<3>) -> Result<Masked>;

    const LOSSES: [(&str, Loss); 6] = [
        ("mse", |[f, _, _], y, m| mse(f, y, m)),
        ("mae", |[f, _, _], y, m| mae(f, y, m)),
        ("huber", |[f, _, _], y, m| huber(f, y, m)),
        ("pinball", |[f, s, _], y, m| {
            let both = Tensor::cat(vec![f.unsqueeze_dim::<4>(3), s.unsqueeze_dim(3)], 3);
            pinball(both, y, m, &[0.1, 0.7])
        }),
        ("gaussian", |[f, s, _], y, m| gaussian(f, s, y, m)),
        ("student-t", |[f, s, v], y, m| student_t(f, s, v, y, m)),
    ];
    const SCALES: [f32; 6] = [0.5, 2.0, 1.0, 3.0, 1.0, 0.125];
    const FREEDOMS: [f32; 6] = [2.5, 3.0, 4.0, 10.0, 5.0, 400.0];

    /// By hand; the densities by Python's `math`, with its `lgamma`.
    #[test]
    fn means_are_those_of_the_formulas_over_what_is_there() {
        let device = Device::flex();
        let all = || [&FORECASTS, &SCALES, &FREEDOMS].map(|values| tensor(values, &device));
        let due = [
            (0.25 + 0.0 + 9.0 + 0.25) / 4.0,
            (0.5 + 0.0 + 3.0 + 0.5) / 4.0,
            (0.125 + 0.0 + 2.5 + 0.125) / 4.0,
            // Errors 0.5, 0, 3, -0.5 of the level 0.1, and 0.5, -4, 1, -0.375 of 0.7.
            ((0.05 + 0.0 + 0.3 + 0.45) + (0.35 + 1.2 + 0.7 + 0.1125)) / 8.0,
            NORMAL,
            STUDENT,
        ];
        for ((name, loss), due) in LOSSES.into_iter().zip(due) {
            let found = loss(all(), tensor(&LABELS, &device), tensor(&MASK, &device)).unwrap();
            assert!((value(&found) - due).abs() < 2e-6, "{name}: {} for {due}", value(&found));
            assert!((found.n_values - 4.0).abs() < 1e-12);
            let nothing = loss(all(), tensor(&LABELS, &device), tensor(&[0.0; 6], &device)).unwrap();
            assert!(value(&nothing).abs() < 1e-30 && nothing.n_values < 0.5, "{name}");
        }
    }

    #[test]
    fn gradients_are_central_differences_and_0_where_nothing_is_there() {
        let (device, plain) = (Device::flex().autodiff(), Device::flex());
        let numbers = [FORECASTS.map(|x| x + 0.0625), SCALES, FREEDOMS];
        let labels = LABELS.map(|y| if y > 1e20 { 0.0 } else { y });
        for (name, loss) in LOSSES {
            let all = numbers.map(|values| tensor(&values, &device).require_grad());
            let found = loss(all.clone(), tensor(&labels, &device), tensor(&MASK, &device)).unwrap();
            let gradients = found.mean.backward();
            for (which, parameter) in all.iter().enumerate() {
                let Some(gradient) = parameter.grad(&gradients) else {
                    continue; // no parameter of this loss
                };
                let gradient = gradient.into_data().into_vec_f32();
                for i in 0..6 {
                    let moved = |by: f32| {
                        let mut moved = numbers;
                        moved[which][i] += by;
                        let moved = moved.map(|values| tensor(&values, &plain));
                        value(&loss(moved, tensor(&labels, &plain), tensor(&MASK, &plain)).unwrap())
                    };
                    let step = 2e-3 * numbers[which][i].abs().max(0.5);
                    let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                    let ours = f64::from(gradient[i]);
                    if MASK[i] < 0.5 {
                        assert!(ours.abs() < 1e-30, "{name} {which} {i}: {ours}");
                    }
                    assert!(
                        (ours - slope).abs() < 3e-3 * slope.abs().max(0.05),
                        "{name} {which} {i}: {ours} {slope}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_step_of_the_gamma_function_is_that_of_its_values() {
        // `math.lgamma(x + 0.5) - math.lgamma(x)` of Python.
        let due = GAMMA_STEPS;
        let x = due.map(|(x, _)| x as f32);
        let found = log_gamma_half_step(tensor(&x, &Device::flex())).into_data().into_vec_f32();
        for ((x, due), ours) in due.into_iter().zip(found) {
            assert!((f64::from(ours) - due).abs() < 1e-6 * due.abs().max(0.3), "{x}: {ours} for {due}");
        }
    }

    #[test]
    fn means_of_millions_of_values_have_the_same_bits_for_any_number_of_threads() {
        let device = Device::flex();
        let shape = [64, 256, 300];
        let values = (0..shape.iter().product()).map(|i: usize| ((i * i) % 10_007) as f32 / 7.0).collect();
        let labels = Tensor::<3>::from_data(TensorData::new::<f32, _>(values, shape), &device);
        let means = [1, 2, 3].map(|n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let (zeros, mask) = (Tensor::zeros(shape, &device), Tensor::ones(shape, &device));
            pool.install(|| value(&mae(zeros, labels.clone(), mask).unwrap()).to_bits())
        });
        assert!(means.iter().all(|mean| *mean == means[0]), "{means:?}");
    }

    trait IntoVec {
        fn into_vec_f32(self) -> Vec<f32>;
    }

    impl IntoVec for TensorData {
        fn into_vec_f32(self) -> Vec<f32> {
            self.as_slice::<f32>().unwrap().to_vec()
        }
    }

    const NORMAL: f64 = 2.923_731_219_951_741_3;
    const STUDENT: f64 = 2.969_236_366_255_158;
    const GAMMA_STEPS: [(f64, f64); 6] = [
        (0.1, -1.854_478_793_664_970_7),
        (0.5, -0.572_364_942_924_700_4),
        (1.0, -0.120_782_237_635_245_43),
        (2.75, 0.460_587_264_193_787_6),
        (10.0, 1.138_797_739_322_296),
        (1_000.0, 3.453_752_639_496_997),
    ];
}
