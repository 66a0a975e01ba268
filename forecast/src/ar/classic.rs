//! The textbook's autoregression of one array, for those who have numbers and no panel.

use super::config::{ArConfig, Method, Strategy};
use super::fit::solve_one;
use super::inference::normal_half_width;
use super::order::Criterion;
use super::stability::unstable_root;
use crate::model::check_count;
use crate::{Error, Result};

/// How to fit [`classic`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `method` | least squares | over complete windows, or from autocorrelations alone |
/// | `ridge` | 0 | share of the mean diagonal of the Gram matrix that is added to its diagonal; least squares only |
/// | `criterion` | none | the order, up to the one that is asked for, that this is smallest at |
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClassicOptions {
    /// Least squares, or autocorrelations.
    pub method: Method,
    /// Share of the mean diagonal that is added to the diagonal.
    pub ridge: f64,
    /// What the order is chosen by.
    pub criterion: Option<Criterion>,
}

/// `y_t = intercept + sum_i weights[i - 1] y_(t-i) + e_t`.
#[derive(Debug, Clone, PartialEq)]
pub struct Classic {
    /// Lag 1 first; zero beyond a chosen order. Shape `(order)`.
    pub weights: Vec<f64>,
    /// In the units of the series.
    pub intercept: f64,
    /// Under independent errors; `None` where the weights are not the plain least-squares solution, or no row is left
    /// over. Shape `(order)`.
    pub standard_errors: Option<Vec<f64>>,
}

/// The autoregression of `order` lags of a series, missing values NaN: rows with one are left out.
///
/// Conditional least squares (Hamilton, *Time Series Analysis*, section 5.2) from the lagged Gram matrix, in
/// O(n log order + order^3), from 256 lags on in O(n log order + order^2) and O(n) memory where gaps are few and lags
/// not nearly dependent; or the equations of Yule and
/// Walker in O(n log order + order^2). No lag matrix is made.
///
/// # Errors
/// [`Error::TooFewRows`] if there are fewer complete rows than coefficients, [`Error::Singular`] if lags are
/// combinations of others, [`Error::BadOption`] for an order of 0, a ridge that is negative, and options that do not
/// go together.
///
/// # Example
/// ```
/// use forecast::ar::{ClassicOptions, classic};
/// let mut y = vec![1.0, 0.0];
/// for t in 2..60 {
///     y.push(3.0 + 0.5 * y[t - 1] - 0.25 * y[t - 2] + ((t * t) % 7) as f64 * 1e-9);
/// }
/// let fitted = classic(&y, 2, ClassicOptions::default())?;
/// assert!((fitted.weights[0] - 0.5).abs() < 1e-6 && (fitted.weights[1] + 0.25).abs() < 1e-6);
/// assert!((fitted.intercept - 3.0).abs() < 1e-6 && fitted.unstable_root().is_none());
/// # Ok::<(), forecast::Error>(())
/// ```
pub fn classic(values: &[f64], order: usize, options: ClassicOptions) -> Result<Classic> {
    check_count("order", order)?;
    if let Some(at) = values.iter().position(|value| value.is_infinite()) {
        return Err(Error::option(
            format!("value {at}"),
            values[at],
            "it must be finite, or NaN where missing",
        ));
    }
    let config = ArConfig {
        order: Some(order),
        lookbacks: Some(vec![order]),
        strategy: Some(Strategy::Recursive),
        ridge: Some(vec![options.ridge]),
        method: options.method,
        criterion: options.criterion,
        ..ArConfig::default()
    };
    config.check()?;
    let solved = solve_one(&config, "the values", values.to_vec())?;
    Ok(Classic {
        weights: solved.weights.row(0).to_vec(),
        intercept: solved.intercepts[0],
        standard_errors: solved.errors,
    })
}

impl Classic {
    /// Lower and upper bounds of each weight at a level in percent, under independent normal errors, lag 1 first;
    /// `None` where there are no standard errors or the level does not lie between 0 and 100.
    #[must_use]
    pub fn confidence_intervals(&self, level: f64) -> Option<Vec<(f64, f64)>> {
        let errors = self.standard_errors.as_ref().filter(|_| level > 0.0 && level < 100.0)?;
        let width = normal_half_width(level / 100.0);
        let bounds = |(weight, error): (&f64, &f64)| (weight - width * error, weight + width * error);
        Some(self.weights.iter().zip(errors).map(bounds).collect())
    }

    /// The largest root of the recursion, if it grows without bound: above 1.
    #[must_use]
    pub fn unstable_root(&self) -> Option<f64> {
        unstable_root(&self.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::anchor::Anchor;
    use crate::ar::gram::lagged_moments;
    use crate::ar::segments::complete_runs;
    use crate::ar::solve::{Member, solve};
    use forecast_datasets::ArProcess;

    fn process(n: usize) -> Vec<f64> {
        let process =
            ArProcess { coefficients: vec![0.2, 0.3, -0.5], intercept: 4.0, ..ArProcess::default() };
        process.generate(n, 1).unwrap()
    }

    #[test]
    fn intervals_hold_the_weights_of_the_process_as_often_as_they_say() {
        let (mut held, mut n) = (0, 0);
        for seed in 0..200 {
            let process = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() };
            let values = process.generate(400, seed).unwrap();
            let fitted = classic(&values, 5, ClassicOptions::default()).unwrap();
            for ((lower, upper), weight) in
                fitted.confidence_intervals(90.0).unwrap().iter().zip([0.2, 0.3, -0.5, 0.0, 0.0])
            {
                held += usize::from((*lower..=*upper).contains(&weight));
                n += 1;
            }
        }
        let share = f64::from(held as u32) / f64::from(n);
        // A thousand intervals, five of a fit: two standard deviations are about 2 points.
        assert!((share - 0.9).abs() < 0.03, "{share}");
    }

    #[test]
    fn both_methods_find_the_process_and_a_criterion_its_order() {
        let values = process(50_000);
        for (method, criterion) in [
            (Method::LeastSquares, None),
            (Method::Autocorrelation, None),
            (Method::LeastSquares, Some(Criterion::Bic)),
        ] {
            let fitted =
                classic(&values, 9, ClassicOptions { method, criterion, ..Default::default() }).unwrap();
            for (weight, expected) in
                fitted.weights.iter().zip([0.2, 0.3, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            {
                assert!((weight - expected).abs() < 0.02, "{method:?}: {:?}", fitted.weights);
            }
            assert!((fitted.intercept - 4.0).abs() < 0.2, "{method:?}: {}", fitted.intercept);
            if criterion.is_some() {
                assert!(fitted.weights[3..].iter().all(|weight| *weight == 0.0));
            }
        }
    }

    #[test]
    fn long_orders_are_those_of_the_factor_with_gaps_ridges_and_means() {
        let mut values: Vec<f64> = process(6_000).iter().map(|value| 500.0 + value).collect();
        for (gap, ridge) in [(None, 0.0), (Some(2_500), 0.0), (Some(100), 0.0), (None, 0.01)] {
            gap.into_iter().for_each(|at: usize| values[at] = f64::NAN);
            let ours = classic(&values, 300, ClassicOptions { ridge, ..Default::default() }).unwrap();
            let centred: Vec<f64> = values.iter().map(|value| value - 500.0).collect();
            let runs: Vec<&[f64]> = complete_runs(&centred).collect();
            let moments = lagged_moments(&runs, 300, 1).unwrap();
            let member = Member { lookback: 300, anchor: Anchor::None, ridge: Some(ridge), season: None };
            let due = solve(&moments, &member, None, None).unwrap().unwrap();
            for (ours, due) in ours.weights.iter().zip(&due.weights) {
                assert!((ours - due).abs() < 1e-9, "{gap:?} {ridge}: {ours} {due}");
            }
            let intercept = due.intercepts[0] + 500.0 * (1.0 - due.weights.sum());
            assert!((ours.intercept / intercept - 1.0).abs() < 1e-8);
            assert_eq!(ours.standard_errors.is_some(), ridge <= 0.0);
            for (ours, due) in ours.standard_errors.iter().flatten().zip(due.errors.iter().flatten()) {
                assert!((ours / due - 1.0).abs() < 1e-7, "{gap:?} {ridge}: {ours} {due}");
            }
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_told() {
        let message = |values: &[f64], order, ridge| {
            classic(values, order, ClassicOptions { ridge, ..Default::default() }).unwrap_err().to_string()
        };
        assert!(message(&process(9), 0, 0.0).contains("order is 0"));
        assert!(message(&process(9), 5, 0.0).contains("order"), "{}", message(&process(9), 5, 0.0));
        assert!(message(&process(90), 5, -1.0).contains("ridge is -1"));
        assert!(message(&[1.0, f64::INFINITY, 2.0], 1, 0.0).contains("value 1 is inf"));
        let wave: Vec<f64> = (0..300).map(|t| f64::from([1, 0, -1, 0][t % 4])).collect();
        let singular = message(&wave, 6, 0.0);
        assert!(singular.contains("only 2 of its 6 lags are independent"), "{singular}");
        assert!(classic(&wave, 6, ClassicOptions { ridge: 1e-6, ..Default::default() }).is_ok());
        assert!(message(&[f64::NAN; 50], 3, 0.0).contains('0'));
    }
}
