//! Every window of the test range, forecast once and scored at each horizon.

use ndarray::{Array2, s};
use rayon::prelude::*;

use super::protocol::Ltsf;
use crate::data::{InputRows, Scaler, Scaling, Series};
use crate::model::{Beside, Family, prime};

/// The test range is scored in at most this many parts, whose sums are added in order.
const MOST_PARTS: usize = 1024;

/// Errors of one horizon, added up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) squared: f64,
    pub(super) absolute: f64,
    pub(super) n_labels: usize,
    pub(super) n_missing: usize,
    pub(super) n_windows: usize,
}

impl Ltsf {
    /// The errors of every window of the scaled series, or what is left of it, for each of these horizons, ascending.
    /// Parts and their order do not depend on the threads.
    pub(super) fn sums(
        &self,
        family: &dyn Family,
        (scaled, inputs): (&Series, Option<&InputRows>),
        horizons: &[usize],
    ) -> Vec<Sums> {
        let none = vec![Sums::default(); horizons.len()];
        let shortest = horizons.first().copied().unwrap_or(1);
        let cutoffs = self.split.test.start..self.split.test.end + 1 - shortest;
        let per_part = cutoffs.len().div_ceil(MOST_PARTS).max(1);
        let parts: Vec<Vec<Sums>> = cutoffs
            .clone()
            .into_par_iter()
            .step_by(per_part)
            .map(|first| {
                let mut sums = none.clone();
                for cutoff in first..(first + per_part).min(cutoffs.end) {
                    self.add_window(family, (scaled, inputs), cutoff, horizons, &mut sums);
                }
                sums
            })
            .collect();
        let mut total = none;
        for part in parts {
            total.iter_mut().zip(&part).for_each(|(total, part)| total.add(part));
        }
        total
    }

    /// Forecasts as far as the labels reach, once: what a family says of a step does not depend on the steps
    /// that follow, so that the first steps are the forecast of a shorter horizon.
    fn add_window(
        &self,
        family: &dyn Family,
        (scaled, inputs): (&Series, Option<&InputRows>),
        cutoff: usize,
        horizons: &[usize],
        sums: &mut [Sums],
    ) {
        let reach = self.split.test.end - cutoff;
        let n_fit = horizons.partition_point(|horizon| *horizon <= reach);
        let longest = horizons[..n_fit].last().copied().unwrap_or(0);
        let n_channels = self.channels.len();
        let history = scaled.slice(0..cutoff);
        let as_it_is = vec![Scaler::of_values(Scaling::None, &[]); n_channels];
        let (memory, _) = prime(family, 0, &history, &as_it_is, family.lookback(), inputs);
        let mut forecast = Array2::zeros((longest, n_channels));
        let beside = Beside::new(history.index(), inputs);
        family.forecast(0, &memory, 0, beside, forecast.view_mut());

        let labels = scaled.values();
        let labels = labels.slice(s![cutoff..cutoff + longest, ..]);
        let mut window = Sums { n_windows: 1, ..Sums::default() };
        let mut seen = 0;
        for (horizon, sums) in horizons[..n_fit].iter().zip(sums) {
            for step in seen..*horizon {
                window.add_step(labels.row(step).iter().zip(forecast.row(step)));
            }
            seen = *horizon;
            sums.add(&window);
        }
    }
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.squared += other.squared;
        self.absolute += other.absolute;
        self.n_labels += other.n_labels;
        self.n_missing += other.n_missing;
        self.n_windows += other.n_windows;
    }

    /// Adds label and forecast of each channel.
    fn add_step<'a>(&mut self, pairs: impl Iterator<Item = (&'a f64, &'a f64)>) {
        for (label, forecast) in pairs {
            if label.is_nan() {
                self.n_missing += 1;
                continue;
            }
            let error = label - forecast;
            self.squared += error * error;
            self.absolute += error.abs();
            self.n_labels += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Panel, Series, SplitRule, TimeIndex};
    use crate::eval::LtsfOptions;
    use crate::{FitOptions, ForecastOptions, Model, ModelConfig};

    const SEASON: usize = 5;
    const TRAIN: usize = 60;
    const TEST: usize = 24;
    const HORIZONS: [usize; 3] = [1, 4, 7];

    /// Three channels of unlike scale, `n` steps; every `missing`-th value of the second is not there.
    fn values(n: usize, missing: usize) -> Array2<f64> {
        let noise = forecast_datasets::ArProcess { noise_std: 1.0, ..Default::default() };
        let noise = noise.generate(3 * n, 7).unwrap();
        Array2::from_shape_fn((n, 3), |(step, channel)| {
            let wave = [0.0, 3.0, 5.0, 2.0, -1.0][step % SEASON];
            let value =
                10.0f64.powi(channel as i32) * (wave + noise[3 * step + channel] + 0.01 * step as f64);
            if channel == 1 && step % missing == missing - 1 { f64::NAN } else { value }
        })
    }

    fn panel(values: &Array2<f64>) -> Panel {
        let channels: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), values.nrows());
        Panel::new(channels.clone(), vec![Series::new("s", index, values.clone(), &channels).unwrap()])
            .unwrap()
    }

    fn ltsf(panel: &Panel) -> Ltsf {
        let n = panel.series()[0].n_steps() as f64;
        let (train, validation) = (TRAIN as f64 / n, 1.0 - (TRAIN + TEST) as f64 / n);
        let split = SplitRule::Ratio { train, validation };
        let options = LtsfOptions { horizons: HORIZONS.to_vec(), split, season_length: Some(SEASON) };
        Ltsf::new(panel, &options).unwrap()
    }

    fn config(name: &str) -> ModelConfig {
        ModelConfig::parse(name).unwrap()
    }

    fn is_close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-10 * b.abs()
    }

    /// The protocol as plain loops. `forecast` gets a scaled channel, the cutoff and the step.
    /// Returns mse, mae, windows and missing labels.
    fn by_loops(
        values: &Array2<f64>,
        horizon: usize,
        forecast: &dyn Fn(&[f64], usize, usize) -> f64,
    ) -> (f64, f64, usize, usize) {
        let (mut squared, mut absolute, mut n, mut n_missing, mut n_windows) = (0.0, 0.0, 0.0, 0, 0);
        for (channel, column) in values.columns().into_iter().enumerate() {
            let train: Vec<f64> = column.iter().take(TRAIN).copied().filter(|v| !v.is_nan()).collect();
            let mean = train.iter().sum::<f64>() / train.len() as f64;
            let variance = train.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / train.len() as f64;
            let scaled: Vec<f64> = column.iter().map(|v| (v - mean) / variance.sqrt()).collect();
            for cutoff in values.nrows() - TEST..=values.nrows() - horizon {
                n_windows += usize::from(channel == 0);
                for h in 0..horizon {
                    let error = scaled[cutoff + h] - forecast(&scaled[..cutoff], cutoff, h);
                    if scaled[cutoff + h].is_nan() {
                        n_missing += 1;
                    } else {
                        squared += error * error;
                        absolute += error.abs();
                        n += 1.0;
                    }
                }
            }
        }
        (squared / n, absolute / n, n_windows, n_missing)
    }

    /// The last observed value one or more steps of `season` before.
    fn repeated(season: usize) -> impl Fn(&[f64], usize, usize) -> f64 {
        move |past, cutoff, h| {
            let mut at = cutoff - season + h % season;
            while past[at].is_nan() {
                at -= season;
            }
            past[at]
        }
    }

    #[test]
    fn scores_and_counts_are_those_of_plain_loops_over_all_windows() {
        for (n, missing) in [(97, usize::MAX), (101, 9)] {
            let values = values(n, missing);
            let ltsf = ltsf(&panel(&values));
            for (name, season) in [("naive", 1), ("seasonal-naive", SEASON)] {
                let scores = ltsf.score(&config(name)).unwrap();
                assert_eq!(scores.iter().map(|score| score.horizon).collect::<Vec<_>>(), HORIZONS);
                for score in scores {
                    let (mse, mae, n_windows, n_missing) =
                        by_loops(&values, score.horizon, &repeated(season));
                    assert!(is_close(score.mse, mse) && is_close(score.mae, mae), "{score:?}: {mse} {mae}");
                    assert_eq!((score.n_windows, score.n_missing), (n_windows, n_missing), "{name}");
                    assert_eq!(score.n_windows, TEST + 1 - score.horizon);
                    assert_eq!(n_missing > 0, missing < n, "{name}");
                }
            }
        }
    }

    #[test]
    fn the_window_mean_is_the_mean_of_each_window() {
        let values = values(97, usize::MAX);
        let config = config("window-mean").with("lookback", "11").unwrap();
        let mean = |past: &[f64], cutoff: usize, _: usize| past[cutoff - 11..].iter().sum::<f64>() / 11.0;
        for score in ltsf(&panel(&values)).score(&config).unwrap() {
            let (mse, mae, ..) = by_loops(&values, score.horizon, &mean);
            assert!(is_close(score.mse, mse) && is_close(score.mae, mae), "{score:?}: {mse} {mae}");
            assert_eq!((score.lookback, score.n_parameters), (11, 0));
        }
    }

    #[test]
    fn an_autoregression_forecasts_as_a_model_fitted_on_the_training_range_by_the_public_path() {
        let values = values(97, usize::MAX);
        let (panel, config) = (panel(&values), config("ar").with("order", "6").unwrap());
        let past = panel.map_in_order(|series| series.slice(0..TRAIN));
        let fit = FitOptions { horizon: Some(1), ..FitOptions::default() };
        let model = Model::fit(&config, &past, &fit).unwrap().model;
        let forecast = |cutoff: usize, horizon: usize| {
            let options = ForecastOptions { horizon, ..ForecastOptions::default() };
            model.forecast_series(&panel.series()[0].slice(0..cutoff), &options).unwrap().mean
        };
        let scalers = Scaler::fit(Scaling::Standard, &panel.series()[0], 0..TRAIN);
        for score in ltsf(&panel).score(&config).unwrap() {
            let (mut squared, mut n) = (0.0, 0.0);
            for cutoff in 97 - TEST..=97 - score.horizon {
                for ((h, channel), f) in forecast(cutoff, score.horizon).indexed_iter() {
                    squared += ((values[[cutoff + h, channel]] - f) / scalers[channel].spread).powi(2);
                    n += 1.0;
                }
            }
            assert!((score.mse - squared / n).abs() < 1e-9, "{score:?}: {}", squared / n);
            assert_eq!((score.lookback, score.n_parameters), (6, 3 * 7));
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let ltsf = ltsf(&panel(&values(97, 10)));
        let bits = |n_threads: usize| -> Vec<[u64; 2]> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let scores = pool.install(|| ltsf.score(&config("ar").with("order", "6").unwrap()).unwrap());
            scores.iter().map(|score| [score.mse.to_bits(), score.mae.to_bits()]).collect()
        };
        assert_eq!(bits(1), bits(3));
        assert_eq!(bits(1), bits(8));
    }
}
