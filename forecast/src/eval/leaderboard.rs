//! The models of a back-test by one metric, each beside seasonal naive, and whether the difference is more than noise.

use serde::Serialize;

use super::backtest::Backtest;
use super::bootstrap::{Design, quantile};
use super::losses::{Loss, Losses};
use super::paired::Paired;
use crate::baseline::SeasonalNaiveConfig;
use crate::model::ModelConfig;
use crate::{Error, Result};

/// Resamples of one leaderboard, at most.
const MOST_RESAMPLES: usize = 100_000;
const FEWEST_RESAMPLES: usize = 100;

/// How to rank models.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `metric` | `mase`, or `mae` where that is defined for no series | what models are ranked by | a metric that is smaller for the better model |
/// | `n_resamples` | 2,000 | resamples of the bootstrap | 100 to 100,000 |
/// | `seed` | 1 | seed of the resamples | |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderboardOptions {
    /// What models are ranked by.
    pub metric: Option<String>,
    /// Resamples of the bootstrap.
    pub n_resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for LeaderboardOptions {
    fn default() -> Self {
        LeaderboardOptions { metric: None, n_resamples: 2_000, seed: 1 }
    }
}

/// The models by one metric, the best mean first.
///
/// The score of a series is that of all its windows together, as in [`Scores`](super::Scores); series where the metric
/// is not defined count nowhere. Channels of a wide file are series here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaderboard {
    /// The metric.
    pub metric: String,
    /// The model that the others are compared with: seasonal naive.
    pub baseline: String,
    /// Series that count.
    pub n_series: usize,
    /// Series where the metric is not defined.
    pub n_left_out: usize,
    /// Windows of each series.
    pub n_windows: usize,
    /// Windows of all series, those that overlap counted once: fewer than 8 allow no interval.
    pub n_windows_apart: usize,
    /// What wins are counted over.
    pub wins_over: WinsOver,
    /// The models, the smallest mean first.
    pub rows: Vec<Standing>,
}

/// What the share of wins is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WinsOver {
    /// Series: there are several.
    Series,
    /// Windows: there is one series.
    Windows,
}

/// One model of a leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The model.
    pub model: String,
    /// Mean over series.
    pub mean: f64,
    /// Median over series.
    pub median: f64,
    /// Share of series, or of windows where there is one series, with a smaller loss than seasonal naive's; a tie is
    /// half a win.
    pub win_rate: f64,
    /// Mean over series of the score minus seasonal naive's: negative where the model is better.
    pub difference: f64,
    /// Where that difference would lie in 95 of 100 cases if other windows and series of the same kind had been
    /// drawn: lower and upper end, from a stationary bootstrap (Politis and Romano 1994) of the losses of both models
    /// on the same windows and series. `None` for seasonal naive itself, and where there are too few windows to tell.
    /// What moves all series at once can only be seen over several cutoffs; with one, it is not in the interval.
    pub interval: Option<(f64, f64)>,
    /// What the interval says.
    pub verdict: Verdict,
}

/// Whether a model differs from seasonal naive by more than noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval is below 0.
    Better,
    /// The whole interval is above 0.
    Worse,
    /// The interval contains 0.
    WithinNoise,
    /// There is no interval.
    NotTested,
    /// It is seasonal naive.
    Baseline,
}

impl LeaderboardOptions {
    /// Checks the metric for a back-test with these levels, and the number of resamples.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the metric is none that models can be ranked by, or for the number of resamples.
    pub fn check(&self, levels: &[f64]) -> Result<()> {
        if !(FEWEST_RESAMPLES..=MOST_RESAMPLES).contains(&self.n_resamples) {
            let rule = format!("it must lie between {FEWEST_RESAMPLES} and {MOST_RESAMPLES}");
            return Err(Error::option("n_resamples", self.n_resamples, rule));
        }
        self.metric.as_deref().map_or(Ok(()), |metric| Loss::parse(metric, levels).map(|_| ()))
    }
}

impl Leaderboard {
    pub(super) fn of(backtest: &Backtest, options: &LeaderboardOptions) -> Result<Self> {
        options.check(&backtest.levels)?;
        let (metric, losses) = match &options.metric {
            Some(metric) => (metric.as_str(), Losses::new(backtest, Loss::parse(metric, &backtest.levels)?)),
            None => {
                let mase = Losses::new(backtest, Loss::Mase);
                if mase.n_series() > 0 { ("mase", mase) } else { ("mae", Losses::new(backtest, Loss::Mae)) }
            }
        };
        let baseline = ModelConfig::SeasonalNaive(SeasonalNaiveConfig::default()).name();
        let at = backtest.models.iter().position(|model| model == baseline).unwrap_or(0);
        let n_series = losses.n_series();
        let design = Design::new(backtest.n_windows, backtest.step_size, backtest.horizon, n_series);
        let paired = Paired { losses: &losses, baseline: at, n_models: backtest.models.len() };
        let differences = paired.differences(&vec![1.0; backtest.n_windows], &vec![1.0; n_series]);
        let resampled = paired.resampled(&design, options.n_resamples, options.seed);
        let standing = |(model, name): (usize, &String)| {
            let all = vec![1.0; backtest.n_windows];
            let scores: Vec<f64> = (0..n_series).map(|series| losses.score(series, model, &all)).collect();
            let difference = differences[model];
            let values: Vec<f64> = resampled.iter().map(|differences| differences[model]).collect();
            let interval = if model == at { None } else { design.interval(difference, &values) };
            let verdict = match interval {
                _ if model == at => Verdict::Baseline,
                None => Verdict::NotTested,
                Some((_, upper)) if upper < 0.0 => Verdict::Better,
                Some((lower, _)) if lower > 0.0 => Verdict::Worse,
                Some(_) => Verdict::WithinNoise,
            };
            Standing {
                model: name.clone(),
                mean: super::metrics::mean(&scores),
                median: quantile(&crate::data::sorted(scores), 0.5),
                win_rate: paired.win_rate(model, backtest.n_windows),
                difference,
                interval,
                verdict,
            }
        };
        let mut rows: Vec<Standing> = backtest.models.iter().enumerate().map(standing).collect();
        // Stable: models with the same mean stay in their order.
        rows.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        Ok(Leaderboard {
            metric: metric.to_string(),
            baseline: baseline.to_string(),
            n_series,
            n_left_out: losses.n_left_out,
            n_windows: backtest.n_windows,
            n_windows_apart: design.n_total(),
            wins_over: if n_series > 1 { WinsOver::Series } else { WinsOver::Windows },
            rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Series, Step, TimeIndex, Zone};
    use crate::eval::{BacktestOptions, backtest};
    use crate::{FitOptions, Panel};
    use ndarray::Array2;

    /// A season of 4 steps, a little larger in each series, and noise from a fixed generator.
    fn panel(n_steps: usize, n_series: usize) -> Panel {
        let series = (0..n_series).map(|s| {
            let mut state = s as u64;
            let values = Array2::from_shape_fn((n_steps, 1), |(i, _)| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (1.0 + 0.1 * s as f64) * ([10.0, 14.0, 12.0, 8.0][i % 4] + (state >> 40) as f64 / 2e7)
            });
            let index = TimeIndex::new(0, Step::Index(1), Zone::Local, n_steps);
            Series::new(format!("s{s}"), index, values, &["y".to_string()]).unwrap()
        });
        Panel::new(vec!["y".to_string()], series.collect()).unwrap()
    }

    fn tested(panel: &Panel, models: &[&str], n_windows: usize) -> Backtest {
        let models: Vec<ModelConfig> = models.iter().map(|name| ModelConfig::parse(name).unwrap()).collect();
        let fit = FitOptions { season_length: Some(4), ..FitOptions::default() };
        let options = BacktestOptions { horizon: 4, n_windows, fit, ..BacktestOptions::default() };
        backtest(&models, panel, &options).unwrap()
    }

    fn of(backtest: &Backtest, metric: &str) -> Leaderboard {
        let options = LeaderboardOptions { metric: Some(metric.to_string()), ..Default::default() };
        backtest.leaderboard(&options).unwrap()
    }

    #[test]
    fn a_model_with_the_same_forecasts_differs_by_exactly_nothing_and_that_is_within_noise() {
        let mut result = tested(&panel(400, 3), &["naive"], 12);
        result.paths[1] = result.paths[0].clone();
        let board = result.leaderboard(&LeaderboardOptions::default()).unwrap();
        let row = board.rows.iter().find(|row| row.model == "naive").unwrap();
        assert_eq!((row.difference.to_bits(), row.interval), (0, Some((0.0, 0.0))));
        assert_eq!(row.verdict, Verdict::WithinNoise);
        assert!((row.win_rate - 0.5).abs() < 1e-15);
    }

    #[test]
    fn a_clear_difference_is_told_from_noise_in_every_metric() {
        let result = tested(&panel(400, 3), &["naive"], 12);
        for metric in ["mae", "mse", "rmse", "mape", "smape", "wape", "mase", "rmsse"] {
            let board = of(&result, metric);
            assert_eq!((board.n_series, board.n_windows_apart), (3, 36));
            let [first, second] = &board.rows[..] else { panic!("{board:?}") };
            assert_eq!((&first.model[..], first.verdict), ("seasonal-naive", Verdict::Baseline), "{metric}");
            assert_eq!((&second.model[..], second.verdict), ("naive", Verdict::Worse), "{metric}");
            let (lower, upper) = second.interval.unwrap();
            assert!(lower < second.difference && second.difference < upper && second.win_rate < 1e-15);
            // The same as from the evaluation frame.
            let mean = result.scores().mean(metric);
            assert!((mean[1] - second.mean).abs() < 1e-12 * mean[1], "{metric}");
            assert!((mean[1] - mean[0] - second.difference).abs() < 1e-12 * mean[1], "{metric}");
        }
    }

    #[test]
    fn one_series_is_judged_by_its_windows_and_few_windows_not_at_all() {
        let result = tested(&panel(400, 1), &["naive"], 12);
        let board = of(&result, "mae");
        assert_eq!(board.wins_over, WinsOver::Windows);
        assert_eq!(board.rows[1].verdict, Verdict::Worse);
        let board = of(&tested(&panel(400, 1), &["naive"], 7), "mae");
        assert_eq!((board.rows[1].verdict, board.rows[1].interval), (Verdict::NotTested, None));
    }

    #[test]
    fn series_without_a_scale_count_nowhere_and_mae_serves_where_no_series_has_one() {
        let mut whole = panel(400, 3);
        let constant = |series: &Series| {
            let mut values = series.values().to_owned();
            values.slice_mut(ndarray::s![..352, ..]).fill(5.0);
            Series::new(series.id(), series.index().clone(), values, &["y".to_string()]).unwrap()
        };
        whole =
            whole.map_in_order(|series| if series.id() == "s1" { constant(series) } else { series.clone() });
        let board = tested(&whole, &["naive"], 12).leaderboard(&LeaderboardOptions::default()).unwrap();
        assert_eq!((&board.metric[..], board.n_series, board.n_left_out), ("mase", 2, 1));
        let none = whole.map_in_order(constant);
        let result = tested(&none, &["naive"], 12);
        let board = result.leaderboard(&LeaderboardOptions::default()).unwrap();
        assert_eq!((&board.metric[..], board.n_series, board.n_left_out), ("mae", 3, 0));
        let board = of(&result, "mase");
        assert!(
            board.n_series == 0 && board.rows.iter().all(|row| row.mean.is_nan() && row.interval.is_none())
        );
    }

    #[test]
    fn metrics_that_rank_nothing_and_absurd_counts_are_refused() {
        let check = |metric: &str, n_resamples: usize| {
            LeaderboardOptions { metric: Some(metric.to_string()), n_resamples, seed: 1 }.check(&[80.0])
        };
        assert!(check("winkler-80", 100).is_ok() && check("wql", 100_000).is_ok());
        for metric in ["bias", "coverage-80", "winkler-90", "MAE", ""] {
            let message = check(metric, 100).unwrap_err().to_string();
            assert!(message.contains("metric is") && message.contains("rmsse, winkler-80"), "{message}");
        }
        for n in [0, 99, 100_001, usize::MAX] {
            assert!(check("mae", n).unwrap_err().to_string().contains("n_resamples"));
        }
    }
}
