//! Trend, any number of sine seasons, and noise.

use std::f64::consts::TAU;

use super::{check, elementary::sin_turns, noise::Noise};
use crate::DatasetError;

/// A series of trend, seasons and noise:
/// `y(t) = level + slope t + sum_s amplitude(s) sin(2 pi t / period(s) + phase(s)) + noise(t)`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0 | value of the trend at step 0, in the units of the series | finite |
/// | `slope` | 0 | change of the trend per step | finite |
/// | `seasons` | none | the seasons that are added up | see [`Season`] |
/// | `noise_std` | 0 | standard deviation of the noise, in the units of the series | at least 0 |
///
/// # Example
/// ```
/// use forecast_datasets::{Season, Seasonal};
///
/// // A day and a week of hours on a rising level.
/// let day = Season { period: 24.0, amplitude: 10.0, phase: 0.0 };
/// let week = Season { period: 168.0, amplitude: 5.0, phase: 1.0 };
/// let load = Seasonal { level: 100.0, slope: 0.01, seasons: vec![day, week], noise_std: 1.0 };
/// assert_eq!(load.generate(24 * 365, 1)?.len(), 8760);
///
/// let aliased = Season { period: 1.5, ..day };
/// let error = Seasonal { seasons: vec![day, aliased], ..load }.generate(10, 1).unwrap_err();
/// assert_eq!(error.to_string(), "seasons[1].period must be finite and at least 2, but is 1.5");
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seasonal {
    /// The value of the trend at step 0, in the units of the series.
    pub level: f64,
    /// The change of the trend per step, in the units of the series.
    pub slope: f64,
    /// The seasons; they are added up.
    pub seasons: Vec<Season>,
    /// The standard deviation of the noise, in the units of the series.
    pub noise_std: f64,
}

/// One sine season of a [`Seasonal`] series.
///
/// | field | meaning | range |
/// |---|---|---|
/// | `period` | steps in one season; need not be whole | at least 2: faster ones alias to slower |
/// | `amplitude` | half the swing, in the units of the series | finite |
/// | `phase` | angle at step 0, in radians | finite |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Season {
    /// Steps in one season.
    pub period: f64,
    /// Half the swing from trough to peak, in the units of the series.
    pub amplitude: f64,
    /// The angle at step 0, in radians.
    pub phase: f64,
}

impl Seasonal {
    /// Returns the first `n_steps` values; same seed, same bits on every machine.
    ///
    /// # Errors
    /// [`DatasetError::Parameter`] for a field outside its range, [`DatasetError::TooLong`] or
    /// [`DatasetError::NotFinite`] for more steps or larger values than the machine can hold.
    pub fn generate(&self, n_steps: usize, seed: u64) -> Result<Vec<f64>, DatasetError> {
        self.check()?;
        let mut series = check::with_room(n_steps)?;
        let mut noise = Noise::new(seed);
        for step in 0..n_steps {
            let t = step as f64;
            let seasons: f64 = self.seasons.iter().map(|season| season.at(t)).sum();
            series.push(self.level + self.slope * t + seasons + self.noise_std * noise.draw());
        }
        check::finite_series(series)
    }

    fn check(&self) -> Result<(), DatasetError> {
        check::finite("level", self.level)?;
        check::finite("slope", self.slope)?;
        check::noise_std(self.noise_std)?;
        for (season_idx, season) in self.seasons.iter().enumerate() {
            let field = |name: &str| format!("seasons[{season_idx}].{name}");
            let is_slow = |period| period >= 2.0;
            check::parameter(&field("period"), season.period, "finite and at least 2", is_slow)?;
            check::finite(&field("amplitude"), season.amplitude)?;
            check::finite(&field("phase"), season.phase)?;
        }
        Ok(())
    }
}

impl Season {
    fn at(&self, t: f64) -> f64 {
        // The remainder is exact, so a season with a whole period repeats to the bit.
        self.amplitude * sin_turns(t % self.period / self.period + self.phase / TAU)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Seasonal {
        let day = Season { period: 24.0, amplitude: 10.0, phase: 0.3 };
        let week = Season { period: 168.0, amplitude: -4.0, phase: -7.5 };
        let month = Season { period: 730.484, amplitude: 2.5, phase: 0.0 };
        Seasonal { level: 50.0, slope: -0.25, seasons: vec![day, week, month], noise_std: 0.0 }
    }

    #[test]
    fn without_noise_the_series_is_the_closed_form() {
        let load = load();
        for (step, value) in load.generate(5000, 9).unwrap().into_iter().enumerate() {
            let t = step as f64;
            let wave = |s: &Season| s.amplitude * (TAU * t / s.period + s.phase).sin();
            let expected = 50.0 - 0.25 * t + load.seasons.iter().map(wave).sum::<f64>();
            // The series goes down to -1200, and the angle of the closed form up to 1300, where
            // one unit in the last place is 2.3e-13, times an amplitude of 10.
            assert!((value - expected).abs() < 5e-12, "step {step}: {value} for {expected}");
        }
    }

    #[test]
    fn whole_period_repeats_exactly() {
        let seasons = vec![Season { period: 24.0, amplitude: 1.0, phase: 2.0 }];
        let series = Seasonal { seasons, ..Seasonal::default() }.generate(24 * 1000, 0).unwrap();
        assert!(series.chunks(24).all(|day| day == &series[..24]));
    }

    #[test]
    fn noise_has_the_standard_deviation_asked_for() {
        const N_STEPS: usize = 100_000;
        let noisy = Seasonal { noise_std: 3.0, ..load() }.generate(N_STEPS, 4).unwrap();
        let clean = load().generate(N_STEPS, 4).unwrap();
        let square: f64 = noisy.iter().zip(&clean).map(|(a, b)| (a - b) * (a - b)).sum();
        let std = (square / N_STEPS as f64).sqrt();
        // The standard error of a standard deviation is std / sqrt(2 n), 0.0067 here.
        assert!((std - 3.0).abs() < 5.0 * 0.0067, "{std}");
    }

    #[test]
    fn bad_fields_are_named() {
        let message = |series: Seasonal| series.generate(1, 0).unwrap_err().to_string();
        assert_eq!(message(Seasonal { level: f64::NAN, ..load() }), "level must be finite, but is NaN");
        let slope = Seasonal { slope: f64::NEG_INFINITY, ..load() };
        assert_eq!(message(slope), "slope must be finite, but is -inf");
        let noise_std = Seasonal { noise_std: -2.5, ..load() };
        assert_eq!(message(noise_std), "noise_std must be finite and at least 0, but is -2.5");
        let mut phase = load();
        phase.seasons[2].phase = f64::NAN;
        assert_eq!(message(phase), "seasons[2].phase must be finite, but is NaN");
        let mut period = load();
        period.seasons[0].period = 0.0;
        assert_eq!(message(period), "seasons[0].period must be finite and at least 2, but is 0");
        let overflow = Seasonal { slope: f64::MAX, ..load() }.generate(3, 0).unwrap_err();
        assert_eq!(overflow, DatasetError::NotFinite { step: 2 });
    }

    /// Stored bits of steps 100 to 102 with seed 42, made by this generator: they change if the
    /// stream or the arithmetic changes, on any machine.
    #[test]
    fn same_seed_gives_the_same_bits_on_every_machine() {
        let noisy = Seasonal { noise_std: 1.0, ..load() };
        let series = noisy.generate(103, 42).unwrap();
        assert_eq!(series, noisy.generate(200, 42).unwrap()[..103]);
        assert_ne!(series, noisy.generate(103, 43).unwrap());
        let bits: Vec<u64> = series[100..].iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0x4040_ca90_6456_ec30, 0x4041_302d_582d_2eae, 0x4041_0c25_f4eb_83e1]);
    }
}
