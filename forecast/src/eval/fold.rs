//! What a back-test tells while it runs: the scores of one model on one series after one cutoff.

use ndarray::ArrayView3;

use super::metrics;
use super::plan::Plan;
use crate::model::ModelConfig;

/// Something that happened in a back-test.
#[derive(Debug, Clone, PartialEq)]
pub enum BacktestEvent {
    /// A model was fitted and has forecast from all cutoffs up to its next fit.
    Fitted {
        /// How many were, this one included.
        n_done: usize,
        /// How many there are.
        n_segments: usize,
    },
    /// A fold was scored.
    Fold(FoldScores),
}

/// The scores of one model on one channel of one series after one cutoff.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldScores {
    /// The family.
    pub model: String,
    /// The series and channel, as tables call them.
    pub unique_id: String,
    /// The cutoff, counted from 0, oldest first.
    pub window: usize,
    /// The stamp of the last step that the model saw, in nanoseconds since 1970.
    pub cutoff: i64,
    /// `mae`, `mse`, `mase`, and for each level `coverage-<level>` and `winkler-<level>`; NaN where it is not defined.
    pub scores: Vec<(String, f64)>,
}

/// The scales of MASE, one for each series and channel, of everything before the first cutoff.
pub(super) struct Scales(Vec<Vec<f64>>);

impl Scales {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let all = plan.panel.series().iter().zip(&plan.first_cutoffs).map(|(series, cutoff)| {
            let values = series.values();
            let columns = values.columns().into_iter().map(|column| {
                let seen: Vec<f64> = column.iter().take(*cutoff).copied().collect();
                metrics::naive_scale(&seen, plan.season_length)
            });
            columns.collect()
        });
        Scales(all.collect())
    }
}

impl FoldScores {
    /// Of the forecast of one window and series, `numbers` by path, step and channel.
    pub(super) fn of(
        plan: &Plan<'_>,
        config: &ModelConfig,
        (window, series, channel): (usize, usize, usize),
        numbers: &[f64],
        scales: &Scales,
    ) -> Self {
        let [_, _, n_paths, horizon, n_channels] = plan.dim();
        let data = &plan.panel.series()[series];
        let cutoff = plan.first_cutoffs[series] + window * plan.step_size;
        let start = cutoff + plan.options.gap;
        let y: Vec<f64> = (start..start + horizon).map(|step| data.values()[[step, channel]]).collect();
        let paths = ArrayView3::from_shape((n_paths, horizon, n_channels), numbers).ok();
        let path = |at: usize| -> Vec<f64> {
            let path = paths.as_ref().map(|paths| paths.slice(ndarray::s![at, .., channel]).to_vec());
            path.unwrap_or_default()
        };
        let mean = path(0);
        let mut scores = vec![
            ("mae".to_string(), metrics::mae(&y, &mean)),
            ("mse".to_string(), metrics::mse(&y, &mean)),
            ("mase".to_string(), metrics::mase(&y, &mean, scales.0[series][channel])),
        ];
        for (i, level) in plan.options.levels.iter().enumerate() {
            let (lower, upper) = (path(1 + 2 * i), path(2 + 2 * i));
            scores.push((format!("coverage-{level}"), metrics::coverage(&y, &lower, &upper)));
            scores.push((format!("winkler-{level}"), metrics::winkler(&y, &lower, &upper, *level)));
        }
        FoldScores {
            model: config.name().to_string(),
            unique_id: plan.panel.label(data.id(), channel),
            window,
            cutoff: data.index().stamp(cutoff.saturating_sub(1)),
            scores,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Panel, ReadOptions};
    use crate::eval::{BacktestOptions, OnError, Refit, backtest, backtest_watched};

    fn panel() -> Panel {
        let lines: String = (0..300)
            .map(|i| {
                let wave = [3.0, 5.0, 9.0, 4.0][i % 4] + (i as f64 * 0.37).sin();
                format!("{i},{wave},{}\n", 7.0 - wave * wave / 9.0)
            })
            .collect();
        let options = ReadOptions { time_column: Some("ds".to_string()), ..ReadOptions::default() };
        Panel::read_csv(format!("ds,a,b\n{lines}").as_bytes(), "two.csv", &options).unwrap()
    }

    /// All windows have as many steps, so the mean over the folds is the score of the back-test.
    #[test]
    fn folds_come_in_one_order_and_their_mean_is_the_score() {
        let panel = panel();
        let models = [ModelConfig::parse("ar").unwrap().with("order", "4").unwrap()];
        for (refit, on_error) in [(Refit::Never, OnError::Stop), (Refit::Every(1), OnError::LeaveOut)] {
            let options = BacktestOptions {
                horizon: 5,
                n_windows: 3,
                gap: 2,
                levels: vec![80.0],
                refit,
                on_error,
                ..BacktestOptions::default()
            };
            let watched = || {
                let (mut folds, mut fitted) = (Vec::new(), Vec::new());
                let mut watch = |event| match event {
                    BacktestEvent::Fold(fold) => folds.push(fold),
                    BacktestEvent::Fitted { n_done, n_segments } => fitted.push((n_done, n_segments)),
                };
                let outcome = backtest_watched(&models, &panel, &options, &mut watch).unwrap();
                (folds, fitted, outcome.scores())
            };
            let (folds, fitted, scores) = watched();
            let n_segments = if refit == Refit::Never { 2 } else { 6 };
            assert_eq!(fitted, (1..=n_segments).map(|n| (n, n_segments)).collect::<Vec<_>>());
            assert_eq!(folds.len(), 2 * 3 * 2);
            assert_eq!(format!("{:?}", watched().0), format!("{folds:?}"));
            assert_eq!(
                format!("{:?}", backtest(&models, &panel, &options).unwrap().scores()),
                format!("{scores:?}")
            );
            for row in scores.rows.iter().filter(|row| ["mae", "mase", "coverage-80"].contains(&&*row.metric))
            {
                for (model, whole) in scores.models.iter().zip(&row.values) {
                    let of_unit =
                        folds.iter().filter(|fold| fold.model == *model && fold.unique_id == row.unique_id);
                    let values = of_unit
                        .map(|fold| fold.scores.iter().find(|(name, _)| *name == row.metric).unwrap().1);
                    let values: Vec<f64> = values.collect();
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    assert!((mean - whole).abs() < 1e-9 && values.len() == 3, "{row:?} {model} {values:?}");
                }
            }
            let last = folds.iter().map(|fold| fold.cutoff).max();
            assert_eq!(last, Some(300 - 5 - 2 - 1));
        }
    }
}
