//! The data-quality report on covariates.

use serde::Serialize;

use crate::data::covariates::{CovariateColumn, CovariateKind, Covariates, Known};
use crate::data::panel::Panel;

/// The report on one covariate, over all series.
#[derive(Debug, Clone, Serialize)]
pub struct CovariateQuality {
    /// The column.
    pub covariate: String,
    /// For which steps it is known.
    pub known: Known,
    /// What its values are.
    pub kind: CovariateKind,
    /// Values that are there; of static ones, a value a series.
    pub n_observed: usize,
    /// Values that are missing, absent rows included.
    pub n_missing: usize,
    /// Steps beyond the end that have a value, of the series that has fewest; 0 of what is not known ahead.
    pub n_ahead: usize,
    /// Smallest number; `None` of categories and where nothing was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// How many values each category has, those of a model that were not seen included; none of numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<(String, usize)>,
}

impl CovariateQuality {
    /// The reports on all covariates of a panel, in the order of their schema.
    #[must_use]
    pub fn of(panel: &Panel) -> Vec<Self> {
        let report = |(known, at, column): (Known, usize, &CovariateColumn)| {
            let values = panel.series().iter().flat_map(|series| values(series.covariates(), known, at));
            let ahead = panel.series().iter().map(|series| n_ahead(series.covariates(), known, at));
            Self::of_column(column, &values.collect::<Vec<_>>(), ahead.min().unwrap_or(0))
        };
        let schema = panel.covariate_schema();
        let columns = [Known::Past, Known::Future, Known::Static].into_iter().flat_map(|known| {
            schema.of(known).iter().enumerate().map(move |(at, column)| (known, at, column))
        });
        columns.map(report).collect()
    }

    fn of_column(column: &CovariateColumn, values: &[f64], n_ahead: usize) -> Self {
        let observed = || values.iter().copied().filter(|value| !value.is_nan());
        let mut categories = Vec::new();
        if let Some(vocabulary) = &column.vocabulary {
            let mut counts = vec![0; vocabulary.n_codes()];
            observed().for_each(|code| counts[code as usize] += 1);
            let named = counts.into_iter().enumerate();
            categories = named.map(|(code, n)| (column.tell(code as f64), n)).collect();
        }
        let is_numeric = column.vocabulary.is_none();
        CovariateQuality {
            covariate: column.name.clone(),
            known: column.known,
            kind: if is_numeric { CovariateKind::Numeric } else { CovariateKind::Categorical },
            n_observed: observed().count(),
            n_missing: values.iter().filter(|value| value.is_nan()).count(),
            n_ahead,
            min: observed().filter(|_| is_numeric).reduce(f64::min),
            max: observed().filter(|_| is_numeric).reduce(f64::max),
            categories,
        }
    }
}

fn values(covariates: &Covariates, known: Known, at: usize) -> Vec<f64> {
    match known {
        Known::Past => covariates.past().column(at).to_vec(),
        Known::Future => covariates.future().column(at).to_vec(),
        Known::Static => vec![covariates.static_values()[at]],
    }
}

fn n_ahead(covariates: &Covariates, known: Known, at: usize) -> usize {
    if known != Known::Future {
        return 0;
    }
    let future = covariates.future();
    future.column(at).iter().skip(covariates.n_steps()).filter(|value| !value.is_nan()).count()
}
