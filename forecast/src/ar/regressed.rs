//! What an autoregression is regressed on, and least squares of one target on columns that are no lags.

use ndarray::{Array1, Array2, s};

use super::cholesky::Cholesky;
use super::config::{ArConfig, Trend, UseCovariates};
use super::moments::Moments;
use super::sparse::{Criterion, PathOptions, Problem, path, select};
use crate::data::{CovariateSchema, Step, TimeIndex};
use crate::regression::{self, Entry, Regressors};
use crate::{Error, Result};

/// What is added to the diagonal, as a share of its mean: columns such as the categories of one covariate add up to
/// one.
const RIDGE: f64 = 1e-6;

impl ArConfig {
    /// The columns for series with these covariates, whose trend begins with `index`; `None` if there are none.
    ///
    /// # Errors
    /// As [`Regressors::new`]; [`Error::BadOption`] for a half-life of nothing.
    pub(crate) fn regressors(
        &self,
        index: &TimeIndex,
        schema: &CovariateSchema,
        horizon: usize,
    ) -> Result<Option<Regressors>> {
        let trend = (self.trend == Trend::Linear)
            .then_some(regression::Trend { origin: index.start, steps: index.len });
        let none = CovariateSchema::default();
        let schema = if self.covariates == UseCovariates::Use { schema } else { &none };
        let fourier = self.fourier.as_deref().unwrap_or_default();
        let half_life = self.half_life.map(|half_life| steps_of(half_life, index.step)).transpose()?;
        let entry = Entry { covariate_lags: self.covariate_lags, horizon, half_life };
        let regressors = Regressors::new(fourier, trend, schema, entry, index.step)?;
        match self.half_life {
            Some(half_life) if regressors.is_none() => {
                let rule = "it goes with fourier, trend or covariates, of which there are none";
                Err(Error::option("half_life", half_life, rule))
            }
            _ => Ok(regressors),
        }
    }
}

/// A duration, or a count of steps, in steps.
///
/// # Errors
/// [`Error::BadOption`] for a duration where the index counts integers.
fn steps_of(half_life: Step, step: Step) -> Result<f64> {
    match (half_life, step) {
        (Step::Index(n), _) => Ok(n as f64),
        (_, Step::Index(_)) => {
            let rule = "an integer index has no durations: give a count of steps, for example 2000";
            Err(Error::option("half_life", half_life, rule))
        }
        (half_life, step) => Ok(half_life.approximate_nanos() as f64 / step.approximate_nanos() as f64),
    }
}

/// Weights of the first columns for the last one, intercept taken out; zero where there are no more rows than columns.
///
/// With `is_sparse`, those of the columns that the extended criterion of Schwarz chooses along the path of AR-Net's
/// objective; all others are zero.
///
/// # Shapes
/// `products`: sums of products of the columns and the target, `(k + 1, k + 1)`; `sums`: their sums, `(k + 1)`; result
/// `(k)`.
pub(crate) fn least_squares(
    products: &Array2<f64>,
    sums: &Array1<f64>,
    rows: usize,
    is_sparse: bool,
) -> Result<Array1<f64>> {
    let k = sums.len().saturating_sub(1);
    if rows <= k + 1 {
        return Ok(Array1::zeros(k));
    }
    let moments = Moments {
        gram: products.slice(s![..k, ..k]).to_owned(),
        cross: products.slice(s![..k, k..]).to_owned(),
        energy: Array1::from_elem(1, products[[k, k]]),
        column_sums: sums.slice(s![..k]).to_owned(),
        target_sums: Array1::from_elem(1, sums[k]),
        rows,
    };
    if is_sparse {
        let problem = Problem::owned(moments)?;
        let path = path(&problem, &PathOptions::default())?;
        return Ok(Array1::from_vec(select(&problem, &path, Criterion::default())?.weights.clone()));
    }
    let centred = moments.centred();
    let ridge = RIDGE * centred.gram.diag().mean().unwrap_or(0.0);
    Ok(match Cholesky::new(&centred.gram, ridge)? {
        Ok(factor) => factor.solve(&centred.cross)?.row(0).to_owned(),
        // Nothing varies.
        Err(_) => Array1::zeros(k),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Axis;

    fn sums(rows: &Array2<f64>) -> (Array2<f64>, Array1<f64>, usize) {
        (rows.t().dot(rows), rows.sum_axis(Axis(0)), rows.nrows())
    }

    #[test]
    fn weights_are_those_that_made_the_target() {
        let x = |t: usize, j: usize| ((t * (7 + 4 * j)) % 31) as f64 - 4.0;
        let row = |t: usize, j: usize| if j < 3 { x(t, j) } else { 9.0 + 0.5 * x(t, 0) - 2.0 * x(t, 2) };
        let rows = Array2::from_shape_fn((200, 4), |(t, j)| row(t, j));
        let (products, sums, n) = sums(&rows);
        for is_sparse in [false, true] {
            let weights = least_squares(&products, &sums, n, is_sparse).unwrap();
            for (found, expected) in weights.iter().zip([0.5, 0.0, -2.0]) {
                assert!((found - expected).abs() < 1e-4, "{weights}");
            }
            assert!(!is_sparse || weights[1] == 0.0);
        }
    }

    #[test]
    fn columns_that_add_up_to_one_share_and_too_few_rows_have_no_weights() {
        let rows = Array2::from_shape_fn((90, 4), |(t, j)| match j {
            3 => [1.0, 5.0, 9.0][t % 3],
            _ => f64::from(u8::from(t % 3 == j)),
        });
        let (products, sums_of, n) = sums(&rows);
        let weights = least_squares(&products, &sums_of, n, false).unwrap();
        assert!((weights[2] - weights[0] - 8.0).abs() < 1e-3, "{weights}");
        let (products, sums_of, n) = sums(&rows.slice(s![..4, ..]).to_owned());
        assert_eq!(least_squares(&products, &sums_of, n, false).unwrap(), Array1::<f64>::zeros(3));
    }
}
