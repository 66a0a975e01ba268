//! A back-test as the conventional long table.

use super::backtest::{Backtest, Fold};
use crate::data::{Cells, Step};

impl Backtest {
    /// The columns `unique_id, ds, cutoff, y, <model>, <model>-lo-80, <model>-hi-80, ...`: one row for each
    /// series, channel, cutoff and step, in that order.
    #[must_use]
    pub fn table(&self) -> Vec<(String, Cells)> {
        let paths = self.paths();
        let ids = paths.iter().flat_map(|(fold, channel)| {
            let id = self.panel.label(self.panel.series()[fold.series].id(), *channel);
            std::iter::repeat_n(id, self.horizon)
        });
        let mut table = vec![
            ("unique_id".to_string(), Cells::Text(ids.collect())),
            ("ds".to_string(), self.stamps(&paths, |fold, h| fold.forecasts[0].index.stamp(h))),
            ("cutoff".to_string(), self.stamps(&paths, |fold, _| fold.cutoff)),
            ("y".to_string(), numbers(&paths, |fold| &fold.actual)),
        ];
        for (model, name) in self.models.iter().enumerate() {
            table.push((name.clone(), numbers(&paths, |fold| &fold.forecasts[model].mean)));
            for (i, level) in self.levels.iter().enumerate() {
                let lower = numbers(&paths, |fold| &fold.forecasts[model].intervals[i].lower);
                let upper = numbers(&paths, |fold| &fold.forecasts[model].intervals[i].upper);
                table.push((format!("{name}-lo-{level}"), lower));
                table.push((format!("{name}-hi-{level}"), upper));
            }
        }
        table
    }

    /// Folds by series, then by channel, then by cutoff.
    fn paths(&self) -> Vec<(&Fold, usize)> {
        let channels = 0..self.panel.channels().len();
        let mut paths: Vec<(&Fold, usize)> =
            channels.flat_map(|channel| self.folds.iter().map(move |fold| (fold, channel))).collect();
        // Stable: the cutoffs of one series stay in order.
        paths.sort_by_key(|(fold, channel)| (fold.series, *channel));
        paths
    }

    fn stamps(&self, paths: &[(&Fold, usize)], of: impl Fn(&Fold, usize) -> i64) -> Cells {
        let steps = paths.iter().flat_map(|(fold, _)| (0..self.horizon).map(move |h| (*fold, h)));
        let stamps = steps.map(|(fold, h)| of(fold, h)).collect();
        match self.panel.series().first().map(|series| series.index()) {
            Some(index) if !matches!(index.step, Step::Index(_)) => Cells::Stamps(stamps, index.zone.clone()),
            _ => Cells::Integers(stamps),
        }
    }
}

/// One channel of each fold's `(horizon, channel)` values after the other.
fn numbers<'a>(paths: &[(&'a Fold, usize)], of: impl Fn(&'a Fold) -> &'a ndarray::Array2<f64>) -> Cells {
    Cells::Numbers(paths.iter().flat_map(|(fold, channel)| of(fold).column(*channel).to_vec()).collect())
}
