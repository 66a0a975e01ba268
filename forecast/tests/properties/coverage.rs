//! Intervals cover what they say.

use forecast::eval::metrics;
use forecast::{Band, ForecastOptions, ModelConfig};
use forecast_datasets::ArProcess;

use crate::{ar, fit, grid, panel};

const LEVELS: [f64; 3] = [80.0, 90.0, 95.0];
const HORIZON: usize = 12;
const N_WINDOWS: usize = 400;
/// Steps that the model is fitted and calibrated on.
const N_FITTED: usize = 6_000;

/// Targets and bounds at each level, over windows that follow the fitted range and do not overlap.
struct Windows {
    y: Vec<f64>,
    bounds: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Windows {
    fn of(config: &ModelConfig, seed: u64) -> Self {
        Self::of_band(config, seed, Band::EachStep, HORIZON)
    }

    /// With windows of `horizon` steps, of a model that is calibrated for `HORIZON`.
    fn of_band(config: &ModelConfig, seed: u64, band: Band, horizon: usize) -> Self {
        let process = ArProcess { coefficients: vec![0.7], intercept: 3.0, ..ArProcess::default() };
        let n_steps = N_FITTED + N_WINDOWS * horizon;
        let values = process.generate(n_steps, seed).unwrap();
        let index = grid("1h".parse().unwrap(), "", "2020-01-01T00:00:00", n_steps);
        let whole = panel(&[("s".to_string(), index, values.clone())]);
        let model = fit(config, &whole.map_in_order(|series| series.slice(0..N_FITTED)), HORIZON);
        let options = ForecastOptions { horizon, levels: LEVELS.to_vec(), band, ..Default::default() };
        let mut windows =
            Windows { y: values[N_FITTED..].to_vec(), bounds: vec![(Vec::new(), Vec::new()); LEVELS.len()] };
        for cutoff in (N_FITTED..n_steps).step_by(horizon) {
            let history = whole.series()[0].slice(0..cutoff);
            let forecast = model.forecast_series(&history, &options).unwrap();
            for (interval, (lower, upper)) in forecast.intervals.iter().zip(&mut windows.bounds) {
                lower.extend(&interval.lower);
                upper.extend(&interval.upper);
            }
        }
        windows
    }

    /// Coverage in percent at each level, over every `HORIZON`-th step from `first` on, or all steps.
    fn coverage(&self, first: Option<usize>) -> Vec<f64> {
        let (skip, step) = first.map_or((0, 1), |first| (first, HORIZON));
        let pick = |values: &[f64]| values.iter().skip(skip).step_by(step).copied().collect::<Vec<_>>();
        let coverage = |(lower, upper): &(Vec<f64>, Vec<f64>)| {
            assert_eq!((lower.len(), upper.len()), (self.y.len(), self.y.len()));
            100.0 * metrics::coverage(&pick(&self.y), &pick(lower), &pick(upper))
        };
        self.bounds.iter().map(coverage).collect()
    }

    /// Percent of the windows of `horizon` steps that lie inside as a whole, at each level.
    fn path_coverage(&self, horizon: usize) -> Vec<f64> {
        let share = |(lower, upper): &(Vec<f64>, Vec<f64>)| {
            let bounds = lower.chunks(horizon).zip(upper.chunks(horizon));
            let is_inside = |(y, (lower, upper)): &(&[f64], (&[f64], &[f64]))| {
                y.iter().zip(lower.iter().zip(*upper)).all(|(y, (lower, upper))| (lower..=upper).contains(&y))
            };
            let n_inside = self.y.chunks(horizon).zip(bounds).filter(is_inside).count();
            100.0 * n_inside as f64 / (self.y.len() / horizon) as f64
        };
        self.bounds.iter().map(share).collect()
    }
}

/// The bound: 400 windows have a standard error of 2 points at 80 %, and 500 calibration windows add as much
/// again, so 5 points are a little under two standard errors for one step; all steps together do better.
#[test]
fn intervals_of_an_ar_1_process_cover_within_5_points_of_their_level() {
    let windows = Windows::of(&ar(4), 17);
    for first in [None, Some(0), Some(HORIZON / 2), Some(HORIZON - 1)] {
        let measured = windows.coverage(first);
        println!("ar, step {first:?}: {LEVELS:?} cover {measured:.1?} %");
        for (level, coverage) in LEVELS.iter().zip(measured) {
            assert!((coverage - level).abs() <= 5.0, "step {first:?}: level {level} covers {coverage} %");
        }
    }
}

#[test]
fn intervals_of_every_baseline_cover_within_5_points_of_their_level() {
    for name in ["naive", "seasonal-naive", "drift", "window-mean"] {
        let config = ModelConfig::parse(name).unwrap();
        let measured = Windows::of(&config, 23).coverage(None);
        println!("{name}: {LEVELS:?} cover {measured:.1?} %");
        for (level, coverage) in LEVELS.iter().zip(measured) {
            assert!((coverage - level).abs() <= 5.0, "{name}: level {level} covers {coverage} %");
        }
    }
}

#[test]
fn wider_levels_contain_narrower_ones() {
    let windows = Windows::of(&ar(4), 29);
    for pair in windows.bounds.windows(2) {
        let ((lower, upper), (wide_lower, wide_upper)) = (&pair[0], &pair[1]);
        assert!(lower.iter().zip(wide_lower).all(|(narrow, wide)| wide <= narrow));
        assert!(upper.iter().zip(wide_upper).all(|(narrow, wide)| wide >= narrow));
    }
}

/// The same bound as for single steps: one path a window, so the error of all steps together is that of one step.
#[test]
fn joint_bands_of_an_ar_1_process_hold_the_whole_path_within_5_points_of_their_level() {
    for horizon in [1, 5, HORIZON] {
        let windows = Windows::of_band(&ar(4), 17, Band::WholePath, horizon);
        let measured = windows.path_coverage(horizon);
        println!("paths of {horizon}: {LEVELS:?} hold {measured:.1?} %");
        for (level, coverage) in LEVELS.iter().zip(measured) {
            assert!((coverage - level).abs() <= 5.0, "horizon {horizon}: level {level} holds {coverage} %");
        }
    }
}

#[test]
fn levels_and_quantiles_asked_for_together_never_cross() {
    let process = ArProcess { coefficients: vec![0.7], intercept: 3.0, ..ArProcess::default() };
    let values = process.generate(3_000, 3).unwrap();
    let index = grid("1h".parse().unwrap(), "", "2020-01-01T00:00:00", 3_000);
    let whole = panel(&[("s".to_string(), index, values)]);
    let model = fit(&ar(4), &whole.map_in_order(|series| series.slice(0..2_000)), HORIZON);
    let quantiles: Vec<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
    let options = ForecastOptions { horizon: HORIZON, levels: vec![80.0], quantiles, ..Default::default() };
    for cutoff in (2_000..3_000).step_by(7) {
        let forecast = model.forecast_series(&whole.series()[0].slice(0..cutoff), &options).unwrap();
        let paths: Vec<_> = forecast.quantiles.iter().map(|path| &path.values).collect();
        for pair in paths.windows(2) {
            assert!(pair[0].iter().zip(pair[1]).all(|(low, high)| low <= high), "cutoff {cutoff}");
        }
        // The interval of 80 % lies between the quantiles 0.1 and 0.9.
        let interval = &forecast.intervals[0];
        assert_eq!((&interval.lower, &interval.upper), (paths[1], paths[17]));
    }
}
