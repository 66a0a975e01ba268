//! A back-test as the conventional long table.

use super::backtest::Backtest;
use crate::data::{Cells, Step};

impl Backtest {
    /// The columns `unique_id, ds, cutoff, y, <model>, <model>-lo-80, <model>-hi-80, ...`: one row for each
    /// series, channel, cutoff and scored step, in that order.
    #[must_use]
    pub fn table(&self) -> Vec<(String, Cells)> {
        let ids = self.units().into_iter().flat_map(|unit| {
            let n_rows = self.n_windows * self.horizon;
            std::iter::repeat_n(self.label(unit), n_rows)
        });
        let mut table = vec![
            ("unique_id".to_string(), Cells::Text(ids.collect())),
            ("ds".to_string(), self.stamps(|series, window| self.index(series, window).stamps().collect())),
            ("cutoff".to_string(), self.stamps(|series, window| self.cutoff_stamps(series, window))),
            ("y".to_string(), self.column(|unit, window| self.actual(unit, window).to_vec())),
        ];
        for (model, name) in self.models.iter().enumerate() {
            let path = |path| self.column(|unit, window| self.path(model, path, unit, window).to_vec());
            table.push((name.clone(), path(0)));
            for (i, level) in self.levels.iter().enumerate() {
                table.push((format!("{name}-lo-{level}"), path(1 + 2 * i)));
                table.push((format!("{name}-hi-{level}"), path(2 + 2 * i)));
            }
        }
        table
    }

    /// The stamp of a cutoff, once for each scored step.
    fn cutoff_stamps(&self, series: usize, window: usize) -> Vec<i64> {
        let last_seen = self.cutoff(series, window).saturating_sub(1);
        vec![self.panel.series()[series].index().stamp(last_seen); self.horizon]
    }

    fn stamps(&self, of: impl Fn(usize, usize) -> Vec<i64>) -> Cells {
        let units = self.units().into_iter();
        let stamps = units.flat_map(|(series, _)| (0..self.n_windows).map(move |window| (series, window)));
        let stamps = stamps.flat_map(|(series, window)| of(series, window)).collect();
        match self.panel.series().first().map(|series| series.index()) {
            Some(index) if !matches!(index.step, Step::Index(_)) => Cells::Stamps(stamps, index.zone.clone()),
            _ => Cells::Integers(stamps),
        }
    }

    fn column(&self, of: impl Fn((usize, usize), usize) -> Vec<f64>) -> Cells {
        let units = self.units().into_iter();
        let windows = units.flat_map(|unit| (0..self.n_windows).map(move |window| (unit, window)));
        Cells::Numbers(windows.flat_map(|(unit, window)| of(unit, window)).collect())
    }
}
