//! Autoregression of any order: `y(t) = intercept + sum_i phi(i) y(t - i) + noise(t)`.

use super::{check, noise::Noise, stationarity};
use crate::DatasetError;

/// An autoregressive process `y(t) = intercept + sum_i phi(i) y(t - i) + noise(t)`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `coefficients` | none (white noise) | `phi`, lag 1 first | finite, stationary as a whole |
/// | `intercept` | 0 | constant, in the units of the series | finite |
/// | `noise_std` | 1 | standard deviation of the noise, in the units of the series | at least 0 |
/// | `burn_in` | 1000 | steps generated before the first that is returned | any |
///
/// The process starts at its mean `intercept / (1 - sum_i phi(i))`; the burn-in lets its variance
/// grow to the stationary one. A slowly decaying process (coefficients that sum to almost 1)
/// wants a longer one.
///
/// # Example
/// ```
/// use forecast_datasets::ArProcess;
///
/// let process = ArProcess { coefficients: vec![0.6, 0.3], ..ArProcess::default() };
/// assert_eq!(process.generate(500, 42)?.len(), 500);
///
/// let explosive = ArProcess { coefficients: vec![0.8, 0.3], ..process };
/// let error = explosive.generate(500, 42).unwrap_err().to_string();
/// assert!(error.starts_with("coefficients must make a stationary process"));
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ArProcess {
    /// The coefficients `phi`, lag 1 first.
    pub coefficients: Vec<f64>,
    /// The constant of the equation, in the units of the series. It is not the mean.
    pub intercept: f64,
    /// The standard deviation of the noise, in the units of the series.
    pub noise_std: f64,
    /// Steps that are generated and thrown away before the first that is returned.
    pub burn_in: usize,
}

impl Default for ArProcess {
    fn default() -> Self {
        Self { coefficients: Vec::new(), intercept: 0.0, noise_std: 1.0, burn_in: 1000 }
    }
}

impl ArProcess {
    /// Returns `n_steps` values of the process; same seed, same bits on every machine.
    ///
    /// # Errors
    /// [`DatasetError::Parameter`] for a field outside its range,
    /// [`DatasetError::NotStationary`] for coefficients that let the process grow without bound,
    /// [`DatasetError::TooLong`] or [`DatasetError::NotFinite`] for more steps or larger values
    /// than the machine can hold.
    pub fn generate(&self, n_steps: usize, seed: u64) -> Result<Vec<f64>, DatasetError> {
        self.check()?;
        let n_generated = self.burn_in.saturating_add(n_steps);
        let mut series = check::with_room(n_generated)?;
        let mean = self.intercept / (1.0 - self.coefficients.iter().sum::<f64>());
        let mut noise = Noise::new(seed);
        for step in 0..n_generated {
            let mut value = self.intercept;
            for (lag, coefficient) in (1..).zip(&self.coefficients) {
                let past = if lag <= step { series[step - lag] } else { mean };
                value += coefficient * past;
            }
            series.push(value + self.noise_std * noise.draw());
        }
        series.drain(..self.burn_in);
        check::finite_series(series)
    }

    fn check(&self) -> Result<(), DatasetError> {
        for (coefficient_idx, &coefficient) in self.coefficients.iter().enumerate() {
            check::finite(&format!("coefficients[{coefficient_idx}]"), coefficient)?;
        }
        check::finite("intercept", self.intercept)?;
        check::noise_std(self.noise_std)?;
        stationarity::check(&self.coefficients)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{autocorrelation, standard_error};
    use super::*;

    fn ar(coefficients: &[f64]) -> ArProcess {
        ArProcess { coefficients: coefficients.to_vec(), ..ArProcess::default() }
    }

    /// Solves the Yule-Walker equations `rho(k) = sum_i phi(i) rho(|k - i|)` by iteration, which
    /// converges because the process is stationary.
    fn yule_walker(phi: &[f64], n_lags: usize) -> Vec<f64> {
        let mut rho = vec![0.0; n_lags];
        rho[0] = 1.0;
        for _ in 0..2000 {
            for k in 1..n_lags {
                rho[k] = (1..).zip(phi).map(|(i, phi): (usize, _)| phi * rho[k.abs_diff(i)]).sum();
            }
        }
        rho
    }

    fn check_against_theory(coefficients: &[f64]) {
        const N_STEPS: usize = 200_000;
        const N_LAGS: usize = 400;
        let process = ArProcess { intercept: 3.0, noise_std: 2.0, ..ar(coefficients) };
        let series = process.generate(N_STEPS, 11).unwrap();
        let mean = 3.0 / (1.0 - coefficients.iter().sum::<f64>());
        let rho = yule_walker(coefficients, N_LAGS);
        let rho_at = |lag: usize| rho.get(lag).copied().unwrap_or(0.0);
        // Five standard errors by Bartlett's formula. With 22 checks of each of six processes, a
        // right generator fails one seed in 10,000.
        for (lag, &expected) in rho.iter().enumerate().take(21).skip(1) {
            let found = autocorrelation(&series, mean, lag);
            let bound = 5.0 * standard_error(&rho_at, lag, N_LAGS, N_STEPS);
            assert!((found - expected).abs() < bound, "{coefficients:?} lag {lag}: {found} for {expected}");
        }
        let explained: f64 = (1..).zip(coefficients).map(|(i, phi): (usize, _)| phi * rho[i]).sum();
        let variance = 4.0 / (1.0 - explained);
        // The variance of the sample mean is var(y) (1 + 2 sum_k rho(k)) / n.
        let sample_mean = series.iter().sum::<f64>() / N_STEPS as f64;
        let memory = 1.0 + 2.0 * rho[1..].iter().sum::<f64>();
        let bound = 5.0 * (variance * memory / N_STEPS as f64).sqrt();
        assert!((sample_mean - mean).abs() < bound, "{coefficients:?}: mean {sample_mean} for {mean}");
        // That of the sample variance is 2 var(y)^2 (1 + 2 sum_k rho(k)^2) / n.
        let sample_variance = series.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / N_STEPS as f64;
        let memory = 1.0 + 2.0 * rho[1..].iter().map(|rho| rho * rho).sum::<f64>();
        let bound = 5.0 * variance * (2.0 * memory / N_STEPS as f64).sqrt();
        assert!((sample_variance - variance).abs() < bound, "{coefficients:?}: variance {sample_variance}");
    }

    #[test]
    fn autocorrelation_mean_and_variance_follow_yule_walker() {
        check_against_theory(&[]);
        check_against_theory(&[0.8]);
        check_against_theory(&[-0.7]);
        check_against_theory(&[0.6, 0.3]);
        check_against_theory(&[1.2, -0.6, 0.1]);
        check_against_theory(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn noise_free_process_stays_at_its_mean() {
        let process = ArProcess { intercept: 1.0, noise_std: 0.0, burn_in: 0, ..ar(&[0.5, 0.25]) };
        assert_eq!(process.generate(5, 0).unwrap(), [4.0; 5]);
    }

    #[test]
    fn burn_in_only_drops_the_first_steps() {
        let all = ArProcess { burn_in: 0, ..ar(&[0.9]) }.generate(150, 5).unwrap();
        let rest = ArProcess { burn_in: 50, ..ar(&[0.9]) }.generate(100, 5).unwrap();
        assert_eq!(all[50..], rest);
    }

    #[test]
    fn bad_fields_are_named() {
        let message = |process: ArProcess| process.generate(1, 0).unwrap_err().to_string();
        assert_eq!(message(ar(&[0.1, f64::NAN])), "coefficients[1] must be finite, but is NaN");
        let intercept = ArProcess { intercept: f64::INFINITY, ..ar(&[]) };
        assert_eq!(message(intercept), "intercept must be finite, but is inf");
        let noise_std = ArProcess { noise_std: -1.0, ..ar(&[]) };
        assert_eq!(message(noise_std), "noise_std must be finite and at least 0, but is -1");
        let burn_in = ArProcess { burn_in: usize::MAX, ..ar(&[]) };
        assert!(message(burn_in).starts_with("a series of"));
    }

    /// Stored bits of the first three values with seed 42, made by this generator: they change
    /// if the stream or the arithmetic changes, on any machine.
    #[test]
    fn same_seed_gives_the_same_bits_on_every_machine() {
        let process = ar(&[0.6, 0.3]);
        let series = process.generate(3, 42).unwrap();
        assert_eq!(series, process.generate(5, 42).unwrap()[..3]);
        assert_ne!(series, process.generate(3, 43).unwrap());
        let bits: Vec<u64> = series.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0xbfb4_5ea0_1005_8f70, 0xbff5_f96f_a8fa_af18, 0xbfd1_b5ec_7038_ed26]);
    }
}
