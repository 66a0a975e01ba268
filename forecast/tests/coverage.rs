//! Intervals cover what they say on every bundled set, by one protocol.
//!
//! Each set's target is forecast 24 steps ahead from cutoffs spread over its last 40 %, at least 50, with a stride
//! that shares no factor with its season; every model is fitted once, on the first 60 %, with its
//! defaults and the season that the manifest tells. What a
//! forecast is given is the series before its cutoff. All steps and cutoffs are pooled.
//! `cargo test --release --workspace --test coverage -- --nocapture` prints the numbers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "measured numbers are printed; helpers of tests outside of test functions; what fails in them is a failed test"
)]

use forecast::data::{Aggregation, Duplicates};
use forecast::eval::metrics;
use forecast::{Band, FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_datasets::Dataset;
use rayon::prelude::*;

const LEVELS: [f64; 3] = [80.0, 90.0, 95.0];
const HORIZON: usize = 24;
const MOST_CUTOFFS: usize = 600;

/// The target of a set; the ride stamps some seconds twice.
fn read(dataset: &Dataset) -> Panel {
    let options = ReadOptions {
        target_columns: vec![dataset.target.clone()],
        duplicates: if dataset.name == "cycling" {
            Duplicates::Merge(Aggregation::First)
        } else {
            Duplicates::Error
        },
        ..ReadOptions::default()
    };
    Panel::read_csv(&dataset.csv().unwrap(), &dataset.file, &options).unwrap()
}

/// What followed each cutoff, and the forecast at it.
struct Windows {
    actual: Vec<Vec<f64>>,
    forecasts: Vec<Forecast>,
}

impl Windows {
    fn of(dataset: &Dataset, config: &ModelConfig, band: Band) -> Self {
        let panel = read(dataset);
        let series = &panel.series()[0];
        let n_fitted = series.n_steps() * 6 / 10;
        let season_length = dataset.season_length;
        let options = FitOptions { horizon: Some(HORIZON), season_length, ..FitOptions::default() };
        let past = panel.map_in_order(|series| series.slice(0..n_fitted));
        let model = Model::fit(config, &past, &options).unwrap().model;
        let last = series.n_steps() - HORIZON;
        let season_length = model.header().season_length;
        let fewest = (last - n_fitted).div_ceil(MOST_CUTOFFS);
        let stride = (fewest..).find(|stride| gcd(*stride, season_length) == 1).unwrap();
        let cutoffs: Vec<usize> = (n_fitted..=last).step_by(stride).collect();
        assert!(cutoffs.len() >= 50, "{} has {} cutoffs", series.id(), cutoffs.len());
        let options =
            ForecastOptions { horizon: HORIZON, levels: LEVELS.to_vec(), band, ..Default::default() };
        let at = |cutoff: &usize| model.forecast_series(&series.slice(0..*cutoff), &options).unwrap();
        let actual = |c: &usize| series.slice(*c..*c + HORIZON).values().column(0).to_vec();
        Windows {
            actual: cutoffs.iter().map(actual).collect(),
            forecasts: cutoffs.par_iter().map(at).collect(),
        }
    }

    /// Coverage in percent and mean width of each level, all steps pooled.
    fn of_steps(&self) -> Vec<(f64, f64)> {
        let y = self.actual.concat();
        let coverage = |i: usize| {
            let bound = |of: fn(&forecast::model::Interval) -> &ndarray::Array2<f64>| -> Vec<f64> {
                self.forecasts.iter().flat_map(|f| of(&f.intervals[i]).iter().copied()).collect()
            };
            let (lower, upper) = (bound(|interval| &interval.lower), bound(|interval| &interval.upper));
            let widths: Vec<f64> = lower.iter().zip(&upper).map(|(lower, upper)| upper - lower).collect();
            (100.0 * metrics::coverage(&y, &lower, &upper), widths.iter().sum::<f64>() / widths.len() as f64)
        };
        (0..LEVELS.len()).map(coverage).collect()
    }

    /// Percent of the paths, all of whose steps were observed, that lie inside from the first step to the last.
    fn of_paths(&self) -> Vec<f64> {
        let windows =
            || self.actual.iter().zip(&self.forecasts).filter(|(y, _)| y.iter().all(|v| !v.is_nan()));
        let is_inside = |i: usize, y: &[f64], forecast: &Forecast| {
            let interval = &forecast.intervals[i];
            let bounds = interval.lower.iter().zip(&interval.upper);
            y.iter().zip(bounds).all(|(y, (lower, upper))| (lower..=upper).contains(&y))
        };
        let share = |i: usize| {
            let n_inside = windows().filter(|(y, forecast)| is_inside(i, y, forecast)).count();
            100.0 * n_inside as f64 / windows().count() as f64
        };
        (0..LEVELS.len()).map(share).collect()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Every set whose coverage is further than 3 points from its level, over all of them, in one message.
fn check(config: &ModelConfig) {
    let mut far = Vec::new();
    for dataset in forecast_datasets::all().unwrap() {
        let windows = Windows::of(dataset, config, Band::EachStep);
        let measured = windows.of_steps();
        let line =
            format!("{} {}, {} cutoffs: {measured:.4?}", config.name(), dataset.name, windows.actual.len());
        println!("{line}");
        if LEVELS.iter().zip(&measured).any(|(level, (coverage, _))| (coverage - level).abs() > 3.0) {
            far.push(line);
        }
    }
    assert!(far.is_empty(), "coverage and width at {LEVELS:?}:\n{}", far.join("\n"));
}

#[test]
fn seasonal_naive_covers_within_3_points_of_every_level_on_every_set() {
    check(&ModelConfig::parse("seasonal-naive").unwrap());
}

#[test]
fn ar_covers_within_3_points_of_every_level_on_every_set() {
    check(&ModelConfig::parse("ar").unwrap());
}

/// Errors of the quiet days before Christmas are not blown up with the scale of the days after it.
#[test]
fn after_exceptional_days_no_bound_is_further_from_the_forecast_than_the_load_has_moved() {
    let panel = read(forecast_datasets::find("electricity").unwrap());
    let config = ModelConfig::parse("ar").unwrap();
    let options = FitOptions { horizon: Some(168), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options).unwrap().model;
    let options = ForecastOptions { horizon: 168, levels: LEVELS.to_vec(), ..Default::default() };
    let forecast = &model.forecast(&panel, &options).unwrap()[0];
    let month = panel.series()[0].tail(31 * 24);
    let extreme = |of: fn(f64, f64) -> f64| month.values().iter().copied().fold(f64::NAN, of);
    let moved = extreme(f64::max) - extreme(f64::min);
    for interval in &forecast.intervals {
        let (lower, upper) = (&forecast.mean - &interval.lower, &interval.upper - &forecast.mean);
        let furthest = lower.iter().chain(&upper).copied().fold(0.0, f64::max);
        println!("level {}: at most {furthest:.0} kW from the forecast, of {moved:.0}", interval.level);
        assert!(furthest < moved, "level {}: {furthest} of {moved}", interval.level);
    }
}

/// Bands for whole paths, on two sets; intervals of single steps hold far fewer paths than their level says.
#[test]
fn joint_bands_hold_whole_paths_within_3_points_of_every_level() {
    for name in ["electricity", "metro-traffic"] {
        let dataset = forecast_datasets::find(name).unwrap();
        let config = ModelConfig::parse("seasonal-naive").unwrap();
        let joint = Windows::of(dataset, &config, Band::WholePath).of_paths();
        let each = Windows::of(dataset, &config, Band::EachStep).of_paths();
        println!("{name}: joint {joint:.1?}, each step {each:.1?} % of paths");
        for ((level, joint), each) in LEVELS.iter().zip(joint).zip(each) {
            assert!((joint - level).abs() <= 3.0, "{name}: {level} % holds {joint} % of paths");
            assert!(each < level - 20.0, "{name}: single steps at {level} % hold {each} % of paths");
        }
    }
}
