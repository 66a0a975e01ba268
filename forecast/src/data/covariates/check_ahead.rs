//! The check before a forecast: every covariate that is known ahead has a value at every step.

use std::fmt;

use super::declaration::Known;
use super::schema::CovariateSchema;
use super::values::Covariates;
use crate::data::{Series, TimeIndex};
use crate::{Error, Result};

/// Stamps that are named of a column.
const NAMED: usize = 3;
/// Series that are named.
const NAMED_SERIES: usize = 10;

/// The stamps at which a column lacks a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingStamps {
    /// The column.
    pub column: String,
    /// How many steps lack a value.
    pub n_missing: usize,
    /// The first of them, at most three.
    pub first: Vec<String>,
}

/// The columns of a series that lack values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LackingSeries {
    /// The series.
    pub series: String,
    /// Its columns that lack values, and at which stamps.
    pub columns: Vec<MissingStamps>,
}

impl fmt::Display for MissingStamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" at {}", self.column, self.first.join(", "))?;
        match self.n_missing.saturating_sub(self.first.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl CovariateSchema {
    /// Nothing, if the covariates that are known ahead have a value at each of the `horizon` steps that follow
    /// the end of the series.
    ///
    /// # Errors
    /// [`Error::MissingAhead`] lists the columns, how many values each lacks and the first stamps.
    /// [`Panel::check_future`](crate::Panel::check_future) checks all series of a panel.
    ///
    /// # Example
    /// ```
    /// use forecast::data::{CovariateSchema, Covariates, TimeIndex};
    /// let index = TimeIndex::new(0, "1h".parse()?, Default::default(), 9);
    /// let schema = CovariateSchema::default(); // no covariates, nothing to lack
    /// assert!(schema.check_ahead("load", &index, &Covariates::none(9), 24).is_ok());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn check_ahead(
        &self,
        series: &str,
        index: &TimeIndex,
        covariates: &Covariates,
        horizon: usize,
    ) -> Result<()> {
        let (lacking, n_known) = self.lacking(series, index, covariates, horizon);
        match lacking {
            None => Ok(()),
            Some(lacking) => {
                Err(Error::MissingAhead { horizon, n_known, n_series: 1, lacking: vec![lacking] })
            }
        }
    }

    /// The same for all series of a panel.
    pub(in crate::data) fn check_all_ahead(&self, series: &[Series], horizon: usize) -> Result<()> {
        let (mut n_series, mut n_known, mut named) = (0, horizon, Vec::new());
        for series in series {
            let (lacking, n) = self.lacking(series.id(), series.index(), series.covariates(), horizon);
            let Some(lacking) = lacking else { continue };
            n_series += 1;
            n_known = n_known.min(n);
            if named.len() < NAMED_SERIES {
                named.push(lacking);
            }
        }
        match n_series {
            0 => Ok(()),
            _ => Err(Error::MissingAhead { horizon, n_known, n_series, lacking: named }),
        }
    }

    /// What a series lacks, if anything, and for how many steps it lacks nothing.
    fn lacking(
        &self,
        series: &str,
        index: &TimeIndex,
        covariates: &Covariates,
        horizon: usize,
    ) -> (Option<LackingSeries>, usize) {
        let (n_steps, n_ahead) = (covariates.n_steps(), covariates.n_ahead().min(horizon));
        let mut n_known = horizon;
        let mut missing = Vec::new();
        for (column, values) in self.of(Known::Future).iter().zip(covariates.future().columns()) {
            let within = (0..n_ahead).filter(|step| values[n_steps + step].is_nan());
            let n_missing = within.clone().count() + (horizon - n_ahead);
            let mut steps = within.chain(n_ahead..horizon).peekable();
            let Some(first) = steps.peek() else { continue };
            n_known = n_known.min(*first);
            let stamp = |step: usize| index.format(index.stamp(n_steps + step));
            missing.push(MissingStamps {
                column: column.name.clone(),
                n_missing,
                first: steps.take(NAMED).map(stamp).collect(),
            });
        }
        let lacking = LackingSeries { series: series.to_string(), columns: missing };
        (Some(lacking).filter(|lacking| !lacking.columns.is_empty()), n_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cells, CovariateDeclaration, CovariateFlags};
    use ndarray::Array2;

    fn schema(names: &[String]) -> CovariateSchema {
        let flags = CovariateFlags { future_col: names.to_vec(), ..CovariateFlags::default() };
        let declaration = CovariateDeclaration::default().with_flags(&flags).unwrap();
        let table: Vec<_> = names.iter().map(|name| (name.clone(), Cells::Numbers(vec![1.0]))).collect();
        CovariateSchema::fit(&declaration, &table, "t.csv").unwrap()
    }

    /// Ten hours, and eight ahead of which `"b"` lacks the third.
    fn check(horizon: usize) -> Result<()> {
        let schema = schema(&["a".into(), "b".into()]);
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), 10);
        let mut future = Array2::zeros((18, 2));
        future[[12, 1]] = f64::NAN;
        future[[3, 0]] = f64::NAN; // not ahead
        let parts = (Array2::zeros((10, 0)), future, vec![]);
        let covariates = Covariates::new(&schema, "load", &index, parts).unwrap();
        schema.check_ahead("load", &index, &covariates, horizon)
    }

    #[test]
    fn values_at_every_step_are_enough() {
        assert!(check(0).is_ok() && check(2).is_ok());
    }

    #[test]
    fn the_message_lists_columns_stamps_and_the_horizon_that_works() {
        assert_eq!(
            check(3).unwrap_err().to_string(),
            "series \"load\" lacks covariates for the 3 steps to forecast: \"b\" at 1970-01-01 12:00:00; give rows with these stamps and no target, or use a horizon of at most 2"
        );
        assert_eq!(
            check(24).unwrap_err().to_string(),
            "series \"load\" lacks covariates for the 24 steps to forecast: \"a\" at 1970-01-01 18:00:00, 1970-01-01 19:00:00, 1970-01-01 20:00:00 and 13 more; \"b\" at 1970-01-01 12:00:00, 1970-01-01 18:00:00, 1970-01-01 19:00:00 and 14 more; give rows with these stamps and no target, or use a horizon of at most 2"
        );
    }

    #[test]
    fn long_lists_of_columns_are_cut() {
        let names: Vec<String> = (10..30).map(|i| format!("c{i}")).collect();
        let schema = schema(&names);
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), 1);
        let parts = (Array2::zeros((1, 0)), Array2::zeros((1, 20)), vec![]);
        let covariates = Covariates::new(&schema, "s", &index, parts).unwrap();
        let message = schema.check_ahead("s", &index, &covariates, 1).unwrap_err().to_string();
        let end =
            "\"c19\" at 1970-01-01 01:00:00; and 10 more columns; give rows with these stamps and no target";
        assert!(message.ends_with(end), "{message}");
    }
}
