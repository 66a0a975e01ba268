//! The columns of a regression: calendar, trend, covariates.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, s};
use serde::{Deserialize, Serialize};

use crate::data::{
    CalendarFeatures, CovariateColumn, CovariateSchema, Cycle, FourierTerm, Known, Series, Step, TimeIndex,
};
use crate::{Error, Result};

/// Columns, at most.
const MOST_COLUMNS: usize = 2_000;

/// What a series is regressed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Regressors {
    /// Seasons as sines and cosines.
    #[serde(default)]
    calendar: CalendarFeatures,
    /// A line through time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trend: Option<Trend>,
    /// The covariates of the training data; static ones are no columns.
    #[serde(default)]
    schema: CovariateSchema,
    /// Covariates enter with so many steps before as well.
    #[serde(default)]
    covariate_lags: usize,
    /// Past covariates enter from this lag on: so they are known for every step of a horizon.
    past_lag: usize,
    /// The age in steps at which a row counts half; all count the same if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    half_life: Option<f64>,
}

/// How covariates enter, and which rows count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Covariates enter with so many steps before as well.
    pub(crate) covariate_lags: usize,
    /// Past covariates enter from this lag on.
    pub(crate) horizon: usize,
    /// The age in steps at which a row counts half.
    pub(crate) half_life: Option<f64>,
}

/// A line through time: 0 at `origin`, 1 after `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trend {
    /// A stamp.
    pub(crate) origin: i64,
    /// In steps.
    pub(crate) steps: usize,
}

impl Regressors {
    /// `None` if there is no column.
    ///
    /// # Errors
    /// As [`CalendarFeatures::check`]; [`Error::BadOption`] for too many columns.
    pub(crate) fn new(
        fourier: &[FourierTerm],
        trend: Option<Trend>,
        schema: &CovariateSchema,
        entry: Entry,
        step: Step,
    ) -> Result<Option<Self>> {
        let calendar = CalendarFeatures { fourier: fourier.to_vec(), ..CalendarFeatures::default() };
        calendar.check(step)?;
        let columns = schema.columns().iter().filter(|column| column.known != Known::Static);
        let schema = CovariateSchema::try_from(columns.cloned().collect::<Vec<_>>())?;
        let Entry { covariate_lags, horizon: past_lag, half_life } = entry;
        let regressors = Regressors { calendar, trend, schema, covariate_lags, past_lag, half_life };
        let n = regressors.n_columns(step);
        if n > MOST_COLUMNS {
            let rule = format!("there may be at most {MOST_COLUMNS}: use fewer covariate_lags or categories");
            return Err(Error::option("columns of the regression", n, rule));
        }
        Ok((n > 0).then_some(regressors))
    }

    /// The covariates that a forecast needs.
    pub(crate) fn schema(&self) -> &CovariateSchema {
        &self.schema
    }

    /// True if there are columns that a stamp does not tell.
    pub(crate) fn has_covariates(&self) -> bool {
        !self.schema.of(Known::Past).is_empty() || !self.schema.of(Known::Future).is_empty()
    }

    /// The rows that come back on a grid, if all columns do.
    pub(super) fn cycle(&self, index: &TimeIndex) -> Option<Cycle> {
        if self.trend.is_some() || self.has_covariates() { None } else { self.calendar.cycle(index) }
    }

    /// How many of the first columns are sines and cosines.
    pub(super) fn n_waves(&self, step: Step) -> usize {
        self.calendar.n_columns(step)
    }

    /// True if there are waves alone, and newer rows count more.
    pub(super) fn follows_a_season(&self) -> bool {
        self.half_life.is_some() && self.trend.is_none() && !self.has_covariates()
    }

    /// True if every row counts the same.
    pub(super) fn counts_alike(&self) -> bool {
        self.half_life.is_none()
    }

    /// What a row counts that is followed by so many, from 0 to 1.
    pub(super) fn row_weight(&self, n_after: usize) -> f64 {
        self.half_life.map_or(1.0, |half_life| (-(n_after as f64) / half_life).exp2())
    }

    /// Steps before a step that its columns look at.
    pub(crate) fn reach(&self) -> usize {
        let past = if self.schema.of(Known::Past).is_empty() { 0 } else { self.past_lag };
        past + self.covariate_lags
    }

    /// The lags at which covariates that are known so enter.
    fn lags(&self, known: Known) -> Range<usize> {
        let first = if known == Known::Past { self.past_lag } else { 0 };
        first..first + self.covariate_lags + 1
    }

    fn width(&self, known: Known) -> usize {
        self.schema.of(known).iter().map(CovariateColumn::n_one_hot).sum()
    }

    /// How many columns there are.
    pub(crate) fn n_columns(&self, step: Step) -> usize {
        let covariates = [Known::Future, Known::Past];
        let covariates = covariates.map(|known| self.width(known).saturating_mul(self.lags(known).len()));
        self.calendar.n_columns(step) + usize::from(self.trend.is_some()) + covariates.iter().sum::<usize>()
    }

    /// The names of the columns: `sin-1D-1`, `trend`, `price`, `price(-1)`, `wind(-24)`.
    pub(crate) fn names(&self, step: Step) -> Vec<String> {
        let mut names = self.calendar.names(step);
        names.extend(self.trend.map(|_| "trend".to_string()));
        for known in [Known::Future, Known::Past] {
            for lag in self.lags(known) {
                let of_lag = self.schema.one_hot_names(known).into_iter();
                names.extend(of_lag.map(|name| if lag == 0 { name } else { format!("{name}(-{lag})") }));
            }
        }
        names
    }

    /// What columns add, the waves of a season together: `season 1D`, `trend`, `price`.
    pub(crate) fn told(&self, contributions: Vec<f64>, step: Step) -> Vec<(String, f64)> {
        let mut columns = self.names(step).into_iter().zip(contributions);
        let season = |term: &FourierTerm| {
            let waves = columns.by_ref().take(2 * term.order).map(|(_, contribution)| contribution);
            (format!("season {}", term.period), waves.sum())
        };
        let mut told: Vec<(String, f64)> = self.calendar.fourier.iter().map(season).collect();
        told.extend(columns);
        told
    }

    /// Writes the columns of the steps at `range` of a series, which may reach beyond its end; NaN where a covariate
    /// is missing or not known. Shape `(range.len(), n_columns)`.
    pub(crate) fn fill(
        &self,
        series: &Series,
        range: Range<usize>,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<()> {
        let index = series.index();
        let n_calendar = self.calendar.n_columns(index.step);
        if n_calendar > 0 {
            self.calendar.fill(index, range.clone(), out.slice_mut(s![.., ..n_calendar]))?;
        }
        let mut at = n_calendar;
        if let Some(trend) = self.trend {
            let unit = match index.step {
                Step::Index(step) => step as f64,
                step => step.approximate_nanos() as f64,
            };
            for (row, step) in range.clone().enumerate() {
                let since = index.stamp(step) as f64 - trend.origin as f64;
                out[[row, at]] = since / unit / trend.steps.max(1) as f64;
            }
            at += 1;
        }
        for known in [Known::Future, Known::Past] {
            let width = self.width(known);
            if width == 0 {
                continue;
            }
            let values = match known {
                Known::Past => series.covariates().past(),
                _ => series.covariates().future(),
            };
            let columns = self.schema.of(known).len();
            for lag in self.lags(known) {
                let value = |row: usize, column: usize| {
                    let step = (range.start + row).checked_sub(lag).filter(|step| *step < values.nrows());
                    step.and_then(|step| values.get([step, column])).copied().unwrap_or(f64::NAN)
                };
                let raw = Array2::from_shape_fn((range.len(), columns), |(row, column)| value(row, column));
                self.schema.one_hot(known, raw.view(), out.slice_mut(s![.., at..at + width]))?;
                at += width;
            }
        }
        Ok(())
    }
}
