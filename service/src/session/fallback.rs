//! Seasonal naive beside the model: what its MASE is told by, and what forecasts in its place.

use forecast::model::{Forecast, Interval, QuantilePath, Warning};
use forecast::{ForecastOptions, TimeIndex};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Errors of seasonal naive that its intervals are told from.
const N_ERRORS: usize = 200;

/// The last season of a series, and how far each value lay from the one a season before: plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Season {
    length: usize,
    n_channels: usize,
    /// A ring of the last `length` steps. Shape `(step, channel)`, NaN where missing or not yet seen.
    values: Vec<f64>,
    /// Where the next step goes.
    head: usize,
    /// A ring of the last errors, only where a fall-back may need them. Shape `(channel, N_ERRORS)`.
    errors: Vec<f64>,
    /// Where the next error of each channel goes, and how many there are.
    marks: Vec<(usize, usize)>,
}

impl Season {
    /// A season of which nothing is known; it keeps errors if intervals may be asked for.
    pub(super) fn new(length: usize, n_channels: usize, keeps_errors: bool) -> Self {
        let length = length.max(1);
        Season {
            length,
            n_channels,
            values: vec![f64::NAN; length * n_channels],
            head: 0,
            errors: vec![0.0; if keeps_errors { N_ERRORS * n_channels } else { 0 }],
            marks: vec![(0, 0); if keeps_errors { n_channels } else { 0 }],
        }
    }

    /// Seasonal naive's forecast of the next step, one a channel, NaN where it has none.
    pub(super) fn next(&self) -> &[f64] {
        let at = self.head * self.n_channels;
        &self.values[at..at + self.n_channels]
    }

    /// Takes a step. A missing value keeps the place of what was there a season ago, so that one gap does not undo a
    /// forecast.
    pub(super) fn take(&mut self, step: &[f64]) {
        let at = self.head * self.n_channels;
        for (channel, value) in step.iter().enumerate() {
            let before = &mut self.values[at + channel];
            let error = value - *before;
            if error.is_finite()
                && let Some((next, n)) = self.marks.get_mut(channel)
            {
                self.errors[channel * N_ERRORS + *next] = error;
                *next = (*next + 1) % N_ERRORS;
                *n = (*n + 1).min(N_ERRORS);
            }
            if value.is_finite() {
                *before = *value;
            }
        }
        self.head = (self.head + 1) % self.length;
    }

    /// The value that seasonal naive gives `step` steps ahead, counted from 0.
    fn ahead(&self, step: usize, channel: usize) -> f64 {
        let at = (self.head + step % self.length) % self.length;
        self.values[at * self.n_channels + channel]
    }

    /// True if there is a forecast for every step and channel.
    pub(super) fn is_complete(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// The error that `tail` of the last errors lie at or below, of a forecast `seasons` seasons ahead.
    ///
    /// The conformal rank of the last errors: `ceil(p (n + 1))`. Errors of so many seasons ahead are sums of so many
    /// seasonal differences, so their spread grows with the square root.
    fn quantile(&self, channel: usize, p: f64, seasons: usize) -> Option<f64> {
        let n = self.marks.get(channel)?.1;
        let mut errors = self.errors.get(channel * N_ERRORS..channel * N_ERRORS + n)?.to_vec();
        errors.sort_by(f64::total_cmp);
        let rank = ((p * (n as f64 + 1.0)).ceil() as usize).clamp(1, n.max(1));
        Some(errors.get(rank - 1)? * (seasons as f64).sqrt())
    }

    /// The forecast with intervals and quantiles; none where something of the season was never seen.
    pub(super) fn forecast(
        &self,
        series: &str,
        index: TimeIndex,
        channels: &[String],
        options: &ForecastOptions,
        levels: &[f64],
    ) -> Option<Forecast> {
        if !self.is_complete() {
            return None;
        }
        let shape = (options.horizon, self.n_channels);
        let mean = Array2::from_shape_fn(shape, |(step, channel)| self.ahead(step, channel));
        let seasons = options.horizon.div_ceil(self.length);
        let path = |p: f64| -> Option<Array2<f64>> {
            let mut out = mean.clone();
            for channel in 0..self.n_channels {
                let widths = (1..=seasons)
                    .map(|season| self.quantile(channel, p, season))
                    .collect::<Option<Vec<f64>>>()?;
                for step in 0..options.horizon {
                    out[[step, channel]] += widths[step / self.length];
                }
            }
            Some(out)
        };
        let interval = |level: &f64| {
            let tail = (1.0 - level / 100.0) / 2.0;
            Some(Interval { level: *level, lower: path(tail)?, upper: path(1.0 - tail)? })
        };
        let quantile = |p: &f64| Some(QuantilePath { level: *p, values: path(*p)? });
        Some(Forecast {
            series: series.to_string(),
            index,
            channels: channels.to_vec(),
            intervals: levels.iter().map(interval).collect::<Option<Vec<_>>>()?,
            quantiles: options.quantiles.iter().map(quantile).collect::<Option<Vec<_>>>()?,
            warnings: vec![Warning {
                reason: "FALLBACK_SEASONAL_NAIVE",
                message: format!(
                    "the model of \"{series}\" errs more than its limit, so the values of one season ago are the forecast"
                ),
            }],
            mean,
        })
    }

    pub(super) fn is_sound(&self, length: usize, n_channels: usize, keeps_errors: bool) -> bool {
        let n_marks = if keeps_errors { n_channels } else { 0 };
        self.length == length.max(1)
            && self.n_channels == n_channels
            && self.values.len() == self.length * n_channels
            && self.head < self.length
            && self.marks.len() == n_marks
            && self.errors.len() == N_ERRORS * n_marks
            && self.marks.iter().all(|(next, n)| *next < N_ERRORS && *n <= N_ERRORS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::data::Zone;

    fn forecast(season: &Season, horizon: usize, levels: &[f64], quantiles: Vec<f64>) -> Option<Forecast> {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Zone::Local, horizon);
        let options = ForecastOptions { horizon, quantiles, ..ForecastOptions::default() };
        season.forecast("s", index, &["y".to_string()], &options, levels)
    }

    #[test]
    fn it_repeats_the_last_season_and_bridges_a_gap() {
        let mut season = Season::new(3, 1, false);
        for value in [1.0, 2.0] {
            season.take(&[value]);
        }
        assert!(forecast(&season, 1, &[], vec![]).is_none());
        for value in [3.0, 4.0, f64::NAN] {
            season.take(&[value]);
        }
        assert_eq!(season.next(), [3.0]);
        let mean = forecast(&season, 5, &[], vec![]).unwrap().mean;
        assert_eq!(mean.iter().copied().collect::<Vec<_>>(), [3.0, 4.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn intervals_hold_their_share_of_seasonal_differences() {
        let mut season = Season::new(4, 1, true);
        let noise = |i: usize| ((i * 7919) % 1009) as f64 / 1009.0;
        let (mut held, mut n) = (0, 0);
        for i in 0..4000 {
            let value = (i % 4) as f64 * 10.0 + noise(i);
            if i > 300 {
                let forecast = forecast(&season, 1, &[80.0], vec![0.5]).unwrap();
                let interval = &forecast.intervals[0];
                held += usize::from((interval.lower[[0, 0]]..=interval.upper[[0, 0]]).contains(&value));
                n += 1;
            }
            season.take(&[value]);
        }
        let coverage = held as f64 / n as f64;
        assert!((coverage - 0.8).abs() < 0.03, "{coverage}");
        let wide = forecast(&season, 9, &[80.0], vec![]).unwrap();
        let width = |step: usize| wide.intervals[0].upper[[step, 0]] - wide.intervals[0].lower[[step, 0]];
        assert!((width(8) - width(0) * 3.0_f64.sqrt()).abs() < 1e-9);
    }
}
