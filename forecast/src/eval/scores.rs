//! The evaluation frame: one row for each series and metric, one column a model.

use serde::Serialize;

use super::backtest::{Backtest, Fold};
use super::metrics;
use crate::data::Cells;

/// Scores of several models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The models, in the order of every row.
    pub models: Vec<String>,
    /// One row for each series and metric.
    pub rows: Vec<Score>,
}

/// One metric of one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The series, or the channel of a wide file.
    pub unique_id: String,
    /// The metric: `mae`, `mase`, `coverage-80`, ...
    pub metric: String,
    /// One value a model; NaN where it is not defined.
    pub values: Vec<f64>,
}

/// What the scores of one series are computed from, over all of its folds.
struct Pooled {
    y: Vec<f64>,
    /// One a model.
    means: Vec<Vec<f64>>,
    /// For each level and model, lower and upper bounds.
    bounds: Vec<Vec<(Vec<f64>, Vec<f64>)>>,
    scale: f64,
    square_scale: f64,
}

impl Scores {
    pub(super) fn of(backtest: &Backtest) -> Self {
        let mut rows = Vec::new();
        for (at, series) in backtest.panel.series().iter().enumerate() {
            let folds: Vec<&Fold> = backtest.folds.iter().filter(|fold| fold.series == at).collect();
            for channel in 0..backtest.panel.channels().len() {
                let pooled = Pooled::new(backtest, at, &folds, channel);
                let unique_id = backtest.panel.label(series.id(), channel);
                rows.extend(pooled.scores(&backtest.levels).into_iter().map(|(metric, values)| Score {
                    unique_id: unique_id.clone(),
                    metric,
                    values,
                }));
            }
        }
        Scores { models: backtest.models.clone(), rows }
    }

    /// The metrics, in the order of the rows.
    #[must_use]
    pub fn metrics(&self) -> Vec<&str> {
        let first = self.rows.first().map(|row| row.unique_id.as_str());
        let of_first = self.rows.iter().take_while(|row| Some(row.unique_id.as_str()) == first);
        of_first.map(|row| row.metric.as_str()).collect()
    }

    /// The mean of a metric over all series, one value a model; series where it is not defined are left out.
    #[must_use]
    pub fn mean(&self, metric: &str) -> Vec<f64> {
        let rows: Vec<&Score> = self.rows.iter().filter(|row| row.metric == metric).collect();
        (0..self.models.len())
            .map(|model| {
                let values: Vec<f64> =
                    rows.iter().map(|row| row.values[model]).filter(|v| v.is_finite()).collect();
                metrics::mean(&values)
            })
            .collect()
    }

    /// The table `unique_id, metric, <model>, ...`.
    #[must_use]
    pub fn table(&self) -> Vec<(String, Cells)> {
        let text = |of: fn(&Score) -> &String| Cells::Text(self.rows.iter().map(of).cloned().collect());
        let mut table = vec![
            ("unique_id".to_string(), text(|row| &row.unique_id)),
            ("metric".to_string(), text(|row| &row.metric)),
        ];
        for (model, name) in self.models.iter().enumerate() {
            let values = self.rows.iter().map(|row| row.values[model]).collect();
            table.push((name.clone(), Cells::Numbers(values)));
        }
        table
    }
}

impl Pooled {
    fn new(backtest: &Backtest, series: usize, folds: &[&Fold], channel: usize) -> Self {
        let values = backtest.panel.series()[series].values();
        let mut train = values.column(channel).to_vec();
        train.truncate(backtest.first_cutoffs[series]);
        let gather =
            |of: &dyn Fn(&Fold) -> Vec<f64>| folds.iter().flat_map(|fold| of(fold)).collect::<Vec<f64>>();
        let models = 0..backtest.models.len();
        Pooled {
            y: gather(&|fold| fold.actual.column(channel).to_vec()),
            means: models
                .clone()
                .map(|m| gather(&|fold| fold.forecasts[m].mean.column(channel).to_vec()))
                .collect(),
            bounds: (0..backtest.levels.len())
                .map(|i| {
                    let bound = |m: usize| {
                        (
                            gather(&|f| f.forecasts[m].intervals[i].lower.column(channel).to_vec()),
                            gather(&|f| f.forecasts[m].intervals[i].upper.column(channel).to_vec()),
                        )
                    };
                    models.clone().map(bound).collect()
                })
                .collect(),
            scale: metrics::naive_scale(&train, backtest.season_length),
            square_scale: metrics::naive_square_scale(&train, backtest.season_length),
        }
    }

    fn scores(&self, levels: &[f64]) -> Vec<(String, Vec<f64>)> {
        let point = |metric: &dyn Fn(&[f64], &[f64]) -> f64| -> Vec<f64> {
            self.means.iter().map(|mean| metric(&self.y, mean)).collect()
        };
        let mut scores = vec![
            ("mae".to_string(), point(&metrics::mae)),
            ("mse".to_string(), point(&metrics::mse)),
            ("rmse".to_string(), point(&metrics::rmse)),
            ("bias".to_string(), point(&metrics::bias)),
            ("mape".to_string(), point(&metrics::mape)),
            ("smape".to_string(), point(&metrics::smape)),
            ("wape".to_string(), point(&metrics::wape)),
            ("mase".to_string(), point(&|y, f| metrics::mase(y, f, self.scale))),
            ("rmsse".to_string(), point(&|y, f| metrics::rmsse(y, f, self.square_scale))),
        ];
        for (level, bounds) in levels.iter().zip(&self.bounds) {
            let interval = |metric: &dyn Fn(&[f64], &[f64]) -> f64| -> Vec<f64> {
                bounds.iter().map(|(lower, upper)| metric(lower, upper)).collect()
            };
            let y = &self.y;
            scores.push((format!("coverage-{level}"), interval(&|lo, hi| metrics::coverage(y, lo, hi))));
            scores
                .push((format!("winkler-{level}"), interval(&|lo, hi| metrics::winkler(y, lo, hi, *level))));
        }
        let wql = |model: usize| {
            let quantiles: Vec<(f64, &[f64])> = levels
                .iter()
                .zip(&self.bounds)
                .flat_map(|(level, bounds)| {
                    let tail = (1.0 - level / 100.0) / 2.0;
                    let (lower, upper) = &bounds[model];
                    [(tail, &lower[..]), (1.0 - tail, &upper[..])]
                })
                .collect();
            metrics::wql(&self.y, &quantiles)
        };
        if !levels.is_empty() {
            scores.push(("wql".to_string(), (0..self.means.len()).map(wql).collect()));
        }
        scores
    }
}
