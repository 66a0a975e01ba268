//! Intervals cover what they say.

use forecast::eval::metrics;
use forecast::{ForecastOptions, ModelConfig};
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
        let process = ArProcess { coefficients: vec![0.7], intercept: 3.0, ..ArProcess::default() };
        let n_steps = N_FITTED + N_WINDOWS * HORIZON;
        let values = process.generate(n_steps, seed).unwrap();
        let index = grid("1h".parse().unwrap(), "", "2020-01-01T00:00:00", n_steps);
        let whole = panel(&[("s".to_string(), index, values.clone())]);
        let model = fit(config, &whole.map_in_order(|series| series.slice(0..N_FITTED)), HORIZON);
        let options = ForecastOptions { horizon: HORIZON, levels: LEVELS.to_vec(), quantiles: vec![] };
        let mut windows =
            Windows { y: values[N_FITTED..].to_vec(), bounds: vec![(Vec::new(), Vec::new()); LEVELS.len()] };
        for cutoff in (N_FITTED..n_steps).step_by(HORIZON) {
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
