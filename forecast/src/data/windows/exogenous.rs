//! Exogenous inputs: what a network is told besides the values of a series, as numbers.

use std::ops::Range;

use ndarray::{ArrayViewMut1, ArrayViewMut2, Axis};

use super::calendar_grids::CalendarGrids;
use super::covariate_inputs::CovariateInputs;
use crate::data::calendar_features::CalendarFeatures;
use crate::data::covariates::Known;
use crate::data::panel::Panel;
use crate::data::scaler::Scaler;
use crate::{Error, Result};

/// Calendar features and covariates of a panel as the columns of 32-bit matrices: numbers are scaled, a category
/// becomes a column each of 0 and 1. What is missing is 0: the mean of a number, none of the categories.
///
/// Calendar features are computed once for each grid that series share; covariates are read where the panel keeps
/// them, so that nothing is kept for a window.
///
/// # Example
/// ```
/// use forecast::{Panel, ReadOptions};
/// use forecast::data::{
///     Batch, BatchOptions, CalendarFeatures, CovariateDeclaration, CovariateFlags, Exogenous, Known, WindowSet,
///     WindowSpec,
/// };
/// let flags = CovariateFlags { future_col: vec!["price".into()], ..CovariateFlags::default() };
/// let covariates = CovariateDeclaration::default().with_flags(&flags)?;
/// let options = ReadOptions { covariates, freq: Some("6h".parse()?), ..ReadOptions::default() };
/// let csv = b"ds,y,price\n2024-01-01 00:00,1,10\n2024-01-01 06:00,2,\n2024-01-01 12:00,3,30\n";
/// let panel = Panel::read_csv(csv, "t.csv", &options)?;
/// let calendar = CalendarFeatures { fourier: vec!["1D:1".parse()?], ..CalendarFeatures::default() };
/// let exogenous = Exogenous::new(&panel, &calendar, [0..3])?;
/// assert_eq!(exogenous.names(Known::Future), ["sin-1D-1", "cos-1D-1", "price"]);
///
/// let set = WindowSet::new(WindowSpec { lookback: 2, horizon: 1, stride: 1 }, &panel, [0..3])?;
/// let mut batch = Batch::default();
/// set.batches(&BatchOptions { exogenous: Some(&exogenous), ..BatchOptions::default() })?.fill(&mut batch);
/// assert_eq!(batch.known_ahead().shape(), [1, 3, 3]); // (batch, lookback + horizon, column)
/// assert_eq!(batch.known_ahead()[[0, 1, 0]], 1.0); // the sine of a day at 06:00
/// assert_eq!(batch.known_ahead()[[0, 1, 2]], 0.0); // a missing price
/// assert_eq!(batch.known_ahead()[[0, 2, 2]], 1.0); // one standard deviation above the mean
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Exogenous<'a> {
    calendar: CalendarGrids,
    covariates: CovariateInputs<'a>,
}

impl<'a> Exogenous<'a> {
    /// The inputs of a panel; numeric covariates are scaled by mean and standard deviation over the `training`
    /// ranges of all series, one for each series in the panel's order.
    ///
    /// # Errors
    /// As [`CalendarFeatures::check`]; [`Error::BadOption`] if there are fewer ranges than series.
    pub fn new(
        panel: &'a Panel,
        calendar: &CalendarFeatures,
        training: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Self> {
        let training: Vec<Range<usize>> = training.into_iter().take(panel.series().len()).collect();
        let covariates = CovariateInputs::new(panel, &training)?;
        Ok(Exogenous { calendar: CalendarGrids::new(panel, calendar)?, covariates })
    }

    /// The same with the scalers that a model keeps, one for each column of the panel's schema.
    ///
    /// # Errors
    /// As [`CalendarFeatures::check`]; [`Error::BadOption`] if there are more or fewer scalers than columns.
    pub fn with_scalers(panel: &'a Panel, calendar: &CalendarFeatures, scalers: Vec<Scaler>) -> Result<Self> {
        let covariates = CovariateInputs::with_scalers(panel, scalers)?;
        Ok(Exogenous { calendar: CalendarGrids::new(panel, calendar)?, covariates })
    }

    /// The panel that the inputs belong to.
    #[must_use]
    pub fn panel(&self) -> &'a Panel {
        self.covariates.panel
    }

    /// The scalers, for a model to keep: one for each column of the panel's schema, that of a category changes nothing.
    #[must_use]
    pub fn scalers(&self) -> &[Scaler] {
        self.covariates.scalers()
    }

    /// The names of the columns: of what is known ahead calendar features first.
    #[must_use]
    pub fn names(&self, known: Known) -> Vec<String> {
        let calendar = match known {
            Known::Future => self.calendar.names(self.panel().step()),
            Known::Past | Known::Static => Vec::new(),
        };
        calendar.into_iter().chain(self.covariates.names(known)).collect()
    }

    /// How many columns there are.
    #[must_use]
    pub fn n_columns(&self, known: Known) -> usize {
        let calendar = if known == Known::Future { self.calendar.n_columns() } else { 0 };
        self.covariates.n_columns(known) + calendar
    }

    /// Writes what is known ahead of the steps at `range` of a series, which may reach beyond its end.
    ///
    /// # Shapes
    /// `out`: `(range.len(), n_columns)`.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such series or `out` has another shape.
    pub fn fill_known_ahead(
        &self,
        series: usize,
        range: Range<usize>,
        out: ArrayViewMut2<'_, f32>,
    ) -> Result<()> {
        let is_shaped = out.dim() == (range.len(), self.n_columns(Known::Future));
        if series >= self.panel().series().len() || !is_shaped {
            return Err(Error::Internal(format!(
                "inputs of series {series} at {range:?} do not fit into {:?}",
                out.dim()
            )));
        }
        let (of_calendar, of_covariates) = out.split_at(Axis(1), self.calendar.n_columns());
        self.calendar.fill(series, range.clone(), of_calendar)?;
        self.covariates.fill(Known::Future, series, range, of_covariates);
        Ok(())
    }

    /// The same for steps that the series has.
    pub(super) fn fill_within(&self, series: usize, range: Range<usize>, out: ArrayViewMut2<'_, f32>) {
        let (of_calendar, of_covariates) = out.split_at(Axis(1), self.calendar.n_columns());
        self.calendar.fill_within(series, range.clone(), of_calendar);
        self.covariates.fill(Known::Future, series, range, of_covariates);
    }

    /// Writes the past covariates of the steps at `range`, within the series. Shape `(range.len(), n_columns)`.
    pub(super) fn fill_past(&self, series: usize, range: Range<usize>, out: ArrayViewMut2<'_, f32>) {
        self.covariates.fill(Known::Past, series, range, out);
    }

    /// Writes the static covariates of a series. Shape `(n_columns)`.
    pub(super) fn fill_static(&self, series: usize, out: ArrayViewMut1<'_, f32>) {
        self.covariates.fill_static(series, out);
    }
}

#[cfg(test)]
// What is compared is copied or computed in the same way.
#[allow(clippy::float_cmp)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;
    use crate::ReadOptions;
    use crate::data::{
        Batch, BatchOptions, CovariateDeclaration, CovariateFlags, TimeFeatures, WindowOrder, WindowSet,
        WindowSpec,
    };

    const SPEC: WindowSpec = WindowSpec { lookback: 3, horizon: 2, stride: 1 };

    /// Three series of an hourly grid, the last of another half of the hour, with gaps in every covariate.
    fn panel() -> Panel {
        let mut csv = "unique_id,ds,y,price,wind,sky,region\n".to_string();
        for (id, first, minute, n) in [("a", 4, 0, 9), ("b", 0, 0, 8), ("c", 2, 30, 7)] {
            for step in 0..n {
                let cell =
                    |modulus: usize, text: String| if step % modulus == 1 { String::new() } else { text };
                let price = cell(4, format!("{}", 10 * step + first));
                let wind = cell(3, format!("{}", step * step));
                let sky = cell(5, ["sun", "rain", "fog"][step % 3].to_string());
                // The last steps are known ahead only.
                let y = if step + 2 < n { format!("{step}") } else { String::new() };
                let row = format!(
                    "{id},2024-01-01 {:02}:{minute:02}:00,{y},{price},{wind},{sky},r{id}",
                    first + step
                );
                csv += &row;
                csv.push('\n');
            }
        }
        let flags = CovariateFlags {
            future_col: vec!["price".into(), "sky".into()],
            past_col: vec!["wind".into()],
            static_col: vec!["region".into()],
            categorical_col: vec!["sky".into(), "region".into()],
        };
        let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
        let options = ReadOptions { covariates, target_columns: vec!["y".into()], ..ReadOptions::default() };
        Panel::read_csv(csv.as_bytes(), "t.csv", &options).unwrap()
    }

    fn calendar() -> CalendarFeatures {
        let fourier = vec!["1D:2".parse().unwrap()];
        CalendarFeatures { time: TimeFeatures::Informer, fourier, ..CalendarFeatures::default() }
    }

    fn training(panel: &Panel) -> Vec<Range<usize>> {
        panel.series().iter().map(|series| 0..series.n_steps() - 2).collect()
    }

    /// What is known ahead of one step, each column by itself.
    fn naive(panel: &Panel, exogenous: &Exogenous<'_>, series: usize, step: usize) -> Vec<f32> {
        let (series, mut row) = (&panel.series()[series], Array2::zeros((1, 8)));
        calendar().fill(series.index(), step..step + 1, row.view_mut()).unwrap();
        let mut expected: Vec<f32> = row.iter().map(|value| *value as f32).collect();
        let ahead = series.covariates().future();
        let at = |column: usize| if step < ahead.nrows() { ahead[[step, column]] } else { f64::NAN };
        // By name: the price, then the sky; the scalers hold that of the wind first.
        let price = exogenous.scalers()[1].scale(at(0)) as f32;
        expected.push(if price.is_nan() { 0.0 } else { price });
        expected.extend((0..3).map(|code| f32::from(at(1) == f64::from(code))));
        expected
    }

    #[test]
    fn batches_hold_the_inputs_of_every_step_of_their_windows() {
        let panel = panel();
        let exogenous = Exogenous::new(&panel, &calendar(), training(&panel)).unwrap();
        assert_eq!(exogenous.calendar.grids.len(), 2);
        assert_eq!(exogenous.names(Known::Future)[8..], ["price", "sky=fog", "sky=rain", "sky=sun"]);
        assert_eq!(exogenous.names(Known::Static), ["region=ra", "region=rb", "region=rc"]);
        let set = WindowSet::new(SPEC, &panel, panel.series().iter().map(|s| 0..s.n_steps())).unwrap();
        for order in [WindowOrder::InTime, WindowOrder::Shuffled { seed: 3, epoch: 1 }] {
            let options =
                BatchOptions { batch_size: 4, order, exogenous: Some(&exogenous), ..Default::default() };
            let (mut batches, mut batch, mut n_rows) = (set.batches(&options).unwrap(), Batch::default(), 0);
            while batches.fill(&mut batch) {
                for row in 0..batch.n_rows() {
                    let (series, cutoff) = (batch.series()[row], batch.cutoffs()[row]);
                    for step in 0..5 {
                        let found = batch.known_ahead().slice(s![row, step, ..]).to_vec();
                        assert_eq!(found, naive(&panel, &exogenous, series, cutoff - 3 + step));
                    }
                    let wind = panel.series()[series].covariates().past();
                    for step in 0..3 {
                        let scaled = exogenous.scalers()[0].scale(wind[[cutoff - 3 + step, 0]]) as f32;
                        let expected = if scaled.is_nan() { 0.0 } else { scaled };
                        assert_eq!(batch.past_covariates()[[row, step, 0]], expected);
                    }
                    let expected: Vec<f32> = (0..3).map(|code| f32::from(code == series)).collect();
                    assert_eq!(batch.static_covariates().row(row).to_vec(), expected);
                    n_rows += 1;
                }
            }
            assert_eq!(n_rows, set.n_windows());
        }
    }

    #[test]
    fn the_future_is_filled_beyond_the_end_with_what_is_known() {
        let panel = panel();
        let exogenous = Exogenous::new(&panel, &calendar(), training(&panel)).unwrap();
        for (at, series) in panel.series().iter().enumerate() {
            for range in [0..4, 3..series.n_steps() + 9, series.n_steps() + 5..series.n_steps() + 7] {
                let mut out = Array2::from_elem((range.len(), 12), f32::NAN);
                exogenous.fill_known_ahead(at, range.clone(), out.view_mut()).unwrap();
                for (step, row) in range.zip(out.rows()) {
                    assert_eq!(row.to_vec(), naive(&panel, &exogenous, at, step), "series {at}, step {step}");
                }
            }
        }
        let mut out = Array2::zeros((2, 11));
        assert!(exogenous.fill_known_ahead(0, 0..2, out.view_mut()).is_err());
        assert!(exogenous.fill_known_ahead(3, 0..2, Array2::zeros((2, 12)).view_mut()).is_err());
    }

    #[test]
    fn numbers_are_scaled_by_the_training_ranges_alone() {
        let panel = panel();
        let exogenous = Exogenous::new(&panel, &CalendarFeatures::default(), training(&panel)).unwrap();
        let observed = panel.series().iter().zip(training(&panel)).flat_map(|(series, range)| {
            let wind = series.covariates().past().slice(s![range, 0]).to_vec();
            wind.into_iter().filter(|value| !value.is_nan())
        });
        let observed: Vec<f64> = observed.collect();
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        let variance = observed.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / observed.len() as f64;
        let scaler = exogenous.scalers()[0];
        assert!((scaler.center - mean).abs() < 1e-12 && (scaler.spread - variance.sqrt()).abs() < 1e-12);
        // Those of categories, and of a range without a value, change nothing.
        assert_eq!(exogenous.scalers()[2..], [Scaler::default(); 2]);
        let none = Exogenous::new(&panel, &CalendarFeatures::default(), vec![0..0; 3]).unwrap();
        assert_eq!(none.scalers()[0], Scaler { center: 0.0, spread: 1.0 });
        let kept = Exogenous::with_scalers(&panel, &calendar(), exogenous.scalers().to_vec()).unwrap();
        assert_eq!(kept.scalers(), exogenous.scalers());
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (panel, other) = (panel(), panel());
        let message =
            Exogenous::new(&panel, &calendar(), training(&panel)[..1].to_vec()).unwrap_err().to_string();
        assert!(message.contains("one for each of the 3 series"), "{message}");
        let message = Exogenous::with_scalers(&panel, &calendar(), Vec::new()).unwrap_err().to_string();
        assert!(message.contains("one for each of the 4 covariates"), "{message}");
        let exogenous = Exogenous::new(&other, &calendar(), training(&other)).unwrap();
        let set = WindowSet::new(SPEC, &panel, panel.series().iter().map(|s| 0..s.n_steps())).unwrap();
        let options = BatchOptions { exogenous: Some(&exogenous), ..BatchOptions::default() };
        let message = set.batches(&options).unwrap_err().to_string();
        assert!(message.contains("must be made of the panel of the windows"), "{message}");
    }
}
