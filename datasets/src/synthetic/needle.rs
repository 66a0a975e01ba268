//! The long-lag needle: the next value depends on one value `k` steps back and nothing between.

use super::{check, noise::Noise};
use crate::DatasetError;

/// A series whose next value depends on exactly one earlier value, `lag` steps back:
/// `y(t) = coefficient y(t - lag) + noise(t)`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `lag` | 100 | `k`, in steps | at least 1 |
/// | `coefficient` | 0.9 | share of the value `k` steps back | inside (-1, 1) |
/// | `noise_std` | 1 | standard deviation of the noise, in the units of the series | at least 0 |
///
/// The first `lag` values are noise of the stationary standard deviation
/// `noise_std / sqrt(1 - coefficient^2)`, so the series is stationary from its first step. Its
/// autocorrelation is `coefficient^n` at lag `n k` and zero between, so a model that looks back
/// fewer than `k` steps can only forecast zero, and its error one step ahead has the standard
/// deviation of the series, not that of the noise.
///
/// # Example
/// ```
/// use forecast_datasets::Needle;
///
/// let series = Needle { lag: 1000, coefficient: 0.95, noise_std: 0.1 }.generate(5000, 3)?;
/// let surprise = series[4000] - 0.95 * series[3000];
/// assert!(surprise.abs() < 0.5); // five standard deviations of the noise
///
/// let error = Needle { lag: 0, ..Needle::default() }.generate(10, 3).unwrap_err();
/// assert_eq!(error.to_string(), "lag must be at least 1, but is 0");
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Needle {
    /// How many steps back the one value lies that decides the next.
    pub lag: usize,
    /// The share of that value in the next.
    pub coefficient: f64,
    /// The standard deviation of the noise, in the units of the series.
    pub noise_std: f64,
}

impl Default for Needle {
    fn default() -> Self {
        Self { lag: 100, coefficient: 0.9, noise_std: 1.0 }
    }
}

impl Needle {
    /// Returns `n_steps` values; same seed, same bits on every machine.
    ///
    /// # Errors
    /// [`DatasetError::Parameter`] for a field outside its range, [`DatasetError::TooLong`] or
    /// [`DatasetError::NotFinite`] for more steps or larger values than the machine can hold.
    pub fn generate(&self, n_steps: usize, seed: u64) -> Result<Vec<f64>, DatasetError> {
        self.check()?;
        let mut series = check::with_room(n_steps)?;
        let stationary_std = self.noise_std / (1.0 - self.coefficient * self.coefficient).sqrt();
        let mut noise = Noise::new(seed);
        for step in 0..n_steps {
            let value = match step.checked_sub(self.lag) {
                None => stationary_std * noise.draw(),
                Some(past) => self.coefficient * series[past] + self.noise_std * noise.draw(),
            };
            series.push(value);
        }
        check::finite_series(series)
    }

    fn check(&self) -> Result<(), DatasetError> {
        check::parameter("lag", self.lag as f64, "at least 1", |lag| lag >= 1.0)?;
        let is_stable = |coefficient: f64| coefficient.abs() < 1.0;
        check::parameter("coefficient", self.coefficient, "inside (-1, 1)", is_stable)?;
        check::noise_std(self.noise_std)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{autocorrelation, standard_error};
    use super::*;

    /// Checks every lag up to `2 lag` within six standard errors by Bartlett's formula: of the
    /// 2000 lags of the longest case, a right generator fails one for one seed in 200,000.
    fn check_autocorrelation(lag: usize, coefficient: f64) {
        const N_STEPS: usize = 100_000;
        let needle = Needle { lag, coefficient, noise_std: 0.5 };
        let series = needle.generate(N_STEPS, 21).unwrap();
        let rho = |at: usize| match at % lag {
            0 => coefficient.powi((at / lag) as i32),
            _ => 0.0,
        };
        // 0.9^150 is 1e-7: the sum of Bartlett's formula has converged.
        let n_lags = 150 * lag;
        let errors: Vec<f64> =
            [lag, 2 * lag, 1, lag / 2].map(|at| standard_error(&rho, at, n_lags, N_STEPS)).into();
        let largest = errors.iter().copied().fold(0.0, f64::max);
        for at in 1..=2 * lag {
            let found = autocorrelation(&series, 0.0, at);
            let bound = if at == lag { 6.0 * errors[0] } else { 6.0 * largest };
            assert!((found - rho(at)).abs() < bound, "k {lag}, lag {at}: {found} for {}", rho(at));
        }
    }

    #[test]
    fn autocorrelation_is_the_coefficient_at_the_lag_and_zero_between() {
        check_autocorrelation(1, 0.9);
        check_autocorrelation(1, -0.9);
        check_autocorrelation(50, 0.9);
        check_autocorrelation(50, -0.6);
        check_autocorrelation(1000, 0.9);
    }

    #[test]
    fn series_is_stationary_from_its_first_step() {
        let needle = Needle { lag: 1000, coefficient: 0.9, noise_std: 1.0 };
        let series = needle.generate(10_000, 8).unwrap();
        let expected = 1.0 / (1.0f64 - 0.81).sqrt();
        for block in series.chunks(1000) {
            let std = (block.iter().map(|y| y * y).sum::<f64>() / 1000.0).sqrt();
            // The standard error of a standard deviation is std / sqrt(2 n), 2.2 % here.
            assert!((std / expected - 1.0).abs() < 5.0 * 0.022, "{std} for {expected}");
        }
    }

    #[test]
    fn value_follows_exactly_one_earlier_value() {
        // With the same seed the noise is the same, so the two series differ by what the
        // coefficient carries: nothing in the first round but the scale, everything after.
        let lag = 7;
        let with = Needle { lag, coefficient: 0.5, noise_std: 1.0 }.generate(70, 6).unwrap();
        let noise = Needle { lag, coefficient: 0.0, noise_std: 1.0 }.generate(70, 6).unwrap();
        for step in lag..70 {
            let expected = 0.5 * with[step - lag] + noise[step];
            assert!((with[step] - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn lag_may_exceed_the_series() {
        assert_eq!(Needle { lag: usize::MAX, ..Needle::default() }.generate(10, 0).unwrap().len(), 10);
        assert_eq!(Needle::default().generate(0, 0).unwrap(), []);
    }

    #[test]
    fn bad_fields_are_named() {
        let message = |needle: Needle| needle.generate(1, 0).unwrap_err().to_string();
        let coefficient = |coefficient| message(Needle { coefficient, ..Needle::default() });
        assert_eq!(coefficient(-1.0), "coefficient must be inside (-1, 1), but is -1");
        assert_eq!(coefficient(f64::NAN), "coefficient must be inside (-1, 1), but is NaN");
        let noise_std = Needle { noise_std: f64::INFINITY, ..Needle::default() };
        assert_eq!(message(noise_std), "noise_std must be finite and at least 0, but is inf");
    }

    /// Stored bits of steps 99 to 101 with seed 42, made by this generator: they change if the
    /// stream or the arithmetic changes, on any machine.
    #[test]
    fn same_seed_gives_the_same_bits_on_every_machine() {
        let series = Needle::default().generate(102, 42).unwrap();
        assert_eq!(series, Needle::default().generate(200, 42).unwrap()[..102]);
        assert_ne!(series, Needle::default().generate(102, 43).unwrap());
        let bits: Vec<u64> = series[99..].iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0xbfd1_2462_eb7d_308f, 0xbfde_bc0b_76f5_291c, 0x3fe2_607d_c7e7_a8de]);
    }
}
