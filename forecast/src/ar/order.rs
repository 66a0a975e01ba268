//! How many lags: information criteria of every order at once.
//!
//! Lag 1 comes first, so the factor `L` of the Gram matrix holds that of every shorter order in its leading part.
//! With `z = L^-1 X'y` the squared error of order `k` is `y'y - z_1^2 - ... - z_k^2`: one forward substitution
//! gives all of them, on the same rows, as criteria need it.
//!
//! With `n` rows, `sse_k` that error and `k + 1` coefficients,
//! `aic_k = n ln(sse_k / n) + 2 (k + 1)` (Akaike, 1974), `bic_k = n ln(sse_k / n) + ln(n) (k + 1)` (Schwarz, 1978).

use ndarray::{Array1, s};
use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use super::moments::Moments;
use crate::Result;

/// What the order is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// Akaike's: the order that forecasts best, on the large side.
    Aic,
    /// Schwarz's: finds the true order as rows grow without bound, on the small side.
    Bic,
    /// The extended one, for lags chosen by a penalty: counts how many choices of so many lags there are (Chen and
    /// Chen 2008).
    Ebic,
    /// The squared error on the last fifth of the training range, of coefficients fitted on the rest.
    Validation,
}

/// The squared error of every order from 0 to all columns. Shape `(column + 1)`.
///
/// `energy` is the centred `y'y`, `forward` is `L^-1 X'y`.
pub(super) fn squared_errors(energy: f64, forward: &Array1<f64>) -> Vec<f64> {
    let mut left = energy;
    let errors = forward.iter().map(|z| {
        left -= z * z;
        left.max(0.0)
    });
    std::iter::once(energy).chain(errors.collect::<Vec<_>>()).collect()
}

/// The order whose squared error on other rows is smallest, at least 1: one factor gives the weights of every order,
/// their moments the error.
///
/// # Errors
/// As [`Cholesky::new`]; lags that are combinations of others leave the longest order to its own error.
pub(super) fn best_on(scored: &Moments, fitted: &Moments) -> Result<usize> {
    let centred = fitted.centred();
    let n_lags = centred.gram.nrows();
    let Ok(factor) = Cholesky::new(&centred.gram, 0.0)? else { return Ok(n_lags) };
    let forward = factor.forward(&centred.cross.column(0).to_owned());
    let error = |order: usize| {
        let weights = Array1::from_vec(factor.backward(&forward.as_slice().unwrap_or_default()[..order]));
        let mean =
            |moments: &Moments| moments.target_sums[0] - weights.dot(&moments.column_sums.slice(s![..order]));
        let intercept = mean(fitted) / fitted.rows as f64;
        let (gram, cross) = (scored.gram.slice(s![..order, ..order]), scored.cross.slice(s![..order, 0]));
        scored.energy[0] - 2.0 * weights.dot(&cross) + weights.dot(&gram.dot(&weights))
            - 2.0 * intercept * mean(scored)
            + scored.rows as f64 * intercept * intercept
    };
    let mut best = (f64::INFINITY, n_lags);
    for order in 1..=n_lags {
        let error = error(order);
        if error < best.0 {
            best = (error, order);
        }
    }
    Ok(best.1)
}

impl Criterion {
    pub(super) fn name(self) -> &'static str {
        match self {
            Criterion::Aic => "aic",
            Criterion::Bic => "bic",
            Criterion::Ebic => "ebic",
            Criterion::Validation => "validation",
        }
    }

    /// The criterion for `order` lags and an intercept.
    ///
    /// Orders are nested, so that the extended criterion is the plain one.
    pub(super) fn of(self, squared_error: f64, n_rows: usize, order: usize) -> f64 {
        let n = n_rows as f64;
        let a_coefficient = match self {
            Criterion::Aic => 2.0,
            Criterion::Bic | Criterion::Ebic => n.ln(),
            // What is left on other rows has no need of it.
            Criterion::Validation => 0.0,
        };
        n * (squared_error / n).ln() + a_coefficient * (order + 1) as f64
    }

    /// The order with the smallest criterion, at least 1; of equal ones the shortest.
    pub(super) fn best(self, squared_errors: &[f64], n_rows: usize) -> usize {
        let score = |order: usize| self.of(squared_errors[order], n_rows, order);
        (1..squared_errors.len()).fold(1, |best, order| if score(order) < score(best) { order } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::cholesky::Cholesky;
    use crate::ar::gram::lagged_moments;
    use crate::ar::lag_matrix::LagMatrix;
    use forecast_datasets::ArProcess;

    #[test]
    fn errors_of_all_orders_are_those_of_a_fit_of_each() {
        let values = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }
            .generate(500, 2)
            .unwrap();
        let moments = lagged_moments(&[&values], 12, 1).unwrap().centred();
        let factor = Cholesky::new(&moments.gram, 0.0).unwrap().unwrap();
        let all = squared_errors(moments.energy[0], &factor.forward(&moments.cross.column(0).to_owned()));
        assert_eq!(all.len(), 13);
        for (order, error) in all.iter().enumerate().skip(1) {
            let one = moments.leading(order);
            let weights = Cholesky::new(&one.gram, 0.0).unwrap().unwrap().solve(&one.cross).unwrap();
            let expected = one.energy[0] - weights.row(0).dot(&one.cross.column(0));
            assert!((error - expected).abs() < 1e-9, "{order}: {error} {expected}");
        }
    }

    #[test]
    fn the_order_of_a_process_is_found() {
        // AR(3) with a weight of -0.5 at lag 3.
        let values = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() }
            .generate(20_000, 5)
            .unwrap();
        let moments = lagged_moments(&[&values], 40, 1).unwrap();
        let centred = moments.centred();
        let factor = Cholesky::new(&centred.gram, 0.0).unwrap().unwrap();
        let errors = squared_errors(centred.energy[0], &factor.forward(&centred.cross.column(0).to_owned()));
        assert_eq!(Criterion::Bic.best(&errors, moments.rows), 3);
        let aic = Criterion::Aic.best(&errors, moments.rows);
        assert!((3..=12).contains(&aic), "{aic}");
        assert_eq!(Criterion::Bic.best(&errors[..2], moments.rows), 1);
    }

    #[test]
    fn the_order_by_validation_is_that_of_a_fit_of_each() {
        let process =
            ArProcess { coefficients: vec![0.2, 0.3, -0.5], intercept: 2.0, ..ArProcess::default() };
        for seed in 1..6 {
            let (train, test) =
                (process.generate(150, seed).unwrap(), process.generate(80, seed + 50).unwrap());
            let (fitted, scored) = (LagMatrix::new(&train, 20, 1), LagMatrix::new(&test, 20, 1));
            let error = |order: usize| {
                let moments = fitted.moments().leading(order);
                let weights = Cholesky::new(&moments.centred().gram, 0.0).unwrap().unwrap();
                let weights = weights.solve(&moments.centred().cross).unwrap();
                let forecasts =
                    scored.lags.slice(s![.., ..order]).dot(&weights.t()) + moments.intercepts(&weights);
                (&scored.targets - &forecasts).mapv(|error| error * error).sum()
            };
            let naive = (1..=20).min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap();
            assert_eq!(best_on(&scored.moments(), &fitted.moments()).unwrap(), naive, "{seed}");
        }
    }

    #[test]
    fn criteria_are_their_formulas() {
        // 10 ln(20 / 10) + 2 * 3, and ln 10 * 3 instead.
        let error = |criterion: Criterion| criterion.of(20.0, 10, 2);
        assert!((error(Criterion::Aic) - (10.0 * 2f64.ln() + 6.0)).abs() < 1e-12);
        assert!((error(Criterion::Bic) - (10.0 * 2f64.ln() + 3.0 * 10f64.ln())).abs() < 1e-12);
    }
}
