//! The evaluation frame: one row for each series and metric, one column a model.

use std::ops::Range;

use ndarray::s;
use rayon::prelude::*;
use serde::Serialize;

use super::backtest::Backtest;
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

/// What the scores of one series and channel are computed from, over all of its windows.
pub(super) struct Pooled {
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
        let of_unit = |unit: (usize, usize)| -> Vec<Score> {
            let unique_id = backtest.label(unit);
            let scores = Pooled::new(backtest, unit, 0..backtest.horizon, scales(backtest, unit))
                .scores(&backtest.levels);
            let row = |(metric, values)| Score { unique_id: unique_id.clone(), metric, values };
            scores.into_iter().map(row).collect()
        };
        let rows: Vec<Vec<Score>> = backtest.units().into_par_iter().map(of_unit).collect();
        Scores { models: backtest.models.clone(), rows: rows.into_iter().flatten().collect() }
    }

    /// The metrics, in the order of the rows.
    #[must_use]
    pub fn metrics(&self) -> Vec<&str> {
        let first = self.rows.first().map(|row| row.unique_id.as_str());
        let of_first = self.rows.iter().take_while(|row| Some(row.unique_id.as_str()) == first);
        of_first.map(|row| row.metric.as_str()).collect()
    }

    /// The mean over all series of the score of each, one value a model: every series counts the same, however long
    /// and however large. Series where the metric is not defined are left out; [`Scores::n_left_out`] counts them.
    #[must_use]
    pub fn mean(&self, metric: &str) -> Vec<f64> {
        let of_model = |model: usize| {
            let values = self.rows_of(metric).map(|row| row.values[model]).filter(|v| v.is_finite());
            metrics::mean(&values.collect::<Vec<f64>>())
        };
        (0..self.models.len()).map(of_model).collect()
    }

    /// How many series the mean of a metric leaves out, one count a model.
    #[must_use]
    pub fn n_left_out(&self, metric: &str) -> Vec<usize> {
        let of_model =
            |model: usize| self.rows_of(metric).filter(|row| !row.values[model].is_finite()).count();
        (0..self.models.len()).map(of_model).collect()
    }

    fn rows_of<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a Score> {
        self.rows.iter().filter(move |row| row.metric == metric)
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

/// The scales of MASE and RMSSE: of everything before the first cutoff, whatever the training range, so that scores of
/// several back-tests can be compared.
pub(super) fn scales(backtest: &Backtest, (series, channel): (usize, usize)) -> (f64, f64) {
    let mut train = backtest.panel.series()[series].values().column(channel).to_vec();
    train.truncate(backtest.cutoff(series, 0));
    let season_length = backtest.season_length;
    (metrics::naive_scale(&train, season_length), metrics::naive_square_scale(&train, season_length))
}

impl Pooled {
    /// Targets and forecasts of all windows at some steps of the horizon, counted from 0.
    pub(super) fn new(
        backtest: &Backtest,
        unit: (usize, usize),
        steps: Range<usize>,
        (scale, square_scale): (f64, f64),
    ) -> Self {
        let gather = |path: Option<(usize, usize)>| -> Vec<f64> {
            let windows = (0..backtest.n_windows).map(|window| match path {
                None => backtest.actual(unit, window),
                Some((model, path)) => backtest.path(model, path, unit, window),
            });
            windows.flat_map(|window| window.slice_move(s![steps.clone()]).to_vec()).collect()
        };
        let models = 0..backtest.models.len();
        Pooled {
            y: gather(None),
            means: models.clone().map(|model| gather(Some((model, 0)))).collect(),
            bounds: (0..backtest.levels.len())
                .map(|i| {
                    let bound = |m| (gather(Some((m, 1 + 2 * i))), gather(Some((m, 2 + 2 * i))));
                    models.clone().map(bound).collect()
                })
                .collect(),
            scale,
            square_scale,
        }
    }

    /// The value of every metric, one a model.
    pub(super) fn scores(&self, levels: &[f64]) -> Vec<(String, Vec<f64>)> {
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
