//! Scaling of one window by what its own input tells, on top of the scaling of its series.

use ndarray::ArrayView1;

use crate::data::scaler::Scaler;

/// How a window is scaled by its own input, each channel for itself.
///
/// The scaler of the series, if there is one, comes first and the window's second; together they are one affine
/// map, again a [`Scaler`] in the units of the series. Labels take the map of their input and have no part in it.
///
/// A channel without an observed value in the input has nothing to be scaled by: it keeps the scaler of its
/// series, or stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowScaling {
    /// Not at all: the scaler of the series stands alone.
    #[default]
    None,
    /// Mean 0 and population standard deviation 1 (the normalisation of RevIN, Kim et al., ICLR 2022).
    ///
    /// A window that is flat is only centred: one whose deviation is at most 1e-5 of the spread of its series,
    /// or, without a scaler of the series, no more than rounding makes of a constant (1e-14 of its mean).
    Standard,
    /// Mean 0; the spread stays that of the series.
    Mean,
    /// The last observed value becomes 0; the spread stays that of the series (NLinear, Zeng et al., AAAI 2023).
    Last,
}

/// The share of a series' spread up to which a window is flat.
const FLAT: f64 = 1e-5;
/// The share of its mean up to which the deviation of a window is rounding.
const ROUNDING: f64 = 1e-14;

impl WindowScaling {
    /// The map of one channel of a window, told by its input (oldest first, NaN where missing).
    ///
    /// # Example
    /// ```
    /// use forecast::data::{Scaler, WindowScaling};
    /// use ndarray::array;
    /// let input = array![1.0, 3.0, f64::NAN];
    /// assert_eq!(WindowScaling::Standard.fit(input.view(), None), Scaler { center: 2.0, spread: 1.0 });
    /// let series = Scaler { center: 10.0, spread: 4.0 };
    /// assert_eq!(WindowScaling::Last.fit(input.view(), Some(series)), Scaler { center: 3.0, spread: 4.0 });
    /// let missing = array![f64::NAN, f64::NAN];
    /// assert_eq!(WindowScaling::Last.fit(missing.view(), Some(series)), series);
    /// ```
    #[must_use]
    pub fn fit(self, input: ArrayView1<'_, f64>, series: Option<Scaler>) -> Scaler {
        let base = series.unwrap_or_default();
        let last = input.iter().rev().copied().find(|value| !value.is_nan());
        let Some(last) = last.filter(|_| self != WindowScaling::None) else {
            return base;
        };
        match self {
            WindowScaling::None => base,
            WindowScaling::Last => Scaler { center: last, ..base },
            WindowScaling::Mean => Scaler { center: mean(input, last), ..base },
            WindowScaling::Standard => {
                let center = mean(input, last);
                let deviation = deviation(input, center);
                let floor = series.map_or(0.0, |series| FLAT * series.spread).max(ROUNDING * center.abs());
                let is_spread = deviation.is_normal() && deviation > floor;
                Scaler { center, spread: if is_spread { deviation } else { base.spread } }
            }
        }
    }
}

/// The mean of the observed values, of which `last` is one. Sums of differences to it keep constants exact.
fn mean(input: ArrayView1<'_, f64>, last: f64) -> f64 {
    let observed = || input.iter().copied().filter(|value| !value.is_nan());
    let (n, sum) = observed().fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + (value - last)));
    let mean = last + sum / n;
    // The differences of the largest numbers are too large for one.
    if mean.is_finite() { mean } else { observed().map(|value| value / n).sum() }
}

/// The population standard deviation of the observed values.
fn deviation(input: ArrayView1<'_, f64>, mean: f64) -> f64 {
    let observed = input.iter().copied().filter(|value| !value.is_nan());
    let (n, sum) = observed.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + (value - mean).powi(2)));
    (sum / n).sqrt()
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::data::Scaling;
    use ndarray::Array1;

    const KINDS: [WindowScaling; 4] =
        [WindowScaling::None, WindowScaling::Standard, WindowScaling::Mean, WindowScaling::Last];
    const SERIES: Scaler = Scaler { center: -3.0, spread: 2.5 };

    fn wave(n: usize) -> Array1<f64> {
        (0..n).map(|i| if i % 5 == 3 { f64::NAN } else { 40.0 + 9.0 * (i as f64 * 1.3).sin() }).collect()
    }

    #[test]
    fn the_map_is_that_of_the_series_and_then_that_of_the_scaled_window() {
        let input = wave(23);
        let scaled: Vec<f64> = input.iter().map(|v| SERIES.scale(*v)).collect();
        let observed: Vec<f64> = scaled.iter().copied().filter(|v| !v.is_nan()).collect();
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        let naive = [
            Scaler { center: 0.0, spread: 1.0 },
            Scaler::of_values(Scaling::Standard, &scaled),
            Scaler { center: mean, spread: 1.0 },
            Scaler { center: scaled[22], spread: 1.0 },
        ];
        for (kind, second) in KINDS.into_iter().zip(naive) {
            let map = kind.fit(input.view(), Some(SERIES));
            for value in [0.0, 17.5, -1e4] {
                let (found, expected) = (map.scale(value), second.scale(SERIES.scale(value)));
                assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{kind:?}: {found}");
                assert!((map.unscale(found) - value).abs() < 1e-10 * value.abs().max(1.0), "{kind:?}");
            }
        }
    }

    #[test]
    fn without_a_scaler_of_the_series_the_window_stands_alone() {
        let input = wave(40);
        let own = Scaler::of_values(Scaling::Standard, input.as_slice().unwrap());
        let found = KINDS.map(|kind| kind.fit(input.view(), None));
        assert_eq!(found[0], Scaler { center: 0.0, spread: 1.0 });
        for (found, center, spread) in
            [(found[1], own.center, own.spread), (found[2], own.center, 1.0), (found[3], input[39], 1.0)]
        {
            assert!((found.center - center).abs() < 1e-12 && (found.spread - spread).abs() < 1e-12);
        }
    }

    #[test]
    fn flat_windows_are_only_centred() {
        let constant = Array1::from_elem(4_096, 0.1);
        let nearly = Array1::from_shape_fn(64, |i| 7.0 + 1e-6 * f64::from(i % 2 == 0));
        let standard = |input: &Array1<f64>, series| WindowScaling::Standard.fit(input.view(), series);
        assert_eq!(standard(&constant, None), Scaler { center: 0.1, spread: 1.0 });
        assert_eq!(standard(&constant, Some(SERIES)), Scaler { center: 0.1, spread: 2.5 });
        assert_eq!(standard(&Array1::from_elem(1, 8.0), None), Scaler { center: 8.0, spread: 1.0 });
        assert_eq!(standard(&nearly, Some(SERIES)).spread, 2.5);
        // Without a scale to hold it against, a small deviation is what the window tells.
        assert!((standard(&nearly, None).spread - 5e-7).abs() < 1e-12);
    }

    #[test]
    fn the_largest_numbers_give_finite_maps() {
        for values in [vec![f64::MAX, f64::MIN], vec![f64::MAX; 3], vec![5e-324, 0.0], vec![f64::MIN]] {
            let input = Array1::from(values);
            for map in KINDS.map(|kind| kind.fit(input.view(), None)) {
                assert!(map.center.is_finite() && map.spread.is_normal(), "{input}: {map:?}");
            }
        }
    }
}
