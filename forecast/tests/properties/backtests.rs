//! Back-tests beside plain loops over slices, on any number of threads, and without what cannot be tested.

use forecast::data::{Cells, Scaling};
use forecast::eval::{
    Backtest, BacktestOptions, Intervals, LeaderboardOptions, OnError, Refit, TrainingRange, backtest,
    metrics,
};
use forecast::{AdaptiveOptions, FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_datasets::{Season, Seasonal};

use crate::random::Draws;
use crate::{ar, bits, grid, panel};

const SEASON: usize = 6;

/// Three series that end at different times, with a few missing values.
fn three() -> Panel {
    let series = [("a", 300, 1), ("b", 260, 2), ("c", 280, 3)].map(|(id, n, seed)| {
        let recipe = Seasonal {
            level: 50.0 * seed as f64,
            slope: 0.02,
            seasons: vec![Season { period: SEASON as f64, amplitude: 9.0, phase: 0.3 }],
            noise_std: 2.0,
        };
        let mut values = recipe.generate(n, seed).unwrap();
        values[n - 20] = f64::NAN;
        values[n - 70] = f64::NAN;
        (id.to_string(), grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", n), values)
    });
    panel(&series)
}

fn options() -> BacktestOptions {
    BacktestOptions {
        horizon: 7,
        n_windows: 5,
        fit: FitOptions { season_length: Some(SEASON), scaling: Scaling::None, ..FitOptions::default() },
        ..BacktestOptions::default()
    }
}

/// Options that differ in everything that moves a cutoff, a range or a fit.
fn several() -> Vec<BacktestOptions> {
    let sliding = TrainingRange::Sliding(60);
    vec![
        options(),
        BacktestOptions { gap: 3, step_size: Some(2), ..options() },
        BacktestOptions { gap: 1, training: sliding, refit: Refit::Every(2), ..options() },
        BacktestOptions { horizon: 1, n_windows: 9, training: sliding, refit: Refit::Every(1), ..options() },
        BacktestOptions { n_windows: 1, gap: 10, refit: Refit::Every(3), ..options() },
        BacktestOptions { step_size: Some(11), refit: Refit::Every(4), ..options() },
    ]
}

fn numbers<'a>(table: &'a [(String, Cells)], column: &str) -> &'a [f64] {
    match table.iter().find(|(name, _)| name == column) {
        Some((_, Cells::Numbers(values))) => values,
        other => panic!("{column}: {other:?}"),
    }
}

fn stamps<'a>(table: &'a [(String, Cells)], column: &str) -> &'a [i64] {
    match table.iter().find(|(name, _)| name == column) {
        Some((_, Cells::Stamps(values, _))) => values,
        other => panic!("{column}: {other:?}"),
    }
}

/// Every cutoff of a series, as the number of steps up to it.
fn cutoffs(n_steps: usize, options: &BacktestOptions) -> Vec<usize> {
    let step = options.step_size.unwrap_or(options.horizon);
    let last = n_steps - options.gap - options.horizon;
    (0..options.n_windows).rev().map(|back| last - back * step).collect()
}

#[test]
fn a_backtest_is_plain_loops_over_slices() {
    let panel = three();
    for options in several() {
        let table = backtest(&[ModelConfig::parse("naive").unwrap()], &panel, &options).unwrap().table();
        let (mut ds, mut cutoff, mut y, mut naive, mut seasonal) = (vec![], vec![], vec![], vec![], vec![]);
        for series in panel.series() {
            let (index, values) = (series.index(), series.values().column(0).to_vec());
            for end in cutoffs(values.len(), &options) {
                // A missing value in the history is filled by the model's own forecast: the value before it.
                let past = filled(&values[..end], 1);
                let past_season = filled(&values[..end], SEASON);
                for h in options.gap..options.gap + options.horizon {
                    ds.push(index.stamp(end + h));
                    cutoff.push(index.stamp(end - 1));
                    y.push(values[end + h]);
                    naive.push(past[end - 1]);
                    seasonal.push(past_season[end - SEASON + h % SEASON]);
                }
            }
        }
        assert_eq!(stamps(&table, "ds"), ds, "{options:?}");
        assert_eq!(stamps(&table, "cutoff"), cutoff, "{options:?}");
        assert_eq!(bits(numbers(&table, "y")), bits(&y), "{options:?}");
        assert_eq!(bits(numbers(&table, "naive")), bits(&naive), "{options:?}");
        assert_eq!(bits(numbers(&table, "seasonal-naive")), bits(&seasonal), "{options:?}");
    }
}

/// Each missing value replaced by the one `season` steps before it.
fn filled(values: &[f64], season: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    for i in season..values.len() {
        if values[i].is_nan() {
            values[i] = values[i - season];
        }
    }
    values
}

#[test]
fn models_are_fitted_on_their_range_at_the_cutoffs_that_refit_says() {
    let panel = three();
    let config = ar(5);
    for options in several() {
        let options = BacktestOptions { levels: vec![50.0], ..options };
        let table = backtest(std::slice::from_ref(&config), &panel, &options).unwrap().table();
        let reach = options.gap + options.horizon;
        let past = |window: usize| {
            panel.map_in_order(|series| {
                let end = cutoffs(series.n_steps(), &options)[window];
                let start = match options.training {
                    TrainingRange::Expanding => 0,
                    TrainingRange::Sliding(n) => end - n,
                };
                series.slice(start..end)
            })
        };
        let fit = FitOptions { horizon: Some(reach), ..options.fit.clone() };
        let spec = ForecastOptions { horizon: reach, levels: vec![50.0], ..Default::default() };
        // By window, then by series.
        let mut windows: Vec<Vec<Vec<[f64; 3]>>> = Vec::new();
        let mut model = None;
        for window in 0..options.n_windows {
            let due = match options.refit {
                Refit::Never => window == 0,
                Refit::Every(k) => window % k == 0,
            };
            if due {
                model = Some(Model::fit(&config, &past(window), &fit).unwrap().model);
            }
            let forecasts = model.as_ref().unwrap().forecast(&past(window), &spec).unwrap();
            let kept = forecasts.iter().map(|forecast| {
                let interval = &forecast.intervals[0];
                let at = |h| [forecast.mean[[h, 0]], interval.lower[[h, 0]], interval.upper[[h, 0]]];
                (options.gap..reach).map(at).collect()
            });
            windows.push(kept.collect());
        }
        let expected = (0..3).flat_map(|series| windows.iter().map(move |window| &window[series]));
        let expected: Vec<[f64; 3]> = expected.flatten().copied().collect();
        for (i, column) in ["ar", "ar-lo-50", "ar-hi-50"].into_iter().enumerate() {
            let expected: Vec<f64> = expected.iter().map(|row| row[i]).collect();
            assert_eq!(bits(numbers(&table, column)), bits(&expected), "{column}: {options:?}");
        }
    }
}

#[test]
fn adaptive_intervals_are_those_of_a_stream_from_one_fit_to_the_next() {
    let panel = three();
    for options in several() {
        let levels = vec![50.0, 80.0];
        let options = BacktestOptions { levels: levels.clone(), intervals: Intervals::Adaptive, ..options };
        let table = backtest(&[ar(5)], &panel, &options).unwrap().table();
        let fitted =
            backtest(&[ar(5)], &panel, &BacktestOptions { intervals: Intervals::Fitted, ..options.clone() });
        let fitted = fitted.unwrap().table();
        for column in ["ar", "seasonal-naive"] {
            assert_eq!(bits(numbers(&table, column)), bits(numbers(&fitted, column)), "{options:?}");
        }
        let (reach, per_window) = (options.gap + options.horizon, options.horizon);
        let fit = FitOptions { horizon: Some(reach), ..options.fit.clone() };
        let every = match options.refit {
            Refit::Never => options.n_windows,
            Refit::Every(k) => k.min(options.n_windows),
        };
        for (at, series) in panel.series().iter().enumerate() {
            let ends = cutoffs(series.n_steps(), &options);
            for (window, end) in ends.iter().enumerate() {
                // The stream begins at the cutoff of the last fit and is played up to this one.
                let first = window - window % every;
                let past = panel.map_in_order(|series| {
                    let end = cutoffs(series.n_steps(), &options)[first];
                    let start = match options.training {
                        TrainingRange::Expanding => 0,
                        TrainingRange::Sliding(n) => end - n,
                    };
                    series.slice(start..end)
                });
                let model = Model::fit(&ar(5), &past, &fit).unwrap().model;
                let mut state = model.start(&past.series()[at]).unwrap();
                let adapted = AdaptiveOptions { horizon: reach, levels: levels.clone() };
                let mut adaptive = model.start_adaptive(&state, &adapted).unwrap();
                for step in ends[first]..*end {
                    let value = [series.values()[[step, 0]]];
                    model.observe(&mut state, &value).unwrap();
                    model.adapt(&mut adaptive, &state, &value).unwrap();
                }
                let forecast = model.adaptive_forecast(&adaptive, &state).unwrap();
                for (level, interval) in [50, 80].iter().zip(&forecast.intervals) {
                    for (side, bound) in [("lo", &interval.lower), ("hi", &interval.upper)] {
                        let found = numbers(&table, &format!("ar-{side}-{level}"));
                        let row = (at * options.n_windows + window) * per_window;
                        let expected: Vec<f64> = bound.column(0).iter().skip(options.gap).copied().collect();
                        assert_eq!(bits(&found[row..][..per_window]), bits(&expected), "{options:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn scores_by_step_are_those_of_the_rows_at_that_step() {
    let options = BacktestOptions { gap: 2, levels: vec![80.0], ..options() };
    let result = backtest(&[ar(5)], &three(), &options).unwrap();
    let (table, by_step) = (result.table(), result.scores_by_step().unwrap());
    assert_eq!((by_step.first_step, &by_step.ids[..]), (3, &["a", "b", "c"].map(String::from)[..]));
    assert_eq!(by_step.values.dim(), (3, by_step.metrics.len(), 7, 2));
    let per_series = options.n_windows * options.horizon;
    let pick = |column: &str, series: usize, step: usize| -> Vec<f64> {
        let rows = &numbers(&table, column)[series * per_series..][..per_series];
        rows.iter().skip(step).step_by(options.horizon).copied().collect()
    };
    for (model, name) in by_step.models.iter().enumerate() {
        for series in 0..3 {
            for step in 0..options.horizon {
                let column = |suffix: &str| pick(&format!("{name}{suffix}"), series, step);
                let y = pick("y", series, step);
                let score = |metric: &str| {
                    let metric = by_step.metrics.iter().position(|known| known == metric).unwrap();
                    by_step.values[[series, metric, step, model]].to_bits()
                };
                assert_eq!(score("mae"), metrics::mae(&y, &column("")).to_bits());
                let covered = metrics::coverage(&y, &column("-lo-80"), &column("-hi-80"));
                assert_eq!(score("coverage-80"), covered.to_bits());
            }
        }
    }
    // In the long table the first step is the one after the gap.
    let long = by_step.table();
    assert_eq!(
        long.iter().map(|(name, _)| &name[..]).take(4).collect::<Vec<_>>(),
        ["unique_id", "metric", "step", "seasonal-naive"]
    );
    let Cells::Integers(steps) = &long[2].1 else { panic!("steps are no integers") };
    assert_eq!(steps[..8], [3, 4, 5, 6, 7, 8, 9, 3]);
    let mae = by_step.values.slice(ndarray::s![0, 0, .., 1]).to_vec();
    assert_eq!(bits(&numbers(&long, "ar")[..7]), bits(&mae));
}

/// Everything that a back-test tells, as text and bits.
fn told(result: &Backtest) -> (Vec<Vec<u64>>, String) {
    let columns = result.table();
    let columns = columns.iter().filter_map(|(_, cells)| match cells {
        Cells::Numbers(values) => Some(bits(values)),
        _ => None,
    });
    let board = result.leaderboard(&LeaderboardOptions::default()).unwrap();
    let scores = result.scores();
    (
        columns.collect(),
        format!("{board:?} {scores:?} {:?} {:?}", result.scores_by_step().unwrap(), result.failed),
    )
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let panel = three();
    let models = [ar(5), ModelConfig::parse("drift").unwrap().with("lookback", "9").unwrap()];
    let options = BacktestOptions {
        gap: 2,
        refit: Refit::Every(2),
        levels: vec![50.0, 80.0],
        training: TrainingRange::Sliding(120),
        ..options()
    };
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| told(&backtest(&models, &panel, &options).unwrap()))
    };
    let expected = on(1);
    assert!(!expected.0.is_empty());
    for n_threads in [2, 5] {
        assert!(on(n_threads) == expected, "{n_threads} threads");
    }
}

#[test]
fn the_order_of_series_changes_no_forecast_and_no_score() {
    let panel = three();
    let options = BacktestOptions { levels: vec![50.0], gap: 1, ..options() };
    let by_id = |panel: &Panel| {
        let result = backtest(&[ar(5)], panel, &options).unwrap();
        let table = result.table();
        let per_series = options.n_windows * options.horizon;
        let mut all: Vec<(String, Vec<Vec<u64>>)> = Vec::new();
        for (at, series) in panel.series().iter().enumerate() {
            let columns = table.iter().filter_map(|(_, cells)| match cells {
                Cells::Numbers(values) => Some(bits(&values[at * per_series..][..per_series])),
                _ => None,
            });
            let scores = result.scores();
            let scores =
                scores.rows.iter().filter(|row| row.unique_id == series.id()).map(|row| bits(&row.values));
            all.push((series.id().to_string(), columns.chain(scores).collect()));
        }
        all.sort();
        all
    };
    let expected = by_id(&panel);
    for seed in 0..4 {
        let order = Draws::new(seed).shuffled(3);
        let series = order.iter().map(|at| panel.series()[*at].clone()).collect();
        let turned = Panel::new(panel.channels().to_vec(), series).unwrap();
        assert!(by_id(&turned) == expected, "{order:?}");
    }
}

#[test]
fn what_cannot_be_tested_is_told_and_the_rest_is_as_if_it_had_not_been_there() {
    let good = three();
    let index = |n: usize| grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", n);
    let bad = panel(&[
        ("constant".to_string(), index(200), vec![4.0; 200]),
        ("short".to_string(), index(40), (0..40).map(f64::from).collect()),
        ("empty".to_string(), index(200), vec![f64::NAN; 200]),
        (
            "late".to_string(),
            index(200),
            (0..200).map(|i| if i < 170 { f64::NAN } else { f64::from(i % 7) }).collect(),
        ),
    ]);
    let series = [&bad.series()[0], &good.series()[0], &bad.series()[1], &good.series()[1], &bad.series()[2]];
    let series = series.into_iter().chain([&good.series()[2], &bad.series()[3]]).cloned().collect();
    let mixed = Panel::new(good.channels().to_vec(), series).unwrap();
    for (pooled, expected) in [
        ("false", &["constant", "short", "empty", "late"][..]),
        // A constant series tells shared coefficients nothing, but can be forecast with them.
        ("true", &["short", "empty", "late"][..]),
    ] {
        let models = [ar(5).with("pooled", pooled).unwrap()];
        let options = BacktestOptions {
            levels: vec![50.0],
            refit: Refit::Every(2),
            on_error: OnError::LeaveOut,
            ..options()
        };
        let result = backtest(&models, &mixed, &options).unwrap();
        let failed: Vec<&str> = result.failed.iter().map(|failed| &failed.series[..]).collect();
        assert_eq!(failed, expected, "pooled {pooled}");
        for failed in &result.failed {
            assert!(failed.error.contains(&format!("series \"{}\"", failed.series)), "{}", failed.error);
        }
        assert_eq!(result.panel().series().len(), mixed.series().len() - failed.len());
        let rest = mixed.series().iter().filter(|series| !failed.contains(&series.id())).cloned().collect();
        let rest = Panel::new(mixed.channels().to_vec(), rest).unwrap();
        let alone = backtest(&models, &rest, &BacktestOptions { on_error: OnError::Stop, ..options.clone() })
            .unwrap();
        assert!(told(&result).0 == told(&alone).0, "pooled {pooled}");
        // And without being asked to, nothing is left out.
        let stopped = backtest(&models, &mixed, &BacktestOptions { on_error: OnError::Stop, ..options });
        let error = stopped.unwrap_err();
        assert!(error.series().is_some_and(|series| expected.contains(&series)), "{error}");
    }
    // Where nothing is left, that is an error.
    let options = BacktestOptions { on_error: OnError::LeaveOut, ..options() };
    let message = backtest(&[ar(5)], &bad, &options).unwrap_err().to_string();
    assert!(message.contains("series \""), "{message}");
}

#[test]
fn a_channel_of_a_wide_file_that_cannot_be_fitted_is_left_out_alone() {
    let csv = (0..300).map(|hour: i32| {
        let stamp = format!("2024-01-{:02} {:02}:00", 1 + hour / 24, hour % 24);
        format!("{stamp},{},7,{},\n", hour * 37 % 101, hour * 53 % 89)
    });
    let csv = format!("ds,a,stuck,b,dead\n{}", csv.collect::<String>());
    let wide = Panel::read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
    let options = BacktestOptions { levels: vec![50.0], on_error: OnError::LeaveOut, ..options() };
    let result = backtest(&[ar(5)], &wide, &options).unwrap();
    assert!(result.is_wide);
    let failed: Vec<(&str, bool)> =
        result.failed.iter().map(|one| (&one.series[..], one.error.contains(&one.series[..]))).collect();
    assert!(failed.contains(&("stuck", true)) && !failed.iter().any(|(name, _)| ["a", "b"].contains(name)));
    let rest = wide.select_channels(&["a".to_string(), "b".to_string()]).unwrap();
    let alone = backtest(&[ar(5)], &rest, &BacktestOptions { on_error: OnError::Stop, ..options.clone() });
    assert!(told(&result).0 == told(&alone.unwrap()).0);
    // Of one channel that is left the name stays, and where none is that is an error.
    let pair = wide.select_channels(&["a".to_string(), "stuck".to_string()]).unwrap();
    let Cells::Text(ids) = backtest(&[ar(5)], &pair, &options).unwrap().table().swap_remove(0).1 else {
        panic!("ids are text")
    };
    assert!(ids.iter().all(|id| id == "a"), "{ids:?}");
    let stuck = wide.select_channels(&["stuck".to_string()]).unwrap();
    assert!(backtest(&[ar(5)], &stuck, &options).unwrap_err().to_string().contains("constant"));
}

#[test]
fn covariates_stay_with_the_series_that_are_left() {
    let mut csv = String::from("unique_id,ds,y,promo\n");
    for id in ["a", "stuck", "b"] {
        for hour in 0..300 {
            let promo = i32::from(hour % 11 == 3);
            let y = if id == "stuck" { 7 } else { hour * 37 % 13 + 50 * promo };
            csv += &format!("{id},2024-01-{:02} {:02}:00,{y},{promo}\n", 1 + hour / 24, hour % 24);
        }
    }
    let covariates = serde_json::from_str(r#"{"covariates": {"promo": "future"}}"#).unwrap();
    let read = ReadOptions { covariates, ..ReadOptions::default() };
    let all = Panel::read_csv(csv.as_bytes(), "t.csv", &read).unwrap();
    let kept = csv.lines().filter(|line| !line.starts_with("stuck")).collect::<Vec<_>>().join("\n");
    let kept = Panel::read_csv(kept.as_bytes(), "t.csv", &read).unwrap();
    let options = BacktestOptions { on_error: OnError::LeaveOut, ..options() };
    let result = backtest(&[ar(2)], &all, &options).unwrap();
    assert_eq!(result.failed.iter().map(|one| &one.series[..]).collect::<Vec<_>>(), ["stuck"]);
    assert!(told(&result).0 == told(&backtest(&[ar(2)], &kept, &options).unwrap()).0);
}
